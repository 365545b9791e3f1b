"""Replays: a ticket opens an interval of one camera as a film that exists nowhere, read by byte ranges.

1. `POST /playback` redeems the ticket, plans the interval (clips and gaps) and answers with the film's address and a
   cookie bound to it. 2. Each range request needs that cookie, an open lease, and segments that are before their
   deadline at that moment. 3. Bytes are read in windows, in a thread, each opening and closing its files; no file
   stays open while a browser makes up its mind. 4. What a window shows is in the lease's account before it leaves.
"""

import asyncio
import hmac
import logging
import secrets
import sqlite3
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

from aiohttp import web

from csu.gateway.desk import Desk, Opened
from csu.gateway.errors import Refused
from csu.gateway.gaps import gap_reason
from csu.gateway.hub import PLAYABLE_CODECS
from csu.gateway.ranges import parse_range
from csu.gateway.spool import time_text
from csu.gateway.steps import read as read_stepped
from recorder.playback import Clip, Plan, PlaybackClosed, PlaybackError, PlaybackStore, SegmentGone, VirtualMp4

log = logging.getLogger(__name__)

COOKIE = "csu_replay"
WINDOW_BYTES = 1024 * 1024
MAX_REQUESTS = 8
READERS = 4
# Ended replays whose reason is remembered.
ENDED_KEPT = 1000


class Replay:
    """One lease of recordings: its plan, its film, its requests under way. It is the lease's holder."""

    def __init__(self, owner: "Playback") -> None:
        self.id = secrets.token_urlsafe(18)
        self.secret = secrets.token_urlsafe(32)
        self.opened: Opened | None = None
        self.film: VirtualMp4 | None = None
        self.transports: set[asyncio.Transport] = set()
        self._owner = owner

    @property
    def path(self) -> str:
        return f"/playback/{self.id}"

    @property
    def actor(self) -> str | None:
        """Whose it is; None while its ticket is being redeemed."""
        return None if self.opened is None else self.opened.lease.ticket.actor

    def lease_ended(self, code: str, reason: str) -> None:
        self._owner.ended(self, code, reason)
        for transport in list(self.transports):
            transport.abort()


