"""Any interval as one film by byte ranges: same pictures, exact times, nothing past its deadline."""

import io
import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import av
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from recorder_support import CAMERA, DAY_US, FORMAT, OTHER, START_US, Bench, bench, packets, record

from recorder.accounts import Cause
from recorder.check import check
from recorder.destruction import destroy_due
from recorder.machine import boot_id
from recorder.playback import Clip, Gap, Plan, PlaybackClosed, PlaybackError, PlaybackStore, SegmentGone, VirtualMp4
from streams.packets import VideoFormat
from streams.parameters import MAX_BYTES
from streams.ticks import at_from_us

NOW = at_from_us(START_US + 600_000_000)


def _at(seconds: float) -> datetime:
    return at_from_us(START_US + round(seconds * 1_000_000))


def _open(made: Bench) -> PlaybackStore:
    made.index.put("playback_boot", boot_id())
    made.index.put("alive_us", START_US + 600_000_000)
    made.index.commit()
    return PlaybackStore(made.storage.path)


def _media_s(plan: Plan, at: datetime) -> float:
    """Where in the film an instant is; an instant in a gap is where the film goes on after it, else its end."""
    for clip in (item for item in plan.items if isinstance(item, Clip)):
        if at < clip.to_at:
            share = max(at - clip.from_at, timedelta()) / (clip.to_at - clip.from_at)
            return clip.media_from_s + share * (clip.media_to_s - clip.media_from_s)
    return plan.duration_s


def _film(plan: Plan) -> tuple[VirtualMp4, bytes]:
    film = VirtualMp4(plan)
    data = b"".join(film.read(0, film.size, NOW))
    assert len(data) == film.size
    return film, data


def _pictures(data: bytes) -> list[bytes]:
    with av.open(io.BytesIO(data)) as container:
        return [bytes(p) for p in container.demux(video=0) if p.size]


def _shown(data: bytes) -> list[bytes]:
    """The pictures of a film that a player shows: those that the edit list doesn't hide."""
    with av.open(io.BytesIO(data)) as container:
        return [bytes(p) for p in container.demux(video=0) if p.size and not p.is_discard and p.pts >= 0]


def test_the_film_shows_exactly_the_interval(tmp_path: Path) -> None:
    with bench(tmp_path) as made:
        record(made.store, CAMERA, packets(25 * 200))
        plan = _open(made).plan(CAMERA, _at(61), _at(133), NOW)
        film, data = _film(plan)
    sent = [p.data for p, _ in packets(25 * 200)]
    # The key frame before it, on which the first picture shown depends, is there and hidden.
    assert _pictures(data) == sent[60 * 25 : 133 * 25]
    assert _shown(data) == sent[61 * 25 : 133 * 25]
    clips = [item for item in plan.items if isinstance(item, Clip)]
    assert len(clips) == len(plan.items) >= 2
    assert clips[0].from_at == _at(61)
    assert clips[-1].to_at == _at(133)
    assert plan.duration_s == 72
    for second in range(61, 133):
        assert _media_s(plan, _at(second)) == pytest.approx(second - 61, abs=1e-6)
    assert film.mime == 'video/mp4; codecs="avc1.4d001e"'
    # The account is of what leaves: the hidden second too, nothing after the end.
    assert film.intervals(0, film.size) == [(_at(60), _at(133))]


def test_parameter_sets_may_be_as_long_as_they_are_taken(tmp_path: Path) -> None:
    long = VideoFormat("h264", 640, 360, FORMAT.sps.ljust(MAX_BYTES, b"\1"), FORMAT.pps.ljust(MAX_BYTES, b"\1"))
    with bench(tmp_path) as made:
        record(made.store, CAMERA, ((replace(packet, format=long), at_us) for packet, at_us in packets(25 * 10)))
        film, data = _film(_open(made).plan(CAMERA, _at(0), _at(10), NOW))
        assert check(made.storage.path, START_US, deep=True).ok
    assert film.mime == f'video/mp4; codecs="{long.mime}"'
    assert all(packet.data in data for packet, _ in packets(25 * 10))


