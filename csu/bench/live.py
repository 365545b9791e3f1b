"""`csu bench live`: what a viewer costs the gateway, and how fresh its pictures are; aiortc's sender beside it."""

import asyncio
import contextlib
import importlib.metadata
import json
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from dataclasses import dataclass
from statistics import quantiles
from typing import Any

from csu.bench import proc, stage
from csu.bench.stage import StageError
from csu.settings import Paths
from csu.simulator import loops
from csu.simulator.cameras import QUALITIES
from recorder.channel import ChannelClient

WARM_UP_S = 5.0
CPU_BOUND_MS, FIRST_PICTURE_BOUND_MS = 1.0, 500.0
_MOST_PEER_VIEWERS = 10
_RENEW_EVERY_S = 2.0
_ORIGIN = "http://localhost:8080"


@dataclass(frozen=True, slots=True)
class Wanted:
    cameras: int
    viewers: int
    seconds: float
    quality: str = "rich"


async def run(wanted: Wanted) -> dict[str, Any]:
    """Measure and compare. Raises StageError when a process fails."""
    with stage.data_directory() as paths:
        async with (
            stage.simulator(paths, wanted.cameras, "--quality", wanted.quality) as cameras,
            stage.recorder(paths) as (_, control),
        ):
            await stage.record_all(paths, control, cameras)
            _say("gateway")
            async with _gateway(paths) as (gateway, url):
                seen, cpu_ms, others = await _view(paths, gateway, url, wanted)
        _say("aiortc")
        peer = await _peer(paths, wanted)
    return _compare(wanted, seen, cpu_ms, others, peer)


@contextlib.asynccontextmanager
async def _gateway(paths: Paths) -> AsyncIterator[tuple[Process, str]]:
    """The gateway on a free port, its leases renewed as the control plane does it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = paths.data / "csu.toml"
    config.write_text(
        f'data = "."\n[console]\norigin = "{_ORIGIN}"\n[gateway]\nport = {port}\n[valkey]\nurl = "redis://unused"\n'
        '[database]\nurl = "postgresql://unused"\nguard_url = "postgresql://unused"\nowner_url = "postgresql://unused"\n'
    )
    config.chmod(0o600)
    async with (
        stage.child(stage.csu("gateway", "--config", str(config))) as process,
        ChannelClient(paths.gateway_socket) as control,
    ):
        await stage.wait_until(lambda: stage.answers(control, "renew"), "csu gateway")
        renewing = asyncio.create_task(_renew(control))
        try:
            yield process, f"http://127.0.0.1:{port}/live"
        finally:
            renewing.cancel()


async def _renew(control: ChannelClient) -> None:
    while True:
        await control.call("renew", cut=[])
        await asyncio.sleep(_RENEW_EVERY_S)


async def _view(paths: Paths, gateway: Process, url: str, wanted: Wanted) -> tuple[dict[str, Any], float, float]:
    """What the viewers saw, the gateway's CPU (ms per viewer and second), and what others used (cores)."""
    ids = [stage.camera_id(n) for n in range(1, wanted.cameras + 1)]
    orders = {"url": url, "origin": _ORIGIN, "keys": str(paths.keys), "cameras": ids, "viewers": wanted.viewers}
    words = [sys.executable, "-m", "csu.bench.viewers"]
    async with stage.child(words, stdin=PIPE, stdout=PIPE, limit=1 << 26) as process:
        await _tell(process, json.dumps(orders))
        await _expect(process, "ready")
        await asyncio.sleep(WARM_UP_S)
        await _tell(process, "begin")
        cpu_ms, others = await _cpu_ms([gateway], wanted.seconds, wanted.viewers)
        await _tell(process, "end")
        seen: dict[str, Any] = json.loads(await _line(process))
    return seen, cpu_ms, others


async def _cpu_ms(processes: list[Process], seconds: float, viewers: int) -> tuple[float, float]:
    loop, pids = asyncio.get_running_loop(), [p.pid for p in processes]
    before, busy, began_s = proc.usage(pids).cpu_s, proc.busy_s(), loop.time()
    await asyncio.sleep(seconds)
    used, busy, took_s = proc.usage(pids).cpu_s - before, proc.busy_s() - busy, loop.time() - began_s
    return used * 1000 / took_s / viewers, max(busy - used, 0.0) / took_s


