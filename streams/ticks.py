"""The only conversions between 90 kHz media ticks, microseconds and datetimes.

All of them work in integers: a stream that runs for a year must not drift by rounding.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

TICKS_PER_S = 90_000
US_PER_S = 1_000_000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = timedelta(microseconds=1)
_NTP_TO_UNIX_S = 2_208_988_800  # 1900-01-01 to 1970-01-01, RFC 5905 section 6
_ERA_S = 1 << 32


def us_from_90k(ticks_90k: int) -> int:
    """Ticks to microseconds, to the nearest, halves upwards."""
    return (ticks_90k * 100 + 4) // 9 if ticks_90k % 9 else ticks_90k // 9 * 100


def ticks_from_us(us: int) -> int:
    """Microseconds to ticks, to the nearest."""
    return (us * 9 + 50) // 100


def at_from_us(us: int) -> datetime:
    """Microseconds since 1970 (UTC, as `time.time_ns() // 1000`) to an aware datetime."""
    return _EPOCH + timedelta(microseconds=us)


def us_from_at(at: datetime) -> int:
    """An aware datetime to microseconds since 1970. Raises ValueError for a naive one."""
    if at.tzinfo is None:
        raise ValueError("a datetime without a zone has no place on the time line")
    return (at - _EPOCH) // _US


def at_from_ntp(ntp: int) -> datetime:
    """The 64-bit NTP time of an RTCP sender report (RFC 3550 section 4) to a datetime.

    The upper half counts seconds from 1900 and wraps in 2036: values below 1968 belong to the next era
    (RFC 4330 section 3).
    """
    seconds, fraction = ntp >> 32, ntp & 0xFFFFFFFF
    if seconds < _ERA_S // 2:
        seconds += _ERA_S
    return _EPOCH + timedelta(seconds=seconds - _NTP_TO_UNIX_S, microseconds=(fraction * US_PER_S + (1 << 31)) >> 32)


def ntp_from_at(at: datetime) -> int:
    """The inverse of `at_from_ntp`, to the microsecond."""
    seconds, us = divmod(us_from_at(at), US_PER_S)
    return ((seconds + _NTP_TO_UNIX_S) % _ERA_S) << 32 | ((us << 32) // US_PER_S)


def unwrap_90k(last_90k: int, rtp: int) -> int:
    """The unwrapped time nearest to `last_90k` whose low 32 bits are `rtp`.

    RTP time wraps every 13 h 15 min; packets are never 6.6 h apart, so the nearest is the right one.
    """
    delta = (rtp - last_90k) & 0xFFFFFFFF
    return last_90k + (delta - (1 << 32) if delta & 0x80000000 else delta)
