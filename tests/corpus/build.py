"""Builds the corpus of odd streams: for each, all that a camera says to a client that connects, byte for byte.

    python tests/corpus/build.py FOLDER

A stream is a file of entries, each a line `KIND SIZE` and so many bytes:

- `answer`: said to the client's next request, `{cseq}`, `{url}` and `{port}` (of the camera's UDP socket; its RTCP is
  `{next}`) replaced;
- `media`: said on the connection without being asked;
- `datagram`, `report`: sent from the first or second UDP socket;
- `close`: the connection ends, once the client has got all that index.json expects where it comes over UDP.

Only the standard library is used, and nothing of the product: packets are put together here a second time. What each
stream is, what must come of it, and the hash of its file are in index.json, by the name of its function.
"""

import base64
import hashlib
import json
import struct
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

Unit = tuple[bytes, ...]
Entry = tuple[str, bytes]
MTU, STEP = 200, 3600
CLIPS: dict[str, tuple[Unit, ...]] = {
    name: tuple(tuple(base64.b64decode(nal) for nal in unit) for unit in units)
    for name, units in json.loads(Path(__file__).with_name("clips.json").read_text()).items()
}
STREAMS: dict[str, Callable[[], Iterator[Entry]]] = {}
H264, H265 = "h264-large", "h265-large"
SETS = {"h264": 2, "h265": 3}  # parameter sets before a key frame


def stream(build: Callable[[], Iterator[Entry]]) -> Callable[[], Iterator[Entry]]:
    STREAMS[build.__name__.replace("_", "-")] = build
    return build


# Packets.


def rtp(sequence: int, time: int, payload: bytes, marker: bool = False, source: int = 7, first: int = 0x80) -> bytes:
    second = marker << 7 | 96
    return struct.pack(">BBHII", first, second, sequence & 0xFFFF, time & 0xFFFFFFFF, source) + payload


def payloads(nal: bytes, codec: str) -> Iterator[bytes]:
    """Single NAL unit, or FU-A (RFC 6184 5.8), or FU (RFC 7798 4.4.3)."""
    if len(nal) <= MTU:
        yield nal
        return
    size = 1 if codec == "h264" else 2
    kind = nal[0] & 31 if codec == "h264" else nal[0] >> 1 & 63
    head = bytes((nal[0] & 0xE0 | 28,)) if codec == "h264" else bytes((nal[0] & 0x81 | 49 << 1, nal[1]))
    body = nal[size:]
    for at in range(0, len(body), MTU):
        yield head + bytes(((at == 0) << 7 | (at + MTU >= len(body)) << 6 | kind,)) + body[at : at + MTU]


def aggregate(nals: Sequence[bytes], codec: str) -> bytes:
    """STAP-A (RFC 6184 5.7.1), AP (RFC 7798 4.4.2)."""
    head = b"\x78" if codec == "h264" else b"\x60\x01"
    return head + b"".join(len(nal).to_bytes(2, "big") + nal for nal in nals)


def picture(unit: Unit, sequence: int, time: int, source: int = 7, codec: str = "h264") -> list[bytes]:
    bodies = [body for nal in unit for body in payloads(nal, codec)]
    return [rtp(sequence + n, time, body, n == len(bodies) - 1, source) for n, body in enumerate(bodies)]


def pictures(
    units: Sequence[Unit], sequence: int = 100, time: int = 0, source: int = 7, codec: str = "h264"
) -> list[bytes]:
    packets: list[bytes] = []
    for number, unit in enumerate(units):
        packets += picture(unit, sequence + len(packets), time + number * STEP, source, codec)
    return packets


def framed(packets: Sequence[bytes], channel: int = 0) -> bytes:
    return b"".join(struct.pack(">BBH", 0x24, channel, len(packet)) + packet for packet in packets)


def report(seconds: int, time: int, source: int = 7) -> bytes:
    return struct.pack(">BBHIIIIII", 0x80, 200, 6, source, seconds, 0, time & 0xFFFFFFFF, 0, 0)


def goodbye(source: int = 7) -> bytes:
    return struct.pack(">BBHI", 0x81, 203, 1, source)


# What a camera answers.


def answer(status: str, *headers: str, body: str = "") -> Entry:
    lines = [
        f"RTSP/1.0 {status}",
        "CSeq: {cseq}",
        *headers,
        *([f"Content-Length: {len(body)}"] if body else []),
        "",
        body,
    ]
    return "answer", "\r\n".join(lines).encode()


