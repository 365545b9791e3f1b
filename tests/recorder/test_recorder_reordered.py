"""Pictures sent in another order than they are shown (B-frames): recorded bit for bit, replayed to the picture."""

import io
import itertools
import random
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import av
import pytest
from h264_clip import Clip, avcc, make_clip
from h265_clip import is_key as is_h265_key
from h265_clip import kind, make_h265_clip, unit_data
from hypothesis import given, settings
from hypothesis import strategies as st
from recorder_support import CAMERA, DAY_US, FORMAT, START_US, Bench, apply, bench, packets, record, start

from recorder.accounts import Cause
from recorder.check import check
from recorder.format import pack_part
from recorder.index import read_facts
from recorder.machine import boot_id
from recorder.playback import Clip as PlannedClip
from recorder.playback import Plan, PlaybackStore, VirtualMp4
from recorder.segmenter import (
    SEGMENT_US,
    Event,
    PartReady,
    RunEnded,
    RunStarted,
    SegmentClosed,
    Segmenter,
    SegmentOpened,
)
from streams.codecs import CODECS, H264
from streams.decode_times import DecodeTimes
from streams.fmp4 import Samples, parse_part_header
from streams.packets import Packet
from streams.ticks import at_from_us, us_from_90k

STEP_90K = 3600
STEP_US = 40_000
NOW = at_from_us(START_US + 600_000_000)
B_SLICE = b"\0\0\0\2" + bytes((1, 0b1_010_0000))
# One group of pictures in the order it is sent, by when each is shown: B-frames, some of them referred to.
PYRAMID = (0, 4, 2, 1, 3, 8, 6, 5, 7, 9)


def sent(shown: Sequence[int], group: int, seed: int = 0) -> list[Packet]:
    """Pictures of random bytes that are shown at these places; the first of each `group` is a key frame."""
    source, times, made = random.Random(seed), DecodeTimes(H264), []
    for place, number in enumerate(shown):
        data = B_SLICE + source.randbytes(source.randint(20, 400))
        pts_90k, is_key = number * STEP_90K, place % group == 0
        offset_90k = pts_90k - times.dts_90k(pts_90k, is_key, data, FORMAT)
        made.append(Packet(data, pts_90k, is_key, 0.0, FORMAT, 0, offset_90k))
    return made


def pyramids(groups: int) -> list[Packet]:
    return sent([group * 10 + n for group in range(groups) for n in PYRAMID], 10)


def placed(made: Sequence[Packet]) -> Iterator[tuple[Packet, int]]:
    for packet in made:
        yield packet, START_US + us_from_90k(packet.dts_90k)


@given(st.lists(st.permutations(range(1, 6)), min_size=1, max_size=12))
def test_what_comes_in_comes_out_with_the_times_it_had(orders: list[list[int]]) -> None:
    """Groups of pictures of any order within each."""
    made = sent([number * 6 + n for number, order in enumerate(orders) for n in (0, *order)], 6)
    segmenter = Segmenter(CAMERA, segment_us=5_000_000)
    events: list[Event] = [e for packet, at_us in placed(made) for e in segmenter.push(packet, at_us)]
    events += segmenter.end("test")
    data: list[bytes] = []
    shown_us: list[int] = []
    for event in events:
        if not isinstance(event, PartReady):
            continue
        header, content = pack_part(event.part, 1)
        part = parse_part_header(header + content)
        assert part.size == len(header) + len(content)
        assert part.base_decode_90k == event.part.base_90k
        data += event.part.data
        shown_us += [event.part.at_us + us_from_90k(at_90k) for at_90k in part.samples.shown_90k()]
    assert data == [packet.data for packet in made]
    assert shown_us == [START_US + us_from_90k(packet.pts_90k) for packet in made]
    (end_us,) = [e.end_us for e in events if isinstance(e, RunEnded)]
    # The last picture lasts as long as one, or as one after it was decoded.
    assert end_us > max(shown_us)
    opened = [e.start_us for e in events if isinstance(e, SegmentOpened)]
    assert [e.end_us for e in events if isinstance(e, SegmentClosed)] == [*opened[1:], end_us]
    assert [e.at_us for e in events if isinstance(e, RunStarted)] == [START_US]


def test_streams_in_order_are_written_as_before() -> None:
    segmenter = Segmenter(CAMERA)
    events = [e for packet, at_us in packets(60) for e in segmenter.push(packet, at_us)]
    part = next(e.part for e in events if isinstance(e, PartReady))
    header, _ = pack_part(part, 1)
    assert b"trun\0\0\7\1" in header
    assert not parse_part_header(header).samples.offsets_90k


def _open(made: Bench) -> PlaybackStore:
    made.index.put("playback_boot", boot_id())
    made.index.put("alive_us", START_US + 600_000_000)
    made.index.commit()
    return PlaybackStore(made.storage.path)


