"""`csu bench seek`: any instant of 30 days of 250 cameras, from the question to the first picture's bytes.

The index is the product's, filled as the recorder would have in time order; its rows tell of a small pool of real
files. Where the bench looks, those files stand under the names that the rows say (hard links).
"""

import gc
import os
import random
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from csu.bench import recordings, stage
from csu.bench.record import find_ffmpeg
from csu.bench.stage import StageError
from csu.settings import Paths
from csu.simulator.cameras import QUALITIES
from recorder.coverage import read_coverage
from recorder.files import INDEX
from recorder.format import file_name
from recorder.index import CLOSED, open_reader
from recorder.playback import PlaybackStore, VirtualMp4
from recorder.segmenter import stagger_us
from streams.ticks import at_from_us, us_from_at

CAMERAS, DAYS = 250, 30
SEGMENTS = CAMERAS * DAYS * 24 * 60
BOUND_MS = 20.0
_REPLAY = timedelta(minutes=10)
_MINUTE_US = 60_000_000
_HOUR = 60  # minutes; each hour ends with a gap of ten seconds
_SHORT_S = 50
_POOL_MINUTES = 6
_SHARES = (0.01, 0.1, 1.0)
_SEEKS, _LISTS, _PEER_SEEKS = 300, 100, 20
_BATCH = 50_000
_FREE_BYTES_A_SEGMENT = 1500


@dataclass(frozen=True, slots=True)
class Wanted:
    segments: int = SEGMENTS
    quality: str = "full"


@dataclass(frozen=True, slots=True)
class Pooled:
    """A real file, and what its row says."""

    file: Path
    length: int
    media_90k: int
    duration_us: int
    previous: bytes
    digest: bytes
    header_size: int
    entries: bytes


@dataclass(frozen=True, slots=True)
class Grown:
    """Figures with so many segments."""

    segments: int
    first_byte_ms: list[float]
    list_ms: list[float]
    peer_ms: list[float]

    def to_json(self) -> dict[str, Any]:
        return {
            "segments": self.segments,
            "first_byte_p95_ms": _p95(self.first_byte_ms),
            "list_p95_ms": _p95(self.list_ms),
        }


class Fleet:
    """The synthetic index: CAMERAS cameras since `from_us`, a segment a minute each."""

    def __init__(self, paths: Paths, db: sqlite3.Connection, pool: list[Pooled], from_us: int) -> None:
        self._paths, self._db = paths, db
        self._pool, self._from_us = pool, from_us
        self.cameras = [stage.camera_id(n) for n in range(1, CAMERAS + 1)]
        self._numbers: dict[str, int] = dict(db.execute("SELECT uuid, id FROM camera"))
        self._staggers = [stagger_us(camera, _MINUTE_US) for camera in self.cameras]
        self.segments = 0

    @property
    def minutes(self) -> int:
        """For which every camera has a segment."""
        return self.segments // CAMERAS

    def start_us(self, camera: int, minute: int) -> int:
        return self._from_us + minute * _MINUTE_US + self._staggers[camera]

    def pooled(self, camera: int, minute: int) -> Pooled:
        """The last of an hour is a shorter one."""
        return self._pool[-1 if minute % _HOUR == _HOUR - 1 else (minute + camera) % (len(self._pool) - 1)]

    def grow(self, segments: int, progress: Progress, task: Any) -> None:
        while self.segments < segments:
            batch = range(self.segments, min(self.segments + _BATCH, segments))
            self._db.execute("BEGIN")
            self._db.executemany(
                "INSERT INTO segment(id, camera, run, start_us, end_us, state, length, media_90k, deadline_us,"
                " authorisation, previous, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                self._segment_rows(batch),
            )
            self._db.executemany(
                "INSERT INTO part(segment, header_size, entries) VALUES (?, ?, ?)", self._part_rows(batch)
            )
            self._db.executemany(
                "INSERT INTO run(id, camera, from_us, to_us, reason, lost, authorisation) VALUES (?, ?, ?, ?, ?, 0, ?)",
                self._run_rows(batch),
            )
            self._db.executemany(
                "INSERT INTO gap(id, camera, from_us, to_us, cause, detail) VALUES (?, ?, ?, ?, ?, ?)",
                self._gap_rows(batch),
            )
            self._db.execute("COMMIT")
            self.segments = batch.stop
            progress.update(task, completed=self.segments)

    def _segment_rows(self, batch: range) -> Iterator[tuple[Any, ...]]:
        kept_us = recordings.KEPT // timedelta(microseconds=1)
        for number in batch:
            minute, camera = divmod(number, CAMERAS)
            file, start_us = self.pooled(camera, minute), self.start_us(camera, minute)
            yield (
                number + 1,
                self._numbers[self.cameras[camera]],
                self._run(camera, minute),
                start_us,
                start_us + file.duration_us,
                CLOSED,
                file.length,
                file.media_90k,
                start_us + kept_us,
                recordings.AUTHORISATION,
                file.previous,
                file.digest,
            )

    def _part_rows(self, batch: range) -> Iterator[tuple[int, int, bytes]]:
        for number in batch:
            minute, camera = divmod(number, CAMERAS)
            file = self.pooled(camera, minute)
            yield number + 1, file.header_size, file.entries

    def _run_rows(self, batch: range) -> Iterator[tuple[Any, ...]]:
        for camera, minute, start_us, end_us in self._hours(batch):
            number = self._numbers[self.cameras[camera]]
            yield self._run(camera, minute), number, start_us, end_us, "closed", recordings.AUTHORISATION

    def _gap_rows(self, batch: range) -> Iterator[tuple[Any, ...]]:
        for camera, minute, start_us, end_us in self._hours(batch):
            row, to_us = self._run(camera, minute), start_us + _HOUR * _MINUTE_US
            yield row, self._numbers[self.cameras[camera]], end_us, to_us, "camera", "closed"

    def _hours(self, batch: range) -> Iterator[tuple[int, int, int, int]]:
        """Camera, minute, start and end of the runs that begin in the batch."""
        for number in batch:
            minute, camera = divmod(number, CAMERAS)
            if minute % _HOUR == 0:
                start_us = self.start_us(camera, minute)
                yield camera, minute, start_us, start_us + (_HOUR - 1) * _MINUTE_US + _SHORT_S * 1_000_000

    def _run(self, camera: int, minute: int) -> int:
        return minute // _HOUR * CAMERAS + camera + 1

    def instants(self, count: int) -> list[tuple[int, int]]:
        """Cameras and instants of which a replay's length is recorded, apart from the gaps; the files are put there."""
        chance = random.Random(self.segments)  # noqa: S311 - a sample that is the same each time
        found = []
        length = _REPLAY // timedelta(minutes=1)
        for _ in range(count):
            camera, minute = chance.randrange(CAMERAS), chance.randrange(self.minutes - length - 1)
            found.append((camera, self.start_us(camera, minute) + chance.randrange(_SHORT_S * 1_000_000)))
            for near in range(minute, minute + length + 1):
                self._link(camera, near)
        return found

    def file_of(self, camera: int, minute: int) -> Path:
        name = file_name(self.cameras[camera], self.start_us(camera, minute), minute * CAMERAS + camera + 1)
        return self._paths.recordings / name

    def _link(self, camera: int, minute: int) -> None:
        file = self.file_of(camera, minute)
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            os.link(self.pooled(camera, minute).file, file)


