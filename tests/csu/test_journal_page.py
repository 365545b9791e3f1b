"""The pages of those who control the journal, seen in a real browser over the real application."""

import asyncio
import json
import os
from datetime import timedelta
from pathlib import Path

import pytest
from centre_support import START, Running
from console_support import page_of, served
from looks_support import authors, known_cameras, look, refusal, write
from playwright.async_api import Page, expect

from csu import keys
from csu.audit.documents import check
from csu.audit.heads import HeadSigner
from csu.audit.sequencer import sequence
from legal.motifs import Motif

HOUR = timedelta(hours=1)


@pytest.fixture
async def day(centre: Running) -> Running:
    """A day at the centre under a signed head: looks, one of them open, a replay, refusals, an hour on one camera."""
    by_login, cameras = await authors(centre), await known_cameras(centre)
    operator, vernon = by_login["operateur"], by_login["vernon"]
    await write(
        centre,
        look(operator, cameras["01"], START - 5 * HOUR, 75),
        look(operator, cameras["02"], START - 2 * HOUR, 10),
        look(vernon, cameras["02"], START - 2 * HOUR, 5, act="replay", motif=Motif("INTERVENTION", "2026-417")),
        look(vernon, cameras["02"], START - HOUR / 2, None),
        [refusal(vernon, cameras["01"], START - HOUR + timedelta(seconds=n)) for n in range(3)],
    )
    await signer(centre).sign()
    return centre


def signer(centre: Running) -> HeadSigner:
    key = keys.load_private(centre.centre.settings.paths.keys, "heads")
    return HeadSigner(centre.centre.store, *key, centre.clock)


async def taken(page: Page, testid: str) -> tuple[str, bytes]:
    """The name and the content of the file that a button or a link gives."""
    async with page.expect_download() as downloading:
        await page.get_by_test_id(testid).first.click()
    download = await downloading.value
    return download.suggested_filename, await asyncio.to_thread((await download.path()).read_bytes)


async def shot(page: Page, name: str) -> None:
    if folder := os.environ.get("SCREENSHOTS"):
        await page.screenshot(path=f"{folder}/{name}.png")


async def test_an_auditor_searches_the_journal_by_keyboard_and_takes_proofs(day: Running, tmp_path: Path) -> None:
    public = keys.load_public(day.centre.settings.paths.keys, "heads")
    async with served(day) as origin, page_of(origin, "auditeur", "journal") as page:
        rows = page.get_by_test_id("journal-entry")
        await expect(rows.first).to_be_visible()
        await page.keyboard.press("/")
        await expect(page.get_by_test_id("journal-from")).to_be_focused()
        await page.get_by_test_id("journal-person").select_option(label="Police de Vernon")
        await page.get_by_test_id("journal-result").select_option("refused")
        await page.get_by_test_id("journal-reference").focus()
        await page.keyboard.press("Enter")
        await expect(rows).to_have_count(3)
        await expect(rows.first).to_contain_text("NOT_HABILITE")
        await expect(page.get_by_test_id("journal-table").locator("caption")).to_have_text(
            "3 écritures, de la plus récente à la plus ancienne (heure de Paris)"
        )
        assert await page.get_by_test_id("journal-table").locator('th[scope="col"]').count() == 10
        await shot(page, "journal-entries")
        name, content = await taken(page, "journal-csv")
        assert name.startswith("journal-")
        assert content.decode().count("\r\n") == 4
        name, content = await taken(page, "entry-proof")
        assert name.startswith("preuve-")
        assert check(json.loads(content), public) == []
        await page.get_by_test_id("journal-reset").click()
        await page.get_by_test_id("journal-class").select_option("erasure")
        await page.get_by_test_id("journal-apply").click()
        await expect(page.get_by_test_id("journal-none")).to_be_visible()

        await page.get_by_test_id("section-proofs").click()
        name, head = await taken(page, "keep-head")
        assert name.startswith("tete-journal-")
        kept = tmp_path / "kept.json"
        kept.write_bytes(head)
        await sequence(day.centre.store)
        await signer(day).sign()
        await page.get_by_test_id("kept-head").set_input_files(kept)
        await expect(page.get_by_test_id("goes-on")).to_be_visible()
        await shot(page, "journal-proofs")
        name, content = await taken(page, "consistency-file")
        proof = json.loads(content)
        assert check(proof, public) == []
        assert proof["head"]["tree_size"] > proof["old"]["tree_size"]
        forged = json.loads(head)
        forged["head"]["root"] = "00" * 32
        kept.write_text(json.dumps(forged))
        await page.get_by_test_id("kept-head").set_input_files(kept)
        await expect(page.get_by_test_id("differs")).to_contain_text("il a été réécrit")
        kept.write_text("{}")
        await page.get_by_test_id("kept-head").set_input_files(kept)
        await expect(page.get_by_test_id("compared")).to_contain_text("ni une tête ni une preuve")


