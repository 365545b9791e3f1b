"""One stream of one camera: what leaves at each tick of 5 ms, the same bytes for every client.

Pure towards the clock: it is told the tick and the time, and hands pieces of frames to its clients.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np

from csu.simulator import clock, distortion, rtp, sei
from csu.simulator.cameras import Quality, Stream
from csu.simulator.client import Client, Tracks
from csu.simulator.faults import CLOCK_AHEAD_S, CLOCK_JUMP_S, EARLY_US, PERIOD_FRAMES, TRICKLE_BYTES, Fault, concerns
from csu.simulator.loops import Frame, Loop

TICK_US = 5_000
_WRITES_PER_FRAME = 8
_MIN_PIECE_BYTES = 256
_REPORT_EVERY_S = 4
_DAY_US = 86_400_000_000
_AUDIO_SAMPLES_PER_S = 8_000


@dataclass(frozen=True, slots=True)
class Manner:
    """How a server serves all its streams."""

    quality: Quality
    burst: bool = False
    audio: bool = False
    udp: bool = False  # over UDP only


class StreamSender:
    """Sends a loop to the clients that play it. Sequence numbers go on whether or not a client took a frame.

    `other` is a loop of the same codec and another size, for the `resize` fault.
    """

    def __init__(self, camera: int, stream: Stream, loop: Loop, manner: Manner, other: Loop | None = None) -> None:
        self.camera, self.stream, self.loop, self.manner = camera, stream, loop, manner
        self.clients: list[Client] = []
        self.fault: Fault | None = None
        self.drops = 0
        self._quality = manner.quality
        self._other = other or loop
        # A picture that is sent early must have been taken: all wait for the one that is shown longest after its turn.
        self._wait = max(frame.ahead for played in (loop, self._other) for frame in (*played.frames, *played.still))
        ticks = manner.quality.profile(stream).ticks_90k
        self._ticks_per_frame = clock.us_of_ticks(ticks) // TICK_US
        self._phase = ceil(clock.us_of_ticks(clock.phase_90k(camera)) / TICK_US)
        self._pieces: dict[Tracks, list[memoryview]] = {}
        self._opened_tick = 0
        self._sent = 0  # pieces of the frame in hand
        self._ssrc = secrets.randbits(32)
        self._sequence = secrets.randbits(16)
        self._other_sequence = secrets.randbits(16)
        self._packets = self._octets = 0
        self._report_due_us = 0

    @property
    def next_sequence(self) -> int:
        return self._sequence & 0xFFFF

    def rtp_time(self, at_us: int) -> int:
        """The media clock of an instant, as the camera believes it: UTC in ticks of 90 kHz, 32 bits of it."""
        return clock.ticks_of_us(at_us + self._clock_error_us) & 0xFFFFFFFF

    def add(self, client: Client) -> None:
        self.clients.append(client)
        self._report_due_us = 0

    def set_fault(self, fault: Fault | None) -> None:
        self.fault = fault
        self._report_due_us = 0

    def tick(self, tick: int, at_s: float) -> None:
        """Send what is due at a tick (UTC microseconds / 5000); `at_s` is the monotonic time.

        Ticks may be left out: a frame that was begun is sent to its end before the next one.
        """
        step = tick - self._opened_tick
        if (tick - self._phase) % self._ticks_per_frame == 0 and not self._trickles(step):
            self._send(max(map(len, self._pieces.values()), default=0), at_s)
            self._opened_tick, self._sent, step = tick, 0, 0
            self._open_frame(tick * TICK_US)
        self._send(step + 1, at_s)

    def _send(self, end: int, at_s: float) -> None:
        """Send the frame in hand up to its piece `end`."""
        for client in self.clients:
            pieces = self._pieces.get(client.tracks)
            if pieces is not None and self._sent < len(pieces):
                drops = client.drops
                for n in range(self._sent, min(end, len(pieces))):
                    client.piece(pieces[n], at_s, n == 0, n == len(pieces) - 1)
                self.drops += client.drops - drops
        self._sent = max(self._sent, end)

    def _trickles(self, step: int) -> bool:
        return self.fault is Fault.TRICKLE and any(step < len(pieces) for pieces in self._pieces.values())

    @property
    def described_sets(self) -> tuple[bytes, ...]:
        """The parameter sets in the description."""
        return () if self.fault is Fault.SETS_IN_BAND else self._sets_of(self.loop)

    def _sets_of(self, loop: Loop) -> tuple[bytes, ...]:
        """The SPS is the last but one."""
        sets = loop.parameter_sets
        return (*sets[:-2], sets[-1]) if self.fault is Fault.MISSING_SPS else sets

    @property
    def _clock_error_us(self) -> int:
        return CLOCK_JUMP_S * 1_000_000 if self.fault is Fault.CLOCK_JUMP else 0

    def _open_frame(self, at_us: int) -> None:
        self.clients = [c for c in self.clients if c.is_open]
        number = clock.number_at(self.camera, self.stream, at_us, self._quality) - self._wait
        if self.fault is Fault.SILENT:
            self._pieces = {}
            return
        variants = {c.tracks for c in self.clients}
        reports = at_us >= self._report_due_us
        if reports:
            self._report_due_us = at_us + _REPORT_EVERY_S * 1_000_000
        frame, sequence = self._frame(number), self._sequence
        capture_us = clock.capture_us(self.camera, self.stream, number + frame.ahead, self._quality)
        stamp = sei.nal(sei.Stamp(capture_us, number + frame.ahead, self.camera), self._quality.codec)
        nals = self._units(number, stamp, frame)
        self._pieces = {}
        for tracks in variants:
            data = b""
            if tracks.video is not None:
                if reports:
                    data = self._report(tracks.video + 1, at_us, number)
                if self.fault is Fault.GOODBYE and number % PERIOD_FRAMES == 0:
                    data += rtp.goodbye(tracks.video + 1, self._ssrc)
                video, count = self._packets_of(nals, tracks.video, sequence, capture_us, number)
                data += video
                self._sequence = sequence + count
            if tracks.audio is not None:
                data = self._audio(tracks.audio, number) + data
            if self.fault is Fault.GARBAGE:
                data = secrets.token_bytes(len(data))
            self._pieces[tracks] = self._cut_whole(data) if tracks.whole else self._cut(memoryview(data))
        self._packets += self._sequence - sequence
        self._octets += sum(map(len, nals))

    def _packets_of(
        self, nals: Sequence[bytes], channel: int, sequence: int, capture_us: int, number: int
    ) -> tuple[bytes, int]:
        """One frame's packets and how many they are, with what the fault in force does to them."""
        struck, codec = concerns(number), self._quality.codec
        if self.fault is Fault.BACKWARDS and struck:
            capture_us -= EARLY_US
        time, source = self.rtp_time(capture_us), self._source_of(number)
        data, count = rtp.packetise(nals, channel, sequence, time, source, codec)
        if self.fault is Fault.TRUNCATED_NAL and struck:
            data, missing = distortion.without_end(data, codec)
            count -= missing
        elif self.fault is Fault.WRONG_EXTENSIONS:
            data = distortion.extended(data, not struck)
        elif self.fault is Fault.TWO_SOURCES:
            theirs, more = rtp.packetise(nals, channel, self._other_sequence, time ^ 0xFFFF, source ^ 2, codec)
            self._other_sequence += more
            data = distortion.mixed(data, theirs)
        return data, count

    def _units(self, number: int, stamp: bytes, frame: Frame) -> tuple[bytes, ...]:
        """The NAL units of a frame, as they are put into packets."""
        codec = self._quality.codec
        has_sets = frame.is_key and self.fault is not Fault.SETS_DESCRIBED
        lead = (*self._sets_of(self._loop(number)), stamp) if has_sets else (stamp,)
        if self.fault is Fault.AGGREGATES:
            return (rtp.aggregate(lead, codec), *frame.nals)
        if self.fault is Fault.ODD_SEI:
            return (*lead, sei.empty(3000, codec, behind=False), *frame.nals, sei.empty(30, codec, behind=True))
        return (*lead, *frame.nals)

    def _source_of(self, number: int) -> int:
        return self._ssrc ^ (number // PERIOD_FRAMES & 0xFF) << 8 if self.fault is Fault.NEW_SOURCE else self._ssrc

    def _loop(self, number: int) -> Loop:
        is_other = self.fault is Fault.RESIZE and number // PERIOD_FRAMES % 2
        return self._other if is_other else self.loop

    def _frame(self, number: int) -> Frame:
        loop = self._loop(number)
        if self.fault is Fault.FREEZE:
            return loop.still[number % len(loop.still)]
        return loop.frames[number % len(loop.frames)]

    def _report(self, channel: int, at_us: int, number: int) -> bytes:
        source = self._source_of(number)
        told_us = at_us + self._clock_error_us
        if self.fault is Fault.CLOCK_AHEAD:
            told_us += CLOCK_AHEAD_S * 1_000_000
        elif self.fault is Fault.CLOCK_1970:
            told_us %= _DAY_US
        return rtp.sender_report(channel, told_us, self.rtp_time(at_us), self._packets, self._octets, source)

    def _audio(self, channel: int, number: int) -> bytes:
        """The sound of one frame's duration; 440 Hz repeats each second, as frames do."""
        fps = self._quality.profile(self.stream).fps
        samples = _AUDIO_SAMPLES_PER_S // fps
        start = number % fps * samples
        at_8k = number * samples
        return rtp.audio_packet(_TONE[start : start + samples], channel, number, at_8k, self._ssrc ^ 1)

    def _cut_whole(self, data: bytes) -> list[memoryview]:
        """Between packets."""
        packets = list(distortion.split(data))
        each = ceil(len(packets) / (1 if self.manner.burst else _WRITES_PER_FRAME))
        return [memoryview(b"".join(packets[i : i + each])) for i in range(0, len(packets), each)]

    def _cut(self, data: memoryview) -> list[memoryview]:
        writes = 1 if self.manner.burst else _WRITES_PER_FRAME
        size = max(ceil(len(data) / writes), _MIN_PIECE_BYTES)
        if self.fault is Fault.TRICKLE:
            size = TRICKLE_BYTES
        return [data[i : i + size] for i in range(0, len(data), size)]


def _tone() -> bytes:
    """A second of a quiet tone in A-law (ITU-T G.711): sign, 3 bits exponent, 4 mantissa, even bits inverted."""
    samples = np.round(2_000 * np.sin(2 * np.pi * 440 * np.arange(_AUDIO_SAMPLES_PER_S) / _AUDIO_SAMPLES_PER_S))
    magnitude = np.abs(samples).astype(int) >> 4
    exponent = np.where(magnitude < 16, 0, np.floor(np.log2(np.maximum(magnitude, 1))).astype(int) - 3)
    mantissa = np.where(exponent == 0, magnitude & 15, (magnitude >> np.maximum(exponent - 1, 0)) & 15)
    sign = np.where(samples >= 0, 0x80, 0)
    return bytes(((sign | exponent << 4 | mantissa) ^ 0x55).astype(np.uint8))


_TONE = _tone()