def _record(made: Bench, stream: Sequence[Packet], end: bool = True, segment_us: int = SEGMENT_US) -> None:
    segmenter = Segmenter(CAMERA, segment_us)
    if CAMERA not in made.store.accounts.cameras():
        made.store.accounts.gap(CAMERA, START_US, Cause.CAMERA, "connecting")
    for packet, at_us in placed(stream):
        apply(made.store, CAMERA, tuple(segmenter.push(packet, at_us)))
    if end:
        apply(made.store, CAMERA, tuple(segmenter.end("closed")))
    made.store.wave(START_US + 600_000_000)


def _film(plan: Plan) -> bytes:
    film = VirtualMp4(plan)
    data = b"".join(film.read(0, film.size, NOW))
    assert len(data) == film.size
    return data


def _shown(data: bytes) -> list[bytes]:
    """The pictures that a player shows, in the order it does."""
    with av.open(io.BytesIO(data)) as container:
        found = [p for p in container.demux(video=0) if p.size and not p.is_discard and (p.pts or 0) >= 0]
    assert len({p.pts for p in found}) == len(found)
    return [bytes(p) for p in sorted(found, key=lambda p: p.pts or 0)]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with bench(tmp_path_factory.mktemp("recorded")) as made:
        _record(made, pyramids(180))
        _open(made)
        yield made


@given(st.integers(-1_000_000, 73_000_000), st.integers(12, 5_000_000))
@settings(max_examples=150)
def test_any_interval_to_the_picture(recorded: Bench, from_us: int, length_us: int) -> None:
    from_at, to_at = at_from_us(START_US + from_us), at_from_us(START_US + from_us + length_us)
    plan = PlaybackStore(recorded.storage.path).plan(CAMERA, from_at, to_at, NOW)
    at_us = {packet.data: us_from_90k(packet.pts_90k) for packet in pyramids(180)}
    before_end = list(itertools.takewhile(lambda p: at_us[p.data] < from_us + length_us, pyramids(180)))
    # The key frame of the next group ends nothing: what is sent after the end's first picture is out.
    expected = sorted((p.data for p in before_end if at_us[p.data] >= from_us), key=at_us.__getitem__)
    clips = [item for item in plan.items if isinstance(item, PlannedClip)]
    assert all(from_at <= clip.from_at < clip.to_at <= to_at for clip in clips)
    if not expected:
        assert plan.slices == []
        return
    assert _shown(_film(plan)) == expected
    assert clips[0].from_at == at_from_us(START_US + at_us[expected[0]])
    # What lacks at the end was sent after a picture that is shown later: at most as many as are sent ahead.
    inside = sum(from_us <= us < from_us + length_us for us in at_us.values())
    assert inside - len(expected) <= 3


def test_a_killed_recorder_loses_the_unfinished_part_only(tmp_path: Path) -> None:
    stream = pyramids(60)
    with bench(tmp_path) as made:
        _record(made, stream, end=False)
    again = start(tmp_path, START_US + 30_000_000)
    store = _open(again)
    plan = store.plan(CAMERA, at_from_us(START_US), at_from_us(START_US + 30_000_000), NOW)
    again.kill()
    assert check(tmp_path / "recordings", START_US + 30_000_000, deep=True).ok
    shown = _shown(_film(plan))
    in_order = sorted(stream, key=lambda packet: packet.pts_90k)
    assert shown == [packet.data for packet in in_order][: len(shown)]
    assert len(stream) - len(shown) <= 50


def clips() -> list[tuple[Clip, str]]:
    rules = "bframes=3:b-adapt=0:open-gop="
    return [
        (make_clip(frames=144, gop=24, b_frames=3), "h264"),
        (make_h265_clip(frames=144, gop=24, options=f"{rules}0"), "h265"),
        (make_h265_clip(frames=144, gop=24, options=f"{rules}1"), "h265"),
    ]


def encoded(clip: Clip, codec: str) -> list[Packet]:
    times, made = DecodeTimes(CODECS[codec]), []
    for number, unit in zip(clip.shown, clip.units, strict=True):
        data = (avcc if codec == "h264" else unit_data)(unit)
        is_key = is_h265_key(unit) if codec == "h265" else any(nal[0] & 31 == 5 for nal in unit)
        pts_90k = number * STEP_90K
        offset_90k = pts_90k - times.dts_90k(pts_90k, is_key, data, clip.format)
        made.append(Packet(data, pts_90k, is_key, 0.0, clip.format, 0, offset_90k))
    return made


def decoded(data: bytes) -> list[bytes]:
    with av.open(io.BytesIO(data)) as container:
        return [frame.to_ndarray().tobytes() for frame in container.decode(video=0)]


