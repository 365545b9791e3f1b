"""The page of the daily statements, seen in a real browser over the real application."""

import asyncio
import json
import os
from datetime import date
from pathlib import Path

from centre_support import Running
from console_support import page_of, served
from playwright.async_api import expect
from recorder_support import DAY_US, START_US, packets, record
from statements_support import at, camera_ids, linked, recorder, signer, tell

from csu import keys
from csu.statements import document
from csu.statements.days import begins_at
from recorder.accounts import Cause
from recorder.destruction import destroy_due, tell_destroyed
from streams.ticks import us_from_at


async def three_days(centre: Running, tmp_path: Path) -> None:
    """23 to 25 November: recorded with a gap, destroyed in part, and a night that the recorder did not tell of."""
    camera = (await camera_ids(centre))["01"]
    signing = signer(centre)
    await signing.run_once()
    with recorder(tmp_path) as made:
        record(made.store, camera, packets(25 * 200))
        accounts = made.store.accounts
        accounts.run_started(camera, START_US + 600_000_000, "A-27229", None)
        accounts.run_ended(camera, us_from_at(begins_at(date(2026, 11, 25))), "reset", Cause.NETWORK, "reset")
        tell(made, at("2026-11-24T00:12"), camera)
        made.index.execute("UPDATE segment SET deadline_us = ? WHERE id < 3", (START_US + DAY_US,))
        destroy_due(made.store, START_US + DAY_US, START_US + DAY_US)
        tell_destroyed(made.index, START_US + DAY_US + 7_200_000_000)  # the hour isn't gone whole
        tell(made, at("2026-11-25T00:12"), camera)
        async with linked(centre, made) as puller:
            await puller.run_once()
    for day in (24, 25, 26):
        centre.clock.at = at(f"2026-11-{day}T14:00")
        await signing.run_once()


async def test_an_auditor_reads_and_downloads(centre: Running, tmp_path: Path) -> None:
    await three_days(centre, tmp_path)
    async with served(centre) as origin, page_of(origin, "auditeur", "statements") as page:
        await expect(page.get_by_test_id("statements-commune").locator("option")).to_have_count(3)
        await page.get_by_test_id("statements-commune").select_option("27229")
        table = page.get_by_test_id("statements-table")
        rows = table.locator("tbody tr")
        await expect(rows).to_have_count(3)
        await expect(rows.first).to_contain_text("2 données manquantes")
        await expect(rows.first).not_to_contain_text("0 fichier")  # not told is not none
        await expect(rows.nth(1)).to_contain_text("Complet")
        assert await table.locator("caption").inner_text() == (
            "Effacements, inventaire et enregistrement de chaque journée, Évreux (heure de Paris)"
        )
        assert await table.locator('thead th[scope="col"]').count() == 10
        assert await table.locator('tbody th[scope="row"]').count() == 3
        # By keyboard: the day's button opens it, and its heading has the focus.
        await rows.nth(1).get_by_test_id("statement-open").focus()
        await page.keyboard.press("Enter")
        shown = page.get_by_test_id("statement")
        await expect(shown.locator("h2")).to_be_focused()
        await expect(shown.locator("h2")).to_contain_text("Relevé n° 2, mardi 24 novembre 2026")
        await expect(shown.locator("tbody tr")).to_contain_text("2 fichiers à l'échéance")
        month = page.get_by_test_id("month-table")
        await expect(month.locator("tbody tr").first.locator("th")).to_have_text("01 Place")
        await expect(page.get_by_test_id("month-state")).to_contain_text("Mois en cours : 25 jours écoulés sur 30")
        shares = [text for text in await month.locator("tbody tr").first.locator("td").all_inner_texts() if "%" in text]
        assert (
            sum(round(float(share.split("\u00a0")[0].split()[0].replace(",", ".")) * 100) for share in shares) == 10_000
        )
        async with page.expect_download() as downloading:
            await rows.nth(1).get_by_test_id("statement-file").click()
        download = await downloading.value
        assert download.suggested_filename == "releve-27229-2026-11-24-2.json"
        content = await asyncio.to_thread((await download.path()).read_bytes)
        public = keys.load_public(centre.centre.settings.paths.keys, "statements")
        assert document.read_file(content, public)["number"] == json.loads(content)["statement"]["number"] == 2
        async with page.expect_download() as downloading:
            await page.get_by_test_id("month-csv").click()
        assert (await downloading.value).suggested_filename == "enregistrement-27229-2026-11.csv"
        if folder := os.environ.get("SCREENSHOTS"):
            await page.screenshot(path=f"{folder}/statements.png", full_page=True)
        await page.get_by_test_id("month-before").click()
        await expect(page.get_by_test_id("month")).to_have_text("octobre 2026")
        await expect(page.get_by_test_id("statements-none")).to_contain_text("le dernier est du 25/11/2026")
        await expect(page.get_by_test_id("month-state")).to_contain_text("Mois terminé")


async def test_a_delegate_sees_the_own_commune(centre: Running) -> None:
    async with served(centre) as origin, page_of(origin, "delegue", "statements") as page:
        await expect(page.get_by_test_id("statements-commune").locator("option")).to_have_text(["Évreux (27229)"])
        await expect(page.get_by_test_id("statements-none")).to_contain_text("le premier est signé dans la nuit")
        await expect(page.get_by_test_id("month-after")).to_be_disabled()