async def _peer(paths: Paths, wanted: Wanted) -> dict[str, Any]:
    """aiortc's stock sender with the same loop; fewer viewers, since each costs much more."""
    viewers = min(wanted.viewers, _MOST_PEER_VIEWERS)
    file = loops.file_of(paths.simulator, 1, "main", QUALITIES[wanted.quality])
    words = [sys.executable, "-m", "csu.bench.webrtc"]
    async with (
        stage.child([*words, "receive"], stdin=PIPE, stdout=PIPE, limit=1 << 24) as receiver,
        stage.child([*words, "send", str(file)], stdin=PIPE, stdout=PIPE, limit=1 << 24) as sender,
    ):
        await _tell(receiver, json.dumps({"viewers": viewers}))
        await _tell(sender, await _line(receiver))
        await _tell(receiver, await _line(sender))
        await _expect(receiver, "ready")
        await asyncio.sleep(WARM_UP_S)
        cpu_ms, others = await _cpu_ms([sender], wanted.seconds, viewers)
        assert receiver.stdin is not None
        receiver.stdin.close()
        packets = int(await _line(receiver))
    return {
        "name": "aiortc, stock sender, encoded pictures passed on",
        "version": importlib.metadata.version("aiortc"),
        "viewers": viewers,
        "cpu_ms_per_viewer_s": round(cpu_ms, 3),
        "rtp_packets": packets,
        "others_cores": round(others, 2),
    }


def _compare(
    wanted: Wanted, seen: dict[str, Any], cpu_ms: float, others: float, peer: dict[str, Any]
) -> dict[str, Any]:
    if len(seen["latency_ms"]) < 2:
        raise StageError("the viewers saw no stamped picture")
    bounds = {"cpu_ms_per_viewer_s": CPU_BOUND_MS, "first_picture_p95_ms": FIRST_PICTURE_BOUND_MS}
    figures = {
        "cpu_ms_per_viewer_s": round(cpu_ms, 3),
        "first_picture_p50_ms": _percentile(seen["first_picture_ms"], 50),
        "first_picture_p95_ms": _percentile(seen["first_picture_ms"], 95),
        "latency_p50_ms": _percentile(seen["latency_ms"], 50),
        "latency_p95_ms": _percentile(seen["latency_ms"], 95),
    }
    return {
        "viewers": wanted.viewers,
        "cameras": wanted.cameras,
        "seconds": wanted.seconds,
        **figures,
        "frames": seen["frames"],
        "frames_expected": round(wanted.viewers * wanted.seconds * QUALITIES[wanted.quality].main.fps),
        "skipped_frames": seen["skipped"],
        "others_cores": round(others, 2),
        "ratio": round(cpu_ms / peer["cpu_ms_per_viewer_s"], 3),
        "peer": peer,
        "bounds": bounds,
        "ok": all(figures[name] <= bound for name, bound in bounds.items()),
    }


def _percentile(values: list[float], percent: int) -> float:
    if len(values) == 1:
        return round(values[0], 1)
    return round(quantiles(values, n=100, method="inclusive")[percent - 1], 1)


async def _tell(process: Process, line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(line.encode() + b"\n")
    await process.stdin.drain()


async def _line(process: Process) -> str:
    assert process.stdout is not None
    try:
        async with asyncio.timeout(stage.START_WITHIN_S):
            line = (await process.stdout.readline()).decode().rstrip("\n")
    except TimeoutError as error:
        raise StageError(f"a process of the bench was silent for {stage.START_WITHIN_S:.0f} s") from error
    if not line:
        raise StageError("a process of the bench ended early")
    return line


async def _expect(process: Process, word: str) -> None:
    if (line := await _line(process)) != word:
        raise StageError(f"expected {word!r}, found {line[:80]!r}")


def _say(subject: str) -> None:
    print(f"measuring: {subject}", file=sys.stderr, flush=True)
