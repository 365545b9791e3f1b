"""Which clock may decide on destruction: jumps, steps back, reboots, and what frees a freeze."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder import machine
from recorder.clock import JUMP_US, Boot, ClockMemory, ClockReading, Dating, TrustedClock, aheads, memory_lost
from recorder.machine import now_us, read_clock

S = 1_000_000
WALL = 1_795_441_200 * S


def _reading(wall_s: float, boot_s: float, boot: str = "a", synchronised: bool = False) -> ClockReading:
    return ClockReading(WALL + round(wall_s * S), round(boot_s * S), boot, synchronised)


def test_the_first_start_takes_the_clock_as_it_is() -> None:
    clock = TrustedClock(None, _reading(0, 5))
    state = clock.observe(_reading(10, 15))
    assert (state.trusted, state.due_us) == (True, WALL + 10 * S)


def test_a_jump_forward_freezes_until_ntp_settles() -> None:
    clock = TrustedClock(None, _reading(0, 0))
    assert clock.observe(_reading(609, 10)).trusted
    frozen = clock.observe(_reading(3600, 11))
    assert (frozen.trusted, frozen.reason) == (False, "jumped forward by 3589 s")
    assert frozen.due_us < WALL + 700 * S
    assert not clock.observe(_reading(3610, 21, synchronised=True)).trusted
    assert not clock.observe(_reading(3660, 71, synchronised=True)).trusted
    assert clock.observe(_reading(3671, 82, synchronised=True)).trusted
    assert clock.observe(_reading(3671, 82, synchronised=True)).due_us == WALL + 3671 * S


@pytest.mark.parametrize(("ahead_s", "trusted"), [(600, True), (601, False)])
def test_ten_minutes_ahead_are_believed_and_no_more(ahead_s: int, trusted: bool) -> None:
    clock = TrustedClock(None, _reading(0, 0))
    assert clock.observe(_reading(100 + ahead_s, 100)).trusted is trusted


def test_a_jump_that_is_taken_back_ends_the_freeze() -> None:
    clock = TrustedClock(None, _reading(0, 0))
    assert not clock.observe(_reading(7200, 10)).trusted
    state = clock.observe(_reading(20, 20))
    assert (state.trusted, state.due_us) == (True, WALL + 20 * S)


def test_ntp_has_to_say_so_of_the_time_after_a_jump() -> None:
    """That it called the time before right says nothing."""
    for jump_s, is_frozen in ((7200, True), (-7200, False)):
        clock = TrustedClock(None, _reading(0, 0))
        for second in range(0, 110, 10):
            assert clock.observe(_reading(second, second, synchronised=True)).trusted
        for second in (110, 169):
            state = clock.observe(_reading(second + jump_s, second, synchronised=True))
            assert state.trusted is not is_frozen
            assert state.due_us == WALL + (100 if is_frozen else second) * S
        state = clock.observe(_reading(170 + jump_s, 170, synchronised=True))
        assert (state.trusted, state.due_us) == (True, WALL + (170 + jump_s) * S)


def test_many_small_jumps_are_one_large_one() -> None:
    clock = TrustedClock(None, _reading(0, 0))
    trusted = [clock.observe(_reading(n * 300, n)).trusted for n in range(5)]
    assert trusted == [True, True, True, False, False]


def test_a_clock_set_back_keeps_nothing_alive() -> None:
    clock = TrustedClock(None, _reading(0, 0))
    clock.observe(_reading(100, 100))
    state = clock.observe(_reading(-86_400, 200))
    assert (state.trusted, state.due_us) == (True, WALL + 200 * S)


def test_a_jump_while_the_process_was_down_is_seen() -> None:
    clock = TrustedClock(None, _reading(0, 0))
    clock.observe(_reading(100, 100))
    again = TrustedClock(clock.memory, _reading(100_000, 200))
    assert not again.observe(_reading(100_000, 200)).trusted


def test_after_a_reboot_only_a_synchronised_clock_is_trusted() -> None:
    memory = ClockMemory("a", WALL, WALL + 1000 * S)
    synchronised = TrustedClock(memory, _reading(5000, 10, "b", synchronised=True))
    assert synchronised.observe(_reading(5000, 10, "b", synchronised=True)).trusted
    alone = TrustedClock(memory, _reading(5000, 10, "b"))
    state = alone.observe(_reading(5000, 10, "b"))
    assert (state.trusted, state.reason) == (False, "unsynchronised after a reboot")
    assert state.due_us == WALL + 1000 * S
    alone.observe(_reading(5001, 11, "b", synchronised=True))
    assert alone.observe(_reading(5062, 72, "b", synchronised=True)).trusted


def test_a_restart_of_the_process_keeps_the_freeze_and_its_name() -> None:
    memory = ClockMemory("a", WALL, WALL + 1000 * S)
    frozen = TrustedClock(memory, _reading(5000, 10, "b"))
    before = frozen.observe(_reading(5000, 10, "b"))
    again = TrustedClock(frozen.memory, _reading(5020, 30, "b"))
    after = again.observe(_reading(5020, 30, "b"))
    assert not after.trusted
    assert (after.reason, after.freeze) == (before.reason, before.freeze)


def test_two_persons_release_one_freeze_and_no_other() -> None:
    clock = TrustedClock(None, _reading(0, 0))
    frozen = clock.observe(_reading(7200, 10))
    assert not clock.release("another")
    assert clock.release(frozen.freeze)
    state = clock.observe(_reading(7202, 12))
    assert (state.trusted, state.freeze, state.due_us) == (True, "", WALL + 7202 * S)
    again = clock.observe(_reading(20_000, 13))
    assert not again.trusted
    assert again.freeze != frozen.freeze
    assert not clock.release(frozen.freeze)


def test_a_clock_that_starts_in_1970_is_known_to_be_behind() -> None:
    epoch_s = -WALL / S
    memory = ClockMemory("a", WALL, WALL + 1000 * S)
    clock = TrustedClock(memory, _reading(epoch_s + 10, 10, "b"))
    state = clock.observe(_reading(epoch_s + 20, 20, "b"))
    assert not state.trusted
    # What is recorded then is dated after all that was known, and so never due before its time.
    assert state.anchor_us is not None
    assert state.anchor_us + 20 * S >= memory.due_us
    # Mended by NTP: the wall clock is the truth again.
    clock.observe(_reading(9000, 30, "b", synchronised=True))
    mended = clock.observe(_reading(9100, 130, "b", synchronised=True))
    assert (mended.trusted, mended.anchor_us, mended.due_us) == (True, WALL + 8970 * S, WALL + 9100 * S)


def test_a_clock_that_falls_to_1970_while_it_runs_is_behind_until_it_is_mended() -> None:
    epoch_s = -WALL / S
    clock = TrustedClock(None, _reading(0, 0))
    clock.observe(_reading(100, 100))
    fallen = clock.observe(_reading(epoch_s, 110))
    assert fallen.anchor_us == WALL
    assert fallen.due_us == WALL + 110 * S
    assert clock.observe(_reading(120, 120)).due_us == WALL + 120 * S


def test_a_clock_that_nobody_ever_set_decides_nothing() -> None:
    epoch_s = -WALL / S
    clock = TrustedClock(None, _reading(epoch_s + 10, 10))
    state = clock.observe(_reading(epoch_s + 20, 20))
    assert (state.trusted, state.reason) == (False, "never set")
    clock.observe(_reading(0, 30, synchronised=True))
    assert clock.observe(_reading(70, 100, synchronised=True)).trusted


@given(st.integers(-500, 500), st.integers(1, 30 * 86_400), st.booleans())
def test_drift_of_500_ppm_freezes_nothing_that_ntp_disciplines(ppm: int, elapsed_s: int, synchronised: bool) -> None:
    clock = TrustedClock(None, _reading(0, 0, synchronised=synchronised))
    steps = range(0, elapsed_s, max(1, elapsed_s // 50))
    states = [clock.observe(_reading(n + n * ppm / 1e6, n, synchronised=synchronised)) for n in [*steps, elapsed_s]]
    if synchronised or abs(elapsed_s * ppm / 1e6) <= JUMP_US / S:
        assert all(state.trusted for state in states)
    # Nothing dies late by more than the drift, nothing early by more than a jump that is let through.
    last_s = (states[-1].due_us - WALL) / S
    if states[-1].trusted:
        assert last_s >= elapsed_s + min(0.0, elapsed_s * ppm / 1e6) - 1
    assert last_s <= elapsed_s + max(0.0, elapsed_s * ppm / 1e6) + 1


def test_a_reboot_into_the_past_keeps_nothing_alive() -> None:
    memory = ClockMemory("a", WALL, WALL + 1000 * S)
    clock = TrustedClock(memory, _reading(-1e6, 10, "b", synchronised=True))
    before = clock.observe(_reading(-1e6 + 49, 59, "b", synchronised=True))
    assert before.due_us >= WALL + 1049 * S
    looked = clock.memory
    clock.observe(_reading(-1e6 + 50, 60, "b", synchronised=True))
    state = clock.observe(_reading(-1e6 + 109, 119, "b", synchronised=True))
    # The time goes back to the truth, and what was dated by the time of before comes forward by as much.
    (by_us,) = aheads([Dating(1, "b", looked.anchor_us)], {}, clock.memory)
    assert state.due_us + by_us >= WALL + 1109 * S


def test_a_first_start_under_a_clock_that_was_ahead_destroys_nothing_early() -> None:
    """The machine's battery clock says a year too much until NTP has set it: not all that is recorded later is due."""
    year_s = 365 * 86_400
    clock = TrustedClock(None, _reading(year_s, 10))
    assert clock.observe(_reading(year_s + 5, 15)).due_us == WALL + (year_s + 5) * S
    clock.observe(_reading(20, 20, synchronised=True))
    state = clock.observe(_reading(80, 80, synchronised=True))
    assert (state.trusted, state.due_us) == (True, WALL + 80 * S)
    # What was recorded meanwhile is dated ahead: its deadlines come forward.
    dated = [Dating(1, "a", WALL + (year_s - 5) * S), Dating(2, "a", WALL)]
    assert aheads(dated, {}, clock.memory) == [(year_s - 5) * S, 0]


