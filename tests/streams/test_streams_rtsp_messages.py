"""Texts of the handshake: messages, challenges, descriptions; as they should be, and as anything."""

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.errors import CameraError, CameraFault
from streams.rtsp import messages, sdp
from streams.rtsp.auth import Authenticator
from streams.rtsp.messages import parse_address
from streams.rtsp.session import Session

DESCRIPTION = (
    b"v=0\r\nm=audio 0 RTP/AVP 0\r\na=control:a\r\n"
    b"m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:trackID=1\r\n"
)
HANDSHAKE = (
    b"RTSP/1.0 401 Unauthorized\r\nCSeq: 1\r\n"
    b'WWW-Authenticate: Digest realm="IP Camera(1)", nonce="5d0f", stale="FALSE"\r\n\r\n'
    b"RTSP/1.0 200 OK\r\nCSeq: 2\r\nPublic: OPTIONS, DESCRIBE, SETUP, PLAY\r\n\r\n\r\n"
    b"RTSP/1.0 200 OK\r\nCSeq: 3\r\nContent-Base: rtsp://10.0.0.8/s/\r\n"
    b"Content-Length: %d\r\n\r\n%b"
    b"RTSP/1.0 200 OK\r\nCSeq: 4\r\nSession: 77;timeout=30\r\nTransport: RTP/AVP/TCP;interleaved=2-3\r\n\r\n"
    b"RTSP/1.0 200 OK\r\nCSeq: 5\r\n\r\n"
) % (len(DESCRIPTION), DESCRIPTION)


class Deaf:
    is_watched = True

    def connected(self, info: object) -> None: ...

    def packet(self, packet: object) -> None: ...

    def sender_report(self, ntp_at: object, rtp_90k: int, received_s: float) -> None: ...


def converse(data: bytes, sizes: list[int]) -> Session:
    session = Session(parse_address("rtsp://127.0.0.1/s"), Authenticator("u", "p", "c"), Deaf())
    session.start()
    buffer = memoryview(bytearray(len(data) + 100))
    rest, at, turn = b"", 0, 0
    while at < len(data):
        chunk = rest + data[at : at + sizes[turn % len(sizes)]]
        at += sizes[turn % len(sizes)]
        turn += 1
        buffer[: len(chunk)] = chunk
        done = session.receive(buffer, len(chunk), 0.0)
        rest = chunk[done:]
        session.video.settle(0.0)
    return session


@settings(max_examples=60)
@given(st.lists(st.integers(1, 200), min_size=1, max_size=8))
def test_a_handshake_in_any_pieces(sizes: list[int]) -> None:
    session = converse(HANDSHAKE, sizes)
    assert session.playing
    assert session.keep_alive_s == 15
    asked = [request.split(b"\r\n")[0].decode() for request in session.outgoing]
    assert asked == [
        "OPTIONS rtsp://127.0.0.1/s RTSP/1.0",
        "OPTIONS rtsp://127.0.0.1/s RTSP/1.0",
        "DESCRIBE rtsp://127.0.0.1/s RTSP/1.0",
        "SETUP rtsp://10.0.0.8/s/trackID=1 RTSP/1.0",
        "PLAY rtsp://10.0.0.8/s/ RTSP/1.0",
    ]


