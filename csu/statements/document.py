"""The daily statement of one commune: what was destroyed, what is left, what was recorded (CSI L.252-5, R.253-4).

Built by a pure function from rows, as canonical JSON of text, whole numbers, lists and null; then signed with the key
of the use `statements`. Its hash is the SHA-256 of those bytes, and the commune's next statement bears it. A file of it
is `{"statement", "kid", "sig"}`, and stays right when its white space changes.

That a requisition exists is not for the elected, to whom the statement goes (CPP 11, CP 226-13). What a hold keeps
beyond its deadline, and what died after its release, is left out of every figure and stands in `withheld` by the hash
of `{"salt", "cameras"}` only, also on days without any. Who may know of holds gets that object beside the signature.
"""

import hashlib
import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from csu import signed
from csu.clock import iso
from csu.signed import SignedFault
from csu.statements.days import begins_at, ends_at
from legal.ledger import canonical

FORMAT = "csu statement 1"
NO_HASH = "0" * 64
_RELEASED = "released"  # the cause of what a hold kept beyond its deadline
_DESTROYED = ("count", "bytes", "missing", "derived")
_HELD = ("held", "held_bytes")
Row = Mapping[str, Any]


def first_told(rows: Iterable[Row]) -> list[Row]:
    """Each camera's coverage of each day as it was told first: a day is added up once, and an index that was made again
    since knows less of it."""
    found: dict[tuple[str, date], Row] = {}
    for row in sorted(rows, key=lambda row: (row["told_at"], row["source"], row["n"])):
        found.setdefault((row["camera"], row["day"]), row)
    return list(found.values())


def build(
    commune: Row,
    day: date,
    cameras: Sequence[Row],
    expected: frozenset[str],
    coverage: Sequence[Row],
    destruction: Sequence[Row],
    inventory: Sequence[Row],
) -> dict[str, Any]:
    """What a commune's statement says of a day; the rows are that day's and commune's, in any order.

    `commune`: insee, name. `cameras`: id, number, name of all that it has. `expected`: those that an authorisation let
    record that day; what isn't known of them is in `missing` (`storage`: a directory
    that couldn't be counted). Cameras of which nothing is expected and nothing told
    are left out. `withheld` is what of holds is told apart, see `withhold`.
    """
    released = [row for row in destruction if row["cause"] == _RELEASED]
    destruction = [row for row in destruction if row["cause"] != _RELEASED]
    covered = {row["camera"]: row for row in first_told(coverage)}
    counted = {camera: _inventory(rows) for camera, rows in _by_camera(inventory).items()}
    kept = {
        camera: kept for camera, rows in _by_camera(inventory).items() if (kept := _sums(_HELD, _counts(rows)))["held"]
    }
    away = {row["camera"] for row in inventory if row["away"]}
    destroyed = {camera: _destruction(rows) for camera, rows in _by_camera(destruction).items()}
    after = {camera: _destruction(rows) for camera, rows in _by_camera(released).items()}
    shown = expected | covered.keys() | counted.keys() | destroyed.keys()
    told = [
        {
            "camera": camera["id"],
            "number": camera["number"],
            "name": camera["name"],
            "destroyed": destroyed.get(camera["id"], []),
            "inventory": counted.get(camera["id"]),
            "coverage": _coverage(covered.get(camera["id"])),
        }
        for camera in sorted(cameras, key=lambda camera: (camera["number"], camera["id"]))
        if camera["id"] in shown
    ]
    return {
        "format": FORMAT,
        "commune": {"insee": commune["insee"], "name": commune["name"]},
        "day": day.isoformat(),
        "from": iso(begins_at(day)),
        "to": iso(ends_at(day)),
        "cameras": told,
        "totals": _totals(told),
        "missing": [
            {"camera": one["camera"], "what": what}
            for one in told
            if one["camera"] in expected
            for what in ("coverage", "inventory", "storage")
            if (one["camera"] in away if what == "storage" else one[what] is None)
        ],
        "withheld": [
            {"camera": camera, **kept.get(camera, dict.fromkeys(_HELD, 0)), "destroyed": after.get(camera, [])}
            for camera in sorted(kept.keys() | after.keys())
        ],
    }


def withhold(content: Row) -> tuple[dict[str, Any], dict[str, Any]]:
    """The content to sign, and what its `withheld` is the hash of: salted, so that it can't be guessed."""
    withheld = {"salt": secrets.token_hex(16), "cameras": content["withheld"]}
    return {**content, "withheld": digest(withheld).hex()}, withheld


