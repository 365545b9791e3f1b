"""What the page of a replay says of the pictures that a person stepped through one by one. Pure.

Stepping happens in the browser, from bytes that it has already: nobody else could tell, and what the page tells proves
nothing. It is written down as the page's word, beside what was served. A page may send anything: numbers are bounded
here, and times must lie within what its ticket was served (`account.py`).
"""

import json
from datetime import datetime
from typing import Any, NamedTuple

MOST_STRETCHES = 100
"""In one message, and waiting for the spool: a page tells every few seconds, the spool takes them every ten."""
MOST_FRAMES = 10_000


class Stretch(NamedTuple):
    """Pictures stepped through without playing or seeking between them. `from_at` and `to_at` are when the earliest
    and the latest were taken; `frames` counts steps, so that a picture that was come back to counts again."""

    from_at: datetime
    to_at: datetime
    frames: int


def read(body: bytes) -> list[Stretch]:
    """The stretches of a message {stepped: [{from, to, frames}]}. Raises ValueError for anything else."""
    try:
        told = json.loads(body)
        (name,) = told
        items = told[name]
        if name != "stepped" or not isinstance(items, list) or not 0 < len(items) <= MOST_STRETCHES:
            raise ValueError(f"expected stepped, a list of 1 to {MOST_STRETCHES} stretches")
        return [_stretch(item) for item in items]
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError("expected {stepped: [{from, to, frames}]}") from error


def _stretch(item: Any) -> Stretch:
    if not isinstance(item, dict) or item.keys() != {"from", "to", "frames"}:
        raise ValueError("expected a stretch of from, to and frames")
    from_at, to_at, frames = _instant(item["from"]), _instant(item["to"]), item["frames"]
    if not isinstance(frames, int) or isinstance(frames, bool) or not 0 < frames <= MOST_FRAMES:
        raise ValueError(f"expected 1 to {MOST_FRAMES} frames")
    if from_at > to_at:
        raise ValueError("expected from before to")
    return Stretch(from_at, to_at, frames)


def _instant(text: Any) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError("expected an instant with its distance from UTC")
    return at
