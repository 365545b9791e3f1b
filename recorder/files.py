"""The only disk operations of this room: a storage directory's identity and lock, and its files.

All paths are relative to the directory's descriptor, so that nothing is ever written through a mount that came or
went since. Two files say whose it is: `identity.json` inside, and a copy of its identifier beside the recorder's
state. A directory whose identity is missing (the disk isn't mounted) or another's is refused.
"""

import contextlib
import ctypes
import fcntl
import json
import os
import stat
import uuid
from collections.abc import Sequence
from pathlib import Path

IDENTITY = "identity.json"
LOCK = "lock"
INDEX = "index.db"
IDENTITY_MEMORY = "storage.json"
"""In the recorder's state directory: the identity that the data directory's own storage directory must have; of another
one `storage-...json`."""
_FILE_MODE = 0o640
_DIRECTORY_MODE = 0o750
_NEW_IDENTITY = "identity.new"
_EMPTY = frozenset({LOCK, _NEW_IDENTITY, "lost+found"})
_LIBC = ctypes.CDLL(None)
_SYNC_FILE_RANGE_WRITE = 2


class StorageRefused(Exception):
    """This directory must not be written to: a stable code and a reason.

    STORAGE_UNMOUNTED (its identity is missing), STORAGE_FOREIGN (another's), STORAGE_BUSY (another recorder runs).
    """

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code


