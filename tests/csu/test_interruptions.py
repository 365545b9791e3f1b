"""Announced interruptions through the API: planned by one, masked by two, and what they open and shut."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from centre_support import START, Browser, Running

from legal.interruptions import REASONS, Cause

END = {"motif": {"code": "FIN_MASQUAGE", "reference": "INT 2026-118"}}


def body(camera: str, begins: datetime, ends: datetime, reason: str) -> dict[str, Any]:
    """Of planned work, or of a masking with its motif."""
    told = {"camera": camera, "from": begins.isoformat(), "to": ends.isoformat()}
    if reason in REASONS[Cause.MASKED]:
        return told | {"motif": {"code": reason, "reference": "INT 2026-117"}}
    return told | {"reason": reason}


def in_hours(hours: float) -> datetime:
    return START + timedelta(hours=hours)


async def camera_of(person: Browser, number: str = "01") -> dict[str, Any]:
    cameras = (await person.get("/api/cameras")).json()["cameras"]
    return next(camera for camera in cameras if camera["number"] == number)


@asynccontextmanager
async def supervisors(centre: Running) -> AsyncIterator[tuple[Browser, Browser]]:
    """Two: the territory has one, the administrator adds the other."""
    async with centre.person("administrateur") as administrator:
        account = {"login": "adjoint", "name": "Adjoint", "role": "supervisor", "category": "PM"}
        made = await administrator.post("/api/accounts", account)
        assert made.status_code == 201, made.text
    async with centre.person("superviseur") as first, centre.browser() as second:
        answer = await second.log_in("adjoint", password=made.json()["password"])
        assert answer.status_code == 200, answer.text
        yield first, second


async def test_planned_is_one_persons_word_shown_and_ended_early(centre: Running) -> None:
    async with (
        centre.person("administrateur") as administrator,
        centre.person("operateur") as operator,
        centre.person("vernon") as foreign,
    ):
        camera = await camera_of(administrator)
        assert camera["interruption"] is None
        planned = body(camera["id"], in_hours(-1), in_hours(2), "RESEAU")
        made = await administrator.post("/api/interruptions/planned", planned)
        assert made.status_code == 201, made.text
        told = made.json()
        # Nothing is announced for the past.
        assert (told["state"], told["pending"], told["from"]) == ("in_force", None, "2026-11-23T14:30:00Z")
        shown = await camera_of(operator)
        assert shown["interruption"] == {"cause": "planned", "from": told["from"], "to": "2026-11-23T16:30:00Z"}
        assert shown["live"]["allowed"]
        assert (await foreign.get("/api/interruptions")).status_code == 403
        assert centre.centre.orders_wake.is_set()
        centre.clock.advance(hours=0.2)
        ended = await administrator.post(f"/api/interruptions/{told['id']}/end")
        assert (ended.status_code, ended.json()["state"]) == (200, "over")
        assert (await camera_of(operator))["interruption"] is None
        again = await administrator.post(f"/api/interruptions/{told['id']}/end")
        assert (again.status_code, again.json()["code"]) == (409, "INTERRUPTION_OVER")
    entries = [e for e in await centre.journal() if e["op"].startswith("interruption:")]
    assert {(e["op"], e["result"], e["camera"]) for e in entries} == {
        ("interruption:list", "refused", None),
        ("interruption:plan", "done", camera["id"]),
        ("interruption:end", "done", camera["id"]),
        ("interruption:end", "refused", camera["id"]),
    }


async def test_a_mask_takes_two_supervisors_and_so_does_lifting_it(centre: Running) -> None:
    async with (
        supervisors(centre) as (first, second),
        centre.person("administrateur") as administrator,
        centre.person("operateur") as operator,
    ):
        camera = (await camera_of(first))["id"]
        live = {"camera": camera, "act": "live", "stream": "main"}
        asked = body(camera, in_hours(0), in_hours(2), "HABITATION")
        refused = await administrator.post("/api/interruptions/masked", asked)
        assert (refused.status_code, refused.json()["code"]) == (403, "REGIME_ROLE_FORBIDDEN")
        made = (await first.post("/api/interruptions/masked", asked)).json()
        assert (made["state"], made["pending"]["mine"]) == ("proposed", True)
        assert "ticket" in (await operator.tickets(live))[0]
        path = f"/api/interruptions/{made['id']}"
        alone = await first.post(f"{path}/confirm")
        assert (alone.status_code, alone.json()["code"]) == (409, "SECOND_PERSON_REQUIRED")
        done = await second.post(f"{path}/confirm")
        assert (done.status_code, done.json()["state"]) == (200, "in_force")
        (denied,) = await operator.tickets(live)
        assert denied["refused"]["code"] == "MASK_LOCKED"
        assert "23/11/2026 à 17:30" in denied["refused"]["reason"]
        shown = await camera_of(operator)
        assert (shown["live"]["code"], shown["interruption"]["cause"]) == ("MASK_LOCKED", "masked")
        # Nobody lifts a mask alone, an administrator not at all.
        lifted = await administrator.post(f"{path}/end")
        assert (lifted.status_code, lifted.json()["code"]) == (403, "REGIME_ROLE_FORBIDDEN")
        for wrong in (None, {}, {"motif": {"code": "FIN_MASQUAGE"}}, {"motif": {"code": "CHAMP", "reference": "12-1"}}):
            without = await second.post(f"{path}/end", wrong)
            assert (without.status_code, without.json()["code"]) == (422, "MOTIF_REQUIRED")
        ending = await second.post(f"{path}/end", END)
        assert (ending.json()["state"], ending.json()["pending"]["step"]) == ("in_force", "end")
        twice = await first.post(f"{path}/end", END)
        assert (twice.status_code, twice.json()["code"]) == (409, "ALREADY_PROPOSED")
        assert (await second.post(f"{path}/confirm")).json()["code"] == "SECOND_PERSON_REQUIRED"
        assert (await operator.tickets(live))[0]["refused"]["code"] == "MASK_LOCKED"
        centre.clock.advance(minutes=10)
        over = await first.post(f"{path}/confirm")
        assert (over.status_code, over.json()["state"]) == (200, "over")
        assert "ticket" in (await operator.tickets(live))[0]
        # What was masked stays out of replays; what was not does not.
        for begins, ends, may in ((-10, 0, True), (-1, 5, False), (2, 5, False)):
            window = {"from": moved(begins), "to": moved(ends)}
            motif = {"code": "INTERVENTION", "reference": "2026-0117"}
            (answer,) = await operator.tickets({"camera": camera, "act": "replay", "motif": motif, **window})
            assert ("ticket" in answer) == may, answer
            assert may or answer["refused"]["code"] == "MASK_LOCKED"
    journal = await centre.journal()
    told = [(e["op"], e["motif"], e["motif_reference"]) for e in journal if e["motif_reference"] is not None]
    hidden = ("L'image montre l'intérieur ou l'entrée d'une habitation", "INT 2026-117")
    lifted_for = ("La cause du masquage a pris fin", "INT 2026-118")
    assert sorted(one for one in told if one[0].startswith("interruption:")) == [
        ("interruption:confirm", *hidden),
        ("interruption:confirm", *lifted_for),
        ("interruption:end", *lifted_for),
        ("interruption:mask", *hidden),
    ]
    steps = [e for e in journal if e["op"] in ("interruption:mask", "interruption:confirm")]
    assert {(e["op"], e["result"]) for e in steps} == {
        ("interruption:mask", "done"),
        ("interruption:mask", "refused"),
        ("interruption:confirm", "done"),
        ("interruption:confirm", "refused"),
    }


def moved(minutes: int) -> str:
    return (START + timedelta(minutes=minutes)).isoformat()


async def test_a_masking_that_nobody_confirms_in_time_never_holds(centre: Running) -> None:
    async with supervisors(centre) as (first, second):
        camera = (await camera_of(first))["id"]
        asked = body(camera, in_hours(0), in_hours(5), "CHAMP")
        late = (await first.post("/api/interruptions/masked", asked)).json()
        withdrawn = (await first.post("/api/interruptions/masked", asked)).json()
        gone = await first.post(f"/api/interruptions/{withdrawn['id']}/end")
        assert (gone.status_code, gone.json()["state"]) == (200, "withdrawn")
        confirm = await second.post(f"/api/interruptions/{withdrawn['id']}/confirm")
        assert (confirm.status_code, confirm.json()["code"]) == (409, "NO_PROPOSAL")
        centre.clock.advance(minutes=30)
    async with centre.browser() as later:
        await later.log_in("superviseur")
        expired = await later.post(f"/api/interruptions/{late['id']}/confirm")
        assert (expired.status_code, expired.json()["code"]) == (409, "PROPOSAL_EXPIRED")
        told = (await later.get("/api/interruptions")).json()["interruptions"]
        assert {one["id"]: one["state"] for one in told} == {late["id"]: "expired", withdrawn["id"]: "withdrawn"}
        assert (await camera_of(later))["interruption"] is None


@pytest.mark.parametrize(
    ("motif", "code"),
    [
        (None, "MOTIF_REQUIRED"),
        ({"code": "HABITATION"}, "MOTIF_REQUIRED"),
        ({"code": "ENTRETIEN", "reference": "2026-117"}, "MOTIF_REQUIRED"),
        ({"code": "HABITATION", "reference": "chez M. Dupont"}, "REFERENCE_REFUSED"),
        ({"code": "HABITATION", "reference": "AB-123-CD"}, "PLATE_FORBIDDEN"),
    ],
)
async def test_a_mask_has_a_coded_motif_and_a_number(centre: Running, motif: Any, code: str) -> None:
    async with centre.person("superviseur") as supervisor:
        asked = body((await camera_of(supervisor))["id"], in_hours(0), in_hours(1), "HABITATION") | {"motif": motif}
        answer = await supervisor.post("/api/interruptions/masked", asked)
        assert (answer.status_code, answer.json()["code"]) == (422, code)
        assert (await supervisor.get("/api/interruptions")).json()["interruptions"] == []
    (entry,) = [e for e in await centre.journal() if e["op"] == "interruption:mask"]
    assert (entry["result"], entry["code"], entry["motif_reference"]) == ("refused", code, None)
    assert entry["camera"] == asked["camera"]


@pytest.mark.parametrize(
    ("begins", "ends", "reason"),
    [(2, 1, "ENTRETIEN"), (-3, -1, "ENTRETIEN"), (0, 32 * 24, "ENTRETIEN"), (0, 1, "HABITATION"), (0, 1, "congés")],
)
async def test_a_wrong_announcement_is_refused(centre: Running, begins: float, ends: float, reason: str) -> None:
    async with centre.person("superviseur") as supervisor:
        camera = (await camera_of(supervisor))["id"]
        answer = await supervisor.post(
            "/api/interruptions/planned", body(camera, in_hours(begins), in_hours(ends), reason)
        )
        assert (answer.status_code, answer.json()["code"]) == (422, "INVALID")
        unknown = body("00000000-0000-0000-0000-000000000001", in_hours(0), in_hours(1), "ESSAI")
        assert (await supervisor.post("/api/interruptions/planned", unknown)).status_code == 404


async def test_a_delegate_knows_those_of_his_commune(centre: Running) -> None:
    async with centre.person("superviseur") as supervisor, centre.person("delegue") as delegate:
        for number in ("01", "02"):
            camera = (await camera_of(supervisor, number))["id"]
            planned = body(camera, in_hours(30), in_hours(31), "VOIRIE")
            assert (await supervisor.post("/api/interruptions/planned", planned)).status_code == 201
        listed = (await delegate.get("/api/interruptions")).json()["interruptions"]
        assert [(one["camera"]["number"], one["state"]) for one in listed] == [("01", "coming")]
        assert (await camera_of(supervisor))["interruption"] is None  # not within a day
