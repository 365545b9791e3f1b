"""Open pictures: decided again at each turn, cut when a right is gone, and what was served journalled once."""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from centre_support import START, Running
from links_support import MASK_NOW, Gateway, iso, look
from pydantic import SecretStr

from csu.accounts import sessions
from csu.alarms.keeper import AlarmKeeper
from csu.links.gateway_link import Renewer, SpoolPuller
from csu.settings import Database
from csu.store.store import UNAVAILABLE, Store
from recorder.channel import ChannelClient, ChannelError


class TestOpenPictures:
    async def test_pictures_with_a_right_stay_open(
        self, centre: Running, gateway: Gateway, to_gateway: ChannelClient
    ) -> None:
        async with centre.person("operateur") as operator:
            await look(operator, centre, gateway, "01", "02")
            renewer = Renewer(centre.centre, to_gateway)
            await renewer.run_once()
            await renewer.run_once()
            assert gateway.cuts == []
            assert len(gateway.leases) == 2
        async with centre.person("superviseur") as supervisor, centre.person("delegue") as delegate:
            watching = (await supervisor.get("/api/watching")).json()["watching"]
            assert [(w["author"], w["camera_name"]) for w in watching] == [
                ("Opérateur", "01 Place"),
                ("Opérateur", "02 Place"),
            ]
            assert len((await delegate.get("/api/watching")).json()["watching"]) == 1

    @pytest.mark.parametrize(
        ("statement", "code"),
        [
            ("UPDATE habilitation SET suspended_at = %s WHERE commune = '27229'", "NOT_HABILITE"),
            ("UPDATE convention SET suspended_at = %s WHERE commune = '27229'", "CONVENTION_MISSING"),
            ("UPDATE authorisation SET suspended_at = %s WHERE commune = '27229'", "AUTH_SUSPENDED"),
            ("UPDATE authorisation SET ended_at = %s WHERE commune = '27229'", "AUTH_EXPIRED"),
            ("UPDATE authorisation SET to_at = %s WHERE commune = '27229'", "AUTH_EXPIRED"),
            ("UPDATE account SET agrement_suspended_at = %s WHERE login = 'operateur'", "AGREMENT_MISSING"),
            ("UPDATE account SET closed_at = %s WHERE login = 'operateur'", "SESSION_ENDED"),
            (MASK_NOW, "MASK_LOCKED"),
        ],
    )
    async def test_row_8_a_right_withdrawn_while_watching_cuts_its_pictures(
        self,
        centre: Running,
        gateway: Gateway,
        to_gateway: ChannelClient,
        superuser: str,
        statement: str,
        code: str,
    ) -> None:
        renewer = Renewer(centre.centre, to_gateway)
        async with centre.person("operateur") as operator:
            (ticket,) = await look(operator, centre, gateway, "01")
            await renewer.run_once()
            async with await psycopg.AsyncConnection.connect(superuser) as connection:
                await connection.execute(statement.encode(), (centre.clock.at,))
            await renewer.run_once()
        assert [(cut["ticket"], cut["code"]) for cut in gateway.cuts] == [(ticket, code)]
        assert gateway.leases == []
        entry = next(entry for entry in await centre.journal() if entry["op"] == "picture:cut")
        assert (entry["author"], entry["camera_name"], entry["code"]) == ("Opérateur", "01 Place", code)

    @pytest.mark.parametrize(
        ("who", "act", "code"),
        [
            ("superviseur", "habilitations/{held}/suspend", "NOT_HABILITE"),
            ("delegue", "habilitations/{held}/suspend", "NOT_HABILITE"),
            ("delegue", "habilitations/{held}/end", "NOT_HABILITE"),
            ("superviseur", "persons/{account}/agrement/suspend", "AGREMENT_MISSING"),
            ("administrateur", "persons/{account}/agrement/suspend", "AGREMENT_MISSING"),
            ("superviseur", "persons/{account}/leave", "SESSION_ENDED"),
        ],
    )
    async def test_rows_8_38_and_70_a_person_who_loses_a_right_loses_its_pictures(
        self, centre: Running, gateway: Gateway, to_gateway: ChannelClient, who: str, act: str, code: str
    ) -> None:
        renewer = Renewer(centre.centre, to_gateway)
        async with centre.person("superviseur") as supervisor:
            persons = (await supervisor.get("/api/persons")).json()["persons"]
            operator_row = next(person for person in persons if person["login"] == "operateur")
            held = next(h["id"] for h in operator_row["habilitations"] if h["commune"] == "27229")
        async with centre.person("operateur") as operator, centre.person(who) as person:
            first, second = await look(operator, centre, gateway, "01", "02")
            await renewer.run_once()
            centre.centre.renewer_wake.clear()
            path = act.format(held=held, account=operator_row["id"])
            body = {"reason": "contrôle"} | ({"days": 0} if path.endswith("leave") else {})
            answer = await person.post(f"/api/{path}", body)
            assert answer.status_code == 200, answer.text
            assert centre.centre.renewer_wake.is_set()
            await renewer.run_once()
        lost = {first} if code == "NOT_HABILITE" else {first, second}
        assert {(cut["ticket"], cut["code"]) for cut in gateway.cuts} == {(ticket, code) for ticket in lost}

    async def test_row_70_a_leavers_time_cuts_though_nobody_acts(
        self, centre: Running, gateway: Gateway, to_gateway: ChannelClient, superuser: str
    ) -> None:
        renewer = Renewer(centre.centre, to_gateway)
        async with centre.person("operateur") as operator:
            (ticket,) = await look(operator, centre, gateway, "01")
            await renewer.run_once()
            leaves = "UPDATE account SET leaving_at = %s, closes_at = %s WHERE login = 'operateur'"
            async with await psycopg.AsyncConnection.connect(superuser) as connection:
                times = centre.clock.at, centre.clock.at + timedelta(minutes=1)
                await connection.execute(leaves.encode(), times)
            await renewer.run_once()
            assert gateway.cuts == []
            centre.clock.advance(minutes=1)
            await renewer.run_once()
        assert [(cut["ticket"], cut["code"]) for cut in gateway.cuts] == [(ticket, "SESSION_ENDED")]

    async def test_locking_logging_out_and_leaving_alone_cut(
        self, centre: Running, gateway: Gateway, to_gateway: ChannelClient
    ) -> None:
        renewer = Renewer(centre.centre, to_gateway)
        async with centre.person("operateur") as operator:
            await look(operator, centre, gateway, "01")
            centre.centre.renewer_wake.clear()
            await operator.post("/api/session/lock")
            assert centre.centre.renewer_wake.is_set()
            await renewer.run_once()
        async with centre.person("operateur") as operator:
            await look(operator, centre, gateway, "02")
            await operator.send("DELETE", "/api/session")
            await renewer.run_once()
        async with centre.person("operateur") as operator:
            await look(operator, centre, gateway, "01")
            centre.clock.advance(seconds=sessions.IDLE.total_seconds())
            await renewer.run_once()
        assert [cut["code"] for cut in gateway.cuts] == ["SESSION_LOCKED", "SESSION_ENDED", "SESSION_ENDED"]

    async def test_pictures_that_a_post_closed_as_it_was_left_were_not_cut(
        self, centre: Running, gateway: Gateway, to_gateway: ChannelClient, superuser: str
    ) -> None:
        """A right that was withdrawn is told as such, though its picture had been closed meanwhile."""
        renewer = Renewer(centre.centre, to_gateway)
        async with centre.person("operateur") as operator:
            left, still = await look(operator, centre, gateway, "01", "02")
            await renewer.run_once()
            gateway.leases = [lease for lease in gateway.leases if lease["ticket"] == still]
            await operator.send("DELETE", "/api/session")
            await renewer.run_once()
        assert {cut["ticket"] for cut in gateway.cuts} == {left, still}
        cuts = [entry for entry in await centre.journal() if entry["op"] == "picture:cut"]
        assert [(cut["camera_name"], cut["code"]) for cut in cuts] == [("02 Place", "SESSION_ENDED")]
        async with centre.person("operateur") as operator:
            await look(operator, centre, gateway, "01")
            await renewer.run_once()
            gateway.leases = []
            async with await psycopg.AsyncConnection.connect(superuser) as connection:
                suspended = "UPDATE convention SET suspended_at = %s WHERE commune = '27229'"
                await connection.execute(suspended.encode(), (centre.clock.at,))
            await renewer.run_once()
        cuts = [entry for entry in await centre.journal() if entry["op"] == "picture:cut"]
        assert sorted(cut["code"] for cut in cuts) == ["CONVENTION_MISSING", "SESSION_ENDED"]

    async def test_a_ticket_whose_right_went_before_it_was_redeemed_is_withheld_once(
        self, centre: Running, gateway: Gateway, to_gateway: ChannelClient
    ) -> None:
        """Nobody sees a picture with a ticket of a session that is over, be the ticket still good."""
        renewer = Renewer(centre.centre, to_gateway)
        async with centre.person("operateur") as operator:
            tickets = await look(operator, centre, gateway, "01", "02")
            gateway.leases = gateway.leases[:1]  # the second is not redeemed yet
            await renewer.run_once()
            assert gateway.cuts == []
            await operator.send("DELETE", "/api/session")
            await renewer.run_once()
            assert {(cut["ticket"], cut["code"]) for cut in gateway.cuts} == {(t, "SESSION_ENDED") for t in tickets}
            await renewer.run_once()
            assert len(gateway.cuts) == 2
        cuts = [entry["camera_name"] for entry in await centre.journal() if entry["op"] == "picture:cut"]
        assert cuts == ["01 Place"], "what was not open is not said to have been cut"
        centre.clock.advance(seconds=13)
        await renewer.run_once()
        assert len(gateway.cuts) == 2

    async def test_one_that_was_opened_just_before_it_was_withheld_is_journalled_as_cut(
        self, centre: Running, gateway: Gateway, to_gateway: ChannelClient
    ) -> None:
        async with centre.person("operateur") as operator:
            (ticket,) = await look(operator, centre, gateway, "01")
            gateway.leases, gateway.coming = [], gateway.leases
            await operator.send("DELETE", "/api/session")
            await Renewer(centre.centre, to_gateway).run_once()
        assert ([cut["ticket"] for cut in gateway.cuts], gateway.leases) == ([ticket], [])
        (cut,) = [entry for entry in await centre.journal() if entry["op"] == "picture:cut"]
        assert (cut["camera_name"], cut["code"]) == ("01 Place", "SESSION_ENDED")

    async def test_a_lease_that_nobody_granted_is_cut(
        self, centre: Running, gateway: Gateway, to_gateway: ChannelClient
    ) -> None:
        ids = {name: str(uuid4()) for name in ("ticket", "camera", "actor", "session")}
        gateway.leases = [ids | {"act": "live", "since": iso(START)}]
        await Renewer(centre.centre, to_gateway).run_once()
        assert [cut["code"] for cut in gateway.cuts] == ["TICKET_UNKNOWN"]

    async def test_a_lease_of_what_was_refused_is_cut(
        self, centre: Running, gateway: Gateway, to_gateway: ChannelClient, superuser: str
    ) -> None:
        """Whoever has the tickets' key: a refusal's entry grants nothing."""
        async with centre.person("operateur") as operator:
            (ticket,) = await look(operator, centre, gateway, "01")
            async with await psycopg.AsyncConnection.connect(superuser) as connection:
                await connection.execute("UPDATE journal SET result = 'refused' WHERE id = %s", (ticket,))
            await Renewer(centre.centre, to_gateway).run_once()
        assert [(cut["ticket"], cut["code"]) for cut in gateway.cuts] == [(ticket, "TICKET_UNKNOWN")]

    async def test_without_a_database_nothing_is_renewed(
        self, centre: Running, gateway: Gateway, to_gateway: ChannelClient, tmp_path: Path
    ) -> None:
        away = SecretStr(f"postgresql+psycopg://csu_app:x@/csu?host={tmp_path}")
        store = Store(Database(url=away, guard_url=away, owner_url=away))
        try:
            for opened in ([], ["one"]):
                renewer = Renewer(replace(centre.centre, store=store), to_gateway)
                renewer._open = opened
                with pytest.raises(UNAVAILABLE):
                    await renewer.run_once()
        finally:
            await store.close()
        assert gateway.renewals == 0

    async def test_what_was_served_is_journalled_once_with_the_motif(
        self, centre: Running, gateway: Gateway, to_gateway: ChannelClient
    ) -> None:
        async with centre.person("operateur") as operator:
            (ticket,) = await look(operator, centre, gateway, "01")
        lease = gateway.leases[0]
        base = {"at": iso(START), "ticket": ticket, "camera": lease["camera"], "act": "live", "actor": lease["actor"]}
        base |= {"streams": ["main"], "from": None, "to": None, "reason": None}
        seen = [[iso(START), iso(START + timedelta(seconds=5))]]
        says = {"page_says_stepped": [[*seen[0], 3]]}
        for number, (kind, intervals) in enumerate((("opened", []), ("served", seen), ("closed", [])), 1):
            counts = {"bytes": 9 * len(intervals), "frames": len(intervals), "intervals": intervals}
            gateway.entries.append(base | counts | {"n": number, "kind": kind} | (says if kind == "served" else {}))
        puller, other = SpoolPuller(centre.centre, to_gateway), SpoolPuller(centre.centre, to_gateway)
        told, gateway.entries = gateway.entries, []
        await other.run_once()  # knows its place now, and is overtaken
        gateway.entries = told
        await puller.run_once()
        await other.run_once()
        assert gateway.acked == 3
        entries = {
            e["op"]: e for e in await centre.journal() if e["op"].startswith("picture:") and "live" not in e["op"]
        }
        assert set(entries) == {"picture:opened", "picture:served", "picture:closed"}
        served = entries["picture:served"]
        assert (served["frames"], served["bytes"], served["page_says_stepped"]) == (1, 9, 3)
        assert (entries["picture:closed"]["frames"], entries["picture:closed"]["page_says_stepped"]) == (0, 0)
        assert (served["author"], served["authority"]) == ("Opérateur", "Maire Évreux")
        assert served["motif"] == "Prévention des atteintes aux personnes et aux biens"
        assert datetime.fromisoformat(served["to"]) - datetime.fromisoformat(served["from"]) == timedelta(seconds=5)

    async def test_without_a_gateway_nothing_is_said_to_be_open(
        self, centre: Running, to_gateway: ChannelClient
    ) -> None:
        with pytest.raises(ChannelError):
            await Renewer(centre.centre, to_gateway).run_once()
        assert centre.centre.observed.gateway_answers is False
        await AlarmKeeper(centre.centre).run_once()
        async with centre.person("operateur") as operator:
            (alarm,) = (await operator.get("/api/alarms")).json()["alarms"]
            assert alarm["code"] == "GATEWAY_UNREACHABLE"
