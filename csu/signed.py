"""Documents that the centre signs: canonical JSON behind the name of its format, verified without a database.

A file is `{name: content, "kid", "sig"}` and stays right when its white space changes. Content is text, whole numbers,
booleans, lists, objects and null.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from legal.ledger import canonical


class SignedFault(Exception):
    """A file that can't be vouched for: a stable code, and a reason."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason


def sign(content: Mapping[str, Any], key: Ed25519PrivateKey) -> bytes:
    """Over the content's own `format`, so that no document passes for one of another kind."""
    return key.sign(_signed_bytes(content, content["format"]))


def to_file(name: str, content: Mapping[str, Any], kid: str, signature: bytes) -> dict[str, Any]:
    return {name: dict(content), "kid": kid, "sig": base64.b64encode(signature).decode("ascii")}


def read_file(
    content: bytes, name: str, format_: str, what: str, keys: Mapping[str, Ed25519PublicKey]
) -> dict[str, Any]:
    """The whole file, whose document of that name and format one of the keys has signed. `what` it is, with its
    article. Raises SignedFault."""
    try:
        file: dict[str, Any] = json.loads(content, object_pairs_hook=_once)
        document, kid = file[name], file["kid"]
        signed = _signed_bytes(document, format_)
        signature = base64.b64decode(file["sig"], validate=True)
    except (ValueError, KeyError, TypeError, RecursionError, binascii.Error) as error:
        raise SignedFault("INVALID", f"this file is not {what}") from error
    key = keys.get(kid) if isinstance(kid, str) else None
    if key is None:
        raise SignedFault("KEY_UNKNOWN", "it is signed by another key than the centre's")
    try:
        key.verify(signature, signed)
    except InvalidSignature as error:
        raise SignedFault("SIGNATURE", "it was altered after it was signed") from error
    if document.get("format") != format_:
        raise SignedFault("INVALID", f"this file is not {what}")
    return file


def _signed_bytes(content: Mapping[str, Any], format_: str) -> bytes:
    return f"{format_}\n".encode() + canonical(content)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A member that comes twice could show a reader another value than the signed one."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member comes twice")
    return found
