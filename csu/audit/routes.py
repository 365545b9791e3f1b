"""The journal for those who control: entries, its signed head, and who is watching now."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, Field
from sqlalchemy import select

from csu.accounts.guard import Guard, Visit
from csu.audit import proofs, search, words
from csu.audit.ops import OpClass
from csu.audit.proofs import ProofError
from csu.audit.search import JournalFilter, readable
from csu.errors import Refusal, not_found
from csu.store import facts, tables
from legal.acts import Act
from legal.secrecy import secrets_from

router = APIRouter(prefix="/api", tags=["journal"])


class EntryBody(BaseModel):
    leaf: int
    at: datetime
    author: str
    person: str | None
    quality: str
    authority: str | None
    commune: str | None
    op: str
    op_label: str
    op_class: OpClass | None
    camera: str | None
    camera_name: str | None
    from_at: datetime | None = Field(serialization_alias="from")
    to_at: datetime | None = Field(serialization_alias="to")
    motif: str | None
    motif_reference: str | None
    result: str
    reason: str | None
    # What the act was about, by its reference or login, and the words that the person gave for it.
    about: str | None
    given: str | None
    code: str | None
    workstation: str | None
    recipients: list[str]
    # Of entries of the gateway: what was served since the one before, and, by the word of the page that showed it, how
    # many pictures were stepped through one by one.
    frames: int | None
    bytes: int | None
    page_says_stepped: int | None


class JournalPage(BaseModel):
    entries: list[EntryBody]
    next: int | None


class Checkpoint(BaseModel):
    tree_size: int
    root: str
    signed_at: datetime
    key: str


class WatchingBody(BaseModel):
    author: str
    camera: str
    camera_name: str
    commune: str
    act: str
    since: datetime


class Watching(BaseModel):
    watching: list[WatchingBody]


class PageQuery(JournalFilter):
    before: Annotated[int | None, Field(ge=0, le=2**62)] = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50


@router.get("/journal")
async def read_journal(
    visit: Annotated[Visit, Depends(Guard(Act.JOURNAL_READ))], query: Annotated[PageQuery, Query()]
) -> JournalPage:
    """Entries from the newest, of the person's communes. The reading is an entry itself (CSI R.253-5)."""
    asked: dict[str, Any] = query.asked()
    secrets = secrets_from(visit.session.actor)
    if query.before is not None:
        asked["before"] = query.before
    async with visit.perform(detail=asked) as connection:
        statement = readable(visit).where(*query.conditions(secrets))
        found = await search.page(connection, statement, query.limit, query.before)
        if found is None:
            raise not_found()
    rows, following = found
    return JournalPage(entries=[EntryBody(**words.told(row, secrets)) for row in rows], next=following)


@router.get("/journal/checkpoint")
async def read_checkpoint(visit: Annotated[Visit, Depends(Guard(Act.CHECKPOINT_READ))]) -> Checkpoint:
    """The newest signed head of the journal's tree."""
    head = tables.tree_head
    async with visit.perform() as connection:
        statement = select(head).order_by(head.c.tree_size.desc()).limit(1)
        row = (await connection.execute(statement)).mappings().one_or_none()
    if row is None:
        raise Refusal(404, "NOT_FOUND", "Aucune signature encore : la première est posée dans la minute.")
    return Checkpoint(tree_size=row["tree_size"], root=row["root"].hex(), signed_at=row["signed_at"], key=row["kid"])


class HeadBody(BaseModel):
    tree_size: int
    root: str
    signed_at: str
    key: str
    signature: str


class InclusionBody(BaseModel):
    """A document for `csu journal check`: `entry` is the canonical JSON that the leaf hashes behind `salt`."""

    kind: Literal["inclusion"]
    entry: str
    salt: str
    leaf: int
    head: HeadBody
    proof: list[str]


class LeafBody(BaseModel):
    """The same of an entry whose motif is kept from the reader: `hash` is its leaf's, which tells nothing of it."""

    kind: Literal["leaf"]
    hash: str
    leaf: int
    head: HeadBody
    proof: list[str]


class ConsistencyBody(BaseModel):
    kind: Literal["consistency"]
    old: HeadBody
    head: HeadBody
    proof: list[str]


@router.get("/journal/consistency")
async def prove_consistency(
    visit: Annotated[Visit, Depends(Guard(Act.JOURNAL_PROVE))], old: Annotated[int, Query(ge=1, le=2**62)]
) -> ConsistencyBody:
    """That the newest signed tree goes on from an older signed one, which the person has kept (RFC 9162 2.1.4)."""
    async with visit.perform(detail={"old": old}) as connection:
        try:
            return ConsistencyBody(**await proofs.consistency(connection, old))
        except ProofError as error:
            raise Refusal(409, "PROOF_UNAVAILABLE", str(error)) from error


@router.get("/journal/{leaf}/proof")
async def prove_entry(
    visit: Annotated[Visit, Depends(Guard(Act.JOURNAL_PROVE))], leaf: Annotated[int, Path(ge=0, le=2**62)]
) -> InclusionBody | LeafBody:
    """An entry of the person's communes with the proof that it is in the signed tree (RFC 9162 2.1.3)."""
    statement = readable(visit).where(tables.journal_leaf.c.leaf == leaf)
    async with visit.perform(detail={"leaf": leaf}) as connection:
        row = (await connection.execute(statement)).mappings().one_or_none()
        if row is None:
            raise not_found()
        try:
            if secrets_from(visit.session.actor).withholds(row["motif_code"]):
                return LeafBody(**await proofs.leaf_inclusion(connection, row))
            return InclusionBody(**await proofs.inclusion(connection, row))
        except ProofError as error:
            raise Refusal(409, "PROOF_UNAVAILABLE", str(error)) from error


@router.get("/watching")
async def list_watching(visit: Annotated[Visit, Depends(Guard(Act.WATCHING_LIST))]) -> Watching:
    """Who has pictures open at the gateway at this moment, on the cameras that the person knows of."""
    await visit.permit()
    leases = list(visit.centre.observed.open_leases)
    async with visit.centre.store.facts() as connection:
        cameras = await facts.cameras(connection, {lease["camera"] for lease in leases})
        names = await _names(connection, {lease["actor"] for lease in leases})
    communes = visit.communes
    watching = []
    for lease in leases:
        camera = cameras.get(lease["camera"])
        if camera is not None and (communes is None or camera.insee in communes):
            watching.append(
                WatchingBody(
                    author=names.get(lease["actor"], "inconnu"),
                    camera=camera.id,
                    camera_name=f"{camera.number} {camera.name}",
                    commune=camera.commune.legal.name,
                    act=lease["act"],
                    since=lease["since"],
                )
            )
    return Watching(watching=watching)


async def _names(connection: Any, ids: set[str]) -> dict[str, str]:
    account = tables.account
    rows = await connection.execute(select(account.c.id, account.c.name).where(account.c.id.in_(ids)))
    return {row[0]: row[1] for row in rows}
