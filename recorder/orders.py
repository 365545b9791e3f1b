"""What a recorder must do, as the centre orders it: signed, and with a version that only rises.

Cameras' passwords ride inside the envelope (`sealed.py`), so it is kept in a file of mode 0600 and never logged. The
recorder keeps the last envelope on disk and verifies it again at each start, so it carries on alone; a lower version is
refused, so that a restored backup can't roll the rules back.
"""

import json
import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from legal.retention import RetentionRefused, check_retention
from recorder.sealed import OrderRefused, seal, unseal
from recorder.utc import at_from_text, text_from_at

Adapter = Literal["native", "pyav"]
InterruptionCause = Literal["planned", "masked"]
_DOMAIN = b"csu orders 1\n"
MAX_PRIORITY = 1000
MAX_TEXT_BYTES, MAX_AUTHORISATION_BYTES = 4096, 256
"""The second goes into each file's header (`format.HEADER_READ_BYTES`)."""


@dataclass(frozen=True, slots=True)
class StreamAddress:
    """An RTSP address without credentials in it, and the credentials beside it.

    `certificate`: SHA-256 (hexadecimal) of the only one to trust over `rtsps`, for a camera that signs its own.
    """

    url: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    certificate: str | None = None


@dataclass(frozen=True, slots=True)
class Interruption:
    """A window announced by the centre, half-open: of maintenance ("planned": what is missing in it for the camera's or
    the network's sake has this cause, pictures that come are kept), or of no pictures at all ("masked")."""

    cause: InterruptionCause
    from_at: datetime
    to_at: datetime


@dataclass(frozen=True, slots=True)
class CameraOrder:
    """Record `main` from `record_from_at` until just before `record_to_at`; pull `sub` for the live feed only.

    `authorisation` is the arrêté under which it is done; `retention_days` and `minimum_days` are that arrêté's.
    `priority`: 0 to MAX_PRIORITY, 0 is given up last. `adapter`: "native" or "pyav".
    """

    camera: str
    name: str
    main: StreamAddress
    sub: StreamAddress | None
    adapter: Adapter
    authorisation: str
    record_from_at: datetime
    record_to_at: datetime
    retention_days: int
    minimum_days: int | None = None
    priority: int = 0
    interruptions: tuple[Interruption, ...] = ()


@dataclass(frozen=True, slots=True)
class Orders:
    version: int
    issued_at: datetime
    cameras: list[CameraOrder]


def sign(orders: Orders, private_key: Ed25519PrivateKey) -> dict[str, str]:
    """The signed envelope of these orders."""
    return seal(_DOMAIN, _to_json(orders), private_key)


def verify(envelope: Mapping[str, Any], public_keys: Mapping[str, Ed25519PublicKey]) -> Orders:
    """The orders in an envelope signed by one of the keys. Raises OrderRefused."""
    document = unseal(_DOMAIN, envelope, public_keys)
    try:
        orders = _from_json(document)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise OrderRefused("ORDER_INVALID", f"{type(error).__name__} in the signed payload") from error
    _check(orders)
    return orders


def _check(orders: Orders) -> None:
    seen: set[str] = set()
    for order in orders.cameras:
        if order.camera in seen:
            raise OrderRefused("ORDER_INVALID", f"camera {order.camera} comes twice")
        seen.add(order.camera)
        try:
            check_retention(order.retention_days, order.minimum_days)
        except RetentionRefused as error:
            raise OrderRefused(error.code, f"camera {order.camera}: {error} ({error.source})") from error
        if not 0 <= order.priority <= MAX_PRIORITY:
            raise OrderRefused("ORDER_INVALID", f"camera {order.camera}: expected a priority of 0 to {MAX_PRIORITY}")
        if len(order.authorisation.encode()) > MAX_AUTHORISATION_BYTES:
            raise OrderRefused("ORDER_INVALID", f"camera {order.camera}: the authorisation's name is too long")
        if any(i.to_at <= i.from_at for i in order.interruptions):
            raise OrderRefused("ORDER_INVALID", f"camera {order.camera}: an interruption ends before it begins")


def _to_json(orders: Orders) -> dict[str, Any]:
    return {
        "version": orders.version,
        "issued_at": text_from_at(orders.issued_at),
        "cameras": [_camera_to_json(c) for c in orders.cameras],
    }


