"""RTP over UDP, before a camera that has nothing else."""

import asyncio
import socket
import struct
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from h264_clip import avcc, make_clip
from hypothesis import given, settings
from hypothesis import strategies as st
from rtsp_camera import GOODBYE, PASSWORD, USER, Camera, Manners, picture, rtp
from sinks import Collector, is_whole
from test_streams_rtsp_client import collect, failure, reply
from test_streams_rtsp_tls import certificate, trust

from streams.errors import CameraError, CameraFault
from streams.packets import Packet
from streams.pull import pull
from streams.rtsp import client, messages, udp
from streams.rtsp.reorder import CHANNEL, FRAME_BYTES, ROOM, Reorder
from streams.rtsp.session import Session
from streams.rtsp.video import H264Reader
from streams.source import AGAIN_S, SourceConfig

__all__ = ["trust"]  # a fixture


def _speaks_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


@pytest.mark.parametrize("way", ["refuses", "answers", "unsaid"])
async def test_udp_is_chosen_when_tcp_is_refused(way: str) -> None:
    clip, began_at = make_clip(320, 192, 30, 15), datetime.now(UTC)
    async with Camera(Manners(udp=way, auth="md5", skew_s=40.0), clip) as camera:
        sink = await collect(camera, 60)
        await camera.wait_request("TEARDOWN")
    assert [packet.data for packet in sink.packets[:60]] == [avcc(unit) for unit in clip.units] * 2
    assert {packet.lost_before for packet in sink.packets} == {0}
    assert sink.infos[0].transport == "udp"
    asked = [headers["transport"] for method, _, headers in camera.requests if method == "SETUP"]
    assert "interleaved" in asked[0]
    first, second = map(int, asked[-1].partition("client_port=")[2].split("-"))
    assert (first % 2, second) == (0, first + 1)
    if way != "unsaid":  # else its port is known only once a report has come
        assert began_at <= sink.reports[0][0] - timedelta(seconds=40) <= datetime.now(UTC)


async def test_tcp_is_chosen_when_both_are_offered() -> None:
    async with Camera() as camera:
        assert (await collect(camera, 3)).infos[0].transport == "tcp"


async def test_the_camera_hears_what_was_received_and_a_session_is_kept_awake() -> None:
    async with Camera(Manners(udp="refuses", timeout_s=2, mtu=100, skip_packets={40, 41})) as camera:
        task = asyncio.create_task(pull(SourceConfig(camera.url), Collector()))
        await camera.wait_request("GET_PARAMETER", 2)
        assert camera.ports
        reports: list[bytes] = []
        async with asyncio.timeout(90):
            while not any(report[0] & 31 for report in reports):
                reports.append(await asyncio.get_running_loop().sock_recv(camera.ports[1], 2048))
        assert not task.done()
        task.cancel()
        await asyncio.wait((task,))
    assert {report[1] for report in reports} == {201}
    assert struct.unpack_from(">I", reports[-1], 8) == (7,)  # the source


async def test_lost_datagrams_are_told_by_the_next_picture() -> None:
    clip = make_clip(320, 192, 30, 15)
    async with Camera(Manners(udp="refuses", mtu=100, skip_packets={30, 31}), clip) as camera:
        sink = await collect(camera, 40)
    damaged = [n for n, packet in enumerate(sink.packets) if packet.lost_before]
    assert [sink.packets[n].lost_before for n in damaged] == [2]


async def test_what_others_send_is_ignored() -> None:
    """From another port of the same host, by one who knows everything but cannot forge the camera's port."""
    clip = make_clip(320, 192, 30, 15)
    async with Camera(Manners(udp="refuses"), clip) as camera:
        sink = Collector()
        task = asyncio.create_task(pull(SourceConfig(camera.url), sink))
        await sink.wait_packets(5)
        assert camera.ports
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            for round in range(40):
                for packet in picture(clip.units[0], 65_500 + 40 * round, 0xFFFF0000, 300):
                    other.sendto(packet, camera.ports[0].getpeername())
                other.sendto(GOODBYE, camera.ports[1].getpeername())
                await sink.wait_packets(6 + round)
        assert not task.done()
        task.cancel()
        await asyncio.wait((task,))
    wanted = [avcc(unit) for unit in clip.units] * 10
    assert [packet.data for packet in sink.packets] == wanted[: len(sink.packets)]
    assert {packet.lost_before for packet in sink.packets} == {0}


