"""The facts that decide as they were known at a past date.

Triggers keep each version of them (`fact_version`): a change ends one and begins another, and none is ever altered or
removed. What was known at a date is what had been recorded by then, so no later act changes it.
"""

from datetime import datetime

from sqlalchemy import FromClause, Table, column, func, literal_column, select, true
from sqlalchemy.dialects import postgresql

from csu.store import tables


def known(table: Table, at: datetime | None) -> FromClause:
    """The rows of a fact's table as they were known at an instant; the table itself when None. Columns that versions
    leave out are NULL then."""
    if at is None:
        return table
    version = tables.fact_version
    name = table.name
    last = (
        select(version.c.known)
        .ext(postgresql.distinct_on(version.c.key))
        .where(version.c.fact == name, version.c.recorded_at <= at)
        .order_by(version.c.key, version.c.recorded_at.desc())
        .subquery()
    )
    columns = [column(one.name, one.type) for one in table.c]
    row = func.jsonb_populate_record(literal_column(f"NULL::{name}"), last.c.known).table_valued(*columns).lateral()
    return select(row).select_from(last.join(row, true())).subquery(name)
