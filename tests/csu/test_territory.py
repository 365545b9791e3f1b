"""Import, suspensions, accounts; and what a delegate may do in another commune."""

import asyncio
import json
import subprocess
from pathlib import Path
from typing import Any

import psycopg
import pytest
from centre_support import GRANT, PASSWORD, QUICK, START, Browser, Running, territory

from csu.cameras.secrets import SecretBox, SecretError
from csu.keys import KeyFileError
from csu.territory.command import import_document
from csu.territory.document import Document, DocumentError, read
from csu.territory.importing import Importer
from legal.facts import Right

DEMO = Path(__file__).resolve().parents[2] / "config" / "demo.toml"


async def import_again(centre: Running, content: dict[str, Any]) -> int:
    data = centre.centre.settings.data
    importer = Importer(centre.centre.store, SecretBox(data / "keys"), data, {}, START, QUICK)
    return await importer.run(Document.model_validate(content))


async def conventions(person: Browser) -> dict[str, str]:
    body = (await person.get("/api/territory")).json()
    return {commune["insee"]: c["id"] for commune in body["communes"] for c in commune["conventions"]}


class TestImport:
    async def test_the_same_document_changes_nothing(self, centre: Running) -> None:
        assert await import_again(centre, territory()) == 0

    async def test_changes_are_written_and_journalled(self, centre: Running) -> None:
        content = territory()
        content["camera"][0]["name"] = "Place neuve"
        content["convention"][0]["partner"] = "Autre syndicat"
        assert await import_again(centre, content) == 2
        (camera, convention) = [e for e in await centre.journal() if e["op"] == "territory:import"][1::-1]
        assert {camera["author"], convention["author"]} == {"Administration locale"}

    async def test_passwords_that_no_file_takes_leave_no_account(self, centre: Running) -> None:
        content = territory()
        content["account"].append({"login": "c.durand", "name": "Camille Durand", "role": "operator", "category": "PM"})
        settings, nowhere = centre.centre.settings, centre.centre.settings.data / "missing" / "passwords.json"
        document = Document.model_validate(content)
        with pytest.raises(DocumentError, match=r"passwords\.json: No such file"):
            await asyncio.to_thread(import_document, settings, settings.database, document, nowhere)
        async with centre.person("administrateur") as administrator:
            accounts = (await administrator.get("/api/accounts")).json()["accounts"]
        assert "c.durand" not in {account["login"] for account in accounts}

    async def test_a_new_password_of_a_camera_is_taken_over(self, centre: Running) -> None:
        (centre.centre.settings.data / "credentials").write_text("viewer:another")
        assert await import_again(centre, territory()) == 3

    @pytest.mark.parametrize(
        ("change", "expected"),
        [
            (lambda c: c["authorisation"][0].update(retention_days=32), "RETENTION_TOO_LONG"),
            (lambda c: c["authorisation"][0].update(to="2032-01-01"), "AUTH_TOO_LONG"),
            (lambda c: c["authorisation"][0].update(finalites=["12"]), "L.251-2"),
            (lambda c: c["convention"][0].update(to="2025-01-01"), "after `from`"),
            (lambda c: c["camera"][0].update(main="rtsp://user:secret@c/1"), "credentials_file"),
            (lambda c: c["camera"][0].update(certificate="ab:cd"), "64 hexadecimal digits"),
            (lambda c: c["camera"][0].update(certificate="ab" * 32), "rtsps:// addresses"),
            (lambda c: c["commune"][0].update(insee="2722"), "insee"),
            (lambda c: c["commune"][0].update(insee="27999"), "INSEE_UNKNOWN: 27999"),
            (lambda c: c["commune"][0].update(departement="76"), "département 27"),
            (lambda c: c["account"][0].update(role="god"), "role"),
        ],
    )
    def test_an_unlawful_document_is_refused(self, change: Any, expected: str) -> None:
        content = territory()
        change(content)
        with pytest.raises(ValueError, match=expected):
            Document.model_validate(content)

    @pytest.mark.parametrize(
        ("change", "expected"),
        [
            (lambda c: c["camera"][0].update(commune="99999"), "refuses"),
            (lambda c: c["authorisation"][0].update(cameras=["77"]), "unknown camera 77"),
            (lambda c: c["habilitation"][0].update(account="nobody"), "unknown account"),
            (lambda c: c["account"][2].pop("employer"), "refuses"),
            (lambda c: c["camera"][0].update(credentials_file="absent"), "absent"),
        ],
    )
    async def test_a_document_that_does_not_fit_writes_nothing(
        self, centre: Running, change: Any, expected: str
    ) -> None:
        content = territory()
        content["commune"].append({"insee": "27056", "name": "Bernay", "departement": "27", "authority": "Maire"})
        change(content)
        with pytest.raises(DocumentError, match=expected):
            await import_again(centre, content)
        async with centre.person("superviseur") as supervisor:
            assert len((await supervisor.get("/api/territory")).json()["communes"]) == 3

    async def test_a_password_file_that_others_read_is_refused(self, centre: Running) -> None:
        (centre.centre.settings.data / "credentials").chmod(0o644)
        with pytest.raises(DocumentError, match="0600"):
            await import_again(centre, territory())

    def test_the_demos_document_reads(self) -> None:
        document = read(DEMO, {"port": "8554"})
        assert len(document.camera) == 12
        assert {account.role for account in document.account} == {
            "operator",
            "supervisor",
            "delegate",
            "auditor",
            "administrator",
        }
        references = {item.reference for item in document.convention}
        references |= {item.reference for item in document.authorisation}
        references |= {item.reference for item in (*document.habilitation, *document.deport)}
        assert all(reference.startswith("FICTIF") for reference in references)
        assert [(one.persons, one.rights) for one in document.deport] == [(["gendarme"], [Right.LIVE])]
        assert {c.commune for c in document.convention} < {a.commune for a in document.authorisation}

    def test_a_value_that_is_missing_is_named(self) -> None:
        with pytest.raises(DocumentError, match="port"):
            read(DEMO, {})

    def test_the_demos_places_are_the_simulators(self) -> None:
        from csu.simulator.cameras import PLACES

        document = read(DEMO, {"port": "8554"})
        names = {commune.insee: commune.name for commune in document.commune}
        assert [(names[c.commune], c.name) for c in document.camera] == [(p.commune, p.name) for p in PLACES]


