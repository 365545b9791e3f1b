"""Persons through the API: designations, agréments, leavers, reviews; and what was so at a past date, signed."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4

import httpx
import psycopg
import pytest
from centre_support import GRANT, START, Browser, Running, settings_file, territory
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from test_territory import import_again, persons

from csu import keys
from csu.audit import security
from csu.cli import main
from csu.persons.answers import FORMAT, NAME, WHAT
from csu.persons.keeper import PersonKeeper
from csu.settings import Database
from csu.signed import SignedFault, read_file
from csu.territory.document import DocumentError
from legal.persons import Due

REASON = {"reason": "essai"}


async def make(centre: Running, login: str, category: str, employer: str | None, name: str) -> str:
    """A new operator's account; its id."""
    body = {"login": login, "name": name, "role": "operator", "category": category, "employer": employer}
    async with centre.person("administrateur") as administrator:
        answer = await administrator.post("/api/accounts", body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])


async def camera_of(person: Browser, number: str) -> str:
    cameras = (await person.get("/api/cameras")).json()["cameras"]
    return next(str(camera["id"]) for camera in cameras if camera["number"] == number)


async def codes_of(centre: Running, op: str) -> list[str | None]:
    return [entry["code"] for entry in await centre.journal() if entry["op"] == op]


HELD = """
    INSERT INTO proposal (id, decision, subject, commune, reason, content, proposed_at, proposed_by)
    VALUES (gen_random_uuid(), 'hold_release', gen_random_uuid(), '27229', 'Procédure close', '{}',
        '2026-11-23T14:29:00Z', %s)
"""


class TestAccounts:
    @pytest.mark.parametrize(("login", "name"), [("brigade.nuit", "Nuit"), ("c.durand", "Opérateur")])
    async def test_row_34_a_shared_account_is_refused(self, centre: Running, login: str, name: str) -> None:
        async with centre.person("administrateur") as administrator:
            body = {"login": login, "name": name, "role": "operator", "category": "PM"}
            answer = await administrator.post("/api/accounts", body)
            assert (answer.status_code, answer.json()["code"]) == (409, "SHARED_LOGIN")
            logins = {a["login"] for a in (await administrator.get("/api/accounts")).json()["accounts"]}
        assert login not in logins
        assert await codes_of(centre, "account:create") == ["SHARED_LOGIN"]

    async def test_row_42_the_entry_of_an_account_says_what_decides_on_pictures(self, centre: Running) -> None:
        await make(centre, "d.martin", "PM", "27229", "Dominique Martin")
        async with centre.centre.store.transaction(None) as connection:
            told = await connection.scalar(text("SELECT detail FROM journal WHERE op = 'account:create'"))
        told = json.loads(told) | {"account": None}
        expected = {"about": "d.martin", "role": "operator", "category": "PM", "employer": "27229", "account": None}
        assert told == expected

    async def test_row_36_an_elected_person_is_given_no_office_of_the_centre(self, centre: Running) -> None:
        async with centre.person("administrateur") as administrator:
            for role in ("supervisor", "auditor", "administrator"):
                body = {"login": "d.martin", "name": "Dominique Martin", "role": role, "category": "ELU"}
                answer = await administrator.post("/api/accounts", body)
                assert (answer.status_code, answer.json()["code"]) == (422, "REGIME_ROLE_FORBIDDEN")
        assert await codes_of(centre, "account:create") == ["REGIME_ROLE_FORBIDDEN"] * 3
        content = territory()
        content["account"][1]["category"] = "ELU"  # the supervisor's
        with pytest.raises(DocumentError, match="REGIME_ROLE_FORBIDDEN"):
            await import_again(centre, content)

    async def test_row_72_a_supervisor_of_before_who_is_elected_learns_of_no_hold(
        self, centre: Running, superuser: str
    ) -> None:
        async with centre.person("administrateur") as administrator, centre.person("superviseur") as supervisor:
            await raw(superuser, HELD, administrator.account["id"])
            (waiting,) = (await administrator.get("/api/proposals")).json()["proposals"]
            assert waiting["decision"] == "hold_release"
            await raw(superuser, "UPDATE account SET category = 'ELU' WHERE login = 'superviseur'")
            assert (await supervisor.get("/api/proposals")).json()["proposals"] == []
            for answer in (await supervisor.get("/api/holds"), await supervisor.post(f"/api/holds/{uuid4()}/release")):
                assert (answer.status_code, answer.json()["code"]) == (403, "REGIME_ROLE_FORBIDDEN")

    async def test_row_34_two_made_at_once_for_one_person_leave_one(self, centre: Running) -> None:
        async with centre.person("administrateur") as administrator:
            bodies = [
                {"login": f"c.durand{n}", "name": "Camille Durand", "role": "operator", "category": "PM"}
                for n in range(4)
            ]
            answers = await asyncio.gather(*(administrator.post("/api/accounts", body) for body in bodies))
        assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]

    async def test_row_34_two_sessions_of_one_account_on_two_posts_raise_an_alarm(self, centre: Running) -> None:
        async with centre.person("operateur"):
            assert await alarms(centre, "superviseur") == {}
            async with elsewhere(centre) as second:
                assert (await second.log_in("operateur")).status_code == 200
                told = await alarms(centre, "superviseur")
                assert list(told) == ["SECOND_SESSION"]
                assert "127.0.0.2" in told["SECOND_SESSION"]["message"]
                assert await alarms(centre, "delegue") == {}
                assert (await second.get("/api/session")).status_code == 200
        entry = next(e for e in await centre.journal() if e["op"] == "session:second")
        assert (entry["author"], entry["result"]) == ("Opérateur", "noted")
        await security.write(centre.centre.store, centre.centre.security)
        async with centre.person("administrateur") as administrator:
            body = (await administrator.get("/api/security")).json()
        told = [(e["code"], e["login"], e["workstation"]) for e in body["events"]]
        assert ("SECOND_SESSION", "operateur", "127.0.0.2") in told

    async def test_row_34_a_session_that_goes_on_at_another_post_is_told_and_its_acts_name_that_post(
        self, centre: Running
    ) -> None:
        """As with a cookie that was carried off: one session, and no login to tell of it."""
        async with centre.person("operateur") as person, elsewhere(centre) as other:
            camera = await camera_of(person, "01")
            other.csrf = person.csrf
            other.http.cookies.update(person.http.cookies)
            for browser in (person, other, other, person, other):
                (result,) = await browser.tickets({"camera": camera, "act": "live", "stream": "main"})
                assert "ticket" in result
        told = await alarms(centre, "superviseur")
        assert list(told) == ["SECOND_SESSION"]
        assert "127.0.0.1, 127.0.0.2" in told["SECOND_SESSION"]["message"]
        journal = await centre.journal()
        assert sorted(e["workstation"] for e in journal if e["op"] == "picture:live") == [
            *["127.0.0.1"] * 2,
            *["127.0.0.2"] * 3,
        ]
        (moved,) = [(e["author"], e["workstation"], e["result"]) for e in journal if e["op"] == "session:moved"]
        assert moved == ("Opérateur", "127.0.0.2", "noted")

    async def test_row_34_one_after_another_is_no_alarm(self, centre: Running) -> None:
        async with centre.person("operateur") as first:
            assert (await first.http.delete("/api/session", headers=_headers(first))).status_code == 204
            async with elsewhere(centre) as second:
                assert (await second.log_in("operateur")).status_code == 200
        assert await alarms(centre, "superviseur") == {}