def description(codec: str = "h264", sets: Sequence[bytes] = (), fmtp: str = "") -> str:
    texts = [base64.b64encode(nal).decode() for nal in sets]
    if texts:
        names = ("sprop-vps", "sprop-sps", "sprop-pps")
        fmtp += (
            ";sprop-parameter-sets=" + ",".join(texts)
            if codec == "h264"
            else "".join(f";{name}={text}" for name, text in zip(names, texts, strict=True))
        )
    lines = ["v=0", "m=video 0 RTP/AVP 96", f"a=rtpmap:96 {codec.upper()}/90000", f"a=fmtp:96 x=1{fmtp}", "a=control:v"]
    return "\r\n".join(lines) + "\r\n"


SETUP = ("Session: 12345678", "Transport: RTP/AVP/TCP;unicast;interleaved=0-1")


def opened(sdp: str = "", *, base: str = "Content-Base: {url}/", setup: Sequence[str] = SETUP) -> Iterator[Entry]:
    yield answer("200 OK", "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN")
    yield answer("200 OK", *([base] if base else []), "Content-Type: application/sdp", body=sdp or description())
    yield answer("200 OK", *setup)
    yield answer("200 OK", "Session: 12345678")


def opened_udp(with_ports: bool = True) -> Iterator[Entry]:
    yield answer("200 OK", "Public: OPTIONS")
    yield answer("200 OK", body=description())
    yield answer("461 Unsupported Transport")
    ports = ";server_port={port}-{next}" if with_ports else ""
    yield answer("200 OK", "Session: 1", "Transport: RTP/AVP;unicast;client_port=1-2" + ports)
    yield answer("200 OK")


def said(packets: Sequence[bytes], sdp: str = "") -> Iterator[Entry]:
    yield from opened(sdp)
    yield "media", framed(packets)
    yield "close", b""


def over_udp(packets: Sequence[bytes], with_ports: bool = True) -> Iterator[Entry]:
    yield from opened_udp(with_ports)
    for packet in packets:
        yield "datagram", packet
    yield "close", b""


# The streams.


@stream
def h264_plain() -> Iterator[Entry]:
    return said(pictures(CLIPS[H264]))


@stream
def h264_aggregates() -> Iterator[Entry]:
    packets: list[bytes] = []
    for number, unit in enumerate(CLIPS["h264-small"]):
        packets.append(rtp(len(packets), number * STEP, aggregate(unit, "h264"), marker=True))
    return said(packets)


@stream
def h264_sets_described_only() -> Iterator[Entry]:
    units, sets = CLIPS[H264], CLIPS[H264][0][:2]
    return said(pictures([unit[-1:] for unit in units]), description(sets=sets))


@stream
def h264_wrong_sets_described() -> Iterator[Entry]:
    return said(pictures(CLIPS[H264]), description(sets=CLIPS["h264-small"][0][:2]))


@stream
def h264_no_markers() -> Iterator[Entry]:
    return said([bytes((p[0], p[1] & 0x7F)) + p[2:] for p in pictures(CLIPS[H264])])


@stream
def h264_markers_everywhere() -> Iterator[Entry]:
    return said([bytes((p[0], p[1] | 0x80)) + p[2:] for p in pictures(CLIPS["h264-small"])])


@stream
def h264_odd_sei() -> Iterator[Entry]:
    big, small = b"\x06\x05\xff\xff\x50" + bytes(range(256)) * 2, b"\x06\x01\x01\x80"
    return said(pictures([(b"\x06", small, big, *unit, small) for unit in CLIPS[H264]]))


@stream
def h264_messages_alone() -> Iterator[Entry]:
    packets: list[bytes] = []
    for number, unit in enumerate(CLIPS[H264]):
        packets += picture(unit, len(packets), number * STEP)
        packets.append(rtp(len(packets), number * STEP + 1, b"\x09\xf0", marker=True))
        packets.append(rtp(len(packets), number * STEP + 2, b"\x06\x01\x01\x80", marker=True))
        packets.append(rtp(len(packets), number * STEP + 3, b"", marker=True))
    return said(packets)


@stream
def h264_size_changes() -> Iterator[Entry]:
    return said(pictures([*CLIPS[H264][:4], *CLIPS["h264-small"][4:8], *CLIPS[H264][8:]]))


@stream
def h264_truncated_nal() -> Iterator[Entry]:
    whole = pictures(CLIPS[H264])
    last = max(n for n, p in enumerate(whole) if p[4:8] == (4 * STEP).to_bytes(4, "big"))
    renumbered = [p[:2] + (100 + n).to_bytes(2, "big") + p[4:] for n, p in enumerate(whole[:last] + whole[last + 1 :])]
    return said(renumbered)


