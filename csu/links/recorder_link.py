"""The ways to the recorder: orders go, facts and states come."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy.ext.asyncio import AsyncConnection

from csu.alarms import keeper
from csu.audit import entries
from csu.audit.entries import Author, Entry
from csu.cameras.secrets import SecretBox
from csu.centre_state import Centre, StreamState
from csu.holds import taking
from csu.links import feed, orders
from csu.recording.state import Freeze, RecorderState, read_state
from csu.statements import intake
from csu.store import facts
from csu.store.facts import KnownCamera
from recorder.channel import ChannelClient, ChannelError
from recorder.orders import sign
from streams.awake import timeout

_ANSWER_S = 5.0
_BATCH = 500
FEED = "facts"
_REFUSALS = frozenset({"ORDER_INVALID", "ORDER_KEY_UNKNOWN", "ORDER_SIGNATURE", "ORDER_OLD", "RETENTION_TOO_LONG"})


class OrderPusher:
    """Builds the orders and hands them over until the recorder has them; again when it comes back."""

    def __init__(self, centre: Centre, channel: ChannelClient, box: SecretBox, key: Ed25519PrivateKey) -> None:
        self._centre = centre
        self._channel = channel
        self._box = box
        self._key = key
        self._delivered = (-1, -1)  # version, arrival of the recorder

    async def run_once(self) -> None:
        """Raises ChannelError and TimeoutError while the recorder is away or refuses."""
        centre = self._centre
        wanted = await orders.current(centre.store, self._box, centre.now())
        arrival = centre.observed.recorder_arrivals
        if self._delivered == (wanted.version, arrival):
            return
        try:
            async with timeout(_ANSWER_S):
                await self._channel.call("put_orders", envelope=sign(wanted, self._key))
        except ChannelError as error:
            centre.observed.orders_refused = error.code if error.code in _REFUSALS else None
            raise
        centre.observed.orders_refused = None
        self._delivered = (wanted.version, arrival)
        centre.journal_grew()


class StatusPoller:
    """Keeps what the recorder says of itself and of its streams."""

    def __init__(self, centre: Centre, channel: ChannelClient) -> None:
        self._centre = centre
        self._channel = channel

    async def run_once(self) -> None:
        observed = self._centre.observed
        try:
            async with timeout(_ANSWER_S):
                status = await self._channel.call("status")
        except (ChannelError, TimeoutError):
            observed.recorder_answers = False
            observed.streams, observed.recorder = {}, None
            raise
        if not observed.recorder_answers:
            observed.recorder_arrivals += 1
            self._centre.orders_wake.set()
        observed.recorder_answers = True
        state = read_state(status)
        frozen, observed.recorder = _freezes(observed.recorder), state
        if frozen != _freezes(state):
            await self._centre.events.publish("recorder")
        streams = {(item["camera"], item["stream"]): _state(item) for item in status["cameras"]}
        changed = {key: s.state for key, s in streams.items()} != {k: s.state for k, s in observed.streams.items()}
        observed.streams = streams
        if changed:
            await self._centre.events.publish("cameras")


def _freezes(state: RecorderState | None) -> tuple[Freeze, ...]:
    return () if state is None else state.freezes


class FactsPuller:
    """Takes over the facts of each of the recorder's indexes: into the journal and the alarms, with the index's cursor,
    in one transaction."""

    def __init__(self, centre: Centre, channel: ChannelClient) -> None:
        self._centre = centre
        self._channel = channel
        self._cursors: dict[str, feed.Cursor] = {}

    async def run_once(self) -> None:
        """Take over what there is. Raises ChannelError and TimeoutError while the recorder, or one of its directories,
        is away; the others' facts are taken over all the same."""
        async with timeout(_ANSWER_S):
            told = (await self._channel.call("indexes"))["indexes"]
        indexes = {str(UUID(one["index"])): bool(one["added"]) for one in told}
        failure: ChannelError | TimeoutError | None = None
        for source in indexes:
            try:
                while await self._take_batch(source, indexes) == _BATCH:
                    pass
            except (ChannelError, TimeoutError) as error:
                failure = error
        if failure is not None:
            raise failure

    async def _take_batch(self, source: str, indexes: Mapping[str, bool]) -> int:
        centre, cursor = self._centre, self._cursors.setdefault(source, feed.Cursor(FEED))
        if cursor.source is None:
            async with centre.store.transaction(None) as connection:
                is_known = await cursor.move_to(connection, source)
                if not is_known:
                    await self._greet(connection, cursor, source, indexes)
            centre.journal_grew()
        async with timeout(_ANSWER_S):
            answer = await self._channel.call("facts", index=source, after=cursor.upto, limit=_BATCH)
        batch = answer["facts"]
        if not batch or answer["index"] != source:
            return 0
        async with centre.store.facts() as reading:
            cameras = await facts.cameras(reading)
        missing, holds = await self._unlisted(batch)
        async with centre.store.transaction(None) as connection:
            if not await cursor.is_current(connection):
                cursor.forget()
                return _BATCH
            written = [entry for fact in batch if (entry := _entry(source, fact, cameras)) is not None]
            await entries.append(connection, written)
            await intake.keep(connection, source, batch, cameras)
            await taking.take_over(connection, holds, missing, cameras)
            for fact in batch:
                await _alarm(connection, fact, cameras)
            await cursor.advance(connection, int(batch[-1]["n"]))
        centre.journal_grew()
        await centre.events.publish("alarms")
        async with timeout(_ANSWER_S):
            await self._channel.call("ack", index=source, upto=cursor.upto)
        return len(batch)

    async def _unlisted(self, batch: list[dict[str, Any]]) -> tuple[dict[str, datetime], list[dict[str, Any]]]:
        """Holds that the recorder took and that have no row here; where there are any, all that it holds now."""
        async with self._centre.store.transaction(None) as connection:
            missing = await taking.unlisted(connection, batch)
        if not missing:
            return {}, []
        async with timeout(_ANSWER_S):
            return missing, (await self._channel.call("holds"))["holds"]

    async def _greet(
        self, connection: AsyncConnection, cursor: feed.Cursor, source: str, indexes: Mapping[str, bool]
    ) -> None:
        """A new index is normal once, and for a directory that was added: one made together with its index, beside
        another that is known here. Else recordings may have been lost, or exchanged."""
        now = self._centre.now()
        is_added = indexes[source] and await cursor.knows_any(connection, indexes.keys() - {source})
        detail = {"index": source, "added": is_added}
        await entries.append(connection, [Entry("recorder:index", now, _RECORDER, result="noted", detail=detail)])
        if cursor.has_others and not is_added:
            await keeper.raise_alarm(connection, FEED, "INDEX_UNKNOWN", source, "", None, now)


