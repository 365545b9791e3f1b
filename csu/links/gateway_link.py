"""The ways to the gateway: open pictures are decided again without end, and what was served comes back."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import RowMapping, select
from sqlalchemy.ext.asyncio import AsyncConnection

from csu.accounts import sessions
from csu.accounts.setback import heed
from csu.audit import entries, security
from csu.audit.entries import SYSTEM, Author, Entry
from csu.centre_state import Centre
from csu.links import feed
from csu.store import facts, tables
from csu.store.facts import KnownCamera
from csu.tickets import CLOCK_LEEWAY, REDEEM_WITHIN
from legal.acts import Act, Refused
from legal.facts import Actor
from legal.motifs import Motif
from legal.permissions import decide
from recorder.channel import ChannelClient, ChannelError
from streams.awake import timeout

_ANSWER_S = 3.0
_BATCH = 500
FEED = "spool"

_SESSION_ENDED = Refused("SESSION_ENDED", "La session est fermée.", "CSI R.253-2")
_SESSION_LOCKED = Refused("SESSION_LOCKED", "Le poste est verrouillé.", "CSI R.253-2")
_OF_THE_POST = frozenset({_SESSION_ENDED, _SESSION_LOCKED})
_UNKNOWN = Refused("TICKET_UNKNOWN", "Cet accès n'a pas été accordé par le centre.", "CSI R.253-5")


@dataclass(frozen=True, slots=True)
class _Facts:
    """What open tickets are decided on: the journal's entries that granted them, and the legal facts of now."""

    granted: dict[str, RowMapping]
    sessions: dict[str, RowMapping]
    actors: dict[str, Actor]
    cameras: dict[str, KnownCamera]


class Renewer:
    """Every turn decides each open picture again, then renews the others; the refused are cut and journalled.

    The facts are read before anything is renewed: without a database nothing is, and leases die by themselves. Tickets
    that can still be redeemed are decided again too: the gateway opens none that it was told to withhold.
    """

    def __init__(self, centre: Centre, channel: ChannelClient) -> None:
        self._centre = centre
        self._channel = channel
        self._open: list[str] = []
        self._withheld: set[str] = set()

    async def run_once(self) -> None:
        """Raises ChannelError and TimeoutError while the gateway is away, the database's errors while that is."""
        observed = self._centre.observed
        await heed(self._centre, self._centre.now())
        # Reads the database also when nothing is open: a gateway is renewed only by who could withdraw.
        cut = await self._refused(self._open)
        known = set(self._open)
        leases = await self._renew(cut)
        # Those opened since the last turn, or not yet opened, are decided in this one.
        is_open = {lease["ticket"] for lease in leases}
        fresh = await self._refused(is_open - known)
        redeemable = await self._redeemable()
        withheld = await self._refused(redeemable - is_open - self._withheld - cut.keys())
        if fresh or withheld:
            leases = await self._renew(fresh, withheld)
        self._withheld = (self._withheld | cut.keys() | fresh.keys() | withheld.keys()) & redeemable
        before = observed.open_leases
        observed.open_leases = leases
        self._open = [lease["ticket"] for lease in leases]
        if {lease["ticket"] for lease in before} != set(self._open):
            await self._centre.events.publish("session")

    async def _renew(
        self, cut: dict[str, Refused], withheld: Mapping[str, Refused] = MappingProxyType({})
    ) -> list[dict[str, Any]]:
        """What is open when these are cut, which is journalled, and those are not to be opened; one of them that was
        opened just before is cut too."""
        told = {**cut, **withheld}
        asked = [{"ticket": t, "code": refused.code, "reason": refused.reason} for t, refused in told.items()]
        try:
            async with timeout(_ANSWER_S):
                answer = await self._channel.call("renew", cut=asked)
        except (ChannelError, TimeoutError):
            self._centre.observed.gateway_answers = False
            self._centre.observed.open_leases = []
            raise
        self._centre.observed.gateway_answers = True
        gone = set(answer["cut"])
        # A post that is left or locked closes its pictures by itself: those that it had closed were not cut.
        closed = {ticket for ticket, why in cut.items() if why in _OF_THE_POST} - set(answer["ended"])
        ended = ((gone & cut.keys()) - closed) | (set(answer["ended"]) & withheld.keys())
        if ended:
            await self._journal(told, ended)
        return [lease for lease in answer["open"] if lease["ticket"] not in gone]

    async def _redeemable(self) -> set[str]:
        """Tickets that a gateway may still be shown, by whose clock ever."""
        journal, now = tables.journal, self._centre.now()
        statement = select(journal.c.id).where(
            journal.c.op.in_([Act.PICTURE_LIVE, Act.PICTURE_REPLAY]),
            journal.c.result == "done",
            journal.c.at > now - REDEEM_WITHIN - CLOCK_LEEWAY,
            journal.c.at < now + CLOCK_LEEWAY,
        )
        async with self._centre.store.transaction(None) as connection:
            return set((await connection.scalars(statement)).all())

    async def _refused(self, tickets: Iterable[str]) -> dict[str, Refused]:
        """Those of these tickets that may not open pictures, each with the reason."""
        ids = list(tickets)
        now = self._centre.now()
        known = await self._read(ids)
        refused = {ticket: _decide(ticket, known, now) for ticket in ids}
        return {ticket: outcome for ticket, outcome in refused.items() if outcome is not None}

    async def _read(self, tickets: list[str]) -> _Facts:
        async with self._centre.store.transaction(None) as connection:
            granted = await _granted(connection, tickets)
        async with self._centre.store.facts() as connection:
            rows = granted.values()
            return _Facts(
                granted,
                await sessions.find_many(connection, list({row["session"] for row in rows})),
                await facts.actors(connection, {row["author"] for row in rows}),
                await facts.cameras(connection, {row["camera"] for row in rows}),
            )

    async def _journal(self, cut: dict[str, Refused], ended: set[str]) -> None:
        """Withdrawal is done when the gateway has said so: the entry tells when that was."""
        now = self._centre.now()
        async with self._centre.store.transaction(None) as connection:
            granted = await _granted(connection, list(cut))
            cuts = [
                _about(granted.get(ticket), Entry("picture:cut", now, SYSTEM, detail={"ticket": ticket})).refused(why)
                for ticket, why in cut.items()
                if ticket in ended
            ]
            await entries.append(connection, cuts)
        self._centre.journal_grew()