def _camera_to_json(order: CameraOrder) -> dict[str, Any]:
    return {
        "camera": order.camera,
        "name": order.name,
        "main": _address_to_json(order.main),
        "sub": _address_to_json(order.sub) if order.sub else None,
        "adapter": order.adapter,
        "authorisation": order.authorisation,
        "record_from_at": text_from_at(order.record_from_at),
        "record_to_at": text_from_at(order.record_to_at),
        "retention_days": order.retention_days,
        "minimum_days": order.minimum_days,
        "priority": order.priority,
        "interruptions": [
            {"cause": i.cause, "from_at": text_from_at(i.from_at), "to_at": text_from_at(i.to_at)}
            for i in order.interruptions
        ],
    }


def _address_to_json(address: StreamAddress) -> dict[str, Any]:
    document = {"url": address.url, "username": address.username, "password": address.password}
    return document if address.certificate is None else {**document, "certificate": address.certificate}


def _from_json(document: dict[str, Any]) -> Orders:
    return Orders(
        version=_integer(document["version"]),
        issued_at=at_from_text(document["issued_at"]),
        cameras=[_camera_from_json(c) for c in document["cameras"]],
    )


def _camera_from_json(document: dict[str, Any]) -> CameraOrder:
    if document["adapter"] not in ("native", "pyav"):
        raise ValueError("adapter")
    minimum = document["minimum_days"]
    return CameraOrder(
        camera=str(uuid.UUID(document["camera"])),
        name=_text(document["name"]),
        main=_address_from_json(document["main"]),
        sub=_address_from_json(document["sub"]) if document["sub"] is not None else None,
        adapter=document["adapter"],
        authorisation=_text(document["authorisation"]),
        record_from_at=at_from_text(document["record_from_at"]),
        record_to_at=at_from_text(document["record_to_at"]),
        retention_days=_integer(document["retention_days"]),
        minimum_days=None if minimum is None else _integer(minimum),
        priority=_integer(document["priority"]),
        interruptions=tuple(_interruption_from_json(i) for i in document.get("interruptions", ())),
    )


def _interruption_from_json(document: dict[str, Any]) -> Interruption:
    if document["cause"] not in ("planned", "masked"):
        raise ValueError("cause of an interruption")
    return Interruption(document["cause"], at_from_text(document["from_at"]), at_from_text(document["to_at"]))


def _address_from_json(document: dict[str, Any]) -> StreamAddress:
    username, password, certificate = document["username"], document["password"], document.get("certificate")
    return StreamAddress(
        _text(document["url"]),
        None if username is None else _text(username),
        None if password is None else _text(password),
        None if certificate is None else _text(certificate),
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("expected text")
    if len(value.encode()) > MAX_TEXT_BYTES:  # a ValueError too where it is none that can be encoded
        raise ValueError("expected a shorter text")
    return value


def _integer(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError("expected an integer")
    if abs(value) >> 62:
        raise ValueError("expected an integer of 63 bits")
    return value


class OrdersFile:
    """The last orders on disk (mode 0600), replaced atomically and synced before they are obeyed."""

    def __init__(self, path: Path, public_keys: Mapping[str, Ed25519PublicKey]) -> None:
        self._path = path
        self._public_keys = public_keys
        self._last = Orders(0, datetime.min.replace(tzinfo=UTC), [])

    def load(self) -> Orders | None:
        """The orders of before the restart, or None at the first start. Raises OrderRefused when they were altered."""
        try:
            document = json.loads(self._path.read_bytes())
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise OrderRefused("ORDER_INVALID", f"{self._path.name} is not JSON") from error
        self._last = verify(document, self._public_keys)
        return self._last

    def accept(self, envelope: Mapping[str, Any]) -> Orders:
        """Verify and keep new orders. The same again are accepted; others of the same version, from a centre restored
        from a backup, are not. Raises OrderRefused, OSError."""
        orders, last = verify(envelope, self._public_keys), self._last
        if orders.version < last.version or (orders.version == last.version and orders.issued_at != last.issued_at):
            expected = f"expected a version over {last.version}, or that of {text_from_at(last.issued_at)} again"
            raise OrderRefused("ORDER_OLD", f"{expected}; version {orders.version} of {text_from_at(orders.issued_at)}")
        self._replace(json.dumps(dict(envelope)).encode())
        self._last = orders
        return orders

    def _replace(self, data: bytes) -> None:
        self._path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        new = self._path.with_suffix(".new")
        fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(fd)
        os.replace(new, self._path)
        directory = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