def run(wanted: Wanted) -> dict[str, Any]:
    """Measure and compare. Raises StageError without room on the disk, FileNotFoundError without any ffmpeg."""
    ffmpeg, now = find_ffmpeg(), recordings.whole_minute(datetime.now(UTC))
    from_at = now - timedelta(minutes=wanted.segments // CAMERAS + 1)
    with stage.data_directory() as paths:
        room = os.statvfs(paths.data)
        if room.f_bavail * room.f_frsize < wanted.segments * _FREE_BYTES_A_SEGMENT:
            raise StageError(f"no room for {wanted.segments} segments on the disk of {paths.data.parent.name}/")
        pool = _pool(paths, from_at, wanted)
        with closing(sqlite3.connect(paths.recordings / INDEX, isolation_level=None)) as db:
            db.execute("PRAGMA journal_mode = OFF")
            db.execute("PRAGMA synchronous = OFF")
            db.execute("PRAGMA cache_size = -1000000")
            fleet = Fleet(paths, db, pool, us_from_at(from_at))
            grown = [_measure(paths, fleet, now, ffmpeg) for _ in _growing(fleet, wanted.segments)]
            db.execute("PRAGMA journal_mode = WAL")
        index_bytes = (paths.recordings / INDEX).stat().st_size
    return _figures(grown, index_bytes, ffmpeg)


def _pool(paths: Paths, from_at: datetime, wanted: Wanted) -> list[Pooled]:
    """Real segments of a whole minute each, and last a shorter one; of them, only the files stay."""
    camera, before_at = stage.camera_id(1), from_at - timedelta(days=1)
    first_s = -(-(stagger_us(camera, _MINUTE_US) - us_from_at(before_at) % _MINUTE_US) // 1_000_000) % 60
    with recordings.storage(paths, before_at) as store:
        seconds = first_s + _POOL_MINUTES * 60 + _SHORT_S
        recordings.record(store, paths, camera, before_at, seconds, QUALITIES[wanted.quality])
        pool = []
        for segment, start_us, end_us, length, media_90k, previous, digest, header_size, entries in store.index.query(
            "SELECT s.id, s.start_us, s.end_us, s.length, s.media_90k, s.previous, s.hash, p.header_size, p.entries"
            " FROM segment s JOIN part p ON p.segment = s.id ORDER BY s.id"
        ):
            file = paths.data / f"pool-{segment}.mp4"
            (paths.recordings / file_name(camera, start_us, segment)).rename(file)
            pool.append(Pooled(file, length, media_90k, end_us - start_us, previous, digest, header_size, entries))
        for table in ("segment", "part", "run", "gap", "period", "fact"):
            store.index.execute(f"DELETE FROM {table}")  # noqa: S608 - names from the line above
        for number in range(1, CAMERAS + 1):
            row = store.index.camera(stage.camera_id(number))
            store.index.execute("INSERT INTO period(camera, from_us) VALUES (?, ?)", (row, us_from_at(from_at)))
        recordings.open_playback(store.index, datetime.now(UTC))
        store.index.fold()
    whole = [file for file in pool if file.duration_us == _MINUTE_US]
    if len(whole) < 2 or pool[-1].duration_us >= _MINUTE_US:
        raise StageError(f"unexpected pool: {[file.duration_us for file in pool]}")
    return [*whole, pool[-1]]


def _growing(fleet: Fleet, segments: int) -> Iterator[None]:
    """Each time the index has grown by a step."""
    columns = TextColumn("index"), BarColumn(), TextColumn("{task.completed:,.0f} segments"), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("index", total=segments)
        for share in _SHARES:
            fleet.grow(round(segments * share), progress, task)
            yield


def _measure(paths: Paths, fleet: Fleet, now: datetime, ffmpeg: str) -> Grown:
    store, instants = PlaybackStore(paths.recordings), fleet.instants(_SEEKS)
    gc.freeze()  # as the gateway does at its start
    first_byte = [_first_byte_ms(store, fleet.cameras[camera], at_from_us(at_us), now) for camera, at_us in instants]
    listed = [_list_ms(paths, camera, now) for camera in random.Random(0).choices(fleet.cameras, k=_LISTS)]  # noqa: S311 - as above
    peer = [_peer_ms(ffmpeg, paths, fleet, camera, at_us) for camera, at_us in instants[:_PEER_SEEKS]]
    return Grown(fleet.segments, first_byte, listed, peer)


def _first_byte_ms(store: PlaybackStore, camera: str, at: datetime, now: datetime) -> float:
    """From the interval wanted to the first picture's bytes, behind all sample tables."""
    began_s = time.perf_counter()
    film = VirtualMp4(store.plan(camera, at, at + _REPLAY, now))
    chunks = film.read(0, film.size, now)
    head, pictures = next(chunks), next(chunks)
    took_s = time.perf_counter() - began_s
    if not head.startswith(b"\0\0\0") or not pictures:
        raise StageError(f"no film at {at:%Y-%m-%d %H:%M:%S}")
    return took_s * 1000


def _list_ms(paths: Paths, camera: str, now: datetime) -> float:
    began_s = time.perf_counter()
    with closing(open_reader(paths.recordings / INDEX)) as index:
        now_us = us_from_at(now)
        coverage = read_coverage(index, camera, now_us - DAYS * 1440 * _MINUTE_US, now_us, now_us)
    if coverage is None or not coverage.runs or len(coverage.to_json()["gaps"]) < len(coverage.runs):
        raise StageError("unexpected coverage")
    return (time.perf_counter() - began_s) * 1000


def _peer_ms(ffmpeg: str, paths: Paths, fleet: Fleet, camera: int, at_us: int) -> float:
    """The file and the place in it are given: ffmpeg has no index over files."""
    minute = (at_us - fleet.start_us(camera, 0)) // _MINUTE_US
    words = [ffmpeg, "-nostdin", "-loglevel", "error", "-ss", f"{(at_us - fleet.start_us(camera, minute)) / 1e6:.3f}"]
    words += ["-i", str(fleet.file_of(camera, minute)), "-c", "copy", "-f", "mp4"]
    began_s = time.perf_counter()
    with subprocess.Popen(
        [*words, "-movflags", "frag_keyframe+empty_moov", "pipe:1"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        data = b""
        while b"mdat" not in data:
            chunk = os.read(process.stdout.fileno(), 65536)
            if not chunk:
                raise StageError("ffmpeg gave no picture")
            data += chunk
        took_s = time.perf_counter() - began_s
        process.kill()
    return took_s * 1000


def _figures(grown: list[Grown], index_bytes: int, ffmpeg: str) -> dict[str, Any]:
    last = grown[-1]
    version = subprocess.run([ffmpeg, "-version"], capture_output=True, text=True, check=True).stdout.split()[2]
    bounds = {"first_byte_p95_ms": BOUND_MS, "list_p95_ms": BOUND_MS}
    figures = last.to_json()
    return {
        **figures,
        "cameras": CAMERAS,
        "replay_s": _REPLAY // timedelta(seconds=1),
        "first_byte_p50_ms": round(median(last.first_byte_ms), 2),
        "list_p50_ms": round(median(last.list_ms), 2),
        "index_gb": round(index_bytes / 1e9, 2),
        "ratio": round(figures["first_byte_p95_ms"] / _p95(last.peer_ms), 3),
        "growth": [at.to_json() for at in grown],
        "peer": {
            "name": "ffmpeg -ss -c copy on the instant's file",
            "version": version,
            "first_byte_p50_ms": round(median(last.peer_ms), 2),
            "first_byte_p95_ms": _p95(last.peer_ms),
        },
        "bounds": bounds,
        "ok": all(figures[name] <= bound for name, bound in bounds.items()),
    }


def _p95(values: list[float]) -> float:
    return round(quantiles(values, n=100, method="inclusive")[94], 2)
