"""The security log, for those who keep the centre and those who control it."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel
from sqlalchemy import select

from csu.accounts.guard import Guard, Visit
from csu.audit.security import LABELS
from csu.store import tables
from legal.acts import Act

router = APIRouter(prefix="/api", tags=["journal"])


class SecurityBody(BaseModel):
    """`count` times since `at`; `source` is the part of the centre that refused it."""

    n: int
    at: datetime
    source: str
    code: str
    label: str
    login: str | None
    workstation: str | None
    count: int


class SecurityPage(BaseModel):
    events: list[SecurityBody]
    next: int | None


@router.get("/security")
async def read_security(
    visit: Annotated[Visit, Depends(Guard(Act.SECURITY_READ))],
    before: Annotated[int | None, Query(ge=0, le=2**62)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> SecurityPage:
    """Security events from the newest. The reading is an entry of the journal."""
    event = tables.security_event
    statement = select(event).order_by(event.c.n.desc()).limit(limit)
    if before is not None:
        statement = statement.where(event.c.n < before)
    async with visit.perform(detail={} if before is None else {"before": before}) as connection:
        rows = (await connection.execute(statement)).mappings().all()
    events = [SecurityBody(**row, label=LABELS.get(row["code"], row["code"])) for row in rows]
    return SecurityPage(events=events, next=rows[-1]["n"] if len(rows) == limit else None)
