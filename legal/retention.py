"""How long a recording may be kept.

Sources: code de la sécurité intérieure, L.252-5 (recordings are destroyed within the delay fixed by the authorisation,
at most one month) and R.253-4 (the authorisation may also fix a minimum; data are erased automatically at the end).
"""

import calendar
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

PARIS = ZoneInfo("Europe/Paris")
LONGEST_DAYS = 31
_SHORTEST_MONTH_DAYS = 28  # some less by an hour, when the clocks change
UNFIXED_MINIMUM_DAYS = 8
"""Before this no recording goes for want of space, where the authorisation fixes no minimum (R.253-4: it may).

Nothing forbids an earlier end then, but a case would be lost by it: an enquête de flagrance lasts eight days (CPP,
art. 53), and in it recordings are requisitioned (CPP, art. 60-1). A delay shorter than that ends at its own deadline.
"""
SOURCE = "CSI, art. L.252-5 et R.253-4"


class RetentionRefused(ValueError):
    """A delay that the law doesn't allow; `code` is stable, the text is French for the person who set it."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.source = SOURCE


def check_retention(retention_days: int, minimum_days: int | None) -> None:
    """Raise RetentionRefused unless 1 <= minimum <= retention <= one month (CSI L.252-5, R.253-4)."""
    if retention_days < 1:
        raise RetentionRefused("RETENTION_INVALID", "La durée de conservation est d'au moins un jour.")
    if retention_days > LONGEST_DAYS:
        raise RetentionRefused(
            "RETENTION_TOO_LONG",
            f"La durée de conservation ne peut dépasser un mois ({retention_days} jours demandés).",
        )
    if minimum_days is not None and not 0 <= minimum_days <= retention_days:
        raise RetentionRefused(
            "RETENTION_INVALID", "La durée minimale de conservation dépasse la durée maximale, ou est négative."
        )


def protected_days(retention_days: int, minimum_days: int | None) -> int:
    """How long a recording may not go for want of space: the authorisation's minimum, or ours; its delay at most."""
    return min(UNFIXED_MINIMUM_DAYS if minimum_days is None else minimum_days, retention_days)


def check_choice(days: int, authorised_days: int, minimum_days: int | None) -> None:
    """Raise RetentionRefused unless a commune may keep recordings so long: within what the arrêté allows, and no
    shorter than the minimum that it fixes (CSI L.252-5, R.253-4)."""
    check_retention(days, None)
    if days > authorised_days:
        raise RetentionRefused(
            "RETENTION_TOO_LONG",
            f"L'arrêté ne permet que {authorised_days} jours : au-delà, il faut un arrêté modificatif.",
        )
    if minimum_days is not None and days < minimum_days:
        raise RetentionRefused(
            "RETENTION_INVALID", f"L'arrêté fixe une durée minimale de conservation de {minimum_days} jours."
        )


def kept_days(authorised_days: int, minimum_days: int | None, chosen_days: int | None) -> int:
    """How long recordings are kept: as chosen, within the bounds of the arrêté of the moment."""
    if chosen_days is None:
        return authorised_days
    return max(min(chosen_days, authorised_days), minimum_days or 0)


def deadline_at(oldest_at: datetime, retention_days: int) -> datetime:
    """When a recording whose oldest frame is of `oldest_at` must be destroyed, in UTC (CSI L.252-5).

    The earlier of `retention_days` times 24 hours, and the same civil time in Paris one month later, on that month's
    last day where it has no such day: a picture of 31 January dies on 28 or 29 February. Raises RetentionRefused over
    one month, ValueError for a naive datetime.
    """
    check_retention(retention_days, None)
    if oldest_at.tzinfo is None:
        raise ValueError("expected an aware datetime")
    by_days = oldest_at.astimezone(UTC) + timedelta(days=retention_days)
    return by_days if retention_days < _SHORTEST_MONTH_DAYS else min(by_days, month_later(oldest_at))


def month_later(at: datetime) -> datetime:
    """The same civil time in Paris one month later, in UTC.

    A civil time that comes twice (autumn) means its first; one that the clocks skip (spring) means the instant at
    which they skip it. Both choices err on the side of the earlier destruction.
    """
    local = at.astimezone(PARIS)
    year, month = (local.year, local.month + 1) if local.month < 12 else (local.year + 1, 1)
    day = min(local.day, calendar.monthrange(year, month)[1])
    civil = local.replace(year=year, month=month, day=day, fold=0)
    later = civil.astimezone(UTC)
    # In the skipped hour fold=0 reads the offset of before the change, which lands at or after the skip.
    after_skip = later.astimezone(PARIS)
    if after_skip.replace(tzinfo=None) != civil.replace(tzinfo=None):
        later -= after_skip.replace(tzinfo=None) - _hour_start(after_skip)
    return later


def _hour_start(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0, tzinfo=None)
