"""Row 72 at every door of the control plane: the elected and other operators learn of no requisition."""

import json
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from centre_support import START, Browser, Running
from looks_support import authors, known_cameras, look, write
from rights import ENDLESS, IN_FORCE, OWN, filled, prepare, put_right, read_table

from csu import keys
from csu.audit import documents, entries
from csu.audit.entries import SYSTEM, Entry
from csu.audit.heads import HeadSigner
from csu.audit.words import WITHHELD
from csu.clock import iso
from legal.motifs import Motif

HOUR = timedelta(hours=1)
DAY = {"from": iso(START - timedelta(hours=14)), "to": iso(START + timedelta(hours=9))}
REQUISITION = Motif("REQUISITION", "PV 77/418")
OTHER = Motif("INTERVENTION", "2026-417")
# What would tell of a requisition: the numbers of the replay and of the seeded hold, the operations on holds. An
# operator may give the motif and knows its name.
TELLING = (REQUISITION.reference or "", "PV 1", "hold:")
NAMES = ("REQUISITION", "quisition")


def erased(camera: str, cause: str) -> Entry:
    detail = {"cause": cause, "count": 3}
    return Entry("recording:erase", START, SYSTEM, commune="27229", camera=camera, detail=detail)


async def test_row_72_what_dies_with_a_hold_is_not_told_to_the_elected(centre: Running) -> None:
    """That something was kept beyond its deadline tells that it was held."""
    camera = (await known_cameras(centre))["01"].id
    async with centre.centre.store.transaction(None) as connection:
        await entries.append(connection, [erased(camera, cause) for cause in ("deadline", "released")])
    assert len([entry for entry in await centre.journal() if entry["op"] == "recording:erase"]) == 2
    async with centre.person("delegue") as delegate:
        told = (await delegate.get("/api/journal", op="recording:erase")).json()["entries"]
        assert len(told) == 1
        rows = (await delegate.get("/api/journal.csv", op="recording:erase")).text
        assert len(rows.splitlines()) == 2


@pytest.fixture
async def day(centre: Running) -> Running:
    """Two replays of one camera by one agent at one moment, alike but for what they were for; and a live look."""
    operator, camera = (await authors(centre))["operateur"], (await known_cameras(centre))["01"]
    await write(
        centre,
        look(operator, camera, START - HOUR, 5, act="replay", motif=REQUISITION),
        look(operator, camera, START - HOUR, 5, act="replay", motif=OTHER),
        look(operator, camera, START - HOUR / 2, 5),
    )
    async with centre.person("operateur") as person:
        window = {"from": "2026-11-23T13:00:00Z", "to": "2026-11-23T13:10:00Z"}
        for motif in (REQUISITION, OTHER):
            given = {"code": motif.code, "reference": motif.reference}
            (answer,) = await person.tickets({"camera": camera.id, "act": "replay", "motif": given, **window})
            assert "ticket" in answer
    signing = keys.load_private(centre.centre.settings.paths.keys, "heads")
    await HeadSigner(centre.centre.store, *signing, centre.clock).close()
    return centre


def alike(rows: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Rows by operation or act, without what only counts them."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(row.get("op", row.get("act", "")), []).append(
            {name: value for name, value in row.items() if name != "leaf"}
        )
    return found


async def test_row_72_a_requisitions_replay_reads_as_any_other(day: Running) -> None:
    async with day.person("delegue") as delegate:
        entries = (await delegate.get("/api/journal", limit=200)).json()["entries"]
        replays = [one for one in entries if one["motif"] == WITHHELD]
        by_op = alike(replays)
        assert {op: len(rows) for op, rows in by_op.items()} == {
            "picture:replay": 2,
            "picture:opened": 2,
            "picture:served": 2,
            "picture:closed": 2,
        }
        assert all(first == second for first, second in by_op.values())
        looks = (await delegate.get("/api/journal/looks", **DAY)).json()["looks"]
        first, second = alike(looks)["replay"]
        assert first == second
        assert (first["motif"], first["motif_reference"]) == (WITHHELD, None)
        assert [one["motif"] for one in looks if one["act"] == "live"] == [
            "Prévention des atteintes aux personnes et aux biens"
        ]
        assert (await delegate.get("/api/journal/statistics", **DAY)).json()["agents"][0]["replay"] == 2


