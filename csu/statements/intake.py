"""Recorders' facts about cameras' days, kept in the transaction that takes them over, once by index and number."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from csu.statements.days import day_of
from csu.store import tables
from csu.store.facts import KnownCamera


async def keep(
    connection: AsyncConnection, source: str, batch: Iterable[Mapping[str, Any]], cameras: Mapping[str, KnownCamera]
) -> None:
    """Keep what a batch of an index's feed tells of cameras that the centre knows, and mark the days it concerns."""
    rows: dict[Table, list[dict[str, Any]]] = {}
    for fact in batch:
        camera = cameras.get(fact["camera"] or "")
        row = _READERS[fact["kind"]](fact) if fact["kind"] in _READERS else None
        if camera is None or row is None:
            continue
        known = {"source": source, "n": fact["n"], "commune": camera.insee, "camera": camera.id}
        rows.setdefault(_TABLES[fact["kind"]], []).append(known | {"told_at": _at(fact["at"])} | row)
    for table, kept in rows.items():
        await connection.execute(insert(table).on_conflict_do_nothing(), kept)
    concerned = {(row["commune"], row["day"]) for kept in rows.values() for row in kept}
    if concerned:
        due = [{"commune": commune, "day": day} for commune, day in sorted(concerned)]
        await connection.execute(insert(tables.statement_due).on_conflict_do_nothing(), due)


def _coverage(fact: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "day": date.fromisoformat(fact["day"]),
        "expected_us": _us(fact["expected_s"]),
        "sums_us": {cause: _us(seconds) for cause, seconds in fact["sums"].items()},
    }


def _destruction(fact: Mapping[str, Any]) -> dict[str, Any]:
    """A recorder of before tells no hour: it is that of the first picture. Nor did it derive anything."""
    first = _at(fact["first"])
    return {
        "day": day_of(_at(fact["at"])),
        "hour": _at(fact["hour"]) if "hour" in fact else first.replace(minute=0, second=0, microsecond=0),
        "cause": fact["cause"],
        "count": fact["count"],
        "bytes": fact["bytes"],
        "first_at": first,
        "last_at": _at(fact["last"]),
        "root": bytes.fromhex(fact["root"]),
        "missing": fact.get("missing", 0),
        "derived": fact.get("derived", 0),
    }


def _inventory(fact: Mapping[str, Any]) -> dict[str, Any] | None:
    """Made in the night after the day. One of a recorder of before says too little."""
    if "away" not in fact:
        return None
    return {
        "day": day_of(_at(fact["at"])) - timedelta(days=1),
        "files": fact["count"],
        "bytes": fact["bytes"],
        "oldest_at": None if fact["oldest"] is None else _at(fact["oldest"]),
        "overdue": fact["overdue"],
        "held": fact["held"],
        "held_bytes": fact["held_bytes"],
        "away": fact["away"],
    }


_TABLES = {"coverage_day": tables.coverage_day, "destroyed": tables.destruction, "inventory": tables.inventory}
_READERS = {"coverage_day": _coverage, "destroyed": _destruction, "inventory": _inventory}


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _us(seconds: float) -> int:
    return round(seconds * 1_000_000)