def whole(clip: Clip, stream: Sequence[Packet], path: Path) -> list[bytes]:
    """Every picture of the clip, decoded at one go."""
    with bench(path) as made:
        _record(made, stream)
        plan = _open(made).plan(CAMERA, at_from_us(START_US), at_from_us(START_US + 60_000_000), NOW)
        pictures = decoded(_film(plan))
    assert len(pictures) == len(clip.units)
    return pictures


@pytest.mark.parametrize("number", range(3))
def test_a_film_begins_with_pictures_that_can_be_decoded(tmp_path: Path, number: int) -> None:
    """Wherever it begins, also between the groups of a stream whose groups are open."""
    clip, codec = clips()[number]
    stream = encoded(clip, codec)
    pictures = whole(clip, stream, tmp_path / "whole")
    with bench(tmp_path) as made:
        _record(made, stream)
        store = _open(made)
        for begin in range(0, 144, 5):
            from_us = START_US + begin * STEP_US
            plan = store.plan(CAMERA, at_from_us(from_us), at_from_us(START_US + 60_000_000), NOW)
            assert decoded(_film(plan)) == pictures[begin:]
            assert plan.slices[0].start_us == from_us


def test_after_a_hole_nothing_is_decoded_against_what_is_missing(tmp_path: Path) -> None:
    """A run of open groups, of which a segment in the middle is gone: the leading pictures after it are left out."""
    clip, codec = clips()[2]
    stream = encoded(clip, codec)
    pictures = whole(clip, stream, tmp_path / "whole")
    leading = [n for n, unit in zip(clip.shown, clip.units, strict=True) if {kind(nal) for nal in unit} & {8, 9}]
    with bench(tmp_path) as made:
        _record(made, stream, segment_us=960_000)
        store = _open(made)
        interval = at_from_us(START_US), at_from_us(START_US + 60_000_000)
        rows = made.index.query("SELECT id, start_us, end_us FROM segment ORDER BY id")
        assert len(rows) >= 4
        assert decoded(_film(store.plan(CAMERA, *interval, NOW))) == pictures
        gone, start_us, end_us = rows[2]
        made.index.execute("DELETE FROM part WHERE segment = ?", (gone,))
        made.index.commit()
        film = _film(store.plan(CAMERA, *interval, NOW))
    first, last = ((us - START_US) // STEP_US for us in (start_us, end_us))
    # With the segment went the leading pictures of its own key frame, shown before it.
    lost = {n for n in leading if first - 4 < n < first or last - 4 < n < last} | set(range(first, last))
    assert decoded(film) == [picture for n, picture in enumerate(pictures) if n not in lost]


def test_both_kinds_in_one_film(tmp_path: Path) -> None:
    """A camera that is set to another manner of encoding: streams in order and reordered, behind each other."""
    with bench(tmp_path) as made:
        record(made.store, CAMERA, packets(250))
        later = [
            Packet(p.data, p.pts_90k + 20 * 90_000, p.is_key, p.received_s, p.format, 0, p.offset_90k)
            for p in pyramids(30)
        ]
        _record(made, later)
        plan = _open(made).plan(CAMERA, at_from_us(START_US), at_from_us(START_US + 60_000_000), NOW)
        film = _film(plan)
        assert check(made.storage.path, START_US + DAY_US, deep=True).ok
    in_order = [packet.data for packet, _ in packets(250)]
    assert _shown(film) == in_order + [p.data for p in sorted(later, key=lambda p: p.pts_90k)]
    assert plan.duration_s == pytest.approx(22, abs=0.1)
    assert timedelta(seconds=22) - sum(
        (c.to_at - c.from_at for c in plan.items if isinstance(c, PlannedClip)), timedelta()
    ) < timedelta(seconds=0.1)


def test_samples_without_some_last_as_long() -> None:
    from recorder.bounds import leading, without

    samples = Samples.of([5, 6, 7, 8], [10, 20, 30, 40], (0,), [0, -15, -35, 5])
    assert leading(samples) == 2
    assert without(samples, 1, 2) == Samples.of([5, 8], [60, 40], (0,), [0, 5])
    assert without(samples, 1, 2).shown_90k()[1] == samples.shown_90k()[3]


def test_a_run_tells_how_many_stamps_were_put_in_order(tmp_path: Path) -> None:
    """A camera that stamps one picture in ten 60 ms early is recorded on and on, in one run, and that is told."""
    stream = list(packets(250))
    for packet, _ in stream[5::10]:
        packet.pts_90k -= 5_400
    with bench(tmp_path) as made:
        record(made.store, CAMERA, iter(stream))
        ended = [f for f in read_facts(made.index._db, 0, 100)["facts"] if f["kind"] == "run_ended"]
        film = _film(_open(made).plan(CAMERA, at_from_us(START_US), at_from_us(START_US + 20_000_000), NOW))
        assert check(made.storage.path, START_US + DAY_US, deep=True).ok
    assert [fact["repaired"] for fact in ended] == [25]
    assert _shown(film) == [packet.data for packet, _ in stream]
