"""Rows of the law's table on the journal, over the application: what an entry holds, nothing goes without one."""

from typing import Any

import psycopg
from centre_support import START, Browser, Running

from csu import keys
from csu.audit.heads import HeadSigner
from csu.audit.sequencer import sequence

MOTIF = {"code": "REQUISITION", "reference": "2026-001234"}


async def camera_of(person: Browser, number: str) -> str:
    cameras = (await person.get("/api/cameras")).json()["cameras"]
    return str(next(camera["id"] for camera in cameras if camera["number"] == number))


def replay(camera: str, **more: Any) -> dict[str, Any]:
    return {"camera": camera, "act": "replay", "from": "2026-11-23T14:00:00Z", "to": "2026-11-23T14:10:00Z", **more}


async def entries(centre: Running, *ops: str) -> list[dict[str, Any]]:
    return [entry for entry in await centre.journal() if entry["op"] in ops]


async def test_row_22_a_replay_has_its_motif_and_the_entry_is_complete(centre: Running) -> None:
    async with centre.person("operateur") as operator:
        motifs = (await operator.get("/api/motifs")).json()
        kind = next(one for one in motifs if "replay" in one["acts"] and one["reference_required"])
        motif = {"code": kind["code"], "reference": "2026-001234"}
        camera = await camera_of(operator, "01")
        without, allowed = await operator.tickets(replay(camera), replay(camera, motif=motif))
        assert without["refused"]["code"] == "MOTIF_REQUIRED"
        assert "ticket" in allowed
    told = {entry["result"]: entry for entry in await entries(centre, "picture:replay")}
    assert (told["refused"]["code"], told["refused"]["motif"]) == ("MOTIF_REQUIRED", None)
    done = told["done"]
    assert done["at"] == START.isoformat().replace("+00:00", "Z")
    assert (done["author"], done["quality"]) == ("Opérateur", "opérateur, agent civil agréé")
    assert (done["authority"], done["camera"]) == ("Maire Évreux", camera)
    assert (done["from"], done["to"]) == ("2026-11-23T14:00:00Z", "2026-11-23T14:10:00Z")
    assert (done["motif"], done["motif_reference"]) == (kind["label"], "2026-001234")
    assert (done["recipients"], done["workstation"]) == ([], "127.0.0.1")


async def test_row_22_what_is_handed_out_names_to_whom(centre: Running) -> None:
    async with centre.person("superviseur") as supervisor:
        camera, person = await camera_of(supervisor, "01"), supervisor.account["id"]
        asked = {"camera": camera, "at": START.isoformat()}
        assert (await supervisor.get(f"/api/persons/{person}/habilitation", **asked)).status_code == 200
    await sequence(centre.centre.store)
    kid, key = keys.load_private(centre.centre.settings.paths.keys, "heads")
    await HeadSigner(centre.centre.store, kid, key, centre.clock).sign()
    async with centre.person("auditeur") as auditor:
        assert (await auditor.get("/api/journal/0/proof")).status_code == 200
        assert (await auditor.get("/api/journal.csv")).status_code == 200
    told = await entries(centre, "habilitation:prove", "journal:prove", "journal:export", "journal:exported")
    assert sorted((e["op"], e["op_class"], e["recipients"]) for e in told) == [
        ("habilitation:prove", "communication", ["Superviseur"]),
        ("journal:export", "communication", ["Auditeur"]),
        ("journal:exported", "communication", ["Auditeur"]),
        ("journal:prove", "communication", ["Auditeur"]),
    ]


async def test_row_25_a_session_that_another_login_ends_is_told(centre: Running) -> None:
    async with centre.person("operateur") as post:
        assert (await post.log_in("vernon")).status_code == 200
    (told,) = await entries(centre, "session:close")
    assert (told["author"], told["result"]) == ("Opérateur", "noted")


async def test_row_40_the_authority_changes_with_the_commune_of_the_camera(centre: Running) -> None:
    async with centre.person("operateur") as operator:
        for number in ("01", "02", "01"):
            camera = await camera_of(operator, number)
            (result,) = await operator.tickets({"camera": camera, "act": "live", "stream": "main"})
            assert "ticket" in result
            centre.clock.advance(seconds=1)
    looks = await entries(centre, "picture:live")
    assert [look["authority"] for look in reversed(looks)] == ["Maire Évreux", "Maire Vernon", "Maire Évreux"]


