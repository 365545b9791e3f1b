"""What is typed in the console's forms is French, whatever language the browser speaks; in a real English Chromium."""

from centre_support import Running
from console_support import page_of, served
from playwright.async_api import Locator, Page, expect

from csu import keys
from csu.audit.heads import HeadSigner
from csu.audit.sequencer import sequence

ENGLISH = "en-US"


async def flaw(field: Locator) -> str:
    """What the browser tells of a field when the form is sent."""
    return str(await field.evaluate("field => field.validationMessage"))


async def no_field_of_the_browsers_own_language(page: Page) -> None:
    of_the_browser = 'input[type="date"], input[type="datetime-local"], input[type="file"]:not(.visually-hidden)'
    await expect(page.locator(of_the_browser)).to_have_count(0)


async def test_a_day_is_typed_day_first_and_what_is_none_is_said(centre: Running) -> None:
    async with served(centre) as origin, page_of(origin, "superviseur", "persons", ENGLISH) as page:
        await page.get_by_test_id("grant").click()
        dialog = page.get_by_test_id("grant-dialog")
        await no_field_of_the_browsers_own_language(page)
        await dialog.locator("[name=commune]").select_option(label="Vernon")
        await dialog.get_by_test_id("grant-submit").click()
        assert await flaw(dialog.locator("[name=account]")) == "Faites un choix."
        await dialog.locator("[name=account]").select_option(label="Opérateur (Opérateur)")
        await dialog.get_by_test_id("grant-submit").click()
        assert await flaw(dialog.locator("[name=account]")) == ""
        assert await flaw(dialog.locator("[name=reference]")) == "Remplissez ce champ."
        for name, text in (("reference", "HAB-77"), ("signed_by", "Maire de Vernon"), ("signed_on", "2/11/2026")):
            await dialog.locator(f"[name={name}]").fill(text)
        await expect(dialog.locator("[name=signed_on]")).to_have_attribute("placeholder", "jj/mm/aaaa")
        await dialog.locator("[name=from]").fill("01/02/2032")
        await dialog.locator("[name=to]").fill("12/31/2032")  # as an American writes it
        await dialog.locator("[name=reference]").focus()
        await expect(dialog.get_by_role("alert")).to_have_text("Écrivez un jour qui existe, par exemple 26/11/2026.")
        await expect(dialog.locator("[name=signed_on]")).to_have_value("02/11/2026")
        await dialog.get_by_test_id("grant-submit").click()
        await expect(dialog.locator("[name=to]")).to_be_focused()
        assert await flaw(dialog.locator("[name=to]")) == "Écrivez un jour qui existe, par exemple 26/11/2026."
        await dialog.locator("[name=to]").fill("31/12/2032")
        await dialog.get_by_test_id("grant-submit").click()
        row = page.get_by_test_id("persons-table").locator("tr", has_text="HAB-77")
        await expect(row).to_contain_text("01/02/2032 – 31/12/2032")


async def test_the_journal_is_searched_between_two_instants_typed_day_first(centre: Running) -> None:
    async with served(centre) as origin, page_of(origin, "auditeur", "journal", ENGLISH) as page:
        await expect(page.get_by_test_id("journal-none")).to_be_visible()
        await expect(page.get_by_test_id("problem")).to_contain_text("Aucune signature encore")
        await sequence(centre.centre.store)
        heads = keys.load_private(centre.centre.settings.paths.keys, "heads")
        await HeadSigner(centre.centre.store, *heads, centre.clock).sign()
        await page.get_by_test_id("journal-refresh").click()
        await expect(page.get_by_test_id("checkpoint")).to_be_visible()
        await no_field_of_the_browsers_own_language(page)
        await page.get_by_test_id("journal-from").fill("23/11/2026 9h")
        async with page.expect_request(lambda request: "/api/journal?" in request.url) as asking:
            await page.get_by_test_id("journal-to").fill("23/11/2026 23:59:30")
            await page.keyboard.press("Enter")
        asked = (await asking.value).url
        assert "from=2026-11-23T08%3A00%3A00.000Z" in asked
        assert "to=2026-11-23T22%3A59%3A30.000Z" in asked
        await page.get_by_test_id("journal-to").fill("23/11/2026 8:00")
        await page.get_by_test_id("journal-apply").click()
        await expect(page.get_by_role("alert")).to_be_visible()  # rather than that nothing was found
        await page.get_by_test_id("journal-to").fill("23/11/2026 10:00")
        await page.get_by_test_id("journal-apply").click()
        await expect(page.get_by_role("alert")).to_have_count(0)
        await page.get_by_test_id("journal-to").fill("23/11/2026")
        await page.get_by_test_id("journal-from").focus()
        await expect(page.get_by_role("alert")).to_contain_text("un jour qui existe et une heure")
        await page.get_by_test_id("journal-reset").click()
        await expect(page.get_by_test_id("journal-to")).to_have_value("")
        await expect(page.get_by_role("alert")).to_have_count(0)
        await page.get_by_test_id("section-looks").click()
        await expect(page.get_by_test_id("period-from")).to_have_value("22/11/2026 " + await time_of(page, "period-to"))
        await page.get_by_test_id("period-to").fill("20/11/2026 10:00")
        await page.get_by_test_id("period-apply").click()
        await expect(page.get_by_role("alert")).to_be_visible()
        await page.get_by_test_id("period-7").click()
        await expect(page.get_by_role("alert")).to_have_count(0)
        await expect(page.get_by_test_id("period-from")).to_have_value("16/11/2026 " + await time_of(page, "period-to"))
        await page.get_by_test_id("section-proofs").click()
        await expect(page.get_by_text("Choisir un fichier…")).to_be_visible()
        await no_field_of_the_browsers_own_language(page)


async def time_of(page: Page, field: str) -> str:
    return (await page.get_by_test_id(field).input_value()).split(" ")[1]