async def test_a_goodbye_that_names_no_or_another_source_ends_nothing() -> None:
    """From the camera's own port, as one sends it who can forge that and doesn't see the pictures."""
    async with Camera(Manners(udp="refuses"), make_clip(320, 192, 30, 15)) as camera:
        sink = Collector()
        task = asyncio.create_task(pull(SourceConfig(camera.url), sink))
        await sink.wait_packets(5)
        assert camera.ports
        for _ in range(4):
            camera.ports[1].send(struct.pack(">BBHI", 0x81, 203, 1, 8))
            camera.ports[1].send(struct.pack(">BBH", 0x80, 203, 0))
            await sink.wait_packets(len(sink.packets) + 30)
        assert not task.done()
        task.cancel()
        await asyncio.wait((task,))


@pytest.mark.parametrize(
    ("family", "host"),
    [
        (socket.AF_INET, "127.0.0.1"),
        pytest.param(socket.AF_INET6, "::1", marks=pytest.mark.skipif(not _speaks_ipv6(), reason="no IPv6 here")),
    ],
)
def test_what_came_before_the_camera_was_known_is_sifted(family: socket.AddressFamily, host: str) -> None:
    listener = socket.create_server((host, 0), family=family)
    with listener, socket.create_connection(listener.getsockname()[:2]) as connection:
        one, other = (socket.socket(family, socket.SOCK_DGRAM) for _ in range(2))
        with one, other:
            one.bind((host, 0))
            media, control = udp._bound_pair(family, connection.getsockname())
            for _ in range(5):
                other.sendto(b"theirs", (host, media.port))
            media.direct(host, one.getsockname()[1])
            one.sendto(b"ours", (host, media.port))
            other.sendto(b"late", (host, media.port))
            view = memoryview(bytearray(100))
            got = []
            while (size := media.receive(view)) >= 0:
                got.append(bytes(view[:size]))
            assert got == [b"ours"]
            media.close()
            control.close()


@pytest.mark.parametrize(
    ("ending", "fault"),
    [("hang", CameraFault.STALLED), ("close", CameraFault.CLOSED), ("goodbye", CameraFault.CLOSED)],
)
async def test_how_a_stream_can_end(ending: str, fault: CameraFault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "STALL_S", 2.0)
    async with Camera(Manners(udp="refuses", stop_after=10, ending=ending)) as camera:
        assert (await failure(camera)).fault is fault


async def test_what_a_camera_sent_before_it_hung_up_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """As after a pause of our own: more lies in the kernel than one turn takes, and the connection has ended."""
    clip, sink = make_clip(320, 192, 30, 15), Collector()
    monkeypatch.setattr(udp, "_MAX_DATAGRAMS", 10)
    async with Camera(Manners(udp="refuses", stop_after=30, ending="close", speed=1e6), clip) as camera:
        with pytest.raises(CameraError) as caught:
            await pull(SourceConfig(camera.url, USER, PASSWORD), sink)
    assert caught.value.fault is CameraFault.CLOSED
    assert [packet.data for packet in sink.packets] == [avcc(unit) for unit in clip.units]


@pytest.mark.parametrize(
    "answer",
    [
        "RTP/AVP;multicast;destination=224.2.0.1;client_port=4000-4001",
        "RTP/AVP/TCP;unicast;interleaved=0-1",
        "RTP/AVP;unicast;client_port=4-5;server_port=70000-70001",
        "RTP/AVP",
    ],
)
async def test_answers_that_cannot_be(answer: str) -> None:
    async with Camera(Manners(udp="refuses", answer_udp=answer)) as camera:
        assert (await failure(camera)).fault is CameraFault.PROTOCOL


async def test_a_camera_that_refuses_both_is_asked_once_for_each() -> None:
    async with Camera(Manners(answers={"SETUP": reply("461 Unsupported Transport")})) as camera:
        assert (await failure(camera)).fault is CameraFault.PROTOCOL
    assert sum(method == "SETUP" for method, _, _ in camera.requests) == 2


