"""Replays over real HTTP from real segments: plan, ranges, cookies, deadlines, ends, accounts."""

import asyncio
import json
import logging
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from gateway_centre import ORIGIN, PATIENCE_S, Centre, ToldClock, running
from gateway_recordings import Recordings, recordings
from gateway_support import make_replay
from gateway_video import FPS, H265_FORMAT, decode

from csu.gateway import playback as playback_module
from csu.gateway.desk import Clock, SystemClock
from csu.gateway.spool import Spool, time_text
from recorder.playback import Plan, PlaybackStore

HEADERS = {"Origin": ORIGIN}
SECOND = timedelta(seconds=1)
FILLER = 320_000
"""Behind each picture of 4 s: a film of 32 MB is more than the sockets hold, so it is under way until it is read."""


@asynccontextmanager
async def room(
    root: Path,
    *runs: tuple[int, int],
    keep: timedelta = timedelta(days=15),
    filler: int = 0,
    clock: ToldClock | None = None,
) -> AsyncIterator[tuple[Centre, Recordings, datetime]]:
    """A gateway over runs given as (seconds after the start, length in seconds); the start is a minute ago."""
    began_at = datetime.now(UTC) - timedelta(seconds=60)
    with recordings(root, began_at) as made:
        for start_s, length_s in runs:
            made.record(began_at + start_s * SECOND, length_s, first=start_s * FPS, keep=keep, filler=filler)
        async with running(root, clock) as centre:
            yield centre, made, began_at


async def ask(centre: Centre, text: str, **more: Any) -> tuple[int, dict[str, Any]]:
    url = f"{centre.url}/playback"
    async with centre.session.post(url, json={"ticket": text} | more, headers=HEADERS) as response:
        return response.status, await response.json()


async def open_replay(
    centre: Centre, from_at: datetime, to_at: datetime, clock: Clock | None = None
) -> tuple[str, dict[str, Any]]:
    """The film's whole address, and the answer."""
    now = (clock or SystemClock()).now()
    status, answer = await ask(centre, centre.text(make_replay(now, from_at, to_at)))
    assert status == 201, answer
    return centre.url + answer["url"], answer


async def fetch(centre: Centre, url: str, **headers: str) -> tuple[int, bytes, Any]:
    async with centre.session.get(url, headers=HEADERS | headers) as response:
        return response.status, await response.read(), response.headers


async def code_of(centre: Centre, url: str, method: str = "GET") -> tuple[int, str]:
    async with centre.session.request(method, url, headers=HEADERS) as response:
        return response.status, (await response.json())["code"]


async def test_the_interval_asked_for_is_a_film_that_decodes(tmp_path: Path) -> None:
    async with room(tmp_path, (0, 10)) as (centre, _, began_at):
        url, answer = await open_replay(centre, began_at + 2 * SECOND, began_at + 5 * SECOND)
        assert answer["mime"].startswith('video/mp4; codecs="avc1.')
        assert answer["plan"]["from"] == (began_at + 2 * SECOND).isoformat().replace("+00:00", "Z")
        [clip] = [item for item in answer["plan"]["items"] if item["kind"] == "clip"]
        first = round((datetime.fromisoformat(clip["from"]) - began_at) / SECOND * FPS)
        status, film, headers = await fetch(centre, url)
        assert status == 200
        assert headers["Accept-Ranges"] == "bytes"
        assert headers["Cache-Control"] == "no-store"
        shades = decode(film)
        assert shades == [n % 16 for n in range(first, first + len(shades))]
        assert len(shades) == round(answer["plan"]["duration_s"] * FPS) >= 3 * FPS


