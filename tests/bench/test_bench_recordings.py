"""Recordings made for the benches are whole ones, that check and playback take."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from csu.bench import recordings, stage
from csu.settings import Paths
from csu.simulator.cameras import QUALITIES
from recorder.check import check
from recorder.playback import PlaybackStore, VirtualMp4
from streams.ticks import us_from_at


def test_they_check_and_play(tmp_path: Path) -> None:
    paths, camera, now = Paths(tmp_path), stage.camera_id(1), recordings.whole_minute(datetime.now(UTC))
    from_at = now - timedelta(seconds=90)
    with recordings.storage(paths, from_at) as store:
        assert recordings.record(store, paths, camera, from_at, 90, QUALITIES["quick"]) == 90 * 25
        recordings.open_playback(store.index, now)
    report = check(paths.recordings, us_from_at(now), deep=True)
    assert report.ok
    assert report.segments in (2, 3)
    plan = PlaybackStore(paths.recordings).plan(camera, from_at, now, now)
    assert plan.duration_s == 90
    film = VirtualMp4(plan)
    assert sum(map(len, film.read(0, film.size, now))) == film.size
