"""Signed orders whose version only rises."""

import base64
import json
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from recorder.orders import _DOMAIN, CameraOrder, Interruption, Orders, OrdersFile, StreamAddress, sign, verify
from recorder.sealed import OrderRefused, key_id, seal

NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
KEY = Ed25519PrivateKey.generate()
KEYS = {key_id(KEY.public_key()): KEY.public_key()}
CAMERA = CameraOrder(
    camera="6f6c1a34-8f0e-4b0a-9d57-2f3f2a0b1c01",
    name="Place de l'Église",
    main=StreamAddress("rtsps://127.0.0.1:8554/cam/01/main", "user", "sésame", "ab" * 32),
    sub=None,
    adapter="native",
    authorisation="27-2026-001",
    record_from_at=NOW,
    record_to_at=NOW + timedelta(days=365),
    retention_days=15,
    minimum_days=3,
)
ORDERS = Orders(7, NOW, [CAMERA])
INTERRUPTIONS = (
    Interruption("planned", NOW, NOW + timedelta(hours=2)),
    Interruption("masked", NOW + timedelta(hours=1), NOW + timedelta(hours=3)),
)


def test_round_trip() -> None:
    assert verify(sign(ORDERS, KEY), KEYS) == ORDERS


def test_interruptions_come_through_and_orders_of_before_have_none(tmp_path: Path) -> None:
    announced = replace(ORDERS, cameras=[replace(CAMERA, interruptions=INTERRUPTIONS)])
    assert verify(sign(announced, KEY), KEYS) == announced
    payload = json.loads(base64.b64decode(sign(ORDERS, KEY)["payload"]))
    del payload["cameras"][0]["interruptions"]
    path = tmp_path / "orders.json"
    path.write_text(json.dumps(seal(_DOMAIN, payload, KEY)))
    assert OrdersFile(path, KEYS).load() == ORDERS


def test_passwords_are_not_in_the_text_of_an_object() -> None:
    assert "sésame" not in repr(ORDERS)


def _interrupted(cause: Any, from_at: datetime, to_at: datetime) -> dict[str, str]:
    window = Interruption(cause, from_at, to_at)
    return sign(replace(ORDERS, cameras=[replace(CAMERA, interruptions=(window,))]), KEY)


def _with_authorisation(text: str) -> dict[str, str]:
    """Also what can't be written as UTF-8; JSON may say it."""
    document = json.loads(base64.b64decode(sign(ORDERS, KEY)["payload"]))
    document["cameras"][0]["authorisation"] = text
    payload = json.dumps(document).encode()
    signature = KEY.sign(_DOMAIN + payload)
    return {
        "kid": key_id(KEY.public_key()),
        "payload": base64.b64encode(payload).decode(),
        "sig": base64.b64encode(signature).decode(),
    }


def test_altered_or_foreign_orders_are_refused() -> None:
    envelope = sign(ORDERS, KEY)
    other = sign(ORDERS, Ed25519PrivateKey.generate())
    cases = [
        ({**envelope, "payload": sign(replace(ORDERS, version=8), KEY)["payload"]}, "ORDER_SIGNATURE"),
        (other, "ORDER_KEY_UNKNOWN"),
        ({**envelope, "sig": "?"}, "ORDER_INVALID"),
        ({}, "ORDER_INVALID"),
        (sign(replace(ORDERS, cameras=[CAMERA, CAMERA]), KEY), "ORDER_INVALID"),
        (sign(replace(ORDERS, cameras=[replace(CAMERA, camera="../x")]), KEY), "ORDER_INVALID"),
        (sign(replace(ORDERS, cameras=[replace(CAMERA, adapter="shell")]), KEY), "ORDER_INVALID"),
        (_interrupted("upside down", NOW, NOW + timedelta(hours=1)), "ORDER_INVALID"),
        (_interrupted("masked", NOW, NOW), "ORDER_INVALID"),
        (sign(replace(ORDERS, cameras=[replace(CAMERA, priority=-1)]), KEY), "ORDER_INVALID"),
        (sign(replace(ORDERS, cameras=[replace(CAMERA, priority=1001)]), KEY), "ORDER_INVALID"),
        (sign(replace(ORDERS, cameras=[replace(CAMERA, authorisation="x" * 257)]), KEY), "ORDER_INVALID"),
        (sign(replace(ORDERS, version=1 << 70), KEY), "ORDER_INVALID"),
        (_with_authorisation("\ud800"), "ORDER_INVALID"),
        (sign(replace(ORDERS, cameras=[replace(CAMERA, retention_days=32)]), KEY), "RETENTION_TOO_LONG"),
        (sign(replace(ORDERS, cameras=[replace(CAMERA, minimum_days=16)]), KEY), "RETENTION_INVALID"),
    ]
    for bad, code in cases:
        with pytest.raises(OrderRefused) as refused:
            verify(bad, KEYS)
        assert refused.value.code == code


def test_version_only_rises_also_over_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "recorder" / "orders.json"
    first = OrdersFile(path, KEYS)
    assert first.load() is None
    assert first.accept(sign(ORDERS, KEY)) == ORDERS
    assert os.stat(path).st_mode & 0o777 == 0o600
    again = OrdersFile(path, KEYS)
    assert again.load() == ORDERS
    with pytest.raises(OrderRefused, match="ORDER_OLD"):
        again.accept(sign(replace(ORDERS, version=6), KEY))
    assert again.accept(sign(ORDERS, KEY)) == ORDERS
    with pytest.raises(OrderRefused, match=r"ORDER_OLD: expected a version over 7, or that of .* again; version 7 of"):
        again.accept(sign(replace(ORDERS, issued_at=ORDERS.issued_at + timedelta(days=1)), KEY))
    assert again.load() == ORDERS
    assert again.accept(sign(replace(ORDERS, version=8), KEY)).version == 8


def test_altered_file_is_refused_at_start(tmp_path: Path) -> None:
    path = tmp_path / "orders.json"
    OrdersFile(path, KEYS).accept(sign(ORDERS, KEY))
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(OrderRefused):
        OrdersFile(path, KEYS).load()