@asynccontextmanager
async def elsewhere(centre: Running) -> AsyncIterator[Browser]:
    """A browser at another post."""
    transport = httpx.ASGITransport(centre.transport.app, raise_app_exceptions=False, client=("127.0.0.2", 4))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8080") as http:
        yield Browser(http)


def _headers(browser: Browser) -> dict[str, str]:
    return {"Origin": "http://localhost:8080", "X-CSRF-Token": browser.csrf}


async def alarms(centre: Running, login: str) -> dict[str, dict[str, Any]]:
    async with centre.person(login) as person:
        told = (await person.get("/api/alarms")).json()["alarms"]
    return {alarm["code"]: alarm for alarm in told if alarm["ended"] is None}


class TestHabilitations:
    async def test_the_mayors_delegate_designates_the_own_police(self, centre: Running) -> None:
        account = await make(centre, "c.durand", "PM", "27229", "Camille Durand")
        async with centre.person("delegue") as delegate:
            answer = await delegate.post("/api/habilitations", GRANT | {"account": account, "regimes": ["ERP"]})
            assert answer.status_code == 201, answer.text
            (held,) = (await persons(delegate))["c.durand"]["habilitations"]
            assert (held["regimes"], held["signed_by"], held["signed_on"]) == (["ERP"], "Maire d'Évreux", "2026-11-20")
            answer = await delegate.post(f"/api/habilitations/{held['id']}/suspend", REASON)
            assert answer.status_code == 200, answer.text

    async def test_the_mayors_delegate_designates_nobody_elses(self, centre: Running) -> None:
        async with centre.person("superviseur") as supervisor:
            known = await persons(supervisor)
        async with centre.person("delegue") as delegate:
            assert set(await persons(delegate)) == {"delegue", "operateur"}
            civil = GRANT | {"account": known["operateur"]["id"], "from": "2031-01-01", "to": "2032-01-01"}
            answer = await delegate.post("/api/habilitations", civil)
            assert (answer.status_code, answer.json()["code"]) == (403, "REGIME_ROLE_FORBIDDEN")
            for change in ({"commune": "27681"}, {"commune": "99999"}):
                answer = await delegate.post("/api/habilitations", civil | change)
                assert answer.status_code == 404
            foreign = known["vernon"]["habilitations"][0]["id"]
            assert (await delegate.post(f"/api/habilitations/{foreign}/suspend", REASON)).status_code == 404
            history = await delegate.get(f"/api/persons/{known['vernon']['id']}/history")
            assert history.status_code == 404
        assert set(await codes_of(centre, "habilitation:grant")) == {"REGIME_ROLE_FORBIDDEN", "OUT_OF_COMMUNE"}

    async def test_what_would_change_nothing_is_refused_and_no_act_of_the_journal(self, centre: Running) -> None:
        async with centre.person("superviseur") as supervisor:
            known = await persons(supervisor)
            held = known["operateur"]["habilitations"][0]["id"]
            of = {login: f"/api/persons/{known[login]['id']}" for login in ("operateur", "vernon")}
            steps = [
                (f"/api/habilitations/{held}/resume", 409),
                (f"/api/habilitations/{held}/suspend", 200),
                (f"/api/habilitations/{held}/suspend", 409),
                (f"/api/habilitations/{held}/resume", 200),
                (f"/api/habilitations/{held}/end", 200),
                (f"/api/habilitations/{held}/end", 409),
                (f"{of['operateur']}/agrement/resume", 409),
                (f"{of['operateur']}/agrement/suspend", 200),
                (f"{of['operateur']}/agrement/suspend", 409),
                (f"{of['vernon']}/agrement/suspend", 409),  # who has none
                (f"{of['vernon']}/stay", 409),
            ]
            for path, status in steps:
                centre.clock.advance(minutes=1)
                answer = await supervisor.post(path, REASON)
                assert answer.status_code == status, (path, answer.text)
                assert status == 200 or answer.json()["code"] == "ALREADY_DONE"
            after = await persons(supervisor)
            ends = {one["id"]: one["to"] for one in after["operateur"]["habilitations"]}
            assert datetime.fromisoformat(ends[held]) == START + timedelta(minutes=5)
            since = datetime.fromisoformat(after["operateur"]["agrement"]["suspended_at"])
            assert since == START + timedelta(minutes=8)
        told = [(e["result"], e["code"]) for e in reversed(await centre.journal()) if e["author"] == "Superviseur"]
        assert [one for one in told if one != ("done", None)] == [("refused", "ALREADY_DONE")] * 7
        assert len(told) == len(steps) + 1  # and the login

    async def test_nobody_decides_of_the_own_rights(self, centre: Running) -> None:
        content = territory()
        dates = {"from": "2026-01-01", "to": "2031-01-01"}
        own = {"account": "superviseur", "commune": "27229", "rights": ["live"], "reference": "H-S", **dates}
        own |= {"signed_by": "Maire d'Évreux", "signed_on": "2025-12-15"}
        content["habilitation"].append(own)
        await import_again(centre, content)
        async with centre.person("superviseur") as supervisor, centre.person("delegue") as delegate:
            (held,) = (await persons(supervisor))["superviseur"]["habilitations"]
            assert (await delegate.post(f"/api/habilitations/{held['id']}/suspend", REASON)).status_code == 200
            for act in ("resume", "suspend", "end"):
                answer = await supervisor.post(f"/api/habilitations/{held['id']}/{act}", REASON)
                assert (answer.status_code, answer.json()["code"]) == (422, "SECOND_PERSON_REQUIRED")
            (held,) = (await persons(supervisor))["superviseur"]["habilitations"]
            assert held["suspended_at"] is not None
        assert await codes_of(centre, "habilitation:resume") == ["SECOND_PERSON_REQUIRED"]

    async def test_an_account_is_not_treated_by_itself_and_the_attempt_is_journalled(self, centre: Running) -> None:
        async with centre.person("administrateur") as administrator:
            own = administrator.account["id"]
            for path, op in (("password", "account:reset"), ("close", "account:close")):
                answer = await administrator.post(f"/api/accounts/{own}/{path}")
                assert (answer.status_code, answer.json()["code"]) == (422, "SECOND_PERSON_REQUIRED")
                assert await codes_of(centre, op) == ["SECOND_PERSON_REQUIRED"]

    async def test_a_delegate_without_delegation_designates_nobody(self, centre: Running, superuser: str) -> None:
        account = await make(centre, "c.durand", "PM", "27229", "Camille Durand")
        await raw(superuser, "UPDATE habilitation SET suspended_at = %s WHERE reference = 'D-1'", START)
        async with centre.person("delegue") as delegate:
            answer = await delegate.post("/api/habilitations", GRANT | {"account": account})
            assert (answer.status_code, answer.json()["code"]) == (403, "NOT_HABILITE")

    REFUSED: ClassVar[list[tuple[str, dict[str, Any], str]]] = [
        ("PM", {"from": "2025-01-01", "to": "2026-01-01", "signed_on": None}, "OUT_OF_DATES"),
        ("PM", {"signed_on": "2026-11-24", "from": "2026-12-01"}, "OUT_OF_DATES"),
        ("PM", {"signed_on": "2026-11-23", "from": "2026-11-22"}, "OUT_OF_DATES"),
        ("PRIVE_CNAPS", {}, "REGIME_ROLE_FORBIDDEN"),
        ("PRIVE_CNAPS", {"regimes": ["VOIE_PUBLIQUE"]}, "REGIME_ROLE_FORBIDDEN"),
        ("MAINT", {}, "REGIME_ROLE_FORBIDDEN"),
        ("GN", {"signed_by": None}, "NOT_HABILITE"),
        ("PM", {"signed_by": None}, "NOT_HABILITE"),
        ("PM", {"signed_by": "   "}, "NOT_HABILITE"),
        ("GC", {"signed_on": None}, "NOT_HABILITE"),
        ("CIVIL_AGREE", {"signed_by": None, "signed_on": None}, "NOT_HABILITE"),
    ]

    @pytest.mark.parametrize(("category", "change", "code"), REFUSED)
    async def test_rows_37_and_65_what_is_not_lawful_leaves_a_refusal_and_nothing_else(
        self, centre: Running, category: str, change: dict[str, Any], code: str
    ) -> None:
        account = await make(centre, "c.durand", category, None, "Camille Durand")
        async with centre.person("superviseur") as supervisor:
            answer = await supervisor.post("/api/habilitations", GRANT | {"account": account} | change)
            assert (answer.status_code, answer.json()["code"]) == (409, code)
            assert (await persons(supervisor))["c.durand"]["habilitations"] == []
        entries = [e for e in await centre.journal() if e["op"] == "habilitation:grant"]
        assert [(e["result"], e["code"], e["about"]) for e in entries] == [("refused", code, "ARR-2026-14")]

    async def test_row_37_a_private_operator_sees_places_open_to_the_public(self, centre: Running) -> None:
        account = await make(centre, "c.durand", "PRIVE_CNAPS", None, "Camille Durand")
        async with centre.person("superviseur") as supervisor:
            answer = await supervisor.post("/api/habilitations", GRANT | {"account": account, "regimes": ["ERP"]})
            assert answer.status_code == 201, answer.text

    async def test_overlapping_ones_granted_at_once_leave_one(self, centre: Running) -> None:
        account = await make(centre, "c.durand", "PM", None, "Camille Durand")
        async with centre.person("superviseur") as supervisor:
            bodies = [GRANT | {"account": account, "reference": f"ARR-{n}"} for n in range(4)]
            answers = await asyncio.gather(*(supervisor.post("/api/habilitations", body) for body in bodies))
            assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
            assert len((await persons(supervisor))["c.durand"]["habilitations"]) == 1
        assert (await codes_of(centre, "habilitation:grant")).count("HABILITATION_OVERLAP") == 3

    async def test_row_46_the_answer_names_the_act_and_who_signed_it(self, centre: Running) -> None:
        account = await make(centre, "c.durand", "GC", "27229", "Camille Durand")
        async with centre.person("superviseur") as supervisor:
            answer = await supervisor.post("/api/habilitations", GRANT | {"account": account})
            assert answer.status_code == 201, answer.text
            asked = {"camera": await camera_of(supervisor, "01"), "at": START.isoformat()}
            told = (await supervisor.get(f"/api/persons/{account}/habilitation", **asked)).json()["answer"]
        (act,) = told["acts"]
        assert (act["basis"], act["reference"]) == ("designation", "ARR-2026-14")
        assert (act["signed_by"], act["signed_on"]) == ("Maire d'Évreux", "2026-11-20")


