"""One mechanism for every act that takes two persons: held by the database, closed for good, carried over."""

import asyncio
from typing import Any

import psycopg
import pytest
from centre_support import Browser, Running
from sqlalchemy import text
from test_holds import CLOSED, Peer, _body, _camera
from test_interruptions import body, in_hours, supervisors

from csu.events import client
from csu.settings import Database
from recorder.channel import ChannelServer


async def test_the_database_itself_wants_two_persons(centre: Running, database: Database) -> None:
    async with (
        centre.person("superviseur") as supervisor,
        ChannelServer(centre.centre.settings.paths.recorder_socket, Peer(centre).answer),
    ):
        camera = await _camera(supervisor)
        mask = (
            await supervisor.post("/api/interruptions/masked", body(camera, in_hours(0), in_hours(2), "HABITATION"))
        ).json()["id"]
        hold = (await supervisor.post("/api/holds", _body(camera))).json()["id"]
        assert (await supervisor.post(f"/api/holds/{hold}/release", CLOSED)).status_code == 200
    for statement, error in (
        ("UPDATE proposal SET confirmed_at = now(), confirmed_by = proposed_by", psycopg.errors.CheckViolation),
        (f"UPDATE hold SET released_at = now() WHERE id = '{hold}'", psycopg.errors.CheckViolation),
        (f"UPDATE interruption SET decided_at = now() WHERE id = '{mask}'", psycopg.errors.CheckViolation),
        ("UPDATE proposal SET subject = 'another'", psycopg.errors.InsufficientPrivilege),
        ("UPDATE proposal SET proposed_by = confirmed_by", psycopg.errors.InsufficientPrivilege),
        ("DELETE FROM proposal", psycopg.errors.InsufficientPrivilege),
        ("UPDATE interruption SET from_at = now()", psycopg.errors.InsufficientPrivilege),
        ("DELETE FROM interruption", psycopg.errors.InsufficientPrivilege),
    ):
        with psycopg.connect(address(database)) as connection:
            connection.execute("SELECT set_config('csu.communes', '*', true)")
            with pytest.raises(error):
                connection.execute(statement.encode())


async def test_both_persons_stand_in_the_journal(centre: Running) -> None:
    async with supervisors(centre) as (first, second):
        camera = await _camera(first)
        asked = body(camera, in_hours(0), in_hours(2), "HABITATION")
        made = (await first.post("/api/interruptions/masked", asked)).json()
        confirm = f"/api/interruptions/{made['id']}/confirm"
        assert (await first.post(confirm)).json()["code"] == "SECOND_PERSON_REQUIRED"
        assert (await second.post(confirm)).status_code == 200
        again = await second.post(confirm)
        assert (again.status_code, again.json()["code"]) == (409, "NO_PROPOSAL")  # what waits next is its end
        persons = first.account["id"], second.account["id"]
    rows = await journalled(centre, "interruption:%")
    assert [(row[0], row[1], row[2]) for row in rows] == [
        ("interruption:mask", None, persons[0]),
        ("interruption:confirm", "SECOND_PERSON_REQUIRED", persons[0]),
        ("interruption:confirm", None, persons[1]),
        ("interruption:confirm", "NO_PROPOSAL", persons[1]),
    ]
    assert persons[0] in rows[2][3]


async def test_what_somebody_proposed_whose_account_is_closed_is_confirmed_by_nobody(centre: Running) -> None:
    async with supervisors(centre) as (first, second), centre.person("administrateur") as administrator:
        camera = await _camera(first)
        asked = body(camera, in_hours(0), in_hours(2), "HABITATION")
        made = (await first.post("/api/interruptions/masked", asked)).json()
        assert len((await second.get("/api/proposals")).json()["proposals"]) == 1
        assert (await administrator.post(f"/api/accounts/{first.account['id']}/close")).status_code == 200
        assert (await second.get("/api/proposals")).json() == {"proposals": []}
        answer = await second.post(f"/api/interruptions/{made['id']}/confirm")
        assert (answer.status_code, answer.json()["code"]) == (409, "NO_PROPOSAL")


