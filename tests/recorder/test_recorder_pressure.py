"""Want of space: what goes, who stops, and in which order; never what is held, never below the minimum."""

from collections import Counter, deque
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recorder_support import CAMERA, DAY_US, OTHER, START_US, Bench, bench, packets, record

from legal.retention import UNFIXED_MINIMUM_DAYS
from recorder import pressure
from recorder.check import check
from recorder.destruction import destroy_due, destroy_for_space, tell_destroyed
from recorder.index import HOUR_US, UNCOUNTED, read_facts
from recorder.pressure import (
    AHEAD_S,
    RESUME_S,
    STEP_S,
    STEPS,
    Decision,
    Need,
    Recording,
    Room,
    decide,
    full_at_us,
    takes,
)
from recorder.space import is_short, pressure_of, read_space

THIRD = "3b0f6f4e-9d57-4b0a-8a3e-2f3f2a0b1c03"
MB = 1_000_000

_recordings = st.lists(
    st.builds(
        Recording,
        camera=st.uuids().map(str),
        priority=st.integers(0, 3),
        bytes_per_s=st.floats(0, 1e7),
        minimum_s=st.integers(0, 31 * 24).map(lambda hours: hours * 3600.0),
        stopped=st.booleans(),
    ),
    max_size=8,
    unique_by=lambda one: one.camera,
)
_bytes = st.integers(0, 10**12)
_rooms = st.builds(
    Room,
    free_bytes=_bytes,
    spare_bytes=_bytes,
    early_bytes=_bytes,
    later_bytes=st.dictionaries(st.integers(0, 31 * 24), _bytes, max_size=10),
)