def test_a_directory_that_was_away_when_the_time_was_found_ahead_changes_nothing() -> None:
    year_s = 365 * 86_400
    clock = TrustedClock(None, _reading(year_s, 10))
    clock.observe(_reading(year_s + 5, 15))
    away = clock.memory
    clock.observe(_reading(20, 20, synchronised=True))
    clock.observe(_reading(80, 80, synchronised=True))
    clock.learn(away, _reading(90, 90, synchronised=True))
    assert clock.observe(_reading(90, 90, synchronised=True)).due_us == WALL + 90 * S


_KNOWN = ClockMemory("c", WALL, WALL, known=True)


def test_in_one_boot_each_dating_is_ahead_by_its_own() -> None:
    """A clock that was set several times while it was distrusted: nothing is guessed."""
    leads_s = [0, 7200, 3600, -60, 599, 601, 400 * 86_400]
    dated = [Dating(n, "c", WALL + lead_s * S) for n, lead_s in enumerate(leads_s, 1)]
    expected_s = [0, 7200, 3600, 0, 0, 601, 400 * 86_400]
    assert aheads(dated, {}, _KNOWN) == [ahead_s * S for ahead_s in expected_s]


def test_a_boot_whose_time_was_known_is_settled_by_it_ever_after() -> None:
    """It ended in a freeze, and the machine was off for a day: the jump is known to have been false."""
    boots = {"b": Boot(1000 * S, WALL - 90_000 * S)}
    dated = [Dating(1, "b", WALL - 90_000 * S), Dating(2, "b", WALL - (90_000 - 7200) * S), Dating(3, "c", WALL)]
    assert aheads(dated, boots, _KNOWN) == [0, 7200 * S, 0]


