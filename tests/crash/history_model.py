"""What a recorder's life in fast motion is made of (`recorded_history.py`).

Clocks that are told, operations of which any may be the process's last, what is known to have been taken from each
camera, and what its files hold.
"""

import dataclasses
import hashlib
import os
import sqlite3
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from disk_model import Disk, Op, RecordedOs
from recorder_support import Boot, due_us

from recorder.camera import RecordedStream
from recorder.format import file_name, read_part_mark, segment_of
from recorder.orders import CameraOrder, StreamAddress
from streams.fmp4 import parse_part_header
from streams.packets import VideoFormat
from streams.source import SourceInfo
from streams.ticks import at_from_us

KEY = Ed25519PrivateKey.generate()
S = 1_000_000
HOUR = 3600 * S
DAY = 24 * HOUR
INFO = SourceInfo("history", ("video",), None)
FORMATS = (
    VideoFormat("h264", 640, 360, bytes.fromhex("674d001e95a0"), bytes.fromhex("68ee3c80")),
    VideoFormat("h264", 1280, 720, bytes.fromhex("674d001f95a0"), bytes.fromhex("68ee3c80")),
)


class Killed(BaseException):
    """The process ends here; nothing of it runs on."""


class Clocks:
    """Stands in for `time` in recorder/machine.py. `true_us` is what the law goes by; the product doesn't know it."""

    CLOCK_BOOTTIME = time.CLOCK_BOOTTIME

    def __init__(self, true_us: int) -> None:
        self.true_us = true_us
        self.boot_us = 1000 * S
        self.boot = str(uuid.uuid4())
        self.ahead_us = 0
        self.synchronised = False

    def pass_us(self, us: int) -> None:
        self.true_us += us
        self.boot_us += us

    def reboot(self) -> None:
        """The recorder is asked to start 20 s later."""
        self.boot = str(uuid.uuid4())
        self.boot_us = 20 * S
        self.true_us += 20 * S
        self.synchronised = False

    def time_ns(self) -> int:
        return (self.true_us + self.ahead_us) * 1000

    def clock_gettime_ns(self, clock: int) -> int:
        return self.boot_us * 1000

    def monotonic(self) -> float:
        return self.boot_us / S


class MortalOs(RecordedOs):
    """Operations go into the model of the disk as they are done; the one that `kill_at` counts ends the process."""

    kill_at = -1

    def count(self, name: str) -> None:
        super().count(name)
        if self.calls == self.kill_at:
            raise Killed(name)

    def writev(self, fd: int, buffers: Any) -> int:
        if self.calls + 1 == self.kill_at:
            data = b"".join(buffers)
            self.calls += 1
            self._written(fd, data[: os.write(fd, data[: len(data) // 2])])
            raise Killed("writev")
        return super().writev(fd, buffers)


class Applied(list[Op]):
    def __init__(self, disk: Disk) -> None:
        self._disk = disk

    def append(self, op: Op) -> None:
        self._disk.apply(op)


@dataclasses.dataclass(eq=False)
class Segment:
    """`true_us`: when its first picture was really taken; `start_us` is what the recorder believes."""

    start_us: int
    true_us: int
    last_us: int
    retention_days: int
    boot: Boot

    @property
    def deadline_us(self) -> int:
        """By law, of the true time."""
        return due_us(self.true_us, self.retention_days)

    @property
    def borne_us(self) -> int:
        """The deadline that its file bears."""
        return due_us(self.start_us, self.retention_days)


@dataclasses.dataclass(eq=False)
class Picture:
    data: bytes
    segment: Segment | None = None
    gone: bool = False


@dataclasses.dataclass
class Camera:
    """One camera, and what is known to have been taken from it. `taken` are the pictures that a run took, in order;
    of those the first `written` are in the file and the first `durable` synced and committed."""

    order: CameraOrder
    period_us: int
    gop: int
    ppm: int = 0
    media_us: float = 5_000_000.0
    sent: int = 0
    connected: bool = True
    taken: list[Picture] = dataclasses.field(default_factory=list)
    written: int = 0
    durable: int = 0
    format: VideoFormat = FORMATS[0]
    stream: RecordedStream | None = None
    pulled: bool = False
    pending: Segment | None = None

    @property
    def uuid(self) -> str:
        return self.order.camera


def make_camera(number: int, retention_days: int, period_us: int, gop: int, ppm: int, begin_us: int) -> Camera:
    order = CameraOrder(
        camera=str(uuid.uuid5(uuid.NAMESPACE_URL, f"history {number}")),
        name=f"caméra {number}",
        main=StreamAddress("rtsp://127.0.0.1/"),
        sub=None,
        adapter="native",
        authorisation="27-2026-001",
        record_from_at=at_from_us(begin_us - 10 * DAY),
        record_to_at=at_from_us(begin_us + 4000 * DAY),
        retention_days=retention_days,
    )
    return Camera(order, period_us, gop, ppm)


def read_files(recordings: Path, camera: str) -> Iterator[tuple[int, list[bytes]]]:
    """Every whole picture in a camera's files, by the files alone, in the order of their numbers."""
    for path in sorted((recordings / camera).rglob("*.mp4"), key=lambda path: path.name[-14:]):
        number = segment_of(path.name)
        assert number is not None
        yield number, _pictures(path.read_bytes())


def read_durable(recordings: Path, reader: sqlite3.Connection, camera: str) -> Iterator[tuple[int, list[bytes]]]:
    for number, start_us, length in reader.execute(
        "SELECT s.id, s.start_us, s.length FROM segment s JOIN camera c ON c.id = s.camera WHERE c.uuid = ?"
        " ORDER BY s.id",
        (camera,),
    ):
        with (recordings / file_name(camera, start_us, number)).open("rb") as file:
            yield number, _pictures(file.read(length))


def _pictures(data: bytes) -> list[bytes]:
    """Of a file of ours: parts begin behind `ftyp`, the segment box and `moov`."""
    pictures: list[bytes] = []
    at = 0
    for _ in range(3):
        if at + 8 > len(data):
            return []
        at += int.from_bytes(data[at : at + 4], "big")
    while at + 8 <= len(data):
        try:
            part = parse_part_header(data[at:])
        except ValueError:
            break
        content = data[at + part.header_size : at + part.size]
        if at + part.size > len(data) or hashlib.sha256(content).digest() != read_part_mark(part).sha256:
            break
        offset = at + part.header_size
        for size in part.samples.sizes:
            pictures.append(data[offset : offset + size])
            offset += size
        at += part.size
    return pictures
