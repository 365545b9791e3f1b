"""The reorder buffer: every permutation, loss and repetition; bounds; who may take over."""

import struct
from collections.abc import Iterable

from hypothesis import given, settings
from hypothesis import strategies as st
from rtsp_camera import rtp

from streams.rtsp import reorder
from streams.rtsp.reorder import CHANNEL, FRAME_BYTES, ROOM, Reorder
from streams.rtsp.rtcp import Reception, receiver_report

BEAT_S = 0.04


class Line:
    """A reorder buffer with its view, as the sockets' reader uses it."""

    def __init__(self, size: int = 3 * ROOM) -> None:
        self.order = Reorder()
        self.view = memoryview(bytearray(size))
        self.out: list[bytes] = []
        self.now_s = 100.0

    def turn(self, packets: Iterable[bytes] = (), after_s: float = BEAT_S) -> list[bytes]:
        """What comes out at one beat; what finds no room waits for the next, as in the kernel's buffer."""
        self.now_s += after_s
        before, waiting = len(self.out), list(packets)
        while True:
            at = self.order.release(self.view, 0)
            while waiting and at + ROOM <= len(self.view):
                packet = waiting.pop(0)
                self.view[at + FRAME_BYTES : at + FRAME_BYTES + len(packet)] = packet
                at = self.order.take(self.view, at, len(packet), self.now_s)
            if not waiting:
                at = self.order.expire(self.view, at, self.now_s)
            self._unframe(at)
            if not at and not waiting:
                return self.out[before:]

    def begin(self, packets: Iterable[bytes]) -> list[bytes]:
        """A source is taken up at the beat after its first packets."""
        return self.turn(packets) + self.turn()

    def _unframe(self, end: int) -> None:
        at = 0
        while at < end:
            dollar, channel, size = struct.unpack_from(">BBH", self.view, at)
            assert (dollar, channel) == (0x24, CHANNEL)
            self.out.append(bytes(self.view[at + FRAME_BYTES : at + FRAME_BYTES + size]))
            at += FRAME_BYTES + size
        assert at == end


def packet(number: int, source: int = 7, size: int = 5) -> bytes:
    made = rtp(number, 1, bytes((number & 255,)) * size)
    return made[:8] + source.to_bytes(4, "big") + made[12:]


def test_in_order_nothing_is_held_or_counted() -> None:
    line = Line()
    packets = [packet(65_500 + n) for n in range(100)]
    assert line.begin(packets[:2]) == packets[:2]
    for at in range(2, 100, 7):
        assert line.turn(packets[at : at + 7]) == packets[at : at + 7]
    order = line.order
    assert (order.received, order.lost, order.late, order.duplicates, order.foreign) == (100, 0, 0, 0, 0)
    assert order.due == 65_600


def test_numbers_that_begin_just_before_they_wrap_and_come_in_disorder() -> None:
    line = Line()
    assert line.begin([packet(1), packet(65_535), packet(0)]) == [packet(65_535), packet(0), packet(1)]
    assert line.turn([packet(2)]) == [packet(2)]
    assert line.order.lost == 0


def test_a_hole_is_waited_for_then_given_up_and_its_packet_is_late() -> None:
    line = Line()
    line.begin([packet(0), packet(1)])
    assert line.turn([packet(3), packet(4)]) == []
    assert line.turn(after_s=reorder.HOLD_S / 2) == []
    assert line.turn(after_s=reorder.HOLD_S) == [packet(3), packet(4)]
    assert line.turn([packet(2), packet(3), packet(5)]) == [packet(5)]
    order = line.order
    assert (order.received, order.lost, order.late, order.duplicates) == (5, 1, 1, 1)


def test_a_filled_hole_is_no_loss() -> None:
    line = Line()
    line.begin([packet(0), packet(1)])
    assert line.turn([packet(3), packet(5), packet(4)]) == []
    assert line.turn([packet(2)]) == [packet(2), packet(3), packet(4), packet(5)]
    assert line.order.lost == 0


def test_what_is_held_is_bounded_in_packets_and_bytes() -> None:
    line = Line()
    line.begin([packet(0), packet(1)])
    many = [packet(3 + n) for n in range(reorder.HOLD_PACKETS)]
    assert line.turn(many, after_s=0.0) == []
    over = packet(3 + reorder.HOLD_PACKETS)
    assert line.turn([over], after_s=0.0) == [*many, over]
    assert line.order.lost == 1
    large = [packet(number=5000 + n, size=60_000) for n in range(80)]
    line = Line()
    line.begin([packet(4998), packet(4999)])
    out = line.turn(large[1:], after_s=0.0)
    assert out == large[1:]
    assert line.order.lost == 1


