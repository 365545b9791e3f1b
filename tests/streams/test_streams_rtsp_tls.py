"""RTSP over TLS, before a camera with a certificate of an authority made for the test."""

import asyncio
import fcntl
import ipaddress
import os
import socket
import ssl
import struct
import termios
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from h264_clip import avcc, make_clip
from rtsp_camera import PASSWORD, USER, Camera, Manners
from sinks import Collector
from test_streams_rtsp_client import collect, failure, reply

from streams.errors import CameraError, CameraFault
from streams.pull import pull
from streams.rtsp import client, tls
from streams.rtsp.messages import parse_address
from streams.source import SourceConfig


def certificate(folder: Path, name: str) -> tuple[Path, ssl.SSLContext]:
    """A self-signed certificate for an address, as a trusted authority's file and as a server's context."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "camera")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(name))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    file, secret = folder / f"{name}.pem", folder / f"{name}.key"
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, secret)
    return file, context


@pytest.fixture
def trust(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    tls._context.cache_clear()
    yield monkeypatch
    tls._context.cache_clear()


async def test_pictures_arrive_as_they_were_encoded(tmp_path: Path, trust: pytest.MonkeyPatch) -> None:
    file, context = certificate(tmp_path, "127.0.0.1")
    trust.setenv("SSL_CERT_FILE", str(file))
    clip = make_clip(640, 480, 30, 15)
    async with Camera(Manners(auth="md5", pieces=3), clip, context) as camera:
        sink = await collect(camera, 60)
    assert [packet.data for packet in sink.packets[:60]] == [avcc(unit) for unit in clip.units] * 2
    assert {packet.lost_before for packet in sink.packets} == {0}


@pytest.mark.parametrize("read_bytes", [700, 100_000])
async def test_what_a_camera_sent_before_it_hung_up_is_read(
    read_bytes: int, tmp_path: Path, trust: pytest.MonkeyPatch
) -> None:
    """Over requests that it doesn't take any more, or at once: as after a pause of our own."""
    file, context = certificate(tmp_path, "127.0.0.1")
    trust.setenv("SSL_CERT_FILE", str(file))
    trust.setattr(client, "_READ_BYTES", read_bytes)
    clip, sink = make_clip(320, 192, 30, 15), Collector()
    manners = Manners(stop_after=120, ending="close", speed=1e6, timeout_s=2)
    async with Camera(manners, clip, context) as camera:
        with pytest.raises(CameraError) as caught:
            await pull(SourceConfig(camera.url, USER, PASSWORD), sink)
    assert caught.value.fault in (CameraFault.CLOSED, CameraFault.RESET)
    assert len(sink.packets) == 120


async def test_what_came_before_the_connection_broke_is_read(tmp_path: Path, trust: pytest.MonkeyPatch) -> None:
    file, context = certificate(tmp_path, "127.0.0.1")
    trust.setenv("SSL_CERT_FILE", str(file))
    sent = bytes(50_000)

    def serve(listening: socket.socket) -> None:
        plain, _ = listening.accept()
        with context.wrap_socket(plain, server_side=True) as sock:
            sock.sendall(sent)
            os.write(sock.fileno(), b"no record of TLS")
            while struct.unpack("i", fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4))) != (0,):
                time.sleep(0.01)  # until all of it has come to the other side

    with socket.create_server(("127.0.0.1", 0)) as listening:
        serving = asyncio.create_task(asyncio.to_thread(serve, listening))
        plain = socket.create_connection(listening.getsockname())
        plain.setblocking(False)
        with closing(tls.TlsSocket(plain, "127.0.0.1")) as camera:
            async with asyncio.timeout(20):
                await camera.shake_hands()
                await serving
            view = memoryview(bytearray(2 * len(sent)))
            assert camera.recv_into(view) == len(sent)
            with suppress(OSError):
                assert camera.recv_into(view) == 0


async def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path, trust: pytest.MonkeyPatch) -> None:
    _, context = certificate(tmp_path, "127.0.0.1")
    async with Camera(Manners(), tls=context) as camera:
        error = await failure(camera)
        assert error.fault is CameraFault.PROTOCOL
        assert "certificate" in error.detail
        assert not camera.requests


