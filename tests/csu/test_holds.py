"""Holds through the API: from a requisition only, in force when answered, released by two persons."""

from typing import Any

import psycopg
import pytest
from centre_support import Running
from test_releases import FrozenRecorder, people, until

from csu import keys
from csu.audit.heads import HeadSigner
from csu.links.recorder_link import FactsPuller
from recorder.channel import ChannelError, ChannelServer
from recorder.decisions import Hold, Release, verify_hold, verify_release
from recorder.sealed import OrderRefused


class Peer:
    """The recorder's end of the channel: verifies as it does, and answers."""

    def __init__(self, centre: Running) -> None:
        self._keys = keys.load_public(centre.centre.settings.paths.keys, "orders")
        self.holds: list[Hold] = []
        self.releases: list[Release] = []
        self.refusal: str | None = None

    async def answer(self, op: str, fields: dict[str, Any]) -> dict[str, Any]:
        if self.refusal is not None:
            raise ChannelError(self.refusal, "as the test wants")
        try:
            if op == "release":
                self.releases.append(verify_release(fields["envelope"], self._keys))
                return {}
            assert op == "put_hold"
            self.holds.append(verify_hold(fields["envelope"], self._keys))
        except OrderRefused as refused:
            raise ChannelError(refused.code, refused.reason) from refused
        return {"id": self.holds[-1].id, "segments": 2, "bytes": 100, "first": None, "last": None}


CLOSED = {"motif": {"code": "PROCEDURE_CLOSE", "reference": "PV 2026/00418"}}


async def _camera(person: Any) -> str:
    cameras = (await person.get("/api/cameras")).json()["cameras"]
    return str(cameras[0]["id"])


def _body(camera: str, requisition: str = "PV 2026/00417") -> dict[str, str]:
    return {
        "camera": camera,
        "from": "2026-11-23T13:00:00Z",
        "to": "2026-11-23T13:10:00Z",
        "requisition": requisition,
    }


async def test_a_hold_is_put_listed_and_released_by_two(centre: Running) -> None:
    peer = Peer(centre)
    async with (
        ChannelServer(centre.centre.settings.paths.recorder_socket, peer.answer),
        centre.person("superviseur") as supervisor,
        centre.person("administrateur") as administrator,
    ):
        camera = await _camera(supervisor)
        answer = await supervisor.post("/api/holds", _body(camera))
        assert answer.status_code == 201, answer.text
        hold = answer.json()
        assert (hold["segments"], hold["bytes"], hold["from"]) == (2, 100, "2026-11-23T13:00:00Z")
        assert [(h.id, h.camera, h.requisition) for h in peer.holds] == [(hold["id"], camera, "PV 2026/00417")]
        assert [h["id"] for h in (await administrator.get("/api/holds")).json()["holds"]] == [hold["id"]]
        release = f"/api/holds/{hold['id']}/release"
        without = await supervisor.post(release)
        assert (without.status_code, without.json()["code"]) == (422, "MOTIF_REQUIRED")
        proposed = await supervisor.post(release, CLOSED)
        assert (proposed.status_code, proposed.json()["released_at"]) == (200, None)
        again = await supervisor.post(release)
        assert (again.status_code, again.json()["code"]) == (409, "SECOND_PERSON_REQUIRED")
        assert peer.releases == []
        confirmed = await administrator.post(release)
        assert confirmed.status_code == 200, confirmed.text
        assert confirmed.json()["released_at"] is not None
        persons = (supervisor.account["id"], administrator.account["id"])
        assert peer.releases == [Release("hold", hold["id"], persons)]
    operations = [(e["op"], e["result"]) for e in await centre.journal() if e["op"].startswith("hold:")]
    assert sorted(operations) == sorted(
        [
            ("hold:put", "done"),
            ("hold:list", "done"),
            ("hold:release", "done"),
            ("hold:release", "refused"),
            ("hold:release", "refused"),
            ("hold:release", "done"),
        ]
    )


