"""Frames in = frames out, bit for bit, whatever the packets are and wherever a run is cut."""

import itertools
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recorder_support import CAMERA, FORMAT, OTHER, START_US, packets

from recorder.format import MAX_PART_BYTES, MAX_PART_SAMPLES, PART_BOX, pack_part, read_part_mark
from recorder.segmenter import (
    PART_90K,
    RUNS,
    RUNS_S,
    SEGMENT_US,
    Event,
    PartReady,
    RunEnded,
    RunStarted,
    SegmentClosed,
    Segmenter,
    SegmentOpened,
    stagger_us,
)
from streams.fmp4 import parse_part_header
from streams.packets import Packet, VideoFormat
from streams.ticks import us_from_90k

WIDER = VideoFormat("h264", 1280, 720, FORMAT.sps + b"\0", FORMAT.pps)


def _check_order(events: Sequence[Event]) -> None:
    """Run started, then segments opened and closed around their parts, then run ended."""
    run = segment = False
    for event in events:
        match event:
            case RunStarted():
                assert not run
                run = True
            case SegmentOpened():
                assert run
                assert not segment
                segment = True
            case PartReady(part):
                assert segment
                assert part.data
                assert len(part.data) == len(part.durations_90k) <= MAX_PART_SAMPLES
                assert part.data_bytes == sum(map(len, part.data))
            case SegmentClosed():
                assert segment
                segment = False
            case RunEnded():
                assert run
                assert not segment
                run = False


steps = st.tuples(
    st.integers(0, 200),  # picture's bytes
    st.one_of(st.integers(1, 20_000), st.integers(-200_000, 900_000)),  # ticks since the last
    st.booleans(),  # key frame
    st.sampled_from([FORMAT] * 20 + [WIDER]),
    st.sampled_from([""] * 20 + ["end", "discard"]),
)


@given(st.lists(steps, max_size=60))
def test_frames_in_are_frames_out(stream: list[tuple[int, int, bool, VideoFormat, str]]) -> None:
    segmenter = Segmenter(CAMERA, segment_us=500_000)
    events: list[Event] = []
    expected: list[bytes] = []
    waiting: list[bytes] = []
    pts = 0
    for n, (size, step, is_key, format, then) in enumerate(stream):
        pts += step
        data = n.to_bytes(4, "big") + bytes(size)
        before = len(events)
        events += segmenter.push(Packet(data, pts, is_key, 0.0, format), START_US + us_from_90k(pts))
        out = sum(len(e.part.data) for e in events[before:] if isinstance(e, PartReady))
        expected += waiting[:out]
        del waiting[:out]
        if segmenter.recording:
            waiting.append(data)
        if then == "end":
            events += segmenter.end("test")
            expected += waiting
            waiting = []
        if then == "discard":
            assert not waiting or segmenter.recording
            if segmenter.recording:
                events += (SegmentClosed(0), RunEnded(0, "test"))
            segmenter.discard()
            waiting = []
    events += segmenter.end("test")
    expected += waiting
    _check_order(events)
    got = [data for e in events if isinstance(e, PartReady) for data in e.part.data]
    assert got == expected
    assert not segmenter.recording


def test_a_part_is_a_group_of_pictures_and_a_segment_a_minute() -> None:
    segmenter = Segmenter(CAMERA)
    stream = list(packets(25 * 200))
    events = [e for packet, at_us in stream for e in segmenter.push(packet, at_us)]
    parts = [e.part for e in events if isinstance(e, PartReady)]
    got = [data for part in parts for data in part.data]
    assert got == [packet.data for packet, _ in stream[:-50]], "all but the group that goes on"
    assert {len(p.data) for p in parts} == {50}
    assert all(p.is_key for p in parts)
    opened = [e.start_us for e in events if isinstance(e, SegmentOpened)]
    closed = [e.end_us for e in events if isinstance(e, SegmentClosed)]
    assert closed == opened[1:]
    assert {b - a for a, b in itertools.pairwise(opened[1:])} == {SEGMENT_US}
    for start_us in opened[1:]:
        assert 0 <= (start_us - stagger_us(CAMERA, SEGMENT_US)) % SEGMENT_US < 2_000_000


