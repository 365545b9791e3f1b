from datetime import timedelta
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.ticks import at_from_us, ticks_from_us
from streams.timeline import Anchor, Cut, Timeline

WALL_US = 1_790_000_000_000_000
FRAME_US = 40_000


class Street:
    """A simulated camera and network: true time, a camera clock with a rate, delays, and our two clocks."""

    def __init__(self, ppm: int = 0, boot_s: float = 1000.0) -> None:
        self.now_us = 0
        self.ppm = ppm
        self.boot_s = boot_s
        self.media_us = 5_000_000.0
        self.wall_step_us = 0
        self.timeline = Timeline(self.anchor())
        self.errors: list[int] = []  # placed minus true, per picture
        self.last_at_us: int | None = None
        self.cuts: list[Cut] = []

    def anchor(self) -> Anchor:
        return Anchor(self.boot_s + self.now_us / 1e6, WALL_US + self.now_us + self.wall_step_us)

    def picture(self, delay_us: int = 0, step_us: int = FRAME_US) -> int:
        self.now_us += step_us
        self.media_us += step_us * (1 + self.ppm / 1e6)
        received_s = self.boot_s + (self.now_us + delay_us) / 1e6
        at_us = self.timeline.place(ticks_from_us(round(self.media_us)), received_s)
        if self.timeline.cut is not None:
            self.cuts.append(self.timeline.cut)
        elif self.last_at_us is not None:
            assert at_us > self.last_at_us
        self.last_at_us = at_us
        self.errors.append(at_us - (WALL_US + self.wall_step_us + self.now_us))
        return at_us


def test_a_steady_camera_is_placed_at_its_arrival() -> None:
    street = Street()
    for _ in range(1000):
        street.picture(delay_us=2_000)
    assert all(abs(error - 2_000) <= 12 for error in street.errors)


def test_a_late_first_picture_is_made_good_soon() -> None:
    street = Street()
    street.picture(delay_us=200_000)
    for _ in range(30):
        street.picture(delay_us=1_000)
    assert abs(street.errors[-1] - 1_000) <= 50
    assert street.cuts == []


@settings(max_examples=12)
@given(st.integers(-200, 200), st.integers(0, 2**32), st.integers(0, 90_000))
def test_hours_of_drift_and_jitter_stay_near_the_truth(ppm, seed, jitter_us) -> None:
    random = Random(seed)
    street = Street(ppm)
    for number in range(40_000):  # at 10 pictures a second more than an hour
        if number % 10 == 0:
            street.timeline.told(street.anchor())
        street.picture(delay_us=random.randrange(jitter_us + 1), step_us=100_000)
    assert street.cuts == []
    assert all(-25_000 <= error <= jitter_us + 25_000 for error in street.errors)


def test_a_camera_whose_stamps_are_one_percent_slow_is_followed_without_a_cut() -> None:
    street = Street(ppm=-10_000)
    for _ in range(100_000):
        street.picture()
    assert street.cuts == []
    assert max(map(abs, street.errors)) < 700_000


@pytest.mark.parametrize("jump_us", [-3_600_000_000, -150_000, 1_200_000, 86_400_000_000])
def test_a_jump_of_the_cameras_stamps_cuts_the_run_once_and_keeps_the_time(jump_us: int) -> None:
    street = Street()
    for _ in range(200):
        street.picture()
    street.media_us += jump_us
    for _ in range(200):
        street.picture()
    assert street.cuts == [Cut.CAMERA_CLOCK]
    assert max(map(abs, street.errors)) <= 50


def test_stamps_that_jitter_backwards_do_not_cut() -> None:
    street = Street()
    for number in range(2000):
        street.media_us += -60_000 if number % 2 else 60_000
        street.picture()
    assert street.cuts == []


def test_a_camera_that_stood_still_is_disbelieved_after_a_while() -> None:
    street = Street()
    for _ in range(100):
        street.picture()
    street.now_us += 5_000_000
    for _ in range(200):
        street.picture()
    assert street.cuts == [Cut.CAMERA_CLOCK]
    assert abs(street.errors[-1]) <= 50


