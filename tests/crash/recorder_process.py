"""A real recorder process before real simulated cameras, and the centre's side of its channel."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from csu.keys import ensure_keys, load_private
from csu.settings import Paths
from recorder.channel import ChannelClient, ChannelError
from recorder.orders import CameraOrder, Orders, StreamAddress, sign
from recorder.utc import at_from_text
from streams.awake import LOOK_S, PAUSE_S

# Prints what the process had loaded at its end, for the test that names what must not be.
_RUN = "import sys; from csu.cli import main; code = main(sys.argv[1:]); print(*sys.modules); sys.exit(code)"


Made = TypeVar("Made", bound="RecorderProcess")


@dataclass
class Simulator:
    """`csu simulate` in a process of its own, with small pictures."""

    port: int
    username: str
    password: str
    control: Path

    def address(self, number: int, stream: str) -> StreamAddress:
        return StreamAddress(f"rtsp://127.0.0.1:{self.port}/cam/{number:02d}/{stream}", self.username, self.password)


@contextmanager
def simulator(data: Path, cameras: int, codec: str = "h264", *options: str) -> Iterator[Simulator]:
    command = [sys.executable, "-m", "csu.cli", "simulate", "--cameras", str(cameras), "--port", "0"]
    command += ["--quality", "quick", "--codec", codec, "--json", *options]
    data.mkdir(parents=True, exist_ok=True)
    process = subprocess.Popen(
        command, env={**os.environ, "CSU_DATA": str(data)}, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        port = int(ready["rtsp_urls"][0].split(":")[2].split("/")[0])
        username, password = Path(ready["credentials_file"]).read_text().strip().split(":", 1)
        yield Simulator(port, username, password, Paths(data).run / "simulator.sock")
    finally:
        process.terminate()
        process.communicate(timeout=20)


@dataclass
class RecorderProcess:
    """`csu recorder` on a data directory; started and killed as a test wants.

    `prelude`: what the process runs before: to make a real operation fail or stall, or to shrink a bound.
    `environment`: what it finds in its environment beside ours.
    """

    data: Path
    prelude: str = ""
    storage: tuple[Path, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[str] | None = None
    modules: set[str] = field(default_factory=set)

    @property
    def paths(self) -> Paths:
        return Paths(self.data)

    @property
    def _places(self) -> list[str]:
        return ["--data", str(self.data), *(word for one in self.storage for word in ("--storage", str(one)))]

    def start(self) -> None:
        ensure_keys(self.paths.keys)
        with (self.data / "recorder.log").open("a") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", f"{self.prelude}\n{_RUN}", "recorder", *self._places],
                env={**os.environ, **self.environment},
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    def kill(self) -> None:
        """SIGKILL: nothing is closed, synced or told."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """SIGTERM, as `csu down` or systemd would; the exit status."""
        return self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> int:
        process, self.process = self.process, None
        assert process is not None
        process.send_signal(number)
        out, _ = process.communicate(timeout=30)
        self.modules = set(out.split())
        return process.returncode

    async def call(self, op: str, **fields: Any) -> dict[str, Any]:
        """Ask, waiting for a recorder that is still starting."""
        async with asyncio.timeout(60), ChannelClient(self.paths.recorder_socket) as client:
            while True:
                try:
                    return await client.call(op, **fields)
                except ChannelError as error:
                    if error.code not in ("UNREACHABLE", "STORAGE_DOWN"):
                        raise
                is_gone = self.process is not None and self.process.poll() is not None
                assert not is_gone, f"the recorder ended: {(self.data / 'recorder.log').read_text()[-2000:]}"
                await asyncio.sleep(0.05)

    async def order(self, orders: Orders) -> None:
        _, key = load_private(self.paths.keys, "orders")
        await self.call("put_orders", envelope=sign(orders, key))

    async def facts(self) -> list[dict[str, Any]]:
        """Of all directories that answer."""
        indexes = [one["index"] for one in (await self.call("indexes"))["indexes"]]
        return [
            fact for index in indexes for fact in (await self.call("facts", index=index, after=0, limit=5000))["facts"]
        ]

    async def coverage(self, camera: str, since: datetime) -> dict[str, Any]:
        now = datetime.now(UTC)
        return await self.call("coverage", camera=camera, **{"from": since.isoformat(), "to": now.isoformat()})

    async def state(self, camera: str, stream: str = "main") -> str | None:
        for row in (await self.call("status"))["cameras"]:
            if (row["camera"], row["stream"]) == (camera, stream):
                return str(row["state"])
        return None

    def csu(self, *words: str) -> tuple[int, dict[str, Any]]:
        """Another command on the same data: its status and its JSON."""
        done = subprocess.run(
            [sys.executable, "-m", "csu.cli", *words, *self._places, "--json"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.returncode, json.loads(done.stdout.splitlines()[-1])


@contextmanager
def recorder(data: Path, prelude: str = "", storage: tuple[Path, ...] = ()) -> Iterator[RecorderProcess]:
    data.mkdir(parents=True, exist_ok=True)
    with running(RecorderProcess(data, prelude, storage)) as made:
        yield made


@contextmanager
def running(made: Made) -> Iterator[Made]:
    made.start()
    try:
        yield made
    finally:
        if made.process is not None:
            made.kill()


def camera_id(number: int) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"camera {number}"))


def camera(simulated: Simulator, number: int, sub: bool = False, **changes: Any) -> CameraOrder:
    now = datetime.now(UTC)
    order = CameraOrder(
        camera=camera_id(number),
        name=f"caméra {number}",
        main=simulated.address(number, "main"),
        sub=simulated.address(number, "sub") if sub else None,
        adapter="native",
        authorisation="27-2026-001",
        record_from_at=now - timedelta(days=1),
        record_to_at=now + timedelta(days=30),
        retention_days=15,
    )
    return replace(order, **changes)


_versions = iter(range(1, 1_000_000))


def orders(*cameras: CameraOrder) -> Orders:
    return Orders(next(_versions), datetime.now(UTC), list(cameras))


async def wait_until(condition: Callable[[], Awaitable[bool]], timeout_s: float = 60, found: object = None) -> None:
    """Wait for a condition of another process, looking every 50 ms. `found`: what it saw the last time, to be told."""
    until_s = time.monotonic() + timeout_s
    while not await condition():
        assert time.monotonic() < until_s, f"the condition didn't come true, found {found}"
        await asyncio.sleep(0.05)


async def until_recorded(
    process: RecorderProcess, since: datetime, seconds: float, *numbers: int
) -> list[dict[str, Any]]:
    """Until so many seconds of each of these cameras are durable; their accounts."""
    accounts: list[dict[str, Any]] = []

    async def enough() -> bool:
        accounts[:] = [await process.coverage(camera_id(number), since) for number in numbers]
        return all(recorded_s(account) >= seconds for account in accounts)

    await wait_until(enough, 60)
    return accounts


def below(directory: Path) -> list[Path]:
    """Every file; directories that go while we look are passed over, at which `rglob` fails."""
    return [Path(folder, name) for folder, _, names in os.walk(directory) for name in names]


ON_THE_WAY_S = 1.0
"""From a picture's instant to the write, on a busy machine, beside what a `Pulse` measures."""


