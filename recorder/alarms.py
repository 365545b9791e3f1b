"""What is wrong with the recorder itself: raised and ended as facts, and remembered over a restart.

Codes: CAMERA_LOST, CAMERA_CLOCK (detail: seconds ahead of ours), OVERDUE and PRIORITY_STOPPED (subject: the camera),
STORAGE_* and INDEX_NEW (the directory), SEGMENT_DAMAGED (the file), CLOCK_UNTRUSTED, DESTRUCTION_BREAKER and DEGRADED
(the machine; detail of the last: level and measure). INDEX_DAMAGED (the index; detail: the fact that can't be read) is
told in the place of that fact (`index.read_facts`).

An alarm is kept in one index, its home: the first that answers when it is raised, so that a directory's own trouble is
told in another's feed. When its home is away it is told again in another; the old home's row goes when it is back.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from recorder.disks import Disk
from recorder.store import SegmentStore

CAMERA_LOST = "CAMERA_LOST"
CAMERA_CLOCK = "CAMERA_CLOCK"
"""A camera's own clock and ours differ by two seconds or more."""
OVERDUE = "OVERDUE"
"""Files of a camera are there 10 minutes after their deadline, by the walk of the disk."""
PRIORITY_STOPPED = "PRIORITY_STOPPED"
"""A camera is not recorded for want of space, so that those of higher priority are."""
STORAGE_SHORT = "STORAGE_SHORT"
"""A directory will be full before deadlines free space, at the rate of the last day."""

STORAGE_DROPPED = "STORAGE_DROPPED"
"""The settings name a directory (the subject: its path) no more: what it has is neither shown nor destroyed."""
OF_STREAMS = (CAMERA_LOST, CAMERA_CLOCK)
"""What ends when the camera leaves the orders."""

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Alarm:
    code: str
    subject: str
    since_us: int
    detail: str


class Alarms:
    """The alarms that are on. They are durable as soon as a directory answers."""

    def __init__(self, answering: Callable[[], Sequence[Disk]]) -> None:
        """`answering`: the directories that answer now."""
        self._answering = answering
        self._on: dict[Key, Alarm] = {}
        self._homes: dict[Key, str] = {}  # the directory's name; of an alarm not yet written, none
        self._reconciled: set[str] = set()

    def raise_(self, code: str, subject: str, detail: str, now_us: int) -> None:
        """Raise an alarm, unless it is on."""
        if (code, subject) in self._on:
            return
        alarm = self._on[code, subject] = Alarm(code, subject, now_us, detail)
        self._write((code, subject), alarm)

    def end(self, code: str, subject: str, now_us: int) -> None:
        """End an alarm, if it is on."""
        key = (code, subject)
        if self._on.pop(key, None) is None:
            return
        home = self._homes.pop(key, None)
        answering = self._answering()
        told = next((disk for disk in answering if disk.name == home), answering[0] if answering else None)
        if told is not None:
            told.writer.submit(partial(_write_ended, key=key, now_us=now_us))

    def is_on(self, code: str, subject: str) -> bool:
        return (code, subject) in self._on

    def subjects(self, code: str) -> list[str]:
        return [subject for known, subject in self._on if known == code]

    def reconcile(self, disk: Disk, written: list[Alarm], now_us: int) -> None:
        """A directory answers: what was raised meanwhile is written, what was on before a restart is taken over."""
        known = {(a.code, a.subject): a for a in written}
        for key, alarm in known.items():
            if key not in self._on and disk.name not in self._reconciled:
                self._on[key] = alarm
                self._homes[key] = disk.name
        for key, alarm in self._on.items():
            if self._homes.get(key, disk.name) == disk.name and key not in known:
                self._write(key, alarm)
        for key in known.keys() - self._on.keys():
            disk.writer.submit(partial(_write_ended, key=key, now_us=now_us))
        for key in known.keys() & self._on.keys():
            if self._homes.setdefault(key, disk.name) != disk.name:
                disk.writer.submit(partial(_forget, key=key))
        self._reconciled.add(disk.name)

    def away(self, disk: Disk) -> None:
        """A directory answers no more: what was written there may be lost, and is told in another."""
        for key in [key for key, home in self._homes.items() if home == disk.name]:
            del self._homes[key]
            self._write(key, self._on[key])

    def _write(self, key: Key, alarm: Alarm) -> None:
        answering = self._answering()
        if answering:
            self._homes[key] = answering[0].name
            answering[0].writer.submit(partial(_write_raised, alarm=alarm))


def read_alarms(store: SegmentStore) -> list[Alarm]:
    return [Alarm(*row) for row in store.index.query("SELECT code, subject, since_us, detail FROM alarm")]


def _write_raised(store: SegmentStore, alarm: Alarm) -> None:
    index = store.index
    index.execute(
        "INSERT OR IGNORE INTO alarm VALUES (?, ?, ?, ?)", (alarm.code, alarm.subject, alarm.since_us, alarm.detail)
    )
    index.fact(
        alarm.since_us,
        "alarm_raised",
        _camera(alarm.code, alarm.subject),
        code=alarm.code,
        subject=alarm.subject,
        detail=alarm.detail,
    )


def _forget(store: SegmentStore, key: Key) -> None:
    """It is told in another index."""
    store.index.execute("DELETE FROM alarm WHERE code = ? AND subject = ?", key)


def _write_ended(store: SegmentStore, key: Key, now_us: int) -> None:
    index = store.index
    index.execute("DELETE FROM alarm WHERE code = ? AND subject = ?", key)
    index.fact(now_us, "alarm_ended", _camera(*key), code=key[0], subject=key[1])


def _camera(code: str, subject: str) -> str | None:
    return subject if code in (*OF_STREAMS, OVERDUE, PRIORITY_STOPPED) else None
