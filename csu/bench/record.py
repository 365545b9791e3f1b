"""`csu bench record`: what recording N cameras costs us, one ffmpeg per camera, and the floor, in the same run."""

import asyncio
import json
import os
import shutil
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from csu.bench import footage, proc, stage
from csu.bench.footage import Footage
from csu.bench.stage import Cameras, StageError
from csu.settings import Paths
from csu.simulator import running
from recorder.channel import ChannelClient
from recorder.files import INDEX
from recorder.format import file_name, segment_of
from recorder.index import CLOSED, open_reader

WARM_UP_S = 8.0
_LONGEST_COMPARED_S = 60.0
_COUNT_EVERY_S = 5.0
_SEGMENT_S = 60


@dataclass(frozen=True, slots=True)
class Wanted:
    cameras: int
    seconds: float
    burst: bool
    quality: str = "full"

    @property
    def cpu_ratio_bound(self) -> float:
        return 0.40 if self.burst else 0.50

    @property
    def floor_bound(self) -> float:
        return 3.0 if self.burst else 4.0

    @property
    def compared(self) -> "Wanted":
        """The peer and the floor run for a minute at most."""
        return replace(self, seconds=min(self.seconds, _LONGEST_COMPARED_S))


PSS_BOUND, PSS_MB_BOUND, RESTART_BOUND_S, AGAIN_BOUND_S = 0.25, 6.0, 15.0, 2.0


@dataclass(frozen=True, slots=True)
class Cost:
    """One subject over the window; `others_cores` is what the rest of the machine used, simulator included."""

    cpu_ms_per_camera_s: float
    pss_mb_per_camera: float
    others_cores: float
    drops: int
    footage: Footage


async def run(wanted: Wanted) -> dict[str, Any]:
    """Measure and compare. Raises StageError when a process fails, FileNotFoundError without any ffmpeg."""
    options = ["--quality", wanted.quality, *(["--burst"] if wanted.burst else [])]
    ffmpeg = find_ffmpeg()
    with stage.data_directory() as paths:
        _say("recorder")
        async with stage.simulator(paths, wanted.cameras, *options) as cameras:
            ours, kept = await _recorder(paths, cameras, wanted)
        # ffmpeg takes a password in its arguments only, where every user of the machine can read it.
        async with stage.simulator(paths, wanted.cameras, *options, "--no-auth") as cameras:
            _say("ffmpeg, one per camera")
            peer = await _peer(paths, cameras, wanted.compared, ffmpeg)
            _say("floor")
            floor = await _floor(paths, cameras, wanted.compared)
    return _compare(wanted, ours, kept, peer, floor, await _version(ffmpeg))


@dataclass(frozen=True, slots=True)
class Kept:
    """What the recorder did beside recording, and how it started again on what it had left."""

    gaps: int
    gap_causes: dict[str, int]
    destroyed: int
    late_frames: int
    write_wait_ms: float
    restart_s: float
    connect_again_s: float | None


async def _recorder(paths: Paths, cameras: Cameras, wanted: Wanted) -> tuple[Cost, Kept]:
    times, counted = paths.data / "times.json", Counted(paths)
    words = [sys.executable, "-m", "csu.bench.brief", str(times)]
    counting = asyncio.create_task(counted.follow())
    try:
        async with stage.recorder(paths, words) as (process, control):
            await stage.record_all(paths, control, cameras)
            await asyncio.sleep(WARM_UP_S)
            began_at = datetime.now(UTC)
            cost = await _window(paths, [process], wanted)
            facts = [f async for f in _facts_since(control, began_at)]
    finally:
        counting.cancel()
    await asyncio.wait([counting])
    if not counting.cancelled():
        counting.result()
    await asyncio.to_thread(counted.rest)
    first = json.loads(times.read_text())
    _say("recorder, starting again")
    began_s = asyncio.get_running_loop().time()
    async with stage.recorder(paths, words) as (_, control):
        await stage.all_recording(control, wanted.cameras)
        restart_s = asyncio.get_running_loop().time() - began_s
        await asyncio.sleep(AGAIN_BOUND_S)
    causes = [f"{f['cause']}: {f['detail']}" for f in facts if f["kind"] == "gap_opened"]
    again = [t["soonest_again_s"] for t in (first, json.loads(times.read_text())) if t["soonest_again_s"] is not None]
    with closing(open_reader(paths.recordings / INDEX)) as index:
        ((untold,),) = index.execute("SELECT coalesce(sum(count), 0) FROM ledger").fetchall()
    shutil.rmtree(paths.recordings)
    return _with_footage(cost, counted.counter.found()), Kept(
        gaps=len(causes),
        gap_causes=dict(Counter(causes)),
        destroyed=untold + sum(f["count"] for f in facts if f["kind"] == "destroyed"),
        late_frames=first["late_frames"],
        write_wait_ms=round(first["waited_us"] / 1000, 1),
        restart_s=round(restart_s, 1),
        connect_again_s=round(min(again), 1) if again else None,
    )