def test_a_network_that_held_pictures_back_costs_no_cut() -> None:
    street = Street()
    for _ in range(100):
        street.picture()
    for number in range(100, 0, -1):
        street.picture(delay_us=number * FRAME_US)
    for _ in range(100):
        street.picture()
    assert street.cuts == []
    assert max(map(abs, street.errors)) <= 50_000


def test_a_pause_of_our_own_while_we_catch_up_costs_no_cut() -> None:
    """Of what came in a pause only the first was read when the next one began: all of it comes late, for long."""
    street = Street()
    for _ in range(100):
        street.picture()
    street.picture(delay_us=9_000_000)
    for late_us in range(14_000_000, 0, -FRAME_US):
        street.picture(delay_us=late_us)
    for _ in range(100):
        street.picture()
    assert street.cuts == []
    assert max(map(abs, street.errors)) <= 50_000


def test_pictures_left_out_after_one_that_was_held_up_cost_no_cut() -> None:
    """A camera that could not send for a while: what it had begun comes late, then it goes on with the present."""
    street = Street()
    for _ in range(100):
        street.picture()
    held_us = 3_000_000
    street.picture(delay_us=held_us)
    street.picture(step_us=held_us + FRAME_US)
    for _ in range(100):
        street.picture()
    assert street.cuts == []
    assert max(map(abs, street.errors)) <= 50_000


@pytest.mark.parametrize("step_us", [-7_200_000_000, -1_500_000, 1_500_000, 3_600_000_000])
def test_a_wall_clock_that_is_set_cuts_the_run(step_us: int) -> None:
    street = Street()
    for _ in range(100):
        street.picture()
    street.wall_step_us += step_us
    street.timeline.told(street.anchor())
    for _ in range(100):
        street.picture()
    assert street.cuts == [Cut.WALL_CLOCK]
    assert max(map(abs, street.errors)) <= 50


@pytest.mark.parametrize("step_us", [-800_000, 800_000])
def test_a_small_correction_of_the_wall_clock_is_followed_softly(step_us: int) -> None:
    street = Street()
    for _ in range(100):
        street.picture()
    street.wall_step_us += step_us
    street.timeline.told(street.anchor())
    for _ in range(6000):
        street.picture()
    assert street.cuts == []
    assert abs(street.errors[-1]) <= 2_000


def test_the_cameras_offset_is_measured_and_survives_a_step_of_our_clock() -> None:
    street = Street()
    first_us = street.picture()
    pts_90k = ticks_from_us(round(street.media_us))
    street.timeline.sender_report(at_from_us(first_us) + timedelta(seconds=2.3), pts_90k)
    assert street.timeline.clock_offset_us == 2_300_000
    street.wall_step_us += 10_000_000
    street.timeline.told(street.anchor())
    street.picture()
    offset_us = street.timeline.clock_offset_us
    assert offset_us is not None
    assert abs(offset_us + 7_700_000) <= 50
    street.media_us += 60_000_000
    street.picture()
    assert street.timeline.clock_offset_us is None


def test_a_report_before_the_first_picture_counts() -> None:
    street = Street()
    street.timeline.sender_report(at_from_us(WALL_US), ticks_from_us(5_000_000))
    street.picture()
    assert street.timeline.clock_offset_us is not None
    assert abs(street.timeline.clock_offset_us) <= 50


def test_a_new_connection_starts_afresh() -> None:
    street = Street()
    street.picture()
    street.timeline.restart()
    street.media_us = 0
    street.picture()
    assert street.cuts == []
    assert abs(street.errors[-1]) <= 50


@settings(max_examples=200)
@given(
    st.lists(
        st.tuples(st.integers(-(2**40), 2**40), st.floats(0, 100), st.sampled_from([0, 0, 0, 5_000_000])), max_size=60
    )
)
def test_whatever_comes_time_rises_within_a_run(steps) -> None:
    timeline = Timeline(Anchor(0.0, WALL_US))
    received_s, last = 0.0, None
    for pts_90k, wait_s, step_us in steps:
        received_s += wait_s
        timeline.told(Anchor(received_s, WALL_US + round(received_s * 1e6) + step_us))
        at_us = timeline.place(pts_90k, received_s)
        assert last is None or timeline.cut is not None or at_us > last
        last = at_us
