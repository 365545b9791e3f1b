"""A commune's whole story at the centre, from its joining to the pruning of what was journalled of it.

Over the real application and a real gateway with real pictures; the clock is an argument of all of them. It begins long
enough ago for PostgreSQL, whose clock is the machine's, to let go of its entries at the end.
"""

import asyncio
import json
import multiprocessing
import os
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from centre_support import ANSWERS_FOR, QUICK, Browser, ManualClock, Running, load_territory, territory
from conftest import flush
from gateway_centre import Browser as Screen
from gateway_centre import Camera
from real_gateway import RealGateway, real_gateway
from sqlalchemy.ext.asyncio import create_async_engine

from csu import keys
from csu.app import build_centre, close_centre, create_app
from csu.audit import documents
from csu.audit.anchors import AnchorKeeper, read_anchors
from csu.audit.heads import HeadSigner
from csu.audit.prune import prune
from csu.audit.verify import Verdict, verify
from csu.cameras.secrets import SecretBox
from csu.clock import iso
from csu.links import orders
from csu.links.gateway_link import Renewer, SpoolPuller
from csu.settings import Database, Journal, Settings, Valkey
from csu.store import facts
from csu.territory.clock import DeadlineKeeper
from csu.territory.document import Document
from csu.territory.importing import Importer
from legal.authorisations import start_of
from recorder.orders import CameraOrder
from streams.ticks import us_from_at

BERNAY, EVREUX = "27056", "27229"
NOW = datetime.now(UTC).replace(microsecond=0)
BEGINS = (NOW - timedelta(days=3 * 366 + 400)).replace(hour=10)


def day(at: datetime) -> str:
    return at.date().isoformat()


@dataclass
class Story:
    """Everything that takes part."""

    running: Running
    clock: ManualClock
    pictures: RealGateway
    signer: HeadSigner
    renewer: Renewer
    spool: SpoolPuller
    anchors: AnchorKeeper
    camera: str = ""
    looked_at: datetime = BEGINS
    passwords: dict[str, str] = field(default_factory=dict)

    @property
    def public(self) -> dict[str, Any]:
        return dict(keys.load_public(self.running.centre.settings.paths.keys, "heads"))

    async def day_ends(self) -> None:
        """What was served comes back, everything is signed, and the day's anchor leaves."""
        await self.spool.run_once()
        await self.signer.close()
        await self.anchors.run_once()
        await self.signer.close()

    async def order(self) -> CameraOrder | None:
        """What the recorder is told of the camera now."""
        centre = self.running.centre
        current = await orders.current(centre.store, SecretBox(centre.settings.paths.keys), self.clock.at)
        return next((one for one in current.cameras if one.camera == self.camera), None)

    async def verify(self) -> Verdict:
        file = self.running.centre.settings.journal.anchor_file
        assert file is not None
        lines, faults = read_anchors(file.read_text(), self.public)
        assert faults == []
        return await verify(self.running.centre.store, self.public, lines)


@pytest.fixture
async def story(database: Database, valkey: Valkey, tmp_path: Path) -> AsyncIterator[Story]:
    flush(valkey)
    clock = ManualClock(BEGINS)
    journal = Journal(anchor_file=tmp_path / "anchors")
    settings = Settings(data=tmp_path, database=database, valkey=valkey, journal=journal)
    paths = settings.paths
    keys.ensure_keys(paths.keys)
    centre = replace(build_centre(settings, clock), passwords=QUICK)
    try:
        await load_territory(centre.store, tmp_path, before_the_story())
        async with real_gateway(centre, clock) as pictures:
            transport = httpx.ASGITransport(create_app(centre, None), raise_app_exceptions=False)
            yield Story(
                Running(centre, clock, transport),
                clock,
                pictures,
                HeadSigner(centre.store, *keys.load_private(paths.keys, "heads"), clock),
                Renewer(centre, pictures.channel),
                SpoolPuller(centre, pictures.channel),
                AnchorKeeper(centre),
            )
    finally:
        await close_centre(centre)


