"""What the centre decides about recordings beside its orders: holds, and releases that two persons signed for.

A hold keeps what one camera recorded in a window, for a requisition (CSI R.253-4 al. 3). A release ends a hold, or one
freeze of destruction: it names the very hold or freeze, so that an old release frees nothing new.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from recorder.sealed import OrderRefused, seal, unseal
from recorder.utc import at_from_text, text_from_at

_HOLD_DOMAIN = b"csu hold 1\n"
_RELEASE_DOMAIN = b"csu release 1\n"
_SUBJECTS = ("hold", "clock", "breaker")


@dataclass(frozen=True, slots=True)
class Hold:
    """`requisition` is its procedure number; `from_at` (included) and `to_at` (not) may lie in the future."""

    id: str
    camera: str
    from_at: datetime
    to_at: datetime
    requisition: str
    since_at: datetime


@dataclass(frozen=True, slots=True)
class Release:
    """`id`: the hold's, or that of the freeze. `persons`: two identifiers, the first proposed."""

    subject: Literal["hold", "clock", "breaker"]
    id: str
    persons: tuple[str, str]


def sign_hold(hold: Hold, private_key: Ed25519PrivateKey) -> dict[str, str]:
    document = {
        "id": hold.id,
        "camera": hold.camera,
        "from": text_from_at(hold.from_at),
        "to": text_from_at(hold.to_at),
        "requisition": hold.requisition,
        "since": text_from_at(hold.since_at),
    }
    return seal(_HOLD_DOMAIN, document, private_key)


def sign_release(release: Release, private_key: Ed25519PrivateKey) -> dict[str, str]:
    document = {"subject": release.subject, "id": release.id, "persons": list(release.persons)}
    return seal(_RELEASE_DOMAIN, document, private_key)


def verify_hold(envelope: Mapping[str, Any], public_keys: Mapping[str, Ed25519PublicKey]) -> Hold:
    """Raises OrderRefused."""
    return read_hold(unseal(_HOLD_DOMAIN, envelope, public_keys))


def read_hold(document: Any) -> Hold:
    """Raises OrderRefused."""
    try:
        hold = Hold(
            id=str(uuid.UUID(document["id"])),
            camera=str(uuid.UUID(document["camera"])),
            from_at=at_from_text(document["from"]),
            to_at=at_from_text(document["to"]),
            requisition=str(document["requisition"]).strip(),
            since_at=at_from_text(document["since"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise OrderRefused("ORDER_INVALID", f"{type(error).__name__} in the signed hold") from error
    if not hold.requisition:
        raise OrderRefused("HOLD_WITHOUT_PROCEDURE", "a hold needs the number of a requisition")
    if hold.from_at >= hold.to_at:
        raise OrderRefused("ORDER_INVALID", "the window ends before it begins")
    return hold


def verify_release(envelope: Mapping[str, Any], public_keys: Mapping[str, Ed25519PublicKey]) -> Release:
    """Raises OrderRefused, also when the persons aren't two."""
    document = unseal(_RELEASE_DOMAIN, envelope, public_keys)
    try:
        subject, freed = document["subject"], str(document["id"])
        first, second = (str(person).strip() for person in document["persons"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise OrderRefused("ORDER_INVALID", f"{type(error).__name__} in the signed release") from error
    if subject not in _SUBJECTS:
        raise OrderRefused("ORDER_INVALID", f"expected one of {', '.join(_SUBJECTS)}")
    if not first or not second or first == second:
        raise OrderRefused("RELEASE_NEEDS_TWO", "a release names two persons")
    return Release(subject, freed, (first, second))