async def test_an_auditor_goes_from_figures_to_who_watched(day: Running) -> None:
    async with served(day) as origin, page_of(origin, "auditeur", "journal") as page:
        await page.get_by_test_id("section-statistics").click()
        agents = page.get_by_test_id("statistics-agents").locator("tbody tr")
        await expect(agents).to_have_count(2)
        await expect(agents.first).to_contain_text("Opérateur")
        await expect(page.get_by_test_id("statistics-hours").locator("tbody tr")).to_have_count(24)
        await expect(page.get_by_test_id("statistics-refusals")).to_contain_text("NOT_HABILITE")
        await shot(page, "journal-statistics")
        await agents.nth(1).get_by_test_id("see").click()
        looks = page.get_by_test_id("look")
        await expect(looks).to_have_count(2)
        await expect(looks.first).to_have_attribute("data-open", "true")
        await expect(looks.nth(1)).to_contain_text("2026-417")
        await page.get_by_test_id("period-person").select_option("")
        await page.get_by_test_id("period-apply").click()
        await expect(looks).to_have_count(4)
        await expect(page.get_by_test_id("lanes")).to_have_attribute("data-lanes", "2")
        await page.get_by_test_id("lanes-camera").click()
        await shot(page, "journal-looks")
        await page.get_by_test_id("section-anomalies").click()
        found = page.get_by_test_id("anomaly")
        await expect(found).to_have_count(1)
        await expect(found).to_have_attribute("data-code", "LONG_ON_ONE_CAMERA")
        await expect(found).to_contain_text("1 h 15")
        await page.locator("details summary").click()
        await shot(page, "journal-anomalies")
        await found.get_by_test_id("see").click()
        await expect(looks).to_have_count(1)
        assert await page.locator("video").count() == 0


async def test_a_mayors_delegate_reads_who_watched_the_own_cameras(day: Running) -> None:
    async with served(day) as origin, page_of(origin, "delegue", "watching") as page:
        await expect(page.get_by_test_id("watching-empty")).to_be_visible()
        history = page.get_by_test_id("history")
        await expect(history.get_by_test_id("look")).to_have_count(0)
        await page.get_by_test_id("period-7").click()
        looks = history.get_by_test_id("look")
        await expect(looks).to_have_count(1)
        await expect(looks).to_contain_text("Opérateur")
        await expect(looks).to_contain_text("Maire Évreux")
        await expect(looks).to_contain_text("01 Place")
        assert await page.get_by_test_id("period-commune").count() == 0
        options = page.get_by_test_id("period-camera").locator("option")
        await expect(options).to_have_text(["Toutes les caméras", "01 Place"])
        await shot(page, "delegate-history")
        await page.get_by_test_id("nav-territory").click()
        await page.get_by_test_id("suspend-conventions").click()
        await page.get_by_test_id("reason").fill("Décision du conseil municipal")
        await shot(page, "delegate-convention")
        await page.get_by_test_id("reason-submit").click()
        await expect(page.get_by_test_id("resume-conventions")).to_be_visible()