def before_the_story() -> dict[str, Any]:
    """The tests' territory, some years earlier."""
    text = json.dumps(territory())
    first, last = day(BEGINS - timedelta(days=300)), day(BEGINS + timedelta(days=1500))
    for said, meant in (("2025-12-15", first), ("2026-01-01", first), ("2031-01-01", last)):
        text = text.replace(said, meant)
    content: dict[str, Any] = json.loads(text)
    return content


async def test_a_commune_from_its_joining_to_the_pruning_of_its_journal(story: Story, database: Database) -> None:
    await it_joins_and_its_authorisation_passes_all_states(story)
    await an_agent_is_designated(story)
    leaf = await the_agent_watches_and_is_suspended_meanwhile(story)
    await the_authorisation_expires(story)
    await the_mayor_s_delegate_reads_who_watched(story)
    proof = await the_auditor_proves_it(story, leaf)
    await three_years_pass(story, database, proof)


async def it_joins_and_its_authorisation_passes_all_states(story: Story) -> None:
    today = day(story.clock.at)
    async with story.running.person("administrateur") as administrator:
        answer = await administrator.post("/api/communes", {"insee": BERNAY, "authority": "Maire de Bernay"})
        assert answer.status_code == 201, answer.text
        answers_for = ANSWERS_FOR | {"deliberation_on": today, "cnil_sent_on": today}
        answer = await administrator.send("PUT", f"/api/communes/{BERNAY}", answers_for)
        assert answer.status_code == 200, answer.text
        for kind, partner in (("IV", "Syndicat mixte"), ("V", "Préfet de l'Eure")):
            convention = {"commune": BERNAY, "kind": kind, "reference": f"C-{kind}", "partner": partner, "from": today}
            assert (await administrator.post("/api/conventions", convention)).status_code == 201
        story.camera = await the_camera(story)
        line = {"camera": story.camera, "finalites": ["5"], "retention_days": 15}
        draft = {"commune": BERNAY, "dossier": "Dossier 1", "lines": [line]}
        answer = await administrator.post("/api/authorisations", draft)
        assert answer.status_code == 201, answer.text
        states = [answer.json()["state"]]
        path = f"/api/authorisations/{answer.json()['id']}"
        term = day(story.clock.at + timedelta(days=365))
        arrete = {"on": today, "reference": "27-0900", "from": today, "to": term}
        for name, body in (
            ("deposit", {"on": today}),
            ("complete", {"on": today}),
            ("opinion", {"on": today}),
            ("grant", arrete),
            ("notify", {"on": today, "service_on": today}),
            ("activate", None),
        ):
            assert await story.order() is None, "nothing is recorded before it is in service"
            answer = await administrator.post(f"{path}/{name}", body)
            assert answer.status_code == 200, answer.text
            states.append(answer.json()["state"])
    assert states == [
        "BROUILLON",
        "DEPOSEE",
        "RECEPISSE",
        "AVIS_CDV",
        "AUTORISEE",
        "MISE_EN_SERVICE_NOTIFIEE",
        "ACTIVE",
    ]
    order = await story.order()
    assert order is not None
    assert (order.authorisation, order.record_from_at) == ("27-0900", story.clock.at)
    await story.day_ends()


async def the_camera(story: Story) -> str:
    camera = {"number": "90", "commune": BERNAY, "name": "Rue", "site": "Place", "main": "rtsp://127.0.0.1:1/90"}
    centre = story.running.centre
    data = centre.settings.data
    importer = Importer(centre.store, SecretBox(data / "keys"), data, {}, story.clock.at)
    await importer.run(Document.model_validate({"camera": [camera]}))
    return next(one.id for one in (await known(story)).values() if one.number == "90")


async def known(story: Story) -> dict[str, facts.KnownCamera]:
    async with story.running.centre.store.facts() as connection:
        return await facts.cameras(connection)