class TestSecrets:
    def test_what_is_sealed_opens_for_its_camera_only(self, tmp_path: Path) -> None:
        box = SecretBox(tmp_path)
        sealed = box.seal("a", "secret")
        assert SecretBox(tmp_path).open("a", sealed) == "secret"
        assert b"secret" not in sealed
        for camera, stored in (("b", sealed), ("a", sealed[:-1] + bytes([sealed[-1] ^ 1])), ("a", b"")):
            with pytest.raises(SecretError):
                box.open(camera, stored)

    def test_a_key_that_others_read_is_refused(self, tmp_path: Path) -> None:
        SecretBox(tmp_path)
        (tmp_path / "secrets.key").chmod(0o644)
        with pytest.raises(KeyFileError, match="0600"):
            SecretBox(tmp_path)


class TestSuspensions:
    async def test_a_delegate_suspends_the_own_convention_and_lent_staff_see_why(self, centre: Running) -> None:
        async with centre.person("delegue") as delegate, centre.person("operateur") as operator:
            own = await conventions(delegate)
            communes = (await delegate.get("/api/territory")).json()["communes"]
            assert set(own) == {commune["insee"] for commune in communes} == {"27229"}
            answer = await delegate.post(f"/api/conventions/{own['27229']}/suspend", {"reason": "contrôle"})
            assert answer.status_code == 200, answer.text
            camera = (await operator.get("/api/cameras")).json()["cameras"][0]
            assert (camera["live"]["code"], camera["replay"]["code"]) == ("CONVENTION_MISSING", "CONVENTION_MISSING")
            assert centre.centre.renewer_wake.is_set()
            centre.clock.advance(seconds=1)
            assert (
                await delegate.post(f"/api/conventions/{own['27229']}/resume", {"reason": "fin du contrôle"})
            ).status_code == 200
            camera = (await operator.get("/api/cameras")).json()["cameras"][0]
            assert camera["live"]["allowed"]
        ops = [e["op"] for e in await centre.journal() if e["op"].startswith("convention")]
        assert ops == ["convention:resume", "convention:suspend"]

    async def test_what_the_commune_suspended_itself_no_other_lifts(self, centre: Running) -> None:
        async with centre.person("delegue") as delegate, centre.person("administrateur") as administrator:
            (held,) = (await conventions(delegate)).values()
            lifted, why = f"/api/conventions/{held}/resume", {"reason": "accord du syndicat"}
            for person, others in ((delegate, 403), (administrator, 200)):
                answer = await person.post(f"/api/conventions/{held}/suspend", {"reason": "contrôle"})
                assert answer.status_code == 200, answer.text
                answer = await administrator.post(lifted, why)
                assert answer.status_code == others, answer.text
                assert others == 200 or answer.json()["code"] == "REGIME_ROLE_FORBIDDEN"
                if others == 403:
                    assert (await delegate.post(lifted, {"reason": "fin du contrôle"})).status_code == 200
        lifts = sorted(str(e["code"]) for e in await centre.journal() if e["op"] == "convention:resume")
        assert lifts == ["None", "None", "REGIME_ROLE_FORBIDDEN"]

    async def test_a_foreign_convention_does_not_exist_for_a_delegate(self, centre: Running) -> None:
        async with centre.person("administrateur") as administrator:
            foreign = (await conventions(administrator))["27681"]
        async with centre.person("delegue") as delegate:
            made_up = "00000000-0000-4000-8000-000000000000"
            answers = [
                await delegate.post(f"/api/conventions/{convention}/suspend", {"reason": "essai"})
                for convention in (foreign, made_up)
            ]
            assert [answer.status_code for answer in answers] == [404, 404]
            assert answers[0].json() == answers[1].json()
        codes = {e["code"] for e in await centre.journal() if e["op"] == "convention:suspend"}
        assert codes == {"OUT_OF_COMMUNE", "NOT_FOUND"}

    async def test_the_supervisor_suspends_a_habilitation(self, centre: Running) -> None:
        async with centre.person("superviseur") as supervisor, centre.person("vernon") as agent:
            persons = (await supervisor.get("/api/persons")).json()["persons"]
            (held,) = next(person for person in persons if person["login"] == "vernon")["habilitations"]
            answer = await supervisor.post(f"/api/habilitations/{held['id']}/suspend", {"reason": "essai"})
            assert answer.status_code == 200
            camera = (await agent.get("/api/cameras")).json()["cameras"][0]
            assert camera["live"]["code"] == "NOT_HABILITE"
            assert "suspendue" in camera["live"]["reason"]

    @pytest.mark.parametrize("reason", ["a\u200bb", "\u202ecirtnoc", "a\u2028b", "contrôle\u0007", "\ufeffessai"])
    async def test_what_is_not_seen_is_no_reason(self, centre: Running, reason: str) -> None:
        async with centre.person("delegue") as delegate:
            convention = (await conventions(delegate))["27229"]
            answer = await delegate.post(f"/api/conventions/{convention}/suspend", {"reason": reason})
            assert (answer.status_code, answer.json()["code"]) == (422, "INVALID")
            assert (
                await delegate.post(f"/api/conventions/{convention}/suspend", {"reason": "contrôle"})
            ).status_code == 200

    @pytest.mark.parametrize(
        "reason",
        ["contrôle du véhicule AB-123-CD", "ab123cd signalé", "vu 1234 AB 27", "vu АВ–123–СЕ", "vu ＡＢ-１２３-ＣＤ"],
    )
    async def test_a_plate_is_no_reason(self, centre: Running, reason: str) -> None:
        async with centre.person("delegue") as delegate:
            convention = (await conventions(delegate))["27229"]
            answer = await delegate.post(f"/api/conventions/{convention}/suspend", {"reason": reason})
            assert (answer.status_code, answer.json()["code"]) == (422, "PLATE_FORBIDDEN")
            assert "plaque" in answer.json()["reason"]
        entries = await centre.journal()
        assert reason not in str(entries)
        assert [e["code"] for e in entries if e["op"] == "convention:suspend"] == ["PLATE_FORBIDDEN"]

    async def test_the_journal_says_what_was_suspended_and_why(self, centre: Running) -> None:
        async with centre.person("delegue") as delegate:
            convention = (await conventions(delegate))["27229"]
            await delegate.post(f"/api/conventions/{convention}/suspend", {"reason": "contrôle"})
        (entry,) = [e for e in await centre.journal() if e["op"] == "convention:suspend"]
        assert (entry["about"], entry["given"]) == ("C-27229", "contrôle")


