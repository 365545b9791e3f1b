"""A centre started as a person starts it, `csu demo`, in a data directory of its own."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx

from csu.simulator import encoding
from csu.simulator.cameras import FULL

CAMERAS = 6  # two of each commune
# Where `make demo` keeps the cameras' pictures: encoding takes minutes, and is done once for all processes.
_ENCODED = Path(__file__).parents[2] / "var" / "simulator"
T = TypeVar("T")


def wait_for(condition: Callable[[], T], what: str, seconds: float = 90, every_s: float = 0.1) -> T:
    """What the condition gives once it is true; fails with `what` when that takes longer than `seconds`."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s for {what}"
        time.sleep(every_s)
    return found


def copy_encoded(data: Path) -> None:
    """The cameras' pictures into a new data directory; encoded first, where nobody has done that yet."""
    encoding.ensure(_ENCODED, range(1, CAMERAS + 1), FULL)
    (data / "simulator").mkdir(parents=True)
    for file in _ENCODED.glob("full-*[0-9a-f].mp4"):
        shutil.copy(file, data / "simulator")


@dataclass
class Centre:
    """A running `csu demo`."""

    data: Path
    port: int
    cameras: int = CAMERAS
    process: subprocess.Popen[str] | None = None
    told: dict[str, Any] = field(default_factory=dict)

    def start(self) -> None:
        command = [sys.executable, "-m", "csu.cli", "demo", "--json"]
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [*command, "--cameras", str(self.cameras), "--port", str(self.port)],
                env=self.environment,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.log.read_text()[-3000:]
        self.told = json.loads(line)

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        status = self.process.wait(120)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return status

    def csu(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        """Run a `csu` command on this centre's data: its status, and the JSON object of its last line, if any."""
        done = subprocess.run(
            [sys.executable, "-m", "csu.cli", *arguments], env=self.environment, capture_output=True, text=True
        )
        lines = done.stdout.strip().splitlines() or ["{}"]
        return done.returncode, json.loads(lines[-1])

    def pid(self, service: str) -> int:
        return int((self.data / "run" / f"{service}.pid").read_text())

    @property
    def log(self) -> Path:
        return self.data.parent / "demo.log"

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "CSU_DATA": str(self.data)}

    @property
    def url(self) -> str:
        return str(self.told["url"])

    def account(self, role: str) -> dict[str, str]:
        return next(a for a in self.told["accounts"] if a["role"] == role)

    @contextlib.contextmanager
    def client(self, role: str, **login: str) -> Iterator[httpx.Client]:
        """An HTTP client logged in as this role, as the console would be."""
        account = self.account(role)
        body = {"login": account["login"], "password": account["password"], **login}
        with httpx.Client(base_url=self.url, headers={"Origin": self.url}, timeout=60) as client:
            answer = client.post("/api/session", json=body)
            assert answer.status_code == 200, answer.text
            client.headers["X-CSRF-Token"] = answer.json()["csrf"]
            yield client
