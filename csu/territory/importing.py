"""Bring the tables to what a document says: idempotent by natural keys, each change journalled, all or nothing."""

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from sqlalchemy import Table, and_, insert, select, update
from sqlalchemy.dialects.postgresql import insert as insert_or_nothing
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from csu.accounts import passwords
from csu.accounts.passwords import Passwords
from csu.audit import entries
from csu.audit.entries import Entry
from csu.cameras.secrets import SecretBox, SecretError
from csu.store import facts, tables
from csu.store.store import Store
from csu.territory import deports, dossiers
from csu.territory.document import (
    Account,
    Agrement,
    Authorisation,
    Camera,
    Commune,
    Dated,
    Deport,
    Document,
    DocumentError,
    Habilitation,
)
from csu.territory.lines import values_of
from legal import persons
from legal.acts import Refused
from legal.authorisations import (
    Event,
    Line,
    State,
    Step,
    changed_conditions,
    completed,
    fault_of_lifting,
    fault_of_line,
    start_of,
)
from legal.facts import Category, Regime

Keep = Callable[[Mapping[str, str]], None]


class Importer:
    """One import. `made` holds the passwords of the accounts that it created: login to password; `keep` takes them
    before anything is committed, so that no account is left whose password nobody has."""

    def __init__(
        self,
        store: Store,
        box: SecretBox,
        data: Path,
        given: Mapping[str, str],
        now: datetime,
        hasher: Passwords | None = None,
        keep: Keep | None = None,
    ) -> None:
        self._store = store
        self._box = box
        self._data = data
        self._given = given
        self._now = now
        self._passwords = hasher or Passwords()
        self._keep = keep
        self._entries: list[Entry] = []
        self.made: dict[str, str] = {}

    async def run(self, document: Document) -> int:
        """Write what differs and return how many rows did. Raises DocumentError; nothing is written then."""
        try:
            async with self._store.transaction(None) as connection:
                await self._communes(connection, document)
                cameras = await self._cameras(connection, document)
                await self._authorisations(connection, document, cameras)
                await self._persons(connection, document)
                await self._deports(connection, document, cameras)
                await entries.append(connection, self._entries)
                if self._keep is not None:
                    self._keep(self.made)
        except IntegrityError as error:
            raise DocumentError(f"the database refuses: {error.orig}") from error
        return len(self._entries)

    async def _communes(self, connection: AsyncConnection, document: Document) -> None:
        for commune in document.commune:
            await self._put(connection, tables.commune, {"insee": commune.insee}, _answered(commune), commune.insee)
        for item in document.convention:
            key = {"commune": item.commune, "kind": item.kind, "reference": item.reference}
            await self._put(connection, tables.convention, key, {"partner": item.partner, **_dates(item)}, item.commune)
        described = {(site.commune, site.name) for site in document.site}
        for site in document.site:
            values = site.model_dump(include={"address", "latitude", "longitude"})
            await self._put(connection, tables.site, {"commune": site.commune, "name": site.name}, values, site.commune)
        for place in sorted({(camera.commune, camera.site) for camera in document.camera} - described):
            named = insert_or_nothing(tables.site).values(commune=place[0], name=place[1])
            await connection.execute(named.on_conflict_do_nothing())

    async def _cameras(self, connection: AsyncConnection, document: Document) -> dict[str, str]:
        """Camera ids by number."""
        for item in document.camera:
            await self._stays(connection, item)
            username, password = self._credentials(item)
            values = {
                **item.model_dump(include={"commune", "name", "site", "regime", "adapter", "priority", "certificate"}),
                "main_url": item.main,
                "sub_url": item.sub,
                "username": username,
            }
            camera = await self._put(connection, tables.camera, {"number": item.number}, values, item.commune)
            await self._seal(connection, camera, password, item)
        rows = await connection.execute(select(tables.camera.c.number, tables.camera.c.id))
        return {row[0]: row[1] for row in rows}

    async def _stays(self, connection: AsyncConnection, item: Camera) -> None:
        """A camera that an arrêté has in service keeps its commune and its regime (CSI R.254-2)."""
        camera = tables.camera
        known = select(camera.c.id, camera.c.commune, camera.c.regime).where(camera.c.number == item.number)
        row = (await connection.execute(known)).one_or_none()
        if row is None or (row[1], row[2]) == (item.commune, item.regime):
            return
        if await dossiers.covered(connection, frozenset({row[0]}), self._now, None, set()):
            raise DocumentError(
                f"AUTH_MODIFICATION_REQUIRED: camera {item.number} is in service: its commune and its regime stay"
            )

    async def _seal(self, connection: AsyncConnection, camera: str, password: str | None, item: Camera) -> None:
        """Store a camera's password if it is another than the one stored, or if that can't be opened any more: sealing
        twice never gives the same bytes."""
        table = tables.camera
        stored = await connection.scalar(select(table.c.secret).where(table.c.id == camera))
        try:
            is_known = password == (None if stored is None else self._box.open(camera, stored))
        except SecretError:
            is_known = False
        if not is_known:
            sealed = None if password is None else self._box.seal(camera, password)
            await connection.execute(update(table).where(table.c.id == camera).values(secret=sealed))
            self._note("camera", item.number, ["secret"], item.commune)

    def _credentials(self, item: Camera) -> tuple[str | None, str | None]:
        if item.credentials_file is None:
            return None, None
        file = self._data / item.credentials_file
        try:
            if file.stat().st_mode & 0o077:
                raise DocumentError(f"{file}: others can read it; expected mode 0600")
            username, separator, password = file.read_text(encoding="utf-8").strip().partition(":")
        except OSError as error:
            raise DocumentError(f"{file}: {error.strerror}") from error
        if not separator:
            raise DocumentError(f"{file}: expected one line user:password")
        return username, password

    async def _authorisations(self, connection: AsyncConnection, document: Document, cameras: dict[str, str]) -> None:
        rows = await connection.execute(select(tables.camera.c.id, tables.camera.c.regime))
        regimes = {row[0]: Regime(row[1]) for row in rows}
        for item in document.authorisation:
            lines = {}
            for number in item.cameras:
                if number not in cameras:
                    raise DocumentError(f"authorisation {item.reference}: unknown camera {number}")
                lines[cameras[number]] = item.line(number)
                fault = fault_of_line(regimes[cameras[number]], lines[cameras[number]])
                if fault is not None:
                    raise _refused(item, number, fault)
            table = tables.authorisation
            known = await connection.scalar(select(table.c.id).where(table.c.reference == item.reference))
            if known is None:
                await self._carry_over(connection, item, lines)
            else:
                await self._compare(connection, item, lines, known)

    async def _carry_over(self, connection: AsyncConnection, item: Authorisation, lines: Mapping[str, Line]) -> None:
        """An arrêté that is new here comes into service at its date, in the place of the one it names."""
        table = tables.authorisation
        replaced = None
        if item.replaces is not None:
            replaced = await connection.scalar(select(table.c.id).where(table.c.reference == item.replaces))
            if replaced is None:
                raise DocumentError(f"authorisation {item.reference}: unknown arrêté {item.replaces}")
            standing = dossiers.standing_suspension(await dossiers.find(connection, replaced))
            fault = fault_of_lifting(standing, item.reference, item.reference if item.lifts_suspension else None)
            if fault is not None:
                raise _refused(item, None, fault)
        identity = str(uuid4())
        from_at, to_at = start_of(item.from_day), start_of(item.to_day)
        await dossiers.hold_cameras(connection, lines.keys())
        elsewhere = await dossiers.covered(connection, frozenset(lines), from_at, to_at, {replaced})
        if elsewhere:
            other = sorted(elsewhere.values())[0]
            raise DocumentError(
                f"AUTH_OVERLAP: authorisation {item.reference}: {other} covers a camera of it at the same time;"
                " one that takes its place says `replaces`"
            )
        row = {
            "id": identity,
            "commune": item.commune,
            "dossier": item.reference,
            "kind": item.kind,
            "state": State.BROUILLON,
            "replaces": replaced,
            "extended": False,
        }
        await connection.execute(insert(table).values(row))
        for camera, line in lines.items():
            values = {"authorisation": identity, "camera": camera, "commune": item.commune, **values_of(line)}
            await connection.execute(insert(tables.authorisation_line).values(values))
        draft = await dossiers.find(connection, identity)
        assert draft is not None
        step = Step(Event.CARRY_OVER, item.from_day, item.reference, item.from_day, item.to_day)
        refused = await dossiers.take(connection, draft, step, self._now, None)
        if refused is not None:
            raise _refused(item, None, refused)
        self._note(table.name, item.reference, ["created"], item.commune)

    async def _compare(
        self, connection: AsyncConnection, item: Authorisation, lines: Mapping[str, Line], identity: str
    ) -> None:
        """What an arrêté of before says may be completed and not changed (CSI R.254-2); cameras left out stay in it."""
        known = await dossiers.find(connection, identity, lock=True)
        assert known is not None
        changed = [
            name
            for name, (before, now) in {
                "commune": (known.row["commune"], item.commune),
                "kind": (known.row["kind"], item.kind),
                "from": (known.dossier.from_at, start_of(item.from_day)),
                "to": (known.dossier.to_at, start_of(item.to_day)),
                "cameras": (known.dossier.cameras, known.dossier.cameras | lines.keys()),
            }.items()
            if before != now
        ]
        both = sorted(known.dossier.cameras & lines.keys())
        now = {camera: completed(known.line(camera), lines[camera]) for camera in both}
        for camera in both:
            changed += changed_conditions(known.line(camera), now[camera])
        if changed:
            raise DocumentError(
                f"AUTH_MODIFICATION_REQUIRED: authorisation {item.reference}: {', '.join(sorted(set(changed)))}:"
                " enter the amended arrêté, with its own reference and `replaces`"
            )
        for camera, line in now.items():
            key = {"authorisation": identity, "camera": camera}
            await self._put(connection, tables.authorisation_line, key, values_of(line), item.commune, with_id=False)

    async def _persons(self, connection: AsyncConnection, document: Document) -> None:
        if document.inquiry_blocks is not None:
            values = {"is_on": document.inquiry_blocks}
            rule = {"name": facts.INQUIRY_BLOCKS}
            await self._put(connection, tables.centre_rule, rule, values, None, with_id=False)
        for account in document.account:
            await self._account(connection, account)
        account_table = tables.account
        columns = account_table.c.login, account_table.c.id, account_table.c.category
        persons_known = {row[0]: (row[1], Category(row[2])) for row in await connection.execute(select(*columns))}
        for item in document.habilitation:
            if item.account not in persons_known:
                raise DocumentError(f"habilitation {item.reference}: unknown account {item.account}")
            await self._habilitation(connection, item, *persons_known[item.account])

    async def _habilitation(
        self, connection: AsyncConnection, item: Habilitation, account: str, category: Category
    ) -> None:
        """One that is over stays so: who has ended it did so for good, and another act has another reference."""
        table = tables.habilitation
        key = {"account": account, "commune": item.commune, "reference": item.reference}
        values: dict[str, Any] = {"basis": item.basis, "rights": sorted(item.rights), **_dates(item)}
        values |= item.model_dump(include={"signed_by", "signed_on"} & item.model_fields_set)
        if item.regimes is not None:
            values["regimes"] = sorted(item.regimes)
        rows = (await connection.execute(select(table).where(table.c.account == account))).mappings().all()
        row = next((one for one in rows if all(one[name] == key[name] for name in key)), None)
        if row is not None:
            is_over = row["to_at"] is not None and row["to_at"] <= self._now
            if is_over or all(row[name] == value for name, value in values.items()):
                return
        whole = {**dict.fromkeys(table.c.keys()), **(row or {"id": ""}), **key, **values}
        signed = persons.Signature(whole["signed_by"], whole["signed_on"])
        fault = (
            persons.fault_of_habilitation(
                category, facts.habilitation_of(whole), signed, map(facts.habilitation_of, rows)
            )
            or persons.fault_of_signing_day(signed, self._now)
            or (None if self._is_of_before(item) else persons.fault_of_act(signed))
        )
        if fault is not None:
            raise DocumentError(f"habilitation {item.reference}: {fault.code}: {fault.reason}")
        await self._put(connection, table, key, values, item.commune, given=item.unsigned)

    def _is_of_before(self, item: Habilitation) -> bool:
        """An act that has begun, and of which the document says why its signatory or its date can't be told."""
        return item.unsigned is not None and start_of(item.from_day) <= self._now

    async def _deports(self, connection: AsyncConnection, document: Document, cameras: Mapping[str, str]) -> None:
        account = tables.account
        accounts = {row[0]: row[1] for row in await connection.execute(select(account.c.login, account.c.id))}
        for item in document.deport:
            strange = sorted({*item.persons} - accounts.keys()) + sorted({*(item.cameras or ())} - cameras.keys())
            if strange:
                raise DocumentError(f"deport {item.reference}: unknown {', '.join(strange)}")
            named = None if item.cameras is None else sorted(cameras[number] for number in item.cameras)
            await self._deport(connection, item, sorted(accounts[login] for login in item.persons), named)

    async def _deport(
        self, connection: AsyncConnection, item: Deport, named: list[str], cameras: list[str] | None
    ) -> None:
        """One that is over stays so, as a habilitation does."""
        table = tables.deport
        values: dict[str, Any] = {"persons": named, "cameras": cameras, **_dates(item)}
        values |= {"rights": sorted(item.rights), "recipient_days": item.recipient_days}
        same = table.c.commune == item.commune, table.c.reference == item.reference, table.c.persons == named
        row = (await connection.execute(select(table).where(*same))).mappings().one_or_none()
        if row is not None and row["to_at"] <= self._now:
            return
        key = {"id": str(uuid4()) if row is None else row["id"]}
        values |= {"commune": item.commune, "reference": item.reference}
        fault = await deports.fault_of(connection, {"suspended_at": None, **key, **values})
        if fault is not None:
            raise DocumentError(f"deport {item.reference}: {fault.code}: {fault.reason}")
        await self._put(connection, table, key, values, item.commune)

    async def _account(self, connection: AsyncConnection, item: Account) -> None:
        table = tables.account
        values = item.model_dump(include={"name", "role", "category", "employer"})
        if item.agrement is not None:
            values |= _agrement(item.agrement)
        first = {}
        known = await connection.scalar(select(table.c.name).where(table.c.login == item.login))
        fault = persons.fault_of_office(item.role, item.category)
        if fault is None and known != item.name:
            others = select(table.c.name).where(table.c.closed_at.is_(None), table.c.login != item.login)
            fault = persons.fault_of_account(item.login, item.name, (await connection.scalars(others)).all())
        if fault is not None:
            raise DocumentError(f"account {item.login}: {fault.code}: {fault.reason}")
        if known is None:
            self.made[item.login] = self._given.get(item.login) or passwords.generate()
            first = {
                "password_hash": await self._passwords.hash(self.made[item.login]),
                "created_at": self._now,
            }
        await self._put(connection, table, {"login": item.login}, values, item.employer, first=first)

    async def _put(
        self,
        connection: AsyncConnection,
        table: Table,
        key: dict[str, Any],
        values: dict[str, Any],
        commune: str | None,
        *,
        first: Mapping[str, Any] | None = None,
        with_id: bool = True,
        given: str | None = None,
    ) -> str:
        """Insert the row of a natural key, or update what differs in it; its id. `first`: set at insertion only;
        `given`: why it is written as it is, for the journal."""
        where = and_(*(table.c[name] == value for name, value in key.items()))
        row = (await connection.execute(select(table).where(where))).mappings().one_or_none()
        if row is None:
            identity = {"id": str(uuid4())} if with_id and "id" in table.c else {}
            await connection.execute(insert(table).values({**identity, **key, **values, **(first or {})}))
            self._note(table.name, " ".join(key.values()), ["created"], commune, given)
            return identity.get("id", "")
        changed = {name: value for name, value in values.items() if row[name] != value}
        if changed:
            await connection.execute(update(table).where(where).values(changed))
            self._note(table.name, " ".join(key.values()), sorted(changed), commune, given)
        return str(row.get("id", ""))

    def _note(self, table: str, key: str, changes: list[str], commune: str | None, given: str | None = None) -> None:
        detail: dict[str, Any] = {"table": table, "key": key, "changes": changes}
        detail |= {} if given is None else {"given": given}
        self._entries.append(Entry("territory:import", self._now, entries.LOCAL, commune=commune, detail=detail))