class Counted:
    """Counts the frames of each segment once it is closed, while it still exists."""

    def __init__(self, paths: Paths) -> None:
        self.counter = footage.Counter()
        self._recordings = paths.recordings
        self._seen: set[int] = set()

    async def follow(self) -> None:
        """For ever. Raises FileNotFoundError when one was destroyed before its turn came."""
        while True:
            await asyncio.sleep(_COUNT_EVERY_S)
            for segment, file in await asyncio.to_thread(lambda: list(self._closed())):
                await asyncio.to_thread(self._add, segment, file)

    def rest(self) -> None:
        """Once the recorder has ended: all that it left."""
        for file in self._recordings.rglob("*.mp4"):
            segment = segment_of(file.name)
            if segment is not None and segment not in self._seen:
                self._add(segment, file)

    def _add(self, segment: int, file: Path) -> None:
        self.counter.add(file)
        self._seen.add(segment)

    def _closed(self) -> Iterator[tuple[int, Path]]:
        if not (self._recordings / INDEX).exists():
            return
        with closing(open_reader(self._recordings / INDEX)) as index:
            rows = index.execute(
                "SELECT s.id, c.uuid, s.start_us FROM segment s JOIN camera c ON c.id = s.camera WHERE s.state = ?"
                " ORDER BY s.deadline_us",
                (CLOSED,),
            ).fetchall()
        for segment, camera, start_us in rows:
            if segment not in self._seen:
                yield segment, self._recordings / file_name(camera, start_us, segment)


async def _facts_since(control: ChannelClient, began_at: datetime) -> AsyncIterator[dict[str, Any]]:
    """What the recorder itself has noted since then."""
    after = 0
    while facts := (await control.call("facts", after=after, limit=1000))["facts"]:
        after = facts[-1]["n"]
        for fact in facts:
            if datetime.fromisoformat(fact["at"]) >= began_at:
                yield fact


async def _peer(paths: Paths, cameras: Cameras, wanted: Wanted, ffmpeg: str) -> Cost:
    directory = paths.data / "peer"
    directory.mkdir()
    processes: list[Process] = []
    try:
        for i, url in enumerate(cameras.main_urls):
            words = [ffmpeg, "-nostdin", "-loglevel", "error", "-rtsp_transport", "tcp", "-i", url, "-an", "-c", "copy"]
            words += ["-f", "segment", "-segment_time", str(_SEGMENT_S), "-segment_format", "mp4"]
            words += ["-segment_format_options", "movflags=+frag_keyframe+empty_moov", "-reset_timestamps", "1"]
            processes.append(
                await asyncio.create_subprocess_exec(
                    *words, f"{directory}/{i:03d}-%03d.mp4", stdin=DEVNULL, stderr=DEVNULL
                )
            )

        async def all_write() -> bool:
            return len(os.listdir(directory)) >= wanted.cameras

        await stage.wait_until(all_write, "all ffmpeg processes to write")
        await asyncio.sleep(WARM_UP_S)
        cost = await _window(paths, processes, wanted)
        ended = sum(p.returncode is not None for p in processes)
        if ended:
            raise StageError(f"{ended} of {wanted.cameras} ffmpeg processes ended early")
    finally:
        await stage.end(processes)
    found = footage.count(directory.glob("*.mp4"))
    shutil.rmtree(directory)
    return _with_footage(cost, found)


