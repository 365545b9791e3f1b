"""Makes `orders_of_before.json`: the orders that a recorder of the first release keeps, and the key that signed them.

git worktree add --detach DIR d1082ac && PYTHONPATH=DIR .venv/bin/python tests/crash/make_orders_of_before.py
"""

import json
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from recorder.orders import CameraOrder, Orders, StreamAddress, sign

FILE = Path(__file__).with_name("orders_of_before.json")
CAMERA = "6f6c1a34-8f0e-4b0a-9d57-2f3f2a0b1c01"


def make() -> None:
    key = Ed25519PrivateKey.generate()
    order = CameraOrder(
        camera=CAMERA,
        name="01 Place de l'Hôtel de ville",
        main=StreamAddress("rtsp://192.0.2.7/main", "viewer", "camera-secret"),
        sub=StreamAddress("rtsp://192.0.2.7/sub", "viewer", "camera-secret"),
        adapter="native",
        authorisation="27-2026-001",
        record_from_at=datetime(2026, 1, 1, tzinfo=UTC),
        record_to_at=datetime(2031, 1, 1, tzinfo=UTC),
        retention_days=15,
        minimum_days=7,
        priority=2,
    )
    envelope = sign(Orders(41, datetime(2026, 11, 23, tzinfo=UTC), [order]), key)
    public = key.public_key().public_bytes_raw().hex()
    FILE.write_text(json.dumps({"public": public, "orders": envelope}, indent=1) + "\n")


if __name__ == "__main__":
    make()