def _decide(ticket: str, known: _Facts, now: datetime) -> Refused | None:
    row = known.granted.get(ticket)
    if row is None:
        return _UNKNOWN
    session = known.sessions.get(row["session"])
    actor = known.actors.get(row["author"])
    camera = known.cameras.get(row["camera"])
    if session is None or actor is None or not sessions.in_force(session, now):
        return _SESSION_ENDED
    if session["locked_at"] is not None:
        return _SESSION_LOCKED
    if camera is None:
        return _UNKNOWN
    motif = Motif(row["motif_code"], row["motif_reference"])
    window = None if row["from_at"] is None or row["to_at"] is None else (row["from_at"], row["to_at"])
    outcome = decide(actor, Act(row["op"]), replace(camera.subject, window=window), motif, now)
    return outcome if isinstance(outcome, Refused) else None


class SpoolPuller:
    """Takes over what the gateway really served, into the journal."""

    def __init__(self, centre: Centre, channel: ChannelClient) -> None:
        self._centre = centre
        self._channel = channel
        self._cursor = feed.Cursor(FEED)

    async def run_once(self) -> None:
        """Take over what there is. Raises ChannelError and TimeoutError while the gateway is away."""
        while await self._take_batch() == _BATCH:
            pass

    async def _take_batch(self) -> int:
        centre, cursor = self._centre, self._cursor
        async with timeout(_ANSWER_S):
            answer = await self._channel.call("spool", after=cursor.upto, limit=_BATCH)
        source, batch = str(UUID(answer["spool"])), answer["entries"]
        if source != cursor.source:
            async with centre.store.transaction(None) as connection:
                await cursor.move_to(connection, source)
            return _BATCH
        if not batch:
            return 0
        async with centre.store.transaction(None) as connection:
            if not await cursor.is_current(connection):
                cursor.forget()
                return _BATCH
            looks = [item for item in batch if item["kind"] != "refused"]
            granted = await _granted(connection, [item["ticket"] for item in looks])
            written = [_about(granted.get(item["ticket"]), _served(source, item)) for item in looks]
            await entries.append(connection, written)
            await security.take_over(connection, source, [item for item in batch if item["kind"] == "refused"])
            await cursor.advance(connection, int(batch[-1]["n"]))
        centre.journal_grew()
        async with timeout(_ANSWER_S):
            await self._channel.call("ack", upto=cursor.upto)
        return len(batch)


_GATEWAY = Author(None, "Passerelle", "système")


def _served(source: str, item: dict[str, Any]) -> Entry:
    """An entry of the spool as an entry of the journal: the pictures' own times, and how much."""
    intervals = item["intervals"]
    detail = {name: item[name] for name in ("ticket", "act", "streams", "bytes", "frames", "reason")}
    if "page_says_stepped" in item:
        detail["page_says_stepped"] = item["page_says_stepped"]
    return Entry(
        op=f"picture:{item['kind']}",
        at=datetime.fromisoformat(item["at"]),
        author=_GATEWAY,
        result="noted",
        camera=item["camera"],
        from_at=datetime.fromisoformat(intervals[0][0]) if intervals else None,
        to_at=datetime.fromisoformat(intervals[-1][1]) if intervals else None,
        detail={**detail, "intervals": intervals, "spool": source, "n": item["n"]},
        id=str(uuid5(UUID(source), str(item["n"]))),
    )


async def _granted(connection: AsyncConnection, tickets: list[str]) -> dict[str, RowMapping]:
    """The entries that granted tickets: a ticket bears the id of its entry."""
    journal = tables.journal
    statement = select(journal).where(journal.c.id.in_(tickets), journal.c.result == "done")
    return {row["id"]: row for row in (await connection.execute(statement)).mappings()}


def _about(granted: RowMapping | None, entry: Entry) -> Entry:
    """The same person, camera, commune, authority and motif as the entry that granted the ticket."""
    if granted is None:
        return entry
    author = Author(
        granted["author"], granted["author_name"], granted["quality"], granted["workstation"], granted["session"]
    )
    names = "authority", "commune", "camera", "camera_name"
    motif = Motif(granted["motif_code"], granted["motif_reference"])
    return replace(entry, author=author, motif=motif, **{name: granted[name] for name in names})
