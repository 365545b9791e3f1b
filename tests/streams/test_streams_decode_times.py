"""Decode times of pictures that are sent in another order than they are shown."""

import itertools

import pytest
from h264_clip import Clip, avcc, make_clip
from h265_clip import is_key as is_h265_key
from h265_clip import make_h265_clip, unit_data
from hypothesis import given
from hypothesis import strategies as st
from rtsp_camera import framed, picture

from streams import h264, h265
from streams.codecs import H264, H265, Codec
from streams.decode_times import JUMP_90K, KEY_JUMP_90K, DecodeTimes
from streams.packets import Packet, VideoFormat
from streams.rtsp.video import HEAD_BYTES, reader_of
from streams.timeline import Anchor, Timeline

STEP_90K = 3600
# x264's, without the VUI that would tell of reordering.
SILENT = VideoFormat("h264", 640, 360, bytes.fromhex("674d001e95a0"), bytes.fromhex("68ee3c80"))
B_SLICE, P_SLICE = (b"\0\0\0\2" + bytes((1, bits)) for bits in (0b1_010_0000, 0b1_1_000000))


def clips() -> list[tuple[Clip, int]]:
    """Each with the depth that its encoder uses."""
    open_groups = "bframes=3:b-adapt=0:open-gop=1"
    return [
        (make_clip(frames=100, b_frames=1), 1),
        (make_clip(frames=100, b_frames=3), 2),
        (make_clip(frames=100), 0),
        (make_h265_clip(frames=100, options="bframes=3:b-adapt=0:open-gop=0"), 2),
        (make_h265_clip(frames=96, gop=24, options=open_groups), 2),
        (make_h265_clip(frames=100), 0),
    ]


def read(clip: Clip) -> list[Packet]:
    """Sent as RTP, every picture stamped with when it is shown."""
    got: list[Packet] = []
    reader = reader_of(clip.format.codec, got.append)
    reader.attach(0, 96)
    packets: list[bytes] = []
    for number, unit in zip(clip.shown, clip.units, strict=True):
        packets += picture(unit, 65_500 + len(packets), 0xFFFF0000 + number * STEP_90K, 1400, clip.format.codec)
    data = b"".join(framed(0, packet) for packet in packets)
    assert reader.feed(memoryview(data + bytes(HEAD_BYTES)), 0, len(data), 1.0) == len(data)
    return got


@pytest.mark.parametrize("number", range(6))
def test_every_picture_of_real_encoders_has_its_times(number: int) -> None:
    clip, depth = clips()[number]
    codec: Codec = H265 if clip.format.codec == "h265" else H264
    assert codec.reordered(clip.format.sps) == depth
    packets = read(clip)
    data_of = unit_data if codec is H265 else avcc
    assert [p.data for p in packets] == [data_of(unit) for unit in clip.units]
    assert [p.pts_90k - 0xFFFF0000 for p in packets] == [n * STEP_90K for n in clip.shown]
    assert any(b.pts_90k < a.pts_90k for a, b in itertools.pairwise(packets)) == (depth > 0)
    _decode_times_hold(packets)
    if not depth:
        assert {p.offset_90k for p in packets} == {0}


def _decode_times_hold(packets: list[Packet]) -> None:
    assert all(a.dts_90k < b.dts_90k for a, b in itertools.pairwise(packets))
    assert {p.offset_90k for p in packets if p.is_key} == {0}
    # They follow the stamps: a picture is decoded no more than a few pictures from where it is shown.
    assert max(abs(p.offset_90k) for p in packets) <= 5 * STEP_90K


