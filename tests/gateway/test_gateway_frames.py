"""Live messages: what a browser reads from them, and a media clock without holes."""

from gateway_video import STEP_90K, STEP_US, decode, encode, times_90k
from hypothesis import given
from hypothesis import strategies as st

from csu.gateway.frames import MAX_STEP_90K, Frame, FrameMaker, init_frame, text_message, websocket_header
from recorder.feed import FeedPacket
from streams.codecs import H264
from streams.decode_times import DecodeTimes
from streams.fmp4 import parse_part_header
from streams.ticks import us_from_90k

PACKETS = encode(30)
FORMAT = PACKETS[0].format


def packet(n: int, pts_90k: int | None = None, at_us: int | None = None) -> FeedPacket:
    unit = PACKETS[n % len(PACKETS)]
    return FeedPacket(
        1, unit.is_key, n * STEP_90K if pts_90k is None else pts_90k, n * STEP_US if at_us is None else at_us, unit.data
    )


def message(frame: Frame, channel: int) -> bytes:
    return frame.head + channel.to_bytes(2, "big") + frame.tail


def test_a_message_is_a_whole_websocket_frame_with_our_header() -> None:
    frame = FrameMaker().frame(packet(0, at_us=1_700_000_000_000_000), FORMAT)
    data = message(frame, 0x1234)
    assert len(data) == frame.size
    header = websocket_header(2, len(data) - 4)
    assert data.startswith(header)
    body = data[len(header) :]
    assert body[:4] == bytes((1, 1, 0x12, 0x34))
    assert int.from_bytes(body[4:12], "big") == 1_700_000_000_000_000
    assert frame.picture == PACKETS[0].data


def test_text_goes_out_whole_and_unmasked() -> None:
    assert text_message("é") == b"\x81\x02\xc3\xa9"
    assert text_message("a" * 200)[:4] == b"\x81\x7e\x00\xc8"
    assert websocket_header(2, 70_000)[:2] == b"\x82\x7f"


def test_real_decoders_read_it() -> None:
    maker = FrameMaker()
    film = init_frame(FORMAT).tail[8:]
    film += b"".join(maker.frame(packet(n), FORMAT).tail[8:] for n in range(30))
    assert decode(film) == [n % 16 for n in range(30)]
    assert times_90k(film) == [n * STEP_90K for n in range(30)]


@given(st.lists(st.integers(-(10**12), 10**12), min_size=1, max_size=60))
def test_media_time_has_no_hole_whatever_the_camera_says(pts: list[int]) -> None:
    maker = FrameMaker()
    expected = 0
    for n, pts_90k in enumerate(pts):
        part = parse_part_header(maker.frame(packet(n, pts_90k), FORMAT).tail[8:])
        assert part.base_decode_90k == expected
        duration_90k = part.samples.duration_90k
        assert 0 < duration_90k <= MAX_STEP_90K
        expected += duration_90k


def test_media_time_follows_an_uneven_camera_one_picture_late() -> None:
    pts = [0, 3600, 9000, 10_800, 20_000, 23_600]
    maker = FrameMaker()
    bases = [maker.frame(packet(n, pts_90k), FORMAT).pts_90k for n, pts_90k in enumerate(pts)]
    assert bases == [0, 3600, 7200, 12_600, 14_400, 23_600]


def test_reordered_pictures_bear_when_they_are_shown() -> None:
    """Whatever the rate: two pictures are shown as far apart as the camera says, in the order that it says."""
    shown = [group * 5 + n for group in range(6) for n in (0, 3, 1, 2, 4)]
    for step_90k in (3_600, 3_000, 7_200):
        maker, times = FrameMaker(), DecodeTimes(H264)
        compositions, captured = [], []
        for place, number in enumerate(shown):
            pts_90k, is_key = number * step_90k, place % 5 == 0
            dts_90k = times.dts_90k(pts_90k, is_key, b"\0\0\0\2\1\xa0", FORMAT)
            at_us = 10**15 + us_from_90k(pts_90k)
            frame = maker.frame(FeedPacket(1, is_key, pts_90k, at_us, b"data", pts_90k - dts_90k), FORMAT)
            part = parse_part_header(frame.tail[8:])
            (composition_90k,) = part.samples.shown_90k()
            compositions.append(part.base_decode_90k + composition_90k)
            told_us = int.from_bytes(frame.tail[:8], "big") + us_from_90k(composition_90k)
            captured.append(told_us - at_us)
            assert frame.at_us == at_us
        settled = list(zip(compositions, shown, strict=True))[10:]
        origin_90k = settled[0][0] - settled[0][1] * step_90k
        assert [c - origin_90k for c, _ in settled] == [number * step_90k for _, number in settled]
        assert max(map(abs, captured)) <= 1
