"""Where tickets become leases and leases end: the one place where the pure rules, the spool and the clock meet.

Order of an opening (each step only after the one before):
1. the ticket's signature, dates and act are verified; 2. the lease enters OPENING; 3. its `opened` entry and the
ticket's id are durable; 4. the lease is OPEN and the first byte may leave.
Order of an end: 1. the lease is CLOSED; 2. its holder stops sending, at once; 3. the `closed` entry is written.
When the spool can't be written, every lease ends: nothing is served that is not written down.
"""

import asyncio
import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import Any, Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from csu.audit.tally import Event, Tally
from csu.gateway.account import Account
from csu.gateway.errors import REASONS, Refused, SpoolError
from csu.gateway.leases import Lease, Leases
from csu.gateway.spool import Entry, Line, Refusals, Spool, time_text
from csu.tickets import Act, TicketRefused, verify

log = logging.getLogger(__name__)

TICK_S = 1.0
LIVE_FLUSH_S = 30.0
REPLAY_FLUSH_S = 10.0
REFUSALS_FLUSH_S = 10.0


class Clock(Protocol):
    def now(self) -> datetime: ...
    def monotonic_s(self) -> float: ...


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic_s(self) -> float:
        return time.monotonic()


class Holder(Protocol):
    """Whoever sends on behalf of a lease."""

    def lease_ended(self, code: str, reason: str) -> None:
        """Not one more byte from here on. Called once, from the event loop; must not raise."""
        ...


class Opened:
    """An open lease with its holder and its account."""

    __slots__ = ("account", "flushed_s", "holder", "lease")

    def __init__(self, lease: Lease, holder: Holder, flushed_s: float) -> None:
        self.lease = lease
        self.holder = holder
        self.account = Account()
        self.flushed_s = flushed_s


