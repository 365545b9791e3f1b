"""What the centre may ask of the recorder, on its control socket."""

import asyncio
import sqlite3
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from recorder.adoption import ADOPTING
from recorder.channel import ChannelError
from recorder.coverage import read_coverage
from recorder.decisions import verify_hold, verify_release
from recorder.holds import list_holds, put_hold, release_hold
from recorder.index import open_reader, read_facts
from recorder.machine import now_us
from recorder.sealed import OrderRefused
from recorder.store import SegmentStore
from recorder.utc import at_from_text
from recorder.writer import StorageDown
from streams.ticks import us_from_at

if TYPE_CHECKING:
    from recorder.main import Recorder

_MOST_FACTS = 5000


class Control:
    """Operations, see the table. Reads go through a reader of their own, in a thread."""

    def __init__(self, recorder: "Recorder") -> None:
        self._recorder = recorder
        self._operations = {
            "put_orders": self._put_orders,
            "put_hold": self._put_hold,
            "holds": self._holds,
            "release": self._release,
            "facts": self._facts,
            "ack": self._ack,
            "status": self._status,
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
        """Answered once the hold is in force: its file and its row are durable."""
        envelope = fields["envelope"]
        hold = verify_hold(envelope, self._recorder.config.order_keys)
        return await self._rule(
            lambda store: put_hold(
                store.storage, store.index, hold, envelope, now_us(), store.index.get(ADOPTING) is None
            )
        )

    async def _holds(self, fields: dict[str, Any]) -> dict[str, Any]:
        return {"holds": await self._recorder.writer.ask(lambda store: list_holds(store.index))}

    async def _release(self, fields: dict[str, Any]) -> dict[str, Any]:
        """End a hold, or a freeze of destruction, as two persons signed for."""
        envelope = fields["envelope"]
        release = verify_release(envelope, self._recorder.config.order_keys)

        def rule(store: SegmentStore) -> dict[str, Any]:
            at_us = now_us()
            if release.subject == "hold":
                release_hold(store.storage, store.index, release, envelope, at_us)
            elif self._recorder.writer.released(release.id):
                store.index.fact(at_us, f"{release.subject}_released", None, persons=list(release.persons))
            else:
                raise OrderRefused("RELEASE_UNKNOWN", f"no freeze {release.id} of the {release.subject}")
            return {}

        return await self._rule(rule)

    async def _rule(self, rule: Callable[[SegmentStore], dict[str, Any]]) -> dict[str, Any]:
        """Ask the writer; a refusal is an answer there, not a failure of the storage. Raises OrderRefused."""

        def question(store: SegmentStore) -> dict[str, Any] | OrderRefused:
            try:
                return rule(store)
            except OrderRefused as refused:
                return refused

        answer = await self._recorder.writer.ask(question)
        if isinstance(answer, OrderRefused):
            raise answer
        return answer

    async def _facts(self, fields: dict[str, Any]) -> dict[str, Any]:
        after, limit = int(fields["after"]), min(int(fields["limit"]), _MOST_FACTS)
        return await asyncio.to_thread(self._read_facts, after, limit)

    def _read_facts(self, after: int, limit: int) -> dict[str, Any]:
        with _Reader(self._recorder) as connection:
            return read_facts(connection, after, limit)

    async def _ack(self, fields: dict[str, Any]) -> dict[str, Any]:
        upto = int(fields["upto"])
        await self._recorder.writer.ask(lambda store: store.index.acknowledge(upto, now_us()))
        return {}

    async def _status(self, fields: dict[str, Any]) -> dict[str, Any]:
        recorder = self._recorder
        storage = recorder.storage
        return {
            "cameras": [stream.to_json(camera) for camera, stream in recorder.streams()],
            "clock": {
                "trusted": recorder.clock.trusted,
                "reason": recorder.clock.reason,
                "freeze": recorder.clock.freeze or None,
            },
            "storage": [
                {
                    "path": str(recorder.config.storage),
                    "ready": storage.ready,
                    "code": storage.code,
                    "detail": storage.detail,
                    "free_bytes": storage.free_bytes,
                }
            ],
            "index": storage.index,
        }

    async def _coverage(self, fields: dict[str, Any]) -> dict[str, Any]:
        from_us, to_us = us_from_at(at_from_text(fields["from"])), us_from_at(at_from_text(fields["to"]))
        if to_us <= from_us:
            raise ValueError("from must be before to")
        return await asyncio.to_thread(self._read_coverage, str(fields["camera"]), from_us, to_us)

    def _read_coverage(self, camera: str, from_us: int, to_us: int) -> dict[str, Any]:
        with _Reader(self._recorder) as connection:
            coverage = read_coverage(connection, camera, from_us, to_us, now_us())
        return {"runs": [], "gaps": []} if coverage is None else coverage.to_json()


class _Reader:
    """A connection for one question."""

    def __init__(self, recorder: "Recorder") -> None:
        self._path = recorder.config.storage / "index.db"

    def __enter__(self) -> sqlite3.Connection:
        self._connection = open_reader(self._path)
        return self._connection

    def __exit__(self, *_: object) -> None:
        self._connection.close()