def _answered(commune: Commune) -> dict[str, Any]:
    """The columns of a commune that the document speaks of."""
    values = commune.model_dump(include={"name", "departement", "authority", "controller", "dpo"}, exclude_none=True)
    if commune.deliberation is not None:
        values |= {"deliberation": commune.deliberation.reference, "deliberation_on": commune.deliberation.on}
    if commune.cnil is not None:
        values |= {"cnil_sent_on": commune.cnil.sent_on, "cnil_receipt": commune.cnil.receipt}
    return values


def _refused(item: Authorisation, number: str | None, refused: Refused) -> DocumentError:
    camera = "" if number is None else f", camera {number}"
    return DocumentError(f"{refused.code}: authorisation {item.reference}{camera}: {refused.reason}")


def _agrement(item: Agrement) -> dict[str, Any]:
    """What a document says of an agrément; what it leaves out stays as it is."""
    told = {"reference": item.reference, "departements": sorted(item.departements), **_dates(item)}
    told |= {} if item.prefet is None else {"prefet": item.prefet}
    told |= {} if item.inquiry is None else {"inquiry_at": start_of(item.inquiry)}
    return {f"agrement_{name}": value for name, value in told.items()}


def _dates(item: Dated) -> dict[str, datetime | None]:
    return {"from_at": start_of(item.from_day), "to_at": None if item.to_day is None else start_of(item.to_day)}