def test_a_camera_that_changes_with_each_picture_begins_no_more_than_so_many_runs() -> None:
    segmenter = Segmenter(CAMERA)
    began_s: list[float] = []
    recorded = 0
    for n, (packet, at_us) in enumerate(packets(25 * 300, gop=1)):
        format = WIDER if n % 2 and n < 25 * 150 else FORMAT
        events = segmenter.push(replace(packet, format=format), at_us)
        began_s += [packet.received_s for event in events if isinstance(event, RunStarted)]
        recorded += segmenter.recording and n >= 25 * 240
    assert len(began_s) > RUNS
    assert all(later - first >= RUNS_S for first, later in zip(began_s, began_s[RUNS:], strict=False))
    assert recorded == 25 * 60, "it is recorded again once it is steady"


def test_rotation_differs_between_cameras() -> None:
    assert stagger_us(CAMERA, SEGMENT_US) != stagger_us(OTHER, SEGMENT_US)


def test_the_base_of_a_part_is_the_sum_before_it() -> None:
    segmenter = Segmenter(CAMERA)
    base = 0
    for packet, at_us in packets(25 * 130, gop=37):
        for event in segmenter.push(packet, at_us):
            if isinstance(event, SegmentOpened):
                base = 0
            if isinstance(event, PartReady):
                assert event.part.base_90k == base
                base += event.part.duration_90k


def test_long_groups_are_cut_at_two_seconds_and_large_ones_at_four_mebibytes() -> None:
    segmenter = Segmenter(CAMERA)
    events = [e for packet, at_us in packets(500, gop=1000) for e in segmenter.push(packet, at_us)]
    assert all(e.part.duration_90k == PART_90K for e in events if isinstance(e, PartReady))
    large = Segmenter(CAMERA)
    sizes = []
    for n in range(40):
        packet = Packet(bytes(1_000_000), n * 900, n == 0, 0.0, FORMAT)
        sizes += [e.part.data_bytes for e in large.push(packet, START_US + n * 10_000) if isinstance(e, PartReady)]
    assert set(sizes) == {4_000_000}
    assert max(sizes) <= MAX_PART_BYTES


def test_nothing_is_kept_before_the_first_key_frame() -> None:
    segmenter = Segmenter(CAMERA)
    assert [e for p, at in packets(10, start=1) for e in segmenter.push(p, at)] == []
    assert segmenter.end("closed") == ()


@pytest.mark.parametrize(
    ("jump_us", "reason"), [(3_500_000, "missing"), (-2_000_000, "backwards"), (500_000, None), (-500_000, None)]
)
def test_holes_and_steps_back_cut_the_run(jump_us: int, reason: str | None) -> None:
    segmenter = Segmenter(CAMERA)
    for packet, at_us in packets(60):
        segmenter.push(packet, at_us)
    ended = [
        e
        for packet, at_us in packets(50, start=60)
        for e in segmenter.push(packet, at_us + jump_us)
        if isinstance(e, RunEnded)
    ]
    assert [e.reason for e in ended] == ([reason] if reason else [])
    if reason:
        assert ended[0].end_us == START_US + 60 * 40_000


def test_pictures_out_of_order_do_not_make_a_part_longer() -> None:
    segmenter = Segmenter(CAMERA)
    order = [0, 3, 1, 2, 6, 4, 5, 7]
    for n in order:
        assert not [
            e
            for e in segmenter.push(Packet(b"x", n * 3600, n == 0, 0.0, FORMAT), START_US + n * 40_000)
            if isinstance(e, RunEnded)
        ]
    (part,) = [e.part for e in segmenter.end("closed") if isinstance(e, PartReady)]
    assert part.durations_90k[:-1] == [3600] * 7


def test_pictures_stamped_before_the_last_are_counted_in_their_part() -> None:
    segmenter = Segmenter(CAMERA)
    events: list[Event] = []
    for n, pts_90k in enumerate([0, 3600, 7200, 5000, 10_800, 10_800, 14_400]):
        at_us = START_US + n * 40_000
        events += segmenter.push(Packet(bytes([n]), pts_90k, n == 0, 0.0, FORMAT), at_us)
    events += segmenter.end("closed")
    (part,) = [e.part for e in events if isinstance(e, PartReady)]
    assert part.repaired == 2
    assert part.data == [bytes([n]) for n in range(7)]
    mark = read_part_mark(parse_part_header(b"".join(pack_part(part, 1))))
    assert (mark.at_us, mark.repaired) == (START_US, 2)


def test_without_them_a_part_is_marked_as_before() -> None:
    segmenter = Segmenter(CAMERA)
    events = [e for packet, at_us in packets(60) for e in segmenter.push(packet, at_us)]
    part = next(e.part for e in events if isinstance(e, PartReady))
    header = parse_part_header(b"".join(pack_part(part, 1)))
    assert len(header.uuids[PART_BOX]) == 44
    assert read_part_mark(header).repaired == 0