class StorageDirectory:
    """An identified, locked storage directory; `fresh` when it got its identity just now.

    Every method may raise OSError; one thread at a time.
    """

    def __init__(self, path: Path, identity: str, fresh: bool, dir_fd: int, lock_fd: int) -> None:
        self.path = path
        self.identity = identity
        self.fresh = fresh
        self._fd = dir_fd
        self._lock_fd = lock_fd

    @classmethod
    def open(cls, path: Path, expected_file: Path) -> "StorageDirectory":
        """Open the directory; `expected_file` remembers its identity on the recorder's side.

        A directory that neither side knows is taken only when it is empty. Raises StorageRefused, OSError.
        """
        expected = _read_expected(expected_file)
        if expected is None:
            path.mkdir(mode=_DIRECTORY_MODE, parents=True, exist_ok=True)
        with contextlib.ExitStack() as failed:
            try:
                dir_fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                failed.callback(os.close, dir_fd)
                identity = _read_identity(dir_fd)
                if expected is not None and identity != expected:
                    code = "STORAGE_UNMOUNTED" if identity is None else "STORAGE_FOREIGN"
                    raise StorageRefused(
                        code, f"{path}: expected directory {expected} (by {expected_file.name}), found {identity}"
                    )
                if identity is None and not _EMPTY.issuperset(os.listdir(dir_fd)):
                    raise StorageRefused("STORAGE_FOREIGN", f"{path}: not empty and without identity")
                lock_fd = _lock(dir_fd, path)
            except FileNotFoundError as error:
                raise StorageRefused("STORAGE_UNMOUNTED", f"{path}: {error.strerror}") from error
            failed.callback(os.close, lock_fd)
            directory = cls(path, identity or str(uuid.uuid4()), identity is None, dir_fd, lock_fd)
            if identity is None:
                directory._write_identity()
            if expected is None:
                _write_expected(expected_file, directory.identity, path)
            failed.pop_all()
        return directory

    def close(self) -> None:
        os.close(self._lock_fd)
        os.close(self._fd)

    @property
    def index_path(self) -> Path:
        return self.path / INDEX

    def check_place(self) -> None:
        """Raise StorageRefused when the path no longer leads here: unmounted, or another disk is mounted over it.

        What was written meanwhile is on the right disk: it went by the descriptor.
        """
        here = os.fstat(self._fd)
        try:
            there = os.stat(self.path)
        except FileNotFoundError as error:
            raise StorageRefused("STORAGE_UNMOUNTED", f"{self.path}: {error.strerror}") from error
        if (here.st_dev, here.st_ino) != (there.st_dev, there.st_ino):
            raise StorageRefused("STORAGE_UNMOUNTED", f"{self.path}: another directory is there now")

    def free_bytes(self) -> int:
        """What an ordinary user may still write."""
        space = os.fstatvfs(self._fd)
        return space.f_bavail * space.f_frsize

    def make_directory(self, name: str) -> None:
        """Make a directory and those above it, each durable in its parent. All are made before the first is synced, so
        that a file system with a journal commits once."""
        parents: list[str] = []
        try:
            self._make(name, parents)
        finally:
            for parent in parents:
                self.sync_directory(parent)

    def _make(self, name: str, parents: list[str]) -> None:
        """Make a directory and those above it; `parents` gets those in which one was made."""
        parent = os.path.dirname(name)
        try:
            os.mkdir(name, _DIRECTORY_MODE, dir_fd=self._fd)
        except FileExistsError:
            return
        except FileNotFoundError:
            self._make(parent, parents)
            os.mkdir(name, _DIRECTORY_MODE, dir_fd=self._fd)
        parents.append(parent)

    def create(self, name: str) -> int:
        """A new file, open for appending; its name is durable after `sync_directory`. Raises FileExistsError."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        return os.open(name, flags, _FILE_MODE, dir_fd=self._fd)

    def append(self, fd: int, buffers: Sequence[bytes]) -> int:
        """Write all buffers, with one `writev` unless the kernel takes less at once; the number of bytes."""
        total = sum(map(len, buffers))
        written = os.writev(fd, buffers)
        while written < total:
            rest = b"".join(buffers)[written:]
            written += os.write(fd, rest)
        return total

    def begin_sync(self, fd: int) -> None:
        """Have the kernel begin to write the file out, without waiting and without any promise (sync_file_range(2)).

        Begun for all files of a wave, the file system allocates their blocks together, and the first `sync` commits
        for all of them: waves take half the time.
        """
        _LIBC.sync_file_range(fd, ctypes.c_int64(0), ctypes.c_int64(0), _SYNC_FILE_RANGE_WRITE)

    def sync(self, fd: int) -> None:
        os.fdatasync(fd)

    def sync_directory(self, name: str) -> bool:
        """Make the names in a directory durable; False when there is no such directory."""
        try:
            fd = os.open(name or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self._fd)
        except FileNotFoundError:
            return False
        try:
            os.fsync(fd)
            return True
        finally:
            os.close(fd)

    def open_existing(self, name: str, *, write: bool = False) -> int:
        flags = (os.O_RDWR if write else os.O_RDONLY) | os.O_CLOEXEC | os.O_NOFOLLOW
        return os.open(name, flags, dir_fd=self._fd)

    def truncate(self, fd: int, length: int) -> None:
        """Cut a file and make that durable."""
        os.ftruncate(fd, length)
        os.fsync(fd)

    def unlink(self, name: str) -> bool:
        """Remove a file; False when it wasn't there. Durable after `sync_directory` of its directory."""
        try:
            os.unlink(name, dir_fd=self._fd)
        except FileNotFoundError:
            return False
        return True

    def size(self, name: str) -> int:
        return os.stat(name, dir_fd=self._fd, follow_symlinks=False).st_size

    def rename(self, name: str, new: str) -> None:
        """Durable after `sync_directory`; what was there under the new name is replaced."""
        os.rename(name, new, src_dir_fd=self._fd, dst_dir_fd=self._fd)

    def names(self, name: str) -> list[str]:
        """The names in a directory; empty when it doesn't exist."""
        try:
            fd = os.open(name or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self._fd)
        except FileNotFoundError:
            return []
        try:
            return os.listdir(fd)
        finally:
            os.close(fd)

    def prune(self, name: str) -> None:
        """Remove a directory and those above it as long as they are empty."""
        while name:
            try:
                os.rmdir(name, dir_fd=self._fd)
            except OSError:
                return  # not empty: that is why we stop
            name = os.path.dirname(name)

    def _write_identity(self) -> None:
        self.unlink(_NEW_IDENTITY)
        fd = self.create(_NEW_IDENTITY)
        try:
            self.append(fd, [json.dumps({"directory": self.identity}).encode()])
            os.fsync(fd)
        finally:
            os.close(fd)
        self.rename(_NEW_IDENTITY, IDENTITY)
        self.sync_directory("")


