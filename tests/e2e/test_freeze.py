"""A recorder that distrusts its clock, told to operators and released by two persons, each at a browser of their own;
and a camera that two supervisors mask under an operator's eyes."""

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from centre_process import Centre, copy_encoded, wait_for
from playwright.sync_api import Browser, Page, expect

from tests.ports import free_ports

# The first that starts a centre may have to encode its cameras' pictures.
pytestmark = pytest.mark.timeout(600)

MOTIF = "SECURITE"
JUMP_S = 7200


@pytest.fixture(scope="module")
def distrusted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    """A centre that recorded a little, and whose index then remembers a clock two hours behind of this boot's."""
    running = Centre(tmp_path_factory.mktemp("distrusted") / "var", free_ports(3), cameras=2)
    copy_encoded(running.data)
    running.start()
    with running.client("supervisor", shift_motif=MOTIF) as client:
        wait_for(lambda: all_record(client), "both cameras to be recorded")
    assert running.stop() == 0
    set_back(running.data / "recordings" / "index.db")
    running.start()
    yield running
    assert running.stop() == 0


def all_record(client: httpx.Client) -> bool:
    cameras = client.get("/api/cameras").json()["cameras"]
    return [camera["state"] for camera in cameras] == ["recording"] * 2


def set_back(index: Path) -> None:
    """As if the machine's clock had jumped forward while the recorder was down."""
    with sqlite3.connect(index) as connection:
        changed = connection.execute(
            "UPDATE meta SET value = value - ? WHERE key = 'clock_anchor_us'", (JUMP_S * 1_000_000,)
        )
        assert changed.rowcount == 1
    connection.close()


@pytest.fixture
def pages(browser: Browser, distrusted: Centre) -> Iterator["Pages"]:
    made = Pages(browser, distrusted)
    yield made
    made.close()


class Pages:
    """One browser context for each person."""

    def __init__(self, browser: Browser, centre: Centre) -> None:
        self._browser = browser
        self._centre = centre
        self._contexts: list[Any] = []
        self._failures: list[str] = []

    def of(self, login: str, password: str, role: str) -> Page:
        context = self._browser.new_context(
            viewport={"width": 1600, "height": 900}, locale="fr-FR", timezone_id="Europe/Paris"
        )
        self._contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: self._failures.append(str(error)))
        page.goto(self._centre.url)
        page.get_by_test_id("login-login").fill(login)
        page.get_by_test_id("login-password").fill(password)
        if role in ("operator", "supervisor", "delegate"):
            page.get_by_test_id("login-motif").select_option(MOTIF)
        page.get_by_test_id("login-submit").click()
        expect(page.get_by_test_id("agent")).to_have_attribute("data-role", role)
        return page

    def role(self, role: str) -> Page:
        account = self._centre.account(role)
        return self.of(account["login"], account["password"], role)

    def close(self) -> None:
        for context in self._contexts:
            context.close()
        assert self._failures == []


def test_operators_are_told_and_two_persons_release(pages: Pages, distrusted: Centre) -> None:
    operator = pages.role("operator")
    banner = operator.get_by_test_id("banner")
    expect(banner).to_have_attribute("data-code", "CLOCK_UNTRUSTED")
    expect(banner).to_contain_text("Vous ne pouvez ouvrir aucune relecture")
    expect(operator.get_by_test_id("banner-open")).to_have_count(0)
    camera = distrusted.told["cameras"][0]["id"]
    operator.locator(f'[data-testid="tile"][data-camera="{camera}"]').dblclick()
    ask_a_minute_ago(operator)
    expect(operator.get_by_test_id("replay")).to_have_attribute("data-state", "refused")

    supervisor = pages.role("supervisor")
    supervisor.get_by_test_id("banner-open").click()
    freeze = supervisor.get_by_test_id("freeze")
    expect(freeze).to_have_attribute("data-subject", "clock")
    expect(freeze).to_contain_text("a avancé de")
    supervisor.get_by_test_id("propose-release").click()
    supervisor.get_by_test_id("motif-reference").fill("INT 2026-118")
    supervisor.get_by_test_id("propose-release-submit").click()
    expect(freeze).to_have_attribute("data-proposed", "true")
    expect(supervisor.get_by_test_id("confirm-release")).to_have_count(0)

    administrator = pages.role("administrator")
    administrator.get_by_test_id("nav-recording").click()
    expect(administrator.get_by_test_id("proposal")).to_contain_text("comparée à une source sûre, INT 2026-118")
    administrator.get_by_test_id("confirm-release").click()
    administrator.get_by_test_id("confirm-release-submit").click()
    expect(administrator.get_by_test_id("no-freeze")).to_be_visible()
    expect(banner).to_have_count(0)
    operator.get_by_test_id("back-to-live").click()
    ask_a_minute_ago(operator)
    expect(operator.get_by_test_id("replay")).to_have_attribute("data-state", "replay")


