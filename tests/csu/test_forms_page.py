"""What is entered in the console: an authorisation's steps, agréments, what takes two persons; in real browsers."""

import os
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from centre_support import START, Running
from console_support import page_of, served
from looks_support import authors, known_cameras, look, write
from playwright.async_api import Locator, Page, expect
from test_dossiers import BERNAY, commune_joins, order_of
from test_interruptions import body, camera_of, in_hours

from csu.audit import security
from csu.audit.sequencer import sequence
from csu.audit.tally import Event
from legal.motifs import Motif

TODAY = "2026-11-23"


async def shot(page: Page, name: str) -> None:
    if folder := os.environ.get("SCREENSHOTS"):
        await page.screenshot(path=str(Path(folder) / f"{name}.png"))


async def send(dialog: Locator, **fields: str) -> None:
    """Fill a form's fields by their names, and send it."""
    for name, value in fields.items():
        await dialog.locator(f'[name="{name}"]').fill(value)
    await dialog.locator('button[type="submit"]').click()


async def step(page: Page, name: str, **fields: str) -> None:
    await page.get_by_test_id(f"step-{name}").click()
    dialog = page.get_by_test_id(f"step-{name}-dialog")
    await send(dialog, **fields)
    await expect(dialog).to_have_count(0)


async def offered(page: Page, *names: str) -> None:
    """These steps, and no other, are possible now."""
    buttons = page.get_by_test_id("steps").locator("> button")
    await expect(buttons).to_have_count(len(names))
    for name in names:
        await expect(page.get_by_test_id(f"step-{name}")).to_be_visible()


async def test_an_authorisation_lives_from_its_draft_to_its_withdrawal_in_the_console(centre: Running) -> None:
    async with centre.person("administrateur") as administrator:
        camera = await commune_joins(centre, administrator)
    async with served(centre) as origin, page_of(origin, "superviseur", "territory") as page:
        await page.get_by_test_id("section-dossiers").click()
        await page.get_by_test_id("new-dossier").click()
        dialog = page.get_by_test_id("new-dossier-dialog")
        await dialog.locator('[name="commune"]').select_option(BERNAY)
        await dialog.locator(f'[name="cameras"][value="{camera}"]').check()
        await dialog.locator('[name="finalites"][value="5"]').check()
        await dialog.locator('[name="finalites"][value="11"]').check()
        await shot(page, "forms-draft")
        await send(dialog, dossier="Dossier Bernay", retention_days="45")
        await expect(dialog.get_by_test_id("problem")).to_contain_text("RETENTION_TOO_LONG")
        await send(dialog, retention_days="15")
        await expect(dialog).to_have_count(0)

        row = page.get_by_test_id("dossier").filter(has_text="Dossier Bernay")
        await expect(row).to_have_attribute("data-state", "BROUILLON")
        await row.get_by_test_id("dossier-open").click()
        await offered(page, "deposit", "drop")
        await step(page, "deposit", on=TODAY)
        await offered(page, "complete", "refuse", "drop")
        await step(page, "complete")
        await offered(page, "extend", "opinion", "grant", "refuse", "drop")
        await expect(page.get_by_test_id("dossier-deadlines")).to_contain_text("Silence du préfet : refus")
        await page.get_by_test_id("step-grant").click()
        dialog = page.get_by_test_id("step-grant-dialog")
        await send(dialog, reference="27-2026-0900", to="2031-11-22")
        await expect(dialog.get_by_test_id("problem")).to_contain_text(
            "La commission départementale n'a pas rendu son avis"
        )
        await shot(page, "forms-refused")
        await dialog.get_by_role("button", name="Annuler").click()
        await step(page, "opinion")
        await step(page, "grant", reference="27-2026-0900", to="2031-11-22")
        await offered(page, "notify", "withdraw", "modification")
        row = page.get_by_test_id("dossier").filter(has_text="27-2026-0900")
        await expect(row).to_contain_text("NOTICE_MISSING")
        await step(page, "notify")
        await step(page, "activate")
        await expect(row).to_have_attribute("data-state", "ACTIVE")
        await offered(page, "suspend", "withdraw", "modification")
        assert await order_of(centre, camera) is not None
        await shot(page, "forms-active")

        await page.get_by_test_id("step-modification").click()
        dialog = page.get_by_test_id("step-modification-dialog")
        await dialog.locator(f'[name="cameras"][value="{camera}"]').check()
        await shot(page, "forms-modification")
        await send(dialog, dossier="Modification Bernay", retention_days="10")
        await expect(dialog).to_have_count(0)
        amending = page.get_by_test_id("dossier").filter(has_text="Modification Bernay")
        await amending.get_by_test_id("dossier-open").click()
        await expect(page.get_by_test_id("dossier-lines")).to_contain_text("10 jours")
        await step(page, "drop", reason="Abandon 2026-12")
        await expect(page.get_by_test_id("no-step")).to_be_visible()

        await row.get_by_test_id("dossier-open").click()
        await step(page, "suspend", reason="Contrôle 2026-12")
        await expect(row).to_contain_text("Contrôle 2026-12")
        await offered(page, "resume", "withdraw", "modification")
        await step(page, "resume", reason="Contrôle levé")
        await step(page, "withdraw", reason="Retrait 2026-13")
        await expect(row).to_have_attribute("data-state", "RETIREE")
        await expect(page.get_by_test_id("dossier-events").locator("tbody tr")).to_have_count(9)


