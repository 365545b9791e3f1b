"""What the facts of persons refuse: nothing is written but the entry that tells so."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from csu.accounts.guard import Visit
from csu.errors import Refusal
from legal.permissions import Refused


class Refusing(Exception):
    """Raised inside `journalled`, in the act's own transaction, which then leaves nothing."""

    def __init__(self, refused: Refused, status: int = 409) -> None:
        super().__init__(refused.code)
        self.refused = refused
        self.status = status


@asynccontextmanager
async def journalled(visit: Visit, detail: Mapping[str, Any], commune: str | None = None) -> AsyncIterator[None]:
    """Answer a `Refusing` of the block with its code, once its entry is committed."""
    try:
        yield
    except Refusing as error:
        await visit.record(visit.entry(visit.act, commune=commune, detail=detail).refused(error.refused))
        raise Refusal(error.status, error.refused.code, error.refused.reason) from error


def demand(fault: Refused | None, status: int = 409) -> None:
    """Raise Refusing where there is a fault."""
    if fault is not None:
        raise Refusing(fault, status)
