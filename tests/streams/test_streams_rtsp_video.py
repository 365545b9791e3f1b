"""RTP and H.264: hand-made shapes, then anything at all."""

import struct
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from itertools import groupby

import pytest
from h264_clip import avcc, make_clip
from hypothesis import given, settings
from hypothesis import strategies as st
from rtsp_camera import GOODBYE, framed, payloads, picture, rtp, sender_report
from sinks import is_whole

from streams.errors import CameraError, CameraFault
from streams.packets import Packet
from streams.rtsp import video
from streams.rtsp.messages import parse_address
from streams.rtsp.session import Session, State
from streams.rtsp.video import HEAD_BYTES, H264Reader
from streams.timeline import Anchor, Timeline

CLIP = make_clip()
SLACK = bytes(HEAD_BYTES)


class Sink:
    is_watched = True

    def __init__(self) -> None:
        self.packets: list[Packet] = []
        self.reports: list[tuple[datetime, int, float]] = []

    def connected(self, info: object) -> None:
        pass

    def packet(self, packet: Packet) -> None:
        self.packets.append(packet)

    def sender_report(self, ntp_at: datetime, rtp_90k: int, received_s: float) -> None:
        self.reports.append((ntp_at, rtp_90k, received_s))


def playing() -> tuple[Session, Sink]:
    """A session past its handshake, on channels 0 and 1, payload type 96."""
    sink = Sink()
    session = Session(parse_address("rtsp://127.0.0.1/x"), None, sink)
    session.start()
    for text, body in (
        ("", b""),
        ("Content-Type: application/sdp\r\n", b"v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"),
        ("Session: 1\r\nTransport: RTP/AVP/TCP;interleaved=0-1\r\n", b""),
        ("", b""),
    ):
        sequence = session.outgoing[-1].split(b"CSeq: ")[1].split(b"\r\n")[0].decode()
        head = f"RTSP/1.0 200 OK\r\nCSeq: {sequence}\r\n{text}Content-Length: {len(body)}\r\n\r\n"
        feed(session, [head.encode() + body])
    assert session.state is State.PLAYING
    return session, sink


def feed(session: Session, chunks: Iterable[bytes], every_s: float = 1.0) -> None:
    """As the connection does: what is left over comes again before the next bytes, in a buffer that is reused."""
    buffer = bytearray(400_000)
    view = memoryview(buffer)
    rest = b""
    for number, chunk in enumerate(chunks):
        data = rest + chunk
        view[: len(data) + HEAD_BYTES] = data + b"\x24" * HEAD_BYTES
        done = session.receive(view, len(data), number * every_s)
        rest = data[done:]
        session.video.settle(number * every_s)
        view[:] = b"\xaa" * len(view)


def play(packets: Iterable[bytes]) -> Sink:
    session, sink = playing()
    feed(session, [b"".join(framed(0, packet) for packet in packets)])
    return sink


def clip_packets(count: int = 50, sequence: int = 65_530, mtu: int = 300) -> list[bytes]:
    packets: list[bytes] = []
    for number, unit in enumerate(CLIP.units[:count]):
        packets += picture(unit, sequence + len(packets), 0xFFFFF000 + number * 3600, mtu)
    return packets


WANTED = [avcc(unit) for unit in CLIP.units]


def test_a_clip_across_both_wraps() -> None:
    sink = play(clip_packets())
    assert [packet.data for packet in sink.packets] == WANTED
    assert [packet.pts_90k for packet in sink.packets] == [0xFFFFF000 + n * 3600 for n in range(50)]


@settings(max_examples=60)
@given(st.lists(st.integers(1, 4000), min_size=1, max_size=40), st.integers(20, 1500))
def test_any_chunking_gives_the_same_packets(sizes: list[int], mtu: int) -> None:
    data = b"".join(framed(0, packet) for packet in clip_packets(30, mtu=mtu))
    chunks, at = [], 0
    while at < len(data):
        size = sizes[len(chunks) % len(sizes)]
        chunks.append(data[at : at + size])
        at += size
    session, sink = playing()
    feed(session, chunks)
    assert [packet.data for packet in sink.packets] == WANTED[:30]
    assert all(packet.lost_before == 0 for packet in sink.packets)


def test_contributing_sources_extension_and_padding() -> None:
    packets = clip_packets(5)
    dressed = []
    for packet in packets:
        extension = struct.pack(">HH", 0xBEDE, 2) + b"extended"
        head = bytes((0x80 | 0x20 | 0x10 | 3,)) + packet[1:12] + b"source" * 2
        dressed.append(head + extension + packet[12:] + b"\0\0\0\4")
    assert [packet.data for packet in play(dressed).packets] == WANTED[:5]