class TestImport:
    @pytest.mark.parametrize(
        ("change", "expected"),
        [
            (
                lambda c: (c["account"][5].update(category="PN"), c["habilitation"][3].pop("signed_by")),
                "NOT_HABILITE.*chef de service",
            ),
            (
                lambda c: (
                    c["account"][5].update(category="PN"),
                    c["habilitation"][3].pop("signed_by"),
                    c["habilitation"][3].update(unsigned="archives perdues"),
                ),
                "NOT_HABILITE.*chef de service",
            ),
            (lambda c: c["habilitation"][3].pop("signed_by"), "NOT_HABILITE.*signataire"),
            (lambda c: c["habilitation"][3].pop("signed_on"), "NOT_HABILITE.*signataire"),
            (lambda c: c["habilitation"][3].update(signed_by="  "), "NOT_HABILITE.*signataire"),
            (
                lambda c: c["habilitation"][3].update({"signed_on": "2026-11-24", "from": "2026-12-01"}),
                "OUT_OF_DATES.*à venir",
            ),
            (
                lambda c: (
                    c["habilitation"][3].pop("signed_on"),
                    c["habilitation"][3].update({"unsigned": "archives perdues", "from": "2026-12-01"}),
                ),
                "NOT_HABILITE.*signataire",
            ),
            (lambda c: c["account"][5].update(name="opérateur"), "SHARED_LOGIN"),
            (lambda c: c["account"][5].update(name="Police municipale"), "SHARED_LOGIN"),
            (lambda c: c["account"][5].update(category="PRIVE_CNAPS"), "REGIME_ROLE_FORBIDDEN"),
            (lambda c: c["account"].append({**c["account"][5], "login": "police2"}), "SHARED_LOGIN"),
            (lambda c: c["account"].append({**c["account"][5], "login": "other"}), "SHARED_LOGIN"),
            (lambda c: c["habilitation"].append({**c["habilitation"][3], "reference": "H-V2"}), "HABILITATION_OVERLAP"),
        ],
    )
    async def test_rows_34_37_and_65_an_unlawful_document_writes_nothing(
        self, centre: Running, superuser: str, change: Any, expected: str
    ) -> None:
        content = territory()
        change(content)
        # As on a centre without these rows yet.
        await raw(superuser, "DELETE FROM habilitation WHERE reference = 'H-V'")
        await raw(superuser, "DELETE FROM fact_version WHERE known ->> 'reference' = 'H-V'")
        with pytest.raises(DocumentError, match=expected):
            await import_again(centre, content)
        async with centre.person("superviseur") as supervisor:
            assert (await persons(supervisor))["vernon"]["habilitations"] == []

    async def test_row_46_an_act_of_before_without_its_signatory_is_entered_with_the_reason(
        self, centre: Running, superuser: str
    ) -> None:
        await raw(superuser, "DELETE FROM habilitation WHERE reference = 'H-V'")
        content = territory()
        held = content["habilitation"][3]
        del held["signed_by"], held["signed_on"]
        held["unsigned"] = "Archives de la mairie perdues"
        assert await import_again(centre, content) == 1
        # What is there already, and what a document of before the rule says of it, is no new act.
        del held["unsigned"]
        assert await import_again(centre, content) == 0
        held["rights"] = ["live", "replay"]
        with pytest.raises(DocumentError, match="NOT_HABILITE"):
            await import_again(centre, content)
        entry = next(one for one in await centre.journal() if one["given"] is not None)
        assert (entry["op"], entry["given"]) == ("territory:import", "Archives de la mairie perdues")
        with pytest.raises(ValueError, match="plaque"):
            await import_again(centre, territory() | {"habilitation": [held | {"unsigned": "voir AB-123-CD"}]})

    async def test_a_person_is_renamed_but_never_to_another_one(self, centre: Running) -> None:
        content = territory()
        content["account"][5]["name"] = "police de VERNON"
        assert await import_again(centre, content) == 1
        content["account"][0]["name"], content["account"][5]["name"] = "Police de Vernon", "Opérateur"
        with pytest.raises(DocumentError, match="SHARED_LOGIN"):
            await import_again(centre, content)
        async with centre.person("superviseur") as supervisor:
            known = await persons(supervisor)
            assert (known["operateur"]["name"], known["vernon"]["name"]) == ("Opérateur", "police de VERNON")

    async def test_row_65_with_the_signing_chief_it_is_taken(self, centre: Running) -> None:
        content = territory()
        content["account"].append({"login": "c.durand", "name": "C. Durand", "role": "operator", "category": "GN"})
        content["habilitation"].append(
            {
                **content["habilitation"][3],
                "account": "c.durand",
                "reference": "GN-1",
                "signed_by": "Commandant de la compagnie",
                "signed_on": "2025-12-20",
                "regimes": ["VOIE_PUBLIQUE", "ERP"],
            }
        )
        content["account"][0]["agrement"] |= {"prefet": "Préfet de l'Eure", "inquiry": "2025-11-01"}
        content["inquiry_blocks"] = True
        assert await import_again(centre, content) == 4
        assert await import_again(centre, content) == 0
        async with centre.person("superviseur") as supervisor:
            body = (await supervisor.get("/api/persons")).json()
            assert body["inquiry_blocks"]
            known = {person["login"]: person for person in body["persons"]}
            assert known["c.durand"]["habilitations"][0]["regimes"] == ["ERP", "VOIE_PUBLIQUE"]
            assert known["operateur"]["agrement"]["inquiry_by"] == "2030-10-31T23:00:00Z"
        assert await import_again(centre, territory()) == 0

    async def test_a_right_that_was_ended_is_not_given_back_by_a_document(self, centre: Running) -> None:
        async with centre.person("superviseur") as supervisor:
            (held,) = (await persons(supervisor))["vernon"]["habilitations"]
            await supervisor.post(f"/api/habilitations/{held['id']}/end", REASON)
            centre.clock.advance(minutes=1)
            assert await import_again(centre, territory()) == 0
            (held,) = (await persons(supervisor))["vernon"]["habilitations"]
            assert datetime.fromisoformat(held["to"]) == START


