"""`csu bench export`: one hour of a camera as one plain MP4, by the library and by ffmpeg's concat demuxer."""

import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

from csu.bench import recordings, stage
from csu.bench.record import find_ffmpeg
from csu.bench.stage import StageError
from csu.settings import Paths
from csu.simulator.cameras import QUALITIES
from recorder.check import check
from recorder.playback import PlaybackStore, VirtualMp4
from streams.ticks import us_from_at

RATIO_BOUND = 0.25
_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Wanted:
    seconds: int
    quality: str = "full"


def run(wanted: Wanted) -> dict[str, Any]:
    """Measure and compare. Raises StageError when a film isn't whole, FileNotFoundError without any ffmpeg."""
    ffmpeg, camera = find_ffmpeg(), stage.camera_id(1)
    to_at = recordings.whole_minute(datetime.now(UTC))
    from_at = to_at - timedelta(seconds=wanted.seconds)
    with stage.data_directory() as paths:
        print("recording", file=sys.stderr, flush=True)
        with recordings.storage(paths, from_at) as store:
            pictures = recordings.record(store, paths, camera, from_at, wanted.seconds, QUALITIES[wanted.quality])
            recordings.open_playback(store.index, to_at)
        list_file, film = _list(paths), paths.data / "film.mp4"
        ours, theirs = [], []
        for number in range(1, _ROUNDS + 1):
            print(f"round {number} of {_ROUNDS}", file=sys.stderr, flush=True)
            ours.append(_export(paths, camera, from_at, to_at, film))
            size_bytes = _checked(film, pictures)
            theirs.append(_concat(ffmpeg, list_file, film))
            _checked(film, pictures)
        verify_s, read_bytes = _verify(paths, to_at)
    ratio = median(ours) / median(theirs)
    version = subprocess.run([ffmpeg, "-version"], capture_output=True, text=True, check=True).stdout.split()[2]
    return {
        "film_s": wanted.seconds,
        "film_mb": round(size_bytes / 1e6, 1),
        "pictures": pictures,
        "seconds": round(median(ours), 3),
        "ratio": round(ratio, 3),
        "verify_s": round(verify_s, 3),
        "verify_mb_per_s": round(read_bytes / 1e6 / verify_s),
        "peer": {"name": "ffmpeg, concat demuxer, -c copy", "version": version, "seconds": round(median(theirs), 3)},
        "bounds": {"ratio": RATIO_BOUND},
        "ok": ratio <= RATIO_BOUND,
    }


def _export(paths: Paths, camera: str, from_at: datetime, to_at: datetime, file: Path) -> float:
    began_s = time.monotonic()
    film = VirtualMp4(PlaybackStore(paths.recordings).plan(camera, from_at, to_at, to_at))
    with file.open("wb", buffering=0) as out:
        for chunk in film.read(0, film.size, to_at):
            out.write(chunk)
    return time.monotonic() - began_s


def _list(paths: Paths) -> Path:
    file = paths.data / "list.txt"
    file.write_text("".join(f"file '{name}'\n" for name in sorted(paths.recordings.rglob("*.mp4"))))
    return file


def _concat(ffmpeg: str, list_file: Path, file: Path) -> float:
    began_s = time.monotonic()
    words = [ffmpeg, "-nostdin", "-loglevel", "error", "-y", "-f", "concat", "-safe", "0", "-i", str(list_file)]
    subprocess.run([*words, "-c", "copy", str(file)], check=True, stderr=subprocess.DEVNULL)
    return time.monotonic() - began_s


def _checked(film: Path, pictures: int) -> int:
    """The film's size; it is removed. Raises StageError when it hasn't as many pictures as were recorded."""
    import av

    with av.open(str(film)) as container:
        found = container.streams.video[0].frames
    if found != pictures:
        raise StageError(f"expected a film of {pictures} pictures, found {found}")
    size_bytes = film.stat().st_size
    film.unlink()
    return size_bytes


def _verify(paths: Paths, now: datetime) -> tuple[float, int]:
    """Every part, segment and link of the chain hashed again; how long, and over how much."""
    began_s = time.monotonic()
    report = check(paths.recordings, us_from_at(now), deep=True)
    if not report.ok:
        raise StageError("what was recorded does not hold its hashes")
    return time.monotonic() - began_s, report.bytes_read