def _fits(room: Room, forever: list[Recording], burst: Recording | None = None) -> bool:
    """The same arithmetic once more, an hour at a time: those go on, one writes for a short time only."""
    hours = 1 + int(max((one.minimum_s for one in forever), default=0) // STEP_S)
    if burst is not None:
        hours = 1 + int(burst.minimum_s // STEP_S)
    for hour in range(min(hours, STEPS)):
        left: float = room.free_bytes - room.spare_bytes + room.early_bytes
        left += sum(size for at, size in room.later_bytes.items() if at < hour)
        for one in forever:
            left -= one.bytes_per_s * min((hour + 1) * STEP_S, max(one.minimum_s, AHEAD_S))
        if burst is not None:
            left -= burst.bytes_per_s * (RESUME_S if burst.stopped else AHEAD_S)
        if left < -1:
            return False
    return True


@given(_rooms, _recordings)
def test_the_decision_adds_up(room: Room, recordings: list[Recording]) -> None:
    decision = decide(room, recordings)
    ranked = sorted(recordings, key=lambda one: (one.priority, one.camera))
    unknown = {one.camera for one in ranked[1:] if one.stopped and not one.bytes_per_s}
    assert unknown <= decision.stopped, "nobody begins before it is known what it writes"
    decision = Decision(decision.destroy_bytes, decision.stopped - unknown)
    ranked = [one for one in ranked if one.camera not in unknown]
    goes_on = [one for one in ranked if one.camera not in decision.stopped]
    assert goes_on == ranked[: len(goes_on)], "only the last by priority stop"
    assert bool(goes_on) == bool(ranked), "the first goes on"
    for n, one in enumerate(goes_on[1:], 1):
        assert _fits(room, ranked[:n], one), "whoever goes on takes nothing from those before"
    if decision.stopped:
        wider = Room(room.free_bytes - 10, room.spare_bytes, room.early_bytes, room.later_bytes)
        assert not _fits(wider, goes_on, ranked[len(goes_on)]), "no more than needed stop"
    assert 0 <= decision.destroy_bytes <= room.early_bytes
    mark = room.spare_bytes + sum(one.bytes_per_s for one in goes_on) * AHEAD_S
    if room.free_bytes >= mark + 1:
        assert decision.destroy_bytes == 0
    elif room.free_bytes < mark - 1:
        assert decision.destroy_bytes == room.early_bytes or room.free_bytes + decision.destroy_bytes >= mark - 1


@given(_rooms, _recordings, st.integers(0, 3), st.floats(1, 1e7), st.integers(0, 31 * 24))
def test_a_camera_comes_only_where_nobody_stops_for_it(
    room: Room, recordings: list[Recording], priority: int, bytes_per_s: float, hours: int
) -> None:
    newcomer = Recording(THIRD, priority, bytes_per_s, hours * 3600.0, stopped=True)
    everybody = [*recordings, newcomer]
    if takes(room, recordings, newcomer):
        assert decide(room, everybody).stopped == frozenset()
        assert room.free_bytes - room.spare_bytes + room.early_bytes >= bytes_per_s * RESUME_S - 1
    elif recordings and not decide(room, everybody).stopped:
        first = min(everybody, key=lambda one: (one.priority, one.camera))
        wanted = first.bytes_per_s * (RESUME_S if first.stopped else AHEAD_S)
        assert wanted > min(_room_left(room)[: 1 + int(first.minimum_s // STEP_S)]), (
            "only the first is let in without room"
        )


def test_an_empty_directory_without_room_takes_nobody() -> None:
    full = Room(free_bytes=10, spare_bytes=10, early_bytes=0, later_bytes={})
    newcomer = Recording(CAMERA, 0, 1.0, 0.0, stopped=True)
    assert not takes(full, [], newcomer)
    assert takes(Room(int(RESUME_S) + 11, 10, 0, {}), [], newcomer)


def _room_left(room: Room) -> list[float]:
    first = float(room.free_bytes - room.spare_bytes + room.early_bytes)
    return [first, first + room.later_bytes.get(0, 0)]


@given(st.data())
@settings(max_examples=50)
def test_a_disk_over_days(data: st.DataObject) -> None:
    """A small disk in fast motion, a look every hour: it fills only with what is below its minimum, and the first
    camera never stops for others."""
    cameras = [
        (name, data.draw(st.integers(0, 2)), data.draw(st.integers(1, 30)) * MB, data.draw(st.integers(0, 12)))
        for name in ("a", "b", "c")
    ]  # name, priority, bytes an hour, minimum in hours
    first = min(cameras, key=lambda one: (one[1], one[0]))
    kept, spare = 24, 2 * sum(size for _, _, size, _ in cameras)
    capacity = spare + data.draw(st.integers(first[2] * (first[3] + 3) // MB, 1500)) * MB
    files = {name: deque[tuple[int, int]]() for name, *_ in cameras}
    stopped: frozenset[str] = frozenset()
    gone_on = 0
    for hour in range(200):
        for name, _, size, _ in cameras:
            if name not in stopped:
                files[name].append((hour, size))
            while files[name] and files[name][0][0] <= hour - kept:
                files[name].popleft()
        used = sum(size for of_one in files.values() for _, size in of_one)
        if used > capacity:
            freeable = [at for name, _, _, minimum in cameras for at, _ in files[name] if at + minimum < hour]
            assert not freeable, "it is full"
            break
        ages = Counter[int]()
        for name, _, _, minimum in cameras:
            for at, size in files[name]:
                ages[max(0, at + minimum - hour)] += size
        told = [
            Recording(name, priority, size / 3600, minimum * 3600, name in stopped)
            for name, priority, size, minimum in cameras
        ]
        early = ages.pop(0, 0)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(pressure, "AHEAD_S", 3600.0)
            patch.setattr(pressure, "RESUME_S", 7200.0)
            room = Room(capacity - used, spare, early, {at - 1: size for at, size in ages.items()})
            decision = decide(room, told)
        stopped = decision.stopped
        assert first[0] not in stopped
        gone_on += 3 - len(stopped)
        _free(decision, cameras, files, hour)
    if sum(size * (minimum + 4) for _, _, size, minimum in cameras) <= capacity - spare:
        assert gone_on == 600, "with room for the minimum of all, all go on"


def _free(
    decision: Decision,
    cameras: list[tuple[str, int, int, int]],
    files: dict[str, deque[tuple[int, int]]],
    hour: int,
) -> None:
    freed = 0
    for name, _, _, minimum in sorted(cameras, key=lambda one: -one[1]):
        while freed < decision.destroy_bytes and files[name] and files[name][0][0] + minimum <= hour:
            freed += files[name].popleft()[1]
    assert freed >= decision.destroy_bytes


def _footage(made: Bench, minima: dict[str, int | None], is_counted: bool = True) -> None:
    """Segments of three cameras with these minima in days, of which the priorities are 0, 1, 2 in their order; not
    `is_counted`: as in an index of before."""
    for n, (camera, days) in enumerate(minima.items()):
        record(made.store, camera, packets(25 * 150))
        number = made.index.camera(camera)
        minimum = "NULL" if days is None else f"start_us + {days * DAY_US}"
        made.index.execute(f"UPDATE segment SET minimum_us = {minimum} WHERE camera = ?", (number,))
        made.index.count_hours(number)
        made.store.set_priority(camera, n)
    if not is_counted:
        made.index.execute("DELETE FROM hour")
        made.index.execute("INSERT INTO meta SELECT ?, max(id) FROM segment", (UNCOUNTED,))
    made.index.commit()


def _left(made: Bench) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {CAMERA: [], OTHER: [], THIRD: []}
    for camera, start_us in made.index.query(
        "SELECT c.uuid, s.start_us FROM segment s JOIN camera c ON c.id = s.camera ORDER BY s.start_us"
    ):
        found[camera].append(start_us)
    return found


@pytest.mark.parametrize("is_counted", [True, False])
def test_the_lowest_priority_goes_first_the_oldest_first_and_never_below_its_minimum(
    tmp_path: Path, is_counted: bool
) -> None:
    with bench(tmp_path) as made:
        _footage(made, {CAMERA: 1, OTHER: 3, THIRD: None}, is_counted)
        before = _left(made)
        two_days = START_US + 2 * DAY_US
        assert destroy_for_space(made.store, 1, START_US, START_US) == 0
        assert _left(made) == before
        assert destroy_for_space(made.store, 1, two_days, two_days) > 0
        assert _left(made) == {**before, CAMERA: before[CAMERA][1:]}
        assert destroy_for_space(made.store, 10**12, two_days, two_days) > 0
        assert _left(made) == {**before, CAMERA: []}
        days = START_US + UNFIXED_MINIMUM_DAYS * DAY_US
        assert destroy_for_space(made.store, 1, days - 1, days) > 0
        assert _left(made) == {CAMERA: [], OTHER: before[OTHER][1:], THIRD: before[THIRD]}
        assert destroy_for_space(made.store, 1, days + HOUR_US, days) > 0
        assert _left(made) == {CAMERA: [], OTHER: before[OTHER][1:], THIRD: before[THIRD][1:]}
        tell_destroyed(made.index, days + 2 * HOUR_US)
        told = [f for f in read_facts(made.index._db, 0, 1000)["facts"] if f["kind"] == "destroyed"]
        assert {f["cause"] for f in told} == {"space"}
        assert sum(f["count"] for f in told) == sum(map(len, before.values())) - sum(map(len, _left(made).values()))
        assert check(tmp_path / "recordings", days, deep=True).ok


@pytest.mark.parametrize("is_counted", [True, False])
def test_of_an_hour_goes_only_what_is_past_its_minimum(tmp_path: Path, is_counted: bool) -> None:
    with bench(tmp_path) as made:
        _footage(made, {CAMERA: 0}, is_counted)
        before = _left(made)[CAMERA]
        at_us = before[1] + DAY_US
        made.index.execute("UPDATE segment SET minimum_us = ?", (at_us,))
        made.index.execute("UPDATE segment SET minimum_us = ? WHERE start_us <> ?", (at_us + 1, before[1]))
        if is_counted:
            made.index.count_hours(1)
        made.index.commit()
        assert destroy_for_space(made.store, 10**12, at_us, at_us) > 0
        assert _left(made)[CAMERA] == [before[0], *before[2:]]


def test_what_is_held_stays_whatever_the_want(tmp_path: Path) -> None:
    with bench(tmp_path) as made:
        _footage(made, {CAMERA: 0, OTHER: 0})
        before = _left(made)
        at_us = START_US + DAY_US
        made.index.execute(
            "INSERT INTO hold VALUES ('h', 1, ?, ?, 'PV', 0)", (before[CAMERA][1], before[CAMERA][1] + 1)
        )
        made.index.commit()
        space = read_space(made.index._db, at_us)
        assert space is not None
        assert space.held > 0
        assert space.early == space.recorded - space.held
        assert destroy_for_space(made.store, 10**12, at_us, at_us) == space.early
        assert _left(made) == {CAMERA: [before[CAMERA][1]], OTHER: [], THIRD: []}
        assert destroy_for_space(made.store, 10**12, at_us, at_us) == 0


def test_what_is_due_is_not_told_as_gone_for_space(tmp_path: Path) -> None:
    with bench(tmp_path) as made:
        _footage(made, {CAMERA: 0})
        due_us = START_US + 16 * DAY_US
        assert destroy_for_space(made.store, 10**12, due_us, due_us) == 0
        assert destroy_due(made.store, due_us, due_us) > 0


def test_reading_the_space_looks_at_hours_and_at_what_is_held_and_not_at_all_segments(tmp_path: Path) -> None:
    """Counted in hundreds of SQLite's steps: a month of segments must not be gone through each minute."""
    with bench(tmp_path) as made:
        _footage(made, {CAMERA: 0, OTHER: 0})
        made.index.execute("INSERT INTO hold VALUES ('h', 1, ?, ?, 'PV', 0)", (START_US, START_US + 1))
        made.index.commit()

        def steps() -> int:
            taken = 0

            def count() -> None:
                nonlocal taken
                taken += 1

            made.index._db.set_progress_handler(count, 100)
            read_space(made.index._db, START_US + DAY_US)
            made.index._db.set_progress_handler(None, 0)
            return taken

        few = steps()
        made.index.execute_many(
            "INSERT INTO segment SELECT ?, 2, run, start_us, end_us, state, length, media_90k, deadline_us, minimum_us,"
            " authorisation, previous, hash, released FROM segment WHERE id = 1",
            [(number,) for number in range(1000, 4000)],
        )
        made.index.commit()
        assert steps() <= few + 10


@pytest.mark.parametrize(("room", "full"), [(15 * 24 * 100, None), (15 * 24 * 100 - 1, 15 * 24 - 1), (50, 0)])
def test_it_is_told_long_before_when_it_will_be_full(room: int, full: int | None) -> None:
    needs, hour_us = [Need(24 * 100, 15)], START_US - START_US % HOUR_US
    told = full_at_us(hour_us, room, needs, {})
    assert told == (None if full is None else hour_us + full * HOUR_US)
    assert full_at_us(hour_us, 0, needs, {hour_us + n * HOUR_US: 100 for n in range(15 * 24)}) is None
    assert full_at_us(hour_us, 0, needs, {hour_us + n * HOUR_US: 99 for n in range(15 * 24)}) == hour_us


def test_the_arithmetic_of_an_index(tmp_path: Path) -> None:
    with bench(tmp_path) as made:
        _footage(made, {CAMERA: 0, OTHER: 3})
        made.index.execute("UPDATE segment SET end_us = start_us + ?", (HOUR_US,))
        for number in (1, 2):
            made.index.count_hours(number)
        rows = made.index.query("SELECT camera, sum(length) * 24 / count(*) FROM segment GROUP BY camera")
        space = read_space(made.index._db, START_US)
        assert space is not None
        assert space.per_day == {CAMERA: rows[0][1], OTHER: rows[1][1]}
        assert sum(space.due.values()) == space.recorded
        days = {CAMERA: 15, OTHER: 10}
        told = pressure_of(space, days, 10**9, START_US)
        assert told.needed_bytes == 15 * rows[0][1] + 10 * rows[1][1]
        assert told.capacity_bytes == 10**9 + space.recorded
        assert told.bytes_per_day == rows[0][1] + rows[1][1]
        assert told.full_at_us is None
        enough = told.needed_bytes * 1.01
        assert not is_short(space, days, int(enough), START_US, was=False)
        assert is_short(space, days, int(enough), START_US, was=True)
        assert is_short(space, days, told.needed_bytes // 3, START_US, was=False)