@settings(max_examples=200)
@given(
    first=st.integers(0, 65_535),
    count=st.integers(4, 120),
    drawn=st.randoms(use_true_random=False),
    loss=st.floats(0, 0.4),
    twice=st.floats(0, 0.4),
    away=st.integers(0, 30),
    turn=st.integers(1, 20),
)
def test_any_disorder_within_the_bounds_comes_out_in_order(first, count, drawn, loss, twice, away, turn) -> None:
    packets = [packet(first + n, size=1 + n % 9) for n in range(count)]
    kept = [n for n in range(count) if n < 2 or drawn.random() >= loss]
    sent = sorted(
        (n for n in kept for _ in range(1 + (drawn.random() < twice))), key=lambda n: n + drawn.random() * away
    )
    line = Line()
    for at in range(0, len(sent), turn):
        line.turn((packets[n] for n in sent[at : at + turn]), after_s=0.0)
    for _ in range(3):
        line.turn(after_s=2.0)
    order = line.order
    if order.source is None:  # never two packets that belong together
        return
    begun = packets.index(line.out[0])
    wanted = [packets[n] for n in kept if n >= begun]
    assert line.out == wanted
    assert order.received == len(wanted)
    assert order.lost == max(kept) + 1 - begun - len(wanted)


@settings(max_examples=300)
@given(
    st.lists(
        st.tuples(st.integers(0, 65_535), st.sampled_from((7, 7, 7, 8)), st.integers(0, 40), st.floats(0, 1.5)),
        max_size=80,
    ),
    st.lists(st.binary(max_size=20), max_size=10),
)
def test_anything_at_all_keeps_the_numbers_rising(shapes, noise) -> None:
    line = Line()
    line.begin([packet(n) for n in range(3)])
    for (number, source, size, after_s), garbage in zip(shapes, noise * 80, strict=False):
        line.turn([packet(number, source, size), garbage], after_s=after_s)
    for number, source, size, after_s in shapes:
        line.turn([packet(number, source, size)], after_s=after_s)
    last: dict[int, int] = {}
    source = None
    for out in line.out:
        _, _, number, _, now = struct.unpack_from(">BBHII", out)
        if now == source and (number - last[now] & 0xFFFF) < 0x8000:
            assert number != last[now]
        source, last[now] = now, number
    assert line.order.lost >= 0
    assert len(line.order._held.packets) <= reorder.HOLD_PACKETS + 1


def test_a_stranger_takes_over_only_after_silence_and_loses_nothing() -> None:
    line = Line()
    line.begin([packet(n) for n in range(5)])
    for n in range(5, 60):  # both at once: the first is kept
        assert line.turn([packet(n), packet(900 + n, 8)]) == [packet(n)]
    foreign = line.order.foreign
    assert foreign > 0
    ours = [packet(2000 + n, 8) for n in range(40)]
    out = [x for made in ours for x in line.turn([made])]
    assert out[-40:] == ours
    assert line.order.source == 8


def test_after_a_pause_of_our_own_what_lies_in_the_kernel_counts_first() -> None:
    line = Line()
    line.begin([packet(n) for n in range(5)])
    assert line.turn([packet(6), packet(900, 8), packet(901, 8)]) == []
    assert line.turn([packet(902, 8), packet(5), packet(7)], after_s=3.0) == [packet(5), packet(6), packet(7)]
    assert (line.order.source, line.order.lost) == (7, 0)


def test_a_lone_stranger_never_takes_over() -> None:
    line = Line()
    line.begin([packet(0), packet(1)])
    assert line.turn([packet(500, 9)], after_s=2.0) == []
    assert line.turn(after_s=5.0) == []
    assert line.turn([packet(2)]) == [packet(2)]


def test_numbers_that_begin_anew_are_taken_up_after_silence() -> None:
    line = Line()
    line.begin([packet(30_000), packet(30_001)])
    anew = [packet(5 + n) for n in range(50)]
    out = [x for made in anew for x in line.turn([made])]
    assert out == anew
    assert line.order.lost == 0


def test_a_receiver_report_is_as_the_rfc_draws_it() -> None:
    empty = receiver_report(1, None)
    assert empty[:8] == bytes.fromhex("80c9000100000001")
    told = Reception(7, 200, 12, 100, 2, 70_000, last_report=0xABCD1234, since_report_s=1.5)
    data = receiver_report(1, told)
    version, kind, words, ours, source = struct.unpack_from(">BBHII", data)
    assert (version, kind, words, ours, source) == (0x81, 201, 7, 1, 7)
    fraction_and_lost, highest, jitter, last, delay = struct.unpack_from(">IIIII", data, 12)
    assert fraction_and_lost == (10 * 256 // 100) << 24 | 12
    assert (highest, jitter, last, delay) == (70_000, 0, 0xABCD1234, 98_304)
    at = 4 * (words + 1)
    assert data[at + 1] == 202
    assert len(data) == at + 4 * (int.from_bytes(data[at + 2 : at + 4], "big") + 1)
    assert data[at + 8] == 1  # CNAME
