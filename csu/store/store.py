"""Transactions on PostgreSQL under the application's role and under the guard's.

A transaction of the application sees the communes that it was opened for, and nothing when it names none
(row-level security). The guard's reads the legal facts of every commune and can write nothing.
"""

import re
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import datetime

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from csu.clock import iso, utc_now
from csu.settings import Database

# What a caller sees when PostgreSQL is stopped, starting, or out of connections.
UNAVAILABLE = (OperationalError, InterfaceError, PoolTimeoutError, OSError)
WHOLE_CENTRE = "*"
_SCOPE = re.compile(r"\*|[0-9AB,]*")


class Store:
    """The two engines of the control plane. Waits 3 s to connect and 10 s for a statement.

    A server that is there and frozen (its disk stalls) can't be told to stop: what waits for it then waits with it,
    those that come after are out of connections and fail within 5 s, and nothing is renewed meanwhile.
    """

    def __init__(self, database: Database, *, pool_size: int = 10, now: Callable[[], datetime] = utc_now) -> None:
        self._now = now
        self._app = _engine(database.url.get_secret_value(), pool_size)
        self._guard = _engine(database.guard_url.get_secret_value(), pool_size)

    @asynccontextmanager
    async def transaction(self, communes: Iterable[str] | None) -> AsyncIterator[AsyncConnection]:
        """A transaction of the application bound to these communes (None: the whole centre); commits at the end.

        What changes in it of the facts that decide is recorded as of now (`store/history.py`).
        """
        scope = WHOLE_CENTRE if communes is None else ",".join(sorted(communes))
        if not _SCOPE.fullmatch(scope):
            raise ValueError(f"expected INSEE codes, found {scope!r}")
        told = f"BEGIN; SET LOCAL csu.communes = '{scope}'; SET LOCAL csu.at = '{iso(self._now())}'"
        async with _begun(self._app, told) as connection:
            yield connection

    @asynccontextmanager
    async def facts(self) -> AsyncIterator[AsyncConnection]:
        """One consistent, read-only view of the legal facts, under the guard's role."""
        async with _begun(self._guard, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY") as connection:
            yield connection

    async def close(self) -> None:
        await self._app.dispose()
        await self._guard.dispose()


def is_unavailable(error: BaseException) -> bool:
    """Whether PostgreSQL, rather than a statement, failed."""
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or isinstance(error, OperationalError | InterfaceError)
    return isinstance(error, PoolTimeoutError)


@asynccontextmanager
async def _begun(engine: AsyncEngine, begin: str) -> AsyncIterator[AsyncConnection]:
    """A transaction that begins with these words, in one round trip; commits at the end."""
    async with engine.begin() as connection:
        await connection.exec_driver_sql(begin, execution_options={"no_parameters": True})
        yield connection


def _engine(url: str, pool_size: int) -> AsyncEngine:
    """With the driver in autocommit, which sends no BEGIN of its own; it commits and rolls back as ever."""
    return create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=5,
        pool_timeout=10,
        isolation_level="AUTOCOMMIT",
        hide_parameters=True,  # errors go to the log, and what was sent may be a password's hash
        connect_args={"connect_timeout": 10, "options": "-c statement_timeout=10s -c lock_timeout=5s"},
    )
