"""Security events: a log of their own beside the journal, kept one year, without pictures or passwords.

What was tried against the centre, not what was done in it: of persons it names accounts only, and those only that
exist, never what was typed. Seen from the console by administrator and auditor.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import insert, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from csu.audit.tally import Event, Tally
from csu.centre_state import Centre
from csu.settings import Settings, is_open_to_others
from csu.store import tables
from csu.store.store import Store

TURN_S = 1.0
SECRETS_S = 60.0
_LOG = logging.getLogger(__name__)

LABELS: dict[str, str] = {
    "LOGIN_REFUSED": "Mot de passe refusé",
    "TOO_MANY_ATTEMPTS": "Identification bloquée après trop d'essais",
    "WRONG_ORIGIN": "Demande venue d'une autre page que la console",
    "WRONG_CSRF_TOKEN": "Demande sans la preuve d'une page ouverte dans la session",
    "SECOND_SESSION": "Même compte ouvert à deux postes",
    "TICKET_INVALID": "Ticket d'accès altéré ou forgé",
    "TICKET_USED": "Ticket d'accès rejoué",
    "RIGHT_WITHDRAWN": "Ticket d'accès présenté après le retrait du droit",
    "TICKET_LATE": "Ticket d'accès présenté trop tard",
    "ORIGIN_REFUSED": "Images demandées depuis une autre page que la console",
    "STEPS_REFUSED": "Récit de relecture d'une page, démenti par ce qui lui a été servi",
    "LEASE_FOREIGN": "Relecture de cette personne demandée sans le témoin de son navigateur",
    "UNKNOWN_PARAMETER": "Adresse demandée avec un paramètre que la console n'y met pas",
    "BAD_REQUEST": "Demande d'images mal formée, qu'aucune page de la console ne fait",
    "BAD_MESSAGE": "Message du direct mal formé, qu'aucune page de la console n'envoie",
    "SECRET_READABLE": "Réglages ou clé du centre lisibles par d'autres",
    "PEER_REFUSED": "Programme refusé à une prise interne",
}


class SecretsWatch:
    """Tells when a file of secrets becomes readable by others while the centre runs; at its start it is refused."""

    def __init__(self, centre: Centre) -> None:
        self._centre = centre
        self._open: set[Path] = set()

    async def run_once(self) -> None:
        """Raises OSError when the files can't be looked at."""
        found = await asyncio.to_thread(_open_to_others, self._centre.settings)
        for file in found - self._open:
            _LOG.error("%s: others can read or write it (chmod o= %s)", file, file)
            self._centre.security.note(self._centre.now(), Event("SECRET_READABLE"))
        self._open = found


def _open_to_others(settings: Settings) -> set[Path]:
    return {file for file in settings.secret_files() if is_open_to_others(file)}


async def write(store: Store, tally: Tally) -> None:
    """Write what was counted at the console since the last turn; what can't be written stays counted."""
    taken = tally.take()
    if not taken:
        return
    rows = [
        {"at": since, "source": "console", "code": e.code, "login": e.account, "workstation": e.workstation, "count": n}
        for since, e, n in taken
    ]
    with ExitStack() as failed:
        failed.callback(tally.restore, taken)
        async with store.transaction(None) as connection:
            await connection.execute(insert(tables.security_event), rows)
        failed.pop_all()


async def take_over(connection: AsyncConnection, source: str, items: Sequence[Mapping[str, Any]]) -> None:
    """What the gateway told in its spool, once each. Raises KeyError, ValueError for what is no such line."""
    if not items:
        return
    account = tables.account
    known = select(account.c.id, account.c.login).where(account.c.id.in_({i["actor"] for i in items if i["actor"]}))
    logins = {row.id: row.login for row in await connection.execute(known)}
    rows = [
        {
            "at": datetime.fromisoformat(item["at"]),
            "source": "gateway",
            "code": item["code"],
            "login": logins.get(item["actor"]),
            "count": item["count"],
            "told": str(uuid5(UUID(source), str(item["n"]))),
        }
        for item in items
    ]
    statement = upsert(tables.security_event).on_conflict_do_nothing(index_elements=["told"])
    await connection.execute(statement, rows)
