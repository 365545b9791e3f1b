"""What is wrong with the recorder itself: raised and ended as facts, and remembered over a restart.

Codes: CAMERA_LOST (subject: the camera), STORAGE_* and INDEX_NEW and SEGMENT_DAMAGED (subject: the directory),
CLOCK_UNTRUSTED (subject: the machine).
"""

from dataclasses import dataclass
from functools import partial

from recorder.store import SegmentStore
from recorder.writer import Writer

CAMERA_LOST = "CAMERA_LOST"
OVERDUE = "OVERDUE"
"""Files of a camera are there 10 minutes after their deadline, by the walk of the disk."""

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Alarm:
    code: str
    subject: str
    since_us: int
    detail: str


class Alarms:
    """The alarms that are on. They are durable as soon as the storage answers."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._on: dict[Key, Alarm] = {}
        self._reconciled = False

    def raise_(self, code: str, subject: str, detail: str, now_us: int) -> None:
        """Raise an alarm, unless it is on."""
        if (code, subject) in self._on:
            return
        alarm = Alarm(code, subject, now_us, detail)
        self._on[code, subject] = alarm
        self._writer.submit(partial(_write_raised, alarm=alarm))

    def end(self, code: str, subject: str, now_us: int) -> None:
        """End an alarm, if it is on."""
        if self._on.pop((code, subject), None) is not None:
            self._writer.submit(partial(_write_ended, key=(code, subject), now_us=now_us))

    def subjects(self, code: str) -> list[str]:
        return [subject for known, subject in self._on if known == code]

    def reconcile(self, written: list[Alarm], now_us: int) -> None:
        """The storage answers: what was raised meanwhile is written, what was on before a restart is taken over."""
        known = {(a.code, a.subject): a for a in written}
        for key, alarm in known.items():
            if key in self._on or self._reconciled:
                continue
            self._on[key] = alarm
        for key, alarm in self._on.items():
            if key not in known:
                self._writer.submit(partial(_write_raised, alarm=alarm))
        for key in known.keys() - self._on.keys():
            self._writer.submit(partial(_write_ended, key=key, now_us=now_us))
        self._reconciled = True


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


def _write_ended(store: SegmentStore, key: Key, now_us: int) -> None:
    index = store.index
    index.execute("DELETE FROM alarm WHERE code = ? AND subject = ?", key)
    index.fact(now_us, "alarm_ended", _camera(*key), code=key[0], subject=key[1])


def _camera(code: str, subject: str) -> str | None:
    return subject if code in (CAMERA_LOST, OVERDUE) else None
