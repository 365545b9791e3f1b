"""What a disk may hold after a power cut: every operation of the file layer recorded, and each state rebuilt from them.

The model is the strictest that POSIX allows. Data are certain after fdatasync or fsync of their file; a name, and its
removal, after fsync of its directory; nothing else is. The index is its own durable unit: SQLite syncs each commit.
"""

import errno
import os
import random
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Op = tuple[Any, ...]
FILE_OPERATIONS = ("open", "mkdir", "writev", "write", "fdatasync", "fsync", "ftruncate", "unlink", "rename", "rmdir")


class RecordedOs:
    """Stands in for `os` in recorder/files.py: does what it does, and notes what changes the disk below `root`.

    `fail_at` counts down over the file operations; the one that it names fails with `failure`, once.
    """

    def __init__(self, root: Path, log: list[Op], fail_at: int = -1, failure: int = errno.EIO) -> None:
        self._root = str(root)
        self._log = log
        self._fds: dict[int, tuple[str, int | None]] = {}
        self._inodes = 0
        self.calls = 0
        self._fail_at = fail_at
        self._failure = failure

    def __getattr__(self, name: str) -> Any:
        value = getattr(os, name)
        if name in FILE_OPERATIONS:
            raise AssertionError(f"os.{name} isn't recorded")
        return value

    def count(self, name: str) -> None:
        """One more operation; raises what it was told to."""
        self.calls += 1
        if self.calls == self._fail_at:
            raise OSError(self._failure, f"{name} made to fail")

    def open(self, path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        self.count("open")
        fd = os.open(path, flags, mode, dir_fd=dir_fd)
        name = str(path)
        if dir_fd is None:
            self._fds[fd] = ("", None) if name == self._root else ("/outside", None)
            return fd
        name = "" if name == "." else name
        inode: int | None = None
        if flags & os.O_EXCL:
            self._inodes += 1
            inode = self._inodes
            self._log.append(("create", name, inode))
        elif not flags & os.O_DIRECTORY:
            inode = -1
        self._fds[fd] = (name, inode)
        return fd

    def mkdir(self, name: str, mode: int = 0o777, *, dir_fd: int) -> None:
        self.count("mkdir")
        os.mkdir(name, mode, dir_fd=dir_fd)
        self._log.append(("mkdir", name))

    def writev(self, fd: int, buffers: Sequence[bytes]) -> int:
        data = b"".join(buffers)
        self.calls += 1
        if self.calls == self._fail_at:
            self._written(fd, data[: os.write(fd, data[: len(data) // 2])])
            raise OSError(self._failure, "writev made to fail half way")
        written = os.writev(fd, buffers)
        self._written(fd, data[:written])
        return written

    def write(self, fd: int, data: bytes) -> int:
        self.count("write")
        written = os.write(fd, data)
        self._written(fd, data[:written])
        return written

    def _written(self, fd: int, data: bytes) -> None:
        name, inode = self._fds[fd]
        self._log.append(("write", name, inode, data))

    def fdatasync(self, fd: int) -> None:
        self.count("fdatasync")
        os.fdatasync(fd)
        self._log.append(("sync", *self._fds[fd]))

    def fsync(self, fd: int) -> None:
        self.count("fsync")
        os.fsync(fd)
        name, inode = self._fds.get(fd, ("/outside", None))
        if name != "/outside":
            self._log.append(("dirsync", name) if inode is None else ("sync", name, inode))

    def ftruncate(self, fd: int, length: int) -> None:
        self.count("ftruncate")
        os.ftruncate(fd, length)
        self._log.append(("truncate", *self._fds[fd], length))

    def unlink(self, name: str, *, dir_fd: int) -> None:
        self.count("unlink")
        os.unlink(name, dir_fd=dir_fd)
        self._log.append(("unlink", name))

    def rename(self, old: str, new: str, *, src_dir_fd: int, dst_dir_fd: int) -> None:
        self.count("rename")
        os.rename(old, new, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)
        self._log.append(("rename", old, new))

    def rmdir(self, name: str, *, dir_fd: int) -> None:
        self.count("rmdir")
        os.rmdir(name, dir_fd=dir_fd)
        self._log.append(("rmdir", name))


@dataclass
class _File:
    data: bytearray = field(default_factory=bytearray)
    synced: bytes = b""


@dataclass
class _Directory:
    """Names to files and directories: as processes see them, and as the disk has them for certain."""

    live: dict[str, "_File | _Directory"] = field(default_factory=dict)
    synced: dict[str, "_File | _Directory"] = field(default_factory=dict)


Choice = Callable[[], float]
"""How much of what isn't certain the disk has kept, from 0 (nothing) to 1 (all); asked for each file and directory."""


class Disk:
    """The directory's state as the operations change it, from one that is wholly durable."""

    def __init__(self, root: Path) -> None:
        self._root = _Directory()
        self.image = b""
        _load(self._root, root)

    def apply(self, op: Op) -> None:
        match op:
            case ("create", name, _):
                self._parent(name).live[os.path.basename(name)] = _File()
            case ("mkdir", name):
                self._parent(name).live[os.path.basename(name)] = _Directory()
            case ("write", name, _, data):
                self._file(name).data += data
            case ("sync", name, _):
                file = self._file(name)
                file.synced = bytes(file.data)
            case ("truncate", name, _, length):
                del self._file(name).data[length:]
            case ("dirsync", name):
                directory = self._at(name)
                assert isinstance(directory, _Directory)
                directory.synced = dict(directory.live)
            case ("unlink", name) | ("rmdir", name):
                del self._parent(name).live[os.path.basename(name)]
            case ("rename", old, new):
                self._parent(new).live[os.path.basename(new)] = self._parent(old).live.pop(os.path.basename(old))
            case ("commit", image):
                self.image = image
            case ("at", _):
                pass
            case _:
                raise AssertionError(op)

    def write(self, path: Path, keep: Choice) -> None:
        """The directory as it may be found after the cut."""
        _write(self._root, path, keep)
        (path / "index.db").write_bytes(self.image)

    def _at(self, name: str) -> "_File | _Directory":
        at: _File | _Directory = self._root
        for piece in name.split("/") if name else ():
            assert isinstance(at, _Directory)
            at = at.live[piece]
        return at

    def _parent(self, name: str) -> _Directory:
        parent = self._at(os.path.dirname(name))
        assert isinstance(parent, _Directory)
        return parent

    def _file(self, name: str) -> _File:
        file = self._at(name)
        assert isinstance(file, _File)
        return file


def _load(directory: _Directory, path: Path) -> None:
    for entry in sorted(path.iterdir()):
        if entry.name.startswith("index."):
            continue
        new: _File | _Directory
        if entry.is_dir():
            new = _Directory()
            _load(new, entry)
        else:
            content = entry.read_bytes()
            new = _File(bytearray(content), content)
        directory.live[entry.name] = directory.synced[entry.name] = new


def _write(directory: _Directory, path: Path, keep: Choice) -> None:
    path.mkdir(parents=True)
    entries = dict(directory.synced)
    for name in directory.live.keys() ^ directory.synced.keys():
        if keep() >= 0.5:
            if name in directory.live:
                entries[name] = directory.live[name]
            else:
                del entries[name]
    for name, entry in entries.items():
        if isinstance(entry, _Directory):
            _write(entry, path / name, keep)
            continue
        share = keep()
        if len(entry.data) < len(entry.synced):
            content = entry.synced if share < 0.5 else bytes(entry.data)
        else:
            rest = bytes(entry.data[len(entry.synced) :])
            kept = rest[: round(len(rest) * share)]
            # A file may have got its length before its data: the rest reads as zeros.
            content = entry.synced + kept + bytes(len(rest) - len(kept) if 0.6 < share < 0.9 else 0)
        (path / name).write_bytes(content)


def nothing() -> float:
    """All that wasn't synced is lost."""
    return 0.0


def everything() -> float:
    """As after SIGKILL: the kernel had it all."""
    return 1.0


def chance(seed: int) -> Choice:
    """Each file and name on its own."""
    return random.Random(seed).random


def image(connection: sqlite3.Connection) -> bytes:
    """The index as its last commit left it."""
    return connection.serialize()