async def persons(supervisor: Browser) -> dict[str, dict[str, Any]]:
    return {person["login"]: person for person in (await supervisor.get("/api/persons")).json()["persons"]}


class TestHabilitations:
    async def test_a_supervisor_designates_an_agent_and_ends_it(self, centre: Running) -> None:
        async with centre.person("superviseur") as supervisor, centre.person("vernon") as agent:
            account = (await persons(supervisor))["vernon"]["id"]
            before = len((await agent.get("/api/cameras")).json()["cameras"])
            answer = await supervisor.post("/api/habilitations", GRANT | {"account": account})
            assert answer.status_code == 201, answer.text
            again = await supervisor.post("/api/habilitations", GRANT | {"account": account})
            assert (again.status_code, again.json()["code"]) == (409, "HABILITATION_OVERLAP")
            later = GRANT | {"account": account, "from": "2027-11-23", "to": "2028-11-23"}
            again = await supervisor.post("/api/habilitations", later)
            assert (again.status_code, again.json()["code"]) == (409, "CONFLICT")
            held = next(h for h in (await persons(supervisor))["vernon"]["habilitations"] if h["commune"] == "27229")
            assert (held["basis"], held["rights"], held["from"]) == ("designation", ["live"], "2026-11-22T23:00:00Z")
            cameras = (await agent.get("/api/cameras")).json()["cameras"]
            assert len(cameras) == before + 1
            assert (cameras[0]["live"]["allowed"], cameras[0]["replay"]["code"]) == (True, "NOT_HABILITE")

            centre.centre.renewer_wake.clear()
            answer = await supervisor.post(f"/api/habilitations/{held['id']}/end", {"reason": "mutation"})
            assert answer.status_code == 200, answer.text
            assert centre.centre.renewer_wake.is_set()
            assert len((await agent.get("/api/cameras")).json()["cameras"]) == before
        acts = {e["op"]: e for e in await centre.journal() if e["op"].startswith("habilitation")}
        assert {op: e["about"] for op, e in acts.items()} == dict.fromkeys(acts, "ARR-2026-14")
        assert acts["habilitation:end"]["given"] == "mutation"

    async def test_one_that_lies_ahead_can_be_ended(self, centre: Running) -> None:
        async with centre.person("superviseur") as supervisor:
            account = (await persons(supervisor))["vernon"]["id"]
            ahead = GRANT | {"account": account, "from": "2027-01-01"}
            assert (await supervisor.post("/api/habilitations", ahead)).status_code == 201

            async def granted() -> dict[str, Any]:
                of = (await persons(supervisor))["vernon"]["habilitations"]
                return next(one for one in of if one["commune"] == "27229")

            held = await granted()
            answer = await supervisor.post(f"/api/habilitations/{held['id']}/end", {"reason": "erreur"})
            assert answer.status_code == 200, answer.text
            held = await granted()
            assert held["to"][:19] == held["from"][:19]

    async def test_the_elected_are_delegated(self, centre: Running) -> None:
        async with centre.person("superviseur") as supervisor:
            account = (await persons(supervisor))["delegue"]["id"]
            elsewhere = GRANT | {"account": account, "commune": "27681"}
            assert (await supervisor.post("/api/habilitations", elsewhere)).status_code == 201
            held = (await persons(supervisor))["delegue"]["habilitations"]
            assert {h["basis"] for h in held} == {"delegation"}

    @pytest.mark.parametrize(
        ("change", "status"),
        [
            ({"to": "2026-11-23"}, 422),
            ({"rights": []}, 422),
            ({"rights": ["ptz"]}, 422),
            ({"commune": "99999"}, 404),
            ({"account": "00000000-0000-4000-8000-000000000000"}, 404),
            ({"from": "0001-01-01"}, 422),
        ],
    )
    async def test_what_does_not_fit_is_refused(self, centre: Running, change: dict[str, Any], status: int) -> None:
        async with centre.person("superviseur") as supervisor:
            account = (await persons(supervisor))["vernon"]["id"]
            answer = await supervisor.post("/api/habilitations", GRANT | {"account": account} | change)
            assert answer.status_code == status, answer.text

    async def test_nobody_designates_oneself(self, centre: Running) -> None:
        async with centre.person("superviseur") as supervisor:
            answer = await supervisor.post("/api/habilitations", GRANT | {"account": supervisor.account["id"]})
            assert answer.status_code == 422
            assert "soi-même" in answer.json()["reason"]