async def test_a_camera_that_hangs_up_when_it_refuses_tcp_is_connected_again_for_udp() -> None:
    clip = make_clip(320, 192, 30, 15)
    async with Camera(Manners(udp="refuses", hangs_up=True, auth="md5"), clip) as camera:
        begun_s = time.monotonic()
        sink = await collect(camera, 30)
        assert time.monotonic() - begun_s > AGAIN_S, "no camera is connected twice in 2 s"
    assert camera.connections == 2
    assert [packet.data for packet in sink.packets[:30]] == [avcc(unit) for unit in clip.units]
    assert [info.transport for info in sink.infos] == ["udp"]
    asked = {headers["transport"].partition(";")[0] for method, _, headers in camera.requests if method == "SETUP"}
    assert asked == {"RTP/AVP/TCP", "RTP/AVP"}


async def test_a_camera_that_hangs_up_whatever_is_asked_is_not_asked_for_ever() -> None:
    async with Camera(Manners(answers={"SETUP": reply("461 Unsupported Transport")}, hangs_up=True)) as camera:
        assert (await failure(camera)).fault is CameraFault.PROTOCOL
    assert camera.connections == 2


async def test_a_stream_over_udp_that_ends_is_no_refusal() -> None:
    async with Camera(Manners(udp="refuses", stop_after=10, ending="close")) as camera:
        assert (await failure(camera)).fault is CameraFault.CLOSED
    assert camera.connections == 1


async def test_udp_over_rtsps_is_refused(tmp_path, trust: pytest.MonkeyPatch) -> None:
    file, context = certificate(tmp_path, "127.0.0.1")
    trust.setenv("SSL_CERT_FILE", str(file))
    async with Camera(Manners(udp="refuses"), tls=context) as camera:
        error = await failure(camera)
    assert error.fault is CameraFault.PROTOCOL
    assert "in clear" in error.detail
    assert sum(method == "SETUP" for method, _, _ in camera.requests) == 1


async def test_no_free_ports_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(udp, "_TRIES", 0)
    async with Camera(Manners(udp="refuses")) as camera:
        with pytest.raises(CameraError) as caught:
            await pull(SourceConfig(camera.url, USER, PASSWORD), Collector())
    assert caught.value.fault is CameraFault.UNREACHABLE


def test_ports_of_a_transport() -> None:
    assert messages.parse_ports("RTP/AVP;unicast;client_port=4-5;server_port=6000-6001") == (6000, 6001)
    assert messages.parse_ports("RTP/AVP/UDP;unicast;client_port=4-5;server_port=6000;ssrc=1") == (6000, 6001)
    assert messages.parse_ports("RTP/AVP;unicast;client_port=4-5") == (0, 0)


@settings(max_examples=300)
@given(st.text(max_size=80))
def test_any_transport_is_ports_or_a_camera_error(text: str) -> None:
    with suppress(CameraError):
        assert all(0 <= port <= 65_535 for port in messages.parse_ports(f"RTP/AVP;unicast;server_port={text}"))
    with suppress(CameraError):
        messages.parse_ports(text)


@settings(max_examples=200)
@given(
    st.lists(
        st.tuples(st.integers(0, 60), st.sampled_from((1, 5, 7, 8, 24, 28, 31)), st.binary(max_size=30), st.booleans()),
        max_size=60,
    ),
    st.lists(st.binary(max_size=40), max_size=5),
)
def test_any_datagrams_end_in_whole_units_or_a_camera_error(shapes, noise) -> None:
    """Through the reorder buffer into the reader, then anything as RTCP."""
    got: list[Packet] = []
    session = Session(messages.parse_address("rtsp://127.0.0.1/x"), None, Collector())
    session.video = reader = H264Reader(got.append)
    reader.attach(CHANNEL, 96)
    order, view = Reorder(), memoryview(bytearray(4 * ROOM))
    packets = [rtp(n, 0, b"\x09\xf0") for n in range(2)] + picture(make_clip().units[0], 2, 100)
    packets += [rtp(10 + n, n * 50, bytes((kind,)) + body, marker=end) for n, kind, body, end in shapes] + noise
    with suppress(CameraError):
        for number, packet in enumerate(packets):
            at = order.release(view, 0)
            view[at + FRAME_BYTES : at + FRAME_BYTES + len(packet)] = packet
            at = order.expire(view, order.take(view, at, len(packet), number * 0.1), number * 0.1)
            assert reader.feed(view, 0, at, number * 0.1) == at
            reader.settle(number * 0.1)
        for packet in noise:
            session.control_packet(memoryview(packet), 0.0)
    assert all(is_whole(packet) for packet in got)
