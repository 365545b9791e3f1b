"""What a supervisor has to look after, seen in a real browser over the real application."""

import asyncio
import os

from centre_support import Running
from console_support import page_of, served
from playwright.async_api import Page, expect
from test_interruptions import camera_of

from csu import keys
from csu.audit.sequencer import sequence
from csu.persons.answers import FORMAT, NAME, WHAT
from csu.signed import read_file


async def shot(page: Page, name: str) -> None:
    if folder := os.environ.get("SCREENSHOTS"):
        await page.screenshot(path=f"{folder}/{name}.png")


async def test_authorisations_stand_with_their_states_deadlines_and_events(centre: Running) -> None:
    async with served(centre) as origin, page_of(origin, "superviseur", "territory") as page:
        await page.get_by_test_id("section-dossiers").click()
        rows = page.get_by_test_id("dossier")
        await expect(rows).to_have_count(3)
        await expect(rows.first).to_contain_text("En vigueur")
        await expect(rows.first).to_contain_text("Renouvellement à préparer")
        await rows.first.get_by_test_id("dossier-open").focus()
        await page.keyboard.press("Enter")
        await expect(page.get_by_test_id("dossier-detail").locator("h2")).to_be_focused()
        await expect(page.get_by_test_id("dossier-events")).to_contain_text("Reprise d'un arrêté existant")
        await expect(page.get_by_test_id("dossier-lines")).to_contain_text("visionnée, enregistrée")
        await shot(page, "supervisor-dossiers")


async def test_what_waits_for_a_second_person_is_confirmed_by_one(centre: Running) -> None:
    async with centre.person("administrateur") as administrator:
        camera = (await camera_of(administrator))["id"]
        kept = {"days": 7, "motif": {"code": "COMMUNE", "reference": "DEL 2026-12"}}
        assert (await administrator.post(f"/api/cameras/{camera}/retention", kept)).status_code == 201
    async with served(centre) as origin, page_of(origin, "superviseur", "recording") as page:
        await page.get_by_test_id("section-waiting").click()
        row = page.get_by_test_id("waiting-table").locator("tbody tr")
        await expect(row).to_contain_text("Durée de conservation")
        await expect(row).to_contain_text("Admin")
        await shot(page, "supervisor-waiting")
        await page.get_by_test_id("waiting-confirm").click()
        await page.get_by_test_id("waiting-confirm-submit").click()
        await expect(page.get_by_test_id("waiting-none")).to_be_visible()
    await sequence(centre.centre.store)
    assert [entry["author"] for entry in await centre.journal() if entry["op"] == "retention:confirm"] == [
        "Superviseur"
    ]


async def test_whoever_may_confirm_hears_of_it_wherever_they_are(centre: Running) -> None:
    async with centre.person("administrateur") as administrator:
        camera = (await camera_of(administrator))["id"]
        kept = {"days": 7, "motif": {"code": "COMMUNE", "reference": "DEL 2026-12"}}
        assert (await administrator.post(f"/api/cameras/{camera}/retention", kept)).status_code == 201
    async with served(centre) as origin:
        async with page_of(origin, "administrateur", "accounts") as page:
            await expect(page.get_by_test_id("accounts-table")).to_be_visible()
            await expect(page.get_by_test_id("to-confirm")).to_have_count(0)
        async with page_of(origin, "superviseur", "territory") as page:
            await expect(page.get_by_test_id("to-confirm")).to_contain_text("Durée de conservation, caméra 01")
            await page.get_by_test_id("to-confirm-open").click()
            await expect(page.get_by_test_id("waiting-confirm")).to_be_visible()
            await shot(page, "supervisor-to-confirm")


