"""Datagrams of one RTP source in the order of their sequence numbers (RFC 3550 section 5.1 and appendix A.1). Pure.

What comes in order goes on where it lies, framed as on TCP, so that the same parser takes it. What comes early is
held, bounded in packets, bytes and time, until the hole before it is filled or given up; what comes late or twice is
dropped and counted. A hole that was given up is no business of ours any more: the parser sees it in the numbers.

Another source (SSRC), or far other numbers, may be a camera that began anew or somebody else's: at least two packets
near each other are wanted, and a second's silence of the source before. What came meanwhile is held, not lost.
"""

from __future__ import annotations

import struct

HOLD_S = 0.2
HOLD_PACKETS = 2048
HOLD_BYTES = 4 * 1024 * 1024
SILENT_S = 1.0
MAX_AWAY = 3000  # numbers further from the one that is due are another sequence (MAX_DROPOUT)
MIN_SEQUENTIAL = 2
FRAME_BYTES = 4
ROOM = FRAME_BYTES + 65_535  # the most that one datagram takes
CHANNEL = 255  # of the frames: none that a camera can name on its connection as well

_RTP = struct.Struct(">BBHII")
_FRAME = struct.Struct(">BBH")
_NEVER_S = float("-inf")


class Reorder:
    """One RTP port's packets. `source` is None until enough of them have come.

    Invariants: no held number is below the one that is due, nor is that one held when `take` is called. `due` and
    `base`, the first, are unwrapped: their lower 16 bits are what packets bear.
    """

    def __init__(self) -> None:
        self.source: int | None = None
        self.base = self.due = 0
        self.received = 0  # of this source, passed on
        self.late = self.duplicates = self.foreign = 0  # dropped since the start
        self._heard_s = _NEVER_S
        self._held = _Held()
        self._given_up: dict[int, None] = {}
        self._other: tuple[int, int] | None = None  # a candidate: its source and its lowest number
        self._others = _Held()

    @property
    def lost(self) -> int:
        """Packets of this source that did not come in time."""
        return self.due - self.base - self.received

    def take(self, view: memoryview, at: int, size: int, now_s: float) -> int:
        """The datagram of `size` bytes at `at` + 4. What may go on now lies, framed, from `at` to the answer.

        `view` must have ROOM at `at`.
        """
        if size < 12:
            self.foreign += 1
            return at
        first, _, number, _, source = _RTP.unpack_from(view, at + FRAME_BYTES)
        if source != self.source or first >> 6 != 2:
            self._strange(first, source, number, bytes(view[at + FRAME_BYTES : at + FRAME_BYTES + size]), now_s)
            return at
        if number == self.due & 0xFFFF:
            self._heard_s = now_s
            self.due += 1
            self.received += 1
            _FRAME.pack_into(view, at, 0x24, CHANNEL, size)
            at += FRAME_BYTES + size
            return self.release(view, at) if self._held.packets else at
        data = bytes(view[at + FRAME_BYTES : at + FRAME_BYTES + size])
        away = _signed(number - self.due)
        if abs(away) > MAX_AWAY:
            self._strange(first, source, number, data, now_s)
            return at
        self._heard_s = now_s
        if away < 0:
            self._behind(self.due + away)
        elif not self._held.add(self.due + away, data, now_s):
            self.duplicates += 1
        while self._held.is_full:
            at, before = self._give_up(view, at), len(self._held.packets)
            if len(self._held.packets) == before:
                break  # no room: the rest at the next turn
        return at

    def expire(self, view: memoryview, at: int, now_s: float) -> int:
        """To be called once all that has come was taken: gives up what has been waited for too long. As `take`.

        Not before: after a pause of our own, what is waited for may lie in the kernel's buffer.
        """
        while self._held.packets and now_s - self._held.packets[min(self._held.packets)][0] >= HOLD_S:
            before = len(self._held.packets)
            at = self._give_up(view, at)
            if len(self._held.packets) == before:
                return at
        if self._other is not None and not self._held.packets:
            if now_s - self._heard_s < SILENT_S:
                self._forget_before(self._heard_s - HOLD_S)
            elif len(self._others.packets) >= MIN_SEQUENTIAL:
                self._adopt(now_s)
                return self.release(view, at)
        return at

    def release(self, view: memoryview, at: int) -> int:
        """To be called before the takes of each turn: what found no room at the turn before. As `take`."""
        held = self._held
        while (data := held.get(self.due)) is not None and at + FRAME_BYTES + len(data) <= len(view):
            held.remove(self.due)
            _FRAME.pack_into(view, at, 0x24, CHANNEL, len(data))
            at += FRAME_BYTES + len(data)
            view[at - len(data) : at] = data
            self.due += 1
            self.received += 1
        return at

    def _give_up(self, view: memoryview, at: int) -> int:
        """The first hole."""
        lowest = min(self._held.packets)
        for number in range(max(self.due, lowest - MAX_AWAY), lowest):
            self._given_up[number] = None
        while len(self._given_up) > MAX_AWAY:
            del self._given_up[next(iter(self._given_up))]
        self.due = lowest
        return self.release(view, at)

    def _behind(self, number: int) -> None:
        if number in self._given_up:
            del self._given_up[number]
            self.late += 1
        else:
            self.duplicates += 1

    def _strange(self, first: int, source: int, number: int, data: bytes, now_s: float) -> None:
        """A packet that does not go on with the sequence."""
        if first >> 6 != 2:
            self.foreign += 1
            return
        if (
            self._other is not None
            and len(self._others.packets) < MIN_SEQUENTIAL
            and not self._is_other(source, number)
        ):
            self._forget_other()
        if self._other is None:
            self._other = source, number
        begun = self._other[1]
        if not self._is_other(source, number) or not self._others.add(begun + _signed(number - begun), data, now_s):
            self.foreign += 1
        elif self._others.is_full:
            self._forget_other()

    def _is_other(self, source: int, number: int) -> bool:
        return (
            self._other is not None and self._other[0] == source and abs(_signed(number - self._other[1])) <= MAX_AWAY
        )

    def _forget_before(self, heard_s: float) -> None:
        """What another source sent while ours was heard is nobody's."""
        assert self._other is not None
        old = [number for number, (came_s, _) in self._others.packets.items() if came_s < heard_s]
        for number in old:
            self._others.remove(number)
        self.foreign += len(old)
        self._other = (self._other[0], min(self._others.packets)) if self._others.packets else None

    def _forget_other(self) -> None:
        self.foreign += len(self._others.packets)
        self._other, self._others = None, _Held()

    def _adopt(self, now_s: float) -> None:
        assert self._other is not None
        self.source = self._other[0]
        self._held, self._others, self._other = self._others, _Held(), None
        self.due = min(self._held.packets)
        if self.due < 0:  # it began just before its numbers wrapped
            self._held.raise_numbers(1 << 16)
            self.due += 1 << 16
        self.base, self.received, self._heard_s = self.due, 0, now_s
        self._given_up.clear()


class _Held:
    """Packets by their unwrapped number, each with its arrival."""

    def __init__(self) -> None:
        self.packets: dict[int, tuple[float, bytes]] = {}
        self._bytes = 0

    @property
    def is_full(self) -> bool:
        return len(self.packets) > HOLD_PACKETS or self._bytes > HOLD_BYTES

    def add(self, number: int, data: bytes, now_s: float) -> bool:
        """Whether it was not there."""
        if number in self.packets:
            return False
        self.packets[number] = now_s, data
        self._bytes += len(data)
        return True

    def get(self, number: int) -> bytes | None:
        found = self.packets.get(number)
        return found[1] if found else None

    def remove(self, number: int) -> None:
        self._bytes -= len(self.packets.pop(number)[1])

    def raise_numbers(self, by: int) -> None:
        self.packets = {number + by: packet for number, packet in self.packets.items()}


def _signed(difference: int) -> int:
    """Of 16 bits."""
    return (difference + 0x8000 & 0xFFFF) - 0x8000
