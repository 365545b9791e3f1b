"""A commune comes in by the console alone, from nothing to a camera in service; ends are as persons write them."""

from centre_support import Running
from console_support import page_of, served
from playwright.async_api import Locator, Page, expect
from test_dossiers import BERNAY, order_of
from test_forms_page import TODAY, send, shot, step

from csu.audit.sequencer import sequence


def dialog(page: Page, name: str) -> Locator:
    return page.get_by_test_id(f"{name}-dialog")


async def test_a_commune_comes_in_from_nothing_to_a_camera_in_service(centre: Running) -> None:
    async with served(centre) as origin, page_of(origin, "administrateur", "territory") as page:
        await page.get_by_test_id("join-commune").click()
        joining = dialog(page, "join-commune")
        await joining.locator('[name="insee"]').press_sequentially("Bern")
        listed = joining.get_by_test_id("listed-communes").locator("option")
        await expect(listed.filter(has_text="CC Intercom Bernay")).to_have_attribute("value", BERNAY)
        await shot(page, "joining-commune")
        # A deliberation is not told without its day, and none is of a day to come.
        await joining.locator('[name="deliberation"]').fill("DEL-2026-17")
        await expect(joining.locator('[name="deliberation_on"]')).to_have_attribute("required", "")
        told = {"authority": "Maire de Bernay", "deliberation_on": "2026-12-01"}
        await send(joining, insee="99999", **told)
        await expect(joining.get_by_test_id("problem")).to_contain_text("INSEE_UNKNOWN")
        await send(joining, insee=BERNAY)
        await expect(joining.get_by_test_id("problem")).to_contain_text("dans l'avenir")
        await send(joining, deliberation_on="2026-02-01")
        await expect(joining).to_have_count(0)

        commune = page.locator(f'[data-testid="commune"][data-insee="{BERNAY}"]')
        await commune.get_by_test_id("commune-more").locator("summary").click()
        await expect(commune.get_by_test_id("answers-table")).to_contain_text("DEL-2026-17, le 01/02/2026")
        await expect(commune.get_by_test_id("answers-table")).to_contain_text("pas encore enregistré")
        await commune.get_by_test_id("change-commune").click()
        await expect(dialog(page, "change-commune").locator('[name="deliberation"]')).to_have_value("DEL-2026-17")
        await send(
            dialog(page, "change-commune"),
            controller="Commune de Bernay",
            dpo="Délégué, dpo@example.invalid",
            cnil_receipt="CNIL-1",
            cnil_sent_on="2026-03-01",
        )
        await expect(commune.get_by_test_id("answers-table")).to_contain_text("CNIL-1, le 01/03/2026")

        for kind, partner in (("IV", "Syndicat mixte"), ("V", "Préfet de l'Eure")):
            await commune.get_by_test_id("enter-convention").click()
            convention = dialog(page, "enter-convention")
            await convention.locator('[name="kind"]').select_option(kind)
            await send(convention, reference=f"C-{kind}", partner=partner, **{"from": "2026-01-01", "to": "2030-12-31"})
            await expect(convention).to_have_count(0)
        # What was given is what is shown: the last day on which it holds.
        conventions = commune.get_by_test_id("conventions-table").locator("tbody tr")
        await expect(conventions.filter(has_text="C-IV")).to_contain_text("01/01/2026 – 31/12/2030 inclus")
        assert await commune.get_by_test_id("enter-camera").count() == 0
        await commune.get_by_test_id("enter-site").click()
        await send(dialog(page, "enter-site"), name="Place du Marché", latitude="49,09", longitude="0,6")
        await expect(commune.get_by_test_id("sites-table")).to_contain_text("49.09, 0.6")

        await commune.get_by_test_id("enter-camera").click()
        entering = dialog(page, "enter-camera")
        await send(
            entering,
            number="01",
            name="Halle",
            main="rtsp://127.0.0.1:1/halle",
            username="lecteur",
            password="mot-de-passe-90",
        )
        await expect(entering.get_by_test_id("problem")).to_contain_text("Une caméra porte déjà le numéro 01")
        await shot(page, "joining-camera")
        await send(entering, number="90")
        await expect(entering).to_have_count(0)
        row = commune.get_by_test_id("commune-cameras-table").locator("tbody tr")
        await expect(row).to_contain_text("90 Halle")
        camera = await row.get_attribute("data-camera") or ""
        await row.get_by_test_id("connect-camera").click()
        await send(
            dialog(page, "connect-camera"),
            main="rtsp://127.0.0.1:1/halle/principal",
            username="lecteur",
            password="mot-de-passe-91",
        )
        await expect(dialog(page, "connect-camera")).to_have_count(0)
        await shot(page, "joining-territory")

        await page.get_by_test_id("section-dossiers").click()
        await page.get_by_test_id("new-dossier").click()
        draft = dialog(page, "new-dossier")
        await draft.locator('[name="commune"]').select_option(BERNAY)
        await draft.locator(f'[name="cameras"][value="{camera}"]').check()
        await draft.locator('[name="finalites"][value="5"]').check()
        await send(draft, dossier="Dossier Bernay", retention_days="15")
        dossier = page.get_by_test_id("dossier").filter(has_text="Dossier Bernay")
        await dossier.get_by_test_id("dossier-open").click()
        for name in ("deposit", "complete", "opinion"):
            await step(page, name, on=TODAY)
        await step(page, "grant", reference="27-2026-0900", to="2031-11-22")
        await expect(dossier).to_contain_text("23/11/2026 – 22/11/2031 inclus")
        await step(page, "notify")
        assert await order_of(centre, camera) is None
        await step(page, "activate")
        await expect(dossier).to_have_attribute("data-state", "ACTIVE")

    order = await order_of(centre, camera)
    assert order is not None
    assert (order.main.url, order.main.password) == ("rtsp://127.0.0.1:1/halle/principal", "mot-de-passe-91")
    await sequence(centre.centre.store)
    done = [one["op"] for one in await centre.journal() if one["author"] == "Admin" and one["result"] == "done"]
    assert done.count("convention:enter") == 2
    assert {"commune:join", "commune:change", "site:enter", "camera:enter", "camera:connect"} <= set(done)