def test_a_camera_that_moved_is_one_film_and_what_is_away_is_a_gap(tmp_path: Path) -> None:
    with bench(tmp_path / "one") as one, bench(tmp_path / "two") as two:
        record(one.store, CAMERA, packets(25 * 100))
        one.store.accounts.gap(CAMERA, START_US + 100_000_000, Cause.STORAGE, "storage_failed")
        one.store.accounts.released(CAMERA, START_US + 110_000_000)
        two.store.accounts.gap(CAMERA, START_US + 110_000_000, Cause.STORAGE, "storage_failed")
        record(two.store, CAMERA, packets(25 * 80, start=25 * 120))
        for made in (one, two):
            _open(made)
        store = PlaybackStore(one.storage.path, two.storage.path)
        plan = store.plan(CAMERA, _at(91), _at(133), NOW)
        film, data = _film(plan)
        sent = [p.data for p, _ in packets(25 * 100)]
        later = [p.data for p, _ in packets(25 * 80, start=25 * 120)]
        assert _shown(data) == sent[91 * 25 :] + later[: 13 * 25]
        gaps = [item for item in plan.items if isinstance(item, Gap)]
        assert {gap.cause for gap in gaps} == {"storage"}
        assert (gaps[0].from_at, gaps[-1].to_at) == (_at(100), _at(120))
        # A directory that doesn't answer costs its own pictures only.
        (tmp_path / "one" / "recordings").rename(tmp_path / "away")
        with pytest.raises(PlaybackError):
            list(film.read(film.size // 4, film.size, NOW))
        plan = store.plan(CAMERA, _at(91), _at(133), NOW)
        gaps = [item for item in plan.items if isinstance(item, Gap)]
        assert {gap.cause for gap in gaps} == {"storage"}
        assert (gaps[0].from_at, gaps[-1].to_at) == (_at(91), _at(120))
        assert _shown(_film(plan)[1]) == later[: 13 * 25]
        with pytest.raises(PlaybackError):
            PlaybackStore(one.storage.path).plan(CAMERA, _at(91), _at(133), NOW)
        (tmp_path / "away").rename(tmp_path / "one" / "recordings")
        made.index.put("playback_boot", None)  # one of them catches up with destruction
        made.index.commit()
        assert {i.cause for i in store.plan(CAMERA, _at(91), _at(133), NOW).items if isinstance(i, Gap)} == {"storage"}


@given(st.integers(-2_000_000, 72_000_000), st.integers(12, 8_000_000))
@example(0, 40_001)  # the last picture is shown for a tick, 11 microseconds, of which one is in the interval
@settings(max_examples=150)
def test_any_interval_to_the_picture(recorded: Bench, from_us: int, length_us: int) -> None:
    from_at, to_at = at_from_us(START_US + from_us), at_from_us(START_US + from_us + length_us)
    plan = PlaybackStore(recorded.storage.path).plan(CAMERA, from_at, to_at, NOW)
    stream = list(packets(25 * 70))
    expected = [p.data for p, at_us in stream if from_us <= at_us - START_US < from_us + length_us]
    clips = [item for item in plan.items if isinstance(item, Clip)]
    assert all(from_at <= clip.from_at < clip.to_at <= to_at for clip in clips)
    if not expected:
        assert plan.slices == []
        return
    film, data = _film(plan)
    assert _shown(data) == expected
    assert all(end <= to_at for _, end in film.intervals(0, film.size))
    assert plan.duration_s == pytest.approx(sum(clip.media_to_s - clip.media_from_s for clip in clips))


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with bench(tmp_path_factory.mktemp("recorded")) as made:
        record(made.store, CAMERA, packets(25 * 70))
        _open(made)
        yield made


@pytest.mark.parametrize(("from_s", "to_s"), [(35.0, 80.0), (35.4, 36.0), (29.0, 31.0), (44.9, 52.1)])
def test_what_a_clock_that_was_set_back_put_beside_other_pictures_is_shown_too(
    tmp_path: Path, from_s: float, to_s: float
) -> None:
    """Two segments overlap in labelled time: of the one, all that lies in the interval; of the other, from its first
    key frame there on."""
    with bench(tmp_path) as made:
        record(made.store, CAMERA, packets(25 * 50))
        record(made.store, CAMERA, packets(25 * 50, start=25 * 30, seed=1))
        plan = _open(made).plan(CAMERA, _at(from_s), _at(to_s), NOW)
        shown = _shown(_film(plan)[1])
    clips = [item for item in plan.items if isinstance(item, Clip)]
    assert all(plan.from_at <= clip.from_at < clip.to_at <= plan.to_at for clip in clips)
    from_us, to_us = (START_US + round(s * 1_000_000) for s in (from_s, to_s))
    before = [p.data for p, at_us in packets(25 * 50) if from_us <= at_us < to_us]
    after = [(p, at_us) for p, at_us in packets(25 * 50, start=25 * 30, seed=1) if from_us <= at_us < to_us]
    first_key = next((n for n, (packet, _) in enumerate(after) if packet.is_key), len(after))
    assert shown == before + [packet.data for packet, _ in after[first_key:]]


def test_any_range_is_the_same_bytes(tmp_path: Path) -> None:
    with bench(tmp_path) as made:
        record(made.store, CAMERA, packets(25 * 90))
        plan = _open(made).plan(CAMERA, _at(0), _at(90), NOW)
        film, data = _film(plan)
        assert VirtualMp4(plan).etag == film.etag
        source = random.Random(1)
        for _ in range(200):
            start = source.randrange(film.size)
            end = source.randint(start + 1, min(film.size, start + 100_000))
            assert b"".join(film.read(start, end, NOW)) == data[start:end]
            for from_at, to_at in film.intervals(start, end):
                assert _at(0) <= from_at < to_at <= _at(90)
        assert film.intervals(0, film.size) == [(_at(0), _at(90))]
        assert film.intervals(0, 10) == []


def test_gaps_are_in_the_plan_with_their_causes(tmp_path: Path) -> None:
    with bench(tmp_path) as made:
        record(made.store, CAMERA, packets(25 * 20))
        record(made.store, CAMERA, packets(25 * 20, start=25 * 30))
        store = _open(made)
        plan = store.plan(CAMERA, _at(-10), _at(60), NOW)
        assert plan.items[0] == Gap(_at(-10), _at(0), "not_ordered")
        assert [i for i in plan.items if isinstance(i, Gap)][1:] == [
            Gap(_at(20), _at(30), "camera"),
            Gap(_at(50), _at(60), "camera"),
        ]
        assert len(_pictures(_film(plan)[1])) == 25 * 40
        assert _media_s(plan, _at(25)) == 20
        assert _media_s(plan, _at(35)) == pytest.approx(25, abs=1e-6)
        assert _media_s(plan, _at(59)) == 40
        empty = store.plan(CAMERA, _at(22), _at(28), NOW)
        assert empty.items == [Gap(_at(22), _at(28), "camera")]
        assert empty.slices == []
        assert store.plan(OTHER, _at(0), _at(1), NOW).items == [Gap(_at(0), _at(1), "not_ordered")]


def test_the_open_segment_is_playable_up_to_its_last_sync(tmp_path: Path) -> None:
    with bench(tmp_path) as made:
        record(made.store, CAMERA, packets(25 * 9), end=False)
        store = _open(made)
        made.index.put("alive_us", START_US + 9_000_000)
        made.index.commit()
        plan = store.plan(CAMERA, _at(0), _at(9), _at(9))
        assert len(_pictures(_film(plan)[1])) == 25 * 8
        assert plan.items[-1].to_at == _at(8)


def test_nothing_past_its_deadline_is_planned_or_read(tmp_path: Path) -> None:
    with bench(tmp_path) as made:
        record(made.store, CAMERA, packets(25 * 150))
        store = _open(made)
        film = VirtualMp4(store.plan(CAMERA, _at(0), _at(150), NOW))
        deadlines = sorted(d for (d,) in made.index.query("SELECT deadline_us FROM segment"))
        later = at_from_us(deadlines[0])
        with pytest.raises(SegmentGone):
            list(film.read(0, film.size, later))
        assert b"".join(film.read(film.size - 100, film.size, later))
        plan = store.plan(CAMERA, _at(0), _at(150), later)
        assert [(i.from_at, i.cause) for i in plan.items if isinstance(i, Gap)] == [(_at(0), "expired")]
        assert isinstance(plan.items[1], Clip)
        assert store.plan(CAMERA, _at(0), _at(150), later + timedelta(days=1)).slices == []
        # A clock set back brings nothing to life again.
        made.index.put("clock_due_us", deadlines[0])
        made.index.commit()
        assert store.plan(CAMERA, _at(0), _at(150), NOW).items == plan.items


def test_a_destroyed_segment_is_gone(tmp_path: Path) -> None:
    with bench(tmp_path) as made:
        record(made.store, CAMERA, packets(25 * 60))
        film = VirtualMp4(_open(made).plan(CAMERA, _at(0), _at(60), NOW))
        assert destroy_due(made.store, START_US + 20 * DAY_US, START_US)
        with pytest.raises(SegmentGone):
            list(film.read(0, film.size, NOW))


def test_closed_while_the_recorder_does_not_vouch_for_the_clock(tmp_path: Path) -> None:
    with bench(tmp_path) as made:
        record(made.store, CAMERA, packets(25 * 10))
        store = _open(made)
        film = VirtualMp4(store.plan(CAMERA, _at(0), _at(10), NOW))
        made.index.put("playback_boot", None)
        made.index.commit()
        with pytest.raises(PlaybackClosed):
            store.plan(CAMERA, _at(0), _at(10), NOW)
        with pytest.raises(PlaybackClosed):
            list(film.read(0, 10, NOW))