@stream
def h264_lost_packets() -> Iterator[Entry]:
    packets = pictures(CLIPS[H264])
    struck = [n for n, p in enumerate(packets) if p[4:8] == (4 * STEP).to_bytes(4, "big")]
    return said([p for n, p in enumerate(packets) if n not in struck[3:5]])


@stream
def h264_missing_sps() -> Iterator[Entry]:
    return said(pictures([unit[1:] if len(unit) == 3 else unit for unit in CLIPS[H264]]))


@stream
def h264_extensions_and_padding() -> Iterator[Entry]:
    def dressed(packet: bytes) -> bytes:
        head = bytes((0x80 | 0x20 | 0x10 | 2,)) + packet[1:12] + b"someelse"
        return head + struct.pack(">HHI", 0xBEDE, 1, 0x10FF0000) + packet[12:] + b"\0\0\3"

    return said([dressed(packet) for packet in pictures(CLIPS[H264])])


@stream
def h264_extensions_that_cannot_be() -> Iterator[Entry]:
    packets = pictures(CLIPS[H264])
    struck = next(n for n, p in enumerate(packets) if p[4:8] == (5 * STEP).to_bytes(4, "big"))
    packet = packets[struck]
    packets[struck] = bytes((packet[0] | 0x10,)) + packet[1:12] + b"\xbe\xde\xff\xff" + packet[12:]
    return said(packets)


@stream
def h264_numbers_and_time_wrap() -> Iterator[Entry]:
    return said(pictures(CLIPS[H264], sequence=65_530, time=2**32 - 5 * STEP))


@stream
def h264_time_goes_back_a_little() -> Iterator[Entry]:
    packets: list[bytes] = []
    for number, unit in enumerate(CLIPS[H264]):
        packets += picture(unit, len(packets), 90_000 + number * STEP - (5000 if number % 4 == 2 else 0))
    return said(packets)


@stream
def h264_new_source() -> Iterator[Entry]:
    clip = CLIPS[H264]
    return said([*pictures(clip[:4]), *pictures(clip[4:], sequence=9000, time=77, source=8)])


@stream
def h264_two_sources() -> Iterator[Entry]:
    ours, theirs = pictures(CLIPS[H264]), pictures(CLIPS[H264], sequence=5, time=9, source=8)
    return said([packet for pair in zip(ours, theirs, strict=True) for packet in pair])


@stream
def h264_sound_beside() -> Iterator[Entry]:
    yield from opened("v=0\r\nm=audio 0 RTP/AVP 0\r\na=control:a\r\n" + description().partition("\r\n")[2])
    for packet in pictures(CLIPS[H264]):
        yield "media", framed([bytes(50)], 2) + framed([packet]) + framed([b""], 0)
    yield "close", b""


@stream
def h264_goodbye() -> Iterator[Entry]:
    yield from opened()
    yield "media", framed(pictures(CLIPS[H264][:6])) + framed([report(0, 0), goodbye()], 1)
    yield "media", framed(pictures(CLIPS[H264][6:], sequence=500, time=6 * STEP))


@stream
def h264_garbage_behind() -> Iterator[Entry]:
    yield from opened()
    yield "media", framed(pictures(CLIPS[H264][:6])) + bytes(range(128, 256)) * 40


@stream
def h264_no_content_base() -> Iterator[Entry]:
    yield from opened(base="")
    yield "media", framed(pictures(CLIPS[H264]))
    yield "close", b""


@stream
def h264_content_base_of_itself() -> Iterator[Entry]:
    yield from opened(base="Content-Base: rtsp://192.0.2.77:8554/internal/")
    yield "media", framed(pictures(CLIPS[H264]))
    yield "close", b""


@stream
def h264_redirect_for_ever() -> Iterator[Entry]:
    for _ in range(2):
        yield answer("200 OK")
        yield answer("302 Found", "Location: {url}")


@stream
def h264_stray_line_ends() -> Iterator[Entry]:
    for kind, data in opened(description().replace("\r\n", "\n")):
        yield kind, data + b"\r\n\r\n"
    yield "media", b"\r\n" + framed(pictures(CLIPS[H264])) + b"\r\n"
    yield "close", b""


@stream
def h264_reports_of_no_clock() -> Iterator[Entry]:
    yield from opened()
    packets = pictures(CLIPS[H264])
    yield "media", framed(packets[:9]) + framed([report(0, 0), b"\x80", b"\xff" * 8], 1) + framed(packets[9:])
    yield "close", b""


