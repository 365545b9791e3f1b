"""Pictures opened to services of the State: rows 44 and 45 through the real routes, and cut on a real gateway."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from centre_support import START, Browser, Running, load_territory, territory, with_forces
from gateway_centre import Browser as Screen
from gateway_centre import Camera
from real_gateway import real_gateway
from test_territory import import_again

from csu.links.gateway_link import Renewer
from csu.loop import repeat
from csu.territory.clock import DeadlineKeeper
from csu.territory.document import DocumentError
from legal.authorisations import start_of
from streams.ticks import us_from_at

MOTIF = {"motif": {"code": "ARRETE", "reference": "2026-119"}}
FIRST, LAST = "2026-11-23", "2027-11-23"


@dataclass
class State:
    """The centre with a gendarme and a firefighter, both habilitated by their chiefs, and a supervisor at work."""

    centre: Running
    supervisor: Browser
    accounts: dict[str, str]
    cameras: dict[str, str]

    def body(self, *logins: str, **changes: Any) -> dict[str, Any]:
        """What an arrêté opens to them."""
        told: dict[str, Any] = {"commune": "27229", "reference": "27-2026-0417", "rights": ["live"]}
        told |= {"persons": [self.accounts[login] for login in logins or ("gendarme",)], "recipient_days": 30}
        return told | {"from": FIRST, "to": LAST} | MOTIF | changes

    async def enter(self, *logins: str, **changes: Any) -> dict[str, Any]:
        """A déport as it is listed."""
        answer = await self.supervisor.post("/api/deports", self.body(*logins, **changes))
        assert answer.status_code == 201, answer.text
        return (await self.listed())[0]

    async def refused(self, *logins: str, **changes: Any) -> tuple[int, str]:
        answer = await self.supervisor.post("/api/deports", self.body(*logins, **changes))
        return answer.status_code, answer.json().get("code", "")

    async def change(self, deport: dict[str, Any], verb: str) -> None:
        answer = await self.supervisor.post(f"/api/deports/{deport['id']}/{verb}", MOTIF)
        assert answer.status_code == 200, answer.text

    async def listed(self) -> list[dict[str, Any]]:
        told: list[dict[str, Any]] = (await self.supervisor.get("/api/deports")).json()["deports"]
        return told

    async def code(self, person: Browser, number: str = "01", act: str = "live") -> str | None:
        """Why a person's request is refused, None when it is not."""
        asked: dict[str, Any] = {"camera": self.cameras[number], "act": act}
        if act == "live":
            asked["stream"] = "main"
        else:
            past = {"from": (START - timedelta(minutes=9)).isoformat(), "to": START.isoformat()}
            asked |= past | {"motif": {"code": "INTERVENTION", "reference": "2026-1"}}
        (result,) = await person.tickets(asked)
        return None if "ticket" in result else str(result["refused"]["code"])


@pytest.fixture
async def state(centre: Running) -> AsyncIterator[State]:
    await load_territory(centre.centre.store, centre.centre.settings.data, with_forces())
    async with centre.person("superviseur") as supervisor:
        known = (await supervisor.get("/api/persons")).json()["persons"]
        seen = (await supervisor.get("/api/cameras")).json()["cameras"]
        yield State(
            centre,
            supervisor,
            {one["login"]: one["id"] for one in known},
            {one["number"]: one["id"] for one in seen},
        )


