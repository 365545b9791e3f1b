"""What must be true of a recorder's life in fast motion (`recorded_history.py`), at any time.

What it excuses, and why:

- 10 minutes of clock and 5 of segments and waves (`SLACK_US`): a clock is trusted with as much error.
- Destroyed early where a segment's file bears an earlier deadline than the true one: it was dated behind, for nothing
  tells how long a machine was off; or ahead, over the end of a day that the next month doesn't have. Up to a day early
  there, too, where it isn't known when a boot ended that dated ahead.
- Alive late by as much as a segment was dated ahead, where the boot in which it was taken ended before its time was
  known, and at most by as long as the machine was off until the next boot (`unknown_us`): nothing tells when in
  that time it was taken. That a boot's time was known is lost with the index. Until the machine's first clock was
  right nothing is late at all (`clock_known`).
- Overdue while the clock is distrusted, as after the release of a hold: destruction stands still.
- Held up to 5 s beside a hold's bounds: a segment has one end in the index and another in the pictures.
- Replays: of two segments that overlap in labelled time, one begins with its first key frame.
- Nothing is asked while the index is filled from the files, which goes on a little in each wave.
"""

import itertools
import os
import sqlite3
from contextlib import closing
from datetime import timedelta

from history_model import HOUR, Camera, S, Segment, read_durable
from recorded_history import History
from recorder_support import earliest_deadline_us, unknown_us

from recorder.check import check
from recorder.clock import JUMP_US
from recorder.coverage import read_coverage
from recorder.files import walk
from recorder.format import file_name, segment_of, unpack_entries
from recorder.index import open_reader
from recorder.machine import now_us
from recorder.playback import PlaybackClosed, PlaybackStore, VirtualMp4
from recorder.store import SegmentStore
from streams.ticks import at_from_us, us_from_90k, us_from_at

SLACK_US = JUMP_US + 5 * 60 * S
"""The clock may be trusted with 10 minutes of error; a segment lasts a minute or two, and is destroyed by the wave."""


def verify(history: History) -> None:
    """Everything that must hold while the recorder runs, between two waves."""
    assert history.writer is not None
    store = history.writer.store
    recordings = history.path / "recordings"
    if history.writer._adoption is not None:
        return
    due = history.writer._told_clock
    assert due is not None
    report = check(recordings, due.due_us, deep=True)
    if not due.trusted:  # what a hold let go after its deadline waits for the clock
        report.overdue.clear()
    assert report.ok, report
    _files_are_in_one_state(history, store)
    with closing(open_reader(recordings / "index.db")) as reader:
        for camera in history.cameras:
            _pictures_are_there(history, reader, camera)
            _every_second_is_accounted_for(history, reader, camera)
            _playback_shows_what_is_there(history, reader, camera)
    _playback_follows_the_clock(history)


def _files_are_in_one_state(history: History, store: SegmentStore) -> None:
    index = store.index
    names = index.cameras()
    rows = {file_name(names[c], at, n) for n, c, at in index.query("SELECT id, camera, start_us FROM segment")}
    doomed = {file_name(names[c], at, n) for n, c, at in index.query("SELECT segment, camera, start_us FROM destroy")}
    assert not rows & doomed
    last = index.get("last_segment")
    for name, _ in walk(history.path / "recordings"):
        number = segment_of(os.path.basename(name))
        assert number is not None
        newer = number > last and store.is_active(os.path.dirname(name))
        assert (name in rows) + (name in doomed) + newer == 1, name


