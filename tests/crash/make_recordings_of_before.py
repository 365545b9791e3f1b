"""Makes `recordings_of_<index version>.zip`: a storage directory as a recorder of before leaves it when killed.

    git worktree add --detach DIR COMMIT && PYTHONPATH=DIR .venv/bin/python tests/crash/make_recordings_of_before.py

COMMIT: 9d12a95 for format 1 and index 1, d1082ac for format 1 and index 2, 3265514 for format 1 and index 3,
464b186 for format 1 and index 4.

Two cameras; a run that ended, one that goes on with a part that no commit knows, a gap, a deadline, a fact, an alarm.
"""

import random
import tempfile
import zipfile
from pathlib import Path

from recorder.accounts import Accounts, Cause
from recorder.files import StorageDirectory
from recorder.index import INDEX_VERSION, Index
from recorder.recovery import recover
from recorder.segmenter import PartReady, RunEnded, RunStarted, SegmentClosed, Segmenter, SegmentOpened
from recorder.store import NewSegment, SegmentStore
from streams.packets import Packet, VideoFormat

FILES = {version: Path(__file__).with_name(f"recordings_of_{version}.zip") for version in (1, 2, 3, 4)}
CAMERAS = ("6f6c1a34-8f0e-4b0a-9d57-2f3f2a0b1c01", "0d8f5a0e-23a7-4b54-8a3e-5d3b1f7a9e02")
FORMAT = VideoFormat("h264", 640, 360, bytes.fromhex("674d001e95a0"), bytes.fromhex("68ee3c80"))
BEGIN_US = 1_795_441_200_000_000
SECONDS = 130
_FPS = 2
_DAY_US = 86_400_000_000


def _push(store: SegmentStore, segmenter: Segmenter, camera: str, n: int) -> None:
    at_us = BEGIN_US + n * 1_000_000 // _FPS
    data = random.Random(f"{camera} {n}").randbytes(60)
    for event in segmenter.push(Packet(data, n * 90_000 // _FPS, n % 4 == 0, at_us / 1e6, FORMAT), at_us):
        _apply(store, camera, event)


def _apply(store: SegmentStore, camera: str, event: object) -> None:
    match event:
        case RunStarted(at_us):
            store.start_run(camera, at_us, "27-2026-001", -1500)
        case SegmentOpened(start_us, format):
            deadlines = (start_us + 15 * _DAY_US, start_us + 7 * _DAY_US)
            store.open_segment(NewSegment(camera, start_us, format, "27-2026-001", *deadlines, -1500))
        case PartReady(part):
            store.append(camera, part)
        case SegmentClosed(end_us):
            store.close_segment(camera, end_us)
        case RunEnded(end_us, reason):
            store.end_run(camera, end_us, reason, Cause.NETWORK, reason)


def make(path: Path) -> None:
    storage = StorageDirectory.open(path / "recordings", path / "state" / "storage.json")
    index = Index.open(storage.index_path, storage.identity, BEGIN_US)
    recover(storage, index, BEGIN_US, Cause.OURS, "killed")
    store = SegmentStore(storage, index, Accounts(index))
    segmenters = {camera: Segmenter(camera) for camera in CAMERAS}
    for camera in CAMERAS:
        store.accounts.gap(camera, BEGIN_US, Cause.OURS, "starting")
        store.obey_terms(camera, "27-2026-001", 15)
    for n in range(SECONDS * _FPS):
        for camera, segmenter in segmenters.items():
            if camera == CAMERAS[0] or n < 80 * _FPS:
                _push(store, segmenter, camera, n)
        if n == 80 * _FPS:
            for event in segmenters[CAMERAS[1]].end("reset"):
                _apply(store, CAMERAS[1], event)
        if n % _FPS == 0 and n < (SECONDS - 5) * _FPS:
            store.wave(BEGIN_US + n * 1_000_000 // _FPS)
    index.execute("INSERT INTO alarm VALUES ('CAMERA_LOST', ?, ?, 'reset')", (CAMERAS[1], BEGIN_US))
    index.commit()
    store.abandon()
    index.close()
    storage.close()


if __name__ == "__main__":
    with (
        tempfile.TemporaryDirectory() as directory,
        zipfile.ZipFile(FILES[INDEX_VERSION], "w", zipfile.ZIP_LZMA) as archive,
    ):
        make(Path(directory))
        for path in sorted(Path(directory).rglob("*")):
            archive.write(path, path.relative_to(directory))
