"""Every second of every camera under orders: in a run, or in a gap that has a cause.

A camera under orders is at any time in exactly one of the two; leaving one enters the other at the same instant.
The rows change in the transaction of the wave, with the facts that tell the centre.

A gap has the cause that was reported, unless an interruption in the orders says otherwise: within a masked window every
gap is `masked` (but for those without an authorisation), within a planned one what the camera or the network failed to
give is `planned`. A gap that crosses a window's bound is split there, to the microsecond. What is past when
the orders come stays as it is.
"""

from dataclasses import dataclass
from enum import StrEnum

from recorder.clock import JUMP_US
from recorder.index import Index
from recorder.interruptions import Interruptions
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


_Why = tuple[str, str]
"""Cause and detail."""


@dataclass(slots=True)
class _Gap:
    """An open gap's row; `reported` is why, before interruptions, and `checked_us` until when these were looked at."""

    row: int
    from_us: int
    why: _Why
    reported: _Why
    checked_us: int


@dataclass(slots=True)
class _Run:
    row: int
    from_us: int
    repaired: int = 0


class Accounts:
    """Where each camera under orders stands now. Invariant: an open period exactly where there is a state."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._interruptions: dict[str, Interruptions] = {}
        self._states: dict[str, _Gap | _Run] = {}
        names = index.cameras()
        for row, camera, from_us in index.query("SELECT id, camera, from_us FROM run WHERE reason IS NULL"):
            self._states[names[camera]] = _Run(row, from_us)
        for row, camera, from_us, cause, detail in index.query(
            "SELECT id, camera, from_us, cause, detail FROM gap WHERE to_us IS NULL"
        ):
            self._states[names[camera]] = _Gap(row, from_us, (cause, detail), (cause, detail), from_us)

    def cameras(self) -> list[str]:
        return list(self._states)

    def places(self) -> dict[str, int]:
        """When each camera last came to this directory: under orders here now since, or its last run's start."""
        names = self._index.cameras()
        found = {
            names[camera]: at for camera, at in self._index.query("SELECT camera, max(from_us) FROM run GROUP BY 1")
        }
        for camera, from_us in self._index.query("SELECT camera, from_us FROM period WHERE to_us IS NULL"):
            found[names[camera]] = max(from_us, found.get(names[camera], 0))
        return found

    def open_since(self, camera: str) -> int | None:
        """Since when the camera is under orders in this directory; None when it isn't."""
        if camera not in self._states:
            return None
        rows = self._index.query(
            "SELECT from_us FROM period WHERE camera = ? AND to_us IS NULL", (self._index.camera(camera),)
        )
        return int(rows[0][0]) if rows else None

    def run_of(self, camera: str) -> int | None:
        """The open run's row."""
        state = self._states.get(camera)
        return state.row if isinstance(state, _Run) else None

    def gap_cause(self, camera: str) -> str | None:
        """The open gap's cause; None in a run, and for a camera that is not under orders."""
        state = self._states.get(camera)
        return state.why[0] if isinstance(state, _Gap) else None

    def interrupt(self, camera: str, interruptions: Interruptions, since_us: int) -> None:
        """The interruptions now in force; they say nothing about the time before `since_us`.

        To be told again to a new object, which goes on where the recovery found or began the camera's gap.
        """
        state = self._states.get(camera)
        if isinstance(state, _Gap):
            self._check(camera, state, since_us)
        if interruptions:
            self._interruptions[camera] = interruptions
        else:
            self._interruptions.pop(camera, None)
        state = self._states.get(camera)
        if isinstance(state, _Gap):
            state.checked_us = max(state.checked_us, since_us)
            self._split(camera, state, state.checked_us)

    def look(self, now_us: int) -> None:
        """Split the open gaps at the bounds that have come by now. Once a wave.

        One that begins in the far future was opened under a clock that was ahead: it goes on from now.
        """
        for camera, state in list(self._states.items()):
            if not isinstance(state, _Gap):
                continue
            if state.from_us > now_us + JUMP_US:
                state.from_us = state.checked_us = now_us
                self._index.execute("UPDATE gap SET from_us = ? WHERE id = ?", (now_us, state.row))
                self._begin_period(self._index.camera(camera), now_us)
            if camera in self._interruptions:
                self._check(camera, state, now_us)

    def gap(self, camera: str, at_us: int, cause: Cause, detail: str) -> None:
        """The camera gives no recording from `at_us` on, and why. It is under orders from then on at the latest."""
        state = self._states.get(camera)
        if isinstance(state, _Run):
            raise ValueError(f"camera {camera} is in a run")
        if isinstance(state, _Gap):
            state = self._check(camera, state, at_us)
            state.reported = (cause, detail)
            self._split(camera, state, max(at_us, state.from_us))
        else:
            number = self._index.camera(camera)
            self._index.execute("INSERT INTO period(camera, from_us) VALUES (?, ?)", (number, at_us))
            self._open_gap(camera, at_us, (cause, detail))

    def run_started(self, camera: str, at_us: int, authorisation: str, clock_offset_us: int | None) -> int:
        """A run begins; the gap before it ends. Returns the run's row."""
        state = self._states.get(camera)
        if not isinstance(state, _Gap):
            raise ValueError(f"camera {camera} is in no gap")
        self._close_gap(camera, self._check(camera, state, at_us), at_us)
        number = self._index.camera(camera)
        self._begin_period(number, at_us)
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

    def note_repaired(self, camera: str, count: int) -> None:
        """So many pictures of the open run were stamped before the one before them, and put behind it."""
        state = self._states.get(camera)
        if isinstance(state, _Run):
            state.repaired += count

    def run_ended(self, camera: str, end_us: int, reason: str, cause: Cause, detail: str) -> None:
        """The open run ends, with its reason; a gap with its cause begins at the same instant."""
        state = self._states.get(camera)
        if not isinstance(state, _Run):
            raise ValueError(f"camera {camera} is in no run")
        end_us = max(end_us, state.from_us)
        self._index.execute("UPDATE run SET to_us = ?, reason = ? WHERE id = ?", (end_us, reason, state.row))
        ((offset_us,),) = self._index.query("SELECT clock_offset_us FROM run WHERE id = ?", (state.row,))
        self._index.fact(
            end_us,
            "run_ended",
            camera,
            run=state.row,
            **{"from": text_from_us(state.from_us), "to": text_from_us(end_us)},
            reason=reason,
            repaired=state.repaired,
            clock_offset_s=None if offset_us is None else offset_us / 1e6,
        )
        self._open_gap(camera, end_us, (cause, detail))

    def measured(self, camera: str, clock_offset_us: int) -> None:
        """How far the camera's own clock is ahead of ours, for the run that is open: the last one counts."""
        if (run := self.run_of(camera)) is not None:
            self._index.execute("UPDATE run SET clock_offset_us = ? WHERE id = ?", (clock_offset_us, run))

    def released(self, camera: str, at_us: int) -> None:
        """The camera is no longer under orders. Its run must have ended."""
        state = self._states.pop(camera, None)
        if state is None:
            return
        if isinstance(state, _Run):
            raise ValueError(f"camera {camera} is in a run")
        state = self._check(camera, state, at_us)
        at_us = max(at_us, state.from_us)
        self._close_gap(camera, state, at_us)
        self._interruptions.pop(camera, None)
        self._index.execute(
            "UPDATE period SET to_us = ? WHERE camera = ? AND to_us IS NULL", (at_us, self._index.camera(camera))
        )

    def down(self, since_us: int, cause: Cause, detail: str) -> None:
        """We recorded nothing since then: open gaps go on under this cause, those for want of authorisation as before.

        Runs must have ended (recovery does that). A masked window goes on until the orders are told again.
        """
        for camera, state in list(self._states.items()):
            if not isinstance(state, _Gap):
                continue
            state.checked_us = max(state.checked_us, since_us)
            if state.why[0] == Cause.MASKED:
                state.reported = (cause, detail)
            elif state.why[0] != Cause.AUTHORISATION:
                self.gap(camera, max(since_us, state.from_us), cause, detail)

    def _check(self, camera: str, gap: _Gap, upto_us: int) -> _Gap:
        """Split an open gap at each bound since the last look; returns the one that is open then."""
        interruptions = self._interruptions.get(camera)
        if interruptions is None:
            return gap
        for bound_us in interruptions.bounds(gap.checked_us, upto_us):
            gap = self._split(camera, gap, bound_us)
        gap.checked_us = max(gap.checked_us, upto_us)
        return gap

    def _split(self, camera: str, gap: _Gap, at_us: int) -> _Gap:
        """Let the gap go on from `at_us` under the cause that holds there, which may be the one it has."""
        interruptions = self._interruptions.get(camera)
        if gap.reported[0] == Cause.MASKED and not (interruptions and interruptions.is_masked(at_us)):
            gap.reported = (Cause.OURS, "starting")
        if self._why(camera, gap.reported, at_us) == gap.why:
            return gap
        self._close_gap(camera, gap, at_us)
        return self._open_gap(camera, at_us, gap.reported)

    def _why(self, camera: str, reported: _Why, at_us: int) -> _Why:
        interruptions = self._interruptions.get(camera)
        if interruptions is None or reported[0] == Cause.AUTHORISATION:
            return reported
        if interruptions.is_masked(at_us):
            return Cause.MASKED, "masked"
        if reported[0] in (Cause.CAMERA, Cause.NETWORK) and interruptions.is_planned(at_us):
            return Cause.PLANNED, reported[1]
        return reported

    def _begin_period(self, camera: int, at_us: int) -> None:
        """The open period has what is open in it from its start: it may have begun under a clock that was ahead."""
        self._index.execute(
            "UPDATE period SET from_us = ? WHERE camera = ? AND to_us IS NULL AND from_us > ?", (at_us, camera, at_us)
        )

    def _open_gap(self, camera: str, at_us: int, reported: _Why) -> _Gap:
        why = self._why(camera, reported, at_us)
        cause, detail = why
        cursor = self._index.execute(
            "INSERT INTO gap(camera, from_us, cause, detail) VALUES (?, ?, ?, ?)",
            (self._index.camera(camera), at_us, cause, detail),
        )
        row = int(cursor.lastrowid or 0)
        gap = self._states[camera] = _Gap(row, at_us, why, reported, at_us)
        self._index.fact(
            at_us, "gap_opened", camera, gap=row, **{"from": text_from_us(at_us)}, cause=cause, detail=detail
        )
        return gap

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
            cause=gap.why[0],
            detail=gap.why[1],
        )
