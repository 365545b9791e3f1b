"""What is given up rises at once, falls one step at a time, doesn't flap, and always keeps the first priority."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from recorder.degradation import (
    BOUNDS,
    CALM_S,
    DEEPER_S,
    HIGHEST,
    LONGEST_CALM_S,
    Bounds,
    Degradation,
    Degraded,
    Measures,
    Share,
)

CALM = Measures()
OVER = {
    ("load", 1): Measures(load=0.6),
    ("load", 3): Measures(load=2.1),
    ("queue", 1): Measures(queue=0.3),
    ("queue", 2): Measures(queue=0.5),
    ("queue", 3): Measures(queue=0.7),
    ("sync", 1): Measures(sync=6.0),
    ("sync", 3): Measures(sync=21.0),
}

shares = st.floats(0, 1)
measures = st.one_of(
    st.just(CALM),
    st.sampled_from(list(OVER.values())),
    st.builds(Measures, load=st.floats(0, 5), queue=shares, sync=st.floats(0, 40)),
)
# How many looks in a row see the same, and how far they are apart.
looks = st.lists(st.tuples(measures, st.integers(1, 200), st.sampled_from([1.0, 1.0, 1.0, 7.0])), max_size=25)


def _highest(measures: Measures) -> int:
    """The level whose bound is passed, however long."""
    return max(sum(getattr(measures, name) > bound for bound in bounds.levels) for name, bounds in BOUNDS.items())


@given(looks, st.integers(0, 5))
def test_every_step_has_its_reason_and_every_return_its_calm(
    history: list[tuple[Measures, int, float]], priorities: int
) -> None:
    machine, at_s, changed_s, calm_since = Degradation(), 1000.0, 0.0, 1000.0
    before = machine.state
    for measured, times, apart_s in history:
        for _ in range(times):
            at_s += apart_s
            state = machine.observe(measured, at_s, priorities)
            if before.level and any(
                getattr(measured, name) > bounds.levels[before.level - 1] / 2 for name, bounds in BOUNDS.items()
            ):
                calm_since = at_s
            assert 0 <= state.step <= HIGHEST - 2 + max(1, priorities)
            assert bool(state.reason) == bool(state.step)
            if state.step > before.step:
                assert _highest(measured) >= state.level
                assert getattr(measured, state.reason) > BOUNDS[state.reason].levels[state.level - 1]
                if before.step >= HIGHEST:
                    assert (state.step, at_s - changed_s >= DEEPER_S) == (before.step + 1, True)
            elif state.step < before.step:
                assert state.step == before.step - 1
                assert at_s - max(calm_since, changed_s) >= CALM_S
            if state != before:
                changed_s = calm_since = at_s
            before = state
    for _ in range(int(before.step * (LONGEST_CALM_S + 1)) + 1):
        at_s += 1.0
        machine.observe(CALM, at_s, priorities)
    assert machine.state == Degraded()


def test_at_once_for_what_is_a_duration_by_itself_and_after_some_seconds_for_a_lag() -> None:
    for (name, level), measured in OVER.items():
        machine = Degradation()
        steps = [machine.observe(measured, float(n), 2).step for n in range(5)]
        hold = int(BOUNDS[name].hold_s)
        assert steps[: hold + 1] == [0] * hold + [level], name
        assert machine.state.reason == name


def test_a_pause_of_the_whole_machine_gives_nothing_up() -> None:
    machine = Degradation()
    for n in range(100):
        stopped = n % 10 == 0
        assert machine.observe(Measures(load=30.0) if stopped else CALM, float(n), 3).step == 0


def test_it_goes_deeper_one_priority_at_a_time_and_never_to_the_last() -> None:
    machine = Degradation()
    steps = {float(n): machine.observe(OVER["queue", 3], float(n), 3).step for n in range(60)}
    assert [at_s for at_s in steps if at_s and steps[at_s] != steps[at_s - 1]] == [DEEPER_S]
    assert set(steps.values()) == {3, 4}
    assert Degradation().observe(OVER["queue", 3], 0.0, 1).step == 2


def test_orders_of_fewer_priorities_bring_it_back_at_once() -> None:
    machine = Degradation()
    for n in range(20):
        machine.observe(OVER["queue", 3], float(n), 4)
    assert machine.state.step == 5
    assert machine.observe(OVER["queue", 3], 21.0, 2).step == 3


def test_a_load_that_comes_back_with_what_was_taken_back_is_tried_less_and_less_often() -> None:
    """The machine is well at level 3 only: each return to 2 brings the load back."""
    machine, falls = Degradation(), []
    before = 0
    for n in range(4000):
        step = machine.observe(CALM if machine.state.step >= 3 else OVER["queue", 3], float(n), 2).step
        if step < before:
            falls.append(n)
        before = step
    pauses = [b - a for a, b in itertools.pairwise(falls)]
    assert pauses[:4] == sorted(pauses[:4])
    assert pauses[-1] >= LONGEST_CALM_S
    assert len(falls) < 15


@given(st.lists(st.integers(0, 9), min_size=1), st.integers(0, 20))
def test_the_most_important_cameras_are_never_given_up(priorities: list[int], step: int) -> None:
    given_up = Degraded(step, "queue").priorities_given_up(priorities)
    kept = set(priorities) - given_up
    assert min(priorities) in kept
    assert all(high > low for high in given_up for low in kept)
    assert len(given_up) == min(max(0, step - 2), len(set(priorities)) - 1)


def test_the_written_order() -> None:
    table = [
        (state.level, state.analyses, state.share_of_sub(), sorted(state.priorities_given_up([0, 0, 3, 7])))
        for state in (Degraded(step, "load" if step else "") for step in range(6))
    ]
    assert table == [
        (0, True, Share.FULL, []),
        (1, False, Share.WATCHED, []),
        (2, False, Share.NONE, []),
        (3, False, Share.NONE, [7]),
        (3, False, Share.NONE, [3, 7]),
        (3, False, Share.NONE, [3, 7]),
    ]


def test_other_bounds() -> None:
    machine = Degradation({"sync": Bounds((1.0, 2.0, 3.0), 0.0)}, calm_s=2.0)
    assert machine.observe(Measures(sync=2.5, load=9.0), 0.0, 2).level == 2
    assert [machine.observe(CALM, float(n), 2).level for n in (1, 2, 3, 4, 5, 6)] == [2, 2, 1, 1, 1, 0]


def test_at_a_start_only_the_recording_of_the_first_cameras_is_protected() -> None:
    machine = Degradation()
    for over in (("queue", 1), ("queue", 2), ("sync", 1)):
        assert machine.observe(OVER[over], 1.0, 2, starting=True) == Degraded()
    assert machine.observe(OVER["queue", 3], 2.0, 2, starting=True) == Degraded(3, "queue")
    again = Degradation()
    assert again.observe(OVER["queue", 2], 1.0, 2, starting=True).level == 0
    assert again.observe(OVER["queue", 2], 2.0, 2).level == 2