def _by_camera(rows: Sequence[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in sorted(rows, key=lambda row: (row["told_at"], row["source"], row["n"])):
        found.setdefault(row["camera"], []).append(row)
    return found


def _coverage(row: Row | None) -> dict[str, Any] | None:
    return None if row is None else {"expected_us": row["expected_us"], "sums_us": dict(row["sums_us"])}


def _inventory(rows: list[Row]) -> dict[str, Any]:
    """Added up over the indexes, without what is held beyond its deadline."""
    counts = _counts(rows)
    return {
        "at": iso(max(row["told_at"] for row in counts)),
        "oldest": iso(min((row["oldest_at"] for row in counts if row["oldest_at"] is not None), default=None)),
        "files": sum(row["files"] - row["held"] for row in counts),
        "bytes": sum(row["bytes"] - row["held_bytes"] for row in counts),
        "overdue": sum(row["overdue"] for row in counts),
    }


def _counts(rows: list[Row]) -> list[Row]:
    """One count from each index: a camera may lie on several disks."""
    first: dict[str, Row] = {}
    for row in rows:
        first.setdefault(row["source"], row)
    return list(first.values())


def _destruction(rows: list[Row]) -> list[dict[str, Any]]:
    """By cause, with the root of each hour over the hashes of what went."""
    by_cause: dict[str, list[Row]] = {}
    for row in rows:
        by_cause.setdefault(row["cause"], []).append(row)
    return [
        {
            "cause": cause,
            **_sums(_DESTROYED, of_cause),
            "first": iso(min(row["first_at"] for row in of_cause)),
            "last": iso(max(row["last_at"] for row in of_cause)),
            "roots": [
                {"hour": iso(row["hour"]), "count": row["count"], "root": bytes(row["root"]).hex()} for row in of_cause
            ],
        }
        for cause, of_cause in sorted(by_cause.items())
    ]


def _sums(names: Sequence[str], rows: Sequence[Row]) -> dict[str, int]:
    return {name: sum(row[name] for row in rows) for name in names}


def _totals(cameras: list[dict[str, Any]]) -> dict[str, Any]:
    counted = [one["inventory"] for one in cameras if one["inventory"] is not None]
    covered = [one["coverage"] for one in cameras if one["coverage"] is not None]
    return {
        "destroyed": _sums(_DESTROYED, [row for one in cameras for row in one["destroyed"]]),
        "oldest": min((one["oldest"] for one in counted if one["oldest"] is not None), default=None),
        **_sums(("files", "bytes", "overdue"), counted),
        "expected_us": sum(one["expected_us"] for one in covered),
        "recorded_us": sum(one["sums_us"].get("recorded", 0) for one in covered),
    }


def digest(statement: Row) -> bytes:
    return hashlib.sha256(canonical(statement)).digest()


def to_file(statement: Row, kid: str, signature: bytes, withheld: Row | None = None) -> dict[str, Any]:
    """With `withheld` it is for those who may know of holds."""
    file = signed.to_file("statement", statement, kid, signature)
    return file if withheld is None else {**file, "withheld": dict(withheld)}


def read_file(content: bytes, keys: Mapping[str, Ed25519PublicKey]) -> dict[str, Any]:
    """The statement in a file, signed by one of the keys. Raises SignedFault."""
    file = signed.read_file(content, "statement", FORMAT, "a daily statement", keys)
    statement: dict[str, Any] = file["statement"]
    try:
        withheld = digest(file["withheld"]).hex() if "withheld" in file else None
    except (ValueError, TypeError, RecursionError) as error:
        raise SignedFault("INVALID", "this file is not a daily statement") from error
    if withheld is not None and withheld != statement["withheld"]:
        raise SignedFault("WITHHELD", "what the statement withholds was altered after it was signed")
    return statement


def chain_faults(statements: Sequence[dict[str, Any]]) -> list[tuple[dict[str, Any], SignedFault]]:
    """What is wrong between statements whose signatures hold, commune by commune in the order of their numbers."""
    faults = []
    before: dict[str, Any] | None = None
    for one in sorted(statements, key=lambda one: (one["commune"]["insee"], one["number"])):
        if before is None or before["commune"]["insee"] != one["commune"]["insee"]:
            before = one
            continue
        if one["number"] != before["number"] + 1:
            reason = f"statements are missing between numbers {before['number']} and {one['number']}"
            faults.append((one, SignedFault("HOLE", reason)))
        elif one["previous"] != digest(before).hex():
            reason = f"number {one['number']} does not follow the number {before['number']} that is given"
            faults.append((one, SignedFault("CHAIN", reason)))
        before = one
    return faults
