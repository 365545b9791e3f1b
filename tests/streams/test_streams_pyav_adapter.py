import asyncio
import subprocess
import sys
import threading
import time

import pytest
from h264_clip import avcc, make_clip
from rtsp_camera import PASSWORD, USER, Camera, Manners
from sinks import Collector

from streams import pyav_adapter
from streams.errors import CameraError, CameraFault
from streams.pull import pull
from streams.source import SourceConfig


def config(camera: Camera, username: str | None = USER) -> SourceConfig:
    return SourceConfig(camera.url, username, PASSWORD, "pyav")


async def test_the_same_pictures_as_by_our_own_client() -> None:
    clip = make_clip(320, 192, 30, 15)
    async with Camera(Manners(auth="md5", audio=True, speed=4), clip) as camera:
        sink = Collector()
        task = asyncio.create_task(pull(config(camera), sink))
        await sink.wait_packets(40)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        count = len(sink.packets)
        setups = [url for method, url, _ in camera.requests if method == "SETUP"]
    assert len(setups) == 1
    assert sink.packets[0].is_key
    assert sink.packets[0].format == clip.format
    first = [avcc(unit) for unit in clip.units].index(sink.packets[0].data)
    wanted = [avcc(clip.units[(first + number) % 30]) for number in range(40)]
    assert [packet.data for packet in sink.packets[:40]] == wanted
    assert [b.pts_90k - a.pts_90k for a, b in zip(sink.packets, sink.packets[1:40], strict=False)] == [3600] * 39
    assert len(sink.packets) == count
    readers = [thread for thread in threading.enumerate() if thread.name == "pyav-camera"]
    for reader in readers:  # it ends by itself, once it has a turn
        await asyncio.to_thread(reader.join, 60)
    assert not any(reader.is_alive() for reader in readers)


@pytest.mark.parametrize(
    ("manners", "fault"),
    [
        (Manners(answers={"DESCRIBE": b"RTSP/1.0 404 Not Found\r\nCSeq: {cseq}\r\n\r\n"}), CameraFault.NOT_FOUND),
        (Manners(auth="md5"), CameraFault.REFUSED_CREDENTIALS),
        (Manners(codec="", audio=True), CameraFault.NO_VIDEO),
        (Manners(stop_after=30, ending="close"), CameraFault.CLOSED),
    ],
)
async def test_failures_are_told_by_kind_and_without_the_password(manners: Manners, fault: CameraFault) -> None:
    async with Camera(manners) as camera:
        source = SourceConfig(camera.url, "other", PASSWORD, "pyav")
        with pytest.raises(CameraError) as caught:
            async with asyncio.timeout(90):
                await pull(source, Collector())
    assert caught.value.fault is fault
    assert PASSWORD not in str(caught.value)
    assert "s3cret" not in str(caught.value)


async def test_silence_is_a_stall(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pyav_adapter, "STALL_S", 0.5)
    monkeypatch.setattr(pyav_adapter, "END_S", 0.1)
    async with Camera(Manners(stop_after=60, ending="hang")) as camera:
        with pytest.raises(CameraError) as caught:
            await pull(config(camera), Collector())
    assert caught.value.fault is CameraFault.STALLED


async def test_a_pause_of_our_own_is_no_silence_of_the_camera(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pyav_adapter, "STALL_S", 1.5)
    async with Camera() as camera:
        sink = Collector()
        task = asyncio.create_task(pull(config(camera), sink))
        for _ in range(2):
            await sink.wait_packets(len(sink.packets) + 10)
            time.sleep(3.0)  # noqa: ASYNC251  the whole process stands still
        await sink.wait_packets(len(sink.packets) + 10)
        assert not task.done()
        task.cancel()
        await asyncio.wait((task,))


async def test_a_fault_of_the_sink_reaches_its_owner() -> None:
    class Broken(Collector):
        def packet(self, packet: object) -> None:
            raise ZeroDivisionError

    async with Camera() as camera:
        with pytest.raises(ZeroDivisionError):
            await pull(config(camera), Broken())


@pytest.mark.parametrize("url", ["file:///etc/passwd", "rtsp://u:p@127.0.0.1/", "concat:a|b", "http://127.0.0.1/"])
async def test_addresses_that_are_none(url: str) -> None:
    with pytest.raises(CameraError) as caught:
        await pull(SourceConfig(url, adapter="pyav"), Collector())
    assert caught.value.fault is CameraFault.UNREACHABLE


def test_our_own_client_never_loads_libav() -> None:
    code = (
        "import sys, streams.streamer, streams.rtsp.client, streams.timeline, streams.movie;"
        "heavy = {'av', 'numpy', 'cv2', 'uvloop', 'fastapi', 'sqlalchemy'};"
        "sys.exit(bool(heavy & {name.split('.')[0] for name in sys.modules}))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