async def test_what_is_near_its_term_says_so_and_others_only_look(centre: Running) -> None:
    centre.clock.at = START.replace(year=2030, month=10)
    async with served(centre) as origin:
        async with page_of(origin, "superviseur", "territory") as page:
            await page.get_by_test_id("section-dossiers").click()
            await page.get_by_test_id("dossier-open").first.click()
            await expect(page.get_by_test_id("dossier-alarm")).to_contain_text("moins de 4 mois")
        async with page_of(origin, "delegue", "territory") as page:
            await page.get_by_test_id("section-dossiers").click()
            await page.get_by_test_id("dossier-open").first.click()
            await expect(page.get_by_test_id("dossier-events")).to_be_visible()
            assert await page.get_by_test_id("steps").count() == 0
            assert await page.get_by_test_id("new-dossier").count() == 0


async def test_a_deport_is_entered_suspended_and_ended_and_the_delegate_reads_it(centre: Running) -> None:
    async with centre.person("administrateur") as administrator:
        account = {"login": "c.durand", "name": "Camille Durand", "role": "operator", "category": "GN"}
        assert (await administrator.post("/api/accounts", account)).status_code == 201
    async with served(centre) as origin:
        async with page_of(origin, "superviseur", "territory") as page:
            await page.get_by_test_id("section-deports").click()
            await page.get_by_test_id("enter-deport").click()
            dialog = page.get_by_test_id("enter-deport-dialog")
            await dialog.get_by_label("Camille Durand").check()
            assert await dialog.get_by_label("Opérateur").count() == 0
            await dialog.locator('[name="commune"]').select_option("27229")
            await dialog.get_by_label("01 Place").check()
            await shot(page, "forms-deport")
            await send(dialog, arrete="27-2026-0417", to="2027-11-22", reference="AB-123-CD")
            await expect(dialog.get_by_test_id("problem")).to_contain_text("plaque")
            await send(dialog, reference="2026-119")
            await expect(dialog).to_have_count(0)
            row = page.get_by_test_id("deports-table").locator("tbody tr")
            await expect(row).to_contain_text("27-2026-0417")
            await expect(row).to_contain_text("Camille Durand")
            await expect(row).to_contain_text("01 Place")
            await expect(row).to_contain_text("direct")
            told = {"suspend": "Arrêté préfectoral, nouveau ou modifié, 2026-120", "resume": "En vigueur"}
            for verb, shown in (told | {"end": "23/11/2026 – 23/11/2026"}).items():
                await row.get_by_test_id(f"{verb}-deport").click()
                await send(page.get_by_test_id(f"{verb}-deport-dialog"), reference="2026-120")
                await expect(row).to_contain_text(shown)
        async with page_of(origin, "superviseur", "persons") as page:
            await page.get_by_test_id("section-proof").click()
            await page.get_by_test_id("proof-person").select_option("Camille Durand")
            await page.get_by_test_id("proof-camera").select_option("01 Place (Évreux)")
            await page.get_by_test_id("proof-apply").click()
            await expect(page.get_by_test_id("proof-answer")).to_have_attribute("data-habilite", "false")
            await expect(page.get_by_test_id("proof-deport")).to_contain_text("Déport 27-2026-0417")
        async with page_of(origin, "delegue", "territory") as page:
            await page.get_by_test_id("section-deports").click()
            await expect(page.get_by_test_id("deports-table").locator("tbody tr")).to_contain_text("27-2026-0417")
            assert await page.get_by_test_id("enter-deport").count() == 0


