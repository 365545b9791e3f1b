"""What the centre's journal anchors of the recordings: the heads of the cameras' chains, and a root per camera and day.

Whoever alters recordings and index together still differs from what the journal holds. Roots are RFC 6962's: of the
heads over `camera uuid, hash` in the order of the cameras, of a day over its segments' hashes in their order.
"""

import uuid
from datetime import UTC, date, datetime, time, timedelta

from recorder.format import NO_HASH, merkle_root
from recorder.index import Index
from recorder.utc import text_from_us
from streams.ticks import at_from_us, us_from_at

HEADS_US = 300_000_000
_SETTLED_US = 600_000_000
"""How long after midnight (UTC) the day's last segments are surely closed."""


def tell_anchors(index: Index, now_us: int, due_us: int) -> None:
    """Add facts that are due: `chain_head` every 5 minutes, `day_root` once a day is over. Cheap while none is.

    A day is over by the time that can be trusted: told under a clock that ran ahead for a while, it would never be told
    again.
    """
    told_us = index.get("heads_us", 0)
    if not told_us <= now_us < told_us + HEADS_US:
        index.put("heads_us", now_us)
        _tell_heads(index, now_us)
        _tell_days(index, now_us, due_us)


def _tell_heads(index: Index, now_us: int) -> None:
    rows = index.query("SELECT uuid, chain FROM camera WHERE chain <> ? ORDER BY uuid", (NO_HASH,))
    if rows:
        heads = {camera: chain.hex() for camera, chain in rows}
        index.fact(now_us, "chain_head", None, count=len(rows), root=heads_root(heads).hex(), heads=heads)


def heads_root(heads: dict[str, str]) -> bytes:
    """From camera uuid to its last segment's hash, hex."""
    return merkle_root([uuid.UUID(camera).bytes + bytes.fromhex(digest) for camera, digest in sorted(heads.items())])


def _tell_days(index: Index, now_us: int, due_us: int) -> None:
    over = at_from_us(due_us - _SETTLED_US).date() - timedelta(days=1)
    told = index.get("day_root")
    day = over if told is None else date.fromisoformat(told) + timedelta(days=1)
    if day > over + timedelta(days=1):
        day = over  # told when the machine's first clock was ahead
    if day > over:
        return
    while day <= over:
        _tell_day(index, day, now_us)
        day += timedelta(days=1)
    index.put("day_root", over.isoformat())


def _tell_day(index: Index, day: date, now_us: int) -> None:
    from_us = us_from_at(datetime.combine(day, time(), UTC))
    to_us = us_from_at(datetime.combine(day + timedelta(days=1), time(), UTC))
    for number, camera in sorted(index.cameras().items()):
        rows = index.query(
            "SELECT start_us, end_us, hash FROM segment WHERE camera = ? AND start_us >= ? AND start_us < ?"
            " AND hash IS NOT NULL ORDER BY id",
            (number, from_us, to_us),
        )
        if rows:
            index.fact(
                now_us,
                "day_root",
                camera,
                day=day.isoformat(),
                count=len(rows),
                root=merkle_root([bytes(digest) for *_, digest in rows]).hex(),
                **{"from": text_from_us(rows[0][0]), "to": text_from_us(max(end for _, end, _ in rows))},
            )
