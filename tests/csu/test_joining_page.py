"""A commune comes in by the console alone, from nothing to a camera in service; ends are as persons write them."""

import re

from centre_support import Running
from console_support import page_of, served
from playwright.async_api import Locator, Page, expect
from test_dossiers import BERNAY, camera_comes, commune_joins, drafted, order_of
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


async def test_one_line_of_a_draft_is_corrected_without_typing_the_others_again(centre: Running) -> None:
    async with centre.person("superviseur") as person:
        first = await commune_joins(centre, person)
        second = await camera_comes(centre, number="92", name="Quai")
        mask = [[0.1, 0.1], [0.4, 0.1], [0.4, 0.4]]
        line = {"finalites": ["5"], "retention_days": 15, "recipients": ["Gendarmerie"], "masks": [mask]}
        identity = await drafted(person, first, lines=[line | {"camera": first}])
    async with served(centre) as origin, page_of(origin, "superviseur", "territory") as page:
        await page.get_by_test_id("section-dossiers").click()
        dossier = page.get_by_test_id("dossier").filter(has_text="Dossier 1")
        await dossier.get_by_test_id("dossier-open").click()
        rows = page.get_by_test_id("dossier-lines").locator("tbody tr")
        await page.get_by_test_id("add-line").click()
        adding = dialog(page, "add-line")
        await expect(adding.locator('[name="retention_days"]')).to_have_value("15")
        await send(adding, retention_days="7")
        await expect(rows).to_have_count(2)
        changed = rows.filter(has_text="90 Rue")
        await changed.get_by_test_id("change-line").click()
        form = dialog(page, "change-line")
        await expect(form.locator('[name="finalites"][value="5"]')).to_be_checked()
        await expect(form.locator('[name="recipients"]')).to_have_value("Gendarmerie")
        await form.locator('[name="finalites"][value="11"]').check()
        await form.locator('[name="plan"]').select_option("ETROIT")
        await send(form, width="640", height="480", latitude="49,09", longitude="0,6")
        await expect(form.get_by_test_id("problem")).to_contain_text("PROFILE_BELOW_NORM")
        await shot(page, "joining-line")
        await send(form, width="1920", height="1080", retention_days="10", per_s="12,5")
        await expect(form).to_have_count(0)
        await expect(changed).to_contain_text("5°, 11°")
        await expect(changed).to_contain_text("10 jours")
        await changed.get_by_test_id("change-line").click()
        await expect(form.locator('[name="per_s"]')).to_have_value("12,5")
        await expect(form.locator('[name="latitude"]')).to_have_value("49,09")
        await page.keyboard.press("Escape")
        await expect(rows.filter(has_text="92 Quai")).to_contain_text("7 jours")
        await rows.filter(has_text="92 Quai").get_by_test_id("remove-line").click()
        await page.get_by_test_id("remove-line-submit").click()
        await expect(rows).to_have_count(1)
        assert await page.get_by_test_id("remove-line").count() == 0
        await step(page, "deposit", on=TODAY)
        await expect(page.get_by_test_id("change-line")).to_have_count(0)
    async with centre.person("superviseur") as person:
        listed = (await person.get("/api/authorisations")).json()["authorisations"]
    (kept,) = next(one["lines"] for one in listed if one["id"] == identity)
    assert second != kept["camera"]["id"]
    assert (kept["masks"], kept["position"], kept["recipients"]) == ([mask], [49.09, 0.6], ["Gendarmerie"])
    assert (kept["plan"], kept["width"], kept["retention_days"]) == ("ETROIT", 1920, 10)


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
        await page.get_by_test_id("proof-camera").select_option(label="01 Place (Évreux)")
        await page.get_by_test_id("proof-apply").click()
        await expect(page.get_by_test_id("proof-act").filter(has_text="H-9")).to_contain_text(
            re.compile(r" le \d\d/\d\d/\d{4}, du 23/11/2026 au 23/11/2026 inclus$")
        )
