import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest
from h264_clip import avcc, make_clip
from rtsp_camera import PASSWORD, USER, Camera, Manners, framed, rtp
from sinks import Collector

from streams.errors import CameraError, CameraFault
from streams.pull import pull
from streams.rtsp import client, pace
from streams.source import SourceConfig


async def collect(camera: Camera, count: int, username: str | None = USER) -> Collector:
    """Pulls until so many packets have come, then cancels."""
    sink = Collector()
    task = asyncio.create_task(pull(SourceConfig(camera.url, username, PASSWORD), sink))
    waiting = asyncio.create_task(sink.wait_packets(count))
    await asyncio.wait((task, waiting), return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        return sink
    raise AssertionError("the pull ended by itself")


async def failure(camera: Camera, username: str | None = USER) -> CameraError:
    with pytest.raises(CameraError) as caught:
        async with asyncio.timeout(90):
            await pull(SourceConfig(camera.url, username, PASSWORD), Collector())
    assert PASSWORD not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("auth", ["", "basic", "old", "md5", "sha-256"])
async def test_every_way_of_asking_for_credentials(auth: str) -> None:
    async with Camera(Manners(auth=auth)) as camera:
        sink = await collect(camera, 3)
    assert sink.infos[0].tracks == ("video",)
    answers = [headers.get("authorization", "") for _, _, headers in camera.requests]
    assert not any(PASSWORD in answer for answer in answers)
    if auth == "sha-256":
        assert "algorithm=SHA-256" in answers[-1]


@pytest.mark.parametrize(("pieces", "mtu", "described"), [(1, 600, True), (8, 100, True), (3, 1400, False)])
async def test_pictures_arrive_as_they_were_encoded(pieces: int, mtu: int, described: bool) -> None:
    clip = make_clip(320, 192, 30, 15)
    async with Camera(Manners(pieces=pieces, mtu=mtu, parameter_sets=described), clip) as camera:
        sink = await collect(camera, 60)
    assert [p.data for p in sink.packets[:60]] == [avcc(unit) for unit in clip.units] * 2
    assert [p.pts_90k for p in sink.packets[:60]] == [0xFFFF0000 + n * 3600 for n in range(60)]
    assert {p.is_key for p in sink.packets[:60:15]} == {True}
    assert sum(p.is_key for p in sink.packets[:60]) == 4
    assert all(p.format is sink.packets[0].format and p.lost_before == 0 for p in sink.packets)
    assert sink.packets[0].format == clip.format
    assert (sink.infos[0].format is not None) == described


async def test_only_the_video_track_is_set_up() -> None:
    async with Camera(Manners(audio=True)) as camera:
        sink = await collect(camera, 3)
        await camera.wait_request("TEARDOWN")
    assert sink.infos[0].tracks == ("audio", "video")
    assert [url.rsplit("/", 1)[1] for method, url, _ in camera.requests if method == "SETUP"] == ["track1"]


async def test_the_cameras_clock_is_reported() -> None:
    began_at = datetime.now(UTC)
    async with Camera(Manners(skew_s=40.0)) as camera:
        sink = await collect(camera, 30)
    ntp_at, rtp_90k, _ = sink.reports[0]
    assert began_at <= ntp_at - timedelta(seconds=40) <= datetime.now(UTC)
    assert rtp_90k == 0xFFFF0000 + 3600


async def test_lost_packets_are_counted_and_only_the_damaged_picture_is_left_out() -> None:
    clip = make_clip(320, 192, 30, 15)
    async with Camera(Manners(mtu=100, skip_packets={3, 4, 5}), clip) as camera:
        sink = await collect(camera, 20)
    first = sink.packets[0]
    assert first.is_key
    assert first.data == avcc(clip.units[15])  # the first key frame was damaged
    assert first.lost_before == 3
    assert {p.lost_before for p in sink.packets[1:]} == {0}


async def test_a_session_is_kept_awake() -> None:
    async with Camera(Manners(timeout_s=2, auth="md5")) as camera:
        sink = Collector()
        task = asyncio.create_task(pull(SourceConfig(camera.url, USER, PASSWORD), sink))
        await camera.wait_request("GET_PARAMETER", 2)
        assert not task.done()
        task.cancel()
        await asyncio.wait((task,))


async def test_a_camera_without_get_parameter_is_kept_awake_by_options() -> None:
    async with Camera(Manners(timeout_s=2, public="OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN")) as camera:
        sink = Collector()
        task = asyncio.create_task(pull(SourceConfig(camera.url, USER, PASSWORD), sink))
        await camera.wait_request("OPTIONS", 3)
        assert not task.done()
        assert not any(method == "GET_PARAMETER" for method, _, _ in camera.requests)
        task.cancel()
        await asyncio.wait((task,))


async def test_a_camera_that_advertises_get_parameter_and_refuses_it_is_kept_awake_by_options() -> None:
    refusal = b"RTSP/1.0 501 Not Implemented\r\nCSeq: {cseq}\r\n\r\n"
    async with Camera(Manners(timeout_s=2, answers={"GET_PARAMETER": refusal})) as camera:
        task = asyncio.create_task(pull(SourceConfig(camera.url, USER, PASSWORD), Collector()))
        await camera.wait_request("OPTIONS", 3)
        assert not task.done()
        assert [method for method, _, _ in camera.requests].count("GET_PARAMETER") == 1
        task.cancel()
        await asyncio.wait((task,))


@pytest.mark.parametrize(
    ("base", "control", "track"),
    [
        (None, "track1", "{url}/track1"),
        ("{url}", "track1", "{url}/track1"),
        ("/", "track1", "{url}//track1"),
        ("rtsp://10.9.8.7:8554/internal/", "t=1", "rtsp://10.9.8.7:8554/internal/t=1"),
        ("{url}/", "rtsp://10.9.8.7/x/trackID=2?a=b", "rtsp://10.9.8.7/x/trackID=2?a=b"),
        ("{url}/", "*", "{url}/"),
    ],
)
async def test_odd_bases_and_controls(base: str | None, control: str, track: str) -> None:
    async with Camera(Manners(base=base, control=control, auth="md5")) as camera:
        await collect(camera, 3)
    asked = {url for method, url, _ in camera.requests if method == "SETUP"}
    assert asked == {track.format(url=camera.url)}


async def test_parameter_sets_that_only_the_description_has_come_with_each_key_frame() -> None:
    further = b"\x68\x42\xe3\x80"  # identifier 1
    clip = make_clip()
    async with Camera(Manners(further=(further,))) as camera:
        sink = await collect(camera, 30)
    for number, packet in enumerate(sink.packets[:30]):
        extra = len(further).to_bytes(4, "big") + further if packet.is_key else b""
        assert packet.data == extra + avcc(clip.units[number])


@pytest.mark.parametrize("same_host", [True, False])
async def test_a_redirect_is_followed_once_with_credentials_to_the_same_host_only(same_host: bool) -> None:
    async with Camera(Manners(auth="md5")) as other:
        url = other.url if same_host else other.url.replace("127.0.0.1", "localhost")
        moved = Manners(answers={"DESCRIBE": reply("302 Moved", f"Location: {url}")})
        async with Camera(moved) as camera:
            if same_host:
                await collect(camera, 3)
                assert other.connections == 1
            else:
                assert (await failure(camera)).fault is CameraFault.REFUSED_CREDENTIALS
                assert not any("authorization" in headers for _, _, headers in other.requests)


async def test_a_second_redirect_is_refused() -> None:
    manners = Manners()
    async with Camera(manners) as camera:
        manners.answers["DESCRIBE"] = reply("302 Moved", f"Location: {camera.url}")
        assert (await failure(camera)).fault is CameraFault.PROTOCOL
        assert camera.connections == 2


@pytest.mark.parametrize(
    ("ending", "fault"),
    [
        ("hang", CameraFault.STALLED),
        ("close", CameraFault.CLOSED),
        ("reset", CameraFault.RESET),
        ("goodbye", CameraFault.CLOSED),
        ("garbage", CameraFault.GARBAGE),
    ],
)
async def test_how_a_stream_can_end(ending: str, fault: CameraFault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "STALL_S", 2.0)  # longer than what still counts as waiting when we are held up
    async with Camera(Manners(stop_after=10, ending=ending)) as camera:
        assert (await failure(camera)).fault is fault


@pytest.mark.parametrize(
    "flood",
    [
        pytest.param(b"\r\n" * 30_000, id="line ends"),
        pytest.param(b"$\x05\0\0" * 15_000, id="packets of another channel"),
        pytest.param(b"".join(framed(0, rtp(n, 90 * n, b"\x65\x88", marker=True)) for n in range(3000)), id="pictures"),
        pytest.param(
            b"".join(framed(0, rtp(n, 90 * n, b"\x18" + b"\0\1\x06" * 20_000)) for n in range(4)),
            id="units of a byte",
        ),
    ],
)
async def test_a_flood_of_nothing_costs_nobody_but_its_camera(flood: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "DEAR_S", 0.005)  # the flood comes from the same loop, and so in smaller pieces
    monkeypatch.setattr(pace, "DEBT_S", 0.2)
    async with Camera(Manners(stop_after=10, flood=flood)) as camera, Camera(Manners(speed=1)) as other:
        sink = Collector()
        pulling = asyncio.create_task(pull(SourceConfig(other.url), sink))
        await sink.wait_packets(1)
        fault = await failure(camera)
        assert (fault.fault, "too long" in fault.detail) == (CameraFault.GARBAGE, True)
        await sink.wait_packets(len(sink.packets) + 5)
        assert not pulling.done()
        pulling.cancel()
        await asyncio.gather(pulling, return_exceptions=True)


async def test_a_camera_that_answers_without_end_is_not_listened_to_for_long() -> None:
    async with Camera(Manners(answers={"DESCRIBE": b"\r\n" * 1_000_000})) as camera:
        assert (await failure(camera)).fault is CameraFault.GARBAGE


async def test_a_pause_of_our_own_is_no_silence_of_the_camera(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "STALL_S", 1.5)
    async with Camera() as camera:
        sink = Collector()
        task = asyncio.create_task(pull(SourceConfig(camera.url, USER, PASSWORD), sink))
        for _ in range(3):
            await sink.wait_packets(len(sink.packets) + 10)
            time.sleep(3.0)  # noqa: ASYNC251  the whole process stands still
        await sink.wait_packets(len(sink.packets) + 10)
        assert not task.done()
        assert camera.connections == 1
        task.cancel()
        await asyncio.wait((task,))


async def test_a_pause_of_our_own_while_the_camera_answers_costs_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    class Paused(Camera):
        def _answer(self, method: str, url: str, headers: dict[str, str]) -> bytes:
            time.sleep(3.0 if method == "SETUP" else 0.0)
            return super()._answer(method, url, headers)

    monkeypatch.setattr(client, "HANDSHAKE_S", 1.5)
    async with Paused() as camera:
        await collect(camera, 3)
        assert camera.connections == 1


async def test_what_a_camera_sent_before_it_hung_up_is_read_although_it_takes_no_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As after a pause of our own that was longer than the session's timeout."""
    clip, sink = make_clip(320, 192, 30, 15), Collector()
    monkeypatch.setattr(client, "_READ_BYTES", 700)  # it takes longer than until the next request
    async with Camera(Manners(stop_after=120, ending="close", speed=1e6, timeout_s=2), clip) as camera:
        with pytest.raises(CameraError) as caught:
            await pull(SourceConfig(camera.url, USER, PASSWORD), sink)
    assert caught.value.fault in (CameraFault.CLOSED, CameraFault.RESET)
    assert len(sink.packets) == 120


def reply(status: str, *headers: str, body: bytes = b"") -> bytes:
    return "\r\n".join([f"RTSP/1.0 {status}", "CSeq: {cseq}", *headers, "", ""]).encode() + body


@pytest.mark.parametrize(
    ("manners", "fault"),
    [
        (Manners(codec=""), CameraFault.NO_VIDEO),
        (Manners(codec="MP4V-ES"), CameraFault.UNSUPPORTED_CODEC),
        (Manners(answers={"DESCRIBE": reply("404 Not Found")}), CameraFault.NOT_FOUND),
        (Manners(answers={"DESCRIBE": reply("403 Forbidden")}), CameraFault.REFUSED_CREDENTIALS),
        (Manners(answers={"DESCRIBE": reply("401 No")}), CameraFault.REFUSED_CREDENTIALS),
        (
            Manners(answers={"DESCRIBE": reply("401 No", 'WWW-Authenticate: Digest realm="r", nonce="n"')}),
            CameraFault.REFUSED_CREDENTIALS,
        ),
        (Manners(answers={"DESCRIBE": reply("302 Moved", "Location: http://127.0.0.1/")}), CameraFault.PROTOCOL),
        (Manners(answers={"DESCRIBE": reply("302 Moved")}), CameraFault.PROTOCOL),
        (Manners(answers={"DESCRIBE": reply("200 OK", "Content-Length: 99999999")}), CameraFault.PROTOCOL),
        (Manners(answers={"DESCRIBE": reply("200 OK", "Content-Length: 3", body=b"\0\xff\n")}), CameraFault.NO_VIDEO),
        (Manners(answers={"SETUP": reply("461 Unsupported Transport")}), CameraFault.PROTOCOL),
        (Manners(answers={"SETUP": reply("200 OK", "Session: 1", "Transport: RTP/AVP")}), CameraFault.PROTOCOL),
        (Manners(answers={"SETUP": reply("200 OK", "Transport: a;interleaved=0-1")}), CameraFault.PROTOCOL),
        (Manners(answers={"OPTIONS": b"HTTP/1.1 200 OK\r\n\r\n"}), CameraFault.GARBAGE),
        (Manners(answers={"OPTIONS": b"\xff\xfe" * 9}), CameraFault.GARBAGE),
        (Manners(answers={"OPTIONS": b"R" * 20_000}), CameraFault.GARBAGE),
        (Manners(silent={"SETUP"}), CameraFault.TIMEOUT),
    ],
)
async def test_refusals_and_nonsense(manners: Manners, fault: CameraFault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "HANDSHAKE_S", 2.0)
    async with Camera(manners) as camera:
        assert (await failure(camera)).fault is fault


async def test_wrong_credentials_are_tried_once() -> None:
    async with Camera(Manners(auth="md5")) as camera:
        error = await failure(camera, username="other")
    assert error.fault is CameraFault.REFUSED_CREDENTIALS
    assert sum(method == "DESCRIBE" for method, _, _ in camera.requests) == 2


@pytest.mark.parametrize(
    "url", ["rtsp://u:p@127.0.0.1/x", "http://127.0.0.1/", "rtsp:///x", "rtsp://127.0.0.1:99999/", "rtsp://a b/"]
)
async def test_addresses_that_are_none(url: str) -> None:
    with pytest.raises(CameraError) as caught:
        await pull(SourceConfig(url), Collector())
    assert caught.value.fault is CameraFault.UNREACHABLE
    assert "u:p" not in str(caught.value)


async def test_nobody_there() -> None:
    async with Camera() as camera:
        url = camera.url
    with pytest.raises(CameraError) as caught:
        await pull(SourceConfig(url), Collector())
    assert caught.value.fault is CameraFault.UNREACHABLE


async def test_a_fault_of_the_sink_reaches_its_owner() -> None:
    class Broken(Collector):
        def packet(self, packet: object) -> None:
            raise ZeroDivisionError

    async with Camera() as camera:
        with pytest.raises(ZeroDivisionError):
            await pull(SourceConfig(camera.url), Broken())


def test_no_repr_shows_the_password() -> None:
    assert "s3cret" not in repr(SourceConfig("rtsp://127.0.0.1/", USER, PASSWORD))


async def test_cancelled_while_connecting_leaves_nothing_behind() -> None:
    """Also no complaint about a future whose exception nobody took: warnings are errors here."""
    async with Camera(Manners(silent={"OPTIONS"})) as camera:
        for turns in range(12):
            task = asyncio.create_task(pull(SourceConfig(camera.url), Collector()))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait((task,))
            assert task.cancelled()
