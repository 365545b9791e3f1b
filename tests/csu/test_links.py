"""The ways to recorder and gateway, against servers that speak their channel and keep what they were told."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from centre_support import START, Browser, Running
from pydantic import SecretStr

from csu import keys
from csu.accounts import sessions
from csu.alarms.keeper import AlarmKeeper
from csu.audit.heads import HeadSigner
from csu.audit.verify import verify as verify_journal
from csu.cameras.secrets import SecretBox
from csu.links.gateway_link import Renewer, SpoolPuller
from csu.links.orders import plan
from csu.links.recorder_link import FactsPuller, OrderPusher, StatusPoller
from csu.settings import Database
from csu.store.store import UNAVAILABLE, Store
from csu.tickets import verify
from recorder.channel import ChannelClient, ChannelError, ChannelServer
from recorder.orders import Interruption, Orders
from recorder.orders import verify as verify_orders


def iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


@dataclass
class Recorder:
    """Keeps orders, gives out facts and states."""

    public: Any
    index: str = field(default_factory=lambda: str(uuid4()))
    orders: list[Orders] = field(default_factory=list)
    facts: list[dict[str, Any]] = field(default_factory=list)
    cameras: list[dict[str, Any]] = field(default_factory=list)
    acked: int = 0
    refusal: str | None = None
    storage: list[dict[str, Any]] = field(default_factory=list)
    says: dict[str, Any] = field(default_factory=dict)
    needs: list[dict[str, Any]] = field(default_factory=list)
    # The other directories' indexes, with what is in their feeds; `added` names those made with their directories.
    others: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    added: set[str] = field(default_factory=set)
    away: set[str] = field(default_factory=set)

    def tell(self, kind: str, camera: str | None, **body: Any) -> None:
        number = len(self.facts) + 1
        self.facts.append({"n": number, "at": iso(START), "kind": kind, "camera": camera, **body})

    async def answer(self, op: str, fields: dict[str, Any]) -> dict[str, Any]:
        if self.refusal is not None:
            raise ChannelError(self.refusal, "as asked")
        if op == "put_orders":
            self.orders.append(verify_orders(fields["envelope"], self.public))
            return {"version": self.orders[-1].version}
        if op == "indexes":
            return {"indexes": [{"index": i, "added": i in self.added} for i in (self.index, *self.others)]}
        if op in ("facts", "ack") and fields["index"] in self.away:
            raise ChannelError("STORAGE_DOWN", "as asked")
        if op == "facts":
            told = self.facts if fields["index"] == self.index else self.others[fields["index"]]
            facts = [fact for fact in told if fact["n"] > fields["after"]]
            return {"index": fields["index"], "facts": facts[: fields["limit"]]}
        if op == "ack":
            self.acked = fields["upto"]
            return {}
        if op == "needs":
            return {"needs": self.needs}
        if op == "coverage":
            return {
                "runs": [{"from": fields["from"], "to": fields["to"]}],
                "gaps": [{"from": fields["from"], "to": fields["to"], "cause": "network", "detail": ""}],
            }
        clock = {"trusted": True, "reason": "", "freeze": None}
        return {**self.says, "cameras": self.cameras, "clock": clock, "storage": self.storage}


@dataclass
class Gateway:
    """Keeps leases open until they are cut, gives out what was served."""

    spool: str = field(default_factory=lambda: str(uuid4()))
    leases: list[dict[str, Any]] = field(default_factory=list)
    entries: list[dict[str, Any]] = field(default_factory=list)
    renewals: int = 0
    cuts: list[dict[str, Any]] = field(default_factory=list)
    acked: int = 0

    async def answer(self, op: str, fields: dict[str, Any]) -> dict[str, Any]:
        if op == "renew":
            self.renewals += 1
            self.cuts += fields["cut"]
            gone = {cut["ticket"] for cut in fields["cut"]}
            self.leases = [lease for lease in self.leases if lease["ticket"] not in gone]
            return {"open": self.leases, "cut": sorted(gone)}
        if op == "spool":
            return {"spool": self.spool, "entries": [e for e in self.entries if e["n"] > fields["after"]]}
        self.acked = fields["upto"]
        return {"upto": self.acked}


@pytest.fixture
async def recorder(centre: Running) -> AsyncIterator[Recorder]:
    paths = centre.centre.settings.paths
    peer = Recorder(keys.load_public(paths.keys, "orders"))
    async with ChannelServer(paths.recorder_socket, peer.answer):
        yield peer


@pytest.fixture
async def gateway(centre: Running) -> AsyncIterator[Gateway]:
    peer = Gateway()
    async with ChannelServer(centre.centre.settings.paths.gateway_socket, peer.answer):
        yield peer


@pytest.fixture
async def to_recorder(centre: Running) -> AsyncIterator[ChannelClient]:
    async with ChannelClient(centre.centre.settings.paths.recorder_socket) as client:
        yield client


@pytest.fixture
async def to_gateway(centre: Running) -> AsyncIterator[ChannelClient]:
    async with ChannelClient(centre.centre.settings.paths.gateway_socket) as client:
        yield client


@pytest.fixture
def pusher(centre: Running, to_recorder: ChannelClient) -> OrderPusher:
    folder = centre.centre.settings.paths.keys
    return OrderPusher(centre.centre, to_recorder, SecretBox(folder), keys.load_private(folder, "orders")[1])


async def camera_ids(person: Browser) -> dict[str, str]:
    return {camera["number"]: camera["id"] for camera in (await person.get("/api/cameras")).json()["cameras"]}


async def look(operator: Browser, centre: Running, gateway: Gateway, *numbers: str) -> list[str]:
    """Open live pictures of these cameras, as the gateway would on redeeming the tickets; the tickets' ids."""
    cameras = await camera_ids(operator)
    results = await operator.tickets(*({"camera": cameras[n], "act": "live", "stream": "main"} for n in numbers))
    public = keys.load_public(centre.centre.settings.paths.keys, "ticket")
    opened = []
    for result in results:
        ticket = verify(result["ticket"], public, centre.clock.at)
        lease = {"ticket": ticket.id, "camera": ticket.camera, "act": "live", "since": iso(centre.clock.at)}
        gateway.leases.append(lease | {"actor": ticket.actor, "session": ticket.session})
        opened.append(ticket.id)
    return opened


