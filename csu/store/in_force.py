"""Lines of arrêtés that came into service, with the dates from which and to which each is in force."""

from sqlalchemy import FromClause, Select, func, select

from csu.store import tables


def lines(
    line: FromClause = tables.authorisation_line, authorisation: FromClause = tables.authorisation
) -> Select[tuple[object, ...]]:
    """One row per line in service, now or before: the authorisation's `id` and `reference`, the line's columns, and
    `from_at`, `to_at`, `suspended_at` as legal.facts.Validity has them. Drafts and cameras not in service have none.
    The tables may be those of a past date (`history.py`).
    """
    return (
        select(
            authorisation.c.id,
            authorisation.c.reference,
            func.greatest(authorisation.c.from_at, line.c.in_service_at).label("from_at"),
            func.least(authorisation.c.to_at, authorisation.c.ended_at).label("to_at"),
            authorisation.c.suspended_at,
            *(line.c[name] for name in ("camera", "commune", "finalites", "visualised", "recorded")),
            line.c.retention_days,
            line.c.minimum_days,
        )
        .join_from(line, authorisation, line.c.authorisation == authorisation.c.id)
        .where(line.c.in_service_at.is_not(None))
    )