def _read_identity(dir_fd: int) -> str | None:
    try:
        fd = os.open(IDENTITY, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=dir_fd)
    except FileNotFoundError:
        return None
    with os.fdopen(fd) as file:
        try:
            return str(uuid.UUID(json.load(file)["directory"]))
        except (ValueError, KeyError, TypeError) as error:
            raise StorageRefused("STORAGE_FOREIGN", f"unreadable {IDENTITY}: {type(error).__name__}") from error


def _read_expected(file: Path) -> str | None:
    try:
        return str(json.loads(file.read_text())["directory"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise StorageRefused("STORAGE_FOREIGN", f"unreadable {file.name}: {type(error).__name__}") from error


def remembered_directories(state: Path) -> dict[Path, str]:
    """The files in the recorder's state that remember an identity, and where that directory was."""
    found: dict[Path, str] = {}
    for file in sorted(state.glob("storage*.json")):
        with contextlib.suppress(OSError, ValueError, AttributeError):  # the opening of that directory tells
            found[file] = str(json.loads(file.read_text()).get("path", "recordings"))
    return found


def _write_expected(file: Path, identity: str, path: Path) -> None:
    file.parent.mkdir(mode=_DIRECTORY_MODE, parents=True, exist_ok=True)
    new = file.with_suffix(".new")
    with new.open("w") as stream:
        json.dump({"directory": identity, "path": str(path)}, stream)
        stream.flush()
        os.fsync(stream.fileno())
    new.replace(file)
    fd = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _lock(dir_fd: int, path: Path) -> int:
    fd = os.open(LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, _FILE_MODE, dir_fd=dir_fd)
    with contextlib.ExitStack() as failed:
        failed.callback(os.close, fd)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StorageRefused("STORAGE_BUSY", f"{path}: another recorder has it") from None
        failed.pop_all()
    return fd


def lock_file(path: Path) -> int:
    """A locked file, for as long as the descriptor is open. Raises BlockingIOError when another process has it."""
    path.parent.mkdir(mode=_DIRECTORY_MODE, parents=True, exist_ok=True)
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _FILE_MODE)
    with contextlib.ExitStack() as failed:
        failed.callback(os.close, fd)
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        failed.pop_all()
    return fd


def walk(directory: Path, below: str = "") -> list[tuple[str, int]]:
    """Every file of the cameras' directories with its size, by relative name. For the checker: reads only."""
    return [
        file for camera in cameras_on(directory, below) for file in walk_camera(directory, os.path.join(below, camera))
    ]


def cameras_on(directory: Path, below: str = "") -> list[str]:
    """The names of the cameras' directories there."""
    found: list[str] = []
    for name in sorted(os.listdir(directory / below)) if (directory / below).exists() else ():
        with contextlib.suppress(ValueError):
            uuid.UUID(name)
            found.append(name)
    return found


def walk_camera(directory: Path, camera: str) -> list[tuple[str, int]]:
    """As `walk`, of one camera's directory."""
    return [file for folder, _, names in os.walk(directory / camera) for file in _sized(directory, folder, names)]


def _sized(directory: Path, folder: str, names: Sequence[str]) -> list[tuple[str, int]]:
    sized: list[tuple[str, int]] = []
    for name in names:
        path = os.path.join(folder, name)
        with contextlib.suppress(FileNotFoundError):  # destroyed while we walk
            status = os.lstat(path)
            if stat.S_ISREG(status.st_mode):
                sized.append((os.path.relpath(path, directory), status.st_size))
    return sized