class TestOpened:
    async def test_row_44_an_arrete_opens_live_pictures_to_whom_it_names(self, state: State) -> None:
        async with state.centre.person("gendarme") as named, state.centre.person("pompier") as other:
            assert await state.code(named) == "DEPORT_NO_ARRETE"
            deport = await state.enter(cameras=[state.cameras["01"]])
            assert await state.code(named) is None
            assert await state.code(other) == "DEPORT_NO_ARRETE"
            assert await state.code(named, act="replay") == "DEPORT_MODE"
            shown = (await named.get("/api/cameras")).json()["cameras"]
            assert [(one["number"], one["live"]["allowed"], one["replay"]["code"]) for one in shown] == [
                ("01", True, "DEPORT_MODE")
            ]
        assert (deport["reference"], deport["rights"], deport["recipient_days"]) == ("27-2026-0417", ["live"], 30)
        assert [one["login"] for one in deport["persons"]] == ["gendarme"]
        assert [one["number"] for one in deport["cameras"]] == ["01"]
        entry = next(one for one in await state.centre.journal() if one["op"] == "deport:enter")
        assert (entry["about"], entry["motif_reference"]) == ("27-2026-0417", "2026-119")
        assert (entry["op_class"], entry["commune"], entry["author"]) == ("modification", "27229", "Superviseur")

    async def test_row_44_it_opens_what_it_says_from_its_day_to_its_day(self, state: State) -> None:
        deport = await state.enter(rights=["live", "replay"], **{"from": "2026-11-24", "to": "2026-11-25"})
        assert deport["cameras"] is None
        codes = []
        for _ in range(3):
            async with state.centre.person("gendarme") as named:
                codes.append((await state.code(named), await state.code(named, act="replay")))
            state.centre.clock.advance(days=1)
        assert codes == [("DEPORT_NO_ARRETE",) * 2, (None, None), ("DEPORT_NO_ARRETE",) * 2]

    async def test_row_44_suspended_resumed_and_ended_each_with_a_motif(self, state: State) -> None:
        deport = await state.enter()
        async with state.centre.person("gendarme") as named:
            codes, said = [], []
            for verb in ("suspend", "suspend", "resume", "resume", "end", "end"):
                state.centre.clock.advance(minutes=1)
                said.append((await state.supervisor.post(f"/api/deports/{deport['id']}/{verb}", MOTIF)).json())
                codes.append(await state.code(named))
        assert codes == ["DEPORT_NO_ARRETE", "DEPORT_NO_ARRETE", None, None, *["DEPORT_NO_ARRETE"] * 2]
        assert [one.get("code") for one in said] == [None, "ALREADY_DONE"] * 3
        (after,) = await state.listed()
        assert datetime.fromisoformat(after["to"]) == START + timedelta(minutes=5)
        for verb in ("suspend", "resume", "end"):
            for body in ({}, {"motif": {"code": "ARRETE"}}, {"motif": {"code": "SECURITE", "reference": "2026-1"}}):
                answer = await state.supervisor.post(f"/api/deports/{deport['id']}/{verb}", body)
                assert (answer.status_code, answer.json()["code"]) == (422, "MOTIF_REQUIRED")
        done = [e for e in await state.centre.journal() if e["op"].startswith("deport:") and e["result"] == "done"]
        assert [e["op"] for e in done] == ["deport:end", "deport:resume", "deport:suspend", "deport:enter"]
        assert {e["motif_reference"] for e in done} == {"2026-119"}
        assert {e["about"] for e in done} == {"27-2026-0417"}

    async def test_row_46_a_gendarmes_right_is_told_by_the_deport_of_the_time(self, state: State) -> None:
        deport = await state.enter(cameras=[state.cameras["01"]])
        state.centre.clock.advance(minutes=5)
        await state.change(deport, "suspend")
        state.centre.clock.advance(minutes=5)
        path = f"/api/persons/{state.accounts['gendarme']}/habilitation"
        said = {}
        for minute in (1, 6):
            at = (START + timedelta(minutes=minute)).isoformat()
            answer = await state.supervisor.get(path, camera=state.cameras["01"], at=at)
            assert answer.status_code == 200, answer.text
            said[minute] = answer.json()["answer"]
        assert (said[1]["habilite"], said[1]["rights"]["replay"]["code"]) == (True, "DEPORT_MODE")
        assert (said[6]["habilite"], said[6]["rights"]["live"]["code"]) == (False, "DEPORT_NO_ARRETE")
        assert [(one["reference"], one["suspended_at"] is None) for one in said[1]["deports"]] == [
            ("27-2026-0417", True)
        ]
        assert [one["suspended_at"] is None for one in said[6]["deports"]] == [False]
        assert [one["key"] for one in said[1]["facts"] if one["fact"] == "deport"] == [deport["id"]]

    async def test_its_end_is_told_sixty_days_before_unless_another_follows(self, state: State) -> None:
        keeper, clock = DeadlineKeeper(state.centre.centre), state.centre.clock

        async def told() -> list[str]:
            await keeper.run_once()
            async with state.centre.person("superviseur") as supervisor:
                alarms = (await supervisor.get("/api/alarms")).json()["alarms"]
            return sorted(one["message"] for one in alarms if one["code"] == "DEPORT_ENDING" and one["ended"] is None)

        ends, follows = {"from": FIRST, "to": "2027-02-01"}, {"from": "2027-02-01", "to": "2027-06-01"}
        await state.enter(**ends)
        await state.enter(commune="27681", **ends)
        # One that opens a camera of the commune alone, and one for somebody else, don't stand for what ends.
        await state.enter(commune="27681", cameras=[state.cameras["02"]], **follows)
        await state.enter("pompier", **follows)
        clock.at = start_of(date(2027, 2, 1)) - timedelta(days=60, microseconds=1)
        assert await told() == []
        clock.advance(seconds=1)
        words = "Déport 27-2026-0417 ({}) : l'arrêté vaut jusqu'au 31/01/2027 inclus."
        assert await told() == [words.format("Vernon"), words.format("Évreux")]
        async with state.centre.person("superviseur") as state.supervisor:
            await state.enter("gendarme", **follows)
        assert await told() == [words.format("Vernon")]
        clock.at = start_of(date(2027, 2, 1))
        assert await told() == []

    async def test_the_delegate_reads_those_of_the_own_commune(self, state: State) -> None:
        await state.enter()
        await state.enter(commune="27681")
        async with state.centre.person("delegue") as delegate:
            told = (await delegate.get("/api/deports")).json()["deports"]
            assert [one["commune"]["insee"] for one in told] == ["27229"]
        assert len(await state.listed()) == 2


