"""The words of RTSP, without a socket."""

import contextlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csu.simulator import rtsp
from csu.simulator.rtsp import BadRequest, Credentials, Request

_RAW = (
    b"OPTIONS rtsp://h/cam/01/main RTSP/1.0\r\nCSeq: 1\r\n\r\n"
    b"$\x01\x00\x04abcd"
    b"\r\nSET_PARAMETER rtsp://h/cam/01/main RTSP/1.0\r\ncseq: 2\r\nContent-Length: 3\r\n\r\nx: "
)


@given(st.lists(st.integers(0, len(_RAW)), max_size=8))
def test_requests_come_out_however_the_bytes_are_cut(cuts: list[int]) -> None:
    buffer, found = bytearray(), []
    edges = [0, *sorted(cuts), len(_RAW)]
    for start, end in pairwise(edges):
        buffer += _RAW[start:end]
        found += rtsp.take_requests(buffer)
    assert [(r.method, r.headers["cseq"]) for r in found] == [("OPTIONS", "1"), ("SET_PARAMETER", "2")]
    assert not buffer


@given(st.binary(max_size=400))
def test_noise_is_refused_or_waited_for(data: bytes) -> None:
    with contextlib.suppress(BadRequest, UnicodeError):
        rtsp.take_requests(bytearray(data))


def test_endless_requests_are_refused() -> None:
    with pytest.raises(BadRequest):
        rtsp.take_requests(bytearray(b"A" * (rtsp.MAX_REQUEST_BYTES + 1)))
    with pytest.raises(BadRequest):
        rtsp.take_requests(bytearray(b"PLAY rtsp://h/ RTSP/1.0\r\nContent-Length: 99999999\r\n\r\n"))


@pytest.mark.parametrize(
    ("transport", "channel"),
    [
        ("RTP/AVP/TCP;unicast;interleaved=4-5", 4),
        ("RTP/AVP/TCP;unicast", 0),
        ("RTP/AVP;unicast;client_port=4-5", None),
        ("RTP/AVP;unicast,RTP/AVP/TCP;interleaved=0-1", 0),
        ("RTP/AVP/TCP;interleaved=300-301", None),
        ("", None),
    ],
)
def test_channel(transport: str, channel: int | None) -> None:
    assert rtsp.interleaved_channel(Request("SETUP", "u", {"transport": transport}), 0) == channel


def test_digest_of_another_nonce_user_or_place_is_refused() -> None:
    # The answer for user "u", password "p", nonce "n", OPTIONS of rtsp://h/a.
    answer = rtsp._md5(f"{rtsp._md5('u:csu-simulator:p')}:n:{rtsp._md5('OPTIONS:rtsp://h/a')}")
    header = f'Digest username="u", realm="csu-simulator", nonce="n", uri="rtsp://h/a", response="{answer}"'
    request = Request("OPTIONS", "rtsp://h/a", {"authorization": header})
    assert rtsp.is_authorised(request, Credentials("u", "p"), "n")
    assert not rtsp.is_authorised(request, Credentials("u", "p"), "m")
    assert not rtsp.is_authorised(request, Credentials("v", "p"), "n")
    assert not rtsp.is_authorised(request, Credentials("u", "q"), "n")
    assert not rtsp.is_authorised(Request("OPTIONS", "rtsp://h/b", request.headers), Credentials("u", "p"), "n")
    assert not rtsp.is_authorised(
        Request("OPTIONS", "rtsp://h/a", {"authorization": "Basic dTpw"}), Credentials("u", "p"), "n"
    )


def test_passwords_are_not_shown() -> None:
    assert "hidden" not in repr(Credentials("u", "hidden"))
