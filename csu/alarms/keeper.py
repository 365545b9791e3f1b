"""Alarms in their table: raised once, ended once, and our own kept in line with what is observed."""

import time
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from uuid import uuid4

from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from csu.alarms import words
from csu.audit.sequencer import oldest_unnumbered
from csu.centre_state import Centre
from csu.store import tables
from streams.awake import running_awake

OWN = "control"
_LATE_S = 10.0


async def raise_alarm(
    connection: AsyncConnection, source: str, code: str, subject: str, detail: str, commune: str | None, at: datetime
) -> None:
    """Raise an alarm unless it is on."""
    row = {
        "id": str(uuid4()),
        "source": source,
        "code": code,
        "subject": subject,
        "commune": commune,
        "detail": detail,
        "since": at,
    }
    statement = insert(tables.alarm).values(row)
    same = ["source", "code", "subject"]
    await connection.execute(statement.on_conflict_do_nothing(index_elements=same, index_where=text("ended IS NULL")))


async def end_alarm(connection: AsyncConnection, source: str, code: str, subject: str, at: datetime) -> None:
    """End an alarm if it is on, not before it began."""
    alarm = tables.alarm
    statement = update(alarm).where(alarm.c.source == source, alarm.c.code == code, alarm.c.subject == subject)
    await connection.execute(statement.where(alarm.c.ended.is_(None)).values(ended=func.greatest(alarm.c.since, at)))


async def keep(
    connection: AsyncConnection,
    source: str,
    codes: Collection[str],
    wanted: Mapping[tuple[str, str], tuple[str, str | None]],
    at: datetime,
) -> bool:
    """Bring a source's alarms of these codes to what is wanted: code and subject, with detail and commune. Another
    detail is another alarm. Whether any began or ended."""
    alarm = tables.alarm
    statement = select(alarm.c.code, alarm.c.subject, alarm.c.detail).where(
        alarm.c.source == source, alarm.c.code.in_(codes), alarm.c.ended.is_(None)
    )
    on = {(row[0], row[1]): row[2] for row in await connection.execute(statement)}
    over = {key for key, detail in on.items() if key not in wanted or wanted[key][0] != detail}
    begun = wanted.keys() - (on.keys() - over)
    for code, subject in sorted(over):
        await end_alarm(connection, source, code, subject, at)
    for code, subject in sorted(begun):
        detail, commune = wanted[code, subject]
        await raise_alarm(connection, source, code, subject, detail, commune, at)
    return bool(over or begun)


class AlarmKeeper:
    """Raises and ends the alarms that the control plane sees itself."""

    def __init__(self, centre: Centre) -> None:
        self._centre = centre

    async def run_once(self) -> None:
        now = self._centre.now()
        alarm = tables.alarm
        async with self._centre.store.transaction(None) as connection:
            wanted = self._observed()
            waits_since = await oldest_unnumbered(connection)
            if waits_since is not None and self._waited_s(now - waits_since) > _LATE_S:
                wanted["JOURNAL_LATE"] = ""
            statement = select(alarm.c.code).where(alarm.c.source == OWN, alarm.c.ended.is_(None))
            on = set((await connection.scalars(statement)).all())
            for code in wanted.keys() - on:
                await raise_alarm(connection, OWN, code, words.WHOLE, wanted[code], None, now)
            for code in on - wanted.keys():
                await end_alarm(connection, OWN, code, words.WHOLE, now)
        if on != wanted.keys():
            await self._centre.events.publish("alarms")

    def _waited_s(self, age: timedelta) -> float:
        """Without our own pauses, in which the sequencer stood still with us."""
        now_s = time.monotonic()
        return running_awake().waited_s(now_s - age.total_seconds(), now_s)

    def _observed(self) -> dict[str, str]:
        """Codes of what is wrong, with details."""
        seen = self._centre.observed
        wrong = {
            "RECORDER_UNREACHABLE": seen.recorder_answers is False,
            "GATEWAY_UNREACHABLE": seen.gateway_answers is False,
            "VALKEY_DOWN": self._centre.events.is_up is False,
            "ORDERS_REFUSED": seen.orders_refused is not None,
            "ANCHOR_FAILED": seen.anchors_failed != "",
        }
        # The recorder's own alarms come with its facts, which lie on the very storage that takes nothing; of one
        # directory among others they lie on another.
        if seen.recorder is not None and not any(one.ready for one in seen.recorder.directories):
            wrong |= {one.code: True for one in seen.recorder.directories}
        details = {"ORDERS_REFUSED": seen.orders_refused or "", "ANCHOR_FAILED": seen.anchors_failed}
        return {code: details.get(code, "") for code, is_wrong in wrong.items() if is_wrong}