class TestAccounts:
    async def test_a_lost_password_is_replaced_once(self, centre: Running) -> None:
        async with centre.person("administrateur") as administrator, centre.person("operateur") as operator:
            accounts = (await administrator.get("/api/accounts")).json()["accounts"]
            account = next(a for a in accounts if a["login"] == "operateur")
            given = (await administrator.post(f"/api/accounts/{account['id']}/password")).json()
            assert given["login"] == "operateur"
            assert (await operator.get("/api/session")).json()["code"] == "SESSION_EXPIRED"
            assert (await operator.log_in("operateur")).status_code == 401
            assert (await operator.log_in("operateur", password=given["password"])).status_code == 200
        entries = await centre.journal()
        assert [e["about"] for e in entries if e["op"] == "account:reset"] == ["operateur"]
        assert given["password"] not in str(entries)

    async def test_an_administrator_does_not_shut_the_own_door(self, centre: Running) -> None:
        async with centre.person("administrateur") as administrator:
            answer = await administrator.post(f"/api/accounts/{administrator.account['id']}/close")
            assert answer.status_code == 422
            assert (await administrator.get("/api/session")).status_code == 200

    async def test_an_account_is_created_used_and_closed(self, centre: Running) -> None:
        async with centre.person("administrateur") as administrator, centre.browser() as browser:
            body = {"login": "nouveau", "name": "Nouvel agent", "role": "operator", "category": "PM"}
            created = (await administrator.post("/api/accounts", body)).json()
            again = await administrator.post("/api/accounts", body | {"name": "Autre agent"})
            assert again.json()["code"] == "CONFLICT"
            assert (await browser.log_in("nouveau", password=created["password"])).status_code == 200
            assert (await browser.get("/api/cameras")).json() == {"cameras": []}
            assert (await administrator.post(f"/api/accounts/{created['id']}/close")).status_code == 200
            assert (await browser.get("/api/cameras")).json()["code"] == "SESSION_EXPIRED"
            assert (await browser.log_in("nouveau", password=created["password"])).status_code == 401
            assert (await administrator.post(f"/api/accounts/{created['id']}/close")).status_code == 404
        assert created["password"] not in str(await centre.journal())

    async def test_passwords_are_stored_as_argon2id(self, centre: Running, superuser: str) -> None:
        async with await psycopg.AsyncConnection.connect(superuser) as connection:
            rows = await (await connection.execute("SELECT password_hash FROM account")).fetchall()
        assert rows
        assert all(row[0].startswith("$argon2id$") and PASSWORD not in row[0] for row in rows)