class TestRefused:
    async def test_row_44_without_arrete_agent_or_mode(self, state: State) -> None:
        assert await state.refused(reference=" ") == (403, "DEPORT_NO_ARRETE")
        assert await state.refused(persons=[]) == (403, "NOT_HABILITE")
        assert await state.refused(rights=[]) == (403, "DEPORT_MODE")
        assert await state.listed() == []
        refused = [e for e in await state.centre.journal() if e["op"] == "deport:enter"]
        assert {e["code"] for e in refused} == {"DEPORT_MODE", "NOT_HABILITE", "DEPORT_NO_ARRETE"}

    async def test_row_45_the_recipient_keeps_it_for_a_month_at_most(self, state: State) -> None:
        assert await state.refused(recipient_days=60) == (403, "RETENTION_TOO_LONG")
        assert await state.refused(recipient_days=32) == (403, "RETENTION_TOO_LONG")
        assert await state.refused(recipient_days=31) == (201, "")

    async def test_without_a_motif(self, state: State) -> None:
        for motif in (None, {"code": "ARRETE"}):
            assert await state.refused(motif=motif) == (422, "MOTIF_REQUIRED")
        assert await state.refused(motif={"code": "ARRETE", "reference": "AB-123-CD"}) == (422, "PLATE_FORBIDDEN")
        assert await state.refused(reference="Arrêté AB-123-CD") == (422, "PLATE_FORBIDDEN")
        assert await state.listed() == []

    async def test_somebody_who_is_unknown_or_no_agent_of_the_state(self, state: State) -> None:
        assert await state.refused(persons=[str(uuid4())]) == (404, "NOT_FOUND")
        assert await state.refused("gendarme", "operateur") == (409, "REGIME_ROLE_FORBIDDEN")
        assert await state.refused("superviseur") == (422, "SECOND_PERSON_REQUIRED")

    async def test_a_camera_or_a_commune_that_is_not_there(self, state: State) -> None:
        for camera in (state.cameras["02"], str(uuid4())):
            assert await state.refused(cameras=[state.cameras["01"], camera]) == (409, "OUT_OF_COMMUNE")
        assert await state.refused(commune="27056") == (404, "NOT_FOUND")
        assert await state.listed() == []

    async def test_dates_that_are_over_or_overlap(self, state: State) -> None:
        assert await state.refused(**{"from": "2025-01-01", "to": "2026-01-01"}) == (409, "OUT_OF_DATES")
        await state.enter(cameras=[state.cameras["01"]])
        assert await state.refused("pompier", "gendarme") == (409, "DEPORT_OVERLAP")
        assert await state.refused(rights=["replay"], **{"from": "2027-11-22", "to": "2028-01-01"}) == (
            409,
            "DEPORT_OVERLAP",
        )
        assert await state.refused(**{"from": LAST, "to": "2028-01-01"}) == (201, "")
        assert await state.refused("pompier") == (201, "")

    async def test_two_entered_at_once_leave_one(self, state: State) -> None:
        answers = await asyncio.gather(*(state.refused() for _ in range(4)))
        assert sorted(answers) == [(201, "")] + [(409, "DEPORT_OVERLAP")] * 3
        assert len(await state.listed()) == 1

    async def test_by_an_operator_or_a_delegate(self, state: State) -> None:
        for login in ("operateur", "delegue", "auditeur", "gendarme"):
            async with state.centre.person(login) as person:
                answer = await person.post("/api/deports", state.body())
                assert (answer.status_code, answer.json()["code"]) == (403, "REGIME_ROLE_FORBIDDEN")