async def an_agent_is_designated(story: Story) -> None:
    """And the elected member who answers for the mayor has a delegation."""
    agent = {"login": "c.durand", "name": "Camille Durand", "role": "operator", "category": "PM"}
    elected = {"login": "d.martin", "name": "Dominique Martin", "role": "delegate", "category": "ELU"}
    async with story.running.person("administrateur") as administrator:
        for account in (agent, elected):
            answer = await administrator.post("/api/accounts", {**account, "employer": BERNAY})
            assert answer.status_code == 201, answer.text
            story.passwords[account["login"]] = answer.json()["password"]
    await designate(story, "c.durand", "HAB-1")
    await designate(story, "d.martin", "DEL-1")


async def designate(story: Story, login: str, reference: str, commune: str = BERNAY) -> None:
    async with story.running.person("superviseur") as supervisor:
        persons = (await supervisor.get("/api/persons")).json()["persons"]
        account = next(person["id"] for person in persons if person["login"] == login)
        body = {"account": account, "commune": commune, "rights": ["live"], "reference": reference}
        body |= {"signed_by": "Maire", "signed_on": day(story.clock.at)}
        dates = {"from": day(story.clock.at), "to": day(story.clock.at + timedelta(days=1000))}
        answer = await supervisor.post("/api/habilitations", body | dates)
        assert answer.status_code == 201, answer.text


async def the_agent_watches_and_is_suspended_meanwhile(story: Story) -> int:
    """The leaf of the entry that granted the look."""
    story.clock.advance(minutes=5)
    story.looked_at = story.clock.at
    await story.renewer.run_once()
    camera = Camera(story.pictures.feeds.stream(story.camera, "main"))
    camera.began_us = us_from_at(story.clock.at)
    request = {"camera": story.camera, "act": "live", "stream": "main"}
    async with story.running.browser() as agent, story.pictures.screen() as screen:
        assert (await agent.log_in("c.durand", password=story.passwords["c.durand"])).status_code == 200
        (result,) = await agent.tickets(request)
        camera.publish(25)
        channel = await screen.open(result["ticket"])
        await screen.pictures(channel, 20)
        story.clock.advance(seconds=20)
        await story.renewer.run_once()
        async with story.running.person("superviseur") as supervisor:
            persons = (await supervisor.get("/api/persons")).json()["persons"]
            (held,) = next(person["habilitations"] for person in persons if person["login"] == "c.durand")
            path = f"/api/habilitations/{held['id']}/suspend"
            answer = await supervisor.post(path, {"reason": "Enquête interne"})
            assert answer.status_code == 200, answer.text
        assert await the_screen_is_cut(story, screen) == "NOT_HABILITE"
        (refused,) = await agent.tickets(request)
        assert refused["refused"]["code"] == "NOT_HABILITE"
    await story.day_ends()
    entries = await story.running.journal()
    looks = [entry for entry in entries if entry["author"] == "Camille Durand" and entry["op"].startswith("picture:")]
    assert sorted(f"{entry['op']} {entry['result']} {entry['code']}" for entry in looks) == [
        "picture:closed noted None",
        "picture:cut refused NOT_HABILITE",
        "picture:live done None",
        "picture:live refused NOT_HABILITE",
        "picture:opened noted None",
    ]
    assert {entry["authority"] for entry in looks} == {"Maire de Bernay"}
    closed = next(entry for entry in looks if entry["op"] == "picture:closed")
    assert datetime.fromisoformat(closed["from"]) == story.looked_at, "what was really served"
    leaf: int = next(look["leaf"] for look in looks if (look["op"], look["result"]) == ("picture:live", "done"))
    return leaf


async def the_screen_is_cut(story: Story, screen: Screen) -> str:
    """The code that the person is told."""
    await story.renewer.run_once()
    code: str = (await screen.told("closed"))["code"]
    return code


async def the_authorisation_expires(story: Story) -> None:
    story.clock.advance(days=366)
    await DeadlineKeeper(story.running.centre).run_once()
    order = await story.order()
    assert order is not None, "the recorder goes on destroying what it has"
    assert order.record_to_at is not None
    assert order.record_to_at <= story.clock.at, "and records no more"
    async with story.running.person("administrateur") as administrator:
        told = (await administrator.get("/api/authorisations")).json()["authorisations"]
    assert [one["state"] for one in told if one["reference"] == "27-0900"] == ["EXPIREE"]
    await story.day_ends()


