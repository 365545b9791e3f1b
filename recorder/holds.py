"""Holds on one storage directory: a row in the index, and beside it a file that survives the index.

`holds/<id>.json` is the signed hold, `holds/<id>.released.json` the signed release that ended it. A file is durable
before its row changes, so that a crash or a lost index never frees what is held. In the writer's thread.

The recorder's state keeps the same files (`Rulings`): a directory that was away obeys them before it destroys again.
"""

import base64
import json
import logging
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recorder.decisions import Hold, Release, read_hold
from recorder.files import StorageDirectory
from recorder.index import Index
from recorder.sealed import OrderRefused
from recorder.utc import text_from_us
from streams.ticks import us_from_at

log = logging.getLogger(__name__)

DIRECTORY = "holds"
_END, _RELEASED = ".json", ".released.json"


class Rulings:
    """The signed holds and releases in the recorder's own state. Any thread; every method may raise OSError."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def names(self) -> set[str]:
        try:
            return {name for name in os.listdir(self._folder) if name.endswith(_END)}
        except FileNotFoundError:
            return set()

    def read(self, name: str) -> bytes:
        return (self._folder / name).read_bytes()

    def write(self, name: str, content: bytes) -> None:
        """A file of that name, whole and durable."""
        self._folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        new = self._folder / f"{name}.new{threading.get_native_id()}"
        with new.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._folder / name)
        _sync(self._folder)

    def admit(self, hold: Hold) -> bool:
        """Whether this hold is new here. Raises OrderRefused when it was released, or is another one."""
        names = self.names()
        if hold.id + _RELEASED in names:
            raise OrderRefused("HOLD_RELEASED", f"hold {hold.id} was released")
        if hold.id + _END not in names:
            return True
        known = _parse(json.loads(self.read(hold.id + _END)))
        if (known.camera, known.from_at, known.to_at, known.requisition) != (
            hold.camera,
            hold.from_at,
            hold.to_at,
            hold.requisition,
        ):
            raise OrderRefused("HOLD_CONFLICT", f"another hold has the id {hold.id}")
        return False

    def keep(self, hold: Hold, envelope: Mapping[str, Any]) -> None:
        self.write(hold.id + _END, _bytes(envelope))

    def release(self, release: Release, envelope: Mapping[str, Any]) -> None:
        """Raises OrderRefused for a hold that is not here; released again, it changes nothing."""
        names = self.names()
        if release.id + _RELEASED in names:
            return
        if release.id + _END not in names:
            raise OrderRefused("HOLD_UNKNOWN", f"no hold {release.id}")
        self.write(release.id + _RELEASED, _bytes(envelope))
        (self._folder / (release.id + _END)).unlink(missing_ok=True)
        _sync(self._folder)


def _sync(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def kept_by(index: Index, hold: Hold) -> tuple[int, int, int | None, int | None]:
    """What of a hold's window is recorded in this index: segments, bytes, first and last picture."""
    count, size, first_us, last_us = index.query(
        "SELECT count(*), coalesce(sum(length), 0), min(start_us), max(end_us) FROM segment"
        " WHERE camera = ? AND start_us < ? AND end_us > ?",
        (index.camera(hold.camera), us_from_at(hold.to_at), us_from_at(hold.from_at)),
    )[0]
    return count, size, first_us, last_us


def put_hold(
    storage: StorageDirectory, index: Index, hold: Hold, envelope: Mapping[str, Any], now_us: int
) -> tuple[int, int, int | None, int | None]:
    """Bring a hold into force; what it keeps so far, as `kept_by`. The caller commits. The same hold again changes
    nothing. Raises OrderRefused, OSError."""
    from_us, to_us = us_from_at(hold.from_at), us_from_at(hold.to_at)
    row = (index.camera(hold.camera), from_us, to_us, hold.requisition)
    known = index.query("SELECT camera, from_us, to_us, requisition FROM hold WHERE id = ?", (hold.id,))
    if known and known[0] != row:
        raise OrderRefused("HOLD_CONFLICT", f"another hold has the id {hold.id}")
    if hold.id + _RELEASED in storage.names(DIRECTORY):
        raise OrderRefused("HOLD_RELEASED", f"hold {hold.id} was released")
    if not known:
        _write(storage, hold.id + _END, _bytes(envelope))
        index.execute("INSERT INTO hold VALUES (?, ?, ?, ?, ?, ?)", (hold.id, *row, us_from_at(hold.since_at)))
        index.fact(now_us, "hold_put", hold.camera, hold=hold.id, **_window(from_us, to_us))
    return kept_by(index, hold)


def release_hold(
    storage: StorageDirectory, index: Index, release: Release, envelope: Mapping[str, Any], now_us: int
) -> None:
    """End a hold; what it kept past its deadline dies in the next wave. Released again, it changes nothing.

    Raises OrderRefused, OSError.
    """
    known = index.query("SELECT camera, from_us, to_us FROM hold WHERE id = ?", (release.id,))
    if not known:
        if release.id + _RELEASED in storage.names(DIRECTORY):
            return
        raise OrderRefused("HOLD_UNKNOWN", f"no hold {release.id}")
    camera, from_us, to_us = known[0]
    _write(storage, release.id + _RELEASED, _bytes(envelope))
    _mark_released(index, known[0], now_us)
    _forget(storage, index, release.id)
    name = index.cameras()[camera]
    index.fact(now_us, "hold_released", name, hold=release.id, persons=list(release.persons), **_window(from_us, to_us))


