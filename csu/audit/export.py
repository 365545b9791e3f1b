"""The journal as a file for a spreadsheet: a communication (CSI R.253-5), told in the journal before it begins."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Select

from csu import spreadsheet
from csu.accounts.guard import Visit
from csu.audit import search
from csu.audit.words import told
from legal.retention import PARIS
from legal.secrecy import Secrets, secrets_from

OP_END = "journal:exported"
_PAGE = 1000
_CLASSES = {
    "collection": "collecte",
    "modification": "modification",
    "consultation": "consultation",
    "communication": "communication",
    "erasure": "effacement",
    None: "",
}
_RESULTS = {"done": "fait", "refused": "refusé", "noted": "constaté"}
HEADS = (
    "n°", "date", "auteur", "qualité", "autorité", "opération", "nature", "commune", "caméra", "de", "à", "motif",
    "référence", "résultat", "code", "raison", "à propos de", "donné pour raison", "poste", "destinataires",
    "images servies", "octets servis", "images parcourues pas à pas (selon la console)",
)  # fmt: skip


async def pages(visit: Visit, statement: Select[Any]) -> AsyncIterator[bytes]:
    """The file by and by, each page in a transaction of its own, so that a slow reader holds none. The visit is looked
    at again before each: one that ended meanwhile breaks the answer off. What had left then is told in the journal, as
    it is at the end. Raises Refusal."""
    left = 0
    try:
        yield (spreadsheet.MARK + spreadsheet.lines([HEADS])).encode()
        place: int | None = None
        secrets = secrets_from(visit.session.actor)
        while True:
            await visit.recheck()
            async with visit.centre.store.transaction(visit.communes) as connection:
                found = await search.page(connection, statement, _PAGE, place)
            if found is None:
                return
            rows, place = found
            left += len(rows)
            yield spreadsheet.lines(_cells(row, secrets) for row in rows).encode()
            if place is None:
                return
    finally:
        # Also when the reader goes away: the server then cancels what waits, and not this.
        ended = visit.entry(OP_END, detail={"rows": left}, recipients=(visit.session.author.name,))
        telling = asyncio.create_task(visit.record(replace(ended, at=visit.centre.now(), result="noted")))
        await asyncio.shield(telling)


def _cells(row: Mapping[str, Any], secrets: Secrets) -> list[object]:
    entry = told(row, secrets)
    return [
        entry["leaf"],
        _local(row["at"]),
        entry["author"],
        entry["quality"],
        entry["authority"] or "",
        entry["op_label"],
        _CLASSES[entry["op_class"]],
        entry["commune"] or "",
        entry["camera_name"] or "",
        _local(row["from_at"]),
        _local(row["to_at"]),
        entry["motif"] or "",
        entry["motif_reference"] or "",
        _RESULTS[row["result"]],
        entry["code"] or "",
        entry["reason"] or "",
        entry["about"] or "",
        entry["given"] or "",
        entry["workstation"] or "",
        ", ".join(entry["recipients"]),
        entry["frames"],
        entry["bytes"],
        entry["page_says_stepped"],
    ]


def _local(at: datetime | None) -> str:
    """With its distance from UTC: an hour that comes twice is told apart."""
    return "" if at is None else at.astimezone(PARIS).isoformat(sep=" ", timespec="seconds")
