"""RTP packets of one video track to access units, in place (RFC 3550; H.264: RFC 6184; H.265: RFC 7798). Pure.

`feed` is the path that every byte of every camera takes, so it is written for speed: the middle pieces of a
fragmented picture (nine packets in ten) are handled inside its loop with one comparison each and no call.
A picture's pieces stay views of the caller's buffer and are joined once; `settle` copies those that must
outlive the buffer.

What is lost: a hole in the sequence numbers is counted and told by the next packet's `lost_before`. An
access unit with a hole inside is dropped, its packets added to the count; whole ones after it are kept, key
frame or not, because a blurred picture with a remark is worth more than none. The first picture given is a
key frame.

Several sources (SSRC) on one channel: a new one takes over at its first packet, from its first key frame on, and
its media time is another, so that a run is cut. When the one before goes on too, both send at once: then the
first is kept, and the other passed over for as long as the first is heard.
"""

from __future__ import annotations

import struct
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar

from streams import h265
from streams.codecs import H264, H265, Codec
from streams.decode_times import DecodeTimes
from streams.errors import CameraError, CameraFault
from streams.packets import Packet, VideoFormat
from streams.parameters import ParameterSets

MAX_UNIT_BYTES = 8 * 1024 * 1024
MAX_UNIT_PIECES = 65_536
HEAD_BYTES = 19  # '$', channel, length, RTP header, up to the FU header: what `feed` may look at
STRANGER_S = 1.0  # a source that is passed over may take over after so long a silence
MAX_STRANGERS = 64
KEYS_WITHOUT_SETS = 3  # so many key frames, and never a parameter set

_RTP = struct.Struct(">BBHII")
_NO_FRAGMENT = -1
_MARKER = 0x00800000
_HALF = 1 << 31