class TestOrders:
    async def test_every_authorised_camera_is_ordered_once(
        self, centre: Running, recorder: Recorder, pusher: OrderPusher
    ) -> None:
        await pusher.run_once()
        await pusher.run_once()
        (orders,) = recorder.orders
        assert orders.version == 1
        assert sorted(camera.name for camera in orders.cameras) == ["01 Place", "02 Place", "03 Place"]
        order = next(camera for camera in orders.cameras if camera.name == "01 Place")
        assert order.main.url == "rtsp://127.0.0.1:1/cam/01/main"
        assert (order.main.username, order.main.password) == ("viewer", "camera-secret")
        assert (order.authorisation, order.retention_days) == ("A-27229", 15)
        assert "camera-secret" not in repr(order)

    async def test_the_version_rises_with_the_content_only(
        self, centre: Running, recorder: Recorder, pusher: OrderPusher
    ) -> None:
        await pusher.run_once()
        centre.clock.advance(minutes=5)
        await pusher.run_once()
        async with centre.person("administrateur") as administrator:
            territory = (await administrator.get("/api/territory")).json()
            line = territory["communes"][0]["cameras"][0]["authorisations"][0]
            answer = await administrator.post(f"/api/authorisations/{line['id']}/suspend", {"reason": "essai"})
            assert answer.status_code == 200
        await pusher.run_once()
        assert [orders.version for orders in recorder.orders] == [1, 2]
        suspended = [c for c in recorder.orders[1].cameras if c.authorisation == line["reference"]]
        assert [camera.record_to_at for camera in suspended] == [centre.clock.at]
        issued = [entry for entry in await centre.journal() if entry["op"] == "orders:issue"]
        assert len(issued) == 2

    async def test_announced_interruptions_go_with_the_orders_until_a_day_after_their_end(
        self, centre: Running, recorder: Recorder, pusher: OrderPusher, superuser: str
    ) -> None:
        await pusher.run_once()
        async with await psycopg.AsyncConnection.connect(superuser) as connection:
            await connection.execute(MASK_NOW.encode(), (START,))
        await pusher.run_once()
        for hours in (24, 1):
            centre.clock.advance(hours=hours)
            await pusher.run_once()
        told = [[one for camera in orders.cameras for one in camera.interruptions] for orders in recorder.orders]
        assert told == [[], [Interruption("masked", START, START + timedelta(hours=1))], []]

    async def test_a_recorder_that_comes_back_is_told_again(
        self, centre: Running, recorder: Recorder, pusher: OrderPusher, to_recorder: ChannelClient
    ) -> None:
        poller = StatusPoller(centre.centre, to_recorder)
        await poller.run_once()
        await pusher.run_once()
        recorder.refusal = "STORAGE_DOWN"
        with pytest.raises(ChannelError):
            await poller.run_once()
        recorder.refusal = None
        await poller.run_once()
        await pusher.run_once()
        assert [orders.version for orders in recorder.orders] == [1, 1]

    async def test_refused_orders_raise_an_alarm(
        self, centre: Running, recorder: Recorder, pusher: OrderPusher
    ) -> None:
        recorder.refusal = "ORDER_OLD"
        with pytest.raises(ChannelError):
            await pusher.run_once()
        await AlarmKeeper(centre.centre).run_once()
        async with centre.person("operateur") as operator:
            (alarm,) = (await operator.get("/api/alarms")).json()["alarms"]
            assert (alarm["code"], alarm["ended"]) == ("ORDERS_REFUSED", None)
        recorder.refusal = None
        await pusher.run_once()
        await AlarmKeeper(centre.centre).run_once()
        async with centre.person("operateur") as operator:
            (alarm,) = (await operator.get("/api/alarms")).json()["alarms"]
            assert alarm["ended"] is not None

    def test_the_line_in_force_counts(self) -> None:
        camera: dict[str, Any] = {"id": "c", "number": "1", "name": "n", "main_url": "rtsp://c", "sub_url": None}
        camera |= {
            "username": None,
            "password": None,
            "certificate": "ab",
            "adapter": "native",
            "priority": 0,
            "kept_days": 9,
        }
        base = {"camera": "c", "suspended_at": None, "retention_days": 15, "minimum_days": None}
        past = base | {"reference": "past", "from_at": START - timedelta(9), "to_at": START - timedelta(1)}
        now = base | {"reference": "now", "from_at": START - timedelta(1), "to_at": START + timedelta(1)}
        longer = base | {"reference": "longer", "from_at": START - timedelta(1), "to_at": START + timedelta(2)}
        coming = base | {"reference": "coming", "from_at": START + timedelta(1), "to_at": START + timedelta(9)}
        for lines, expected in (
            ([past, now, longer, coming], "longer"),
            ([past, now | {"suspended_at": START}, coming], "coming"),
            ([past, now | {"suspended_at": START}], "now"),
            ([past], "past"),
        ):
            (order,) = plan([camera], lines, START)
            assert order.authorisation == expected
            assert (order.main.certificate, order.retention_days) == ("ab", 9)
        assert plan([camera], [], START) == []


