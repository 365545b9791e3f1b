"""What /metrics tells besides the process's own counts: numbers only, no person, no camera by name."""

from collections import Counter
from datetime import datetime

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from csu.audit.sequencer import oldest_unnumbered
from csu.centre_state import Centre
from csu.store import tables
from csu.store.store import UNAVAILABLE


async def exposition(centre: Centre) -> bytes:
    """The Prometheus text. What only the database knows is left out while it is away; `csu_database_up` says so."""
    registry = CollectorRegistry()
    _observed(centre, registry)
    up = Gauge("csu_database_up", "Whether PostgreSQL answers.", registry=registry)
    try:
        async with centre.store.transaction(None) as connection:
            await _stored(connection, centre.now(), registry)
        up.set(1)
    except UNAVAILABLE:
        up.set(0)
    return generate_latest() + generate_latest(registry)


def _observed(centre: Centre, registry: CollectorRegistry) -> None:
    seen = centre.observed
    states = Counter(stream.state for (_, name), stream in seen.streams.items() if name == "main")
    cameras = Gauge("csu_cameras", "Cameras by the state of their main stream.", ["state"], registry=registry)
    for state, count in states.items():
        cameras.labels(state).set(count)
    acts = Counter(lease["act"] for lease in seen.open_leases)
    leases = Gauge("csu_open_leases", "Pictures open at the gateway.", ["act"], registry=registry)
    for act in ("live", "replay"):
        leases.labels(act).set(acts[act])


async def _stored(connection: AsyncConnection, now: datetime, registry: CollectorRegistry) -> None:
    alarm = tables.alarm
    on = select(alarm.c.code, func.count()).where(alarm.c.ended.is_(None)).group_by(alarm.c.code)
    alarms = Gauge("csu_alarms", "Alarms in progress.", ["code"], registry=registry)
    for code, count in await connection.execute(on):
        alarms.labels(code).set(count)
    waits_since = await oldest_unnumbered(connection)
    lag_s = 0.0 if waits_since is None else max(0.0, (now - waits_since).total_seconds())
    lag = Gauge("csu_journal_lag_seconds", "Age of the oldest entry without a leaf number.", registry=registry)
    lag.set(lag_s)