async def test_a_habilitation_of_a_service_of_the_state_names_its_chief(centre: Running) -> None:
    async with served(centre) as origin, page_of(origin, "superviseur", "persons") as page:
        await page.get_by_test_id("grant").click()
        dialog = page.get_by_test_id("grant-dialog")
        await dialog.get_by_test_id("grant-submit").click()
        await expect(dialog.locator("select:invalid")).to_have_count(2)  # nobody is chosen beforehand
        await dialog.locator("[name=account]").select_option(label="Opérateur (Opérateur)")
        await dialog.locator("[name=commune]").select_option(label="Vernon")
        for name, text in (("reference", "HAB-77"), ("signed_by", "Maire de Vernon"), ("signed_on", "02/11/2026")):
            await dialog.locator(f"[name={name}]").fill(text)
        await dialog.locator("[name=from]").fill("01/01/2032")
        await dialog.locator("[name=to]").fill("31/12/2032")
        await dialog.get_by_test_id("grant-submit").click()
        row = page.get_by_test_id("persons-table").locator("tr", has_text="HAB-77")
        await expect(row).to_contain_text("Maire de Vernon")
        await expect(row).to_contain_text("01/01/2032 – 31/12/2032")  # the last day on which it holds


async def test_agents_stand_with_what_is_due_of_them_and_leave(centre: Running) -> None:
    async with served(centre) as origin, page_of(origin, "superviseur", "persons") as page:
        await expect(page.get_by_test_id("persons-table")).to_contain_text("Police de Vernon")
        await page.get_by_test_id("section-register").click()
        row = page.locator('[data-login="operateur"]')
        await expect(row).to_contain_text("AGR-1")
        await row.get_by_test_id("leave-person").click()
        dialog = page.get_by_test_id("leave-person-dialog")
        await dialog.get_by_test_id("reason").fill("Mutation")
        await dialog.get_by_test_id("leave-person-submit").click()
        await expect(row).to_contain_text("départ, clos le 30/11/2026")
        await row.get_by_test_id("confirm-person").click()
        await page.get_by_test_id("confirm-person-submit").click()
        await expect(row).to_contain_text("par superviseur")
        await shot(page, "supervisor-register")
        await page.get_by_test_id("section-dues").click()
        await expect(page.get_by_test_id("dues-table").locator('[data-code="LEAVER"]')).to_contain_text("Opérateur")
        await shot(page, "supervisor-dues")


async def test_an_auditor_takes_the_signed_answer_on_a_past_habilitation(centre: Running) -> None:
    async with served(centre) as origin, page_of(origin, "auditeur", "persons") as page:
        await expect(page.get_by_test_id("persons-table")).to_be_visible()
        assert await page.get_by_test_id("grant").count() == 0
        assert await page.get_by_test_id("suspend-habilitations").count() == 0
        await page.get_by_test_id("section-proof").click()
        await page.get_by_test_id("proof-person").select_option(label="Police de Vernon")
        await page.get_by_test_id("proof-camera").select_option(label="02 Place (Vernon)")
        await page.get_by_test_id("proof-apply").click()
        answer = page.get_by_test_id("proof-answer")
        await expect(answer.locator("h2")).to_contain_text("Police de Vernon : habilité pour la caméra 02 Place le ")
        await shot(page, "auditor-proof")
        async with page.expect_download() as downloading:
            await page.get_by_test_id("proof-file").click()
        download = await downloading.value
        assert download.suggested_filename == "habilitation-vernon.json"
        content = await asyncio.to_thread((await download.path()).read_bytes)
        public = keys.load_public(centre.centre.settings.paths.keys, "statements")
        assert read_file(content, NAME, FORMAT, WHAT, public)[NAME]["login"] == "vernon"


async def test_a_mayors_delegate_sees_the_agents_of_the_own_commune(centre: Running) -> None:
    async with served(centre) as origin, page_of(origin, "delegue", "persons") as page:
        table = page.get_by_test_id("persons-table")
        await expect(table).to_contain_text("Opérateur")
        await expect(table).not_to_contain_text("Police de Vernon")
        await expect(table).not_to_contain_text("Vernon")
        await shot(page, "delegate-agents")