def ask_a_minute_ago(page: Page) -> None:
    page.get_by_test_id("minute-back").click()
    if page.get_by_test_id("motif-select").count() == 0:
        return
    page.get_by_test_id("motif-select").select_option("INTERVENTION")
    page.get_by_test_id("motif-reference").fill("2026-0117")
    page.get_by_test_id("motif-submit").click()


def test_two_supervisors_mask_a_camera_under_an_operators_eyes(pages: Pages, distrusted: Centre) -> None:
    with distrusted.client("administrator") as administrator:
        account = {"login": "adjointe", "name": "Adjointe", "role": "supervisor", "category": "PM"}
        made = administrator.post("/api/accounts", json=account)
        assert made.status_code == 201, made.text
    operator = pages.role("operator")
    camera = next(camera for camera in distrusted.told["cameras"] if camera["commune"] == "Vernon")
    tile = operator.locator(f'[data-testid="tile"][data-camera="{camera["id"]}"]')
    expect(tile).to_have_attribute("data-state", "live")

    first = pages.role("supervisor")
    first.get_by_test_id("nav-recording").click()
    first.get_by_test_id("section-interruptions").click()
    first.get_by_test_id("announce-masked").click()
    first.get_by_test_id("camera-choice").select_option(camera["id"])
    first.get_by_test_id("motif-reference").fill("INT 2026-117")
    first.get_by_test_id("announce-submit").click()
    row = first.locator('[data-testid="interruptions-table"] tr[data-cause="masked"]')
    expect(row).to_have_attribute("data-state", "proposed")
    expect(row.get_by_test_id("confirm-interruption")).to_have_count(0)
    expect(tile).to_have_attribute("data-state", "live")

    second = pages.of("adjointe", made.json()["password"], "supervisor")
    second.get_by_test_id("nav-recording").click()
    second.get_by_test_id("section-interruptions").click()
    second.get_by_test_id("confirm-interruption").click()
    second.get_by_test_id("confirm-interruption-submit").click()
    expect(tile).to_have_attribute("data-state", "refused")
    expect(tile.get_by_test_id("tile-refused")).to_have_attribute("data-code", "MASK_LOCKED")

    def is_accounted() -> bool:
        """Of the last seconds: the recorder hears of it for itself."""
        now = datetime.now(UTC)
        period = {"from": (now - timedelta(seconds=3)).isoformat(), "to": now.isoformat()}
        with distrusted.client("supervisor", shift_motif=MOTIF) as client:
            told = client.get(f"/api/cameras/{camera['id']}/timeline", params=period).json()
        return told["runs"] == [] and [gap["cause"] for gap in told["gaps"]] == ["masked"]

    wait_for(is_accounted, "the gap to be told as masked")
    expect(row).to_have_attribute("data-state", "in_force")
    first.get_by_test_id("end-interruption").click()
    first.get_by_test_id("motif-reference").fill("INT 2026-118")
    first.get_by_test_id("end-interruption-submit").click()
    second.get_by_test_id("confirm-interruption").click()
    second.get_by_test_id("confirm-interruption-submit").click()
    expect(row).to_have_attribute("data-state", "over")
    tile.get_by_text("Redemander").click()
    expect(tile).to_have_attribute("data-state", "live")
