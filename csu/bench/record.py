"""`csu bench record`: what recording N cameras costs us, one ffmpeg per camera, and the floor, in the same run."""

import asyncio
import json
import os
import shutil
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from csu.bench import footage, proc, stage
from csu.bench.footage import Footage
from csu.bench.stage import Cameras, StageError
from csu.settings import Paths
from csu.simulator import running
from recorder.channel import ChannelClient

WARM_UP_S = 8.0
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


FLOOR_BOUND, PSS_BOUND = 4.0, 0.25


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
            ours, gaps = await _recorder(paths, cameras, wanted)
        # ffmpeg takes a password in its arguments only, where every user of the machine can read it.
        async with stage.simulator(paths, wanted.cameras, *options, "--no-auth") as cameras:
            _say("ffmpeg, one per camera")
            peer = await _peer(paths, cameras, wanted, ffmpeg)
            _say("floor")
            floor = await _floor(paths, cameras, wanted)
    return _compare(wanted, ours, gaps, peer, floor, await _version(ffmpeg))


async def _recorder(paths: Paths, cameras: Cameras, wanted: Wanted) -> tuple[Cost, int]:
    async with stage.recorder(paths) as (process, control):
        await stage.record_all(paths, control, cameras)
        await asyncio.sleep(WARM_UP_S)
        began_at = datetime.now(UTC)
        cost = await _window(paths, [process], wanted)
        gaps = await _gaps_since(control, began_at)
    found = footage.count(paths.recordings.rglob("*.mp4"))
    shutil.rmtree(paths.recordings)
    return _with_footage(cost, found), gaps


async def _gaps_since(control: ChannelClient, began_at: datetime) -> int:
    """Gaps that the recorder itself has noted since then."""
    gaps, after = 0, 0
    while facts := (await control.call("facts", after=after, limit=1000))["facts"]:
        after = facts[-1]["n"]
        gaps += sum(f["kind"] == "gap_opened" and datetime.fromisoformat(f["at"]) >= began_at for f in facts)
    return gaps


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


def _compare(wanted: Wanted, ours: Cost, gaps: int, peer: Cost, floor: Cost, version: str) -> dict[str, Any]:
    ratio = ours.cpu_ms_per_camera_s / peer.cpu_ms_per_camera_s
    floor_ratio = ours.cpu_ms_per_camera_s / floor.cpu_ms_per_camera_s
    pss_ratio = ours.pss_mb_per_camera / peer.pss_mb_per_camera
    bounds = {"ratio": wanted.cpu_ratio_bound, "floor_ratio": FLOOR_BOUND, "pss_ratio": PSS_BOUND}
    bounds |= {"gaps": 0, "rtp_gaps": 0, "server_drops": 0}
    figures = {
        "ratio": round(ratio, 3),
        "floor_ratio": round(floor_ratio, 2),
        "pss_ratio": round(pss_ratio, 3),
        "gaps": gaps,
        "rtp_gaps": ours.footage.missing,
        "server_drops": ours.drops,
    }
    return {
        "cameras": wanted.cameras,
        "seconds": wanted.seconds,
        "arrivals": "burst" if wanted.burst else "paced",
        "cpu_ms_per_camera_s": round(ours.cpu_ms_per_camera_s, 3),
        "pss_mb_per_camera": round(ours.pss_mb_per_camera, 2),
        **figures,
        "frames": ours.footage.frames,
        "others_cores": round(ours.others_cores, 2),
        "peer": {"name": "ffmpeg -c copy, one per camera", "version": version, **_told(peer)},
        "floor": _told(floor),
        "bounds": bounds,
        "ok": all(figures[name] <= bound for name, bound in bounds.items()) and ours.footage.cameras == wanted.cameras,
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
