"""Cameras and tickets over HTTP: who gets what, what the journal keeps, what a foreign identifier learns."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from centre_support import START, Browser, Running

from csu import keys
from csu.tickets import verify

ANYBODY = "00000000-0000-4000-8000-000000000000"


async def cameras_of(person: Browser) -> dict[str, dict[str, Any]]:
    answer = await person.get("/api/cameras")
    assert answer.status_code == 200, answer.text
    return {camera["number"]: camera for camera in answer.json()["cameras"]}


def live(camera: object, stream: str = "main") -> dict[str, object]:
    return {"camera": camera, "act": "live", "stream": stream}


def replay(camera: object, **changes: object) -> dict[str, object]:
    return {
        "camera": camera,
        "act": "replay",
        "from": "2026-11-23T14:00:00Z",
        "to": "2026-11-23T14:10:00Z",
        "motif": {"code": "INTERVENTION", "reference": "2026-001234"},
        **changes,
    }


class TestInventory:
    async def test_lent_staff_see_the_third_commune_and_why_it_is_closed(self, centre: Running) -> None:
        async with centre.person("operateur") as operator:
            cameras = await cameras_of(operator)
        assert list(cameras) == ["01", "02", "03"]
        assert cameras["01"]["live"] == {"allowed": True, "code": None, "reason": None}
        assert cameras["03"]["live"]["code"] == cameras["03"]["replay"]["code"] == "CONVENTION_MISSING"
        assert "Les Andelys" in cameras["03"]["live"]["reason"]
        assert cameras["01"]["commune"] == {"insee": "27229", "name": "Évreux"}
        assert cameras["01"]["streams"] == ["main", "sub"]
        assert cameras["01"]["state"] == "unknown"

    async def test_a_communes_people_see_their_commune_only(self, centre: Running) -> None:
        async with centre.person("vernon") as agent:
            assert list(await cameras_of(agent)) == ["02"]
        async with centre.person("delegue") as delegate:
            assert list(await cameras_of(delegate)) == ["01"]

    @pytest.mark.parametrize("login", ["auditeur", "administrateur"])
    async def test_no_pictures_by_status(self, centre: Running, login: str) -> None:
        async with centre.person(login) as person:
            cameras = await cameras_of(person)
            assert len(cameras) == 3
            assert {camera["live"]["code"] for camera in cameras.values()} == {"REGIME_ROLE_FORBIDDEN"}
            (result,) = await person.tickets(live(cameras["01"]["id"]))
            assert result["refused"]["code"] == "REGIME_ROLE_FORBIDDEN"

    async def test_without_a_shift_motif_live_pictures_wait_for_one(self, centre: Running) -> None:
        async with centre.person("operateur", None) as operator:
            cameras = await cameras_of(operator)
            assert cameras["01"]["live"]["code"] == "MOTIF_REQUIRED"
            assert cameras["01"]["replay"]["allowed"] is True

    async def test_no_address_and_no_secret_leaves(self, centre: Running) -> None:
        async with centre.person("administrateur") as administrator:
            for path in ("/api/cameras", "/api/territory", "/api/accounts"):
                text = (await administrator.get(path)).text
                assert "rtsp:" not in text
                assert "camera-secret" not in text
                assert "argon2" not in text


class TestTickets:
    async def test_a_wall_in_one_request(self, centre: Running) -> None:
        async with centre.person("operateur") as operator:
            cameras = await cameras_of(operator)
            results = await operator.tickets(*(live(cameras[n]["id"], "sub") for n in ("01", "02", "03")))
            assert [sorted(result) for result in results[:2]] == [["camera", "not_after", "redeem_by", "ticket"]] * 2
            assert results[2]["refused"]["code"] == "CONVENTION_MISSING"
            assert results[2]["refused"]["source"] == "CSI L.132-14 IV"
            public = keys.load_public(centre.centre.settings.paths.keys, "ticket")
            ticket = verify(results[0]["ticket"], public, START)
            assert (ticket.act, ticket.streams, ticket.motif_code) == ("live", ("sub",), "SECURITE")
            assert ticket.not_after_at == START + timedelta(hours=12)
            assert ticket.actor == operator.account["id"]
        entries = [entry for entry in await centre.journal() if entry["op"] == "picture:live"]
        assert sorted((entry["camera_name"], entry["result"]) for entry in entries) == [
            ("01 Place", "done"),
            ("02 Place", "done"),
            ("03 Place", "refused"),
        ]
        assert {entry["authority"] for entry in entries} == {"Maire Évreux", "Maire Vernon", "Maire Les Andelys"}
        assert {entry["quality"] for entry in entries} == {"opérateur, agent civil agréé"}

    async def test_a_replay_carries_its_motif_and_interval(self, centre: Running) -> None:
        async with centre.person("operateur") as operator:
            camera = (await cameras_of(operator))["01"]["id"]
            (result,) = await operator.tickets(replay(camera))
        public = keys.load_public(centre.centre.settings.paths.keys, "ticket")
        ticket = verify(result["ticket"], public, START)
        assert (ticket.motif_code, ticket.motif_reference) == ("INTERVENTION", "2026-001234")
        assert ticket.from_at is not None
        assert ticket.to_at is not None
        assert ticket.to_at - ticket.from_at == timedelta(minutes=10)
        (entry,) = (entry for entry in await centre.journal() if entry["op"] == "picture:replay")
        assert (entry["motif"], entry["motif_reference"]) == ("Intervention en cours ou récente", "2026-001234")
        assert datetime.fromisoformat(entry["from"]) == ticket.from_at

    async def test_the_future_is_not_replayed(self, centre: Running) -> None:
        async with centre.person("operateur") as operator:
            camera = (await cameras_of(operator))["01"]["id"]
            cut, late = await operator.tickets(
                replay(camera, to="2026-11-23T15:00:00Z"),
                replay(camera, **{"from": "2026-11-23T15:00:00Z", "to": "2026-11-23T16:00:00Z"}),
            )
        public = keys.load_public(centre.centre.settings.paths.keys, "ticket")
        assert verify(cut["ticket"], public, START).to_at == START
        assert late["refused"]["code"] == "INVALID"

    async def test_a_replay_is_of_a_day_at_most(self, centre: Running) -> None:
        async with centre.person("operateur") as operator:
            camera = (await cameras_of(operator))["01"]["id"]
            day, longer = await operator.tickets(
                replay(camera, **{"from": "2026-11-22T14:10:00Z"}), replay(camera, **{"from": "2026-11-22T14:09:59Z"})
            )
        assert "ticket" in day
        assert longer["refused"]["code"] == "INVALID"

    @pytest.mark.parametrize(
        ("motif", "code"),
        [
            (None, "MOTIF_REQUIRED"),
            ({"code": "INTERVENTION"}, "MOTIF_REQUIRED"),
            ({"code": "?"}, "MOTIF_REQUIRED"),
            ({"code": "INTERVENTION", "reference": "Dupont 12"}, "REFERENCE_REFUSED"),
            ({"code": "INTERVENTION", "reference": "AB-123-CD"}, "PLATE_FORBIDDEN"),
        ],
    )
    async def test_a_replay_needs_a_motif_with_a_lawful_reference(
        self, centre: Running, motif: object, code: str
    ) -> None:
        async with centre.person("operateur") as operator:
            cameras = await cameras_of(operator)
            own, lent = await operator.tickets(*(replay(cameras[number]["id"], motif=motif) for number in ("01", "03")))
            assert own["refused"]["code"] == code
            assert lent["refused"]["code"] == "CONVENTION_MISSING"
        # A name or a plate does not enter the journal, also where the request is refused for something else.
        written = str(await centre.journal())
        assert "AB-123" not in written
        assert "Dupont" not in written

    async def test_foreign_and_made_up_cameras_are_told_apart_by_nothing_but_the_journal(self, centre: Running) -> None:
        async with centre.person("superviseur") as supervisor:
            foreign = (await cameras_of(supervisor))["01"]["id"]
        async with centre.person("vernon") as agent:
            theirs, none = await agent.tickets(live(foreign), live(ANYBODY))
            assert theirs["refused"] == none["refused"]
            assert theirs["refused"]["code"] == "UNKNOWN_CAMERA"
            period = {"from": "2026-11-23T14:00:00Z", "to": "2026-11-23T14:10:00Z"}
            answers = [await agent.get(f"/api/cameras/{camera}/timeline", **period) for camera in (foreign, ANYBODY)]
            assert [answer.status_code for answer in answers] == [404, 404]
            assert answers[0].json() == answers[1].json()
            assert answers[0].headers["content-length"] == answers[1].headers["content-length"]
        refusals = {(e["op"], e["code"]) for e in await centre.journal() if e["result"] == "refused"}
        assert refusals == {
            ("picture:live", "OUT_OF_COMMUNE"),
            ("picture:live", "UNKNOWN_CAMERA"),
            ("timeline:read", "OUT_OF_COMMUNE"),
            ("timeline:read", "UNKNOWN_CAMERA"),
        }

    async def test_expired_authorisation(self, centre: Running, superuser: str) -> None:
        async with await psycopg.AsyncConnection.connect(superuser) as connection:
            await connection.execute("UPDATE authorisation SET to_at = %s", (START,))
        async with centre.person("operateur") as operator:
            camera = (await cameras_of(operator))["01"]
            assert camera["live"]["code"] == "AUTH_EXPIRED"
            (result,) = await operator.tickets(live(camera["id"]))
            assert result["refused"]["code"] == "AUTH_EXPIRED"

    @pytest.mark.parametrize(
        "request_",
        [
            {},
            {"requests": []},
            {"requests": [{}]},
            {"requests": [{"camera": 12, "act": "live", "stream": "main"}]},
            {"requests": [{"camera": "x", "act": "live", "stream": "main"}]},
            {"requests": [{"camera": ANYBODY, "act": "live", "stream": "audio"}]},
            {"requests": [{"camera": ANYBODY, "act": "export"}]},
            {"requests": [{"camera": ANYBODY, "act": "live", "stream": "main", "extra": 1}]},
            {"requests": [{"camera": ANYBODY, "act": "replay", "from": "yesterday", "to": "today"}]},
            {"requests": [{"camera": ANYBODY, "act": "replay", "from": "2026-11-23T14:00:00", "to": None}]},
            {"requests": [{"camera": ANYBODY, "act": "live", "stream": "main"}] * 65},
            [],
            "text",
            None,
        ],
    )
    async def test_wrong_types_are_refused_without_telling_our_insides(self, centre: Running, request_: object) -> None:
        async with centre.person("operateur") as operator:
            answer = await operator.post("/api/tickets", request_)
            assert answer.status_code == 422
            assert answer.json()["code"] == "INVALID"
            assert set(answer.json()) == {"code", "reason"}
            assert "pydantic" not in answer.text


class TestTimeline:
    async def test_without_a_recorder_the_timeline_says_so(self, centre: Running) -> None:
        async with centre.person("operateur") as operator:
            camera = (await cameras_of(operator))["03"]["id"]
            period = {"from": "2026-11-23T14:00:00Z", "to": "2026-11-23T14:10:00Z"}
            answer = await operator.get(f"/api/cameras/{camera}/timeline", **period)
            assert answer.status_code == 503
            assert answer.json()["code"] == "RECORDER_UNREACHABLE"

    @pytest.mark.parametrize(
        "period",
        [
            {},
            {"from": "2026-11-23T14:00:00Z"},
            {"from": "2026-11-23T14:00:00Z", "to": "2026-11-23T14:00:00Z"},
            {"from": "2026-01-01T00:00:00Z", "to": "2026-11-23T14:00:00Z"},
            {"from": "2026-11-23T14:00:00", "to": "2026-11-23T15:00:00"},
        ],
    )
    async def test_a_wrong_period_is_refused(self, centre: Running, period: dict[str, str]) -> None:
        async with centre.person("operateur") as operator:
            answer = await operator.get(f"/api/cameras/{uuid4()}/timeline", **period)
            assert (answer.status_code, answer.json()["code"]) == (422, "INVALID")