class TestFacts:
    async def test_facts_enter_journal_and_alarms_once(
        self, centre: Running, recorder: Recorder, to_recorder: ChannelClient
    ) -> None:
        async with centre.person("superviseur") as supervisor:
            camera = (await camera_ids(supervisor))["01"]
        begins, ends = iso(START - timedelta(hours=1)), iso(START)
        recorder.tell("run_started", camera, run=1, authorisation="A-27229", **{"from": begins})
        recorder.tell("gap_opened", camera, cause="network")
        recorder.tell("run_ended", camera, run=1, reason="reset", **{"from": begins, "to": ends})
        recorder.tell("destroyed", camera, count=3, bytes=9, first=begins, last=ends, cause="deadline", root="ab")
        recorder.tell("index_rebuilt", None, segments=3, damaged=0, conflicts=0, holes=0, gone=0)
        recorder.tell("alarm_raised", camera, code="CAMERA_LOST", subject=camera, detail="reset")
        puller, other = FactsPuller(centre.centre, to_recorder), FactsPuller(centre.centre, to_recorder)
        told, recorder.facts = recorder.facts, []
        await other.run_once()  # knows its place now, and is overtaken
        recorder.facts = told
        await puller.run_once()
        assert recorder.acked == 6
        await puller.run_once()
        await other.run_once()
        entries = [entry for entry in await centre.journal() if entry["op"].startswith("record")]
        assert sorted(entry["op"] for entry in entries) == [
            "recorder:index",
            "recorder:rebuilt",
            "recording:erase",
            "recording:start",
            "recording:stop",
        ]
        started = next(entry for entry in entries if entry["op"] == "recording:start")
        assert (started["camera_name"], started["authority"]) == ("01 Place", "A-27229")
        async with centre.person("vernon") as foreign, centre.person("delegue") as own:
            assert (await foreign.get("/api/alarms")).json()["alarms"] == []
            (alarm,) = (await own.get("/api/alarms")).json()["alarms"]
            assert alarm["code"] == "CAMERA_LOST"
            assert alarm["message"] == (
                "Caméra 01 Place (Évreux) : plus d'image. La liaison avec la caméra est rompue."
            )
        recorder.tell("alarm_ended", camera, code="CAMERA_LOST", subject=camera)
        await puller.run_once()
        async with centre.person("delegue") as own:
            assert (await own.get("/api/alarms")).json()["alarms"][0]["ended"] is not None

    async def test_a_long_feed_is_taken_over_whole(
        self, centre: Running, recorder: Recorder, to_recorder: ChannelClient
    ) -> None:
        for _ in range(1203):
            recorder.tell("orders_accepted", None, version=1)
        await FactsPuller(centre.centre, to_recorder).run_once()
        assert recorder.acked == 1203

    async def test_a_second_index_raises_an_alarm(
        self, centre: Running, recorder: Recorder, to_recorder: ChannelClient
    ) -> None:
        puller = FactsPuller(centre.centre, to_recorder)
        await puller.run_once()
        async with centre.person("auditeur") as auditor:
            assert (await auditor.get("/api/alarms")).json()["alarms"] == []
        recorder.index = str(uuid4())
        recorder.tell("orders_accepted", None, version=1)
        await puller.run_once()
        assert recorder.acked == 1
        async with centre.person("auditeur") as auditor:
            (alarm,) = (await auditor.get("/api/alarms")).json()["alarms"]
            assert alarm["code"] == "INDEX_UNKNOWN"
            assert alarm["is_event"]
            path = f"/api/alarms/{alarm['id']}/acknowledge"
            assert (await auditor.post(path, {"reason": "vu"})).status_code == 422
            assert (await auditor.post(path, {"reason": "disque remplacé"})).status_code == 403
        async with centre.person("administrateur") as administrator:
            assert (await administrator.post(path, {"reason": "AB-123-CD"})).status_code == 422
            assert (await administrator.post(path, {"reason": "disque remplacé"})).status_code == 200
            (alarm,) = (await administrator.get("/api/alarms")).json()["alarms"]
            assert alarm["ended"] is not None
            assert (await administrator.post(path, {"reason": "disque remplacé"})).status_code == 409
        done = [e for e in await centre.journal() if (e["op"], e["result"]) == ("alarm:acknowledge", "done")]
        assert [(e["about"], e["given"]) for e in done] == [("INDEX_UNKNOWN", "disque remplacé")]

    async def test_an_added_directory_is_no_alarm_and_each_feed_is_taken_over(
        self, centre: Running, recorder: Recorder, to_recorder: ChannelClient
    ) -> None:
        async with centre.person("superviseur") as supervisor:
            camera = (await camera_ids(supervisor))["01"]
        puller = FactsPuller(centre.centre, to_recorder)
        await puller.run_once()
        second = str(uuid4())
        run = {"n": 1, "at": iso(START), "kind": "run_started", "camera": camera, "run": 1, "authorisation": "A-27229"}
        recorder.others[second] = [run | {"from": iso(START)}]
        recorder.added.add(second)
        recorder.tell("run_started", camera, run=1, authorisation="A-27229", **{"from": iso(START)})
        recorder.away.add(recorder.index)
        with pytest.raises(ChannelError):
            await puller.run_once()
        recorder.away.clear()
        await puller.run_once()
        starts = [e for e in await centre.journal() if e["op"] == "recording:start"]
        assert len(starts) == 2
        async with centre.person("auditeur") as auditor:
            assert (await auditor.get("/api/alarms")).json()["alarms"] == []
            exchanged = str(uuid4())
            recorder.others = {exchanged: []}  # another directory's index, and it was not made with its directory
            await puller.run_once()
            (alarm,) = (await auditor.get("/api/alarms")).json()["alarms"]
            assert (alarm["code"], alarm["subject"]) == ("INDEX_UNKNOWN", exchanged)

    async def test_a_whole_new_recorder_is_an_alarm(
        self, centre: Running, recorder: Recorder, to_recorder: ChannelClient
    ) -> None:
        await FactsPuller(centre.centre, to_recorder).run_once()
        recorder.index, second = str(uuid4()), str(uuid4())
        recorder.others = {second: []}
        recorder.added = {recorder.index, second}
        await FactsPuller(centre.centre, to_recorder).run_once()
        async with centre.person("auditeur") as auditor:
            (alarm,) = (await auditor.get("/api/alarms")).json()["alarms"]
            assert alarm["code"] == "INDEX_UNKNOWN"

    async def test_an_alarm_of_a_state_ends_with_it_only(
        self, centre: Running, recorder: Recorder, to_recorder: ChannelClient
    ) -> None:
        recorder.tell("alarm_raised", None, code="CLOCK_UNTRUSTED", subject="machine", detail="")
        await FactsPuller(centre.centre, to_recorder).run_once()
        async with centre.person("superviseur") as supervisor:
            (alarm,) = (await supervisor.get("/api/alarms")).json()["alarms"]
            assert not alarm["is_event"]
            answer = await supervisor.post(f"/api/alarms/{alarm['id']}/acknowledge", {"reason": "contrôle"})
            assert (answer.status_code, answer.json()["code"]) == (409, "CONFLICT")
            (alarm,) = (await supervisor.get("/api/alarms")).json()["alarms"]
            assert alarm["ended"] is None