class Playback:
    """The `/playback` doors."""

    def __init__(self, desk: Desk, recordings: tuple[Path, ...], secure_cookies: bool) -> None:
        self._desk = desk
        self._store = PlaybackStore(*recordings)
        self._secure = secure_cookies
        self._replays: dict[str, Replay] = {}
        # Replay id -> its cookie's secret, code and reason of its end; the oldest first.
        self._ended: OrderedDict[str, tuple[str, str, str]] = OrderedDict()
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="playback")

    def close(self) -> None:
        self._readers.shutdown(wait=True, cancel_futures=True)

    def ended(self, replay: Replay, code: str, reason: str) -> None:
        """The film goes; why it ended stays for a while, for whoever has its cookie. Who left by himself needs none."""
        self._replays.pop(replay.id, None)
        if not reason:
            return
        self._ended[replay.id] = (replay.secret, code, reason)
        while len(self._ended) > ENDED_KEPT:
            self._ended.popitem(last=False)

    async def create(self, request: web.Request) -> web.Response:
        """POST /playback {ticket}: 201 with lease, address and plan, and the cookie that the address wants."""
        text = await _ticket(request)
        replay = Replay(self)
        opened = await self._desk.open(text, "replay", replay)
        replay.opened = opened
        self._replays[replay.id] = replay
        with self._desk.beginning(opened):
            plan = await self._plan(replay, opened)
        response = web.json_response(self._opened_json(replay, opened, plan), status=201)
        response.set_cookie(
            COOKIE, replay.secret, path=replay.path, httponly=True, samesite="Strict", secure=self._secure
        )
        return response

    async def _plan(self, replay: Replay, opened: Opened) -> Plan:
        ticket = opened.lease.ticket
        assert ticket.from_at is not None
        assert ticket.to_at is not None
        now = self._desk.clock.now()
        plan: Plan = await self._in_thread(self._store.plan, ticket.camera, ticket.from_at, ticket.to_at, now)
        if any(isinstance(item, Clip) for item in plan.items):
            replay.film = await self._in_thread(VirtualMp4, plan)
        if not opened.lease.is_open:  # withdrawn meanwhile
            raise Refused("RIGHT_WITHDRAWN")
        if replay.film is not None and not replay.film.codecs <= PLAYABLE_CODECS:
            raise Refused("CODEC_NOT_PLAYABLE")
        return plan

    def _opened_json(self, replay: Replay, opened: Opened, plan: Plan) -> dict[str, Any]:
        ticket = opened.lease.ticket
        return {
            "lease": replay.id,
            "url": f"{replay.path}/video.mp4",
            "mime": replay.film.mime if replay.film else None,
            "plan": {
                "from": time_text(ticket.from_at),
                "to": time_text(ticket.to_at),
                "duration_s": plan.duration_s,
                "items": [_item_json(item) for item in plan.items],
            },
        }

    async def delete(self, request: web.Request) -> web.Response:
        _, opened = self._find(request)
        self._desk.close(opened, "VIEWER_LEFT")
        return web.Response(status=204)

    async def stepped(self, request: web.Request) -> web.Response:
        """POST /playback/{lease}/stepped {stepped: [{from, to, frames}]}: what the page says of it, for the journal.
        What can't be true is a security event."""
        body = await request.read()
        _, opened = self._find(request)  # after the body: a lease that ended meanwhile takes no word any more
        try:
            opened.account.stepped(read_stepped(body))
        except ValueError:
            self._desk.refused("STEPS_REFUSED", opened.lease.ticket.actor)
            raise Refused("STEPS_REFUSED") from None
        return web.Response(status=204)

    async def video(self, request: web.Request) -> web.StreamResponse:
        """GET or HEAD of the film, whole or one range of it."""
        replay, opened = self._find(request)
        film = replay.film
        if film is None:
            raise Refused("NOTHING_RECORDED")
        opened.lease.used_s = self._desk.clock.monotonic_s()
        wanted = request.headers.get("Range")
        if request.headers.get("If-Range") not in (None, film.etag):
            wanted = None
        headers = {"Accept-Ranges": "bytes", "ETag": film.etag, "Content-Type": film.mime}
        try:
            part = parse_range(wanted, film.size)
        except Refused as refused:
            body = {"code": refused.code, "reason": refused.reason}
            headers = {"Content-Range": f"bytes */{film.size}"}
            return web.json_response(body, status=416, headers=headers)
        start, end = part or (0, film.size)
        headers["Content-Length"] = str(end - start)
        if part is not None:
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{film.size}"
        response = web.StreamResponse(status=200 if part is None else 206, headers=headers)
        if request.method == "HEAD":
            await response.prepare(request)
            return response
        return await self._send(request, response, replay, opened, film, start, end)

    async def _send(
        self,
        request: web.Request,
        response: web.StreamResponse,
        replay: Replay,
        opened: Opened,
        film: VirtualMp4,
        start: int,
        end: int,
    ) -> web.StreamResponse:
        transport = request.transport
        if transport is None:
            return response
        if len(replay.transports) >= MAX_REQUESTS:
            raise Refused("TOO_MANY_VIEWERS")
        replay.transports.add(transport)
        try:
            # The first window is read before the answer begins: what is gone is refused, not cut short.
            data = await self._window(film, start, end)
            while True:
                if not opened.lease.is_open:
                    raise Refused("LEASE_UNKNOWN")
                opened.lease.used_s = self._desk.clock.monotonic_s()
                upto = start + len(data)
                opened.account.recording(film.intervals(start, upto), film.pictures(start, upto), len(data))
                if not response.prepared:
                    await response.prepare(request)
                await response.write(data)
                start = upto
                if start >= end:
                    break
                data = await self._window(film, start, end)
            await response.write_eof()
        except Refused:
            if not response.prepared:
                raise
            transport.abort()  # too late for a refusal: the film ends here
        finally:
            replay.transports.discard(transport)
        return response

    async def _window(self, film: VirtualMp4, start: int, end: int) -> bytes:
        """The next bytes of the film, at most a window. Raises Refused."""
        upto = min(end, start + WINDOW_BYTES)
        data: bytes = await self._in_thread(_read, film, start, upto, self._desk.clock.now())
        return data

    def _find(self, request: web.Request) -> tuple[Replay, Opened]:
        """The replay of this address, or why it ended, for whoever has its cookie; to all others it does not exist, and
        that they asked for it is a security event."""
        name, secret = request.match_info["lease"], request.cookies.get(COOKIE, "")
        replay = self._replays.get(name)
        if replay is not None and _same(secret, replay.secret) and replay.opened is not None:
            return replay, replay.opened
        ended = self._ended.get(name)
        if ended is not None and _same(secret, ended[0]):
            raise Refused(*ended[1:])
        if replay is not None or ended is not None:
            self._desk.refused("LEASE_FOREIGN", None if replay is None else replay.actor)
        raise Refused("LEASE_UNKNOWN")

    async def _in_thread(self, call: Any, *args: Any) -> Any:
        """Ask the recordings. Raises Refused."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._readers, call, *args)
        except SegmentGone:
            raise Refused("RECORDING_GONE") from None
        except PlaybackClosed as closed:
            log.warning("replay refused: %s", closed)
            raise Refused("CLOCK_UNTRUSTED") from None
        except (PlaybackError, OSError, sqlite3.Error) as error:
            log.error("recordings can't be read: %s", error)
            raise Refused("STORAGE_UNREADABLE") from None


def _same(given: str, secret: str) -> bool:
    return hmac.compare_digest(given.encode(errors="replace"), secret.encode())


def _read(film: VirtualMp4, start: int, end: int, now: datetime) -> bytes:
    return b"".join(film.read(start, end, now))


async def _ticket(request: web.Request) -> str:
    """The body's only field: a request can't name camera or interval, only the ticket does."""
    try:
        body = await request.json()
        (name,) = body
        text = body[name]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise Refused("BAD_REQUEST") from None
    if name != "ticket" or not isinstance(text, str):
        raise Refused("BAD_REQUEST")
    return text


def _item_json(item: Any) -> dict[str, Any]:
    span = {"from": time_text(item.from_at), "to": time_text(item.to_at)}
    if isinstance(item, Clip):
        return {"kind": "clip", **span, "media_from_s": item.media_from_s, "media_to_s": item.media_to_s}
    return {"kind": "gap", **span, "cause": item.cause, "reason": gap_reason(item.cause)}
