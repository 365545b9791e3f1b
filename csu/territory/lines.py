"""A camera's line of an arrêté: as it is entered, as the law sees it, as it stands in its row."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from csu.schemas import Line as OneLine
from legal.authorisations import Line, Plan

_Latitude = Annotated[float, Field(ge=-90, le=90)]
_Longitude = Annotated[float, Field(ge=-180, le=180)]
_Share = Annotated[float, Field(ge=0, le=1)]
_Angle = Annotated[float, Field(ge=-360, le=360)]
Position = tuple[_Latitude, _Longitude]
# Corners; three at least.
Zone = Annotated[list[Position], Field(min_length=3, max_length=100)]
Mask = Annotated[list[tuple[_Share, _Share]], Field(min_length=3, max_length=100)]


class Place(BaseModel):
    """Where a site is."""

    latitude: _Latitude | None = None
    longitude: _Longitude | None = None

    @model_validator(mode="after")
    def _whole(self) -> "Place":
        if (self.latitude is None) != (self.longitude is None):
            raise ValueError("`latitude` and `longitude` go together")
        return self


class Limits(BaseModel):
    """How far a camera that moves may look: degrees from-to, and the greatest zoom."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pan: tuple[_Angle, _Angle] | None = None
    tilt: tuple[_Angle, _Angle] | None = None
    zoom: Annotated[float | None, Field(gt=0, le=1000)] = None


class Details(BaseModel):
    """What an arrêté and its plans say of one camera beside its purposes and its retention."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    position: Position | None = None
    field: Zone | None = None
    masks: Annotated[list[Mask], Field(max_length=50)] = []
    ptz: Limits | None = None
    plan: Plan | None = None
    fast_flow: bool = False
    width: Annotated[int | None, Field(gt=0, le=20_000)] = None
    height: Annotated[int | None, Field(gt=0, le=20_000)] = None
    per_s: Annotated[float | None, Field(gt=0, le=1000)] = None
    # The document that shows that faces of 90 x 60 can be had below 704 x 576 (arrêté du 3 août 2007, art. 2).
    exemption: Annotated[OneLine | None, Field(min_length=3, max_length=120)] = None


class Terms(BaseModel):
    """Purposes, use, retention, recipients: what an arrêté decides."""

    finalites: Annotated[list[str], Field(min_length=1, max_length=20)]
    visualised: bool = True
    recorded: bool = True
    # Whatever is asked, the law's answer names its code (legal.retention): the bounds here are those of the column.
    retention_days: Annotated[int, Field(ge=-1000, le=1000)]
    minimum_days: Annotated[int | None, Field(ge=-1000, le=1000)] = None
    recipients: Annotated[list[Annotated[OneLine, Field(min_length=2, max_length=120)]], Field(max_length=30)] = []


def line_of(terms: Mapping[str, Any], details: Mapping[str, Any]) -> Line:
    """The line that two dumped models, or twice one row, make."""
    zone, ptz, at = details["field"], details["ptz"], details["position"]
    return Line(
        finalites=tuple(sorted(set(terms["finalites"]))),
        visualised=terms["visualised"],
        recorded=terms["recorded"],
        retention_days=terms["retention_days"],
        minimum_days=terms["minimum_days"],
        recipients=tuple(terms["recipients"]),
        position=None if at is None else (at[0], at[1]),
        field=None if zone is None else _corners(zone),
        masks=tuple(_corners(mask) for mask in details["masks"]),
        ptz=None if ptz is None else {name: _limit(value) for name, value in ptz.items() if value is not None},
        plan=None if details["plan"] is None else Plan(details["plan"]),
        fast_flow=details["fast_flow"],
        width=details["width"],
        height=details["height"],
        per_s=details["per_s"],
        exemption=details["exemption"],
    )


def values_of(line: Line) -> dict[str, Any]:
    """The columns of a line."""
    return {
        "finalites": list(line.finalites),
        "visualised": line.visualised,
        "recorded": line.recorded,
        "retention_days": line.retention_days,
        "minimum_days": line.minimum_days,
        "recipients": list(line.recipients),
        "position": None if line.position is None else list(line.position),
        "field": None if line.field is None else [list(corner) for corner in line.field],
        "masks": [[list(corner) for corner in mask] for mask in line.masks],
        "ptz": None if line.ptz is None else {name: _plain(value) for name, value in line.ptz.items()},
        "plan": None if line.plan is None else line.plan.value,
        "fast_flow": line.fast_flow,
        "width": line.width,
        "height": line.height,
        "per_s": line.per_s,
        "exemption": line.exemption,
    }


def _corners(polygon: Any) -> tuple[tuple[float, float], ...]:
    return tuple((corner[0], corner[1]) for corner in polygon)


def _limit(value: Any) -> float | tuple[float, float]:
    return (value[0], value[1]) if isinstance(value, list | tuple) else float(value)


def _plain(value: float | tuple[float, float]) -> Any:
    return list(value) if isinstance(value, tuple) else value