class TestStates:
    async def test_states_and_faults_reach_the_console(
        self, centre: Running, recorder: Recorder, to_recorder: ChannelClient
    ) -> None:
        async with centre.person("operateur") as operator:
            camera = (await camera_ids(operator))["01"]
            stream = {"camera": camera, "stream": "main", "state": "lost", "fault": "refused_credentials"}
            stream |= {"since": iso(START), "last_frame_at": None, "fps": 0.0, "size": None}
            recorder.cameras = [stream]
            poller = StatusPoller(centre.centre, to_recorder)
            await poller.run_once()
            shown = (await operator.get("/api/cameras")).json()["cameras"][0]
            assert (shown["state"], shown["fault"]) == ("lost", "refused_credentials")
            assert shown["fault_reason"].startswith("La caméra refuse")
            period = {"from": iso(START - timedelta(hours=1)), "to": iso(START)}
            timeline = (await operator.get(f"/api/cameras/{camera}/timeline", **period)).json()
            assert timeline["gaps"][0]["cause"] == "network"
            assert timeline["gaps"][0]["reason"]
            assert timeline["runs"][0]["from"] == timeline["from"]
            recorder.refusal = "STORAGE_DOWN"
            with pytest.raises(ChannelError):
                await poller.run_once()
            assert (await operator.get("/api/cameras")).json()["cameras"][0]["state"] == "unknown"

    async def test_a_storage_that_is_away_is_an_alarm_although_no_fact_can_say_so(
        self, centre: Running, recorder: Recorder, to_recorder: ChannelClient
    ) -> None:
        poller, keeper = StatusPoller(centre.centre, to_recorder), AlarmKeeper(centre.centre)
        for storage, ended in (
            ({"ready": False, "code": "STORAGE_FAILED"}, None),
            ({"ready": True, "code": ""}, START),
        ):
            here = {"path": "/srv/recordings", "free_bytes": 0}
            recorder.storage = [here | {"ready": False, "code": "STORAGE_FAILED"}, here | storage]
            await poller.run_once()
            await keeper.run_once()
            async with centre.person("operateur") as operator:
                (alarm,) = (await operator.get("/api/alarms")).json()["alarms"]
                assert alarm["code"] == "STORAGE_FAILED"
                assert alarm["ended"] == (None if ended is None else iso(ended).replace(".000000", ""))


