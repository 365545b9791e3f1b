"""What a person sees, told by a browser against the running centre; pictures are judged by the barcode in them."""

import base64
import csv
import io
import json
import re
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from centre_process import Centre, wait_for
from playwright.sync_api import Browser, Locator, Page, expect

from csu.simulator import barcode
from csu.simulator.clock import instant_of
from legal.retention import PARIS

# The first that starts a centre may have to encode its cameras' pictures.
pytestmark = pytest.mark.timeout(600)

MOTIF = "SECURITE"
EVREUX = "27229"
_READ_VIDEO = """video => {
    if (video.readyState < 2) return null;
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [640, 360];
    const context = canvas.getContext("2d");
    context.drawImage(video, 0, 0, 640, 360);
    const pixels = context.getImageData(0, 0, 640, 360).data;
    let text = "";
    for (let i = 0; i < pixels.length; i += 4) text += String.fromCharCode(pixels[i + 1]);
    return btoa(text);
}"""


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1600, "height": 900}, locale="fr-FR", timezone_id="Europe/Paris")
    page = context.new_page()
    failures: list[str] = []
    page.on("pageerror", lambda error: failures.append(str(error)))
    yield page
    context.close()
    assert failures == []


def log_in(page: Page, centre: Centre, role: str) -> None:
    account = centre.account(role)
    page.goto(centre.url)
    page.get_by_test_id("login-login").fill(account["login"])
    page.get_by_test_id("login-password").fill(account["password"])
    if role in ("operator", "supervisor", "delegate"):
        page.get_by_test_id("login-motif").select_option(MOTIF)
    page.get_by_test_id("login-submit").click()
    expect(page.get_by_test_id("agent")).to_have_attribute("data-role", role)


def reading(video: Locator) -> barcode.Reading | None:
    """The barcode of the picture on the screen."""
    coded = video.evaluate(_READ_VIDEO)
    if coded is None:
        return None
    return barcode.read(np.frombuffer(base64.b64decode(coded), np.uint8).reshape(360, 640))


def shown_at(video: Locator, near: datetime) -> datetime:
    """When the picture on the screen was captured, by its barcode."""
    found = wait_for(lambda: reading(video), "a barcode in the picture")
    return instant_of(found.camera, found.stream, found.frame, near)


def replay_a_minute_ago(page: Page) -> Locator:
    """From the open camera's live picture, for a reason; the replay, once it shows a picture."""
    expect(page.get_by_test_id("camera-live")).to_have_attribute("data-state", "live")
    page.get_by_test_id("minute-back").click()
    page.get_by_test_id("motif-select").select_option("INTERVENTION")
    page.get_by_test_id("motif-reference").fill("2026-0117")
    page.get_by_test_id("motif-submit").click()
    replay = page.get_by_test_id("replay")
    expect(replay).to_have_attribute("data-state", "replay")
    return replay


def tile(page: Page, camera: dict[str, Any]) -> Locator:
    return page.locator(f'[data-testid="tile"][data-camera="{camera["id"]}"]')


def cameras_of(centre: Centre, commune: str) -> list[dict[str, Any]]:
    return [camera for camera in centre.told["cameras"] if camera["commune"] == commune]


def test_the_operator_watches_goes_back_a_minute_and_is_refused_the_third_commune(page: Page, centre: Centre) -> None:
    began = datetime.now(UTC)
    log_in(page, centre, "operator")
    seen = cameras_of(centre, "Évreux")[0]
    refused = cameras_of(centre, "Les Andelys")[0]

    expect(tile(page, seen)).to_have_attribute("data-state", "live")
    video = tile(page, seen).get_by_test_id("live-video")

    def fresh() -> datetime | None:
        asked = datetime.now(UTC)
        shown = shown_at(video, asked)
        return shown if asked - shown < timedelta(seconds=5) else None

    first = wait_for(fresh, "a picture of now")
    wait_for(lambda: shown_at(video, datetime.now(UTC)) > first + timedelta(seconds=2), "live to advance")

    expect(tile(page, refused)).to_have_attribute("data-state", "refused")
    expect(tile(page, refused).get_by_test_id("tile-refused")).to_have_attribute("data-code", "CONVENTION_MISSING")
    expect(tile(page, refused)).to_contain_text("convention")
    # What the wall knows to be refused it asks for only when told to.
    tile(page, refused).get_by_text("Redemander").click()

    wait_recorded(centre, seen, began, 75)
    tile(page, seen).dblclick()
    expect(page.get_by_test_id("camera-live")).to_have_attribute("data-state", "live")
    asked = datetime.now(UTC) - timedelta(minutes=1)
    replay_a_minute_ago(page)
    said = check_shown(page)
    # It plays meanwhile.
    assert asked - timedelta(seconds=4) < said < datetime.now(UTC) - timedelta(minutes=1) + timedelta(seconds=4)

    log_out(page)
    log_in(page, centre, "auditor")
    page.get_by_test_id("nav-journal").click()
    for camera, op, result in (
        (seen, "picture:live", "done"),
        (seen, "picture:replay", "done"),
        (refused, "picture:live", "refused"),
    ):
        entry = f'[data-testid="journal-entry"][data-camera="{camera["id"]}"][data-op="{op}"][data-result="{result}"]'
        expect(page.locator(entry).first).to_be_visible()
    assert page.locator("video").count() == 0
    status, told = centre.csu("journal", "verify", "--json")
    assert (status, told["ok"], told["first_bad"]) == (0, True, None)


