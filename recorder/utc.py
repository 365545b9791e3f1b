"""UTC as text: ISO 8601 with microseconds and a final Z, the only form in which times leave this room."""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - without a zone, the text is made three times faster


def text_from_at(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def text_from_us(us: int) -> str:
    return (_EPOCH + timedelta(microseconds=us)).isoformat(timespec="microseconds") + "Z"


def at_from_text(text: str) -> datetime:
    """Raises ValueError for anything but an ISO 8601 instant with its offset."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"expected an offset or Z at the end of {text!r}")
    return at.astimezone(UTC)