_RECORDER = Author(None, "Enregistreur", "système")
_OPS = {
    "run_started": "recording:start",
    "run_ended": "recording:stop",
    "destroyed": "recording:erase",
    "chain_head": "recording:head",
    "day_root": "recording:day",
    "index_rebuilt": "recorder:rebuilt",
    "clock_released": "recorder:released",
    "breaker_released": "recorder:released",
    taking.PUT: "hold:taken",
    "hold_released": "hold:freed",
}
_KEPT = (
    "authorisation",
    "reason",
    "repaired",
    "cause",
    "hour",
    "count",
    "bytes",
    "root",
    "missing",
    "derived",
    "day",
    "persons",
    "hold",
)
_KEPT_OF_REBUILT = ("segments", "damaged", "conflicts", "holes", "gone")


def _entry(source: str, fact: dict[str, Any], cameras: dict[str, KnownCamera]) -> Entry | None:
    """Collection and erasure are operations of CSI R.253-5, and roots over the recordings' hashes are anchored beside
    them; gaps are told by the timeline."""
    op = _OPS.get(fact["kind"])
    if op is None:
        return None
    camera = cameras.get(fact["camera"])
    begins, ends = fact.get("first", fact.get("from")), fact.get("last", fact.get("to"))
    kept = (*_KEPT, *_KEPT_OF_REBUILT)
    return Entry(
        op=op,
        at=_time(fact["at"]),
        author=_RECORDER,
        authority=fact.get("authorisation"),
        commune=None if camera is None else camera.insee,
        camera=fact["camera"],
        camera_name=None if camera is None else f"{camera.number} {camera.name}",
        from_at=None if begins is None else _time(begins),
        to_at=None if ends is None else _time(ends),
        detail={"index": source, "n": fact["n"], **{name: fact[name] for name in kept if name in fact}},
        id=str(uuid5(UUID(source), str(fact["n"]))),
    )


async def _alarm(connection: AsyncConnection, fact: dict[str, Any], cameras: dict[str, KnownCamera]) -> None:
    if fact["kind"] == "alarm_raised":
        camera = cameras.get(fact["subject"])
        commune = None if camera is None else camera.insee
        detail = str(fact.get("detail") or "")
        at = _time(fact["at"])
        await keeper.raise_alarm(connection, "recorder", fact["code"], fact["subject"], detail, commune, at)
    elif fact["kind"] == "alarm_ended":
        await keeper.end_alarm(connection, "recorder", fact["code"], fact["subject"], _time(fact["at"]))


def _state(item: dict[str, Any]) -> StreamState:
    last = item["last_frame_at"]
    return StreamState(
        state=item["state"],
        fault=item["fault"],
        since=None if item["since"] is None else _time(item["since"]),
        last_frame_at=None if last is None else _time(last),
        size=None if item["size"] is None else (item["size"]["width"], item["size"]["height"]),
        per_s=item["fps"],
    )


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