def test_pictures_stepped_through_are_in_the_journal_by_the_pages_word(page: Page, centre: Centre) -> None:
    began = datetime.now(UTC)
    camera = cameras_of(centre, "Évreux")[0]
    log_in(page, centre, "operator")
    wait_recorded(centre, camera, began, 75)
    tile(page, camera).dblclick()
    replay = replay_a_minute_ago(page)
    began_at = instant_of_replay(replay)
    wait_for(lambda: instant_of_replay(replay) > began_at + timedelta(seconds=2), "some pictures played")
    page.keyboard.press("Space")
    settle(replay)
    seen = [taken_at(page)]
    for key in ",,,;":
        before = replay.get_attribute("data-instant") or ""
        page.keyboard.press(key)
        expect(replay).not_to_have_attribute("data-instant", before)
        seen.append(taken_at(page))
    # Each step is the camera's next picture, or the one before.
    assert [round((at - seen[0]) / timedelta(seconds=1 / 25)) for at in seen] == [0, -1, -2, -3, -2]
    last = instant_of_replay(replay)
    page.keyboard.press("Escape")
    look = wait_for(lambda: stepped_look(centre, camera, 4), "the steps in the journal")
    assert look["ended_at"] is not None
    assert look["frames"] > 4
    (span,) = look["page_says_stepped_in"]
    from_at, to_at = datetime.fromisoformat(span["from"]), datetime.fromisoformat(span["to"])
    assert from_at < last < to_at < from_at + timedelta(seconds=0.1)
    assert any(
        datetime.fromisoformat(one["from"]) <= from_at and to_at <= datetime.fromisoformat(one["to"])
        for one in look["served"]
    )

    # A page that is left at once says it all the same.
    tile(page, camera).dblclick()
    replay = replay_a_minute_ago(page)
    page.get_by_test_id("play-pause").click()
    settle(replay)
    for _ in range(2):
        before = replay.get_attribute("data-instant") or ""
        page.get_by_test_id("frame-next").click()
        expect(replay).not_to_have_attribute("data-instant", before)
    page.goto("about:blank")
    wait_for(lambda: stepped_look(centre, camera, 2), "the steps of a page that was left")

    page.goto(centre.url)
    log_out(page)
    log_in(page, centre, "auditor")
    page.get_by_test_id("nav-journal").click()
    page.get_by_test_id("journal-camera").select_option(camera["id"])
    page.get_by_test_id("journal-apply").click()
    said = page.get_by_test_id("journal-entry").get_by_test_id("stepped")
    expect(said.first).to_contain_text("parcourue")
    other = page.locator(f'[data-testid="journal-entry"]:not([data-camera="{camera["id"]}"])')
    expect(other).to_have_count(0)
    # One look's may be told in several entries; of both looks it is all.
    assert sum(int(str(one.get_attribute("data-frames"))) for one in said.all()) == 6
    page.get_by_test_id("section-looks").click()
    page.get_by_test_id("period-1").click()
    said = page.locator('[data-testid="look"][data-act="replay"]').get_by_test_id("stepped")
    expect(said).to_have_text([f"{n} images parcourues pas à pas (selon la console)" for n in (2, 4)])
    with centre.client("auditor") as client:
        text = client.get("/api/journal.csv").content.decode("utf-8-sig")
    rows = csv.DictReader(io.StringIO(text), delimiter=";")
    assert sum(int(row["images parcourues pas à pas (selon la console)"] or 0) for row in rows) == 6


def instant_of_replay(replay: Locator) -> datetime:
    return datetime.fromisoformat(str(replay.get_attribute("data-instant")))


