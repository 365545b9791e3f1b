"""Every door of the gateway: the reviewed table `tests/csu/rights/gateway.csv`, compared with what each answers."""

import csv
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from gateway_centre import ORIGIN, Centre, refusals, running
from gateway_recordings import recordings
from gateway_support import make_replay, make_ticket

from csu.gateway.app import create_app
from csu.gateway.desk import Desk, SystemClock
from csu.gateway.hub import Hub
from csu.gateway.live import Live
from csu.gateway.playback import Playback
from csu.gateway.spool import Spool
from csu.gateway.whep import Whep

TABLE = Path(__file__).parents[1] / "csu" / "rights" / "gateway.csv"
WEBRTC = "127.0.0.1"
OFFER = "v=0\r\n"


def read_table() -> dict[str, dict[str, str]]:
    with TABLE.open(encoding="utf-8", newline="") as file:
        return {row["porte"]: row for row in csv.DictReader(file, delimiter=";")}


ROWS = read_table()
TICKET_DOORS = ("GET /live", "POST /playback", "POST /whep")
REPLAY_DOORS = (
    "DELETE /playback/{lease}",
    "POST /playback/{lease}/stepped",
    "GET /playback/{lease}/video.mp4",
)


@asynccontextmanager
async def room(root: Path) -> AsyncIterator[tuple[Centre, datetime]]:
    began_at = datetime.now(UTC) - timedelta(seconds=60)
    with recordings(root, began_at) as made:
        made.record(began_at, 4, first=0, keep=timedelta(days=15))
        async with running(root, webrtc_addresses=(WEBRTC,)) as centre:
            yield centre, began_at


async def test_every_door_has_its_row_and_every_row_its_door(tmp_path: Path) -> None:
    desk, hub = Desk(Spool(tmp_path / "gateway"), {}, SystemClock()), Hub(tmp_path / "packets.sock")
    live, playback, whep = Live(desk, hub, ORIGIN), Playback(desk, (), secure_cookies=False), Whep(desk, hub, ())

    async def health(request: web.Request) -> web.Response:
        return web.Response()

    app = create_app(ORIGIN, live, playback, whep, health, desk.refused)
    doors = {
        f"{route.method} {route.resource.canonical}"
        for route in app.router.routes()
        if route.resource is not None and route.method != "HEAD"  # as GET, without the bytes
    }
    assert doors == set(ROWS)


@pytest.mark.parametrize("door", TICKET_DOORS)
async def test_a_ticket_that_does_not_hold_opens_nothing(tmp_path: Path, door: str) -> None:
    async with room(tmp_path) as (centre, began_at):
        act = "replay" if door == "POST /playback" else "live"

        def ticket(is_of: str = act, at: datetime | None = None) -> Any:
            now = at or datetime.now(UTC)
            # Until when it may be redeemed is told by those that are past it alone: a slow machine takes long.
            until = {} if at else {"redeem_by_at": now + timedelta(minutes=10)}
            if is_of == "replay":
                return make_replay(now, began_at, began_at + timedelta(seconds=2), **until)
            return make_ticket(now, **until)

        used, withdrawn = ticket(), ticket()
        await present(centre, door, centre.text(used))
        await centre.control.call("renew", cut=[{"ticket": withdrawn.id, "code": "RIGHT_WITHDRAWN", "reason": "x."}])
        text = centre.text(ticket())
        payload, _, signature = text.rpartition(".")
        flipped = "A" if signature[5] != "A" else "B"
        found = {
            "sans rien": await present(centre, door, None),
            "altéré": await present(centre, door, f"{payload}.{signature[:5]}{flipped}{signature[6:]}"),
            "échu": await present(centre, door, centre.text(ticket(at=datetime.now(UTC) - timedelta(minutes=1)))),
            "déjà utilisé": await present(centre, door, centre.text(used)),
            "d'un autre acte": await present(
                centre, door, centre.text(ticket("live" if act == "replay" else "replay"))
            ),
            "droit retiré": await present(centre, door, centre.text(withdrawn)),
            "autre origine": await present(centre, door, centre.text(ticket()), origin="http://evil.example"),
        }
        assert found == {name: ROWS[door][name] for name in found}
        kinds = [entry["kind"] for entry in await centre.spooled() if entry["kind"] == "opened"]
        assert len(kinds) == 1  # the one that was then used again


