"""A clock that is set back brings nothing back; a right that ends at midnight opens nothing beyond it."""

import json
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from centre_support import START, Running
from links_support import Gateway, look
from test_interruptions import body, camera_of, in_hours, supervisors
from test_proposals import journalled

from csu import keys
from csu.links.gateway_link import Renewer
from csu.tickets import TicketRefused, verify
from recorder.channel import ChannelClient


async def test_sessions_and_proposals_that_ran_out_stay_out(centre: Running) -> None:
    async with supervisors(centre) as (first, second):
        camera = (await camera_of(first))["id"]
        asked = body(camera, in_hours(0), in_hours(5), "HABITATION")
        made = (await first.post("/api/interruptions/masked", asked)).json()
        centre.clock.advance(hours=1)
        assert (await first.get("/api/session")).json()["code"] == "SESSION_EXPIRED"
        centre.clock.at = START + timedelta(minutes=5)
        for person in (first, second):
            answer = await person.get("/api/session")
            assert (answer.status_code, answer.json()["code"]) == (401, "SESSION_EXPIRED")
            assert "l'heure du centre a été corrigée" in answer.json()["reason"]
    async with centre.browser() as again:
        await again.log_in("superviseur")
        assert (await again.get("/api/session")).status_code == 200
    async with centre.browser() as other:
        await other.log_in("superviseur")
        refused = await other.post(f"/api/interruptions/{made['id']}/confirm")
        assert (refused.status_code, refused.json()["code"]) == (409, "NO_PROPOSAL")
    ((op, _, _, detail),) = await journalled(centre, "clock:%")
    assert op == "clock:back"
    assert json.loads(detail)["proposals"] == 1


async def test_it_is_noticed_over_a_restart_too_and_a_small_step_is_not(centre: Running) -> None:
    centre.clock.advance(hours=1)
    async with centre.person("operateur") as operator:
        centre.clock.advance(seconds=-3)
        assert (await operator.get("/api/session")).status_code == 200
        centre.clock.advance(minutes=-10)
        centre.centre.observed.latest_at = None  # as a process that has just begun
        assert (await operator.get("/api/session")).json()["code"] == "SESSION_EXPIRED"


async def test_a_ticket_of_before_the_step_opens_nothing(centre: Running) -> None:
    async with centre.person("operateur") as operator:
        camera = (await camera_of(operator))["id"]
        centre.clock.advance(minutes=10)
        (result,) = await operator.tickets({"camera": camera, "act": "live", "stream": "main"})
    public = keys.load_public(centre.centre.settings.paths.keys, "ticket")
    assert verify(result["ticket"], public, centre.clock()).camera == camera
    for at, code in ((START, "TICKET_INVALID"), (centre.clock() + timedelta(minutes=1), "TICKET_LATE")):
        with pytest.raises(TicketRefused) as refused:
            verify(result["ticket"], public, at)
        assert refused.value.code == code


async def test_a_ticket_kept_over_the_step_is_withheld_when_its_time_comes_again(
    centre: Running, gateway: Gateway, to_gateway: ChannelClient
) -> None:
    renewer = Renewer(centre.centre, to_gateway)
    async with centre.person("operateur") as operator:
        (ticket,) = await look(operator, centre, gateway, "01")
        gateway.leases = []  # never redeemed
        issued_at = centre.clock.at
        centre.clock.advance(hours=3)
        await renewer.run_once()
        centre.clock.at = issued_at - timedelta(minutes=1)
        await renewer.run_once()
        assert gateway.cuts == []
        centre.clock.at = issued_at
        await renewer.run_once()
    assert [(cut["ticket"], cut["code"]) for cut in gateway.cuts] == [(ticket, "SESSION_ENDED")]


async def test_a_convention_that_ends_at_midnight_bounds_what_is_open_and_opens_nothing_after(
    centre: Running, superuser: str
) -> None:
    midnight = datetime(2026, 11, 23, 23, tzinfo=UTC)  # in Paris
    with psycopg.connect(superuser) as connection:
        connection.execute("UPDATE convention SET to_at = %s WHERE commune = '27229'", (midnight,))
    centre.clock.at = midnight - timedelta(minutes=1)
    async with centre.person("operateur") as operator:
        camera = (await camera_of(operator))["id"]
        live = {"camera": camera, "act": "live", "stream": "main"}
        (result,) = await operator.tickets(live)
        # The gateway ends the picture at that instant by itself: tests/gateway, `a_right_that_ends_ends_the_picture`.
        assert datetime.fromisoformat(result["not_after"]) == midnight
        centre.clock.at = midnight
        (refused,) = await operator.tickets(live)
        assert refused["refused"]["code"] == "CONVENTION_MISSING"