async def the_mayor_s_delegate_reads_who_watched(story: Story) -> None:
    async with story.running.browser() as elected:
        assert (await elected.log_in("d.martin", password=story.passwords["d.martin"])).status_code == 200
        page = (await elected.get("/api/journal", camera=story.camera, op="picture:live")).json()
        assert {entry["author"] for entry in page["entries"]} == {"Camille Durand"}
        everything = (await elected.get("/api/journal", limit=200)).json()["entries"]
        assert "Opérateur" not in {entry["author"] for entry in everything}, "of other communes nothing"


async def the_auditor_proves_it(story: Story, leaf: int) -> dict[str, Any]:
    await story.day_ends()
    async with story.running.person("auditeur") as auditor:
        assert [await was_habilite(story, auditor, s) for s in (-1, 0, 19, 20)] == [True, True, True, False]
        answer = await auditor.get(f"/api/journal/{leaf}/proof")
        assert answer.status_code == 200, answer.text
        proof: dict[str, Any] = answer.json()
    assert documents.check(proof, story.public) == []
    assert json.loads(proof["entry"])["author_name"] == "Camille Durand"
    assert (await story.verify()).ok
    return proof


async def was_habilite(story: Story, auditor: Browser, seconds: int) -> bool:
    """What the centre's signed answer says of the agent, so long after the look began."""
    persons = (await auditor.get("/api/persons")).json()["persons"]
    agent = next(person["id"] for person in persons if person["login"] == "c.durand")
    at = (story.looked_at + timedelta(seconds=seconds)).isoformat()
    answer = await auditor.get(f"/api/persons/{agent}/habilitation", camera=story.camera, at=at)
    assert answer.status_code == 200, answer.text
    return bool(answer.json()["answer"]["habilite"])


async def three_years_pass(story: Story, database: Database, proof: dict[str, Any]) -> None:
    story.clock.at = NOW
    owner = create_async_engine(database.owner_url.get_secret_value())
    try:
        removed = await prune(owner, story.clock.at)
    finally:
        await owner.dispose()
    assert removed > 30
    await story.day_ends()
    found = await story.verify()
    assert (found.ok, found.pruned, found.faults) == (True, removed, ())
    assert found.anchors == 3, "the anchors of all those years hold"
    async with story.running.person("auditeur") as auditor:
        assert (await auditor.get(f"/api/journal/{proof['leaf']}/proof")).status_code == 404
        await story.signer.close()
        answer = await auditor.get("/api/journal/consistency", old=proof["head"]["tree_size"])
        assert documents.check(answer.json(), story.public) == []
    assert documents.check(proof, story.public) == [], "who kept a proof has it for good"
    assert not [entry for entry in await story.running.journal() if entry["author"] == "Camille Durand"]


