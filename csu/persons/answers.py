"""Was a person habilité for a camera at a date? Decided again on what was known then, and signed (Crim. 13 Nov. 2024).

The answer is that of `legal.permissions.decide` for live pictures and for a replay, whatever lawful motif was given,
and bears the versions of the facts that it was taken on. Nothing that is recorded later changes it.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, and_, or_, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection

from csu.clock import iso
from csu.store import facts, tables
from csu.store.facts import KnownCamera
from legal.acts import Act, Allowed, Refused
from legal.facts import Actor, Right
from legal.ledger import canonical
from legal.permissions import foresee

FORMAT = "csu habilitation 1"
NAME = "answer"
WHAT = "an answer on a habilitation"
_ACTS = {Right.LIVE: Act.PICTURE_LIVE, Right.REPLAY: Act.PICTURE_REPLAY}
_NO_ACCOUNT = Refused("NOT_HABILITE", "Cette personne n'avait pas de compte ouvert.", "CSI R.253-3 II")
_NO_CAMERA = Refused("AUTH_MISSING", "Cette caméra n'était pas connue du centre.", "CSI L.252-1")


@dataclass(frozen=True, slots=True)
class Question:
    """Who, by account and login; the camera as it is known now; when."""

    account: str
    login: str
    camera: KnownCamera
    at: datetime


async def answer(connection: AsyncConnection, asked: Question, answered_at: datetime) -> dict[str, Any]:
    """The document to sign. `connection`: the guard's, a view of all facts."""
    actor = (await facts.actors(connection, [asked.account], asked.at)).get(asked.account)
    camera = (await facts.cameras(connection, [asked.camera.id], at=asked.at)).get(asked.camera.id)
    outcomes = {right.value: _outcome(actor, camera, act, asked.at) for right, act in _ACTS.items()}
    versions = await _versions(connection, asked)
    return {
        "format": FORMAT,
        "account": asked.account,
        "login": asked.login,
        "camera": {"id": asked.camera.id, "number": asked.camera.number, "name": asked.camera.name},
        "commune": asked.camera.insee,
        "at": iso(asked.at),
        "habilite": any(isinstance(outcome, Allowed) for outcome in outcomes.values()),
        "rights": {name: _told(outcome) for name, outcome in outcomes.items()},
        "acts": [_act(row["known"]) for row in versions if row["fact"] == "habilitation"],
        "deports": [_deport(row["known"]) for row in versions if row["fact"] == "deport"],
        "facts": [_fact(row) for row in versions],
        "answered_at": iso(answered_at),
    }


def entry_detail(document: dict[str, Any], digest: str) -> dict[str, Any]:
    """What the journal says of an answer: it names the very document."""
    told = {name: document[name] for name in ("account", "at", "habilite")}
    return {**told, "about": document["login"], "hash": digest}


def digest(document: dict[str, Any]) -> str:
    """SHA-256 of the canonical bytes."""
    return hashlib.sha256(canonical(document)).hexdigest()


def _outcome(actor: Actor | None, camera: KnownCamera | None, act: Act, at: datetime) -> Allowed | Refused:
    if camera is None:
        return _NO_CAMERA
    return _NO_ACCOUNT if actor is None else foresee(actor, act, camera.subject, at)


def _told(outcome: Allowed | Refused) -> dict[str, Any]:
    """`reason` as it was told to the person."""
    if isinstance(outcome, Refused):
        return {"allowed": False, "code": outcome.code, "reason": outcome.reason, "source": outcome.source}
    return {"allowed": True}


async def _versions(connection: AsyncConnection, asked: Question) -> list[RowMapping]:
    """Of each fact that the answer rests on, the version that was the last at its date."""
    version = tables.fact_version
    commune, camera = asked.camera.insee, asked.camera.id
    of_account = and_(version.c.fact == "habilitation", version.c.known["account"].astext == asked.account)
    names = version.c.known["persons"].contains([asked.account])
    opens = or_(version.c.known["cameras"].astext.is_(None), version.c.known["cameras"].contains([camera]))
    lines = select(tables.authorisation_line.c.authorisation).where(tables.authorisation_line.c.camera == camera)
    arretes = [str(one) for one in (await connection.scalars(lines)).all()]
    chosen = or_(
        and_(version.c.fact == "account", version.c.key == asked.account),
        and_(of_account, version.c.commune == commune),
        and_(version.c.fact == "deport", version.c.commune == commune, names, opens),
        and_(version.c.fact.in_(["commune", "convention"]), version.c.commune == commune),
        and_(version.c.fact == "camera", version.c.key == camera),
        and_(version.c.fact == "authorisation", version.c.key.in_(arretes)),
        and_(version.c.fact == "authorisation_line", version.c.known["camera"].astext == camera),
        version.c.fact == "centre_rule",
    )
    statement = (
        select(version)
        .ext(postgresql.distinct_on(version.c.fact, version.c.key))
        .where(chosen, version.c.recorded_at <= asked.at)
        .order_by(version.c.fact, version.c.key, version.c.recorded_at.desc())
    )
    return list((await connection.execute(statement)).mappings().all())


def _act(known: dict[str, Any]) -> dict[str, Any]:
    """The act that habilitates: its reference, who signed it and when; null where a document of before does not say."""
    return {name: known.get(name) for name in ("basis", "reference", "signed_by", "signed_on", "from_at", "to_at")}


def _deport(known: dict[str, Any]) -> dict[str, Any]:
    """The arrêté that opens the pictures to a service of the State, with what it opens."""
    return {name: known[name] for name in ("reference", "rights", "recipient_days", "from_at", "to_at", "suspended_at")}


def _fact(row: RowMapping) -> dict[str, Any]:
    return {
        "fact": row["fact"],
        "key": row["key"],
        "recorded_at": iso(row["recorded_at"]),
        "written_at": iso(row["written_at"]),
        "known": row["known"],
    }