@pytest.mark.parametrize("door", REPLAY_DOORS)
async def test_a_replay_is_its_cookies_alone(tmp_path: Path, door: str) -> None:
    async with room(tmp_path) as (centre, began_at):
        lease, cookie, ticket = await replay(centre, began_at)
        _, other, _ = await replay(centre, began_at)
        method, _, path = door.partition(" ")
        url = centre.url + path.format(lease=lease)
        found = {
            "sans rien": await ask(method, url, None),
            "altéré": await ask(method, url, cookie[:-1] + ("A" if cookie[-1] != "A" else "B")),
            "témoin d'un autre accès": await ask(method, url, other),
            "autre origine": await ask(method, url, cookie, origin="http://evil.example"),
        }
        await centre.control.call("renew", cut=[{"ticket": ticket, "code": "RIGHT_WITHDRAWN", "reason": "x."}])
        found["droit retiré"] = await ask(method, url, cookie)
        assert await ask(method, centre.url + path.format(lease="made-up"), cookie) == "LEASE_UNKNOWN"
        assert found == {name: ROWS[door][name] for name in found}
    assert await refusals(tmp_path) == {"LEASE_FOREIGN": 3, "ORIGIN_REFUSED": 1}


async def test_what_needs_no_ticket_and_what_no_ticket_opens(tmp_path: Path) -> None:
    async with room(tmp_path) as (centre, _):
        door = ROWS["GET /health"]
        assert (await ask("GET", f"{centre.url}/health", None), door["sans rien"]) == ("oui", "oui")
        assert await ask("GET", f"{centre.url}/health", None, "http://evil.example") == door["autre origine"]
        door = ROWS["DELETE /whep/{session}"]
        assert await ask("DELETE", f"{centre.url}/whep/made-up", None) == door["sans rien"]
        assert await ask("DELETE", f"{centre.url}/whep/made-up", "made-up") == door["altéré"]
        assert await ask("DELETE", f"{centre.url}/whep/made-up", None, "http://evil.example") == door["autre origine"]


async def test_row_21_no_door_takes_a_parameter_in_its_address(tmp_path: Path) -> None:
    async with room(tmp_path) as (centre, began_at):
        lease, cookie, _ = await replay(centre, began_at)
        for door in ROWS:
            method, _, path = door.partition(" ")
            url = f"{centre.url}{path.format(lease=lease, session='made-up')}?face=x"
            assert await ask(method, url, cookie) == "UNKNOWN_PARAMETER", door
        assert await ask("GET", f"{centre.url}/nothing?face=x", cookie) == "NOT_FOUND"
        assert await ask("GET", f"{centre.url}/playback/{lease}/video.mp4", cookie) == "oui"


async def present(centre: Centre, door: str, text: str | None, origin: str = ORIGIN) -> str:
    """The code of the refusal, `oui` when the door opens."""
    headers = {"Origin": origin}
    if door == "POST /playback":
        body = {} if text is None else {"ticket": text}
        async with centre.session.post(f"{centre.url}/playback", json=body, headers=headers) as response:
            return await code_of(response)
    if door == "POST /whep":
        headers["Content-Type"] = "application/sdp"
        if text is not None:
            headers["Authorization"] = f"Bearer {text}"
        async with centre.session.post(f"{centre.url}/whep", data=OFFER, headers=headers) as response:
            return await code_of(response)
    try:
        async with centre.browser(origin) as browser:
            message = {"type": "open", "tile": "t"} | ({} if text is None else {"ticket": text})
            await browser.say(**message)
            told = await browser.receive()
            assert isinstance(told, dict)
            return str(told["code"]) if told["type"] == "refused" else "oui"
    except aiohttp.WSServerHandshakeError as error:
        return "ORIGIN_REFUSED" if error.status == 403 else str(error)


async def replay(centre: Centre, began_at: datetime) -> tuple[str, str, str]:
    """Its lease, its cookie's secret, its ticket's id."""
    ticket = make_replay(datetime.now(UTC), began_at, began_at + timedelta(seconds=2))
    async with centre.session.post(
        f"{centre.url}/playback", json={"ticket": centre.text(ticket)}, headers={"Origin": ORIGIN}
    ) as response:
        assert response.status == 201
        lease = (await response.json())["lease"]
        return lease, response.cookies["csu_replay"].value, ticket.id


async def ask(method: str, url: str, cookie: str | None, origin: str = ORIGIN) -> str:
    headers = {"Origin": origin} | ({} if cookie is None else {"Cookie": f"csu_replay={cookie}"})
    async with aiohttp.ClientSession() as stranger, stranger.request(method, url, headers=headers) as response:
        return await code_of(response)


async def code_of(response: aiohttp.ClientResponse) -> str:
    return "oui" if response.status < 300 else str((await response.json())["code"])
