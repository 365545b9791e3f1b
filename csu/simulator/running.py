"""Starts the simulated cameras of a data directory: credentials, loops, server, control socket."""

import contextlib
import os
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from csu.settings import Paths
from csu.simulator import cameras, encoding, loops, tls
from csu.simulator.cameras import STREAMS, Quality, scene_of
from csu.simulator.faults import Fault
from csu.simulator.rtsp import Credentials
from csu.simulator.server import Server
from csu.simulator.stream import Manner
from recorder.channel import ChannelError, ChannelServer

USER = "camera"


@dataclass(frozen=True, slots=True)
class Plan:
    """What to simulate; port 0 takes a free one, and without `auth` anyone may play."""

    cameras: int
    port: int
    manner: Manner
    auth: bool = True
    fault: Fault | None = None  # on the first camera, from the start
    tls: bool = False


@dataclass(frozen=True, slots=True)
class Simulation:
    port: int
    server: Server
    scheme: str = "rtsp"

    def urls(self, stream: cameras.Stream) -> list[str]:
        """Addresses of all cameras, without credentials."""
        count = len(self.server.streams) // len(STREAMS)
        return [
            f"{self.scheme}://127.0.0.1:{self.port}{cameras.path(camera, stream)}" for camera in range(1, count + 1)
        ]


def credentials_file(paths: Paths) -> Path:
    return paths.simulator / "credentials"


def certificate_file(paths: Paths) -> Path:
    """What to trust for cameras over TLS (`SSL_CERT_FILE`); the key is in it, for nobody else to read."""
    return paths.simulator / "tls.pem"


def control_socket(paths: Paths) -> Path:
    return paths.run / "simulator.sock"


def ensure_credentials(paths: Paths) -> Credentials:
    """The cameras' user and password (one line `user:password`, mode 0600), made at the first start."""
    file = credentials_file(paths)
    paths.simulator.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        made = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(made, "w") as out:
            out.write(f"{USER}:{secrets.token_urlsafe(18)}\n")
    user, _, password = file.read_text().strip().partition(":")
    return Credentials(user, password)


def ensure_loops(paths: Paths, count: int, quality: Quality) -> None:
    """Encode what is missing for the first `count` cameras, showing progress on stderr."""
    encoding.ensure(paths.simulator, _scenes(count), quality)


@contextlib.asynccontextmanager
async def simulating(paths: Paths, plan: Plan) -> AsyncIterator[Simulation]:
    """Serve until the block ends; the loops must be there (`ensure_loops`)."""
    quality = plan.manner.quality
    encoded = {
        (scene, stream): loops.load(paths.simulator, scene, stream, quality)
        for scene in _scenes(plan.cameras)
        for stream in STREAMS
    }
    credentials = ensure_credentials(paths) if plan.auth else None
    context = tls.server_context(certificate_file(paths)) if plan.tls else None
    server = Server(plan.cameras, encoded, plan.manner, credentials, context)
    if plan.fault is not None:
        server.set_fault(1, plan.fault)
    paths.run.mkdir(parents=True, exist_ok=True)

    async def handle(op: str, fields: dict[str, Any]) -> dict[str, Any]:
        return answer(server, op, fields)

    async with server.serving(plan.port) as port, ChannelServer(control_socket(paths), handle):
        yield Simulation(port, server, "rtsps" if plan.tls else "rtsp")


def answer(server: Server, op: str, fields: dict[str, Any]) -> dict[str, Any]:
    """Control operations: `stats {}` and `fault {camera: number, fault: name or null}`."""
    match op:
        case "stats":
            return server.stats()
        case "fault":
            try:
                name = fields.get("fault")
                server.set_fault(int(fields["camera"]), None if name is None else Fault(name))
            except (KeyError, TypeError, ValueError) as error:
                names = ", ".join(Fault)
                raise ChannelError("BAD_FAULT", f"expected a camera's number, and null or one of {names}") from error
            return {}
        case _:
            raise ChannelError("UNKNOWN_OP", f"expected stats or fault, found {op!r}")


def _scenes(count: int) -> list[int]:
    return sorted({scene_of(camera) for camera in range(1, count + 1)})