def test_aggregates() -> None:
    packets, sequence = [], 0
    for number, unit in enumerate(CLIP.units[:10]):
        bodies: list[bytes] = []
        for small, group in groupby(unit, key=lambda nal: len(nal) < 200):
            nals = list(group)
            joined = b"".join(len(nal).to_bytes(2, "big") + nal for nal in nals)
            bodies += [b"\x78" + joined] if small else [piece for nal in nals for piece in payloads(nal, 500)]
        for place, body in enumerate(bodies):
            packets.append(rtp(sequence, number * 3600, body, marker=place == len(bodies) - 1))
            sequence += 1
    assert [packet.data for packet in play(packets).packets] == WANTED[:10]


def test_a_marker_on_each_nal_unit_costs_one_picture() -> None:
    """Pictures in two slices here; the second slice's first macroblock is not number 0."""
    packets, sequence = [], 0
    wanted = []
    for number, unit in enumerate(CLIP.units[:30]):
        second = bytes((unit[-1][0], unit[-1][1] & 0x7F)) + unit[-1][2:]
        for nal in (*unit, second):
            for body in payloads(nal, 60_000):
                packets.append(rtp(sequence, number * 3600, body, marker=True))
                sequence += 1
        wanted.append(avcc((*unit, second)))
    got = [packet.data for packet in play(packets).packets]
    assert got[1:] == wanted[1:29]


def test_no_marker_at_all() -> None:
    packets = [bytes((p[0], p[1] & 0x7F)) + p[2:] for p in clip_packets(10)]
    assert [packet.data for packet in play(packets).packets] == WANTED[:9]


@settings(max_examples=80)
@given(st.sets(st.integers(0, 400), max_size=30))
def test_what_is_lost_is_counted_and_what_is_whole_is_kept(lost: set[int]) -> None:
    packets: list[bytes] = []
    owner: list[int] = []
    for number, unit in enumerate(CLIP.units):
        pieces = picture(unit, 7 + len(packets), number * 3600, 120)
        owner += [number] * len(pieces)
        packets += pieces
    lost = {number for number in lost if number < len(packets) - 1}
    first_slice = {
        n: next(i for i, p in enumerate(packets) if owner[i] == n and p[12] & 31 not in (6, 7, 8, 9)) for n in range(50)
    }
    broken = {owner[n] for n in lost if n >= first_slice[owner[n]]}
    sink = play(packet for number, packet in enumerate(packets) if number not in lost)
    got = [packet.pts_90k // 3600 for packet in sink.packets]
    assert not broken & set(got)
    assert got == sorted(set(got))
    assert all(packet.data == WANTED[number] for number, packet in zip(got, sink.packets, strict=True))
    assert sum(packet.lost_before for packet in sink.packets) <= len(lost) + len(broken)
    if got:
        assert set(range(got[0], 50)) - broken == set(got)
        first, last = min(set(range(len(packets))) - lost), owner.index(got[-1])
        assert sum(packet.lost_before for packet in sink.packets) >= len({n for n in lost if first < n < last})


def test_a_change_of_parameters_is_a_new_format_at_its_key_frame() -> None:
    other = make_clip(320, 192, 30, 15)
    packets: list[bytes] = []
    for number, unit in enumerate((*CLIP.units[:25], *other.units, *CLIP.units[:5])):
        packets += picture(unit, len(packets), number * 3600)
    formats = [packet.format for packet in play(packets).packets]
    assert [format.width for format in formats] == [160] * 25 + [320] * 30 + [160] * 5
    assert len({id(format) for format in formats}) == 3


def test_a_picture_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video, "MAX_UNIT_BYTES", 100_000)
    session, _ = playing()
    start = rtp(0, 0, b"\x7c\x85" + b"\x88" * 1000)
    middles = (rtp(n, 0, b"\x7c\x05" + b"\x88" * 1000) for n in range(1, 1000))
    with pytest.raises(CameraError) as caught:
        feed(session, (framed(0, packet) for packet in (start, *middles)))
    assert caught.value.fault is CameraFault.GARBAGE


def test_crumbs_without_end_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video, "MAX_UNIT_PIECES", 50)
    session, _ = playing()
    with pytest.raises(CameraError):
        feed(session, (framed(0, rtp(n, 0, b"\x06\x01")) for n in range(100)))