async def test_a_release_of_a_hold_that_nobody_confirms_is_proposed_anew(centre: Running) -> None:
    peer = Peer(centre)
    async with ChannelServer(centre.centre.settings.paths.recorder_socket, peer.answer):
        async with centre.person("superviseur") as supervisor:
            hold = (await supervisor.post("/api/holds", _body(await _camera(supervisor)))).json()["id"]
            assert (await supervisor.post(f"/api/holds/{hold}/release", CLOSED)).json()["release_proposed_by_me"]
        centre.clock.advance(minutes=30)
        async with centre.person("administrateur") as administrator, centre.person("superviseur") as supervisor:
            (listed,) = (await administrator.get("/api/holds")).json()["holds"]
            assert listed["release_proposed_at"] is None
            late = (await administrator.post(f"/api/holds/{hold}/release", CLOSED)).json()
            assert (late["released_at"], late["release_proposed_by_me"]) == (None, True)
            assert peer.releases == []
            done = (await supervisor.post(f"/api/holds/{hold}/release")).json()
            assert done["released_at"] is not None
            again = await supervisor.post(f"/api/holds/{hold}/release")
            assert (again.status_code, again.json()["code"]) == (409, "ALREADY_DONE")
            assert len(peer.releases) == 1


async def test_what_the_recorder_refuses_confirms_nothing(centre: Running) -> None:
    peer = Peer(centre)
    async with (
        ChannelServer(centre.centre.settings.paths.recorder_socket, peer.answer),
        centre.person("superviseur") as supervisor,
        centre.person("administrateur") as administrator,
    ):
        hold = (await supervisor.post("/api/holds", _body(await _camera(supervisor)))).json()["id"]
        await supervisor.post(f"/api/holds/{hold}/release", CLOSED)
        peer.refusal = "STORAGE_DOWN"
        away = await administrator.post(f"/api/holds/{hold}/release")
        assert (away.status_code, away.json()["code"]) == (503, "RECORDER_UNREACHABLE")
        peer.refusal = None
        assert (await administrator.post(f"/api/holds/{hold}/release")).json()["released_at"] is not None
    codes = [row[1] for row in await journalled(centre, "hold:release")]
    assert codes == [None, "RECORDER_UNREACHABLE", None]


async def journalled(centre: Running, op: str) -> list[Any]:
    """Operation, code, author and detail, in their order."""
    async with centre.centre.store.transaction(None) as connection:
        statement = text("SELECT op, code, author::text, detail FROM journal WHERE op LIKE :op ORDER BY ctid")
        return list((await connection.execute(statement, {"op": op})).all())


def address(database: Database) -> str:
    """The application's role, for libpq."""
    return database.url.get_secret_value().replace("+psycopg", "")


async def test_all_that_waits_is_in_one_list(centre: Running) -> None:
    async with (
        centre.person("superviseur") as supervisor,
        centre.person("administrateur") as administrator,
        ChannelServer(centre.centre.settings.paths.recorder_socket, Peer(centre).answer),
    ):
        camera = await _camera(supervisor)
        hold = (await supervisor.post("/api/holds", _body(camera))).json()["id"]
        assert (await supervisor.post(f"/api/holds/{hold}/release", CLOSED)).status_code == 200
        centre.clock.advance(minutes=5)
        asked = body(camera, in_hours(1), in_hours(2), "HABITATION")
        assert (await supervisor.post("/api/interruptions/masked", asked)).status_code == 201
        kept = {"days": 7, "motif": {"code": "COMMUNE", "reference": "DEL 2026-12"}}
        assert (await administrator.post(f"/api/cameras/{camera}/retention", kept)).status_code == 201
        told = (await supervisor.get("/api/proposals")).json()["proposals"]
        assert [(one["decision"], one["mine"], one["days"]) for one in told] == [
            ("hold_release", True, None),
            ("mask", True, None),
            ("retention", False, 7),
        ]
        assert {one["camera"]["id"] for one in told} == {camera}
        confirm = f"/api/retentions/{told[2]['id']}/confirm"
        assert (await supervisor.post(confirm)).status_code == 200
    centre.clock.advance(minutes=26)
    async with centre.person("administrateur") as administrator:
        told = (await administrator.get("/api/proposals")).json()["proposals"]
        assert [(one["decision"], one["mine"]) for one in told] == [("mask", False)]