async def test_an_agrement_is_renewed_suspended_given_back_and_a_first_one_entered(centre: Running) -> None:
    async with centre.person("administrateur") as administrator:
        account = {"login": "nouvelle", "name": "Nouvelle", "role": "operator", "category": "ASVP"}
        assert (await administrator.post("/api/accounts", account)).status_code == 201
    async with served(centre) as origin, page_of(origin, "superviseur", "persons") as page:
        await page.get_by_test_id("section-register").click()
        row = page.locator('[data-login="operateur"]')
        await row.get_by_test_id("put-agrement").click()
        dialog = page.get_by_test_id("put-agrement-dialog")
        await expect(dialog.locator('[name="departements"]')).to_have_value("27")
        await shot(page, "forms-agrement")
        await send(dialog, reference="AGR-2", prefet="Préfet de l'Eure", departements="27, 76", to="2026-01-01")
        await expect(dialog.get_by_test_id("problem")).to_be_visible()
        await send(dialog, to="2031-11-23", inquiry="2026-10-01")
        await expect(dialog).to_have_count(0)
        await expect(row).to_contain_text("AGR-2")
        await expect(row).to_contain_text("départements 27, 76, Préfet de l'Eure")
        await row.get_by_test_id("suspend-agrement").click()
        await send(page.get_by_test_id("reason-dialog"), reason="Enquête 2026-14")
        await expect(row).to_contain_text("Suspendue")
        await row.get_by_test_id("resume-agrement").click()
        await send(page.get_by_test_id("reason-dialog"), reason="Enquête close")
        await expect(row).to_contain_text("En vigueur")
        await shot(page, "forms-register")
        # Police need none; an agent who is not, and who has none yet, gets the first.
        assert await page.locator('[data-login="vernon"]').get_by_test_id("put-agrement").count() == 0
        new = page.locator('[data-login="nouvelle"]')
        await expect(new.get_by_test_id("put-agrement")).to_have_text("Nouvel agrément")
        assert await new.get_by_test_id("suspend-agrement").count() == 0
        await new.get_by_test_id("put-agrement").click()
        await send(dialog, reference="AGR-3", prefet="Préfet de l'Eure", departements="27")
        await expect(new).to_contain_text("AGR-3")


async def test_an_act_that_habilitates_is_entered_with_its_signatory(centre: Running) -> None:
    async with served(centre) as origin, page_of(origin, "superviseur", "persons") as page:
        rows = page.get_by_test_id("persons-table").locator("tr")
        await expect(rows.filter(has_text="Police de Vernon")).to_have_count(1)
        await page.get_by_test_id("grant").click()
        dialog = page.get_by_test_id("grant-dialog")
        await dialog.locator('[name="account"]').select_option(label="Police de Vernon (Opérateur)")
        await dialog.locator('[name="commune"]').select_option(label="Évreux")
        await send(
            dialog,
            **{
                "reference": "H-9",
                "signed_by": "Maire d'Évreux",
                "signed_on": TODAY,
                "from": TODAY,
                "to": "2031-01-01",
            },
        )
        await expect(rows.filter(has_text="Désignation H-9, Maire d'Évreux")).to_have_count(1)


