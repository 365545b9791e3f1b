"""Signing keys: Ed25519, one per use, so that no signature of one kind can be passed off as another.

`keys/<use>.key` (PKCS 8, PEM, mode 0600) signs and stays with the control plane; `keys/public/<use>.pem` is
all that the gateway and the recorder need: the key in use first, then those of before, whose signatures stay
verifiable. A key's id is the beginning of the hash of its public half (RFC 8032 encoding).
"""

import contextlib
import hashlib
import os
import re
import tempfile
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

USES = ("ticket", "orders", "heads", "statements")
# Nothing of these outlives the key: a ticket is redeemed within ten seconds.
_SHORT_LIVED = frozenset({"ticket"})
_PUBLIC_PEM = re.compile(rb"-----BEGIN PUBLIC KEY-----.+?-----END PUBLIC KEY-----\n?", re.DOTALL)


class KeyFileError(Exception):
    """A key file is missing, readable by others, or not the Ed25519 key it should be; the text names the
    file.
    """


def key_id(key: Ed25519PublicKey) -> str:
    """First 16 hexadecimal digits of SHA-256 over the 32 raw bytes of the public key."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()[:16]


def ensure_keys(directory: Path) -> None:
    """Make the keys that are missing and leave the others alone. Safe when two processes start at once."""
    public = directory / "public"
    public.mkdir(mode=0o755, parents=True, exist_ok=True)
    for use in USES:
        private_file = directory / f"{use}.key"
        if not private_file.exists():
            create_exclusive(private_file, _private_pem(generate()), 0o600)
        # The public half is derived again from what is on disk: whoever lost the race publishes the
        # winner's key.
        _, key = load_private(directory, use)
        if not (public / f"{use}.pem").exists():
            create_exclusive(public / f"{use}.pem", _public_pem(key.public_key()), 0o644)


def load_private(directory: Path, use: str) -> tuple[str, Ed25519PrivateKey]:
    """The signing key of a use with its id. Raises KeyFileError."""
    file = directory / f"{_known(use)}.key"
    try:
        if file.stat().st_mode & 0o077:
            raise KeyFileError(f"{file}: others can read it; expected mode 0600")
        key = serialization.load_pem_private_key(file.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise KeyFileError(f"{file}: {type(error).__name__}; expected an Ed25519 private key in PEM") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyFileError(f"{file}: another kind of key; expected Ed25519")
    return key_id(key.public_key()), key


def load_public(directory: Path, use: str) -> dict[str, Ed25519PublicKey]:
    """The keys that verify signatures of a use, by id. Raises KeyFileError."""
    return read_public(directory / "public" / f"{_known(use)}.pem")


def read_public(file: Path) -> dict[str, Ed25519PublicKey]:
    """The keys in a file, by their ids. Raises KeyFileError."""
    try:
        content = file.read_bytes()
        found = [serialization.load_pem_public_key(one) for one in _PUBLIC_PEM.findall(content) or [content]]
    except (OSError, ValueError) as error:
        raise KeyFileError(f"{file}: {type(error).__name__}; expected an Ed25519 public key in PEM") from error
    keys = [key for key in found if isinstance(key, Ed25519PublicKey)]
    if len(keys) != len(found):
        raise KeyFileError(f"{file}: another kind of key; expected Ed25519")
    return {key_id(key): key for key in keys}


def generate() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


def replace(directory: Path, use: str, key: Ed25519PrivateKey) -> None:
    """Sign with another key from the next start on. Its public half is there first and the old one's goes last, so that
    whenever this breaks off the key in use is among those that verify. Raises KeyFileError, OSError."""
    public, fresh = directory / "public" / f"{_known(use)}.pem", _public_pem(key.public_key())
    _write_over(public, fresh + public.read_bytes(), 0o644)
    _write_over(directory / f"{use}.key", _private_pem(key), 0o600)
    if use in _SHORT_LIVED:
        _write_over(public, fresh, 0o644)


def create_exclusive(file: Path, content: bytes, mode: int) -> bool:
    """Create a file whole or not at all, durably; False when it existed already, which is then untouched."""
    temporary = _write_beside(file, content, mode)
    try:
        try:
            os.link(temporary, file)
        except FileExistsError:
            return False
        _sync_directory(file.parent)
        return True
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)


def _write_over(file: Path, content: bytes, mode: int) -> None:
    """Replace a file whole or not at all, durably."""
    os.replace(_write_beside(file, content, mode), file)
    _sync_directory(file.parent)


def _write_beside(file: Path, content: bytes, mode: int) -> str:
    """A durable file of this content in the same directory, under a name of its own."""
    descriptor, temporary = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            os.fchmod(stream.fileno(), mode)
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
    except OSError:
        os.unlink(temporary)
        raise
    return temporary


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _known(use: str) -> str:
    if use not in USES:
        raise KeyFileError(f"unknown use {use!r}; expected one of {', '.join(USES)}")
    return use


def _private_pem(key: Ed25519PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _public_pem(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
