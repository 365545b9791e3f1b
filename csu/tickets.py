"""Tickets: short signed rights that the control plane issues and a gateway redeems once.

A ticket speaks of one camera, one act, one interval and one motif. It must be redeemed within ten seconds
of its issue and opens nothing past the end of the right it was decided on. Its text is

    <key id>.<base64url of the canonical JSON>.<base64url of the Ed25519 signature over all before it>

and is a bearer secret: it travels in a request's body or in a WebSocket's first message, never in a URL or
a log.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

REDEEM_WITHIN = timedelta(seconds=10)
# Control plane and gateway may run on two machines: this much disagreement of their clocks is borne.
CLOCK_LEEWAY = timedelta(seconds=2)
MAX_TICKET_CHARS = 4096

Act = Literal["live", "replay"]


class TicketRefused(Exception):
    """The ticket opens nothing: `code` is TICKET_INVALID or TICKET_LATE, `reason` a sentence in French."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Ticket:
    """What was decided. `from_at` and `to_at` bound a replay and are None for live pictures."""

    id: str
    camera: str
    act: Act
    streams: tuple[str, ...]
    from_at: datetime | None
    to_at: datetime | None
    motif_code: str
    motif_reference: str | None
    actor: str
    session: str
    issued_at: datetime
    redeem_by_at: datetime
    not_after_at: datetime


def sign(ticket: Ticket, kid: str, key: Ed25519PrivateKey) -> str:
    """The text of a ticket."""
    payload = json.dumps(_to_json(ticket), sort_keys=True, separators=(",", ":")).encode()
    signed = f"{kid}.{_encode(payload)}"
    return f"{signed}.{_encode(key.sign(signed.encode()))}"


def verify(text: str, public_keys: Mapping[str, Ed25519PublicKey], now: datetime) -> Ticket:
    """The ticket that a text holds, signed by one of the keys and redeemable at `now`; raises TicketRefused.

    That it is redeemed once only is the gateway's to see to, by `Ticket.id`.
    """
    ticket = _parse(_authentic_payload(text, public_keys))
    if ticket.issued_at > now + CLOCK_LEEWAY:
        raise _invalid()
    if now > ticket.redeem_by_at or now >= ticket.not_after_at:
        raise TicketRefused("TICKET_LATE", "Le ticket d'accès n'est plus valable : refaites la demande.")
    return ticket


def _authentic_payload(text: str, public_keys: Mapping[str, Ed25519PublicKey]) -> bytes:
    if len(text) > MAX_TICKET_CHARS or not text.isascii():
        raise _invalid()
    signed, _, signature = text.rpartition(".")
    kid, _, payload = signed.partition(".")
    key = public_keys.get(kid)
    if key is None:
        raise _invalid()
    try:
        key.verify(_decode(signature), signed.encode())
        return _decode(payload)
    except (InvalidSignature, binascii.Error):
        raise _invalid() from None


def _to_json(ticket: Ticket) -> dict[str, Any]:
    return {
        "id": ticket.id,
        "camera": ticket.camera,
        "act": ticket.act,
        "streams": list(ticket.streams),
        "from": _time_text(ticket.from_at),
        "to": _time_text(ticket.to_at),
        "motif_code": ticket.motif_code,
        "motif_reference": ticket.motif_reference,
        "actor": ticket.actor,
        "session": ticket.session,
        "issued_at": _time_text(ticket.issued_at),
        "redeem_by_at": _time_text(ticket.redeem_by_at),
        "not_after_at": _time_text(ticket.not_after_at),
    }


def _parse(payload: bytes) -> Ticket:
    """A signed payload is ours, but a key may outlive a format: whatever does not fit is refused, never
    guessed.
    """
    try:
        fields = json.loads(payload)
        ticket = Ticket(
            id=str(UUID(fields["id"])),
            camera=str(UUID(fields["camera"])),
            act=fields["act"],
            streams=tuple(fields["streams"]),
            from_at=_optional_time(fields["from"]),
            to_at=_optional_time(fields["to"]),
            motif_code=fields["motif_code"],
            motif_reference=fields["motif_reference"],
            actor=str(UUID(fields["actor"])),
            session=fields["session"],
            issued_at=_time(fields["issued_at"]),
            redeem_by_at=_time(fields["redeem_by_at"]),
            not_after_at=_time(fields["not_after_at"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        raise _invalid() from None
    if not _is_sound(ticket):
        raise _invalid()
    return ticket


def _is_sound(ticket: Ticket) -> bool:
    if not ticket.streams or not set(ticket.streams) <= {"main", "sub"}:
        return False
    if ticket.act == "live":
        return ticket.from_at is None and ticket.to_at is None
    if ticket.act == "replay":
        return ticket.from_at is not None and ticket.to_at is not None and ticket.from_at < ticket.to_at
    return False


def _invalid() -> TicketRefused:
    return TicketRefused("TICKET_INVALID", "Le ticket d'accès n'est pas valable.")


def _time_text(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _time(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError("a time without zone")
    return at.astimezone(UTC)


def _optional_time(text: str | None) -> datetime | None:
    return None if text is None else _time(text)


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    """Strict: one text for one content, so that an altered ticket is never the same ticket."""
    data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    if _encode(data) != text:
        raise binascii.Error("not canonical base64url")
    return data
