"""Dates that a person types on a command line. Each raises ValueError with what was expected."""

from datetime import date, datetime


def instant(option: str, text: str) -> datetime:
    """UTC."""
    from recorder.utc import at_from_text

    try:
        return at_from_text(text)
    except (ValueError, OverflowError) as error:
        expected = "expected a date and time with its offset or Z, such as 2026-11-26T08:30:00+01:00"
        raise ValueError(f"{option}: {expected}; got {text!r}") from error


def day(option: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"{option}: expected a day, such as 2026-11-26; got {text!r}") from error


def month(option: str, text: str) -> datetime:
    """Its first instant in Paris."""
    from legal.retention import PARIS

    try:
        return datetime.strptime(text, "%Y-%m").replace(tzinfo=PARIS)
    except ValueError as error:
        raise ValueError(f"{option}: expected a month, such as 2026-11; got {text!r}") from error