async def test_row_72_no_filter_finds_what_is_withheld(day: Running) -> None:
    async with day.person("delegue") as delegate, day.person("auditeur") as auditor:
        for motif in (REQUISITION, OTHER):
            for asked in ({"motif": motif.code}, {"reference": motif.reference}):
                assert (await delegate.get("/api/journal", **asked)).json()["entries"] == []
                assert (await delegate.get("/api/journal.csv", **asked)).content.count(b"\r\n") == 1
                assert len((await auditor.get("/api/journal", **asked)).json()["entries"]) == 4
        assert len((await delegate.get("/api/journal", motif="SECURITE")).json()["entries"]) == 3
        told = (await delegate.get("/api/journal/persons")).json()
        assert {one["code"] for one in told["motifs"]}.isdisjoint({motif.code for motif in (REQUISITION, OTHER)})
        assert not [one for one in told["ops"] if one["op"].startswith("hold:")]


async def test_row_72_the_leaf_is_proved_without_its_entry(day: Running) -> None:
    public = keys.load_public(day.centre.settings.paths.keys, "heads")
    async with day.person("delegue") as delegate, day.person("auditeur") as auditor:
        entries = (await auditor.get("/api/journal", limit=200, op="picture:replay")).json()["entries"]
        for entry in entries:
            address = f"/api/journal/{entry['leaf']}/proof"
            withheld, whole = (await delegate.get(address)).json(), (await auditor.get(address)).json()
            assert (withheld["kind"], whole["kind"]) == ("leaf", "inclusion")
            assert not {"entry", "salt"} & set(withheld)
            assert documents.check(withheld, public) == documents.check(whole, public) == []
            assert withheld["proof"] == whole["proof"]
            forged = withheld | {"hash": "00" * 32}
            assert documents.check(forged, public) == ["the entry is not that leaf of the signed tree"]
        opened = (await delegate.get("/api/journal", op="picture:opened")).json()["entries"]
        live = next(one for one in opened if one["motif"] != WITHHELD)
        assert (await delegate.get(f"/api/journal/{live['leaf']}/proof")).json()["kind"] == "inclusion"


async def test_row_72_no_anomaly_tells_of_a_number(centre: Running) -> None:
    operator, camera = (await authors(centre))["operateur"], (await known_cameras(centre))["01"]
    week = {"from": iso(START - timedelta(days=6)), "to": iso(START)}
    for days in range(5):
        at = START - timedelta(days=days) - HOUR
        await write(centre, look(operator, camera, at, 5, act="replay", motif=REQUISITION))
    async with centre.person("auditeur") as auditor, centre.person("delegue") as delegate:
        told = (await auditor.get("/api/journal/anomalies", **week)).json()
        assert [one["reference"] for one in told["anomalies"]] == [REQUISITION.reference]
        told = (await delegate.get("/api/journal/anomalies", **week)).json()
        assert told["anomalies"] == []
        assert {"NUMBER_REUSED", "REPLAY_WITHOUT_NUMBER"}.isdisjoint({rule["code"] for rule in told["rules"]})


@pytest.mark.parametrize(("login", "telling"), [("delegue", TELLING + NAMES), ("vernon", TELLING)])
async def test_row_72_no_address_tells_of_a_requisition(
    day: Running, superuser: str, login: str, telling: tuple[str, ...]
) -> None:
    """Every address that is read, with the rows of both communes in every table."""
    await prepare(day, superuser)
    asked = sorted(path for method, path in read_table() if method == "GET" and path != ENDLESS)
    with psycopg.connect(superuser, autocommit=True) as connection:
        put_right(connection, login, IN_FORCE, day.clock())
        addresses = [filled(connection, path, commune) for path in asked for commune in (OWN, "27681")]
    async with day.person("auditeur") as auditor:
        assert "PV 1" in await whole(auditor, addresses), "what is looked for is there"
    async with day.person(login) as person:
        told = await whole(person, addresses)
    assert [word for word in telling if word in told] == []


async def whole(person: Browser, addresses: list[str]) -> str:
    """All that a person is told by these addresses."""
    answers = [await person.http.get(address) for address in addresses]
    assert not [one for one in answers if one.status_code >= 500 and one.json()["code"] != "RECORDER_UNREACHABLE"]
    return "\n".join(json.dumps(one.json(), ensure_ascii=False) if "json" in one.headers["content-type"] else one.text
                     for one in answers if one.status_code == 200)  # fmt: skip
