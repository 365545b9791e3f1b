"""A proof's document checked by itself: with the centre's public key and nothing else of it."""

from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from legal.ledger import head_text, includes, is_consistent, leaf_hash


class DocumentError(ValueError):
    """Not such a document; the text says what was expected."""


def check(document: Mapping[str, Any], keys: Mapping[str, Ed25519PublicKey]) -> list[str]:
    """What is wrong with a proof; nothing when it holds. Raises DocumentError."""
    try:
        faults = head_faults("head", document["head"], keys)
        if document["kind"] == "inclusion":
            digest = leaf_hash(bytes.fromhex(document["salt"]), document["entry"].encode())
            return faults + _inclusion_faults(document, digest)
        if document["kind"] == "leaf":
            return faults + _inclusion_faults(document, bytes.fromhex(document["hash"]))
        if document["kind"] == "consistency":
            return faults + head_faults("old", document["old"], keys) + _consistency_faults(document)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DocumentError(f"expected a proof of this journal: {type(error).__name__} {error}") from error
    raise DocumentError(f"expected kind inclusion, leaf or consistency, found {document['kind']!r}")


def head_faults(name: str, head: Mapping[str, Any], keys: Mapping[str, Ed25519PublicKey]) -> list[str]:
    key = keys.get(head["key"])
    if key is None:
        return [f"{name}: signed by key {head['key']}, which is not at hand"]
    try:
        key.verify(
            bytes.fromhex(head["signature"]),
            head_text(int(head["tree_size"]), bytes.fromhex(head["root"]), str(head["signed_at"])),
        )
    except InvalidSignature:
        return [f"{name}: the signature is not that of key {head['key']}"]
    return []


def _inclusion_faults(document: Mapping[str, Any], digest: bytes) -> list[str]:
    head = document["head"]
    proof = [bytes.fromhex(node) for node in document["proof"]]
    holds = includes(digest, int(document["leaf"]), int(head["tree_size"]), proof, bytes.fromhex(head["root"]))
    return [] if holds else ["the entry is not that leaf of the signed tree"]


def _consistency_faults(document: Mapping[str, Any]) -> list[str]:
    old, new = document["old"], document["head"]
    holds = is_consistent(
        int(old["tree_size"]),
        bytes.fromhex(old["root"]),
        int(new["tree_size"]),
        bytes.fromhex(new["root"]),
        [bytes.fromhex(node) for node in document["proof"]],
    )
    return [] if holds else ["the old tree is not the beginning of the new one"]
