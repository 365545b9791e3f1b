"""What the recorder must do, from the tables: pure, then signed under a version that only rises."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from csu.audit import entries
from csu.audit.entries import SYSTEM, Entry
from csu.cameras.secrets import SecretBox, SecretError
from csu.clock import iso
from csu.store import in_force, tables
from csu.store.facts import interruptions
from csu.store.store import Store
from legal.facts import Validity
from legal.retention import kept_days
from recorder.orders import CameraOrder, Interruption, Orders, StreamAddress

RECORDER = "recorder"


# Past interruptions stay in the orders for a while: a recorder that was away accounts by them when it is back.
_TOLD_AFTER = timedelta(days=1)


def plan(
    cameras: Iterable[Mapping[str, Any]],
    lines: Iterable[Mapping[str, Any]],
    now: datetime,
    announced: Mapping[str, Iterable[Interruption]] = MappingProxyType({}),
) -> list[CameraOrder]:
    """One order per camera that has ever been authorised to record, in the order of their ids.

    The line in force counts, the one that ends last if there are several; without one, the next to begin, else the
    last that was: the recorder then knows the camera, and that it may not record it (CSI L.252-1).
    `cameras`: id, number, name, main_url, sub_url, username, password, certificate, adapter, priority, kept_days.
    `lines`: camera, reference, from_at, to_at, suspended_at, retention_days, minimum_days; those that let record.
    `announced`: decided interruptions by camera.
    """
    by_camera: dict[str, list[Mapping[str, Any]]] = {}
    for line in lines:
        by_camera.setdefault(line["camera"], []).append(line)
    return [
        _order(
            camera,
            min(by_camera[camera["id"]], key=lambda line: _rank(line, now)),
            tuple(one for one in announced.get(camera["id"], ()) if now < one.to_at + _TOLD_AFTER),
        )
        for camera in sorted(cameras, key=lambda camera: str(camera["id"]))
        if camera["id"] in by_camera
    ]


def refusals(cameras: Iterable[Mapping[str, Any]], lines: Iterable[Mapping[str, Any]], now: datetime) -> dict[str, str]:
    """Why a camera may not be recorded now, code by number (CSI L.252-1, L.252-4, R.254-2); those that may are not in
    it."""
    by_camera: dict[str, list[Validity]] = {}
    for line in lines:
        validity = Validity(line["from_at"], line["to_at"], line["suspended_at"])
        by_camera.setdefault(line["camera"], []).append(validity)
    found = {}
    for camera in cameras:
        known = by_camera.get(camera["id"], [])
        if any(validity.in_force(now) for validity in known):
            continue
        if any(validity.is_suspended(now) for validity in known):
            found[camera["number"]] = "AUTH_SUSPENDED"
        else:
            found[camera["number"]] = "AUTH_EXPIRED" if any(v.is_over(now) for v in known) else "AUTH_MISSING"
    return found


def _rank(line: Mapping[str, Any], now: datetime) -> tuple[int, float, str]:
    validity = Validity(line["from_at"], line["to_at"], line["suspended_at"])
    if validity.in_force(now):
        return 0, -validity.end_at.timestamp(), line["reference"]
    if now < validity.from_at < validity.end_at:
        return 1, validity.from_at.timestamp(), line["reference"]
    return 2, -validity.end_at.timestamp(), line["reference"]


def _order(camera: Mapping[str, Any], line: Mapping[str, Any], interruptions: tuple[Interruption, ...]) -> CameraOrder:
    validity = Validity(line["from_at"], line["to_at"], line["suspended_at"])
    username, password, certificate = camera["username"], camera["password"], camera["certificate"]
    sub = camera["sub_url"]
    return CameraOrder(
        camera=camera["id"],
        name=f"{camera['number']} {camera['name']}",
        main=StreamAddress(camera["main_url"], username, password, certificate),
        sub=None if sub is None else StreamAddress(sub, username, password, certificate),
        adapter=camera["adapter"],
        authorisation=line["reference"],
        record_from_at=validity.from_at,
        record_to_at=max(validity.from_at, validity.end_at),
        retention_days=kept_days(line["retention_days"], line["minimum_days"], camera["kept_days"]),
        minimum_days=line["minimum_days"],
        priority=camera["priority"],
        interruptions=interruptions,
    )


async def current(store: Store, box: SecretBox, now: datetime) -> Orders:
    """The orders of now. When they differ from the last ones, or other cameras are refused to be recorded, their
    version rises, journalled with the refused and why, in one transaction."""
    state = tables.orders_state
    async with store.transaction(None) as connection:
        planned, refused = await _read(connection, box, now)
        fingerprint = box.fingerprint(_canonical(planned, refused))
        first = {"recorder": RECORDER, "version": 0, "content_hash": b"", "issued_at": now}
        await connection.execute(insert(state).values(first).on_conflict_do_nothing())
        statement = select(state).where(state.c.recorder == RECORDER).with_for_update()
        row = (await connection.execute(statement)).mappings().one()
        if bytes(row["content_hash"]) == fingerprint:
            return Orders(row["version"], row["issued_at"], planned)
        version = row["version"] + 1
        changed = {"version": version, "content_hash": fingerprint, "issued_at": now}
        await connection.execute(update(state).where(state.c.recorder == RECORDER).values(changed))
        detail: dict[str, Any] = {"version": version, "cameras": len(planned)}
        if refused:
            told = (f"{number} {code}" for number, code in sorted(refused.items()))
            detail["about"] = f"non enregistrées : {', '.join(told)}"
        await entries.append(connection, [Entry("orders:issue", now, SYSTEM, detail=detail)])
    return Orders(version, now, planned)


async def supersede(store: Store, version: int, now: datetime) -> int:
    """New orders with the next `current`, above `version`, which the recorder has; journalled. The centre's version
    before: that of a backup may be older."""
    state = tables.orders_state
    async with store.transaction(None) as connection:
        first = {"recorder": RECORDER, "version": 0, "content_hash": b"", "issued_at": now}
        await connection.execute(insert(state).values(first).on_conflict_do_nothing())
        statement = select(state.c.version).where(state.c.recorder == RECORDER).with_for_update()
        before: int = (await connection.execute(statement)).scalar_one()
        changed = {"version": max(before, version), "content_hash": b""}
        await connection.execute(update(state).where(state.c.recorder == RECORDER).values(changed))
        detail = {"recorder": version, "centre": before}
        await entries.append(connection, [Entry("orders:supersede", now, entries.LOCAL, detail=detail)])
    return before


async def _read(connection: AsyncConnection, box: SecretBox, now: datetime) -> tuple[list[CameraOrder], dict[str, str]]:
    rows = (await connection.execute(select(tables.camera))).mappings()
    cameras = [{**row, **_credentials(row, box)} for row in rows]
    statement = in_force.lines().where(tables.authorisation_line.c.recorded)
    lines = [dict(row) for row in (await connection.execute(statement)).mappings()]
    announced = {
        camera: [Interruption(one.cause.value, one.validity.from_at, one.validity.end_at) for one in found]
        for camera, found in (await interruptions(connection)).items()
    }
    return plan(cameras, lines, now, announced), refusals(cameras, lines, now)


def _credentials(camera: Mapping[Any, Any], box: SecretBox) -> dict[str, str | None]:
    """None where the password can't be opened (another key, as after a backup): that camera is lost, with an alarm,
    until it is imported again; the orders of the others, and what takes a right away, go on."""
    if camera["secret"] is None:
        return {"password": None}
    try:
        return {"password": box.open(camera["id"], camera["secret"])}
    except SecretError:
        return {"username": None, "password": None}


def _canonical(planned: list[CameraOrder], refused: Mapping[str, str]) -> bytes:
    told = [asdict(order) for order in planned], dict(refused)
    return json.dumps(told, default=_text, sort_keys=True).encode()


def _text(value: object) -> str | None:
    assert isinstance(value, datetime)
    return iso(value)
