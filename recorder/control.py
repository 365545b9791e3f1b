"""What the centre may ask of the recorder, on its control socket."""

import asyncio
import base64
import sqlite3
import uuid
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from recorder.adoption import ADOPTING
from recorder.breaker import forget_plan, release_breaker
from recorder.channel import ChannelError
from recorder.coverage import Account, read_account, unite
from recorder.decisions import Hold, Release, verify_hold, verify_release
from recorder.derived import has_parents, put_derived
from recorder.disks import Disk
from recorder.holds import kept_by, list_holds, put_hold, release_hold
from recorder.index import read_facts
from recorder.machine import now_us
from recorder.main import Recorder
from recorder.rates import read_rates
from recorder.sealed import OrderRefused
from recorder.space import Pressure
from recorder.store import SegmentStore
from recorder.utc import at_from_text, text_from_us
from recorder.writer import LOW_BYTES, StorageDown
from streams.ticks import us_from_at

_MOST_FACTS = 5000

T = TypeVar("T")


class Control:
    """Operations, see the table. Reads go through a reader of their own, in a thread of the directory's."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._ruling = asyncio.Lock()
        self._operations = {
            "put_orders": self._put_orders,
            "put_hold": self._put_hold,
            "holds": self._holds,
            "release": self._release,
            "put_derived": self._put_derived,
            "indexes": self._indexes,
            "facts": self._facts,
            "ack": self._ack,
            "status": self._status,
            "needs": self._needs,
            "coverage": self._coverage,
        }

    async def answer(self, op: str, fields: dict[str, Any]) -> dict[str, Any]:
        operation = self._operations.get(op)
        if operation is None:
            raise ChannelError("UNKNOWN_OP", f"expected one of {', '.join(self._operations)}")
        try:
            return await operation(fields)
        except OrderRefused as refused:
            raise ChannelError(refused.code, refused.reason) from refused
        except (StorageDown, sqlite3.Error, OSError) as error:
            raise ChannelError("STORAGE_DOWN", str(error)) from error
        except (KeyError, TypeError, ValueError) as error:
            raise ChannelError("BAD_REQUEST", f"{op}: {type(error).__name__} {error}") from error

    async def _put_orders(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Answered once the orders are on disk and obeyed."""
        return {"version": (await self._recorder.accept(fields["envelope"])).version}

    async def _put_hold(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Answered once the hold is in force: its file and its row are durable in every directory that answers, and
        the others obey it before they destroy again."""
        envelope, disks = fields["envelope"], self._recorder.disks
        hold = verify_hold(envelope, self._recorder.config.order_keys)
        async with self._ruling:
            if await asyncio.to_thread(disks.rulings.admit, hold):
                if us_from_at(hold.to_at) <= now_us():
                    await self._refuse_erased(hold)
                await asyncio.to_thread(disks.rulings.keep, hold, envelope)
            kept = await self._rule(lambda store: put_hold(store.storage, store.index, hold, envelope, now_us()))
        firsts = [first for _, _, first, _ in kept if first is not None]
        lasts = [last for *_, last in kept if last is not None]
        return {
            "id": hold.id,
            "segments": sum(count for count, *_ in kept),
            "bytes": sum(size for _, size, *_ in kept),
            "first": text_from_us(min(firsts)) if firsts else None,
            "last": text_from_us(max(lasts)) if lasts else None,
        }

    async def _refuse_erased(self, hold: Hold) -> None:
        """A window that is over and of which nothing is left, as far as every directory knows all its files."""

        def look(store: SegmentStore) -> bool:
            return store.index.get(ADOPTING) is None and not kept_by(store.index, hold)[0]

        disks = self._recorder.disks
        found = await disks.ask_all(look)
        if len(found) == len(disks) and all(answer is True for answer in found.values()):
            raise OrderRefused("WINDOW_ERASED", "nothing is left of this window")

    async def _holds(self, fields: dict[str, Any]) -> dict[str, Any]:
        answers = await self._recorder.disks.ask_all(lambda store: list_holds(store.index))
        holds = {hold["id"]: hold for answer in answers.values() if isinstance(answer, list) for hold in answer}
        if not holds and not any(isinstance(answer, list) for answer in answers.values()):
            raise StorageDown("no directory answers")
        return {"holds": list(holds.values())}

    async def _release(self, fields: dict[str, Any]) -> dict[str, Any]:
        """End a hold, or a freeze of destruction, as two persons signed for; in every directory."""
        envelope, disks = fields["envelope"], self._recorder.disks
        release = verify_release(envelope, self._recorder.config.order_keys)
        if release.subject == "hold":
            async with self._ruling:
                await asyncio.to_thread(disks.rulings.release, release, envelope)
                await self._rule(lambda store: _release_known(store, release, envelope))
        elif release.subject == "breaker":
            await self._release_breaker(release)
        elif disks.clock.release(release.id):
            at_us, persons = now_us(), list(release.persons)

            def tell(store: SegmentStore) -> None:
                forget_plan(store.index)
                store.index.fact(at_us, f"{release.subject}_released", None, persons=persons)

            disks.submit_all(tell)
        else:
            raise OrderRefused("RELEASE_UNKNOWN", f"no freeze {release.id} of the {release.subject}")
        return {}

    async def _release_breaker(self, release: Release) -> None:
        """Let go what waits by this act in each directory. The same document serves again for one that is away now."""

        def let_go(store: SegmentStore) -> bool:
            if not release_breaker(store.index, release.id):
                return False
            store.apply_released()
            store.index.fact(now_us(), "breaker_released", None, persons=list(release.persons))
            return True

        waiting = self._recorder.breaker
        if waiting is None or waiting.id != release.id:
            raise OrderRefused("RELEASE_UNKNOWN", f"nothing waits by {release.id}")
        said = (await self._recorder.disks.ask_all(let_go)).values()
        if failed := [answer for answer in said if isinstance(answer, StorageDown)]:
            raise failed[0]
        if not any(said):
            raise OrderRefused("RELEASE_UNKNOWN", f"nothing waits by {release.id} any more")

    async def _put_derived(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Keep what was made from pictures as long as these; answered once it is durable."""
        camera = str(uuid.UUID(fields["camera"]))
        window = us_from_at(at_from_text(fields["from"])), us_from_at(at_from_text(fields["to"]))
        kind, data = str(fields["kind"]), base64.b64decode(fields["data"], validate=True)
        due_us, disks = max(now_us(), self._recorder.disks.standing.due_us), self._recorder.disks
        found = await disks.ask_all(lambda store: has_parents(store.index, camera, *window))
        if len(found) < len(disks) or any(isinstance(answer, StorageDown) for answer in found.values()):
            raise StorageDown("its parents may be in a directory that doesn't answer")
        places = [disks[name] for name, has_some in found.items() if has_some]
        if len(places) > 1:
            raise OrderRefused("PARENTS_APART", "this interval's pictures are in several directories")

        def put(store: SegmentStore) -> dict[str, Any] | OrderRefused:
            try:
                if store.storage.free_bytes() - len(data) < LOW_BYTES:
                    raise OrderRefused("NO_ROOM", "what room there is belongs to the recordings")
                return put_derived(store.storage, store.index, camera, *window, kind, data, due_us)
            except OrderRefused as refused:
                return refused

        answer = await (places or [*disks.values()])[0].writer.ask(put)
        if isinstance(answer, OrderRefused):
            raise answer
        return answer

    async def _rule(self, rule: Callable[[SegmentStore], T]) -> list[T]:
        """Have a new ruling obeyed everywhere; what each directory that answers says. A refusal is an answer there,
        not a failure of the storage. Raises OrderRefused, StorageDown when it isn't in force everywhere."""

        def question(store: SegmentStore) -> T | OrderRefused:
            try:
                return rule(store)
            except OrderRefused as refused:
                return refused

        disks = self._recorder.disks
        for disk in disks.values():
            await disk.writer.obey_rulings()
        said: list[T] = []
        for answer in (await disks.ask_all(question)).values():
            if isinstance(answer, OrderRefused):
                raise answer
            if not isinstance(answer, StorageDown):
                said.append(answer)
        if not said:
            raise StorageDown("no directory answers")
        return said

    async def _indexes(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Those whose feeds can be pulled now. `added`: made together with its directory, nothing was lost before."""
        disks = self._recorder.disks.answering()
        return {"indexes": [{"index": disk.state.index, "added": disk.state.added} for disk in disks]}

    def _disk(self, fields: dict[str, Any]) -> Disk:
        """The directory of the index that is asked about; it may be left out where there is one directory only."""
        disks = self._recorder.disks
        if "index" not in fields and len(disks) == 1:
            return next(iter(disks.values()))
        return disks.of_index(str(fields["index"]))

    async def _facts(self, fields: dict[str, Any]) -> dict[str, Any]:
        after, limit = int(fields["after"]), min(int(fields["limit"]), _MOST_FACTS)
        return await self._disk(fields).read(lambda connection: read_facts(connection, after, limit))

    async def _ack(self, fields: dict[str, Any]) -> dict[str, Any]:
        upto = int(fields["upto"])
        await self._disk(fields).writer.ask(lambda store: store.index.acknowledge(upto, now_us()))
        return {}

    async def _status(self, fields: dict[str, Any]) -> dict[str, Any]:
        recorder = self._recorder
        return {
            "cameras": [stream.to_json(camera) for camera, stream in recorder.fleet.streams()],
            "clock": {
                "trusted": recorder.disks.standing.trusted,
                "reason": recorder.disks.standing.reason,
                "freeze": recorder.disks.standing.freeze or None,
            },
            "breaker": self._breaker(),
            "storage": [_disk_json(disk, recorder.rounds.pressures.get(disk.name)) for disk in recorder.disks.values()],
            "degraded": self._degraded(),
        }

    def _breaker(self) -> dict[str, Any] | None:
        one = self._recorder.breaker
        if one is None:
            return None
        return {"id": one.id, "reason": one.reason, "segments": one.segments, "bytes": one.bytes}

    def _degraded(self) -> dict[str, Any]:
        recorder = self._recorder
        state = recorder.degraded
        given_up = [(camera, stream.name) for camera, stream in recorder.fleet.streams() if stream.is_given_up]
        return {
            "level": state.level,
            "reason": state.reason,
            "since": text_from_us(recorder.degraded_since_us) if state.level else None,
            "given_up": [{"camera": camera, "stream": name} for camera, name in given_up],
        }

    async def _needs(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Of each camera the rate of the last day and the days that it is kept, where it records."""
        needs = []
        for disk in self._recorder.disks.answering():
            rates = await disk.read(read_rates)
            needs += [
                {
                    "camera": camera,
                    "path": str(disk.path),
                    "bytes_per_day": rates.get(camera, 0),
                    "retention_days": days,
                }
                for camera, days in self._recorder.fleet.retention_on(disk).items()
            ]
        return {"needs": needs}

    async def _coverage(self, fields: dict[str, Any]) -> dict[str, Any]:
        from_us, to_us = us_from_at(at_from_text(fields["from"])), us_from_at(at_from_text(fields["to"]))
        if to_us <= from_us:
            raise ValueError("from must be before to")
        camera, disks = str(fields["camera"]), self._recorder.disks
        answers = await asyncio.gather(
            *(disk.read(partial(read_account, camera=camera, from_us=from_us, to_us=to_us)) for disk in disks.values()),
            return_exceptions=True,
        )
        failures = [answer for answer in answers if isinstance(answer, BaseException)]
        accounts = [answer for answer in answers if isinstance(answer, Account)]
        if failures and (len(failures) == len(disks) or not all(isinstance(f, StorageDown) for f in failures)):
            raise failures[0]
        coverage = unite(accounts, from_us, to_us, now_us(), away=bool(failures))
        return {"runs": [], "gaps": []} if coverage is None else coverage.to_json()


def _disk_json(disk: Disk, pressure: Pressure | None) -> dict[str, Any]:
    state = disk.state
    return {
        "name": disk.name,
        "path": str(disk.path),
        "index": state.index,
        "ready": state.ready,
        "code": state.code,
        "detail": state.detail,
        "free_bytes": disk.writer.free_bytes if disk.answers else 0,
        "pressure": None if pressure is None else _pressure_json(pressure),
    }


def _pressure_json(pressure: Pressure) -> dict[str, Any]:
    full_at_us = pressure.full_at_us
    return {
        "capacity_bytes": pressure.capacity_bytes,
        "needed_bytes": pressure.needed_bytes,
        "held_bytes": pressure.held_bytes,
        "bytes_per_day": pressure.bytes_per_day,
        "full_at": None if full_at_us is None else text_from_us(full_at_us),
    }


def _release_known(store: SegmentStore, release: Release, envelope: dict[str, Any]) -> None:
    """In one directory; one that came to know the hold never, or the release already, has nothing to do."""
    try:
        release_hold(store.storage, store.index, release, envelope, now_us())
    except OrderRefused as refused:
        if refused.code != "HOLD_UNKNOWN":
            raise
