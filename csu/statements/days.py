"""Civil days and months of Europe/Paris. A day has 23, 24 or 25 hours."""

from datetime import date, datetime, time, timedelta

from legal.retention import PARIS


def day_of(at: datetime) -> date:
    return at.astimezone(PARIS).date()


def begins_at(day: date) -> datetime:
    """Midnight; the clocks change at 2 or 3, never then."""
    return datetime.combine(day, time(), PARIS)


def ends_at(day: date) -> datetime:
    return begins_at(day + timedelta(days=1))


def month_of(text: str) -> tuple[date, date]:
    """First and last day of `YYYY-MM`. Raises ValueError."""
    first = datetime.strptime(text, "%Y-%m").replace(tzinfo=PARIS).date()
    if text != f"{first:%Y-%m}":
        raise ValueError("expected YYYY-MM")
    return first, (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