async def test_gaps_are_named_between_clips(tmp_path: Path) -> None:
    async with room(tmp_path, (0, 4), (8, 4)) as (centre, _, began_at):
        url, answer = await open_replay(centre, began_at, began_at + 12 * SECOND)
        kinds = [item["kind"] for item in answer["plan"]["items"]]
        assert kinds == ["clip", "gap", "clip"]
        gap = answer["plan"]["items"][1]
        assert (gap["cause"], gap["reason"]) == ("camera", "La caméra ne donnait pas d'image.")
        _, film, _ = await fetch(centre, url)
        assert decode(film) == [n % 16 for n in [*range(4 * FPS), *range(8 * FPS, 12 * FPS)]]


async def test_a_right_withdrawn_while_its_replay_is_planned_opens_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, is_planned, is_cut = PlaybackStore.plan, threading.Event(), threading.Event()

    def planned(*args: Any) -> Plan:
        found = plan(*args)
        is_planned.set()
        assert is_cut.wait(PATIENCE_S)
        return found

    async with room(tmp_path, (0, 4)) as (centre, _, began_at):
        monkeypatch.setattr(PlaybackStore, "plan", planned)
        ticket = make_replay(datetime.now(UTC), began_at, began_at + 4 * SECOND)
        asking = asyncio.create_task(ask(centre, centre.text(ticket)))
        assert await asyncio.to_thread(is_planned.wait, PATIENCE_S)
        assert (await centre.control.call("renew", cut=[{"ticket": ticket.id}]))["ended"] == [ticket.id]
        is_cut.set()
        status, answer = await asking
        assert (status, answer["code"]) == (403, "RIGHT_WITHDRAWN")
        opened, closed = await centre.wait_spooled(2)
        assert (opened["kind"], closed["kind"], closed["bytes"]) == ("opened", "closed", 0)