async def test_row_25_twenty_actions_leave_twenty_entries_refusals_too(centre: Running) -> None:
    async with centre.person("operateur") as operator, centre.person("administrateur") as administrator:
        camera = await camera_of(operator, "01")
        before = {entry["leaf"] for entry in await centre.journal()}
        live = {"camera": camera, "act": "live", "stream": "main"}
        foreign = {"camera": await camera_of(operator, "03"), "act": "live", "stream": "main"}
        for _ in range(4):
            assert "ticket" in (await operator.tickets(live))[0]
            assert (await operator.tickets(foreign))[0]["refused"]["code"] == "CONVENTION_MISSING"
            assert (await operator.get("/api/journal")).status_code == 403
        assert (await operator.send("PUT", "/api/session/shift", {"motif": "SECURITE"})).status_code == 200
        new = {"login": "nouveau", "name": "Nouveau", "role": "auditor", "category": "SANS_IMAGES"}
        assert (await operator.post("/api/accounts", new)).status_code == 403
        assert (await operator.post("/api/session/lock")).status_code == 200
        assert (await operator.post("/api/session/unlock", {"password": "wrong"})).status_code == 401
        assert (await administrator.post("/api/accounts", new)).status_code == 201
        assert (await administrator.get("/api/persons")).status_code == 403
        assert (await administrator.send("DELETE", "/api/session")).status_code == 204
        assert (await administrator.log_in("administrateur", password="wrong")).status_code == 401
    mine = [entry for entry in await centre.journal() if entry["leaf"] not in before and entry["author"] != "Auditeur"]
    told = sorted((entry["op"], entry["result"]) for entry in mine)
    expected = [
        *[("picture:live", "done"), ("picture:live", "refused"), ("journal:read", "refused")] * 4,
        ("session:shift", "done"),
        ("session:lock", "done"),
        ("session:unlock", "refused"),
        ("account:create", "done"),
        ("account:create", "refused"),
        ("person:list", "refused"),
        ("session:close", "done"),
        ("session:open", "refused"),
    ]
    assert told == sorted(expected)
    assert len(expected) == 20


async def test_no_act_is_done_when_the_journal_takes_no_entry(centre: Running, superuser: str) -> None:
    """Not one: neither a picture's ticket, nor a change, nor a refusal's answer."""
    async with (
        centre.person("operateur") as operator,
        centre.person("superviseur") as supervisor,
        centre.person("administrateur") as administrator,
    ):
        camera = (await operator.get("/api/cameras")).json()["cameras"][0]["id"]
        persons = (await supervisor.get("/api/persons")).json()["persons"]
        held = next(person for person in persons if person["login"] == "vernon")["habilitations"][0]["id"]
        account = {"login": "nouveau", "name": "Nouvel Agent", "role": "operator", "category": "PM"}
        live = {"requests": [{"camera": camera, "act": "live", "stream": "main"}]}
        with psycopg.connect(superuser, autocommit=True) as connection:
            connection.execute("REVOKE INSERT ON journal FROM csu_app")
            try:
                for person, path, body in (
                    (operator, "/api/tickets", live),
                    (supervisor, f"/api/habilitations/{held}/suspend", {"reason": "contrôle"}),
                    (administrator, "/api/accounts", account),
                    (operator, "/api/session/lock", None),
                    (operator, "/api/accounts", account),
                    (operator, "/api/tickets", {"requests": []}),
                ):
                    answer = await person.post(path, body)
                    assert answer.status_code == 500, path
                    assert "ticket" not in answer.text
            finally:
                connection.execute("GRANT INSERT ON journal TO csu_app")
        persons = (await supervisor.get("/api/persons")).json()["persons"]
        assert not [person for person in persons if person["login"] == "nouveau"]
        assert not [h for person in persons for h in person["habilitations"] if h["suspended_at"] is not None]
        assert (await operator.get("/api/session")).json()["locked"] is False


async def test_row_25_what_a_table_refuses_is_a_refusal_of_the_journal_too(centre: Running) -> None:
    taken = {"login": "vernon", "name": "Quelqu'un d'Autre", "role": "operator", "category": "PM"}
    async with centre.person("administrateur") as administrator:
        answer = await administrator.post("/api/accounts", taken)
        assert (answer.status_code, answer.json()["code"]) == (409, "CONFLICT")
    (told,) = await entries(centre, "account:create")
    assert (told["result"], told["code"], told["about"]) == ("refused", "CONFLICT", "vernon")