async def _floor(paths: Paths, cameras: Cameras, wanted: Wanted) -> Cost:
    directory = paths.data / "floor"
    directory.mkdir()
    words = [sys.executable, "-m", "csu.bench.floor"]
    async with stage.child(words, stdin=PIPE, stdout=PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        orders = {"urls": cameras.main_urls, "directory": str(directory)}
        process.stdin.write(json.dumps(orders).encode() + b"\n")
        if await process.stdout.readline() != b"ready\n":
            raise StageError("the floor's process ended before it was ready")
        await asyncio.sleep(WARM_UP_S)
        cost = await _window(paths, [process], wanted)
    found = footage.count(directory.glob("*.rtp"))
    shutil.rmtree(directory)
    if not found.frames:
        raise StageError("the floor's process got no picture")
    return _with_footage(cost, found)


async def _window(paths: Paths, processes: list[Process], wanted: Wanted) -> Cost:
    """Cost of the processes and their children over the window."""
    loop, pids = asyncio.get_running_loop(), [p.pid for p in processes]
    async with ChannelClient(running.control_socket(paths)) as control:
        drops = (await control.call("stats"))["drops"]
        before, busy, began_s = proc.usage(pids), proc.busy_s(), loop.time()
        await asyncio.sleep(wanted.seconds)
        took_s = loop.time() - began_s
        after, busy = proc.usage(pids), proc.busy_s() - busy
        drops = (await control.call("stats"))["drops"] - drops
    used_s = after.cpu_s - before.cpu_s
    return Cost(
        cpu_ms_per_camera_s=used_s * 1000 / took_s / wanted.cameras,
        pss_mb_per_camera=after.pss_bytes / 1e6 / wanted.cameras,
        others_cores=max(busy - used_s, 0.0) / took_s,
        drops=drops,
        footage=Footage(0, 0, 0),
    )


def _with_footage(cost: Cost, found: Footage) -> Cost:
    return Cost(cost.cpu_ms_per_camera_s, cost.pss_mb_per_camera, cost.others_cores, cost.drops, found)


def find_ffmpeg() -> str:
    """The machine's own ffmpeg, else that of imageio-ffmpeg. Raises FileNotFoundError."""
    found = shutil.which("ffmpeg")
    if found:
        return found
    try:
        import imageio_ffmpeg

        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except (ImportError, RuntimeError) as error:
        raise FileNotFoundError("no ffmpeg: install it, or pip install imageio-ffmpeg") from error


async def _version(ffmpeg: str) -> str:
    process = await asyncio.create_subprocess_exec(ffmpeg, "-version", stdout=PIPE)
    told, _ = await process.communicate()
    return told.decode().split()[2]


def _compare(wanted: Wanted, ours: Cost, kept: Kept, peer: Cost, floor: Cost, version: str) -> dict[str, Any]:
    bounds = {"ratio": wanted.cpu_ratio_bound, "floor_ratio": wanted.floor_bound, "pss_ratio": PSS_BOUND}
    bounds |= {"pss_mb_per_camera": PSS_MB_BOUND, "restart_s": RESTART_BOUND_S}
    bounds |= {"gaps": 0, "rtp_gaps": 0, "server_drops": 0, "late_frames": 0}
    figures = {
        "cpu_ms_per_camera_s": round(ours.cpu_ms_per_camera_s, 3),
        "pss_mb_per_camera": round(ours.pss_mb_per_camera, 2),
        "ratio": round(ours.cpu_ms_per_camera_s / peer.cpu_ms_per_camera_s, 3),
        "floor_ratio": round(ours.cpu_ms_per_camera_s / floor.cpu_ms_per_camera_s, 2),
        "pss_ratio": round(ours.pss_mb_per_camera / peer.pss_mb_per_camera, 3),
        "rtp_gaps": ours.footage.missing,
        "server_drops": ours.drops,
        **asdict(kept),
    }
    ok = all(figures[name] <= bound for name, bound in bounds.items()) and ours.footage.cameras == wanted.cameras
    return {
        "cameras": wanted.cameras,
        "seconds": wanted.seconds,
        "arrivals": "burst" if wanted.burst else "paced",
        **figures,
        "frames": ours.footage.frames,
        "others_cores": round(ours.others_cores, 2),
        "peer": {"name": "ffmpeg -c copy, one per camera", "version": version, **_told(peer)},
        "floor": _told(floor),
        "bounds": bounds,
        "ok": ok and (kept.connect_again_s is None or kept.connect_again_s >= AGAIN_BOUND_S),
    }


def _told(cost: Cost) -> dict[str, Any]:
    return {
        "cpu_ms_per_camera_s": round(cost.cpu_ms_per_camera_s, 3),
        "pss_mb_per_camera": round(cost.pss_mb_per_camera, 2),
        "frames": cost.footage.frames,
        "missing_frames": cost.footage.missing,
        "server_drops": cost.drops,
        "others_cores": round(cost.others_cores, 2),
    }


def _say(subject: str) -> None:
    print(f"measuring: {subject}", file=sys.stderr, flush=True)