class TestAgrement:
    async def test_rows_38_and_39_an_agrement_is_suspended_resumed_and_renewed(self, centre: Running) -> None:
        async with centre.person("superviseur") as supervisor, centre.person("operateur") as operator:
            account = (await persons(supervisor))["operateur"]["id"]
            path = f"/api/persons/{account}/agrement"

            async def live() -> str | None:
                camera = (await operator.get("/api/cameras")).json()["cameras"][0]
                return None if camera["live"]["allowed"] else str(camera["live"]["code"])

            assert await live() is None
            centre.centre.renewer_wake.clear()
            assert (await supervisor.post(f"{path}/suspend", REASON)).status_code == 200
            assert centre.centre.renewer_wake.is_set()
            assert await live() == "AGREMENT_MISSING"
            agrement = (await persons(supervisor))["operateur"]["agrement"]
            assert agrement["suspended_reason"] == "essai"
            assert (await supervisor.post(f"{path}/resume", REASON)).status_code == 200
            assert await live() is None
            new = {"reference": "AGR-9", "prefet": "Préfet de la Seine-Maritime", "departements": ["76"]}
            assert (await supervisor.send("PUT", path, new | {"from": "2026-11-01"})).status_code == 200
            assert await live() == "AGREMENT_MISSING"
            over = new | {"from": "2025-01-01", "to": "2026-01-01"}
            answer = await supervisor.send("PUT", path, over)
            assert (answer.status_code, answer.json()["code"]) == (422, "OUT_OF_DATES")
            assert (await persons(supervisor))["operateur"]["agrement"]["departements"] == ["76"]
        told = {e["op"] for e in await centre.journal() if e["op"].startswith("agrement") and e["result"] == "done"}
        assert told == {"agrement:put", "agrement:resume", "agrement:suspend"}

    async def test_row_39_the_block_is_the_centres_choice(self, centre: Running) -> None:
        async with centre.person("superviseur") as supervisor:
            account = (await persons(supervisor))["operateur"]["id"]
            old = {"reference": "AGR-1", "prefet": "Préfet de l'Eure", "departements": ["27"], "from": "2020-01-01"}
            assert (await supervisor.send("PUT", f"/api/persons/{account}/agrement", old)).status_code == 200
        for is_on, allowed in ((False, True), (True, False), (False, True)):
            async with centre.person("administrateur") as administrator, centre.person("operateur") as operator:
                assert (await administrator.send("PUT", "/api/rules/inquiry", {"is_on": is_on})).status_code == 200
                camera = (await operator.get("/api/cameras")).json()["cameras"][0]
                assert camera["live"]["allowed"] == allowed
        assert "INQUIRY_OVERDUE" in await kept_alarms(centre)

    async def test_nobody_decides_of_the_own_rights(self, centre: Running) -> None:
        async with centre.person("superviseur") as supervisor:
            account = supervisor.account["id"]
            for path in ("agrement/resume", "agrement/suspend", "leave", "stay", "confirm"):
                body = REASON | ({"days": 3} if path == "leave" else {})
                answer = await supervisor.post(f"/api/persons/{account}/{path}", body)
                assert (answer.status_code, answer.json()["code"]) == (422, "SECOND_PERSON_REQUIRED")