async def test_what_is_proposed_is_refused_by_another_or_taken_back(centre: Running) -> None:
    async with (
        centre.person("superviseur") as supervisor,
        centre.person("administrateur") as administrator,
        ChannelServer(centre.centre.settings.paths.recorder_socket, Peer(centre).answer),
    ):
        camera = await _camera(supervisor)
        kept = {"days": 7, "motif": {"code": "COMMUNE", "reference": "DEL 2026-12"}}
        retention = (await supervisor.post(f"/api/cameras/{camera}/retention", kept)).json()["id"]
        assert await closed(administrator, retention, {"reason": "AB-123-CD"}) == (422, "PLATE_FORBIDDEN")
        assert await closed(administrator, retention) == (200, None)
        assert await closed(administrator, retention) == (409, "NO_PROPOSAL")
        confirm = await administrator.post(f"/api/retentions/{retention}/confirm")
        assert (confirm.status_code, confirm.json()["code"]) == (409, "NO_PROPOSAL")
        again = await supervisor.post(f"/api/cameras/{camera}/retention", kept)
        assert again.status_code == 201, again.text
        assert await closed(supervisor, again.json()["id"]) == (200, None)

        hold = (await supervisor.post("/api/holds", _body(camera))).json()["id"]
        assert (await supervisor.post(f"/api/holds/{hold}/release", CLOSED)).status_code == 200
        (release,) = (await administrator.get("/api/proposals")).json()["proposals"]
        assert await closed(administrator, release["id"]) == (200, None)
        (told,) = (await supervisor.get("/api/holds")).json()["holds"]
        assert (told["released_at"], told["release_proposed_at"]) == (None, None)
        late = await supervisor.post(f"/api/cameras/{camera}/retention", kept)
        centre.clock.advance(minutes=30)
    async with centre.person("administrateur") as administrator:
        assert await closed(administrator, late.json()["id"]) == (409, "PROPOSAL_EXPIRED")
    codes = [row[1] for row in await journalled(centre, "proposal:close")]
    assert codes == ["PLATE_FORBIDDEN", None, "NO_PROPOSAL", None, None, "PROPOSAL_EXPIRED"]
    # That something is held is secret: the entry says of no camera of which commune.
    async with centre.centre.store.transaction(None) as connection:
        statement = text("SELECT camera, commune FROM journal WHERE op = 'proposal:close' AND detail LIKE '%hold_rel%'")
        assert [tuple(row) for row in await connection.execute(statement)] == [(None, None)]


async def test_a_mask_is_refused_by_supervisors_only(centre: Running) -> None:
    async with supervisors(centre) as (first, second), centre.person("administrateur") as administrator:
        camera = await _camera(first)
        asked = body(camera, in_hours(0), in_hours(2), "HABITATION")
        made = (await first.post("/api/interruptions/masked", asked)).json()
        (waiting,) = (await administrator.get("/api/proposals")).json()["proposals"]
        assert (waiting["mine"], waiting["may_decide"]) == (False, False)
        assert await closed(administrator, waiting["id"]) == (403, "REGIME_ROLE_FORBIDDEN")
        assert await closed(second, waiting["id"]) == (200, None)
        (told,) = (await first.get("/api/interruptions")).json()["interruptions"]
        assert (told["id"], told["state"], told["pending"]) == (made["id"], "withdrawn", None)
        confirm = await second.post(f"/api/interruptions/{made['id']}/confirm")
        assert (confirm.status_code, confirm.json()["code"]) == (409, "NO_PROPOSAL")