class VideoReader(ABC):
    """One track's state. Gives whole access units to `emit`; raises only CameraError.

    What differs from codec to codec is in the subclasses. `_HEAD` reads the first word ('$', channel, length), the
    second (flags, type, sequence), the RTP time, and the four bytes that end with the FU header: in these lies the
    source's tail as well.

    Invariants: `_pieces` holds the open access unit's NAL units, each behind its 4-byte length; the last is
    unfinished while `_fragment` is not _NO_FRAGMENT. `_size` is the sum of their lengths. A damaged access
    unit holds no piece and no fragment.
    """

    codec: ClassVar[Codec]
    _HEAD: ClassVar[struct.Struct]
    _FU_BYTES: ClassVar[int]  # payload header and FU header
    _FU_KIND: ClassVar[int]  # the bits of those that every piece of a fragment shares

    def __init__(self, emit: Callable[[Packet], None], parameter_sets: tuple[bytes, ...] = ()) -> None:
        self.pts_90k: int | None = None  # of the last access unit, given or not
        self.finished_s = 0.0  # when the last access unit was complete, be it before the first key frame
        self.started = False  # whether the first key frame has come
        self.lost_total = 0  # RTP packets missing since the start
        self.source: int | None = None  # SSRC
        self.sources = 0  # how many there have been
        self._emit = emit
        self._mark = -1  # '$' and channel: the upper half of a packet's first word
        self._payload_type = -1
        self._plain = 0  # version 2, no flags, our payload type: the upper half of its second word
        self._expected = -1  # _plain with the next sequence number
        self._stamp: int | None = None  # RTP time of the open access unit
        self._closed_stamp: int | None = None  # of the one that its marker just ended
        self._pieces: list[bytes | bytearray | memoryview] = []
        self._settled = 0  # pieces that no longer point into the caller's buffer
        self._settled_s = 0.0
        self._size = 0
        self._fragment = _NO_FRAGMENT  # what `_HEAD` reads last, of the open fragment's middle pieces
        self._fragment_head = bytearray()
        self._fragment_at = self._fragment_base = 0
        self._has_slice = self._is_key = self._damaged = False
        self._trust_marker = True
        self._lost = 0
        self._former: int | None = None  # the source before
        self._strangers: set[int] = set()
        self._heard_s = 0.0
        self._passed_over_from_s = self._passed_over_s = 0.0  # strangers' packets since the source was last heard
        self._epoch_90k = 0  # added to a source's media time
        self._waits_key = True
        self._keys_without_sets = 0
        self._parameters = ParameterSets(parameter_sets, self.codec)
        self._decode_times = DecodeTimes(self.codec)

    def attach(self, channel: int, payload_type: int) -> None:
        """From now on packets on this interleaved channel are the track's."""
        self._mark = 0x24 << 8 | channel
        self._payload_type = payload_type
        self._plain = (0x80 << 8 | payload_type) << 16

    @property
    def inside(self) -> bool:
        """Whether an access unit has begun and not ended."""
        return self._stamp is not None

    @property
    def format(self) -> VideoFormat | None:
        return self._parameters.format

    def feed(self, view: memoryview, at: int, end: int, now_s: float) -> int:
        """Takes the whole packets of this track that begin at `at`; returns where something else begins.

        `view` must be longer than `end` by HEAD_BYTES; what lies there is not used.
        """
        unpack, mark, head_bytes = self._HEAD.unpack_from, self._mark, 16 + self._FU_BYTES
        while end - at >= 4:
            expected, fragment, stamp, size = self._expected, self._fragment, self._stamp, self._size
            append = self._pieces.append
            while True:
                word, second, time, kind = unpack(view, at)
                after = at + 4 + (word & 0xFFFF)
                if after > end or word >> 16 != mark:
                    self._expected, self._size = expected, size
                    return at
                if kind != fragment or second != expected or time != stamp or after - at < head_bytes:
                    break
                append(view[at + head_bytes : after])
                size += after - at - head_bytes
                expected = expected + 1 if expected & 0xFFFF != 0xFFFF else expected - 0xFFFF
                at = after
                if end - at < 4:
                    self._expected, self._size = expected, size
                    return at
            self._expected, self._size = expected, size
            if kind == fragment | 0x40 and second == expected | _MARKER and time == stamp and after - at > head_bytes:
                append(view[at + head_bytes : after])
                self._size = size + after - at - head_bytes
                self._expected = self._plain | ((expected + 1) & 0xFFFF)
                self._close_fragment()
                if self._trust_marker and self._has_slice:
                    self._finish(now_s)
                    self._closed_stamp = time
            else:
                self._packet(view, at + 4, after, now_s)
            at = after
        return at

    def settle(self, now_s: float) -> None:
        """Copies what still points into the caller's buffer, which may now be overwritten."""
        pieces = self._pieces
        if self._settled == len(pieces):
            return
        for at in range(self._settled, len(pieces)):
            piece = pieces[at]
            if type(piece) is memoryview:
                pieces[at] = bytes(piece)
        self._settled, self._settled_s = len(pieces), now_s
        if self._size > MAX_UNIT_BYTES or len(pieces) > MAX_UNIT_PIECES:
            raise CameraError(
                CameraFault.GARBAGE, f"a picture of {self._size} bytes in {len(pieces)} pieces, and no end"
            )

    def _packet(self, view: memoryview, at: int, end: int, now_s: float) -> None:
        """One RTP packet of any shape (RFC 3550 section 5.1)."""
        if end - at < 12:
            return  # some cameras keep the connection awake with empty ones
        first, second, sequence, stamp, source = _RTP.unpack_from(view, at)
        if second & 0x7F != self._payload_type or first >> 6 != 2:
            return
        payload = at + 12
        if first != 0x80:
            payload, end = _payload_bounds(view, at, end, first)
            if payload > end:
                return  # a header that cannot be: as good as lost, and counted so by the next packet
        if source != self.source and not self._takes_over(source, now_s):
            return
        self._heard_s = now_s
        if sequence != self._expected & 0xFFFF:
            self._count_missing(sequence)
        self._expected = self._plain | ((sequence + 1) & 0xFFFF)
        if stamp != self._stamp:
            self._finish(now_s)
            self._stamp = stamp
        if payload < end and not self._damaged:
            self._payload(view, payload, end)
        if second & 0x80 and self._trust_marker and self._ends_here():
            self._finish(now_s)
            self._closed_stamp = stamp

    def _takes_over(self, source: int, now_s: float) -> bool:
        """Whether another source's packet is to be taken; if so, nothing of the one before goes on."""
        if source in self._strangers and not self._is_silent(now_s):
            return False
        if self.source is not None:
            if source == self._former and now_s < self._heard_s + STRANGER_S:
                self._strangers.add(self.source)
                if len(self._strangers) > MAX_STRANGERS:
                    raise CameraError(CameraFault.GARBAGE, f"more than {MAX_STRANGERS} RTP sources at once")
            if self._stamp is not None:
                self._damage()
                self._finish(now_s)
            self._expected = -1
            self._closed_stamp = None
            self._waits_key = True
            self._epoch_90k += 1 << 33
        self._former, self.source = self.source, source
        self.sources += 1
        return True

    def _is_silent(self, now_s: float) -> bool:
        """Whether the source that is read sent nothing for so long, while a stranger did all the time.

        Had we only looked at the clock, a pause of our own would let in the stranger that comes first after it.
        """
        if self._passed_over_from_s <= self._heard_s or now_s >= self._passed_over_s + STRANGER_S:
            self._passed_over_from_s = now_s
        self._passed_over_s = now_s
        return now_s >= self._passed_over_from_s + STRANGER_S

    def _count_missing(self, sequence: int) -> None:
        if self._expected < 0:
            return  # the first packet of all
        # Behind us: a camera that restarted its numbers. How many are gone can't be known.
        missing = (sequence - self._expected) & 0xFFFF
        missing = missing if missing < 0x8000 else 1
        self._lost += missing
        self.lost_total += missing
        self._closed_stamp = None
        if self._has_slice or self._fragment != _NO_FRAGMENT:
            self._damage()  # before the first slice nothing of the picture itself is gone, or `_joins` sees it

    def _ends_here(self) -> bool:
        """Whether a marker ends the access unit: some cameras also set it on parameter sets."""
        return self._damaged or (self._has_slice and self._fragment == _NO_FRAGMENT)

    def _damage(self) -> None:
        """The open access unit has a hole: nothing more of it is kept."""
        self._damaged = True
        self._fragment = _NO_FRAGMENT
        self._pieces = []
        self._settled = self._size = 0

    @abstractmethod
    def _payload(self, view: memoryview, at: int, end: int) -> None:
        """The first bytes say what a payload is."""

    @abstractmethod
    def _nal_header(self, view: memoryview, at: int) -> bytes:
        """Of the NAL unit that is fragmented in the payload at `at`."""

    def _aggregate(self, view: memoryview, at: int, end: int) -> None:
        """NAL units behind each other, each after its length in 2 bytes."""
        while at < end and not self._damaged:
            size = view[at] << 8 | view[at + 1] if at + 2 <= end else 0
            if not 0 < size <= end - at - 2:
                self._damage()
                return
            self._nal(view, at + 2, at + 2 + size)
            at += 2 + size

    def _nal(self, view: memoryview, at: int, end: int) -> None:
        """A NAL unit in one piece."""
        codec = self.codec
        kind = codec.kind_of(view[at])
        if kind in codec.without_picture:
            return
        if kind in (codec.sps, codec.pps, codec.vps) and self._parameters.take(bytes(view[at:end])):
            return
        body = at + self._FU_BYTES - 1
        if self._joins(kind, view[body] if body < end else 0):
            self._pieces += ((end - at).to_bytes(4, "big"), view[at:end])
            self._size += 4 + end - at

    def _joins(self, kind: int, first_byte: int) -> bool:
        """Notes that a NAL unit begins; one from the middle of a picture shows that its start is missing."""
        if kind in self.codec.slices:
            # H.264: a picture's first slice begins with macroblock 0, which Exp-Golomb writes as a single 1 bit.
            # H.265: the bit is a flag that says just this.
            if not first_byte & 0x80 and not self._has_slice:
                # With no packet missing, the marker came too early: this camera sets one per NAL unit.
                self._trust_marker = self._trust_marker and self._stamp != self._closed_stamp
                self._damage()
                return False
            self._has_slice = True
            self._is_key = self._is_key or kind in self.codec.keys
        return True

    def _fragment_piece(self, view: memoryview, at: int, end: int) -> None:
        """FU-A, RFC 6184 section 5.8; FU, RFC 7798 section 4.4.3."""
        body = at + self._FU_BYTES
        if end <= body:
            self._damage()
            return
        head = view[body - 1]
        fragment = (self.source or 0) << 8 * self._FU_BYTES & 0xFFFFFFFF
        fragment |= int.from_bytes(view[at:body], "big") & self._FU_KIND
        if head & 0x80 and self._fragment == _NO_FRAGMENT:
            header = self._nal_header(view, at)
            if not self._joins(self.codec.kind_of(header[0]), view[body]):
                return
            self._fragment = fragment
            self._fragment_head = bytearray(b"\0\0\0\0" + header)
            self._fragment_at, self._fragment_base = len(self._pieces), self._size
            self._pieces += (self._fragment_head, view[body:end])
            self._size += len(self._fragment_head) + end - body
        elif self._fragment == fragment and not head & 0x80:
            self._pieces.append(view[body:end])
            self._size += end - body
        else:
            self._damage()
            return
        if head & 0x40:
            self._close_fragment()

    def _close_fragment(self) -> None:
        self._fragment = _NO_FRAGMENT
        head, codec = self._fragment_head, self.codec
        kind = codec.kind_of(head[4])
        if kind in (codec.sps, codec.pps, codec.vps) or kind in codec.without_picture:
            nal = bytes(head[4:]) + b"".join(self._pieces[self._fragment_at + 1 :])
            del self._pieces[self._fragment_at :]
            self._size = self._fragment_base
            self._settled = min(self._settled, len(self._pieces))
            self._nal(memoryview(nal), 0, len(nal))
        else:
            head[:4] = (self._size - self._fragment_base - 4).to_bytes(4, "big")

    def _finish(self, now_s: float) -> None:
        """Ends the open access unit: gives it, or notes that it is lost."""
        stamp, pieces = self._stamp, self._pieces
        if stamp is None:
            return
        if self._fragment != _NO_FRAGMENT:
            self._damage()
        if self._damaged:
            self._lost = self._lost or 1
        elif self._has_slice:
            self.finished_s = now_s
            self._give(stamp, self._settled_s if self._settled == len(pieces) else now_s)
        self._stamp = self._closed_stamp = None
        self._pieces = []
        self._settled = self._size = 0
        self._has_slice = self._is_key = self._damaged = False

    def _give(self, stamp: int, received_s: float) -> None:
        last_90k, is_key, parameters = self.pts_90k, self._is_key, self._parameters
        # Unwrapped: the time nearest to the last picture's with these low 32 bits, as `ticks.unwrap_90k` says.
        near_90k = stamp if last_90k is None else last_90k + self._epoch_90k
        pts_90k = near_90k + ((stamp - near_90k + _HALF) & 0xFFFFFFFF) - _HALF
        self._epoch_90k = 0
        self.pts_90k = pts_90k
        format = parameters.renew() if is_key else parameters.format
        if format is None:
            self._note_missing_sets(is_key)
            return
        if self._waits_key and not is_key:
            return
        data = b"".join(self._pieces)
        offset_90k = pts_90k - self._decode_times.dts_90k(pts_90k, is_key, data, format)
        if is_key and parameters.further:
            data = parameters.further + data
        self.started, self._waits_key = True, False
        lost, self._lost = self._lost, 0
        self._emit(Packet(data, pts_90k, is_key, received_s, format, lost, offset_90k))

    def _note_missing_sets(self, is_key: bool) -> None:
        self._keys_without_sets += is_key
        if self._keys_without_sets >= KEYS_WITHOUT_SETS:
            raise CameraError(CameraFault.GARBAGE, f"{KEYS_WITHOUT_SETS} key frames, and no whole parameter sets")


