"""Passwords of cameras at rest: AES-256-GCM (NIST SP 800-38D), bound to the camera by its id as associated data.

A stored secret is `key id (8) | nonce (12) | ciphertext and tag`. The key is 32 random bytes in `keys/secrets.key`,
mode 0600: whoever has the database alone has no password.
"""

import hashlib
import hmac
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from csu.keys import KeyFileError, create_exclusive

_KEY_BYTES = 32
_ID_BYTES = 8
_NONCE_BYTES = 12


class SecretError(Exception):
    """A stored secret can't be opened: another key, another camera, or altered. Names the camera, never the secret."""


class SecretBox:
    """Seals and opens cameras' passwords with the key of a file, made at first use. Raises KeyFileError."""

    def __init__(self, keys: Path) -> None:
        file = keys / "secrets.key"
        keys.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not file.exists():
            create_exclusive(file, secrets.token_bytes(_KEY_BYTES), 0o600)
        if file.stat().st_mode & 0o077:
            raise KeyFileError(f"{file}: others can read it; expected mode 0600")
        key = file.read_bytes()
        if len(key) != _KEY_BYTES:
            raise KeyFileError(f"{file}: {len(key)} bytes; expected {_KEY_BYTES}")
        self._id = hashlib.sha256(b"csu secrets key\n" + key).digest()[:_ID_BYTES]
        self._cipher = AESGCM(key)
        self._fingerprint_key = hmac.digest(key, b"csu fingerprint 1", "sha256")

    def fingerprint(self, content: bytes) -> bytes:
        """32 bytes that tell two contents apart and, without the key, nothing about the passwords in them."""
        return hmac.digest(self._fingerprint_key, content, "sha256")

    def seal(self, camera: str, password: str) -> bytes:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return self._id + nonce + self._cipher.encrypt(nonce, password.encode(), _bound_to(camera))

    def open(self, camera: str, sealed: bytes) -> str:
        """The password of a camera; raises SecretError."""
        nonce = sealed[_ID_BYTES : _ID_BYTES + _NONCE_BYTES]
        if sealed[:_ID_BYTES] != self._id:
            raise SecretError(f"camera {camera}: its password was sealed with another key")
        try:
            return self._cipher.decrypt(nonce, sealed[_ID_BYTES + _NONCE_BYTES :], _bound_to(camera)).decode()
        except (InvalidTag, ValueError) as error:
            raise SecretError(f"camera {camera}: its sealed password was altered or is another camera's") from error


def _bound_to(camera: str) -> bytes:
    return f"csu camera {camera}".encode()