async def closed(person: Browser, proposal: str, asked: dict[str, str] | None = None) -> tuple[int, str | None]:
    answer = await person.post(f"/api/proposals/{proposal}/close", asked or {"reason": "Conseil à consulter"})
    return answer.status_code, answer.json().get("code")


def _retention(days: int) -> dict[str, Any]:
    return {"days": days, "motif": {"code": "COMMUNE", "reference": "DEL 2026-12"}}


@pytest.mark.parametrize("way", ["create", "reset"])
async def test_one_person_with_two_accounts_decides_nothing(centre: Running, way: str) -> None:
    """Who makes an account, or gives it a password, can open it: for a day its word is the giver's own."""
    async with centre.person("administrateur") as administrator:
        if way == "create":
            account = {"login": "adjoint", "name": "Adjoint", "role": "supervisor", "category": "PM"}
            made = (await administrator.post("/api/accounts", account)).json()
        else:
            accounts = (await administrator.get("/api/accounts")).json()["accounts"]
            known = next(one["id"] for one in accounts if one["login"] == "superviseur")
            made = (await administrator.post(f"/api/accounts/{known}/password")).json()
        camera = await _camera(administrator)
        asked = await administrator.post(f"/api/cameras/{camera}/retention", _retention(7))
        async with centre.browser() as other:
            assert (await other.log_in(made["login"], password=made["password"])).status_code == 200
            confirmed = await other.post(f"/api/retentions/{asked.json()['id']}/confirm")
            assert (confirmed.status_code, confirmed.json()["code"]) == (409, "SECOND_PERSON_REQUIRED")
            assert "mot de passe" in confirmed.json()["reason"]
            closed = await other.post(f"/api/proposals/{asked.json()['id']}/close", {"reason": "à refaire"})
            assert closed.status_code == 200
            asked = await other.post(f"/api/cameras/{camera}/retention", _retention(8))
            confirmed = await administrator.post(f"/api/retentions/{asked.json()['id']}/confirm")
            assert (confirmed.status_code, confirmed.json()["code"]) == (409, "SECOND_PERSON_REQUIRED")
    codes = [row[1] for row in await journalled(centre, "retention:confirm")]
    assert codes == ["SECOND_PERSON_REQUIRED"] * 2
    centre.clock.advance(days=1)
    async with centre.person("administrateur") as administrator, centre.browser() as other:
        assert (await other.log_in(made["login"], password=made["password"])).status_code == 200
        asked = await administrator.post(f"/api/cameras/{camera}/retention", _retention(7))
        assert (await other.post(f"/api/retentions/{asked.json()['id']}/confirm")).status_code == 200


async def test_one_person_who_made_two_accounts_decides_nothing_with_them(centre: Running) -> None:
    """Neither gave the other a password: who made both knows both."""
    made = []
    async with centre.person("administrateur") as administrator:
        for name in ("Ardent", "Brunet"):
            account = {"login": name.lower(), "name": name, "role": "supervisor", "category": "PM"}
            made.append((await administrator.post("/api/accounts", account)).json())
        camera = await _camera(administrator)
    async with centre.browser() as one, centre.browser() as other:
        for person, account in zip((one, other), made, strict=True):
            assert (await person.log_in(account["login"], password=account["password"])).status_code == 200
        asked = await one.post(f"/api/cameras/{camera}/retention", _retention(7))
        confirmed = await other.post(f"/api/retentions/{asked.json()['id']}/confirm")
        assert (confirmed.status_code, confirmed.json()["code"]) == (409, "SECOND_PERSON_REQUIRED")
        async with centre.person("superviseur") as supervisor:
            assert (await supervisor.post(f"/api/retentions/{asked.json()['id']}/confirm")).status_code == 200
    codes = [row[1] for row in await journalled(centre, "retention:confirm")]
    assert sorted(codes, key=str) == [None, "SECOND_PERSON_REQUIRED"]