async def test_the_journal_of_a_commune_is_for_its_delegate(centre: Running) -> None:
    async with centre.person("operateur") as operator:
        cameras = (await operator.get("/api/cameras")).json()["cameras"]
        await operator.tickets(*({"camera": c["id"], "act": "live", "stream": "main"} for c in cameras))
    await centre.journal()
    async with centre.person("delegue") as delegate:
        entries = (await delegate.get("/api/journal", limit=200)).json()["entries"]
        assert {entry["camera_name"] for entry in entries if entry["op"] == "picture:live"} == {"01 Place"}
        assert not any(entry["op"].startswith("session:") for entry in entries)


async def test_the_journal_is_read_page_by_page_and_filtered(centre: Running) -> None:
    await centre.journal()
    async with centre.person("auditeur") as auditor:
        first = (await auditor.get("/api/journal", limit=3)).json()
        second = (await auditor.get("/api/journal", limit=3, before=first["next"])).json()
        leaves = [entry["leaf"] for page in (first, second) for entry in page["entries"]]
        assert leaves == sorted(leaves, reverse=True)
        assert len(set(leaves)) == 6
        logins = (await auditor.get("/api/journal", op="session:open", author="Auditeur")).json()["entries"]
        assert {entry["op_label"] for entry in logins} == {"Ouverture de session"}
        for wrong in ({"limit": 0}, {"before": "x"}, {"camera": "x"}, {"before": -1}):
            assert (await auditor.get("/api/journal", **wrong)).status_code == 422


def test_importing_does_not_pull_the_web_into_the_recorder() -> None:
    code = "import sys, csu.commands.import_, csu.commands.serve, csu.keys; print(sorted(sys.modules))"
    import sys

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules = set(json.loads(done.stdout.replace("'", '"')))
    assert not modules & {"fastapi", "sqlalchemy", "redis", "uvicorn"}
