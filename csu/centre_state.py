"""What the control plane's routes and background tasks share: built once in `csu.app`, handed down by value."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from csu.accounts.attempts import Attempts
from csu.accounts.passwords import Passwords
from csu.audit.tally import Tally
from csu.events import Events
from csu.recording.state import RecorderState
from csu.settings import Settings
from csu.store.store import Store
from recorder.channel import ChannelClient


@dataclass(frozen=True, slots=True)
class StreamState:
    """What the recorder last said of a stream."""

    state: str
    fault: str | None = None
    since: datetime | None = None
    last_frame_at: datetime | None = None
    # Width and height, and pictures per second of the last seconds.
    size: tuple[int, int] | None = None
    per_s: float | None = None


UNKNOWN = StreamState("unknown")


@dataclass(slots=True)
class Observed:
    """What the background tasks last saw; lost with the process and seen again within seconds."""

    # (camera id, stream) -> state; empty while the recorder does not answer.
    streams: dict[tuple[str, str], StreamState] = field(default_factory=dict)
    # None until the first attempt has ended.
    recorder_answers: bool | None = None
    gateway_answers: bool | None = None
    orders_refused: str | None = None
    # By which ways the journal's daily anchor could not leave, comma between them.
    anchors_failed: str = ""
    # What the recorder last said of itself; None while it does not answer.
    recorder: RecorderState | None = None
    # Rises each time that the recorder answers after it did not: it may be another one, or a new disk.
    recorder_arrivals: int = 0
    # The latest instant that was told (accounts/setback.py); None until the first.
    latest_at: datetime | None = None
    # What the gateway said is open, as in its answer to `renew`.
    open_leases: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Centre:
    """The control plane's means."""

    settings: Settings
    now: Callable[[], datetime]
    store: Store
    passwords: Passwords
    attempts: Attempts
    events: Events
    ticket_key: tuple[str, Ed25519PrivateKey]
    statements_key: tuple[str, Ed25519PrivateKey]
    # One connection each for what a person waits for; the background tasks have their own.
    recorder: ChannelClient
    gateway: ChannelClient
    observed: Observed = field(default_factory=Observed)
    # Security events that wait to be written.
    security: Tally = field(default_factory=Tally)
    # Sessions that went on at another post, and the posts that each was told to be at.
    posts: set[tuple[str, str]] = field(default_factory=set)
    # Set to wake a background task at once instead of at its next turn.
    sequencer_wake: asyncio.Event = field(default_factory=asyncio.Event)
    renewer_wake: asyncio.Event = field(default_factory=asyncio.Event)
    orders_wake: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def is_secure(self) -> bool:
        return self.settings.console.origin.startswith("https://")

    @property
    def cookie_name(self) -> str:
        """`__Host-` binds the cookie to this host over TLS (RFC 6265bis 4.1.3.2); the demo's plain http has none."""
        return "__Host-csu_session" if self.is_secure else "csu_session"

    def journal_grew(self) -> None:
        self.sequencer_wake.set()

    def rights_changed(self) -> None:
        """Open leases are decided again at once, and the recorder's orders are built again."""
        self.renewer_wake.set()
        self.orders_wake.set()