@pytest.mark.parametrize(("off_s", "ahead_s"), [(0, 7200), (3600, 3600), (6500, 700), (6700, 0), (90_000, 0)])
def test_of_a_boot_whose_time_was_never_known_the_excess_over_its_end_is_ahead(off_s: int, ahead_s: int) -> None:
    """It lasted 1000 s, and what it dated was two hours ahead."""
    boots = {"b": Boot(1000 * S, None)}
    dated = [Dating(1, "b", WALL + (7200 - 1000 - off_s) * S), Dating(2, "c", WALL)]
    assert aheads(dated, boots, _KNOWN) == [ahead_s * S, 0]


def test_boots_end_before_the_next_begin() -> None:
    boots = {"a": Boot(500 * S, None), "b": Boot(1000 * S, None)}
    dated = [Dating(1, "a", WALL), Dating(2, "b", WALL + 5000 * S)]
    assert aheads(dated, boots, _KNOWN) == [1500 * S, 6000 * S]


def test_of_an_unknown_boot_nothing_more_is_told() -> None:
    dated = [Dating(1, "b", WALL + 7200 * S), Dating(2, None, 0, 3600 * S), Dating(3, "c", WALL + 7200 * S)]
    assert aheads(dated, {"b": Boot(0, None)}, _KNOWN) == [7200 * S, 3600 * S, 7200 * S]


