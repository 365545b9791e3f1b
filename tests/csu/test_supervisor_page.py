"""What a supervisor has to look after, seen in a real browser over the real application."""

import os

from centre_support import Running
from console_support import page_of, served
from playwright.async_api import Page, expect
from test_interruptions import camera_of

from csu.audit.sequencer import sequence


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
        kept = {"days": 7, "reason": "Décision du maire 12"}
        assert (await administrator.post(f"/api/cameras/{camera}/retention", kept)).status_code == 201
    async with served(centre) as origin, page_of(origin, "superviseur", "recording") as page:
        await page.get_by_test_id("section-waiting").click()
        row = page.get_by_test_id("waiting-table").locator("tbody tr")
        await expect(row).to_contain_text("Durée de conservation abrégée")
        await expect(row).to_contain_text("Admin")
        await shot(page, "supervisor-waiting")
        await page.get_by_test_id("waiting-confirm").click()
        await page.get_by_test_id("waiting-confirm-submit").click()
        await expect(page.get_by_test_id("waiting-none")).to_be_visible()
    await sequence(centre.centre.store)
    assert [entry["author"] for entry in await centre.journal() if entry["op"] == "retention:confirm"] == [
        "Superviseur"
    ]
