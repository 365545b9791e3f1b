"""Byte ranges of HTTP (RFC 9110 section 14). Pure."""

import re

from csu.gateway.errors import Refused

_ONE_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


def parse_range(header: str | None, size: int) -> tuple[int, int] | None:
    """The half-open range of bytes asked for, or None for the whole: no range, several, or another unit, which a
    server may ignore (section 14.2). Raises Refused(RANGE_INVALID) for one outside the content.
    """
    match = _ONE_RANGE.fullmatch(header.replace(" ", "")) if header else None
    if match is None or match.group(1) == match.group(2) == "":
        return None
    first, last = match.groups()
    if not first:  # the last so many bytes
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), min(size, int(last) + 1) if last else size
        if last and int(last) < int(first):
            return None  # not a range at all: ignored
    if start >= end:
        raise Refused("RANGE_INVALID")
    return start, end