class H264Reader(VideoReader):
    """RFC 6184, packetization modes 0 and 1."""

    codec = H264
    _HEAD = struct.Struct(">III2xI")
    _FU_BYTES = 2
    _FU_KIND = 0xFF1F

    def _payload(self, view: memoryview, at: int, end: int) -> None:
        """RFC 6184 section 5.2."""
        kind = view[at] & 31
        if kind == 28:
            self._fragment_piece(view, at, end)
        elif self._fragment != _NO_FRAGMENT:
            self._damage()
        elif kind == 24:
            self._aggregate(view, at + 1, end)
        elif 1 <= kind <= 23:
            self._nal(view, at, end)
        else:
            self._damage()  # interleaved modes, which packetization-mode 0 and 1 exclude

    def _nal_header(self, view: memoryview, at: int) -> bytes:
        return bytes(((view[at] & 0xE0) | (view[at + 1] & 31),))


class H265Reader(VideoReader):
    """RFC 7798 without decoding order numbers; of a layered stream the base layer."""

    codec = H265
    _HEAD = struct.Struct(">III3xI")
    _FU_BYTES = 3
    _FU_KIND = 0xFFFF3F

    def _payload(self, view: memoryview, at: int, end: int) -> None:
        """RFC 7798 section 4.4."""
        kind = h265.kind_of(view[at])
        if kind == h265.FRAGMENT:
            self._fragment_piece(view, at, end)
        elif self._fragment != _NO_FRAGMENT:
            self._damage()
        elif kind == h265.AGGREGATE:
            self._aggregate(view, at + 2, end)
        elif kind < h265.AGGREGATE:
            self._nal(view, at, end)
        else:
            self._damage()  # PACI, or what no standard knows

    def _nal(self, view: memoryview, at: int, end: int) -> None:
        if end - at > 2 and not h265.layer_of(view[at], view[at + 1]):
            super()._nal(view, at, end)

    def _nal_header(self, view: memoryview, at: int) -> bytes:
        return bytes((view[at] & 0x81 | (view[at + 2] & 63) << 1, view[at + 1]))


_READERS: dict[str, type[VideoReader]] = {reader.codec.name: reader for reader in (H264Reader, H265Reader)}


def reader_of(codec: str, emit: Callable[[Packet], None], parameter_sets: tuple[bytes, ...] = ()) -> VideoReader:
    return _READERS[codec](emit, parameter_sets)


def _payload_bounds(view: memoryview, at: int, end: int, first: int) -> tuple[int, int]:
    """Where the payload lies behind CSRCs and header extension, and before the padding; it may lie nowhere."""
    payload = at + 12 + 4 * (first & 15)
    if first & 0x10 and payload + 4 <= end:
        payload += 4 + 4 * (view[payload + 2] << 8 | view[payload + 3])
    elif first & 0x10:
        payload = end + 1
    if first & 0x20:
        end -= view[end - 1]
    return payload, end
