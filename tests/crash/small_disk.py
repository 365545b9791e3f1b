"""Run by the test inside `unshare -Urm`: a recording on a tmpfs that fills, is made larger, and is taken away.

Prints one JSON object. Arguments: an empty directory.
"""

import json
import subprocess
import sys
from pathlib import Path

from recorded_sequence import BEGIN_US, SECONDS, Sequence

from recorder.check import check
from recorder.files import StorageDirectory, StorageRefused

FULL, ROOMY = "size=460k", "size=16m"


def main(path: Path) -> dict[str, object]:
    disk = path / "recordings"
    disk.mkdir()
    _mount(disk, f"{FULL},mode=750")
    Sequence(path, []).prepare()
    sequence = Sequence(path, [])
    sequence.run()
    sequence.let_go()
    full = check(disk, BEGIN_US, deep=True)
    _mount(disk, f"remount,{ROOMY}")
    again = Sequence(path, [])
    again._attempt(lambda: None, BEGIN_US + SECONDS * 1_000_000)
    again.let_go()
    roomy = check(disk, BEGIN_US, deep=True)
    files = len(list(disk.rglob("*.mp4")))
    subprocess.run(["umount", str(disk)], check=True)
    try:
        StorageDirectory.open(disk, path / "state" / "storage.json").close()
        refused = ""
    except StorageRefused as error:
        refused = error.code
    return {
        "failures": sequence.restarts,
        "ok_full": full.ok,
        "ok_roomy": roomy.ok,
        "segments": roomy.segments,
        "files": files,
        "refused": refused,
        "written_beside": [entry.name for entry in disk.iterdir()],
    }


def _mount(disk: Path, options: str) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", str(disk)], check=True)


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]))))