async def test_a_supervisor_enters_all_but_how_a_camera_is_reached_and_a_delegate_looks(centre: Running) -> None:
    async with served(centre) as origin:
        async with page_of(origin, "superviseur", "territory") as page:
            first = page.get_by_test_id("commune").first
            await first.get_by_test_id("commune-more").locator("summary").click()
            await expect(first.get_by_test_id("enter-site")).to_be_visible()
            await expect(first.get_by_test_id("commune-cameras-table")).to_be_visible()
            for name in ("enter-camera", "connect-camera"):
                assert await first.get_by_test_id(name).count() == 0
        async with page_of(origin, "delegue", "territory") as page:
            first = page.get_by_test_id("commune").first
            await first.get_by_test_id("commune-more").locator("summary").click()
            await expect(first.get_by_test_id("answers-table")).to_be_visible()
            for name in ("join-commune", "commune-steps", "change-commune", "change-site"):
                assert await page.get_by_test_id(name).count() == 0


async def test_an_administrator_decides_whether_an_overdue_inquiry_blocks(centre: Running) -> None:
    async with served(centre) as origin:
        async with page_of(origin, "administrateur", "accounts") as page:
            rule = page.get_by_test_id("inquiry-rule")
            await expect(rule).to_have_attribute("data-on", "false")
            await rule.get_by_test_id("set-inquiry-rule").click()
            await page.get_by_test_id("set-inquiry-rule-submit").click()
            await expect(rule).to_have_attribute("data-on", "true")
            await expect(rule).to_contain_text("n'ouvre aucune image")
        async with page_of(origin, "superviseur", "persons") as page:
            await page.get_by_test_id("section-register").click()
            await expect(page.get_by_text("Ici, un agrément dont l'enquête a plus de cinq ans")).to_be_visible()
    entry = next(one for one in await centre.journal() if one["op"] == "rule:set")
    assert (entry["author"], entry["result"]) == ("Admin", "done")


async def test_an_act_holds_until_the_day_that_it_says(centre: Running) -> None:
    async with served(centre) as origin, page_of(origin, "superviseur", "persons") as page:
        await page.get_by_test_id("grant").click()
        grant = dialog(page, "grant")
        await grant.locator('[name="account"]').select_option(label="Police de Vernon (Opérateur)")
        await grant.locator('[name="commune"]').select_option(label="Évreux")
        signed = {"reference": "H-9", "signed_by": "Maire d'Évreux", "signed_on": TODAY}
        # One day is a period: the first and the last are the same.
        await send(grant, **signed, **{"from": TODAY, "to": TODAY})
        row = page.get_by_test_id("persons-table").locator("tr").filter(has_text="H-9")
        await expect(row).to_contain_text("23/11/2026 – 23/11/2026 inclus")
        await expect(row).to_contain_text("dernier jour")
        await page.get_by_test_id("section-register").click()
        person = page.locator('[data-login="operateur"]')
        await person.get_by_test_id("put-agrement").click()
        agrement = {"reference": "AGR-2", "prefet": "Préfet de l'Eure", "from": TODAY, "to": "2026-12-31"}
        await send(dialog(page, "put-agrement"), **agrement)
        await expect(person).to_contain_text("23/11/2026 – 31/12/2026 inclus")
        await page.get_by_test_id("section-dues").click()
        due = page.get_by_test_id("dues-table").locator('[data-code="AGREMENT_ENDING"]')
        await expect(due).to_contain_text("31/12/2026")
        await page.get_by_test_id("section-proof").click()
        await page.get_by_test_id("proof-person").select_option(label="Police de Vernon")
        await page.get_by_test_id("proof-apply").click()
        await expect(page.get_by_test_id("proof-act").filter(has_text="H-9")).to_contain_text(
            "du 23/11/2026 au 23/11/2026 inclus"
        )