async def test_ranges_are_byte_exact(tmp_path: Path) -> None:
    async with room(tmp_path, (0, 6)) as (centre, _, began_at):
        url, _ = await open_replay(centre, began_at, began_at + 6 * SECOND)
        _, film, headers = await fetch(centre, url)
        size = len(film)
        for start, end in [(0, 1), (0, 100), (size - 10, size), (size // 2, size // 2 + 5000)]:
            status, part, got = await fetch(centre, url, Range=f"bytes={start}-{end - 1}")
            assert (status, part) == (206, film[start:end])
            assert got["Content-Range"] == f"bytes {start}-{end - 1}/{size}"
        assert (await fetch(centre, url, Range="bytes=-7"))[1] == film[-7:]
        status, _, got = await fetch(centre, url, Range=f"bytes={size}-")
        assert (status, got["Content-Range"]) == (416, f"bytes */{size}")
        same = {"Range": "bytes=0-9", "If-Range": headers["ETag"]}
        assert (await fetch(centre, url, **same))[:2] == (206, film[:10])
        assert (await fetch(centre, url, **(same | {"If-Range": '"other"'})))[:2] == (200, film)
        async with centre.session.head(url, headers=HEADERS) as response:
            assert (response.status, response.headers["Content-Length"]) == (200, str(size))


async def test_what_was_seen_is_in_the_spool(tmp_path: Path) -> None:
    async with room(tmp_path, (0, 10)) as (centre, _, began_at):
        url, answer = await open_replay(centre, began_at, began_at + 10 * SECOND)
        [opened] = await centre.spooled()
        assert (opened["kind"], opened["act"]) == ("opened", "replay")
        assert opened["from"] == began_at.isoformat().replace("+00:00", "Z")
        size = int((await fetch(centre, url, Range="bytes=0-0"))[2]["Content-Range"].rpartition("/")[2])
        # The beginning of the film's data: only its first seconds are seen.
        await fetch(centre, url, Range=f"bytes={size // 2}-{size // 2 + 10}")
        async with centre.session.delete(f"{centre.url}/playback/{answer['lease']}", headers=HEADERS) as response:
            assert response.status == 204
        closed = (await centre.wait_spooled(2))[-1]
        assert (closed["kind"], closed["reason"], closed["bytes"]) == ("closed", "VIEWER_LEFT", 12)
        [(start, end)] = closed["intervals"]
        seen_from, seen_to = datetime.fromisoformat(start), datetime.fromisoformat(end)
        assert began_at <= seen_from < began_at + 5 * SECOND < seen_to + SECOND
        assert seen_to - seen_from <= 2 * SECOND
        assert (await code_of(centre, url)) == (404, "LEASE_UNKNOWN")


async def test_what_browsers_do_not_play_is_refused_with_its_reason(tmp_path: Path) -> None:
    async with room(tmp_path, (0, 4)) as (centre, made, began_at):
        made.record(began_at + 6 * SECOND, 4, format=H265_FORMAT)
        ticket = make_replay(datetime.now(UTC), began_at, began_at + 10 * SECOND)
        status, answer = await ask(centre, centre.text(ticket))
        assert (status, answer["code"]) == (415, "CODEC_NOT_PLAYABLE")
        assert (await centre.wait_spooled(2))[-1]["reason"] == "CODEC_NOT_PLAYABLE"
        await open_replay(centre, began_at, began_at + 3 * SECOND)


async def test_only_the_cookie_opens_the_film(tmp_path: Path) -> None:
    async with room(tmp_path, (0, 4)) as (centre, _, began_at):
        url, answer = await open_replay(centre, began_at, began_at + 4 * SECOND)
        other_url, _ = await open_replay(centre, began_at, began_at + 4 * SECOND)
        [cookie] = [c for c in centre.session.cookie_jar if c["path"] == f"/playback/{answer['lease']}"]
        assert (cookie["httponly"], cookie["samesite"]) == (True, "Strict")
        async with aiohttp.ClientSession() as stranger:
            async with stranger.get(url) as response:
                assert response.status == 404
            async with stranger.get(other_url, headers={"Cookie": f"csu_replay={cookie.value}"}) as response:
                assert response.status == 404
            async with stranger.delete(f"{centre.url}/playback/{answer['lease']}", headers=HEADERS) as response:
                assert response.status == 404
            async with stranger.get(url, headers={"Cookie": f"csu_replay={cookie.value}"}) as response:
                assert response.status == 200
        assert (await fetch(centre, url, Origin="http://evil.example"))[0] == 403


async def test_a_withdrawn_right_cuts_a_film_under_way(tmp_path: Path) -> None:
    async with room(tmp_path, (0, 4), filler=FILLER) as (centre, _, began_at):
        ticket = make_replay(datetime.now(UTC), began_at, began_at + 4 * SECOND)
        _, answer = await ask(centre, centre.text(ticket))
        url = centre.url + answer["url"]
        async with centre.session.get(url, headers=HEADERS) as response:
            await response.content.readexactly(1000)
            size = response.content_length or 0
            why = {"code": "CONVENTION_MISSING", "reason": "La convention est suspendue."}
            cut = await centre.control.call("renew", cut=[{"ticket": ticket.id, **why}])
            assert (cut["cut"], cut["open"]) == ([ticket.id], [])
            with pytest.raises(aiohttp.ClientPayloadError):
                await response.read()
        async with centre.session.get(url, headers=HEADERS) as response:
            assert (response.status, await response.json()) == (403, why)
        async with aiohttp.ClientSession() as stranger, stranger.get(url) as response:
            assert (response.status, (await response.json())["code"]) == (404, "LEASE_UNKNOWN")
        entries = await centre.wait_spooled(2)
        assert entries[-1]["reason"] == why["code"]
        # The account stops where the film did.
        assert 1000 <= sum(entry["bytes"] for entry in entries) < size
        assert 0 < sum(entry["frames"] for entry in entries) < 4 * FPS
        until = max(end for entry in entries for _, end in entry["intervals"])
        assert began_at < datetime.fromisoformat(until) < began_at + 4 * SECOND


async def test_one_replay_has_a_bounded_number_of_requests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(playback_module, "MAX_REQUESTS", 1)
    async with room(tmp_path, (0, 4), filler=FILLER) as (centre, _, began_at):
        url, _ = await open_replay(centre, began_at, began_at + 4 * SECOND)
        async with centre.session.get(url, headers=HEADERS) as first:
            assert await code_of(centre, url) == (429, "TOO_MANY_VIEWERS")
            assert (first.status, len(await first.read())) == (200, first.content_length)
        await until_served(centre, url)


async def until_served(centre: Centre, url: str) -> None:
    """Until the gateway has noticed the end of the one request that it allows, and answers another."""
    async with asyncio.timeout(60):
        while (status := (await fetch(centre, url, Range="bytes=0-9"))[0]) == 429:
            pass
    assert status == 206


async def test_a_browser_that_drops_a_request_is_nothing_to_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(playback_module, "MAX_REQUESTS", 1)
    async with room(tmp_path, (0, 4), filler=FILLER) as (centre, _, began_at):
        url, _ = await open_replay(centre, began_at, began_at + 4 * SECOND)
        async with centre.session.get(url, headers=HEADERS) as response:
            await response.content.readexactly(1000)
            assert await code_of(centre, url) == (429, "TOO_MANY_VIEWERS")
            response.close()
        await until_served(centre, url)
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_a_picture_past_its_deadline_is_not_served_though_its_file_is_there(tmp_path: Path) -> None:
    clock, keep = ToldClock(), timedelta(hours=1)
    async with room(tmp_path, (0, 4), keep=keep, clock=clock) as (centre, made, began_at):
        url, _ = await open_replay(centre, began_at, began_at + 4 * SECOND)
        for ranges in ("bytes=0-9", "bytes=-10"):
            assert (await fetch(centre, url, Range=ranges))[0] == 206
        clock.more = keep
        assert (await fetch(centre, url, Range="bytes=-10"))[0] == 410
        assert made.files()
        _, answer = await open_replay(centre, began_at, began_at + 4 * SECOND, clock)
        assert [(i["kind"], i["cause"]) for i in answer["plan"]["items"]] == [("gap", "expired")]
        assert (await code_of(centre, centre.url + answer["url"])) == (404, "NOTHING_RECORDED")


async def test_a_destroyed_segment_is_gone(tmp_path: Path) -> None:
    async with room(tmp_path, (0, 4)) as (centre, made, began_at):
        url, _ = await open_replay(centre, began_at, began_at + 4 * SECOND)
        for file in made.files():
            file.unlink()
        status, code = await code_of(centre, url)
        assert (status, code) == (410, "RECORDING_GONE")


async def test_nothing_is_replayed_under_a_distrusted_clock(tmp_path: Path) -> None:
    async with room(tmp_path, (0, 4)) as (centre, made, began_at):
        url, _ = await open_replay(centre, began_at, began_at + 4 * SECOND)
        made.trust_clock(False)
        assert (await code_of(centre, url)) == (503, "CLOCK_UNTRUSTED")
        status, answer = await ask(centre, centre.text(make_replay(datetime.now(UTC), began_at, began_at + SECOND)))
        assert (status, answer["code"]) == (503, "CLOCK_UNTRUSTED")
        assert (await centre.wait_spooled(3))[-1]["reason"] == "CLOCK_UNTRUSTED"


async def test_without_recordings_there_is_a_plan_of_gaps(tmp_path: Path) -> None:
    async with room(tmp_path, (0, 4)) as (centre, _, began_at):
        _, answer = await open_replay(centre, began_at - 20 * SECOND, began_at - 10 * SECOND)
        assert answer["mime"] is None
        assert answer["plan"]["duration_s"] == 0
        assert {item["kind"] for item in answer["plan"]["items"]} == {"gap"}


async def test_without_a_storage_nothing_is_replayed(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    async with running(tmp_path) as centre:
        status, answer = await ask(centre, centre.text(make_replay(now, now - SECOND, now)))
        assert (status, answer["code"]) == (503, "STORAGE_UNREADABLE")


async def test_tickets_that_open_nothing(tmp_path: Path) -> None:
    async with room(tmp_path, (0, 4)) as (centre, _, began_at):
        good = make_replay(datetime.now(UTC), began_at, began_at + SECOND)
        assert (await ask(centre, centre.text(good)))[0] == 201
        for text, code in [
            (centre.text(good), "TICKET_USED"),
            (centre.text(), "TICKET_INVALID"),
            ("a.b.c", "TICKET_INVALID"),
            (centre.text(make_replay(datetime.now(UTC) - 20 * SECOND, began_at, began_at + SECOND)), "TICKET_LATE"),
        ]:
            status, answer = await ask(centre, text)
            assert (status, answer["code"]) == (403, code)
            assert set(answer) == {"code", "reason"}


async def test_another_interval_can_not_be_asked_for(tmp_path: Path) -> None:
    async with room(tmp_path, (0, 4)) as (centre, _, began_at):
        text = centre.text(make_replay(datetime.now(UTC), began_at, began_at + SECOND))
        status, answer = await ask(centre, text, to="2099-01-01T00:00:00Z")
        assert (status, answer["code"]) == (400, "BAD_REQUEST")


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"ticket": 5}', '"x"', '{"ticket": ["x"]}', "[" * 3000, "\x00"])
async def test_bodies_that_make_no_sense(tmp_path: Path, body: str) -> None:
    async with running(tmp_path) as centre:
        async with centre.session.post(f"{centre.url}/playback", data=body, headers=HEADERS) as response:
            assert (response.status, (await response.json())["code"]) == (400, "BAD_REQUEST")
        async with centre.session.post(f"{centre.url}/playback", data="x" * 100_000, headers=HEADERS) as response:
            assert (response.status, (await response.json())["code"]) == (413, "TOO_LARGE")


async def test_pictures_served_are_counted_once_however_often_their_bytes_leave(tmp_path: Path) -> None:
    async with room(tmp_path, (0, 10)) as (centre, _, began_at):
        url, _ = await open_replay(centre, began_at, began_at + 4 * SECOND)
        _, film, _ = await fetch(centre, url)
        await fetch(centre, url)
        await fetch(centre, url, Range="bytes=-10")
        async with centre.session.delete(url.rpartition("/")[0], headers=HEADERS) as response:
            assert response.status == 204
        closed = (await centre.wait_spooled(2))[-1]
        assert closed["frames"] == len(decode(film))
        assert closed["bytes"] == 2 * len(film) + 10


def told(*stretches: tuple[datetime, datetime, int]) -> dict[str, Any]:
    """What the console's page says was stepped through."""
    return {"stepped": [{"from": a.isoformat(), "to": b.isoformat(), "frames": n} for a, b, n in stretches]}


async def tell(centre: Centre, url: str, body: Any) -> tuple[int, str]:
    data = body if isinstance(body, bytes) else json.dumps(body)
    async with centre.session.post(url.replace("video.mp4", "stepped"), data=data, headers=HEADERS) as response:
        return response.status, "" if response.status == 204 else (await response.json())["code"]


async def test_what_the_page_says_was_stepped_through_is_in_the_spool_beside_what_was_served(tmp_path: Path) -> None:
    async with room(tmp_path, (0, 10)) as (centre, _, began_at):
        url, answer = await open_replay(centre, began_at, began_at + 10 * SECOND)
        await fetch(centre, url)
        first, second = began_at + 2 * SECOND, began_at + 7 * SECOND
        assert await tell(centre, url, told((first, first + 0.08 * SECOND, 3))) == (204, "")
        assert await tell(centre, url, told((second, second, 1))) == (204, "")
        async with centre.session.delete(f"{centre.url}/playback/{answer['lease']}", headers=HEADERS) as response:
            assert response.status == 204
        opened, closed = await centre.wait_spooled(2)
        assert "page_says_stepped" not in opened
        assert closed["page_says_stepped"] == [
            [time_text(first), time_text(first + 0.08 * SECOND), 3],
            [time_text(second), time_text(second), 1],
        ]
        assert (closed["kind"], closed["frames"]) == ("closed", 10 * FPS)
        assert await tell(centre, url, told((second, second, 1))) == (404, "LEASE_UNKNOWN")


async def test_what_a_page_can_not_have_shown_is_refused_and_told_as_a_security_event(tmp_path: Path) -> None:
    async with room(tmp_path, (0, 30)) as (centre, _, began_at):
        url, answer = await open_replay(centre, began_at, began_at + 30 * SECOND)
        at = began_at + 2 * SECOND
        assert await tell(centre, url, told((at, at, 1))) == (400, "STEPS_REFUSED")  # nothing was served yet
        size = int((await fetch(centre, url, Range="bytes=0-0"))[2]["Content-Range"].rpartition("/")[2])
        await fetch(centre, url, Range=f"bytes=0-{size // 3}")
        assert await tell(centre, url, told((at, at, 1))) == (204, "")
        late, before = began_at + 25 * SECOND, began_at - 60 * SECOND
        for body in (
            told((at, late, 1)),
            told((before, at, 1)),
            told((at, at, 1), (late, late, 1)),  # all or none
            told((at, at - SECOND, 1)),
            told((at, at, 0)),
            told((at, at, -1)),
            told((at, at, 10_001)),
            told(*[(at, at, 1)] * 100),  # with the one that waits
            told(*[(at, at, 1)] * 101),
            told(),
            {},
            [],
            {"stepped": None},
            {"stepped": [None]},
            {"stepped": [[at.isoformat(), at.isoformat(), 1]]},
            told((at, at, 1)) | {"camera": "another"},
            {"stepped": [{"from": at.isoformat(), "to": at.isoformat(), "frames": True}]},
            {"stepped": [{"from": at.isoformat(), "to": at.isoformat(), "frames": 1.5}]},
            {"stepped": [{"from": at.isoformat(), "to": at.isoformat(), "frames": "1"}]},
            {"stepped": [{"from": at.isoformat(), "to": at.isoformat(), "frames": 1, "name": "x"}]},
            {"stepped": [{"from": at.replace(tzinfo=None).isoformat(), "to": at.isoformat(), "frames": 1}]},
            {"stepped": [{"from": 5, "to": at.isoformat(), "frames": 1}]},
            {"stepped": [{"from": "0001-01-01T00:00:00+14:00", "to": "9999-12-31T23:59:59-14:00", "frames": 1}]},
            b"",
            b"\xff\xfe\x00",
            b"[" * 5000,
            b'{"stepped": [{"from": "", "to": "", "frames": ' + b"1" * 10_000 + b"}]}",
        ):
            assert await tell(centre, url, body) == (400, "STEPS_REFUSED"), body
        assert await tell(centre, url, b"x" * 100_000) == (413, "TOO_LARGE")
        async with centre.session.delete(f"{centre.url}/playback/{answer['lease']}", headers=HEADERS) as response:
            assert response.status == 204
        closed = (await centre.wait_spooled(2))[-1]
        assert closed["page_says_stepped"] == [[time_text(at), time_text(at), 1]]
        actor = make_replay(at, at, at).actor
    # The gateway has ended: what it counted of refusals is in its spool.
    spool = Spool(tmp_path / "gateway")
    spool.open(datetime.now(UTC))
    try:
        refusals = [line for line in await spool.read(0, 100) if line["kind"] == "refused"]
    finally:
        spool.close()
    assert [(line["code"], line["actor"], line["count"]) for line in refusals] == [("STEPS_REFUSED", actor, 28)]
