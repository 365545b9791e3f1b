"""What may be asked of the journal: filters, a place in it, and the statement that answers with indexes only.

Entries are told from the newest by the time of the act, those of one instant by their leaf: what a gateway or a
recorder told late stands where it happened.
"""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from sqlalchemy import ColumnElement, Select, and_, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from csu.accounts.guard import Visit
from csu.audit import ops
from csu.audit.entries import Result
from csu.audit.ops import OpClass
from csu.clock import iso
from csu.schemas import Insee, Instant, Line
from csu.store import tables
from legal.motifs import fault_of_prose, fault_of_reference
from legal.secrecy import Secrets, secrets_from

_JOURNAL, _LEAF = tables.journal, tables.journal_leaf
_Code = Annotated[str | None, Field(pattern="^[A-Z][A-Z0-9_]*$", max_length=40)]


def _number(given: str | None) -> str | None:
    """What is asked is told in the journal: no name or plate gets there by being searched for."""
    if given is not None and fault_of_reference(given) is not None:
        raise ValueError("expected a reference")
    return given


def _no_plate(given: str | None) -> str | None:
    if given is not None and fault_of_prose(given) is not None:
        raise ValueError("expected a name")
    return given


class JournalFilter(BaseModel):
    """Query parameters; an absent one filters nothing. `from` is in the period, `to` is not."""

    model_config = ConfigDict(frozen=True)

    author: Annotated[Line | None, Field(max_length=100), AfterValidator(_no_plate)] = None
    person: UUID | None = None
    camera: UUID | None = None
    commune: Insee | None = None
    op: Annotated[str | None, Field(pattern="^[a-z]+:[a-z-]+$", max_length=40)] = None
    op_class: Annotated[OpClass | None, Field(alias="class")] = None
    motif: _Code = None
    reference: Annotated[str | None, AfterValidator(_number)] = None
    result: Result | None = None
    code: _Code = None
    from_at: Annotated[Instant | None, Field(alias="from")] = None
    to_at: Annotated[Instant | None, Field(alias="to")] = None

    def asked(self) -> dict[str, str]:
        """What was asked, for the entry of the reading."""
        given = {name: value for name, value in self if value is not None}
        return {
            name: iso(value) or "" if isinstance(value, datetime) else str(value)
            for name, value in given.items()
            if name in JournalFilter.model_fields
        }

    def conditions(self, secrets: Secrets) -> list[ColumnElement[bool]]:
        """Which entries are meant. By a motif or a reference that is kept from the reader, none is found."""
        columns = _JOURNAL.c
        found: list[ColumnElement[bool]] = []
        for name, column in (
            ("author", columns.author_name),
            ("person", columns.author),
            ("camera", columns.camera),
            ("commune", columns.commune),
            ("op", columns.op),
            ("motif", columns.motif_code),
            ("reference", columns.motif_reference),
            ("result", columns.result),
            ("code", columns.code),
        ):
            value = getattr(self, name)
            if value is not None:
                found.append(column == str(value))
        if secrets.open_motifs is not None and not (self.motif is None and self.reference is None):
            found.append(columns.motif_code.in_(sorted(secrets.open_motifs)))
        if self.op_class is not None:
            found.append(columns.op.in_(ops.ops_of(self.op_class)))
        if self.from_at is not None:
            found.append(columns.at >= self.from_at)
        if self.to_at is not None:
            found.append(columns.at < self.to_at)
        return found


def visible(visit: Visit) -> list[ColumnElement[bool]]:
    """What of the journal the person may read. The communes are named beside row-level security for the index's sake.

    That a requisition exists is not for everybody (`legal.secrecy`); of an entry that stays, `words.told` withholds.
    """
    found: list[ColumnElement[bool]] = []
    if visit.communes is not None:
        found.append(_JOURNAL.c.commune.in_(sorted(visit.communes)))
    secrets = secrets_from(visit.session.actor)
    if secrets.ops:
        after_hold = and_(_JOURNAL.c.op == "recording:erase", _JOURNAL.c.detail.contains('"cause":"released"'))
        found += [_JOURNAL.c.op.not_in(sorted(secrets.ops)), ~after_hold]
    return found


def readable(visit: Visit) -> Select[Any]:
    """Numbered entries that the person may read, with their leaf."""
    statement = select(_JOURNAL, _LEAF.c.leaf).join_from(_JOURNAL, _LEAF, _LEAF.c.entry == _JOURNAL.c.id)
    return statement.where(*visible(visit))


async def page(
    connection: AsyncConnection, statement: Select[Any], limit: int, before: int | None
) -> tuple[Any, int | None] | None:
    """Rows of `readable` from the newest, and the leaf after which the next page begins; None of an unknown place."""
    if before is not None:
        place = select(_JOURNAL.c.at).join_from(_JOURNAL, _LEAF, _LEAF.c.entry == _JOURNAL.c.id)
        at = await connection.scalar(place.where(_LEAF.c.leaf == before))
        if at is None:
            return None
        earlier = or_(_JOURNAL.c.at < at, _LEAF.c.leaf < before)
        statement = statement.where(_JOURNAL.c.at <= at, earlier)
    statement = statement.order_by(_JOURNAL.c.at.desc(), _LEAF.c.leaf.desc()).limit(limit)
    rows = (await connection.execute(statement)).mappings().all()
    return rows, rows[-1]["leaf"] if len(rows) == limit else None
