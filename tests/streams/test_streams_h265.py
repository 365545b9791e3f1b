"""H.265: parameter sets, RTP payloads, MP4 boxes; real clips, hand-made shapes, then anything at all."""

import io
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from itertools import groupby

import av
import pytest
from h265_clip import aggregate, decode, h265_payloads, is_key, make_h265_clip, packets, sets_of, unit_data
from hypothesis import given, settings
from hypothesis import strategies as st
from rtsp_camera import USER, Camera, Manners, framed, picture, rtp
from sinks import Collector, is_whole
from test_streams_rtsp_client import collect

from streams import fmp4, h265
from streams.errors import CameraError, CameraFault
from streams.fmp4 import FormatError, Samples
from streams.h264 import BadBits
from streams.movie import Chunk, movie_header
from streams.packets import Packet
from streams.rtsp import sdp
from streams.rtsp.video import HEAD_BYTES, H265Reader

CLIP = make_h265_clip()
WANTED = [unit_data(unit) for unit in CLIP.units]


def read(payload_packets: Iterable[bytes], reader: H265Reader | None = None) -> list[Packet]:
    got: list[Packet] = []
    reader = reader or H265Reader(got.append)
    reader.attach(0, 96)
    data = b"".join(framed(0, packet) for packet in payload_packets)
    end = reader.feed(memoryview(data + bytes(HEAD_BYTES)), 0, len(data), 1.0)
    assert end == len(data)
    reader.settle(1.0)
    return got


def clip_packets(count: int = 50, mtu: int = 200) -> list[bytes]:
    out: list[bytes] = []
    for number, unit in enumerate(CLIP.units[:count]):
        out += picture(unit, 65_500 + len(out), 0xFFFFF000 + number * 3600, mtu, "h265")
    return out


@pytest.mark.parametrize("size", [(160, 96), (322, 182), (1920, 1080)])
def test_the_size_and_profile_of_a_sequence(size: tuple[int, int]) -> None:
    clip = make_h265_clip(*size, 2, 2)
    sequence = h265.read_sequence(clip.format.sps)
    assert (sequence.width, sequence.height) == size
    assert (sequence.chroma, sequence.depth, sequence.chroma_depth, sequence.reordered) == (1, 8, 8, 0)
    assert clip.format.mime.startswith("hvc1.1.6.L")
    with av.open(io.BytesIO(fmp4.init_segment(clip.format)), "r") as container:
        assert container.streams.video[0].codec_context.name == "hevc"


def test_reordering_is_told_by_the_sequence() -> None:
    assert h265.read_sequence(make_h265_clip(frames=10, options="bframes=3").format.sps).reordered > 0


@settings(max_examples=300)
@given(st.binary(max_size=80))
def test_any_parameter_set_is_read_or_refused(rest: bytes) -> None:
    for read_it, kind in ((h265.read_sequence, 33), (h265.pps_id, 34)):
        with suppress(BadBits):
            read_it(bytes((kind << 1, 1)) + rest)
    with suppress(BadBits):
        h265.read_configuration(rest)


@settings(max_examples=300)
@given(st.integers(0, 7), st.integers(0, 400), st.integers(0, 255))
def test_a_damaged_sequence_is_read_or_refused(bit: int, at: int, other: int) -> None:
    sps = bytearray(CLIP.format.sps)
    sps[at % len(sps)] ^= 1 << bit
    with suppress(BadBits):
        h265.mime(bytes(sps))


def test_the_boxes_give_back_the_format() -> None:
    init = fmp4.init_segment(CLIP.format)
    assert fmp4.parse_init(init).format == CLIP.format
    at = init.index(b"hvcC")
    with pytest.raises(FormatError):
        fmp4.parse_init(init[: at + 26] + b"\0" + init[at + 27 :])


def test_a_film_of_h265_decodes_as_it_was_encoded() -> None:
    units = packets(CLIP)
    samples = Samples.of((len(p.data) for p in units), [3600] * len(units), (0, 25))
    head = movie_header([Chunk(CLIP.format, len(units), samples.data_bytes)], samples)
    film = head + b"".join(p.data for p in units)
    parts = fmp4.part_header(1, 0, samples)
    fragments = fmp4.init_segment(CLIP.format) + parts + b"".join(p.data for p in units)
    for media in (film, fragments):
        with av.open(io.BytesIO(media), "r") as container:
            shown = [frame.to_ndarray().tobytes() for frame in container.decode(video=0)]
        assert shown == decode(CLIP, WANTED)


def test_single_units_and_fragments() -> None:
    got = read(clip_packets())
    assert [packet.data for packet in got] == WANTED
    assert [packet.pts_90k for packet in got] == [0xFFFFF000 + n * 3600 for n in range(50)]
    assert [packet.is_key for packet in got] == [is_key(unit) for unit in CLIP.units]
    assert {packet.format for packet in got} == {CLIP.format}
    assert len({id(packet.format) for packet in got}) == 1


@settings(max_examples=40)
@given(st.integers(10, 1500))
def test_any_size_of_packets(mtu: int) -> None:
    assert [packet.data for packet in read(clip_packets(27, mtu))] == WANTED[:27]


def test_aggregates() -> None:
    out: list[bytes] = []
    for number, unit in enumerate(CLIP.units[:30]):
        bodies: list[bytes] = []
        for small, group in groupby(unit, key=lambda nal: len(nal) < 100):
            nals = list(group)
            bodies += [aggregate(nals)] if small else [piece for nal in nals for piece in h265_payloads(nal, 90)]
        for place, body in enumerate(bodies):
            out.append(rtp(len(out), number * 3600, body, marker=place == len(bodies) - 1))
    assert [packet.data for packet in read(out)] == WANTED[:30]