def _pictures_are_there(history: History, reader: sqlite3.Connection, camera: Camera) -> None:
    """Bit for bit and in order; what is missing was destroyed, when it was due and not before."""
    found = [
        data for _, pictures in read_durable(history.path / "recordings", reader, camera.uuid) for data in pictures
    ]
    expected = [picture.data for picture in camera.taken[: camera.durable] if not picture.gone]
    there = set(found)
    for picture in camera.taken[: camera.durable]:
        if not picture.gone and picture.data not in there:
            picture.gone = True
            segment = picture.segment
            assert segment is not None
            assert not _is_held(history, camera, segment), "held, and destroyed"
            dated_us = segment.start_us if unknown_us(history.boots, segment.boot) else None
            least_us = earliest_deadline_us(segment.true_us, segment.retention_days, dated_us)
            early_us = min(least_us, segment.borne_us) - history.clocks.true_us
            assert early_us <= SLACK_US, f"destroyed {early_us / HOUR:.1f} h before its deadline"
    assert found == [data for data in expected if data in there], "other pictures, or another order"
    if history.clock.trusted and history.clock_known:
        for picture in camera.taken[: camera.durable]:
            segment = picture.segment
            if segment is not None and not picture.gone and not _may_be_held(history, camera, segment):
                late_us = history.clocks.true_us - segment.deadline_us
                late_us -= min(max(0, segment.start_us - segment.true_us), unknown_us(history.boots, segment.boot))
                assert late_us <= SLACK_US, f"alive {late_us / HOUR:.1f} h after its deadline"


def _is_held(history: History, camera: Camera, segment: Segment, margin_us: int = 0) -> bool:
    return any(
        hold.camera == camera.uuid
        and us_from_at(hold.from_at) < segment.last_us + margin_us
        and us_from_at(hold.to_at) > segment.start_us - margin_us
        for hold in history.holds.values()
    )


def _may_be_held(history: History, camera: Camera, segment: Segment) -> bool:
    return _is_held(history, camera, segment, 5 * S)


def _every_second_is_accounted_for(history: History, reader: sqlite3.Connection, camera: Camera) -> None:
    until_us = now_us()
    first = reader.execute(
        "SELECT min(p.from_us) FROM period p JOIN camera c ON c.id = p.camera WHERE c.uuid = ?", (camera.uuid,)
    ).fetchone()[0]
    if first is None or first >= until_us:
        assert first is None or first - until_us <= JUMP_US, "nothing is accounted for before the far future"
        return
    coverage = read_coverage(reader, camera.uuid, first, until_us, until_us)
    assert coverage is not None
    assert sum(coverage.sums().values()) == coverage.until_us - first, (first, coverage)
    assert not [gap for gap in coverage.gaps if gap.detail == "unaccounted"]


def _playback_follows_the_clock(history: History) -> None:
    store = PlaybackStore(history.path / "recordings")
    at = at_from_us(now_us())
    try:
        store.plan(history.cameras[0].uuid, at - timedelta(hours=1), at, at)
        is_open = True
    except PlaybackClosed:
        is_open = False
    assert is_open == history.clock.trusted


def _playback_shows_what_is_there(history: History, reader: sqlite3.Connection, camera: Camera) -> None:
    """The last 40 seconds recorded, as one film: every part in it. Of what overlaps in labelled time, since the
    clock was set back, from its first key frame on."""
    rows = reader.execute(
        "SELECT s.id, s.start_us, s.end_us, p.header_size, p.entries FROM segment s JOIN part p ON p.segment = s.id"
        " JOIN camera c ON c.id = s.camera WHERE c.uuid = ? AND s.deadline_us > ?"
        " AND p.entries <> x'' ORDER BY s.id",
        (camera.uuid, max(now_us(), _due_us(history))),
    ).fetchall()
    if not rows or not history.clock.trusted:
        return
    to_us = rows[-1][2]
    from_us = to_us - 40 * S
    recordings = history.path / "recordings"
    now = at_from_us(now_us())
    plan = PlaybackStore(recordings).plan(camera.uuid, at_from_us(from_us), at_from_us(to_us), now)
    film = VirtualMp4(plan)
    shown = b"".join(film.read(0, film.size, now))
    for number, start_us, _, header_size, packed in rows:
        data = (recordings / file_name(camera.uuid, start_us, number)).read_bytes()
        entries = [entry for entry in unpack_entries(packed, start_us, header_size) if entry.at_us >= from_us]
        for entry in itertools.dropwhile(lambda entry: not entry.is_key, entries):
            if entry.at_us + us_from_90k(entry.duration_90k) <= to_us:
                assert data[entry.offset + entry.header_size : entry.offset + entry.size] in shown


def _due_us(history: History) -> int:
    assert history.writer is not None
    return int(history.writer.store.index.get("clock_due_us") or 0)
