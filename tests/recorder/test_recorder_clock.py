"""Which clock may decide on destruction: jumps, steps back, reboots, and what frees a freeze."""

from hypothesis import given
from hypothesis import strategies as st

from recorder.clock import JUMP_US, ClockMemory, ClockReading, TrustedClock
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


def test_a_jump_that_is_taken_back_ends_the_freeze() -> None:
    clock = TrustedClock(None, _reading(0, 0))
    assert not clock.observe(_reading(7200, 10)).trusted
    state = clock.observe(_reading(20, 20))
    assert (state.trusted, state.due_us) == (True, WALL + 20 * S)


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


def test_a_reboot_into_the_past_keeps_nothing_alive() -> None:
    memory = ClockMemory("a", WALL, WALL + 1000 * S)
    clock = TrustedClock(memory, _reading(-1e6, 10, "b", synchronised=True))
    state = clock.observe(_reading(-1e6 + 60, 70, "b", synchronised=True))
    assert state.due_us >= WALL + 1060 * S


@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(-100_000, 100_000), st.booleans()), max_size=40))
def test_due_never_goes_back_nor_ahead_of_reason(steps: list[tuple[int, int, bool]]) -> None:
    clock = TrustedClock(None, _reading(0, 0))
    boot, offset, due = 0, 0, 0
    for elapsed, jump, synchronised in steps:
        boot += elapsed
        offset += jump
        state = clock.observe(_reading(boot + offset, boot, synchronised=synchronised))
        assert state.due_us >= due
        due = state.due_us
        if state.trusted and not synchronised:
            assert due >= min(WALL + boot * S, WALL + (boot + offset) * S)
    if not any(s for *_, s in steps):
        assert due <= WALL + boot * S + JUMP_US


def test_the_machine_answers() -> None:
    reading = read_clock()
    assert abs(reading.wall_us - now_us()) < S
    assert 0 < reading.boot_us < reading.wall_us
    assert len(reading.boot_id) == 36