def _mark_released(index: Index, window: tuple[int, int, int], now_us: int) -> None:
    """What dies of a hold's release is told apart from what dies at its deadline."""
    camera, from_us, to_us = window
    index.execute(
        "UPDATE segment SET released = 1 WHERE camera = ? AND start_us < ? AND end_us > ? AND deadline_us <= ?",
        (camera, to_us, from_us, now_us),
    )


def restore_holds(storage: StorageDirectory, index: Index, rulings: Rulings, now_us: int) -> int:
    """Bring the rows in line with the files here and in the recorder's state, and these with one another.

    The index was lost, the directory was away or is new, the state was lost, or a crash came in between. How many
    holds came back. One of which no copy can be read keeps nothing and is told in the log; its files are never removed.
    """
    here, there = rulings.names(), {name for name in storage.names(DIRECTORY) if name.endswith(_END)}
    released = {name.removesuffix(_RELEASED) for name in here | there if name.endswith(_RELEASED)}
    for name in sorted(there - here):
        if name.endswith(_RELEASED) or name.removesuffix(_END) not in released:
            rulings.write(name, _content(storage, name))
    for hold in sorted(released):
        if hold + _RELEASED not in there:
            _copy(storage, hold + _RELEASED, rulings)
        for window in index.query("SELECT camera, from_us, to_us FROM hold WHERE id = ?", (hold,)):
            _mark_released(index, window, now_us)
            _forget(storage, index, hold)
        if hold + _END in there:
            _forget(storage, index, hold)
    restored = 0
    for name in sorted(here | there):
        hold = name.removesuffix(_END)
        if name.endswith(_RELEASED) or hold in released:
            continue
        if name not in there:
            _copy(storage, name, rulings)
        if index.query("SELECT 1 FROM hold WHERE id = ?", (hold,)):
            continue
        read = _readable(name, _content(storage, name)) if name in there else None
        read = read or _readable(name, rulings.read(name))
        if read is None:
            continue
        index.execute(
            "INSERT INTO hold VALUES (?, ?, ?, ?, ?, ?)",
            (
                read.id,
                index.camera(read.camera),
                us_from_at(read.from_at),
                us_from_at(read.to_at),
                read.requisition,
                us_from_at(read.since_at),
            ),
        )
        restored += 1
    return restored


def _readable(name: str, copy: bytes) -> Hold | None:
    try:
        return _parse(json.loads(copy))
    except (OrderRefused, ValueError, KeyError, TypeError) as error:
        log.error("a copy of the hold %s can't be read: %s", name, error)
        return None


def _copy(storage: StorageDirectory, name: str, rulings: Rulings) -> None:
    """From the state to the directory. One that has no room for it obeys all the same: the state has the document."""
    try:
        _write(storage, name, rulings.read(name))
    except OSError as error:
        log.error("%s can't be copied to %s: %s", name, storage.path, error)


def list_holds(index: Index) -> list[dict[str, Any]]:
    names = index.cameras()
    return [
        {"id": hold, "camera": names[camera], **_window(from_us, to_us), "requisition": requisition}
        for hold, camera, from_us, to_us, requisition in index.query(
            "SELECT id, camera, from_us, to_us, requisition FROM hold ORDER BY since_us, id"
        )
    ]


def _window(from_us: int, to_us: int) -> dict[str, str]:
    return {"from": text_from_us(from_us), "to": text_from_us(to_us)}


def read_hold_file(path: Path) -> Hold | None:
    """The hold in a file of this directory; None for one that is gone or can't be read."""
    try:
        return _parse(json.loads(path.read_bytes()))
    except (OSError, OrderRefused, ValueError, KeyError, TypeError):
        return None


def _bytes(envelope: Mapping[str, Any]) -> bytes:
    return json.dumps(dict(envelope)).encode()


def _write(storage: StorageDirectory, name: str, content: bytes) -> None:
    """A file of that name, whole and durable."""
    storage.make_directory(DIRECTORY)
    new = f"{DIRECTORY}/{name}.new"
    storage.unlink(new)
    fd = storage.create(new)
    try:
        storage.append(fd, [content])
        storage.sync(fd)
    finally:
        os.close(fd)
    storage.rename(new, f"{DIRECTORY}/{name}")
    storage.sync_directory(DIRECTORY)


def _content(storage: StorageDirectory, name: str) -> bytes:
    with os.fdopen(storage.open_existing(f"{DIRECTORY}/{name}"), "rb") as file:
        return file.read()


def _parse(envelope: Any) -> Hold:
    # Whoever can put a file here can as well remove the recordings: the signature was checked when it came.
    return read_hold(json.loads(base64.b64decode(envelope["payload"], validate=True)))


def _forget(storage: StorageDirectory, index: Index, hold: str) -> None:
    index.execute("DELETE FROM hold WHERE id = ?", (hold,))
    index.commit()
    storage.unlink(f"{DIRECTORY}/{hold}{_END}")
    storage.sync_directory(DIRECTORY)
