"""How far a numbered feed has been taken over, per source: kept in the transaction that takes over."""

from collections.abc import Collection

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from csu.store import tables

_TABLE = tables.feed_cursor


class Cursor:
    """A place in a feed. `source` names whose numbers are counted; None until the feed has said so."""

    def __init__(self, feed: str) -> None:
        self._feed = feed
        self.source: str | None = None
        self.upto = 0
        self.has_others = False

    async def move_to(self, connection: AsyncConnection, source: str) -> bool:
        """Count in a source's numbers from now on; whether it was known before."""
        self.has_others = bool(
            await connection.scalar(select(func.count()).where(_TABLE.c.feed == self._feed, _TABLE.c.source != source))
        )
        row = {"feed": self._feed, "source": source, "upto": 0}
        statement = insert(_TABLE).values(row).on_conflict_do_nothing().returning(_TABLE.c.upto)
        is_new = await connection.scalar(statement) is not None
        self.source = source
        self.upto = await self._stored(connection)
        return not is_new

    async def knows_any(self, connection: AsyncConnection, sources: Collection[str]) -> bool:
        """Whether something was taken over of one of these sources before."""
        statement = select(func.count()).where(_TABLE.c.feed == self._feed, _TABLE.c.source.in_(sources))
        return bool(await connection.scalar(statement))

    async def is_current(self, connection: AsyncConnection) -> bool:
        """Whether nobody has taken over more meanwhile; locks the row until the transaction ends."""
        return await self._stored(connection) == self.upto

    async def advance(self, connection: AsyncConnection, upto: int) -> None:
        statement = update(_TABLE).where(_TABLE.c.feed == self._feed, _TABLE.c.source == self.source)
        await connection.execute(statement.values(upto=upto))
        self.upto = upto

    def forget(self) -> None:
        """Read the place again at the next turn."""
        self.source = None

    async def _stored(self, connection: AsyncConnection) -> int:
        statement = select(_TABLE.c.upto).where(_TABLE.c.feed == self._feed, _TABLE.c.source == self.source)
        return int(await connection.scalar(statement.with_for_update()) or 0)