def test_reports_and_goodbye() -> None:
    session, sink = playing()
    at = datetime(2026, 5, 1, 12, 0, 0, 250_000, tzinfo=UTC)
    data = b"".join(framed(0, packet) for packet in clip_packets(3))
    feed(session, [data + framed(1, sender_report(at, 0xFFFFF000 + 9000)) + framed(9, b"not ours")])
    assert sink.reports == [(at, 0xFFFFF000 + 9000, 0.0)]
    with pytest.raises(CameraError) as caught:
        feed(session, [framed(1, sender_report(at, 0) + GOODBYE)])
    assert caught.value.fault is CameraFault.CLOSED


@settings(max_examples=400)
@given(st.lists(st.tuples(st.integers(0, 2), st.binary(max_size=80)), max_size=20), st.integers(1, 50))
def test_any_frames_end_in_packets_or_a_camera_error(frames: list[tuple[int, bytes]], size: int) -> None:
    session, _ = playing()
    data = b"".join(framed(channel, body) for channel, body in frames)
    try:
        feed(session, (data[at : at + size] for at in range(0, len(data), size)))
    except CameraError:
        return


@settings(max_examples=400)
@given(st.data())
def test_damaged_streams_end_in_packets_or_a_camera_error(data: st.DataObject) -> None:
    whole = bytearray(b"".join(framed(0, packet) for packet in clip_packets(8, mtu=200)))
    for _ in range(data.draw(st.integers(1, 12))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    session, sink = playing()
    with suppress(CameraError):
        feed(session, [bytes(whole)])
    assert all(is_whole(packet) for packet in sink.packets)


@settings(max_examples=300)
@given(
    st.lists(
        st.tuples(
            st.sampled_from((1, 5, 6, 7, 8, 9, 24, 25, 28, 29, 0, 31)),
            st.integers(0, 255),
            st.binary(max_size=12),
            st.booleans(),
            st.sampled_from((0, 0, 0, 1, 2)),
            st.integers(0, 2),
        ),
        max_size=30,
    )
)
def test_any_payloads_end_in_whole_units_or_a_camera_error(shapes) -> None:
    session, sink = playing()
    sequence, stamp, packets = 0, 0, []
    for kind, second, rest, marker, gap, advance in shapes:
        sequence += 1 + gap
        stamp += advance * 3600
        packets.append(framed(0, rtp(sequence, stamp, bytes((0x60 | kind, second)) + rest, marker=marker)))
    lead = b"".join(framed(0, packet) for packet in picture(CLIP.units[0], -100, -3600))
    try:
        feed(session, [lead, *packets])
    except CameraError:
        return
    assert all(is_whole(packet) for packet in sink.packets)


def test_a_reader_without_parameters_waits_for_them() -> None:
    got: list[Packet] = []
    reader = H264Reader(got.append, (b"\x67\x64", b"\x68"))
    assert reader.format is None


def with_source(packets: Iterable[bytes], source: int) -> list[bytes]:
    return [packet[:8] + source.to_bytes(4, "big") + packet[12:] for packet in packets]


def shifted(count: int, first: int, sequence: int, time: int) -> list[bytes]:
    packets: list[bytes] = []
    for number, unit in enumerate(CLIP.units[first : first + count]):
        packets += picture(unit, sequence + len(packets), time + number * 3600, 300)
    return packets


def test_a_new_source_begins_with_its_key_frame_and_a_new_time() -> None:
    before, after = with_source(clip_packets(20), 1), with_source(shifted(35, 15, 100, 0xFFFFF000 + 20 * 3600), 2)
    sink = play([*before[:-1], *after])  # the picture that the source left unfinished is lost
    assert [packet.data for packet in sink.packets] == [*WANTED[:19], *WANTED[25:50]]
    assert sink.packets[19].lost_before == 1
    timeline = Timeline(Anchor(0.0, 0))
    cuts = []
    for number, packet in enumerate(sink.packets):
        timeline.place(packet.pts_90k, number / 25)
        cuts.append(timeline.cut)
    assert [number for number, cut in enumerate(cuts) if cut] == [19]


def test_of_two_sources_at_once_the_first_is_kept() -> None:
    ours, other = with_source(clip_packets(50), 1), with_source(shifted(50, 0, 9, 5), 2)
    mixed = [packet for pair in zip(ours, other, strict=False) for packet in pair] + ours[len(other) :]
    got = [packet.data for packet in play(mixed).packets]
    assert got == WANTED  # while it was found out, only parameter sets came


def test_the_other_of_two_sources_takes_over_when_the_first_falls_silent() -> None:
    session, sink = playing()
    ours, other = with_source(clip_packets(2), 1), with_source(shifted(26, 0, 9, 5), 2)
    mixed = [packet for pair in zip(ours, other, strict=False) for packet in pair]
    later = [framed(0, packet) for packet in with_source(shifted(25, 25, 900, 5 + 25 * 3600), 2)]
    meanwhile = [framed(0, packet) for packet in other[len(ours) : len(ours) + 4]]
    feed(session, [b"".join(framed(0, p) for p in mixed), *meanwhile, b"".join(later)], 0.3)
    assert [packet.data for packet in sink.packets][-25:] == WANTED[25:]


@pytest.mark.parametrize("every_s", [0.3, 30.0], ids=["steadily", "with pauses of our own"])
def test_no_other_source_takes_over_while_the_first_is_heard(every_s: float) -> None:
    """What both sent in a pause is read at once after it, and the other's may come first, or alone."""
    session, sink = playing()
    ours = [framed(0, packet) for packet in with_source(clip_packets(50), 1)]
    other = [framed(0, packet) for packet in with_source(shifted(50, 0, 9, 5), 2)]
    first, *groups = (b"".join(ours[at : at + 20]) for at in range(0, len(ours), 20))
    chunks = [ours[0] + other[0] + first[len(ours[0]) :]]  # found out while only parameter sets came
    for number, group in enumerate(groups):
        chunks += [other[2 * number + 1], other[2 * number + 2] + group]
    feed(session, chunks, every_s)
    assert [packet.data for packet in sink.packets] == WANTED


def test_a_goodbye_of_another_source_ends_nothing() -> None:
    session, _ = playing()
    data = [framed(0, p) for p in (*with_source(clip_packets(2), 1), *with_source(shifted(2, 0, 9, 5), 2))]
    feed(session, [b"".join(data) + framed(1, GOODBYE)])  # of source 7
    with pytest.raises(CameraError):
        feed(session, [framed(1, GOODBYE[:4] + b"\0\0\0\2")])


def test_packets_without_a_picture_do_no_harm() -> None:
    packets: list[bytes] = []
    for number, unit in enumerate(CLIP.units[:10]):
        time = number * 3600
        bodies = [b"\x09\xf0", b"", b"\x06\x01\x02", *unit, b"\x0c\xff\xff", b"\x06\x05"]
        for place, body in enumerate(bodies):
            packets.append(rtp(len(packets), time, body, marker=place == len(bodies) - 1))
        packets.append(rtp(len(packets), time + 1800, b"\x09\xf0", marker=True))  # a delimiter alone
        packets.append(rtp(len(packets), time + 1900, b"\x06\x01\x02", marker=True))  # an SEI message alone
        packets.append(rtp(len(packets), time + 2000, b"", marker=True))
    got = play(packets).packets
    sei, tail = b"\0\0\0\3\x06\x01\x02", b"\0\0\0\2\x06\x05"
    assert [packet.data for packet in got] == [sei + unit + tail for unit in WANTED[:10]]
    assert {packet.lost_before for packet in got} == {0}


@pytest.mark.parametrize("extension", [b"\xbe\xde\xff\xff", b"\xbe\xde"])
def test_a_header_that_cannot_be_costs_its_picture_only(extension: bytes) -> None:
    packets = clip_packets(30)
    struck = next(
        n for n, p in enumerate(packets) if struct.unpack_from(">I", p, 4)[0] == (0xFFFFF000 + 5 * 3600) % 2**32
    )
    packet = packets[struck]
    packets[struck] = bytes((packet[0] | 0x10,)) + packet[1:12] + extension
    got = [packet.data for packet in play(packets).packets]
    assert got[:5] == WANTED[:5]
    assert got[-24:] == WANTED[6:30]


def test_key_frames_without_parameter_sets_are_told() -> None:
    packets: list[bytes] = []
    for number, unit in enumerate(CLIP.units * 2):
        bare = tuple(nal for nal in unit if nal[0] & 31 != 7)
        packets += picture(bare, len(packets), number * 3600)
    with pytest.raises(CameraError) as caught:
        play(packets)
    assert caught.value.fault is CameraFault.GARBAGE
    assert "parameter sets" in caught.value.detail


def test_stamps_that_go_back_a_little_are_kept() -> None:
    packets: list[bytes] = []
    for number, unit in enumerate(CLIP.units):
        early = 5000 if number % 10 == 5 else 0
        packets += picture(unit, len(packets), number * 3600 - early)
    sink = play(packets)
    assert [packet.data for packet in sink.packets] == WANTED
    timeline = Timeline(Anchor(0.0, 0))
    placed = [timeline.place(packet.pts_90k, number / 25) for number, packet in enumerate(sink.packets)]
    assert placed == sorted(set(placed))
    assert timeline.cut is None
    assert timeline.backwards == 5