class TestTheRecorderItself:
    async def test_arithmetic_breaker_and_what_is_given_up_are_shown(
        self, centre: Running, recorder: Recorder, to_recorder: ChannelClient
    ) -> None:
        async with centre.person("superviseur") as supervisor:
            camera = (await camera_ids(supervisor))["01"]
            pressure = {"capacity_bytes": 1000, "needed_bytes": 1500, "held_bytes": 50, "bytes_per_day": 100}
            full_at = iso(START + timedelta(days=3))
            recorder.storage = [
                {
                    "path": "/srv/a",
                    "ready": True,
                    "code": "",
                    "free_bytes": 300,
                    "pressure": pressure | {"full_at": full_at},
                },
                {"path": "/srv/b", "ready": False, "code": "STORAGE_UNMOUNTED", "free_bytes": 0, "pressure": None},
            ]
            given_up = [{"camera": camera, "stream": "sub"}, {"camera": str(uuid4()), "stream": "sub"}]
            recorder.says = {
                "breaker": {"id": "b1", "reason": "9 segments where 1 was due", "segments": 9, "bytes": 900},
                "degraded": {"level": 2, "reason": "load", "since": iso(START), "given_up": given_up},
            }
            recorder.tell("alarm_raised", None, code="DESTRUCTION_BREAKER", subject="machine", detail="x")
            recorder.tell("alarm_raised", camera, code="PRIORITY_STOPPED", subject=camera, detail="")
            await StatusPoller(centre.centre, to_recorder).run_once()
            await FactsPuller(centre.centre, to_recorder).run_once()
            shown = (await supervisor.get("/api/recorder")).json()
        first, second = shown["storage"]
        assert first["pressure"] == pressure | {"full_at": full_at.replace(".000000", "")}
        assert (second["code"], second["ready"], second["pressure"]) == ("STORAGE_UNMOUNTED", False, None)
        assert "pas monté" in second["reason"]
        (freeze,) = shown["freezes"]
        assert (freeze["subject"], freeze["id"], freeze["segments"], freeze["bytes"]) == ("breaker", "b1", 9, 900)
        assert freeze["since"] == iso(START).replace(".000000", "")
        assert "segments" not in freeze["reason"]
        assert (shown["degraded"]["level"], [g["number"] for g in shown["degraded"]["given_up"]]) == (2, ["01"])
        assert [stopped["number"] for stopped in shown["stopped"]] == ["01"]

    async def test_the_arithmetic_camera_by_camera(self, centre: Running, recorder: Recorder) -> None:
        async with centre.person("auditeur") as auditor:
            ids = await camera_ids(auditor)
            recorder.needs = [
                {"camera": ids[number], "path": "/srv/a", "bytes_per_day": rate, "retention_days": days}
                for number, rate, days in (("01", 10, 15), ("02", 100, 31))
            ] + [{"camera": str(uuid4()), "path": "/srv/a", "bytes_per_day": 1, "retention_days": 1}]
            needs = (await auditor.get("/api/recorder/needs")).json()["needs"]
            assert [(one["camera"]["number"], one["needed_bytes"]) for one in needs] == [("02", 3100), ("01", 150)]

    async def test_nothing_is_shown_of_a_recorder_that_is_away(
        self, centre: Running, recorder: Recorder, to_recorder: ChannelClient
    ) -> None:
        poller = StatusPoller(centre.centre, to_recorder)
        await poller.run_once()
        async with centre.person("auditeur") as auditor:
            assert (await auditor.get("/api/recorder")).json()["answers"]
            recorder.refusal = "STORAGE_DOWN"
            with pytest.raises(ChannelError):
                await poller.run_once()
            assert not (await auditor.get("/api/recorder")).json()["answers"]