@pytest.mark.parametrize("loses", ["role", "time"])
async def test_what_somebody_proposed_who_may_no_longer_is_confirmed_by_nobody(
    centre: Running, superuser: str, loses: str
) -> None:
    async with centre.person("superviseur") as supervisor, centre.person("administrateur") as administrator:
        account = supervisor.account["id"]
        if loses == "time":
            leaving = {"days": 1, "reason": "mutation"}
            assert (await administrator.post(f"/api/persons/{account}/leave", leaving)).status_code == 200
            centre.clock.advance(hours=23, minutes=50)
    async with centre.person("superviseur") as supervisor, centre.person("administrateur") as administrator:
        camera = await _camera(supervisor)
        asked = await supervisor.post(f"/api/cameras/{camera}/retention", _retention(7))
        assert asked.status_code == 201, asked.text
        if loses == "time":
            centre.clock.advance(minutes=10)
        else:
            with psycopg.connect(superuser) as connection:
                connection.execute("UPDATE account SET role = 'operator' WHERE login = 'superviseur'")
        confirmed = await administrator.post(f"/api/retentions/{asked.json()['id']}/confirm")
        assert (confirmed.status_code, confirmed.json()["code"]) == (409, "NO_PROPOSAL")
        kept = (await administrator.get("/api/retentions")).json()["retentions"]
        assert {one["kept"] for one in kept} == {15}
    assert [row[1] for row in await journalled(centre, "retention:confirm")] == ["NO_PROPOSAL"]


async def test_confirmed_by_two_at_once_it_is_done_once(centre: Running) -> None:
    async with (
        supervisors(centre) as (first, second),
        centre.person("administrateur") as administrator,
    ):
        camera = await _camera(first)
        asked = (await first.post(f"/api/cameras/{camera}/retention", _retention(7))).json()["id"]
        centre.clock.advance(minutes=1)
        confirm = f"/api/retentions/{asked}/confirm"
        answers = await asyncio.gather(*(person.post(confirm) for person in (second, administrator) for _ in range(3)))
        assert sorted(answer.status_code for answer in answers) == [200, *[409] * 5]
        assert {answer.json()["code"] for answer in answers if answer.status_code == 409} <= {
            "CONFLICT",
            "ALREADY_DONE",
        }
    done = [row[1] for row in await journalled(centre, "retention:confirm")]
    assert (done.count(None), len(done)) == (1, 6)


async def test_each_step_of_a_proposal_makes_consoles_look_again(centre: Running) -> None:
    """What is told is that something changed, once it is in the database; a refused step changes nothing."""
    url = centre.centre.settings.valkey.url.get_secret_value()
    async with supervisors(centre) as (first, second), client(url) as valkey, valkey.pubsub() as told:
        await told.subscribe("csu:hints")
        camera = await _camera(first)
        kept = {"days": 7, "motif": {"code": "COMMUNE", "reference": "DEL 2026-12"}}
        asked = await first.post(f"/api/cameras/{camera}/retention", kept)
        path = f"/api/retentions/{asked.json()['id']}/confirm"
        assert (await first.post(path)).json()["code"] == "SECOND_PERSON_REQUIRED"
        assert (await second.post(path)).status_code == 200
        again = await first.post(f"/api/cameras/{camera}/retention", {**kept, "days": 6})
        closed = await second.post(f"/api/proposals/{again.json()['id']}/close", {"reason": "Conseil à consulter"})
        assert closed.status_code == 200
        await valkey.publish("csu:hints", "the end")
        heard = []
        async for message in told.listen():
            if message["data"] == "the end":
                break
            if message["type"] == "message":
                heard.append(message["data"])
    assert heard == ["proposals"] * 4