async def kept_alarms(centre: Running) -> dict[str, dict[str, Any]]:
    await PersonKeeper(centre.centre).run_once()
    return await alarms(centre, "superviseur")


class TestLeavers:
    async def test_row_70_a_leaver_is_closed_by_itself_within_seven_days(self, centre: Running) -> None:
        async with centre.person("administrateur") as administrator:
            accounts = (await administrator.get("/api/accounts")).json()["accounts"]
            account = next(a["id"] for a in accounts if a["login"] == "vernon")
            path = f"/api/persons/{account}/leave"
            answer = await administrator.post(path, REASON | {"days": 8})
            assert (answer.status_code, answer.json()["code"]) == (422, "LEAVER_TOO_LATE")
            assert (await administrator.post(path, REASON | {"days": 5})).status_code == 200
            # Asked again, it can only be sooner.
            assert (await administrator.post(path, REASON | {"days": 7})).status_code == 200
        told = await kept_alarms(centre)
        assert told["LEAVER"]["message"] == "Agent Police de Vernon : il part, son compte sera fermé le 28/11/2026."
        centre.clock.advance(days=5, seconds=-1)
        async with centre.person("vernon") as agent:
            centre.clock.advance(seconds=1)
            # Before anybody has closed it.
            told = (await agent.get("/api/session")).json()
            assert told["code"] == "SESSION_EXPIRED"
            assert told["reason"] == "Votre compte est fermé depuis le 28/11/2026 à 15:30 : voyez votre superviseur."
            assert (await agent.log_in("vernon")).status_code == 401
        assert "LEAVER" not in await kept_alarms(centre)
        async with centre.person("administrateur") as administrator:
            accounts = (await administrator.get("/api/accounts")).json()["accounts"]
            closed = next(a["closed_at"] for a in accounts if a["login"] == "vernon")
            assert datetime.fromisoformat(closed) == START + timedelta(days=5)
        (entry,) = [e for e in await centre.journal() if e["op"] == "account:close"]
        assert (entry["author"], entry["about"]) == ("Système", "vernon")

    async def test_row_70_at_once_or_after_all_not(self, centre: Running) -> None:
        async with centre.person("superviseur") as supervisor, centre.person("vernon") as agent:
            account = (await persons(supervisor))["vernon"]["id"]
            assert (await supervisor.post(f"/api/persons/{account}/leave", REASON | {"days": 3})).status_code == 200
            assert (await supervisor.post(f"/api/persons/{account}/stay", REASON)).status_code == 200
            assert "LEAVER" not in await kept_alarms(centre)
            assert (await agent.get("/api/session")).status_code == 200
            assert (await supervisor.post(f"/api/persons/{account}/leave", REASON | {"days": 0})).status_code == 200
            assert (await agent.get("/api/session")).json()["code"] == "SESSION_EXPIRED"
            assert (await supervisor.post(f"/api/persons/{account}/stay", REASON)).status_code == 404

    async def test_row_70_each_is_confirmed_once_a_year(self, centre: Running) -> None:
        centre.clock.advance(days=366)
        told = await kept_alarms(centre)
        assert "REVIEW_OVERDUE" in told
        async with centre.person("superviseur") as supervisor:
            known = await persons(supervisor)
            assert known["operateur"]["confirmed_by"] is None
            assert [due["code"] for due in known["operateur"]["dues"]] == ["REVIEW_OVERDUE"]
            for login in set(known) - {"superviseur"}:
                answer = await supervisor.post(f"/api/persons/{known[login]['id']}/confirm")
                assert answer.status_code == 200, answer.text
            operator = (await persons(supervisor))["operateur"]
            assert (operator["confirmed_by"], operator["dues"]) == ("superviseur", [])
        async with centre.person("administrateur") as administrator:
            supervisor_id = known["superviseur"]["id"]
            assert (await administrator.post(f"/api/persons/{supervisor_id}/confirm")).status_code == 200
        assert "REVIEW_OVERDUE" not in await kept_alarms(centre)

    async def test_alarms_of_persons_are_not_for_colleagues(self, centre: Running) -> None:
        centre.clock.advance(days=366)
        assert set(await kept_alarms(centre)) & set(Due)
        for login in ("operateur", "delegue", "auditeur"):
            assert not set(await alarms(centre, login)) & set(Due)