MASK_NOW = """
    WITH two AS (
        INSERT INTO proposal (id, decision, subject, commune, reason, content, proposed_at, proposed_by, confirmed_at,
            confirmed_by)
        SELECT gen_random_uuid(), 'mask', gen_random_uuid(), camera.commune, '', '{}', at, one.id, at, other.id
        FROM (SELECT %s::timestamptz AS at) decided, camera, account one, account other
        WHERE camera.number = '01' AND one.login = 'superviseur' AND other.login = 'administrateur'
        RETURNING subject, proposed_at AS at, proposed_by
    )
    INSERT INTO interruption (id, commune, camera, cause, reason, from_at, to_at, announced_at, announced_by,
        decided_at)
    SELECT subject::uuid, camera.commune, camera.id, 'masked', 'HABITATION', at, at + interval '1 hour', at,
        proposed_by, at
    FROM two, camera WHERE camera.number = '01'
"""


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

    async def test_a_lease_that_nobody_granted_is_cut(
        self, centre: Running, gateway: Gateway, to_gateway: ChannelClient
    ) -> None:
        ids = {name: str(uuid4()) for name in ("ticket", "camera", "actor", "session")}
        gateway.leases = [ids | {"act": "live", "since": iso(START)}]
        await Renewer(centre.centre, to_gateway).run_once()
        assert [cut["code"] for cut in gateway.cuts] == ["TICKET_UNKNOWN"]

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
        for number, (kind, intervals) in enumerate((("opened", []), ("served", seen), ("closed", [])), 1):
            counts = {"bytes": 9 * len(intervals), "frames": len(intervals), "intervals": intervals}
            gateway.entries.append(base | counts | {"n": number, "kind": kind})
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


async def test_all_that_was_told_verifies(
    centre: Running, recorder: Recorder, pusher: OrderPusher, tmp_path: Path
) -> None:
    await pusher.run_once()
    folder = centre.centre.settings.paths.keys
    await HeadSigner(centre.centre.store, *keys.load_private(folder, "heads"), centre.clock).close()
    verdict = await verify_journal(centre.centre.store, keys.load_public(folder, "heads"))
    assert verdict.ok
    assert verdict.entries > 10