def settle(replay: Locator) -> None:
    """It is paused, and the last picture that was played is on the screen."""
    expect(replay).to_have_attribute("data-playing", "false")
    replay.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def check_shown(page: Page) -> datetime:
    """The picture of the replay is that of the instant which is said, while it plays on; the instant."""
    replay = page.get_by_test_id("replay")
    said = instant_of_replay(replay)
    seen = shown_at(page.get_by_test_id("replay-video"), said)
    assert said - timedelta(seconds=1.5) < seen < instant_of_replay(replay) + timedelta(seconds=1.5)
    return said


def taken_at(page: Page) -> datetime:
    """When the replay's picture was captured, by its barcode."""
    return shown_at(page.get_by_test_id("replay-video"), instant_of_replay(page.get_by_test_id("replay")))


def looks_at(centre: Centre, camera: dict[str, Any]) -> list[dict[str, Any]]:
    """As the journal has them now."""
    now = datetime.now(UTC)
    with centre.client("auditor") as client:
        period = {"from": (now - timedelta(hours=1)).isoformat(), "to": (now + timedelta(minutes=1)).isoformat()}
        answer = client.get("/api/journal/looks", params=period | {"camera": camera["id"]})
        assert answer.status_code == 200, answer.text
    looks: list[dict[str, Any]] = answer.json()["looks"]
    return looks


def stepped_look(centre: Centre, camera: dict[str, Any], count: int) -> dict[str, Any] | None:
    """The replay of this camera of which the page said so many steps, once the journal has it."""
    return next((look for look in looks_at(centre, camera) if look["page_says_stepped"] == count), None)


def cut_at(centre: Centre, camera: dict[str, Any], since: datetime) -> datetime | None:
    """When the gateway ended the live picture that was opened since then, once the journal has it."""
    for look in looks_at(centre, camera):
        is_ours = look["act"] == "live" and datetime.fromisoformat(look["begun_at"]) >= since
        if is_ours and look["ended_at"] is not None:
            return datetime.fromisoformat(look["ended_at"])
    return None


def test_the_auditor_gets_no_ticket(centre: Centre) -> None:
    with centre.client("auditor") as client:
        asked = {"camera": centre.told["cameras"][0]["id"], "act": "live", "stream": "main"}
        result = client.post("/api/tickets", json={"requests": [asked]}).json()["results"][0]
    assert result["refused"]["code"] == "REGIME_ROLE_FORBIDDEN"
    assert "ticket" not in result


@pytest.mark.parametrize("right", ["habilitation", "agrement"])
def test_a_right_withdrawn_cuts_the_picture_within_five_seconds(page: Page, centre: Centre, right: str) -> None:
    began = datetime.now(UTC)
    log_in(page, centre, "operator")
    camera = cameras_of(centre, "Évreux")[0]
    expect(tile(page, camera)).to_have_attribute("data-state", "live")
    with centre.client("supervisor", shift_motif=MOTIF) as client:
        persons = client.get("/api/persons").json()["persons"]
        operator = next(p for p in persons if p["login"] == centre.account("operator")["login"])
        held = next(h for h in operator["habilitations"] if h["commune"] == EVREUX)
        agrement, habilitation = f"/api/persons/{operator['id']}/agrement", f"/api/habilitations/{held['id']}"
        path = agrement if right == "agrement" else habilitation
        answer = client.post(f"{path}/suspend", json={"reason": "Contrôle 2026-11"})
        assert answer.status_code == 200, answer.text
        withdrawn = datetime.now(UTC)
        try:
            expect(tile(page, camera)).to_have_attribute("data-state", "refused")
            ended = wait_for(lambda: cut_at(centre, camera, began), "the end of the look in the journal")
            assert ended < withdrawn + timedelta(seconds=5)
            assert tile(page, camera).locator("video").count() == 0 or not reading(tile(page, camera).locator("video"))
        finally:
            answer = client.post(f"{path}/resume", json={"reason": "Contrôle levé"})
            assert answer.status_code == 200, answer.text
    # Given back, it opens nothing by itself; asked for once, all its pictures.
    expect(tile(page, camera)).to_contain_text("Accès rétabli")
    page.keyboard.press("r")
    for one in cameras_of(centre, "Évreux"):
        expect(tile(page, one)).to_have_attribute("data-state", "live")