def test_new_parameter_sets_make_a_new_format_at_their_key_frame() -> None:
    other = make_h265_clip(320, 192, 30, 15)
    out: list[bytes] = []
    for number, unit in enumerate((*CLIP.units[:25], *other.units, *CLIP.units[:5])):
        out += picture(unit, len(out), number * 3600, 1400, "h265")
    formats = [packet.format for packet in read(out)]
    assert [format.width for format in formats] == [160] * 25 + [320] * 30 + [160] * 5
    assert len({id(format) for format in formats}) == 3


@pytest.mark.parametrize("changed", [h265.VPS, h265.SPS, h265.PPS])
def test_a_change_of_one_set_alone_is_a_new_format(changed: int) -> None:
    """Of the same size: nothing but the set itself tells."""
    out: list[bytes] = []
    for number, unit in enumerate(CLIP.units):
        if number >= 25:
            unit = tuple(nal + b"\x01" if h265.kind_of(nal[0]) == changed else nal for nal in unit)
        out += picture(unit, len(out), number * 3600, 1400, "h265")
    formats = [packet.format for packet in read(out)]
    before = CLIP.format
    sets = {h265.VPS: before.vps, h265.SPS: before.sps, h265.PPS: before.pps}
    sets[changed] += b"\x01"
    after = replace(before, vps=sets[h265.VPS], sps=sets[h265.SPS], pps=sets[h265.PPS])
    assert formats == [before] * 25 + [after] * 25


def test_other_layers_are_passed_over() -> None:
    out: list[bytes] = []
    for number, unit in enumerate(CLIP.units[:5]):
        upper = bytes((unit[-1][0] | 1, unit[-1][1])) + unit[-1][2:]
        out += picture((*unit[:-1], upper, unit[-1]), len(out), number * 3600, 60_000, "h265")
    assert [packet.data for packet in read(out)] == WANTED[:5]


@settings(max_examples=60)
@given(st.sets(st.integers(0, 400), max_size=30))
def test_what_is_lost_is_counted_and_what_is_whole_is_kept(lost: set[int]) -> None:
    out: list[bytes] = []
    owner: list[int] = []
    for number, unit in enumerate(CLIP.units):
        pieces = picture(unit, 7 + len(out), number * 3600, 60, "h265")
        owner += [number] * len(pieces)
        out += pieces
    lost = {number for number in lost if number < len(out) - 1}
    got = read(packet for number, packet in enumerate(out) if number not in lost)
    numbers = [packet.pts_90k // 3600 for packet in got]
    assert numbers == sorted(set(numbers))
    assert all(packet.data in WANTED[number] for number, packet in zip(numbers, got, strict=True))
    whole = set(range(50)) - {owner[number] for number in lost}
    first = min((number for number in whole if is_key(CLIP.units[number])), default=50)
    assert {number for number in whole if number >= first} <= set(numbers)


@settings(max_examples=300)
@given(st.data())
def test_damaged_streams_end_in_packets_or_a_camera_error(data: st.DataObject) -> None:
    whole = bytearray(b"".join(framed(0, packet) for packet in clip_packets(6)))
    for _ in range(data.draw(st.integers(1, 12))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    got: list[Packet] = []
    reader = H265Reader(got.append)
    reader.attach(0, 96)
    with suppress(CameraError):
        reader.feed(memoryview(bytes(whole) + bytes(HEAD_BYTES)), 0, len(whole), 1.0)
    assert all(is_whole(packet) for packet in got)


@settings(max_examples=300)
@given(
    st.lists(
        st.tuples(st.integers(0, 63), st.integers(0, 255), st.binary(max_size=12), st.booleans(), st.integers(0, 2)),
        max_size=30,
    )
)
def test_any_payloads_end_in_whole_units_or_a_camera_error(shapes: list[tuple[int, int, bytes, bool, int]]) -> None:
    out = picture(CLIP.units[0], -100, -3600, 1400, "h265")
    for number, (kind, second, rest, marker, advance) in enumerate(shapes):
        out.append(rtp(number, number * advance * 3600, bytes((kind << 1, second)) + rest, marker=marker))
    got: list[Packet] = []
    with suppress(CameraError):
        got = read(out)
    assert all(is_whole(packet) for packet in got)


def test_the_description_gives_the_sets() -> None:
    text = (
        "m=video 0 RTP/AVP 97\r\na=rtpmap:97 H265/90000\r\na=fmtp:97 sprop-vps=QAE=;sprop-sps=QgE=;sprop-pps=RAE=\r\n"
    )
    track = sdp.parse(text.encode()).video()
    assert (track.codec, track.parameter_sets) == ("h265", (b"\x40\1", b"\x42\1", b"\x44\1"))
    with pytest.raises(CameraError) as caught:
        sdp.parse(text.replace("sprop-vps", "sprop-max-don-diff=2;sprop-vps").encode()).video()
    assert caught.value.fault is CameraFault.UNSUPPORTED_CODEC


def test_a_format_needs_all_three_sets() -> None:
    assert sets_of(CLIP).format == CLIP.format
    reader = H265Reader(lambda packet: None, (CLIP.format.sps, CLIP.format.pps))
    assert reader.format is None


@pytest.mark.parametrize(("pieces", "mtu", "described"), [(1, 600, True), (8, 100, True), (3, 1400, False)])
async def test_pictures_arrive_as_they_were_encoded(pieces: int, mtu: int, described: bool) -> None:
    manners = Manners(codec="H265", pieces=pieces, mtu=mtu, parameter_sets=described)
    async with Camera(manners, CLIP) as camera:
        sink: Collector = await collect(camera, 60, USER)
    assert [p.data for p in sink.packets[:60]] == (WANTED * 2)[:60]
    assert sink.packets[0].format == CLIP.format
    assert (sink.infos[0].format is not None) == described