class Desk:
    """All leases of this gateway. Runs on one event loop; `run` must be running."""

    def __init__(self, spool: Spool, public_keys: Mapping[str, Ed25519PublicKey], clock: Clock) -> None:
        self.clock = clock
        self._spool = spool
        self._keys = public_keys
        self._leases = Leases(renewed_s=clock.monotonic_s())
        self._opened: dict[Lease, Opened] = {}
        self._unwritten: list[Line] = []
        self._refusals = Tally()
        self._told_s = clock.monotonic_s()
        self._to_write = asyncio.Event()
        self._is_shut = False

    async def open(self, text: str, act: Act, holder: Holder) -> Opened:
        """Redeem a ticket; on return the lease is open and its entry durable. Raises Refused."""
        if self._is_shut:
            raise Refused("SHUTTING_DOWN")
        now, monotonic_s = self.clock.now(), self.clock.monotonic_s()
        try:
            ticket = verify(text, self._keys, now)
        except TicketRefused as refusal:
            self.refused(refusal.code)
            raise Refused(refusal.code, refusal.reason) from None
        try:
            lease = self._leases.redeem(ticket, act, now, monotonic_s)
        except Refused as refused:
            if refused.code in ("TICKET_INVALID", "TICKET_USED", "RIGHT_WITHDRAWN"):
                self.refused(refused.code, ticket.actor)
            raise
        try:
            await self._spool.append([Entry(now, "opened", ticket)])
        except SpoolError as error:
            log.error("spool not writable, nothing is served: %s", error)
            self._leases.close(lease, "SPOOL_UNAVAILABLE")
            raise Refused("SPOOL_UNAVAILABLE") from None
        except Refused:
            self.refused("TICKET_USED", ticket.actor)
            self._leases.close(lease, "TICKET_USED")
            raise
        except asyncio.CancelledError:
            # The asker went away while the entry was being written: it will be, and needs its end.
            self._leases.close(lease, "VIEWER_LEFT")
            self._write(Entry(self.clock.now(), "closed", ticket, reason=lease.reason))
            raise
        if lease.reason is not None:  # the right was withdrawn meanwhile
            self._write(Entry(self.clock.now(), "closed", ticket, reason=lease.reason))
            raise Refused(lease.reason if lease.reason in REASONS else "RIGHT_WITHDRAWN")
        self._leases.opened(lease)
        opened = Opened(lease, holder, monotonic_s)
        self._opened[lease] = opened
        return opened

    def refused(self, code: str, actor: str | None = None) -> None:
        """A security event: counted, and told to the control plane within ten seconds. What is not told yet is lost
        with the process: an attack must not cost a write a try."""
        self._refusals.note(self.clock.now(), Event(code, actor))

    @contextmanager
    def beginning(self, opened: Opened) -> Iterator[None]:
        """What has to succeed for a lease to go on. Where it fails the lease ends: by the code of a refusal, or as of a
        viewer who left; also when it is cancelled, since nobody else would end it then."""
        with ExitStack() as failed:
            failed.callback(self.close, opened, "VIEWER_LEFT")
            try:
                yield
            except Refused as refused:
                self.close(opened, refused.code)
                raise
            failed.pop_all()

    def close(self, opened: Opened, code: str, reason: str = "") -> None:
        """End a lease, tell its holder, write the rest of its account. Nothing happens when it ended before."""
        self._end(opened.lease, code, reason or REASONS.get(code, ""))

    def renew(self) -> None:
        self._leases.renew(self.clock.monotonic_s())

    def cut(self, tickets: Mapping[str, tuple[str, str]]) -> list[str]:
        """Withdraw the rights of these tickets, by id, with the (code, reason) that their holders are told; those of
        them that had opened pictures until now."""
        ended = self._leases.cut(tickets, self.clock.monotonic_s())
        for lease in ended:
            self._end(lease, *tickets[lease.ticket.id])
        return [lease.ticket.id for lease in ended]

    def open_leases(self) -> list[dict[str, Any]]:
        """What is being watched now, as the control plane is told."""
        return [
            {
                "ticket": lease.ticket.id,
                "camera": lease.ticket.camera,
                "act": lease.ticket.act,
                "actor": lease.ticket.actor,
                "session": lease.ticket.session,
                "since": time_text(lease.since_at),
            }
            for lease in self._opened
        ]

    async def run(self) -> None:
        """End what is due, and write what was served. Ends by cancellation only."""
        while True:
            self.tick()
            await self.write_pending()
            try:
                async with asyncio.timeout(TICK_S):
                    await self._to_write.wait()
            except TimeoutError:
                continue

    def tick(self) -> None:
        """End what is due at this instant and queue the accounts that are due."""
        now, monotonic_s = self.clock.now(), self.clock.monotonic_s()
        for lease, code in self._leases.due(now, monotonic_s):
            self._end(lease, code, REASONS.get(code, ""))
        for opened in self._opened.values():
            every_s = LIVE_FLUSH_S if opened.lease.ticket.act == "live" else REPLAY_FLUSH_S
            if monotonic_s - opened.flushed_s >= every_s:
                opened.flushed_s = monotonic_s
                entry = self._entry(opened, "served")
                if entry.bytes or entry.stepped:
                    self._write(entry)
        if monotonic_s - self._told_s >= REFUSALS_FLUSH_S:
            self._told_s = monotonic_s
            self._tell_refusals()

    def _tell_refusals(self) -> None:
        for since, event, count in self._refusals.take():
            self._write(Refusals(since, event.code, event.account, count))

    async def write_pending(self) -> None:
        """Write the queued entries; when that fails everything ends, and they are tried again later."""
        self._to_write.clear()
        if not self._unwritten:
            return
        batch, self._unwritten = self._unwritten, []
        try:
            await self._spool.append(batch)
        except SpoolError as error:
            log.error("spool not writable, every lease ends: %s", error)
            self._unwritten = batch + self._unwritten
            self.close_all("SPOOL_UNAVAILABLE")
            self._to_write.clear()

    def shut(self) -> None:
        """The gateway stops: everything ends, also what is just opening, and nothing opens any more."""
        self._is_shut = True
        self.close_all("SHUTTING_DOWN")
        self._tell_refusals()

    def close_all(self, code: str) -> None:
        for lease in self._leases.all():
            self._end(lease, code, REASONS[code])

    def _end(self, lease: Lease, code: str, reason: str) -> None:
        if not self._leases.close(lease, code):
            return
        opened = self._opened.pop(lease, None)
        if opened is None:  # still opening: `open` writes its end
            return
        opened.holder.lease_ended(code, reason)
        self._write(self._entry(opened, "closed", code))

    def _entry(self, opened: Opened, kind: Any, reason: str | None = None) -> Entry:
        intervals, size, frames = opened.account.take()
        stepped = opened.account.take_stepped()
        return Entry(self.clock.now(), kind, opened.lease.ticket, intervals, size, frames, reason, stepped)

    def _write(self, entry: Line) -> None:
        self._unwritten.append(entry)
        self._to_write.set()