async def test_row_17_what_is_refused_leaves_no_hold_and_an_entry(centre: Running) -> None:
    peer = Peer(centre)
    async with centre.person("superviseur") as supervisor:
        camera = await _camera(supervisor)
        away = await supervisor.post("/api/holds", _body(camera))
        assert (away.status_code, away.json()["code"]) == (503, "RECORDER_UNREACHABLE")
        async with ChannelServer(centre.centre.settings.paths.recorder_socket, peer.answer):
            for requisition, code in (
                ("", "HOLD_WITHOUT_PROCEDURE"),
                ("   ", "HOLD_WITHOUT_PROCEDURE"),
                ("Affaire Dupont", "REFERENCE_REFUSED"),
                ("AB-123-CD", "PLATE_FORBIDDEN"),
                ("plainte de Mme Durand 12", "REFERENCE_REFUSED"),
            ):
                without = await supervisor.post("/api/holds", _body(camera, requisition))
                assert (without.status_code, without.json()["code"]) == (422, code)
            assert peer.holds == []
            peer.refusal = "WINDOW_ERASED"
            erased = await supervisor.post("/api/holds", _body(camera))
            assert (erased.status_code, erased.json()["code"]) == (409, "WINDOW_ERASED")
            backwards = _body(camera) | {"to": "2026-11-23T12:00:00Z"}
            assert (await supervisor.post("/api/holds", backwards)).status_code == 422
        assert (await supervisor.get("/api/holds")).json() == {"holds": []}
    entries = [e for e in await centre.journal() if e["op"] == "hold:put"]
    assert not any(name in str(entries) for name in ("Dupont", "AB-123-CD", "Durand"))
    assert sorted(e["code"] for e in entries) == [
        *["HOLD_WITHOUT_PROCEDURE"] * 2,
        "INVALID",
        "PLATE_FORBIDDEN",
        "RECORDER_UNREACHABLE",
        *["REFERENCE_REFUSED"] * 2,
        "WINDOW_ERASED",
    ]


async def test_row_72_the_elected_learn_of_no_requisition_from_the_journal_either(centre: Running) -> None:
    async with (
        ChannelServer(centre.centre.settings.paths.recorder_socket, Peer(centre).answer),
        centre.person("superviseur") as supervisor,
    ):
        assert (await supervisor.post("/api/holds", _body(await _camera(supervisor)))).status_code == 201
    (told,) = [entry for entry in await centre.journal() if entry["op"] == "hold:put"]
    signing = keys.load_private(centre.centre.settings.paths.keys, "heads")
    await HeadSigner(centre.centre.store, *signing, centre.clock).sign()
    async with centre.person("delegue") as delegate, centre.person("auditeur") as auditor:
        proof = f"/api/journal/{told['leaf']}/proof"
        assert (await auditor.get(proof)).status_code == 200
        assert (await delegate.get(proof)).status_code == 404
        for asked in ({}, {"op": "hold:put"}):
            entries = (await delegate.get("/api/journal", **asked)).json()["entries"]
            assert not [entry for entry in entries if entry["op"].startswith("hold:")]


@pytest.mark.usefixtures("patient")
async def test_what_the_recorder_took_while_the_centre_could_not_write_is_listed_told_and_released(
    centre: Running, superuser: str
) -> None:
    """No act without entry, and nothing kept that nobody can release: a real recorder, and a commit that fails."""
    running = FrozenRecorder(centre)
    running.start()
    puller = FactsPuller(centre.centre, running.client)
    try:
        await until(running.is_ready)
        async with people(centre) as (supervisor, administrator):
            camera = await _camera(supervisor)
            window = _body(camera) | {"from": "2099-01-01T00:00:00Z", "to": "2099-01-01T01:00:00Z"}
            with psycopg.connect(superuser, autocommit=True) as connection:
                connection.execute("REVOKE INSERT ON hold FROM csu_app")
                try:
                    assert (await supervisor.post("/api/holds", window)).status_code == 500
                finally:
                    connection.execute("GRANT INSERT ON hold TO csu_app")
            assert (await supervisor.get("/api/holds")).json() == {"holds": []}
            await puller.run_once()
            (hold,) = (await supervisor.get("/api/holds")).json()["holds"]
            assert (hold["camera"], hold["requisition"]) == (camera, window["requisition"])
            release = f"/api/holds/{hold['id']}/release"
            assert (await supervisor.post(release, CLOSED)).status_code == 200
            assert (await administrator.post(release)).json()["released_at"] is not None
            assert (await running.client.call("holds"))["holds"] == []
            await puller.run_once()
        entries = [e for e in await centre.journal() if e["op"] in ("hold:taken", "hold:freed")]
        assert [(e["op"], e["camera"], e["author"]) for e in entries] == [
            ("hold:freed", camera, "Enregistreur"),
            ("hold:taken", camera, "Enregistreur"),
        ]
        async with centre.person("delegue") as delegate:
            told = (await delegate.get("/api/journal")).json()["entries"]
            assert not [entry for entry in told if entry["op"].startswith("hold:")]
    finally:
        running.client.close()
        running.stop()
