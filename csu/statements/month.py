"""A month of each camera of a commune, added up from its days: recorded, missing by cause, shares of exactly 100 %."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from csu import spreadsheet
from csu.statements.days import day_of
from csu.statements.document import first_told
from csu.statements.words import CAUSES, decimal
from recorder.accounts import Cause
from recorder.coverage import RECORDED, percentages

NAMES = (RECORDED, *(str(cause) for cause in Cause))
Row = Mapping[str, Any]


def figures(cameras: Sequence[Row], coverage: Sequence[Row], first: date, last: date, now: datetime) -> dict[str, Any]:
    """The month from `first` to `last`, of the cameras that were under orders on a day of it.

    `coverage` are the rows of its days. `days` is how many of its days are over, for each camera how many were told:
    one that came under orders later has fewer. Shares are of all that was under orders, authorised or not;
    `expected_us` leaves out what no authorisation covered. In microseconds.
    """
    by_camera: dict[str, list[Row]] = {}
    for row in first_told(coverage):
        by_camera.setdefault(row["camera"], []).append(row)
    today = day_of(now)
    lines = [
        {"camera": one["id"], "number": one["number"], "name": one["name"], **_add_up(by_camera[one["id"]])}
        for one in sorted(cameras, key=lambda one: (one["number"], one["id"]))
        if one["id"] in by_camera
    ]
    return {
        "month": f"{first:%Y-%m}",
        "in_progress": today <= last,
        "days": max(0, (min(today, last + timedelta(days=1)) - first).days),
        "days_of_month": (last - first).days + 1,
        "cameras": lines,
        "total": _add_up([row for rows in by_camera.values() for row in rows]),
    }


def _add_up(rows: Sequence[Row]) -> dict[str, Any]:
    sums = dict.fromkeys(NAMES, 0)
    for row in rows:
        for cause, us in row["sums_us"].items():
            sums[cause] = sums.get(cause, 0) + us
    return {
        "days": len({row["day"] for row in rows}),
        "expected_us": sum(row["expected_us"] for row in rows),
        "sums_us": sums,
        "percent": percentages(sums),
    }


def to_csv(month: Mapping[str, Any]) -> str:
    """For a French spreadsheet: decimal commas, seconds."""
    names = [CAUSES[name] for name in NAMES]
    state = "en cours" if month["in_progress"] else "terminé"
    rows: list[Sequence[object]] = [
        ["mois", "état", "caméra", "nom", "jours", "attendu (s)"]
        + [f"{name} (s)" for name in names]
        + [f"{name} (%)" for name in names]
    ]
    rows += [
        [month["month"], state, line["number"], line["name"], line["days"]]
        + [_seconds(line["expected_us"])]
        + [_seconds(line["sums_us"][name]) for name in NAMES]
        + [decimal(line["percent"][name]) for name in NAMES]
        for line in (*month["cameras"], {"number": "total", "name": "", **month["total"]})
    ]
    return spreadsheet.MARK + spreadsheet.lines(rows)


def _seconds(us: int) -> str:
    return f"{us / 1e6:.3f}".replace(".", ",")