async def test_two_persons_shorten_a_retention_in_the_console(centre: Running) -> None:
    async with centre.person("superviseur") as supervisor:
        camera = (await camera_of(supervisor))["id"]
    async with (
        served(centre) as origin,
        page_of(origin, "superviseur", "recording") as first,
        page_of(origin, "administrateur", "recording") as second,
    ):
        await first.get_by_test_id("section-retentions").click()
        row = first.locator(f'[data-camera="{camera}"]')
        await row.get_by_test_id("propose-retention").click()
        dialog = first.get_by_test_id("propose-retention-dialog")
        await send(dialog, days="16", reference="DEL 2026-12")
        await expect(dialog.get_by_test_id("problem")).to_contain_text("RETENTION_TOO_LONG")
        await send(dialog, days="7")
        await expect(row).to_contain_text("Proposée par Superviseur")
        await shot(first, "forms-retentions")

        # The second person refuses; it is proposed again, and confirmed.
        await second.get_by_test_id("section-waiting").click()
        waiting = second.get_by_test_id("waiting-table").locator("tbody tr")
        await expect(waiting).to_contain_text("7 jours")
        await shot(second, "forms-waiting")
        await waiting.get_by_test_id("waiting-close").click()
        await send(second.get_by_test_id("reason-dialog"), reason="Conseil à consulter")
        await expect(second.get_by_test_id("waiting-none")).to_be_visible()
        await row.get_by_test_id("propose-retention").click()
        await send(dialog, days="8", reference="DEL 2026-13")
        await row.get_by_test_id("see-waiting").click()
        own = first.get_by_test_id("waiting-table").locator("tbody tr")
        await expect(own).to_contain_text("Une autre personne que vous")
        assert await own.get_by_test_id("waiting-confirm").count() == 0
        await expect(own.get_by_test_id("waiting-close")).to_have_text("Retirer")
        await waiting.get_by_test_id("waiting-confirm").click()
        await shot(second, "forms-confirm")
        await second.get_by_test_id("waiting-confirm-submit").click()
        await expect(second.get_by_test_id("waiting-none")).to_be_visible()
        await first.get_by_test_id("section-retentions").click()
        await expect(row).to_have_attribute("data-kept", "8")
    await sequence(centre.centre.store)
    acts = {
        (entry["op"], entry["author"], entry["given"], entry["motif_reference"]) for entry in await centre.journal()
    }
    assert {
        ("proposal:close", "Admin", "Conseil à consulter", "DEL 2026-12"),
        ("retention:confirm", "Admin", None, "DEL 2026-13"),
    } <= acts


async def test_two_persons_register_a_legal_basis_in_the_console_and_none_for_the_street(
    centre: Running, superuser: str
) -> None:
    with psycopg.connect(superuser) as connection:
        connection.execute("UPDATE camera SET regime = 'HORS_CSI' WHERE number = '03'")
    async with (
        served(centre) as origin,
        page_of(origin, "superviseur", "recording") as first,
        page_of(origin, "administrateur", "recording") as second,
    ):
        await first.get_by_test_id("section-bases").click()
        await expect(first.get_by_test_id("bases-none")).to_be_visible()
        await first.get_by_test_id("propose-basis").click()
        dialog = first.get_by_test_id("propose-basis-dialog")
        await dialog.locator('[name="function"]').select_option(label="Détection de dépôts de déchets")
        await dialog.locator('[name="camera"]').select_option(label="01 Place (voie publique)")
        await send(dialog, reference="Décision 2026-12 du président", to="2027-11-23")
        await expect(dialog.get_by_test_id("problem")).to_contain_text("ALGO_NO_LEGAL_BASIS")
        await shot(first, "forms-basis-refused")
        await dialog.locator('[name="camera"]').select_option(label="03 Place (hors CSI)")
        await send(dialog)
        await expect(first.get_by_test_id("bases-proposed")).to_be_visible()
        await second.get_by_test_id("section-waiting").click()
        waiting = second.get_by_test_id("waiting-table").locator("tbody tr")
        await expect(waiting).to_contain_text("Détection de dépôts de déchets, Décision 2026-12 du président")
        await waiting.get_by_test_id("waiting-confirm").click()
        await second.get_by_test_id("waiting-confirm-submit").click()
        await expect(second.get_by_test_id("waiting-none")).to_be_visible()
        row = first.get_by_test_id("bases-table").locator("tbody tr")
        await expect(row).to_have_attribute("data-state", "in-force")
        await shot(first, "forms-bases")
        await row.get_by_test_id("end-basis").click()
        await first.get_by_test_id("end-basis-submit").click()
        await expect(row).to_have_attribute("data-state", "over")


