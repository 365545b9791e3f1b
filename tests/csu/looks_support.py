"""Looks as the gateway tells them, written into the journal of a running centre."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from centre_support import Running
from sqlalchemy import select

from csu.audit.entries import Author, Entry, append
from csu.audit.sequencer import sequence
from csu.clock import iso
from csu.store import tables
from csu.store.facts import KnownCamera, cameras
from legal.motifs import Motif

SECURITY = Motif("SECURITE")


async def authors(centre: Running, workstation: str = "poste 1") -> dict[str, Author]:
    """Everybody of the centre by login."""
    account = tables.account
    async with centre.centre.store.facts() as connection:
        rows = await connection.execute(select(account.c.login, account.c.id, account.c.name, account.c.category))
        return {login: Author(id, name, category, workstation, str(uuid4())) for login, id, name, category in rows}


async def known_cameras(centre: Running) -> dict[str, KnownCamera]:
    async with centre.centre.store.facts() as connection:
        return {camera.number: camera for camera in (await cameras(connection)).values()}


def look(
    author: Author, camera: KnownCamera, begun_at: datetime, minutes: float | None = 5, *, act: str = "live",
    motif: Motif = SECURITY, stepped: int = 0,
) -> list[Entry]:  # fmt: skip
    """A look of so many minutes, told in three parts; one that is open when `minutes` is None. In each of the last two
    the page says that so many pictures were stepped through from its first on, 25 a second."""
    ticket = str(uuid4())
    told = {"ticket": ticket, "act": act, "streams": ["main"], "spool": str(uuid4()), "n": 1}
    opened = Entry(
        "picture:opened", begun_at, author, "noted", authority=camera.commune.authority, commune=camera.insee,
        camera=camera.id, camera_name=f"{camera.number} {camera.name}", motif=motif,
        detail=told | {"bytes": 0, "frames": 0, "reason": None, "intervals": []},
    )  # fmt: skip
    if minutes is None:
        return [opened]
    middle, ended = begun_at + timedelta(minutes=minutes / 2), begun_at + timedelta(minutes=minutes)

    def part(op: str, first: datetime, last: datetime, reason: str | None) -> Entry:
        detail = told | {"bytes": 1000, "frames": 50, "reason": reason, "intervals": [[iso(first), iso(last)]]}
        if stepped:
            detail["page_says_stepped"] = [[iso(first), iso(first + timedelta(seconds=(stepped - 1) / 25)), stepped]]
        return replace(opened, op=op, at=last, id=str(uuid4()), from_at=first, to_at=last, detail=detail)

    return [
        opened,
        part("picture:served", begun_at, middle, None),
        part("picture:closed", middle + timedelta(seconds=1), ended, "VIEWER_LEFT"),
    ]


def refusal(author: Author, camera: KnownCamera, at: datetime, code: str = "NOT_HABILITE") -> Entry:
    return Entry(
        "picture:live", at, author, "refused", code, "Refusé.", commune=camera.insee, camera=camera.id,
        camera_name=f"{camera.number} {camera.name}",
    )  # fmt: skip


async def write(centre: Running, *groups: Any) -> None:
    """Entries and lists of entries, in one transaction, numbered."""
    entries = [one for group in groups for one in (group if isinstance(group, list) else [group])]
    async with centre.centre.store.transaction(None) as connection:
        await append(connection, entries)
    await sequence(centre.centre.store)
