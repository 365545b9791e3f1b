"""Holds on one storage directory: a row in the index, and beside it a file that survives the index.

`holds/<id>.json` is the signed hold, `holds/<id>.released.json` the signed release that ended it. A file is durable
before its row changes, so that a crash or a lost index never frees what is held. In the writer's thread.
"""

import base64
import json
import logging
import os
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


def put_hold(
    storage: StorageDirectory, index: Index, hold: Hold, envelope: Mapping[str, Any], now_us: int, complete: bool
) -> dict[str, Any]:
    """Bring a hold into force; what it keeps so far. The caller commits. The same hold again changes nothing.

    `complete`: the index knows of every file. Raises OrderRefused, WINDOW_ERASED when the window is over and nothing of
    it is left; OSError.
    """
    from_us, to_us = us_from_at(hold.from_at), us_from_at(hold.to_at)
    camera = index.camera(hold.camera)
    row = (camera, from_us, to_us, hold.requisition)
    known = index.query("SELECT camera, from_us, to_us, requisition FROM hold WHERE id = ?", (hold.id,))
    if known and known[0] != row:
        raise OrderRefused("HOLD_CONFLICT", f"another hold has the id {hold.id}")
    if hold.id + _RELEASED in storage.names(DIRECTORY):
        raise OrderRefused("HOLD_RELEASED", f"hold {hold.id} was released")
    kept = index.query(
        "SELECT count(*), coalesce(sum(length), 0), min(start_us), max(end_us) FROM segment"
        " WHERE camera = ? AND start_us < ? AND end_us > ?",
        (camera, to_us, from_us),
    )[0]
    if not known:
        if complete and to_us <= now_us and not kept[0]:
            raise OrderRefused("WINDOW_ERASED", "nothing is left of this window")
        _write(storage, hold.id + _END, envelope)
        index.execute("INSERT INTO hold VALUES (?, ?, ?, ?, ?, ?)", (hold.id, *row, us_from_at(hold.since_at)))
        index.fact(now_us, "hold_put", hold.camera, hold=hold.id, **_window(from_us, to_us))
    count, size, first_us, last_us = kept
    return {
        "id": hold.id,
        "segments": count,
        "bytes": size,
        "first": None if first_us is None else text_from_us(first_us),
        "last": None if last_us is None else text_from_us(last_us),
    }


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
    index.execute(
        "UPDATE segment SET released = 1 WHERE camera = ? AND start_us < ? AND end_us > ? AND deadline_us <= ?",
        (camera, to_us, from_us, now_us),
    )
    _write(storage, release.id + _RELEASED, envelope)
    _forget(storage, index, release.id)
    name = index.cameras()[camera]
    index.fact(now_us, "hold_released", name, hold=release.id, persons=list(release.persons), **_window(from_us, to_us))


def restore_holds(storage: StorageDirectory, index: Index) -> int:
    """Bring the rows in line with the files: the index was lost, or a crash came in between. How many came back.

    A file that can't be read keeps nothing by itself and is told in the log; it is never removed.
    """
    names = set(storage.names(DIRECTORY))
    restored = 0
    for name in sorted(names):
        if name.endswith(_RELEASED):
            if (hold := name.removesuffix(_RELEASED)) + _END in names:
                _forget(storage, index, hold)
            continue
        hold = name.removesuffix(_END)
        if hold == name or hold + _RELEASED in names or index.query("SELECT 1 FROM hold WHERE id = ?", (hold,)):
            continue
        try:
            read = _read(storage, name)
        except (OrderRefused, ValueError, KeyError) as error:
            log.error("hold %s can't be read: %s", name, error)
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


def _write(storage: StorageDirectory, name: str, envelope: Mapping[str, Any]) -> None:
    """A file of that name, whole and durable."""
    storage.make_directory(DIRECTORY)
    new = f"{DIRECTORY}/{name}.new"
    storage.unlink(new)
    fd = storage.create(new)
    try:
        storage.append(fd, [json.dumps(dict(envelope)).encode()])
        os.fsync(fd)
    finally:
        os.close(fd)
    storage.rename(new, f"{DIRECTORY}/{name}")
    storage.sync_directory(DIRECTORY)


def _read(storage: StorageDirectory, name: str) -> Hold:
    with os.fdopen(storage.open_existing(f"{DIRECTORY}/{name}"), "rb") as file:
        return _parse(json.load(file))


def _parse(envelope: Any) -> Hold:
    # Whoever can put a file here can as well remove the recordings: the signature was checked when it came.
    return read_hold(json.loads(base64.b64decode(envelope["payload"], validate=True)))


def _forget(storage: StorageDirectory, index: Index, hold: str) -> None:
    index.execute("DELETE FROM hold WHERE id = ?", (hold,))
    index.commit()
    storage.unlink(f"{DIRECTORY}/{hold}{_END}")
    storage.sync_directory(DIRECTORY)
