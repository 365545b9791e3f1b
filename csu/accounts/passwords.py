"""Passwords: argon2id (RFC 9106), a few at a time, because each costs 64 MiB and a sixth of a second."""

import asyncio
import secrets

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

AT_ONCE = 2
SHORTEST = 12
LONGEST = 200


class Passwords:
    """Hashes and checks passwords off the event loop, at most two at once. A hash keeps its own parameters."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._slots = asyncio.Semaphore(AT_ONCE)
        # Checked when a login is unknown, so that an unknown login costs the same time as a known one.
        self._nobody = self._hasher.hash(secrets.token_urlsafe(16))

    async def hash(self, password: str) -> str:
        async with self._slots:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def matches(self, password: str, known_hash: str | None) -> bool:
        """Whether this is the password of a hash; always False for None, after the same work."""
        async with self._slots:
            matched = await asyncio.to_thread(self._verify, password, known_hash or self._nobody)
        return matched and known_hash is not None

    def _verify(self, password: str, known_hash: str) -> bool:
        try:
            return self._hasher.verify(known_hash, password)
        except (VerificationError, InvalidHashError):
            return False


def generate() -> str:
    """A password of 120 random bits, to be given to one person once."""
    return secrets.token_urlsafe(15)
