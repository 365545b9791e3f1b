import argparse
import asyncio
import json
from pathlib import Path

import pytest
from h264_clip import make_clip
from rtsp_camera import PASSWORD, USER, Camera, Manners
from test_streams_rtsp_tls import certificate, trust

from csu.commands import camera as command
from streams.errors import CameraError, CameraFault
from streams.probe import probe
from streams.source import SourceConfig

__all__ = ["trust"]  # a fixture


async def test_what_is_measured() -> None:
    clip = make_clip(320, 192, 30, 15)
    async with Camera(Manners(auth="sha-256", audio=True, skew_s=2.3, speed=1, framerate="30"), clip) as camera:
        report = await probe(SourceConfig(camera.url, USER, PASSWORD), 3)
    assert (report.codec, report.width, report.height, report.mime) == ("h264", 320, 192, clip.format.mime)
    assert (report.fps, report.gop, report.lost, report.audio) == (25.0, 15, 0, True)
    assert (report.declared_fps, report.backwards) == (30.0, 0)
    assert report.arrival_fps is not None
    assert 2 < report.arrival_fps < 30
    assert report.clock_offset_s is not None
    assert 2.0 < report.clock_offset_s < 2.6
    assert report.bit_rate
    assert report.bit_rate > 10_000


async def test_a_failing_camera() -> None:
    async with Camera(Manners(stop_after=5, ending="close")) as camera:
        with pytest.raises(CameraError) as caught:
            await probe(SourceConfig(camera.url), 5)
    assert caught.value.fault is CameraFault.CLOSED


def arguments(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    command.configure(parser)
    return parser.parse_args(["probe", *words])


@pytest.fixture
def credentials(tmp_path: Path) -> Path:
    path = tmp_path / "credentials"
    path.write_text(f"{USER}:{PASSWORD}\n")
    path.chmod(0o600)
    return path


@pytest.mark.parametrize("adapter", ["native", "pyav"])
async def test_the_command(adapter: str, credentials: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with Camera(Manners(auth="md5", speed=8)) as camera:
        words = (camera.url, "--credentials", str(credentials), "--seconds", "2", "--json", "--adapter", adapter)
        status = await asyncio.to_thread(command.run, arguments(*words))
    facts = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert status == 0
    assert facts["ok"]
    assert (facts["adapter"], facts["codec"], facts["width"], facts["fps"]) == (adapter, "h264", 160, 25.0)
    assert facts["audio"] is (False if adapter == "native" else None)
    norms = {norm["code"]: norm["met"] for norm in facts["norms"]}
    assert norms == {"NARROW_SIZE": False, "OTHER_SIZE": False, "FAST_RATE": True, "OTHER_RATE": True}
    assert {use["code"]: use["met"] for use in facts["uses"]} == {"NARROW_FAST": False, "NARROW": False, "WIDE": False}
    assert facts["transport"] == "tcp"
    assert facts["keeps_declared"] is None


async def test_the_command_tells_the_norms_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    async with Camera(Manners(speed=8), make_clip(704, 576, 25, 25)) as camera:
        assert await asyncio.to_thread(command.run, arguments(camera.url, "--seconds", "2")) == 0
    out = capsys.readouterr().out
    assert "arrêté du 3 août 2007, art. 2" in out
    assert "meets         at least 704 x 576 - plan étroit" in out
    assert "MISSES" not in out
    assert "meets         plan large" in out


async def test_the_command_tells_what_comes_against_what_is_declared(capsys: pytest.CaptureFixture[str]) -> None:
    """A camera that declares 25 pictures a second, stamps so, and sends a few; over UDP."""
    async with Camera(Manners(framerate="25", speed=0.2, udp="refuses"), make_clip(704, 576, 25, 25)) as camera:
        assert await asyncio.to_thread(command.run, arguments(camera.url, "--seconds", "3", "--json")) == 0
    facts = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert facts["transport"] == "udp"
    assert (facts["declared_fps"], facts["fps"], facts["keeps_declared"]) == (25.0, 25.0, False)
    assert facts["real_fps"] == facts["arrival_fps"] < 12
    assert {use["code"]: use["met"] for use in facts["uses"]}["NARROW_FAST"] is False


async def test_the_command_tells_a_fault(capsys: pytest.CaptureFixture[str]) -> None:
    async with Camera(Manners(auth="md5")) as camera:
        status = await asyncio.to_thread(command.run, arguments(camera.url))
    assert status == 1
    assert "refused_credentials" in capsys.readouterr().out


async def test_the_command_tells_the_certificate_to_compare_and_trusts_it(
    tmp_path: Path, trust: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _, context = certificate(tmp_path, "127.0.0.1")
    async with Camera(Manners(speed=8), tls=context) as camera:
        assert await asyncio.to_thread(command.run, arguments(camera.url, "--json")) == 1
        shown = json.loads(capsys.readouterr().out.splitlines()[-1])
        assert shown["fault"] == "protocol"
        words = (camera.url, "--seconds", "2", "--json", "--certificate", shown["certificate"].upper())
        assert await asyncio.to_thread(command.run, arguments(*words)) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["transport"] == "tls"


def test_wrong_uses(credentials: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = "rtsp://127.0.0.1:1/x"
    open_file = tmp_path / "open"
    open_file.write_text("user:password\n")
    open_file.chmod(0o644)
    empty = tmp_path / "empty"
    empty.touch(0o600)
    for words in (
        ("rtsp://user:s3cret@127.0.0.1/x",),
        ("http://127.0.0.1/x",),
        (url, "--seconds", "0"),
        (url, "--certificate", "abcd"),
        (url, "--credentials", str(open_file)),
        (url, "--credentials", str(empty)),
        (url, "--credentials", str(tmp_path / "absent")),
        (url, "--credentials", str(credentials), "--username", "another"),
    ):
        assert command.run(arguments(*words)) == 2
    assert "s3cret" not in capsys.readouterr().err
