"""A real surveillance clip from a server that is not ours is pulled, recorded, watched and replayed, bit for bit."""

import hashlib
import io
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import av
import numpy as np
import pytest
from centre_process import Centre, wait_for

CLIP = Path(__file__).parents[3] / "shared" / "sequences" / "vtest.avi"
SYSTEM_PYTHON = "/usr/bin/python3"
PACKAGES = "gir1.2-gst-rtsp-server-1.0 python3-gi gstreamer1.0-plugins-good gstreamer1.0-plugins-bad"
DOCUMENT = """
[[camera]]
number = "real"
commune = "27229"
name = "Caméra réelle"
site = "Voie publique"
main = "rtsp://127.0.0.1:${port}/real"

[[authorisation]]
commune = "27229"
reference = "FICTIF-27-2026-0199"
from = 2026-01-01
to = 2031-01-01
cameras = ["real"]
finalites = ["1", "5"]
retention_days = 15
"""


def server_missing() -> str | None:
    if not CLIP.exists():
        return f"{CLIP.name} is absent"
    program = "import gi; gi.require_version('GstRtspServer', '1.0')"
    probe = subprocess.run([SYSTEM_PYTHON, "-c", program], capture_output=True)
    return None if probe.returncode == 0 else f"gst-rtsp-server is absent: apt-get install {PACKAGES}"


def hashes(file: Path | io.BytesIO) -> list[str]:
    """SHA-256 of each decoded picture, in order."""
    with av.open(file if isinstance(file, io.BytesIO) else str(file)) as container:
        return [digest(frame) for frame in container.decode(video=0)]


def digest(frame: av.VideoFrame) -> str:
    return hashlib.sha256(np.ascontiguousarray(frame.to_ndarray())).hexdigest()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, list[str]]]:
    """The clip, encoded as a camera would, on gst-rtsp-server: its port, and the hash of each picture in it."""
    missing = server_missing()
    if missing:
        pytest.skip(missing)
    folder = tmp_path_factory.mktemp("real")
    file = folder / "clip.mp4"
    with av.open(str(CLIP)) as source, av.open(str(file), "w") as encoded:
        options = {"preset": "veryfast", "bf": "0", "g": "20", "sc_threshold": "0"}
        stream = encoded.add_stream("libx264", rate=10, options=options)
        stream.width, stream.height, stream.pix_fmt = 768, 576, "yuv420p"
        for frame in source.decode(video=0):
            frame.pict_type = 0
            encoded.mux(stream.encode(frame))
        encoded.mux(stream.encode())
    script = Path(__file__).with_name("gst_server.py")
    server = subprocess.Popen([SYSTEM_PYTHON, str(script), str(file)], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    yield int(server.stdout.readline()), hashes(file)
    server.terminate()
    server.wait()
    server.stdout.close()


@pytest.mark.soak
async def test_its_pictures_are_recorded_watched_and_replayed_bit_for_bit(
    centre: Centre, served: tuple[int, list[str]], tmp_path: Path
) -> None:
    port, truth = served
    import_camera(centre, port, tmp_path)
    with centre.client("operator", shift_motif="SECURITE") as client:
        camera = wait_for(lambda: find_recording(client), "the real camera to record")
        began = datetime.now(UTC)
        watched = await watch(centre, client, camera, seconds=10)
        assert len(watched) > 60
        assert is_within(watched, truth)

        folder = centre.data / "recordings" / camera
        recorded = wait_for(lambda: whole_clip(folder, truth), "the whole clip on disk", 200, every_s=1)
        assert recorded == truth

        replayed = await replay(centre, client, camera, began + timedelta(seconds=5), began + timedelta(seconds=35))
        assert len(replayed) > 250
        assert is_within(replayed, truth)


def import_camera(centre: Centre, port: int, folder: Path) -> None:
    document = folder / "real.toml"
    document.write_text(DOCUMENT, encoding="utf-8")
    command = [sys.executable, "-m", "csu.cli", "import", str(document), "--set", f"port={port}"]
    done = subprocess.run(command, env=centre.environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def find_recording(client: Any) -> str | None:
    for camera in client.get("/api/cameras").json()["cameras"]:
        if camera["number"] == "real" and camera["state"] == "recording":
            return str(camera["id"])
    return None


def is_within(part: list[str], whole: list[str]) -> bool:
    return any(whole[at : at + len(part)] == part for at in range(len(whole) - len(part) + 1))


def whole_clip(folder: Path, truth: list[str]) -> list[str] | None:
    """The recorded pictures, once as many as the clip has are there; a clip crosses files where they rotate."""
    pictures: list[str] = []
    for file in sorted(folder.rglob("*.mp4")):
        pictures += hashes(file)
        if len(pictures) >= len(truth):
            return pictures[: len(truth)]
    return None


async def watch(centre: Centre, client: Any, camera: str, seconds: float) -> list[str]:
    """Pictures received live for some seconds, decoded."""
    asked = {"requests": [{"camera": camera, "act": "live", "stream": "main"}]}
    ticket = client.post("/api/tickets", json=asked).json()["results"][0]["ticket"]
    gateway = client.get("/api/session").json()["gateway_origin"]
    film = io.BytesIO()
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{gateway}/live", origin=centre.url, max_msg_size=0) as socket,
    ):
        await socket.send_json({"type": "open", "ticket": ticket, "tile": "1"})
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            message = await socket.receive()
            if message.type == aiohttp.WSMsgType.BINARY:
                film.write(message.data[12:])
            else:
                assert message.type == aiohttp.WSMsgType.TEXT, message
    film.seek(0)
    return hashes(film)


async def replay(centre: Centre, client: Any, camera: str, from_at: datetime, to_at: datetime) -> list[str]:
    motif = {"code": "INTERVENTION", "reference": "2026-0117"}
    asked = {
        "camera": camera,
        "act": "replay",
        "from": from_at.isoformat(),
        "to": to_at.isoformat(),
        "motif": motif,
    }
    ticket = client.post("/api/tickets", json={"requests": [asked]}).json()["results"][0]["ticket"]
    gateway = client.get("/api/session").json()["gateway_origin"]
    async with aiohttp.ClientSession(headers={"Origin": centre.url}) as session:
        async with session.post(f"{gateway}/playback", json={"ticket": ticket}) as opened:
            assert opened.status == 201, await opened.text()
            url = (await opened.json())["url"]
        async with session.get(gateway + url) as film:
            assert film.status == 200
            return hashes(io.BytesIO(await film.read()))