async def test_a_self_signed_certificate_is_trusted_by_its_fingerprint(
    tmp_path: Path, trust: pytest.MonkeyPatch
) -> None:
    file, context = certificate(tmp_path, "127.0.0.9")  # nor is it good for the address
    known = tls.fingerprint(ssl.PEM_cert_to_DER_cert(file.read_text()))
    sink = Collector()
    async with Camera(Manners(auth="md5"), tls=context) as camera:
        config = SourceConfig(camera.url, USER, PASSWORD, certificate=known)
        task = asyncio.create_task(pull(config, sink))
        await sink.wait_packets(5)
        task.cancel()
        await asyncio.wait((task,))
        assert sink.infos[0].transport == "tls"
        with pytest.raises(CameraError) as caught:
            await pull(replace(config, certificate="0" * 64), Collector())
        assert caught.value.fault is CameraFault.PROTOCOL
        assert known in caught.value.detail
        assert sum(method == "OPTIONS" for method, _, _ in camera.requests) == 1  # nothing more was said to it
        with pytest.raises(CameraError) as caught:
            await pull(replace(config, adapter="pyav"), Collector())
        assert "fingerprint" in caught.value.detail


async def test_a_fingerprint_is_of_one_camera_only(tmp_path: Path, trust: pytest.MonkeyPatch) -> None:
    """A redirect to another host is on its own."""
    file, context = certificate(tmp_path, "127.0.0.1")
    known = tls.fingerprint(ssl.PEM_cert_to_DER_cert(file.read_text()))
    async with Camera(Manners(), tls=context) as other:
        elsewhere = other.url.replace("127.0.0.1", "localhost")
        async with Camera(
            Manners(answers={"DESCRIBE": reply("302 Moved", f"Location: {elsewhere}")}), tls=context
        ) as one:
            with pytest.raises(CameraError) as caught:
                await pull(SourceConfig(one.url, certificate=known), Collector())
    assert "not trusted" in caught.value.detail


async def test_a_certificate_of_another_camera_is_refused(tmp_path: Path, trust: pytest.MonkeyPatch) -> None:
    file, context = certificate(tmp_path, "127.0.0.9")
    trust.setenv("SSL_CERT_FILE", str(file))
    async with Camera(Manners(), tls=context) as camera:
        assert "certificate" in (await failure(camera)).detail


@pytest.mark.parametrize(("ending", "fault"), [("close", {CameraFault.CLOSED}), ("hang", {CameraFault.STALLED})])
async def test_how_a_stream_can_end(
    tmp_path: Path, trust: pytest.MonkeyPatch, ending: str, fault: set[CameraFault]
) -> None:
    file, context = certificate(tmp_path, "127.0.0.1")
    trust.setenv("SSL_CERT_FILE", str(file))
    trust.setattr(client, "STALL_S", 2.0)
    async with Camera(Manners(stop_after=10, ending=ending), tls=context) as camera:
        assert (await failure(camera)).fault in fault


async def test_credentials_never_go_from_tls_into_the_clear(tmp_path: Path, trust: pytest.MonkeyPatch) -> None:
    file, context = certificate(tmp_path, "127.0.0.1")
    trust.setenv("SSL_CERT_FILE", str(file))
    async with Camera(Manners(auth="md5")) as clear:
        moved = Manners(answers={"DESCRIBE": reply("302 Moved", f"Location: {clear.url}")})
        async with Camera(moved, tls=context) as camera:
            assert (await failure(camera)).fault is CameraFault.REFUSED_CREDENTIALS
        assert not any("authorization" in headers for _, _, headers in clear.requests)


async def test_a_camera_that_speaks_no_tls_is_told(trust: pytest.MonkeyPatch) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"RTSP/1.0 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        camera = Camera()
        camera.url = f"rtsps://127.0.0.1:{server.sockets[0].getsockname()[1]}/x"
        error = await failure(camera)
    assert error.fault is CameraFault.PROTOCOL
    assert error.detail.startswith("no TLS")


async def test_a_silent_handshake_times_out(trust: pytest.MonkeyPatch) -> None:
    trust.setattr(client, "HANDSHAKE_S", 0.3)
    over = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await over.wait()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        camera = Camera()
        camera.url = f"rtsps://127.0.0.1:{server.sockets[0].getsockname()[1]}/x"
        error = await failure(camera)
        over.set()
    assert error.fault is CameraFault.TIMEOUT


def test_the_port_of_tls() -> None:
    assert parse_address("rtsps://camera/x").port == 322
    assert parse_address("rtsp://camera/x").port == 554