async def test_row_42_a_convention_that_ends_at_midnight_while_someone_watches(story: Story) -> None:
    """Lent staff lose the pictures at that instant, by the gateway alone; the commune's own police watch on."""
    ends = (story.clock.at + timedelta(days=1)).date()
    midnight = start_of(ends)
    async with story.running.person("administrateur") as administrator:
        communes = (await administrator.get("/api/territory")).json()["communes"]
        held = next(one for one in communes if one["insee"] == EVREUX)["conventions"][0]["id"]
        answer = await administrator.post(f"/api/conventions/{held}/suspend", {"reason": "renégociée"})
        assert answer.status_code == 200, answer.text
        until_then = {"commune": EVREUX, "kind": "IV", "reference": "C-NUIT", "partner": "Syndicat mixte"}
        dates = {"from": day(story.clock.at), "to": ends.isoformat()}
        answer = await administrator.post("/api/conventions", until_then | dates)
        assert answer.status_code == 201, answer.text
        own = {"login": "e.petit", "name": "Élise Petit", "role": "operator", "category": "PM", "employer": EVREUX}
        answer = await administrator.post("/api/accounts", own)
        assert answer.status_code == 201, answer.text
        story.passwords["e.petit"] = answer.json()["password"]
    await designate(story, "e.petit", "HAB-2", EVREUX)
    story.clock.at = midnight - timedelta(seconds=20)
    await story.renewer.run_once()
    story.camera = next(one.id for one in (await known(story)).values() if one.number == "01")
    camera = Camera(story.pictures.feeds.stream(story.camera, "main"))
    camera.began_us = us_from_at(story.clock.at)
    request = {"camera": story.camera, "act": "live", "stream": "main"}
    async with (
        story.running.person("operateur") as lent,
        story.running.browser() as police,
        story.pictures.screen() as first,
        story.pictures.screen() as second,
    ):
        assert (await police.log_in("e.petit", password=story.passwords["e.petit"])).status_code == 200
        (result,) = await lent.tickets(request)
        assert datetime.fromisoformat(result["not_after"]) == midnight
        camera.publish(25)
        seen = await first.open(result["ticket"])
        await first.pictures(seen, 20)
        (result,) = await police.tickets(request)
        channel = await second.open(result["ticket"])
        await second.pictures(channel, 20)
        story.clock.at = midnight
        assert (await first.told("closed"))["code"] == "RIGHT_ENDED", "nobody had to say so"
        camera.publish(25)
        await second.pictures(channel, 40)
        await story.renewer.run_once()
        camera.publish(25)
        await second.pictures(channel, 60)
        assert len(first.fragments(seen)) <= 25, "of what came after midnight nothing"
        (refused,) = await lent.tickets(request)
        assert refused["refused"]["code"] == "CONVENTION_MISSING"
        await story.day_ends()
        looks = [one for one in await story.running.journal() if one["op"].startswith("picture:")]
        of_lent = [one for one in looks if one["author"] == "Opérateur"]
        assert sorted(f"{one['op']} {one['result']} {one['code']}" for one in of_lent) == [
            "picture:closed noted None",
            "picture:live done None",
            "picture:live refused CONVENTION_MISSING",
            "picture:opened noted None",
        ]
        async with story.running.person("auditeur") as auditor:
            hour = {"from": iso(midnight - timedelta(hours=1)), "to": iso(midnight + timedelta(hours=1))}
            told = (await auditor.get("/api/journal/looks", **hour)).json()["looks"]
        assert {one["author"]: (one["reason"], one["ended_at"] is None) for one in told} == {
            "Opérateur": ("RIGHT_ENDED", False),
            "Élise Petit": (None, True),
        }


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be another user")
async def test_a_program_of_another_user_is_refused_at_the_gateways_socket_and_told(story: Story) -> None:
    paths = story.running.centre.settings.paths
    paths.run.chmod(0o711)
    paths.gateway_socket.chmod(0o666)
    for _ in range(2):
        stranger = multiprocessing.get_context("fork").Process(target=knock, args=(paths.gateway_socket,))
        stranger.start()
        await asyncio.to_thread(stranger.join, 90)
        assert stranger.exitcode == 0, "the connection was ended without an answer"
    story.clock.advance(seconds=10)  # refusals are told each ten seconds
    events: list[dict[str, Any]] = []
    async with asyncio.timeout(90), story.running.person("administrateur") as administrator:
        while not events:
            await story.spool.run_once()
            events = (await administrator.get("/api/security")).json()["events"]
    assert [(one["code"], one["count"], one["login"]) for one in events] == [("PEER_REFUSED", 2, None)]
    assert events[0]["label"] == "Programme refusé à une prise interne"
    await story.renewer.run_once()  # who may ask is still answered


def knock(path: Path) -> None:
    """As nobody, ask what was served; ends with 0 when nothing is answered."""
    os.chdir(path.parent)
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
    with socket.socket(socket.AF_UNIX) as asking:
        asking.settimeout(60)
        asking.connect(path.name)
        try:
            asking.sendall(b'{"op":"spool","after":0,"limit":10}\n')
            answer = asking.recv(1000)
        except ConnectionError:  # it was ended before we asked
            answer = b""
    os._exit(0 if answer == b"" else 1)
