"""Transactions on PostgreSQL under the application's role and under the guard's.

A transaction of the application sees the communes that it was opened for, and nothing when it names none
(row-level security). The guard's reads the legal facts of every commune and can write nothing.
"""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from csu.settings import Database

# What a caller sees when PostgreSQL is stopped, starting, or out of connections.
UNAVAILABLE = (OperationalError, InterfaceError, PoolTimeoutError, OSError)
WHOLE_CENTRE = "*"


class Store:
    """The two engines of the control plane. Waits 3 s to connect and 10 s for a statement.

    A server that is there and frozen (its disk stalls) can't be told to stop: what waits for it then waits with it,
    those that come after are out of connections and fail within 5 s, and nothing is renewed meanwhile.
    """

    def __init__(self, database: Database, *, pool_size: int = 10) -> None:
        self._app = _engine(database.url.get_secret_value(), pool_size)
        self._guard = _engine(database.guard_url.get_secret_value(), pool_size)

    @asynccontextmanager
    async def transaction(self, communes: Iterable[str] | None) -> AsyncIterator[AsyncConnection]:
        """A transaction of the application bound to these communes (None: the whole centre); commits at the end."""
        scope = WHOLE_CENTRE if communes is None else ",".join(sorted(communes))
        async with self._app.begin() as connection:
            await connection.execute(text("SELECT set_config('csu.communes', :scope, true)"), {"scope": scope})
            yield connection

    @asynccontextmanager
    async def facts(self) -> AsyncIterator[AsyncConnection]:
        """One consistent, read-only view of the legal facts, under the guard's role."""
        async with self._guard.connect() as connection:
            await connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"))
            yield connection

    async def close(self) -> None:
        await self._app.dispose()
        await self._guard.dispose()


def is_unavailable(error: BaseException) -> bool:
    """Whether PostgreSQL, rather than a statement, failed."""
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or isinstance(error, OperationalError | InterfaceError)
    return isinstance(error, PoolTimeoutError)


def _engine(url: str, pool_size: int) -> AsyncEngine:
    return create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=5,
        pool_timeout=5,
        connect_args={"connect_timeout": 3, "options": "-c statement_timeout=10s -c lock_timeout=5s"},
    )