class TestHistory:
    async def test_row_46_was_x_habilite_for_c_at_t(self, centre: Running) -> None:
        minute = timedelta(minutes=1)
        async with centre.person("superviseur") as supervisor, centre.person("operateur") as operator:
            account = (await persons(supervisor))["operateur"]["id"]
            camera = await camera_of(operator, "01")
            held = next(h for h in (await persons(supervisor))["operateur"]["habilitations"] if h["commune"] == "27229")
            for act, wait in (("suspend", 10), ("resume", 10), ("end", 10)):
                centre.clock.advance(minutes=5)
                answer = await supervisor.post(f"/api/habilitations/{held['id']}/{act}", REASON)
                assert answer.status_code == 200, answer.text
                centre.clock.advance(minutes=wait - 5)
            expected = {
                START - minute: (False, "AUTH_MISSING"),
                START: (True, None),
                START + 4 * minute: (True, None),
                START + 5 * minute: (False, "NOT_HABILITE"),
                START + 14 * minute: (False, "NOT_HABILITE"),
                START + 15 * minute: (True, None),
                START + 24 * minute: (True, None),
                START + 25 * minute: (False, "NOT_HABILITE"),
            }
            path = f"/api/persons/{account}/habilitation"
            for at, (habilite, code) in expected.items():
                answer = await supervisor.get(path, camera=camera, at=at.isoformat())
                assert answer.status_code == 200, answer.text
                said = answer.json()["answer"]
                assert (said["habilite"], said["rights"]["live"].get("code")) == (habilite, code), at
            future = await supervisor.get(path, camera=camera, at=(START + 31 * minute).isoformat())
            assert (future.status_code, future.json()["code"]) == (422, "OUT_OF_DATES")
        answers = [e for e in await centre.journal() if e["op"] == "habilitation:prove" and e["result"] == "done"]
        assert len(answers) == len(expected)
        assert {(e["about"], e["camera_name"]) for e in answers} == {("operateur", "01 Place")}

    async def test_row_46_the_answer_is_signed_and_alters_with_no_byte(self, centre: Running) -> None:
        async with centre.person("auditeur") as auditor:
            known = await persons(auditor)
            camera = await camera_of(auditor, "02")
            path = f"/api/persons/{known['vernon']['id']}/habilitation"
            file = (await auditor.get(path, camera=camera, at=START.isoformat())).json()
        public = keys.load_public(centre.centre.settings.paths.keys, "statements")
        said = read_file(json.dumps(file).encode(), NAME, FORMAT, WHAT, public)[NAME]
        assert (said["habilite"], said["rights"]["replay"]["code"]) == (True, "NOT_HABILITE")
        rested_on = {(fact["fact"], fact["known"].get("reference")) for fact in said["facts"]}
        assert {("habilitation", "H-V"), ("authorisation", "A-27681"), ("convention", "C-27681")} <= rested_on
        assert "password_hash" not in json.dumps(file)
        for forged, code in (
            (file | {"answer": said | {"habilite": False}}, "SIGNATURE"),
            (file | {"kid": "0" * 16}, "KEY_UNKNOWN"),
            ({"statement": said, **file, "answer": []}, "SIGNATURE"),
            ({"kid": file["kid"]}, "INVALID"),
        ):
            with pytest.raises(SignedFault) as fault:
                read_file(json.dumps(forged).encode(), NAME, FORMAT, WHAT, public)
            assert fault.value.code == code

    async def test_row_46_a_delegate_asks_about_the_own_cameras(self, centre: Running) -> None:
        async with centre.person("superviseur") as supervisor:
            known = await persons(supervisor)
            cameras = {number: await camera_of(supervisor, number) for number in ("01", "02")}
        async with centre.person("delegue") as delegate:
            at = START.isoformat()

            async def status(login: str, number: str) -> int:
                path = f"/api/persons/{known[login]['id']}/habilitation"
                return (await delegate.get(path, camera=cameras[number], at=at)).status_code

            assert [await status(*one) for one in (("operateur", "01"), ("operateur", "02"), ("vernon", "01"))] == [
                200,
                404,
                404,
            ]

    async def test_row_46_the_versions_are_kept_and_none_can_be_altered(
        self, centre: Running, database: Database
    ) -> None:
        async with centre.person("superviseur") as supervisor:
            account = (await persons(supervisor))["vernon"]["id"]
            (held,) = (await persons(supervisor))["vernon"]["habilitations"]
            for act in ("suspend", "resume"):
                centre.clock.advance(seconds=60)
                await supervisor.post(f"/api/habilitations/{held['id']}/{act}", REASON)
            versions = (await supervisor.get(f"/api/persons/{account}/history")).json()["versions"]
        told = [(v["fact"], v["known"].get("suspended_reason")) for v in versions if v["fact"] == "habilitation"]
        assert told == [("habilitation", None), ("habilitation", "essai"), ("habilitation", None)]
        for role in (database.url, database.guard_url):
            url = role.get_secret_value().replace("+psycopg", "")
            for statement in (
                "UPDATE fact_version SET recorded_at = recorded_at",
                "DELETE FROM fact_version",
                "TRUNCATE fact_version",
                "INSERT INTO fact_version SELECT fact, key, now(), now(), commune, known FROM fact_version",
                "ALTER TABLE habilitation DISABLE TRIGGER keep_version",
            ):
                with psycopg.connect(url) as connection:
                    connection.execute("SET LOCAL csu.communes = '*'")
                    with pytest.raises(psycopg.errors.InsufficientPrivilege):
                        connection.execute(statement.encode())

    async def test_a_clock_set_back_alters_no_answer_of_before(self, centre: Running) -> None:
        async with centre.person("superviseur") as supervisor:
            known = await persons(supervisor)
            camera = await camera_of(supervisor, "02")
            (held,) = known["vernon"]["habilitations"]
            path = f"/api/persons/{known['vernon']['id']}/habilitation"
            centre.clock.advance(minutes=10)
            await supervisor.post(f"/api/habilitations/{held['id']}/suspend", REASON)
            await supervisor.post(f"/api/habilitations/{held['id']}/resume", REASON)
            ask = {"camera": camera, "at": (START + timedelta(minutes=5)).isoformat()}
            before = (await supervisor.get(path, **ask)).json()["answer"]
        centre.clock.at = START + timedelta(minutes=1)
        async with centre.person("superviseur") as supervisor:  # sessions of before the step are over
            done = await supervisor.post(f"/api/habilitations/{held['id']}/suspend", REASON)
            assert done.status_code == 200, done.text
            centre.clock.at = START + timedelta(minutes=12)
            after = (await supervisor.get(path, **ask)).json()["answer"]
        assert before["habilite"]
        assert before | {"answered_at": ""} == after | {"answered_at": ""}

    @settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
    @given(st.lists(st.sampled_from(["suspend", "resume", "agrement", "convention", "rule"]), min_size=2, max_size=6))
    async def test_the_answer_for_a_past_date_never_changes_by_later_acts(
        self, centre: Running, acts: list[str]
    ) -> None:
        async with centre.person("superviseur") as supervisor, centre.person("administrateur") as administrator:
            known = await persons(supervisor)
            account, camera = known["operateur"]["id"], await camera_of(supervisor, "01")
            held = next(h["id"] for h in known["operateur"]["habilitations"] if h["commune"] == "27229")
            communes = (await administrator.get("/api/territory")).json()["communes"]
            convention = next(c["conventions"][0]["id"] for c in communes if c["insee"] == "27229")
            suspended = known["operateur"]["agrement"]["suspended_at"] is not None
            said: dict[str, Any] = {}

            async def ask(at: datetime) -> dict[str, Any]:
                path = f"/api/persons/{account}/habilitation"
                answer = await supervisor.get(path, camera=camera, at=at.isoformat())
                assert answer.status_code == 200, answer.text
                return {**answer.json()["answer"], "answered_at": ""}

            for number, act in enumerate(acts):
                centre.clock.advance(seconds=30)
                if act in ("suspend", "resume"):
                    await supervisor.post(f"/api/habilitations/{held}/{act}", REASON)
                elif act == "agrement":
                    verb, suspended = ("resume" if suspended else "suspend"), not suspended
                    await supervisor.post(f"/api/persons/{account}/agrement/{verb}", REASON)
                elif act == "convention":
                    verb = ("suspend", "resume")[number % 2]
                    await administrator.post(f"/api/conventions/{convention}/{verb}", REASON)
                else:
                    await administrator.send("PUT", "/api/rules/inquiry", {"is_on": number % 2 == 0})
                said[centre.clock.at.isoformat()] = await ask(centre.clock.at)
                for before, answer in said.items():
                    assert await ask(datetime.fromisoformat(before)) == answer