class Pulse:
    """For how long a recorder and its cameras gave no answer while they were asked all the time: one of them stood
    still, or was slow, or we were. What is missing of so long is nobody's fault.
    """

    _USUAL_S = 0.25  # between two answers

    def __init__(self, process: RecorderProcess, cameras: Simulator | None = None) -> None:
        self._asked = {process.paths.recorder_socket: "status"}
        if cameras is not None:
            self._asked[cameras.control] = "stats"
        self.silent_s = self._longest_s = 0.0
        self._heard_s = time.monotonic()

    async def begin(self) -> None:
        """All answer now, and nothing before counts."""
        await self.beat()
        self.silent_s = self._longest_s = 0.0

    async def beat(self) -> None:
        """To be called as often as a condition is looked at. A recorder that is only starting keeps nobody waiting."""
        for path, op in self._asked.items():
            async with ChannelClient(path) as client:
                with contextlib.suppress(ChannelError):
                    await client.call(op)
        since_s = time.monotonic() - self._heard_s
        self._heard_s += since_s
        self._longest_s = max(self._longest_s, since_s)
        self.silent_s += max(0.0, since_s - self._USUAL_S)

    @property
    def may_have_paused(self) -> bool:
        """Whether the recorder may have had a pause that it knows of: a gap that begins in it is told as ours."""
        return self._longest_s > PAUSE_S - LOOK_S


def recorded_s(account: dict[str, Any]) -> float:
    """How long the runs of a camera's account are together."""
    return sum((at_from_text(run["to"]) - at_from_text(run["from"])).total_seconds() for run in account["runs"])


def is_whole(account: dict[str, Any]) -> bool:
    """Whether runs and gaps follow upon one another, without a hole and without an overlap."""
    pieces = sorted([*account["runs"], *account["gaps"]], key=lambda piece: str(piece["from"]))
    return [a["to"] for a in pieces[:-1]] == [b["from"] for b in pieces[1:]]