@stream
def h264_interleaved_units() -> Iterator[Entry]:
    packets = pictures(CLIPS["h264-small"])
    return said([rtp(50 + n, n, b"\x79\x00\x00" + p[12:], marker=True) for n, p in enumerate(packets)])


@stream
def h264_udp_in_disorder() -> Iterator[Entry]:
    packets = pictures(CLIPS[H264], sequence=65_530)
    for at in range(3, len(packets) - 3, 5):
        packets[at], packets[at + 2] = packets[at + 2], packets[at]
    return over_udp(packets)


@stream
def h264_udp_doubled() -> Iterator[Entry]:
    return over_udp([packet for packet in pictures(CLIPS[H264]) for _ in range(2)])


@stream
def h264_udp_lost() -> Iterator[Entry]:
    packets = pictures(CLIPS[H264])
    struck = [n for n, p in enumerate(packets) if p[4:8] == (4 * STEP).to_bytes(4, "big")]
    return over_udp([p for n, p in enumerate(packets) if n not in struck[3:5]])


@stream
def h264_udp_from_ports_untold() -> Iterator[Entry]:
    return over_udp(pictures(CLIPS[H264]), with_ports=False)


@stream
def h264_udp_a_lone_stranger() -> Iterator[Entry]:
    packets = pictures(CLIPS[H264])
    return over_udp([*packets[:6], rtp(9, 9, b"\x65\x80", source=99), b"short", *packets[6:]])


@stream
def h265_plain() -> Iterator[Entry]:
    return said(pictures(CLIPS[H265], codec="h265"), description("h265"))


@stream
def h265_aggregates() -> Iterator[Entry]:
    packets: list[bytes] = []
    for number, unit in enumerate(CLIPS["h265-small"]):
        if len(unit) > 1:
            packets.append(rtp(len(packets), number * STEP, aggregate(unit[:-1], "h265")))
        packets.append(rtp(len(packets), number * STEP, aggregate((unit[-1], b"\x50\x01\x80"), "h265"), marker=True))
    return said(packets, description("h265"))


@stream
def h265_sets_described_only() -> Iterator[Entry]:
    units, sets = CLIPS[H265], CLIPS[H265][0][:3]
    return said(pictures([unit[-1:] for unit in units], codec="h265"), description("h265", sets))


@stream
def h265_size_changes() -> Iterator[Entry]:
    units = [*CLIPS[H265][:4], *CLIPS["h265-small"][4:8], *CLIPS[H265][8:]]
    return said(pictures(units, codec="h265"), description("h265"))


@stream
def h265_missing_sps() -> Iterator[Entry]:
    units = [(unit[0], *unit[2:]) if len(unit) == 4 else unit for unit in CLIPS[H265]]
    return said(pictures(units, codec="h265"), description("h265"))


def reordered(codec: str, shown: Sequence[int]) -> Iterator[Entry]:
    packets: list[bytes] = []
    for number, unit in zip(shown, CLIPS[f"{codec}-reordered"], strict=True):
        packets += picture(unit, len(packets), 90_000 + number * STEP, codec=codec)
    return said(packets, description(codec))


@stream
def h264_b_frames() -> Iterator[Entry]:
    return reordered("h264", (0, 3, 1, 2, 5, 4, 6, 9, 7, 8, 11, 10))


@stream
def h265_b_frames() -> Iterator[Entry]:
    return reordered("h265", (0, 3, 2, 1, 5, 4, 6, 9, 8, 7, 11, 10))


@stream
def h265_decoding_order_numbers() -> Iterator[Entry]:
    return opened(description("h265", fmtp=";sprop-max-don-diff=2"))


def to_bytes(entries: Iterator[Entry]) -> bytes:
    return b"".join(f"{kind} {len(data)}\n".encode() + data for kind, data in entries)


def from_bytes(data: bytes) -> Iterator[Entry]:
    at = 0
    while at < len(data):
        end = data.index(b"\n", at)
        kind, size = data[at:end].decode().split()
        at = end + 1 + int(size)
        yield kind, data[end + 1 : at]


def build(folder: Path) -> dict[str, str]:
    """Writes every stream; their SHA-256."""
    folder.mkdir(parents=True, exist_ok=True)
    hashes = {}
    for name, make in STREAMS.items():
        data = to_bytes(make())
        (folder / f"{name}.exchange").write_bytes(data)
        hashes[name] = hashlib.sha256(data).hexdigest()
    return hashes


if __name__ == "__main__":
    for built, digest in build(Path(sys.argv[1])).items():
        sys.stdout.write(f"{digest}  {built}\n")