def test_a_locked_post_shows_no_picture_until_its_agent_is_back(page: Page, centre: Centre) -> None:
    log_in(page, centre, "operator")
    camera = cameras_of(centre, "Vernon")[0]
    expect(tile(page, camera)).to_have_attribute("data-state", "live")
    page.get_by_test_id("lock").click()
    expect(page.get_by_test_id("lock-screen")).to_be_visible()
    assert page.locator("video").count() == 0
    page.get_by_test_id("unlock-password").fill("not this one")
    page.get_by_test_id("unlock-submit").click()
    expect(page.get_by_test_id("unlock-error")).to_be_visible()
    page.get_by_test_id("unlock-password").fill(centre.account("operator")["password"])
    page.get_by_test_id("unlock-submit").click()
    expect(tile(page, camera)).to_have_attribute("data-state", "live")


def set_fault(centre: Centre, camera: dict[str, Any], fault: str | None) -> None:
    request = {"op": "fault", "camera": int(camera["number"]), "fault": fault}
    with socket.socket(socket.AF_UNIX) as control, control.makefile("rw") as lines:
        control.connect(str(centre.data / "run" / "simulator.sock"))
        lines.write(json.dumps(request) + "\n")
        lines.flush()
        assert "result" in json.loads(lines.readline())


def test_a_silent_camera_is_said_lost_and_its_alarm_rises(page: Page, centre: Centre) -> None:
    log_in(page, centre, "operator")
    camera = cameras_of(centre, "Vernon")[0]
    expect(tile(page, camera)).to_have_attribute("data-state", "live")
    set_fault(centre, camera, "silent")
    try:
        expect(tile(page, camera)).to_have_attribute("data-state", "lost")
        expect(page.get_by_test_id("alarms-button")).not_to_have_attribute("data-count", "0")
    finally:
        set_fault(centre, camera, None)
    expect(tile(page, camera)).to_have_attribute("data-state", "live")


def test_a_replay_goes_on_where_the_camera_recorded_again(page: Page, centre: Centre) -> None:
    """It ends while the camera is silent; what follows is asked for once the camera is back."""
    began = datetime.now(UTC)
    log_in(page, centre, "operator")
    camera = cameras_of(centre, "Vernon")[1]
    wait_recorded(centre, camera, began, 10)
    tile(page, camera).dblclick()
    live = page.get_by_test_id("camera-live")
    expect(live).to_have_attribute("data-state", "live")
    set_fault(centre, camera, "silent")
    try:
        expect(live).to_have_attribute("data-state", "lost")
        silent_at = datetime.now(UTC)
        page.get_by_test_id("minute-back").click()
        page.get_by_test_id("motif-select").select_option("INTERVENTION")
        page.get_by_test_id("motif-reference").fill("2026-0118")
        page.get_by_test_id("motif-submit").click()
        replay = page.get_by_test_id("replay")
        expect(replay).not_to_have_attribute("data-instant", "")
        while page.get_by_test_id("replay-follow").count() == 0:
            page.keyboard.press("ArrowRight")
            page.wait_for_timeout(200)
        assert instant_of_replay(replay) < silent_at
    finally:
        set_fault(centre, camera, None)

    def again() -> datetime | None:
        period = {"from": began.isoformat(), "to": datetime.now(UTC).isoformat()}
        with centre.client("operator", shift_motif=MOTIF) as client:
            told = client.get(f"/api/cameras/{camera['id']}/timeline", params=period).json()
        runs = [datetime.fromisoformat(run["from"]) for run in told["runs"]]
        return next((run for run in runs if run > silent_at), None)

    begins_at = wait_for(again, "the camera to record again", every_s=0.5)
    wait_for(lambda: datetime.now(UTC) > begins_at + timedelta(seconds=8), "some seconds to replay")
    clicked = datetime.now(UTC)
    page.get_by_test_id("replay-follow").click()
    expect(replay).to_have_attribute("data-state", "replay")
    begins = begins_at.astimezone(PARIS).strftime("%H:%M:%S")
    expect(replay.locator(".tile-header .quiet")).to_have_text(re.compile(f"^{begins} – "))
    said = check_shown(page)
    played = datetime.now(UTC) - clicked
    assert begins_at - timedelta(seconds=0.1) <= said < begins_at + timedelta(seconds=1) + played


def log_out(page: Page) -> None:
    page.get_by_test_id("logout").click()
    expect(page.get_by_test_id("login-form")).to_be_visible()


def wait_recorded(centre: Centre, camera: dict[str, Any], since: datetime, seconds: float) -> None:
    def recorded() -> bool:
        _, told = centre.csu(
            *("coverage", "--camera", camera["id"], "--json"),
            *("--from", (since - timedelta(minutes=2)).isoformat(), "--to", datetime.now(UTC).isoformat()),
        )
        return bool(told["recorded_s"] >= seconds)

    wait_for(recorded, f"{seconds} recorded seconds", seconds + 120, every_s=0.5)
