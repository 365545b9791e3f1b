"""Tickets, keys, clocks and settings for the gateway's tests."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from csu.keys import key_id
from csu.tickets import REDEEM_WITHIN, Ticket, sign
from tests.ports import free_port

CAMERA = "5f0c0000-0000-4000-8000-000000000001"
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
_SETTINGS = """
data = "."
[gateway]
port = {port}
[database]
url = "postgresql://unused"
guard_url = "postgresql://unused"
owner_url = "postgresql://unused"
[valkey]
url = "redis://unused"
"""


def make_ticket(now: datetime, **changes: Any) -> Ticket:
    fields: dict[str, Any] = {
        "id": str(uuid4()),
        "camera": CAMERA,
        "act": "live",
        "streams": ("main",),
        "from_at": None,
        "to_at": None,
        "motif_code": "surveillance",
        "motif_reference": None,
        "actor": "5f0c0000-0000-4000-8000-0000000000aa",
        "session": "session-1",
        "issued_at": now,
        "redeem_by_at": now + REDEEM_WITHIN,
        "not_after_at": now + timedelta(hours=8),
    }
    return Ticket(**(fields | changes))


def make_replay(now: datetime, from_at: datetime, to_at: datetime, **changes: Any) -> Ticket:
    return make_ticket(now, act="replay", from_at=from_at, to_at=to_at, **changes)


class Issuer:
    """A control plane's ticket key."""

    def __init__(self) -> None:
        self._key = Ed25519PrivateKey.generate()
        self.kid = key_id(self._key.public_key())
        self.public_keys: dict[str, Ed25519PublicKey] = {self.kid: self._key.public_key()}

    def text(self, ticket: Ticket) -> str:
        return sign(ticket, self.kid, self._key)


@dataclass
class ManualClock:
    """Wall and monotonic time that move only when told."""

    at: datetime = NOON
    elapsed_s: float = 1000.0

    def now(self) -> datetime:
        return self.at

    def monotonic_s(self) -> float:
        return self.elapsed_s

    def advance(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)
        self.elapsed_s += seconds


@dataclass
class Recorded:
    """A holder that remembers how its lease ended."""

    ends: list[tuple[str, str]] = field(default_factory=list)

    def lease_ended(self, code: str, reason: str) -> None:
        self.ends.append((code, reason))


def write_settings(data: Path) -> tuple[Path, int]:
    """A `csu.toml` for a gateway that is alone with its recorder, and its port: one that is free."""
    port = free_port()
    file = data / "csu.toml"
    file.touch(mode=0o600)
    file.write_text(_SETTINGS.format(port=port))
    return file, port
