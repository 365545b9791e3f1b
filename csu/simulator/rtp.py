"""RTP and RTCP as interleaved on a camera's connection (RFC 3550; RFC 6184: H.264; RFC 7798: H.265; RFC 2326 10.12)."""

import struct
from collections.abc import Sequence

VIDEO_TYPE = 96
PCMA_TYPE = 8
_MAX_PAYLOAD = 1400
_NTP_EPOCH_S = 2_208_988_800  # 1970 in seconds since 1900
_FRAMED = struct.Struct(">BBHBBHII")  # '$', channel, length | version, marker and type, sequence, time, ssrc
_CNAME = b"csu-simulator"


def packetise(
    nals: Sequence[bytes], channel: int, sequence: int, rtp_90k: int, ssrc: int, codec: str = "h264"
) -> tuple[bytes, int]:
    """One access unit as framed RTP packets, ready for the socket; and how many packets they are.

    NAL units that fit are sent singly, the others as FU-A (H.265: FU). The last packet bears the marker.
    """
    nal_header = 1 if codec == "h264" else 2
    out: list[bytes] = []
    count = 0
    pack = _FRAMED.pack
    for nal in nals:
        last = nal is nals[-1]
        if len(nal) <= _MAX_PAYLOAD:
            kind = VIDEO_TYPE | (0x80 if last else 0)
            out.append(pack(0x24, channel, 12 + len(nal), 0x80, kind, (sequence + count) & 0xFFFF, rtp_90k, ssrc))
            out.append(nal)
            count += 1
            continue
        if codec == "h264":
            indicator, kind_of_nal = bytes((nal[0] & 0xE0 | 28,)), nal[0] & 0x1F
        else:
            indicator, kind_of_nal = bytes((nal[0] & 0x81 | 49 << 1, nal[1])), nal[0] >> 1 & 0x3F
        size = len(nal)
        for start in range(nal_header, size, _MAX_PAYLOAD):
            end = min(start + _MAX_PAYLOAD, size)
            closes = end == size
            kind = VIDEO_TYPE | (0x80 if last and closes else 0)
            header = kind_of_nal | (0x80 if start == nal_header else 0) | (0x40 if closes else 0)
            out.append(
                pack(
                    0x24, channel, 13 + nal_header + end - start, 0x80, kind, (sequence + count) & 0xFFFF, rtp_90k, ssrc
                )
                + indicator
                + bytes((header,))
            )
            out.append(nal[start:end])
            count += 1
    return b"".join(out), count


def aggregate(nals: Sequence[bytes], codec: str) -> bytes:
    """NAL units behind each other as the payload of one packet: STAP-A (RFC 6184 5.7.1), AP (RFC 7798 4.4.2)."""
    head = bytes((3 << 5 | 24,)) if codec == "h264" else bytes((48 << 1, 1))
    return head + b"".join(len(nal).to_bytes(2, "big") + nal for nal in nals)


def goodbye(channel: int, ssrc: int) -> bytes:
    """A framed BYE (RFC 3550 6.6)."""
    return struct.pack(">BBHBBHI", 0x24, channel, 8, 0x81, 203, 1, ssrc)


def audio_packet(payload: bytes, channel: int, sequence: int, rtp_8k: int, ssrc: int) -> bytes:
    """One framed packet of PCMA (RFC 3551, static type 8, clock 8000 Hz)."""
    head = _FRAMED.pack(0x24, channel, 12 + len(payload), 0x80, PCMA_TYPE, sequence & 0xFFFF, rtp_8k & 0xFFFFFFFF, ssrc)
    return head + payload


def sender_report(channel: int, at_us: int, rtp: int, packets: int, octets: int, ssrc: int) -> bytes:
    """A framed compound of sender report and CNAME (RFC 3550 6.4.1, 6.5); `rtp` is the media time of `at_us` (UTC)."""
    seconds, rest_us = divmod(at_us, 1_000_000)
    report = struct.pack(
        ">BBHIIIIII",
        0x80,
        200,
        6,
        ssrc,
        (seconds + _NTP_EPOCH_S) & 0xFFFFFFFF,
        (rest_us << 32) // 1_000_000,
        rtp & 0xFFFFFFFF,
        packets & 0xFFFFFFFF,
        octets & 0xFFFFFFFF,
    )
    item = bytes((1, len(_CNAME))) + _CNAME
    item += b"\0" * (4 - len(item) % 4)
    description = struct.pack(">BBHI", 0x81, 202, 1 + len(item) // 4, ssrc) + item
    return struct.pack(">BBH", 0x24, channel, len(report) + len(description)) + report + description