def test_a_stream_that_tells_nothing_shows_its_depth() -> None:
    times, shown = DecodeTimes(H264), []
    order = [0, 4, 2, 1, 3, 8, 6, 5, 7]
    pictures = [group * 9 + n for group in range(6) for n in order]
    for number in pictures:
        data = P_SLICE if number % 9 % 4 == 0 else B_SLICE
        dts_90k = times.dts_90k(number * STEP_90K, number % 9 == 0, data, SILENT)
        shown.append(Packet(data, number * STEP_90K, number % 9 == 0, 0.0, SILENT, 0, number * STEP_90K - dts_90k))
    assert times.depth == 2
    assert all(a.dts_90k < b.dts_90k for a, b in itertools.pairwise(shown))
    _decode_times_hold(shown[9:])
    steps = [b.dts_90k - a.dts_90k for a, b in itertools.pairwise(shown[18:])]
    assert steps == [STEP_90K] * len(steps)


def test_a_camera_that_stamps_unevenly_has_no_reordering() -> None:
    times = DecodeTimes(H264)
    stamps = [0, 3600, 7200, 5000, 10_800, 900_000_000, 100]
    assert [times.dts_90k(pts, pts == 0, P_SLICE, SILENT) for pts in stamps] == stamps
    assert times.depth == 0


steps = st.lists(st.tuples(st.integers(-400_000, 500_000), st.booleans(), st.booleans()), min_size=1, max_size=80)


@given(steps, st.sampled_from([0, 1, 3, 16]))
def test_decode_times_rise_whatever_the_stamps_are(steps: list[tuple[int, bool, bool]], depth: int) -> None:
    """But where they go back so far that the camera's clock was set."""
    codec = Codec(*(depth_told(depth) if name == "reordered" else getattr(H264, name) for name in Codec.__slots__))
    times, pts_90k, dts_90k = DecodeTimes(codec), 0, None
    reordered = depth > 0
    for step, is_key, is_b in steps:
        pts_90k += step
        found = times.dts_90k(pts_90k, is_key, B_SLICE if is_b else P_SLICE, SILENT)
        reordered = reordered or times.depth > 0
        if dts_90k is not None and reordered:
            assert found > dts_90k or found <= dts_90k - (KEY_JUMP_90K if is_key else JUMP_90K)
        dts_90k = found
        assert times.depth <= 16


def depth_told(depth: int):
    return lambda _: depth


@pytest.mark.parametrize("cut", range(4, 60))
def test_a_sequence_cut_short_tells_no_depth(cut: int) -> None:
    for clip, codec in ((make_clip(b_frames=3), H264), (make_h265_clip(options="bframes=3"), H265)):
        sps = clip.format.sps[:cut]
        format = VideoFormat(codec.name, 160, 96, sps, clip.format.pps)
        assert DecodeTimes(codec).dts_90k(7, True, b"", format) == 7
        for read in (codec.reordered, codec.picture_size):
            try:
                read(sps)
            except h264.BadBits:
                continue


def test_pictures_are_placed_when_they_were_taken() -> None:
    """A camera sends each picture as soon as those that it depends on were taken, 20 ms after."""
    clip = make_clip(frames=100, b_frames=3)
    timeline, latest = Timeline(Anchor(0.0, 0)), 0
    for packet in read(clip):
        taken_us = (packet.pts_90k - 0xFFFF0000) * 100 // 9
        latest = max(latest, taken_us)
        received_s = (latest + 20_000) / 1e6
        at_us = timeline.place(packet.dts_90k, received_s, packet.offset_90k) + round(packet.offset_90k * 100 / 9)
        assert timeline.cut is None
        assert abs(at_us - taken_us - 20_000) <= 1000
    assert timeline.backwards == 0


def test_leading_pictures_are_told_by_the_kind() -> None:
    clip = make_h265_clip(frames=96, gop=24, options="bframes=3:b-adapt=0:open-gop=1")
    kinds = {h265.kind_of(nal[0]) for unit in clip.units for nal in unit}
    assert 21 in kinds  # CRA: the groups are open
    assert kinds & {8, 9}  # RASL: leading pictures that need what is before
    assert sum(map(is_h265_key, clip.units)) == 4