class TestImport:
    async def test_a_document_opens_it_once(self, state: State) -> None:
        content = territory() | {"deport": [document()]}
        assert await import_again(state.centre, content) == 1
        assert await import_again(state.centre, content) == 0
        (deport,) = await state.listed()
        assert ([one["login"] for one in deport["persons"]], deport["cameras"]) == (["gendarme"], None)
        content["deport"] = [document(rights=["live", "replay"])]
        assert await import_again(state.centre, content) == 1
        await state.change(deport, "end")
        state.centre.clock.advance(minutes=1)
        assert await import_again(state.centre, content) == 0
        assert (await state.listed())[0]["to"] == START.isoformat().replace("+00:00", "Z")

    @pytest.mark.parametrize(
        ("changes", "expected"),
        [
            ({"reference": " "}, "DEPORT_NO_ARRETE"),
            ({"rights": []}, "DEPORT_MODE"),
            ({"recipient_days": 60}, "RETENTION_TOO_LONG"),
            ({"persons": ["operateur"]}, "REGIME_ROLE_FORBIDDEN"),
            ({"persons": ["nobody"]}, "unknown nobody"),
            ({"cameras": ["02"]}, "OUT_OF_COMMUNE"),
            ({"cameras": ["99"]}, "unknown 99"),
        ],
    )
    async def test_rows_44_and_45_an_unlawful_document_writes_nothing(
        self, state: State, changes: dict[str, Any], expected: str
    ) -> None:
        with pytest.raises(DocumentError, match=expected):
            await import_again(state.centre, territory() | {"deport": [document(**changes)]})
        assert await state.listed() == []


def document(**changes: Any) -> dict[str, Any]:
    """A déport as `csu import` reads it."""
    told = {"commune": "27229", "reference": "27-2026-0417", "persons": ["gendarme"], "rights": ["live"]}
    return told | {"recipient_days": 30, "from": FIRST, "to": LAST} | changes


# --- on a real gateway
# ----------------------------------------------------------------------------------------


@asynccontextmanager
async def watching(state: State, person: Browser) -> AsyncIterator[Screen]:
    """A person's screen on which pictures of camera 01 move, and the centre that decides again by itself."""
    centre = state.centre.centre
    async with real_gateway(centre, state.centre.clock) as pictures:
        renewer = Renewer(centre, pictures.channel)
        turns = asyncio.create_task(repeat("open pictures", renewer.run_once, 2.0, centre.renewer_wake))
        try:
            camera = Camera(pictures.feeds.stream(state.cameras["01"], "main"))
            camera.began_us = us_from_at(state.centre.clock.at)
            (result,) = await person.tickets({"camera": state.cameras["01"], "act": "live", "stream": "main"})
            camera.publish(25)
            async with pictures.screen() as screen:
                await screen.pictures(await screen.open(result["ticket"]), 20)
                yield screen
        finally:
            turns.cancel()
            await asyncio.gather(turns, return_exceptions=True)


@pytest.mark.parametrize("verb", ["suspend", "end"])
async def test_rows_8_and_44_a_deport_withdrawn_cuts_the_gendarmes_pictures(state: State, verb: str) -> None:
    deport = await state.enter()
    async with state.centre.person("gendarme") as named, watching(state, named) as screen:
        await state.change(deport, verb)
        assert (await screen.told("closed"))["code"] == "DEPORT_NO_ARRETE"
        assert await state.code(named) == "DEPORT_NO_ARRETE"
        cut = await journalled(state, "picture:cut")
    assert (cut["author"], cut["camera_name"], cut["code"]) == ("Gendarme", "01 Place", "DEPORT_NO_ARRETE")


async def journalled(state: State, op: str) -> dict[str, Any]:
    """The newest entry of an operation, once there is one: a cut's is written when the gateway has answered."""
    async with asyncio.timeout(90):
        while not (found := [e for e in await state.centre.journal() if e["op"] == op]):  # noqa: ASYNC110 - another task's
            await asyncio.sleep(0.05)
    return found[0]