async def raw(superuser: str, statement: str, *values: object) -> None:
    async with await psycopg.AsyncConnection.connect(superuser) as connection:
        await connection.execute(statement.encode(), values or None)


async def test_row_46_the_command_answers_signs_and_verifies(
    centre: Running, database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = centre.centre.settings
    config = settings_file(tmp_path, settings.data, database, settings.valkey)

    async def run(*words: str) -> tuple[int, str]:
        status = await asyncio.to_thread(main, ["person", *words, "--config", str(config), "--json"])
        return status, capsys.readouterr().out.strip().rpartition("\n")[2]

    async with centre.person("superviseur"):
        pass  # the facts were recorded at START, before the machine's own time
    file = tmp_path / "answer.json"
    ask = ("habilitation", "--login", "vernon", "--camera", "02", "--at")
    status, told = await run(*ask, "2026-11-23T15:00:00Z", "--output", str(file))
    assert (status, json.loads(told)["answer"]["habilite"]) == (0, True)
    assert (await run("verify", str(file)))[0] == 0
    assert await asyncio.to_thread(main, ["person", "verify", str(file), "--config", str(config)]) == 0
    words = capsys.readouterr().out.splitlines()
    assert words[0] == "vernon was habilité for camera 02 Place on 2026-11-23T16:00:00+01:00"
    assert words[1] == "  act: H-V, signed by Maire on 2025-12-15, from 2026-01-01 to 2030-12-31 included"
    assert words[2:] == ["  live: yes", words[3]]
    assert words[3].startswith("  replay: no, NOT_HABILITE (")
    status, told = await run(*ask, "2026-11-23T14:00:00Z")
    assert (status, json.loads(told)["answer"]["rights"]["live"]["code"]) == (1, "AUTH_MISSING")
    file.write_text(file.read_text().replace("true", "false"))
    status, told = await run("verify", str(file))
    assert (status, json.loads(told)["faults"][0]["code"]) == (1, "SIGNATURE")
    for wrong in (("2999-01-01T00:00:00Z",), ("2026-11-23T15:00:00",), ("yesterday",)):
        assert (await run(*ask, *wrong))[0] == 2
    unknown = ("habilitation", "--login", "nobody", "--camera", "02", "--at", "2026-11-23T15:00:00Z")
    assert (await run(*unknown))[0] == 2
    entries = [e for e in await centre.journal() if e["op"] == "habilitation:prove"]
    assert [(e["author"], e["about"], e["camera_name"]) for e in entries] == [
        ("Administration locale", "vernon", "02 Place")
    ] * 2