def test_ntp_and_two_persons_make_the_time_known_a_jump_taken_back_doesnt() -> None:
    clock = TrustedClock(None, _reading(0, 0))
    clock.observe(_reading(7200, 10))
    assert clock.observe(_reading(20, 20)).trusted
    assert not clock.memory.known
    frozen = clock.observe(_reading(7200, 30))
    clock.release(frozen.freeze)
    assert _seen(clock, _reading(7210, 40)).known
    assert not TrustedClock(clock.memory, _reading(7300, 5, "b")).memory.known


def test_where_the_memory_is_lost_the_clock_is_distrusted() -> None:
    """It may be lost in a freeze: then the clock is ahead, and not all is due that is due by it."""
    clock = TrustedClock(memory_lost(_reading(7200, 10)), _reading(7200, 10))
    state = clock.observe(_reading(7200, 10))
    assert (state.trusted, state.reason) == (False, "lost with the index")
    again = TrustedClock(clock.memory, _reading(7205, 15))
    assert not again.observe(_reading(7205, 15)).trusted
    again.observe(_reading(20, 20, synchronised=True))
    state = again.observe(_reading(80, 80, synchronised=True))
    assert (state.trusted, state.due_us) == (True, WALL + 80 * S)


def test_where_the_memory_is_lost_all_that_was_recorded_may_vouch_for_the_clock() -> None:
    clock = TrustedClock(memory_lost(_reading(10, 10)), _reading(10, 10))
    assert not clock.observe(_reading(11, 11)).trusted
    clock.vouch()
    state = clock.observe(_reading(12, 12))
    assert (state.trusted, state.due_us) == (True, WALL + 12 * S)
    assert not clock.observe(_reading(7200, 13)).trusted
    clock.vouch()
    assert not clock.observe(_reading(7201, 14)).trusted


@pytest.mark.parametrize("lost_first", [True, False])
def test_a_directory_whose_memory_is_lost_believes_one_that_remembers(lost_first: bool) -> None:
    reading = _reading(10, 10)
    memories = [memory_lost(reading), ClockMemory("a", WALL, WALL, seen_us=5 * S)]
    first, second = memories if lost_first else memories[::-1]
    clock = TrustedClock(first, reading)
    clock.learn(second, reading)
    assert clock.observe(_reading(11, 11)).trusted


def test_a_new_directory_doesnt_vouch_for_the_clock_of_one_whose_memory_is_lost() -> None:
    clock = TrustedClock(None, _reading(7200, 10))
    assert clock.observe(_reading(7200, 10)).trusted
    clock.learn(memory_lost(_reading(7201, 11)), _reading(7201, 11))
    assert not clock.observe(_reading(7202, 12)).trusted


