"""Every second of every camera under orders: in a run, or in a gap that has a cause.

A camera under orders is at any time in exactly one of the two; leaving one enters the other at the same instant.
The rows change in the transaction of the wave, with the facts that tell the centre.
"""

from dataclasses import dataclass
from enum import StrEnum

from recorder.index import Index
from recorder.utc import text_from_us


class Cause(StrEnum):
    """Why a stretch is missing. PLANNED (maintenance announced) and MASKED (by order) are kept apart from faults."""

    CAMERA = "camera"
    NETWORK = "network"
    STORAGE = "storage"
    OURS = "ours"
    AUTHORISATION = "authorisation"
    PLANNED = "planned"
    MASKED = "masked"


@dataclass(slots=True)
class _Gap:
    row: int
    from_us: int
    cause: str
    detail: str


@dataclass(slots=True)
class _Run:
    row: int
    from_us: int


class Accounts:
    """Where each camera under orders stands now. Invariant: an open period exactly where there is a state."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._states: dict[str, _Gap | _Run] = {}
        names = index.cameras()
        for row, camera, from_us in index.query("SELECT id, camera, from_us FROM run WHERE reason IS NULL"):
            self._states[names[camera]] = _Run(row, from_us)
        for row, camera, from_us, cause, detail in index.query(
            "SELECT id, camera, from_us, cause, detail FROM gap WHERE to_us IS NULL"
        ):
            self._states[names[camera]] = _Gap(row, from_us, cause, detail)

    def cameras(self) -> list[str]:
        return list(self._states)

    def run_of(self, camera: str) -> int | None:
        """The open run's row."""
        state = self._states.get(camera)
        return state.row if isinstance(state, _Run) else None

    def gap_cause(self, camera: str) -> str | None:
        """The open gap's cause; None in a run, and for a camera that is not under orders."""
        state = self._states.get(camera)
        return state.cause if isinstance(state, _Gap) else None

    def gap(self, camera: str, at_us: int, cause: Cause, detail: str) -> None:
        """The camera gives no recording from `at_us` on, and why. It is under orders from then on at the latest."""
        state = self._states.get(camera)
        if isinstance(state, _Run):
            raise ValueError(f"camera {camera} is in a run")
        if isinstance(state, _Gap):
            if (state.cause, state.detail) == (cause, detail):
                return
            at_us = max(at_us, state.from_us)
            self._close_gap(camera, state, at_us)
        else:
            number = self._index.camera(camera)
            self._index.execute("INSERT INTO period(camera, from_us) VALUES (?, ?)", (number, at_us))
        self._open_gap(camera, at_us, cause, detail)

    def run_started(self, camera: str, at_us: int, authorisation: str, clock_offset_us: int | None) -> int:
        """A run begins; the gap before it ends. Returns the run's row."""
        state = self._states.get(camera)
        if not isinstance(state, _Gap):
            raise ValueError(f"camera {camera} is in no gap")
        self._close_gap(camera, state, at_us)
        number = self._index.camera(camera)
        cursor = self._index.execute(
            "INSERT INTO run(camera, from_us, to_us, lost, clock_offset_us, authorisation) VALUES (?, ?, ?, 0, ?, ?)",
            (number, at_us, at_us, clock_offset_us, authorisation),
        )
        row = int(cursor.lastrowid or 0)
        self._states[camera] = _Run(row, at_us)
        self._index.fact(
            at_us, "run_started", camera, run=row, **{"from": text_from_us(at_us)}, authorisation=authorisation
        )
        return row

    def run_ended(self, camera: str, end_us: int, reason: str, cause: Cause, detail: str) -> None:
        """The open run ends, with its reason; a gap with its cause begins at the same instant."""
        state = self._states.get(camera)
        if not isinstance(state, _Run):
            raise ValueError(f"camera {camera} is in no run")
        end_us = max(end_us, state.from_us)
        self._index.execute("UPDATE run SET to_us = ?, reason = ? WHERE id = ?", (end_us, reason, state.row))
        self._index.fact(
            end_us,
            "run_ended",
            camera,
            run=state.row,
            **{"from": text_from_us(state.from_us), "to": text_from_us(end_us)},
            reason=reason,
        )
        self._open_gap(camera, end_us, cause, detail)

    def released(self, camera: str, at_us: int) -> None:
        """The camera is no longer under orders. Its run must have ended."""
        state = self._states.pop(camera, None)
        if state is None:
            return
        if isinstance(state, _Run):
            raise ValueError(f"camera {camera} is in a run")
        at_us = max(at_us, state.from_us)
        self._close_gap(camera, state, at_us)
        self._index.execute(
            "UPDATE period SET to_us = ? WHERE camera = ? AND to_us IS NULL", (at_us, self._index.camera(camera))
        )

    def down(self, since_us: int, cause: Cause, detail: str) -> None:
        """We recorded nothing since then: open gaps go on under this cause, those for want of authorisation as before.

        Runs must have ended (recovery does that).
        """
        for camera, state in list(self._states.items()):
            if isinstance(state, _Gap) and state.cause != Cause.AUTHORISATION:
                self.gap(camera, max(since_us, state.from_us), cause, detail)

    def _open_gap(self, camera: str, at_us: int, cause: Cause, detail: str) -> None:
        cursor = self._index.execute(
            "INSERT INTO gap(camera, from_us, cause, detail) VALUES (?, ?, ?, ?)",
            (self._index.camera(camera), at_us, cause, detail),
        )
        row = int(cursor.lastrowid or 0)
        self._states[camera] = _Gap(row, at_us, cause, detail)
        self._index.fact(
            at_us, "gap_opened", camera, gap=row, **{"from": text_from_us(at_us)}, cause=cause, detail=detail
        )

    def _close_gap(self, camera: str, gap: _Gap, at_us: int) -> None:
        """A gap that lasted no time leaves no row: the pictures before and after it join."""
        if at_us > gap.from_us:
            self._index.execute("UPDATE gap SET to_us = ? WHERE id = ?", (at_us, gap.row))
        else:
            self._index.execute("DELETE FROM gap WHERE id = ?", (gap.row,))
        end_us = max(at_us, gap.from_us)
        self._index.fact(
            end_us,
            "gap_closed",
            camera,
            gap=gap.row,
            **{"from": text_from_us(gap.from_us), "to": text_from_us(end_us)},
            cause=gap.cause,
            detail=gap.detail,
        )