@settings(max_examples=300)
@given(st.data())
def test_a_damaged_handshake_ends_in_a_camera_error_or_waits(data: st.DataObject) -> None:
    whole = bytearray(HANDSHAKE)
    for _ in range(data.draw(st.integers(1, 20))):
        at = data.draw(st.integers(0, len(whole) - 1))
        whole[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    try:
        session = converse(bytes(whole), [data.draw(st.integers(1, 300))])
    except CameraError:
        return
    assert len(session.outgoing) < 20


@settings(max_examples=300)
@given(st.binary(max_size=300))
def test_any_bytes_end_in_a_camera_error_or_wait(data: bytes) -> None:
    for lead in (b"", b"RTSP/1.0 200 OK\r\n", b"$"):
        try:
            converse(lead + data, [len(data) + 20])
        except CameraError:
            continue


def test_a_flood_of_the_cameras_own_requests_is_given_up() -> None:
    with pytest.raises(CameraError) as caught:
        converse(b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n" * 2000, [1000])
    assert caught.value.fault is CameraFault.GARBAGE


def test_a_camera_that_always_finds_the_nonce_stale_is_given_up() -> None:
    replies = b"".join(
        b'RTSP/1.0 401 No\r\nCSeq: %d\r\nWWW-Authenticate: Digest realm="r", nonce="n%d", stale=true\r\n\r\n' % (n, n)
        for n in range(1, 100)
    )
    with pytest.raises(CameraError) as caught:
        converse(replies, [len(replies)])
    assert caught.value.fault is CameraFault.REFUSED_CREDENTIALS


def test_digest_as_in_the_rfc() -> None:
    """RFC 7616 section 3.9.1, with its nonce count and client nonce."""
    nonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
    client_nonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
    answers = {
        "MD5": "8ca523f5e9506fed4657c9700eebdbec",
        "SHA-256": "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
    }
    for algorithm, answer in answers.items():
        authenticator = Authenticator("Mufasa", "Circle of Life", client_nonce)
        challenge = (
            f'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={algorithm}, nonce="{nonce}"'
        )
        assert authenticator.challenge([challenge])
        assert f'response="{answer}"' in (authenticator.header("GET", "/dir/index.html") or "")
        assert "Circle" not in repr(authenticator)


def test_the_strongest_challenge_is_answered() -> None:
    authenticator = Authenticator("u", "p", "c")
    assert not authenticator.challenge(['Digest realm="r", nonce="n", algorithm=MD9', "Negotiate", ""])
    assert authenticator.header("GET", "/") is None
    assert authenticator.challenge(['Basic realm="r"', 'Digest realm="r", nonce="n"'])
    assert (authenticator.header("GET", "/") or "").startswith("Digest")


@given(st.lists(st.text(max_size=80), max_size=4))
def test_any_challenge_is_answered_or_not(headers: list[str]) -> None:
    authenticator = Authenticator("u", "p", "c")
    for lead in ("", "Digest nonce=x,", "Basic "):
        authenticator.challenge([lead + header for header in headers])
        authenticator.header("DESCRIBE", "rtsp://h/")


@settings(max_examples=300)
@given(st.binary(max_size=300))
def test_any_description_gives_a_track_or_a_camera_error(body: bytes) -> None:
    for lead in (b"", b"m=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000\na=fmtp:96 sprop-parameter-sets="):
        description = sdp.parse(lead + body)
        try:
            track = description.video()
        except CameraError:
            continue
        assert 0 <= track.payload_type < 128


@pytest.mark.parametrize("kind", ["audio", "application", "text"])
def test_no_other_track_is_taken_for_video_whatever_it_claims_to_be(kind: str) -> None:
    """Sound and metadata never enter."""
    with pytest.raises(CameraError) as caught:
        sdp.parse(f"m={kind} 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:x\r\n".encode()).video()
    assert caught.value.fault is CameraFault.NO_VIDEO


def test_a_description_with_several_codecs_and_oddities() -> None:
    description = sdp.parse(
        b"v=0\r\na=control:rtsp://10.1.1.1/s\r\nm=application 0 RTP/AVP 107\r\nm=video 0 RTP/AVP 98 97\r\n"
        b"a=rtpmap:98 MP4V-ES/90000\r\na=rtpmap:97 h264/90000\r\na=control:t=2\r\n"
        b"a=fmtp:97 profile-level-id=640028; packetization-mode=1;sprop-parameter-sets=Z2QAKK2E,aO48sA==,%%\r\n"
    )
    assert description.kinds == ("application", "video")
    track = description.video()
    assert (track.payload_type, track.control) == (97, "t=2")
    assert [nal[0] & 31 for nal in track.parameter_sets] == [7, 8]


@pytest.mark.parametrize(
    ("base", "control", "wanted"),
    [
        ("rtsp://h/s", "", "rtsp://h/s"),
        ("rtsp://h/s", "*", "rtsp://h/s"),
        ("rtsp://h/s/", "track1", "rtsp://h/s/track1"),
        ("rtsp://h/s?a=1", "trackID=0", "rtsp://h/s?a=1/trackID=0"),
        ("rtsp://h/s", "RTSP://other/t", "RTSP://other/t"),
        ("rtsp://h/s", "t\r\nX: y", "rtsp://h/s/tX:y"),
    ],
)
def test_a_tracks_address(base: str, control: str, wanted: str) -> None:
    assert messages.resolve(base, control) == wanted


@pytest.mark.parametrize("value", ["", ";timeout=60", "a b", "x" * 300])
def test_sessions_without_a_usable_name(value: str) -> None:
    with pytest.raises(CameraError):
        messages.parse_session(value)


def test_session_timeouts_stay_within_reason() -> None:
    assert messages.parse_session("1") == ("1", 60)
    assert messages.parse_session("1; timeout = 0") == ("1", 2)
    assert messages.parse_session("1;timeout=999999") == ("1", 3600)


@given(st.text(max_size=60))
def test_any_transport_has_channels_or_is_refused(text: str) -> None:
    for value in (text, f"interleaved={text}"):
        try:
            media, control = messages.parse_channels(value)
        except CameraError:
            continue
        assert 0 <= media < 256
        assert 0 <= control < 256


@given(st.text(max_size=60))
def test_any_address_is_taken_or_refused(text: str) -> None:
    for url in (text, f"rtsp://{text}", f"rtsp://h/{text}"):
        with suppress(ValueError):
            assert parse_address(url).host


def test_a_refused_address_is_not_repeated() -> None:
    with pytest.raises(ValueError, match="must not hold") as caught:
        parse_address("rtsp://admin:s3cret@h/")
    assert "s3cret" not in str(caught.value)