def _seen(clock: TrustedClock, reading: ClockReading) -> ClockMemory:
    clock.observe(reading)
    return clock.memory


@pytest.mark.parametrize(("behind_s", "is_believed"), [(50 * 366 * 86_400, False), (700, False), (500, True)])
def test_a_clock_that_falls_to_1970_dates_no_picture_not_even_before_the_next_look(
    behind_s: int, is_believed: bool
) -> None:
    """The machine's clock as it is, held against what was known before: a later time by so much."""
    before = read_clock()
    zero_us = before.wall_us + behind_s * S - before.boot_us
    machine.never_before(zero_us)
    try:
        dated_us = now_us()
    finally:
        machine.never_before(None)
    after = read_clock()
    if is_believed:
        assert before.wall_us <= dated_us <= after.wall_us
    else:
        assert zero_us + before.boot_us <= dated_us <= zero_us + after.boot_us


@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(-100_000, 100_000), st.booleans()), max_size=40))
def test_due_never_goes_back_nor_ahead_of_reason(steps: list[tuple[int, int, bool]]) -> None:
    clock = TrustedClock(None, _reading(0, 0))
    boot, offset, due = 0, 0, 0
    for elapsed, jump, synchronised in steps:
        boot += elapsed
        offset += jump
        dated = [Dating(1, "a", clock.memory.anchor_us)]
        state = clock.observe(_reading(boot + offset, boot, synchronised=synchronised))
        # It goes back only by what is found to have been ahead, and by the jump that is let through.
        (ahead_us,) = aheads(dated, {}, clock.memory)
        assert state.due_us + ahead_us + (JUMP_US if ahead_us else 0) >= due
        due = state.due_us
        if state.trusted and not synchronised:
            assert due >= min(WALL + boot * S, WALL + (boot + offset) * S)
    if not any(s for *_, s in steps):
        assert due <= WALL + boot * S + JUMP_US


def test_the_machine_answers() -> None:
    before_us, reading, after_us = now_us(), read_clock(), now_us()
    assert before_us <= reading.wall_us <= after_us
    assert 0 < reading.boot_us < reading.wall_us
    assert len(reading.boot_id) == 36


@pytest.mark.parametrize("newer_first", [True, False])
def test_directories_have_one_clock_by_the_newest_memory(newer_first: bool) -> None:
    """One was away since before the freeze; whichever opens first, the freeze stands under its one name."""
    away = ClockMemory("boot", WALL, WALL + 10 * S, seen_us=10 * S)
    frozen = ClockMemory("boot", WALL, WALL + 20 * S, "jumped forward by 3600 s", seen_us=20 * S)
    wall_us = WALL + 3600 * S
    readings = [ClockReading(wall_us + s * S, s * S, "boot", False) for s in (30, 31, 32, 33)]
    first, second = (frozen, away) if newer_first else (away, frozen)
    clock = TrustedClock(first, readings[0])
    clock.observe(readings[0])
    clock.learn(second, readings[1])
    state = clock.observe(readings[2])
    assert (state.trusted, state.due_us) == (False, WALL + 20 * S)
    assert state.freeze == f"boot:{WALL}:{WALL + 20 * S}"
    assert clock.release(state.freeze)
    assert clock.observe(readings[3]).trusted
    clock.learn(clock.memory, readings[3])  # a directory that failed and is back says nothing new
    clock.learn(frozen, readings[3])
    assert clock.observe(readings[3]).trusted
    clock.learn(None, readings[3])
    assert clock.observe(readings[3]).trusted


def test_a_directory_of_before_counts_beside_a_new_one() -> None:
    """After a reboot that nobody has set the clock since: an empty directory that opens first must not unfreeze."""
    reading = ClockReading(WALL, 5 * S, "second boot", False)
    clock = TrustedClock(None, reading)
    assert clock.observe(reading).trusted
    clock.learn(ClockMemory("first boot", WALL - 900 * S, WALL - 60 * S), reading)
    state = clock.observe(reading)
    assert (state.trusted, state.reason) == (False, "unsynchronised after a reboot")
