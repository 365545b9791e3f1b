"""Signed envelopes from the centre: `{"kid", "payload", "sig"}`, canonical JSON in base64 and its signature.

Ed25519 (RFC 8032) over a domain line and the JSON, so that one kind of document can't pass for another.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey


class OrderRefused(Exception):
    """What is not obeyed: a stable code (ORDER_INVALID, ORDER_KEY_UNKNOWN, ORDER_SIGNATURE, ORDER_OLD,
    RETENTION_TOO_LONG, RETENTION_INVALID, HOLD_*, WINDOW_ERASED, RELEASE_*) and a reason for logs, without secrets."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason


def key_id(key: Ed25519PublicKey) -> str:
    """The first 16 hex digits of the SHA-256 of the raw public key."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()[:16]


def seal(domain: bytes, document: Mapping[str, Any], private_key: Ed25519PrivateKey) -> dict[str, str]:
    payload = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    return {
        "kid": key_id(private_key.public_key()),
        "payload": base64.b64encode(payload).decode("ascii"),
        "sig": base64.b64encode(private_key.sign(domain + payload)).decode("ascii"),
    }


def unseal(domain: bytes, envelope: Mapping[str, Any], public_keys: Mapping[str, Ed25519PublicKey]) -> Any:
    """The document in an envelope signed by one of the keys. Raises OrderRefused."""
    try:
        kid = str(envelope["kid"])
        payload = base64.b64decode(envelope["payload"], validate=True)
        signature = base64.b64decode(envelope["sig"], validate=True)
    except (KeyError, TypeError, ValueError) as error:
        raise OrderRefused("ORDER_INVALID", "expected kid, payload and sig in base64") from error
    key = public_keys.get(kid)
    if key is None:
        raise OrderRefused("ORDER_KEY_UNKNOWN", f"signed by {kid[:16]!r}")
    try:
        key.verify(signature, domain + payload)
    except InvalidSignature as error:
        raise OrderRefused("ORDER_SIGNATURE", "the signature doesn't match the payload") from error
    try:
        return json.loads(payload)
    except ValueError as error:
        raise OrderRefused("ORDER_INVALID", "the signed payload is not JSON") from error
