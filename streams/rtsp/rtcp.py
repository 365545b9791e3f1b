"""What we tell a camera that sends over UDP: receiver reports (RFC 3550 section 6.4.2) with a CNAME (6.5.1). Pure."""

from __future__ import annotations

import struct
from dataclasses import dataclass

_RECEIVER_REPORT, _DESCRIPTION = 201, 202


@dataclass(frozen=True, slots=True)
class Reception:
    """What was received of one source.

    `highest` is the unwrapped sequence number, `last_report` the middle 32 bits of the NTP time in the last sender
    report, which came `since_report_s` ago; 0 where there was none.
    """

    source: int
    expected: int
    lost: int
    expected_before: int  # as of our own last report
    lost_before: int
    highest: int
    last_report: int = 0
    since_report_s: float = 0.0


def receiver_report(ours: int, reception: Reception | None) -> bytes:
    """`ours` is our own SSRC. Jitter is told as 0: packets are read on a beat, so their arrivals cannot tell it."""
    blocks = b"" if reception is None else _block(reception)
    report = struct.pack(">BBHI", 0x80 | (reception is not None), _RECEIVER_REPORT, 1 + len(blocks) // 4, ours) + blocks
    name = f"csu-{ours:08x}".encode()  # of the session only (RFC 7022): it says nothing about the machine
    item = bytes((1, len(name))) + name
    item += bytes(4 - len(item) % 4)
    return report + struct.pack(">BBHI", 0x81, _DESCRIPTION, 1 + len(item) // 4, ours) + item


def _block(reception: Reception) -> bytes:
    expected = reception.expected - reception.expected_before
    lost = max(reception.lost - reception.lost_before, 0)
    fraction = min(lost * 256 // expected, 255) if expected > 0 else 0
    return struct.pack(
        ">IIIIII",
        reception.source,
        fraction << 24 | min(max(reception.lost, 0), 0x7FFFFF),
        reception.highest & 0xFFFFFFFF,
        0,
        reception.last_report,
        min(round(reception.since_report_s * 65_536), 0xFFFFFFFF) if reception.last_report else 0,
    )