async def test_an_administrator_sees_that_a_mask_waits_for_a_supervisor(centre: Running) -> None:
    async with centre.person("superviseur") as supervisor:
        camera = (await camera_of(supervisor))["id"]
        asked = body(camera, in_hours(0), in_hours(2), "HABITATION")
        assert (await supervisor.post("/api/interruptions/masked", asked)).status_code == 201
    async with served(centre) as origin, page_of(origin, "administrateur", "recording") as page:
        await page.get_by_test_id("section-waiting").click()
        row = page.get_by_test_id("waiting-table").locator("tbody tr")
        await expect(row).to_contain_text("Masquage d'une caméra")
        await expect(row).to_contain_text("Un superviseur")
        assert await row.get_by_test_id("waiting-close").count() == 0


async def test_the_security_log_is_read_page_by_page(centre: Running) -> None:
    tally = centre.centre.security
    for number in range(60):
        tally.note(START + timedelta(seconds=number), Event("LOGIN_REFUSED", None, f"127.0.0.{number}"))
    await security.write(centre.centre.store, tally)
    async with served(centre) as origin, page_of(origin, "administrateur", "security") as page:
        rows = page.get_by_test_id("security-table").locator("tbody tr")
        await expect(rows.first).to_contain_text("Mot de passe refusé")
        await shot(page, "forms-security")
        await expect(rows).to_have_count(50)
        await page.get_by_test_id("security-older").click()
        await expect(rows).to_have_count(10)
        await page.get_by_test_id("security-newest").click()
        await expect(rows).to_have_count(50)


@pytest.fixture
async def day(centre: Running) -> Running:
    """An hour on one camera alone, and a replay without a number."""
    by_login, cameras = await authors(centre), await known_cameras(centre)
    await write(
        centre,
        look(by_login["operateur"], cameras["01"], START - timedelta(hours=5), 75),
        look(
            by_login["vernon"],
            cameras["02"],
            START - timedelta(hours=2),
            5,
            act="replay",
            motif=Motif("INTERVENTION", "1"),
        ),
    )
    return centre


async def test_an_auditor_marks_what_was_looked_into(day: Running) -> None:
    async with served(day) as origin, page_of(origin, "auditeur", "journal") as page:
        await page.get_by_test_id("section-anomalies").click()
        rows = page.get_by_test_id("anomalies-table").locator('[data-testid="anomaly"]')
        await expect(rows).to_have_count(2)
        await rows.filter(has_text="Longtemps sur une seule caméra").get_by_test_id("mark-seen").click()
        await shot(page, "forms-anomaly")
        dialog = page.get_by_test_id("mark-seen-dialog")
        await send(dialog, comment="AB-123-CD devant la mairie")
        await expect(dialog.get_by_test_id("problem")).to_contain_text("plaque")
        await send(dialog, comment="Accident, intervention 2026-417")
        await expect(rows).to_have_count(1)
        await page.get_by_test_id("anomalies-seen").locator("summary").click()
        seen = page.get_by_test_id("seen-table").get_by_test_id("seen")
        await expect(seen).to_contain_text("Vu par Auditeur le 23/11/2026")
        await expect(seen).to_contain_text("Accident, intervention 2026-417")
        await shot(page, "forms-anomalies")
    async with served(day) as origin, page_of(origin, "superviseur", "journal") as page:
        await page.get_by_test_id("section-anomalies").click()
        await expect(page.get_by_test_id("anomalies-seen")).to_be_visible()
        assert await page.get_by_test_id("mark-seen").count() == 0
