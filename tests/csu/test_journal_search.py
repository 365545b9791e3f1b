"""The journal searched, put together and taken away: each to the persons and of the communes that it may be."""

import asyncio
import contextlib
import csv
import hashlib
import io
import json
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from centre_support import START, Running, territory
from looks_support import authors, known_cameras, look, refusal, write
from sqlalchemy import text
from test_territory import import_again

from csu import spreadsheet
from csu.accounts import guard
from csu.audit import export, ops, search
from csu.audit.ops import OpClass
from csu.clock import iso
from csu.errors import Refusal
from legal.acts import Act
from legal.motifs import Motif

HOUR = timedelta(hours=1)
DAY = {"from": iso(START - timedelta(hours=14)), "to": iso(START + timedelta(hours=9))}


async def found(centre: Running, login: str = "auditeur", **asked: Any) -> list[dict[str, Any]]:
    async with centre.person(login) as person:
        answer = await person.get("/api/journal", limit=200, **asked)
        assert answer.status_code == 200, answer.text
        entries: list[dict[str, Any]] = answer.json()["entries"]
        return entries


@pytest.fixture
async def day(centre: Running) -> Running:
    """A day at the centre: live pictures of two communes, a replay, an open look, refusals."""
    by_login, cameras = await authors(centre), await known_cameras(centre)
    operator, vernon = by_login["operateur"], by_login["vernon"]
    await write(
        centre,
        look(operator, cameras["01"], START - 3 * HOUR, 20),
        look(operator, cameras["02"], START - 2 * HOUR, 10),
        look(
            vernon,
            cameras["02"],
            START - 2 * HOUR,
            5,
            act="replay",
            motif=Motif("INTERVENTION", "2026-417"),
            stepped=26,
        ),
        look(vernon, cameras["02"], START - HOUR, None),
        [refusal(vernon, cameras["01"], START - HOUR + timedelta(seconds=n)) for n in range(3)],
    )
    return centre


async def test_every_filter_finds_what_it_names(day: Running) -> None:
    cameras = await known_cameras(day)
    vernon = (await authors(day))["vernon"].id
    cases: list[tuple[dict[str, Any], int]] = [
        ({"person": vernon}, 7),
        ({"person": vernon, "camera": cameras["01"].id}, 3),
        ({"commune": "27681", "to": iso(START)}, 7),
        ({"author": "Opérateur"}, 6),
        ({"op": "picture:closed"}, 3),
        ({"class": "consultation", "camera": cameras["02"].id, "to": iso(START)}, 7),
        ({"class": "erasure"}, 0),
        ({"motif": "INTERVENTION"}, 3),
        ({"reference": "2026-417"}, 3),
        ({"result": "refused"}, 3),
        ({"code": "NOT_HABILITE"}, 3),
        ({"from": iso(START - 2 * HOUR), "to": iso(START - HOUR), "op": "picture:opened"}, 2),
    ]
    for asked, count in cases:
        entries = await found(day, **asked)
        assert len(entries) == count, asked
    for wrong in ({"class": "x"}, {"commune": "1"}, {"from": "2026-11-23"}, {"result": "x"}, {"camra": "x"}):
        async with day.person("auditeur") as auditor:
            assert (await auditor.get("/api/journal", **wrong)).status_code == 422


@pytest.mark.parametrize(
    "asked",
    [
        {"reference": "AB-123-CD"},
        {"reference": "Dupont"},
        {"code": "Dupont"},
        {"op": "vu Dupont"},
        {"motif": "AB-123-CD"},
        {"author": "AB-123-CD"},
    ],
)
async def test_no_name_or_plate_enters_the_journal_by_being_searched_for(
    centre: Running, asked: dict[str, str]
) -> None:
    async with centre.person("auditeur") as auditor:
        for door in ("/api/journal", "/api/journal.csv"):
            assert (await auditor.get(door, **asked)).status_code == 422
    async with centre.centre.store.transaction(None) as connection:
        told = await connection.scalar(text("SELECT string_agg(detail || coalesce(reason, ''), ' ') FROM journal"))
        refused = await connection.scalar(text("SELECT count(*) FROM journal WHERE code = 'INVALID'"))
    assert refused == 2
    assert next(iter(asked.values())) not in told


async def test_pages_follow_one_another_in_the_order_of_the_acts(day: Running) -> None:
    """Also where what was told late is older, and where one instant has several entries."""
    async with day.person("auditeur") as auditor:
        whole = (await auditor.get("/api/journal", limit=200, op="picture:opened")).json()["entries"]
        seen: list[Any] = []
        before: dict[str, Any] = {}
        while True:
            page = (await auditor.get("/api/journal", limit=2, op="picture:opened", **before)).json()
            seen += page["entries"]
            if page["next"] is None:
                break
            before = {"before": page["next"]}
        assert (await auditor.get("/api/journal", before=10**9)).status_code == 404
    assert seen == whole
    assert [(entry["at"], entry["leaf"]) for entry in seen] == sorted(
        [(entry["at"], entry["leaf"]) for entry in seen], reverse=True
    )


def test_every_operation_has_its_class() -> None:
    """CSI R.253-5 names five; what is about a session only has none."""
    without = {op for op in ops.LABELS if ops.class_of(op) is None}
    assert all(op.startswith(("session:", "event:", "password:")) for op in without)
    assert {str(one): len(ops.ops_of(one)) > 0 for one in OpClass} == dict.fromkeys(map(str, OpClass), True)
    assert ops.class_of("recording:erase") is OpClass.ERASURE
    assert ops.class_of("journal:export") is OpClass.COMMUNICATION
    assert ops.class_of("convention:suspend") is OpClass.MODIFICATION
    assert ops.class_of("picture:replay") is OpClass.CONSULTATION
    assert ops.class_of("recording:start") is OpClass.COLLECTION


async def test_looks_tell_who_watched_what_and_what_was_served(day: Running) -> None:
    async with day.person("auditeur") as auditor:
        answer = (await auditor.get("/api/journal/looks", **DAY)).json()
        assert not answer["is_cut"]
        looks = answer["looks"]
        assert [one["ended_at"] is None for one in looks] == [True, False, False, False]
        first = looks[-1]
        assert (first["author"], first["camera_name"], first["act"], first["reason"]) == (
            "Opérateur",
            "01 Place",
            "live",
            "VIEWER_LEFT",
        )
        # Two parts a second apart are one interval: from the first picture to the last.
        assert [(one["from"], one["to"]) for one in first["served"]] == [(first["begun_at"], first["ended_at"])]
        assert (first["frames"], first["bytes"]) == (100, 2000)
        assert (first["page_says_stepped"], first["page_says_stepped_in"]) == (0, [])
        assert (await auditor.get(f"/api/journal/{first['leaf']}/proof")).status_code == 409  # not yet signed
        (replay,) = [one for one in looks if one["act"] == "replay"]
        assert (replay["motif"], replay["motif_reference"]) == ("Intervention en cours ou récente", "2026-417")
        # What the page says stands beside what was served, and alters nothing of it.
        assert (replay["frames"], replay["bytes"], replay["page_says_stepped"]) == (100, 2000, 52)
        begun_at = datetime.fromisoformat(replay["begun_at"])
        halves = begun_at, begun_at + timedelta(minutes=2.5, seconds=1)
        assert [
            (datetime.fromisoformat(one["from"]), datetime.fromisoformat(one["to"]))
            for one in replay["page_says_stepped_in"]
        ] == [(half, half + timedelta(seconds=1)) for half in halves]
        vernon = (await authors(day))["vernon"].id
        assert len((await auditor.get("/api/journal/looks", **DAY, person=vernon)).json()["looks"]) == 2
        # A look counts for every period that it touches, and for no other.
        at = START - 3 * HOUR + timedelta(minutes=10)
        inside = {"from": iso(at), "to": iso(at + timedelta(minutes=1))}
        assert len((await auditor.get("/api/journal/looks", **inside)).json()["looks"]) == 1
        after = {"from": iso(at + timedelta(minutes=15)), "to": iso(at + timedelta(minutes=20))}
        assert (await auditor.get("/api/journal/looks", **after)).json()["looks"] == []
        long = {"from": iso(START - timedelta(days=40)), "to": iso(START)}
        assert (await auditor.get("/api/journal/looks", **long)).json()["code"] == "PERIOD_TOO_LONG"
        back = {"from": DAY["to"], "to": DAY["from"]}
        assert (await auditor.get("/api/journal/looks", **back)).json()["code"] == "INVALID"


async def test_statistics_add_up(day: Running) -> None:
    async with day.person("auditeur") as auditor:
        told = (await auditor.get("/api/journal/statistics", **DAY)).json()
        by_name = {one["name"]: (one["live"], one["replay"], one["seconds"]) for one in told["agents"]}
        assert by_name == {"Opérateur": (2, 0, 30 * 60), "Police de Vernon": (1, 1, 5 * 60 + 3600)}
        assert {one["name"]: one["seconds"] for one in told["communes"]} == {
            "Vernon": 15 * 60 + 3600,
            "Évreux": 20 * 60,
        }
        for name in ("agents", "cameras", "communes", "hours"):
            assert sum(one["seconds"] for one in told[name]) == 35 * 60 + 3600
        assert len(told["hours"]) == 24
        assert {one["name"]: one["live"] + one["replay"] for one in told["hours"] if one["seconds"]} == {
            "12 h": 1,
            "13 h": 2,
            "14 h": 1,
        }
        assert told["refusals"] == [{"code": "NOT_HABILITE", "reason": "Refusé.", "count": 3}]
        # The seconds are those within the period.
        half = {"from": iso(START - 3 * HOUR + timedelta(minutes=15)), "to": iso(START - 2 * HOUR)}
        (agent,) = (await auditor.get("/api/journal/statistics", **half)).json()["agents"]
        assert (agent["live"], agent["seconds"]) == (1, 5 * 60)


async def test_anomalies_are_told_with_their_rules(centre: Running) -> None:
    by_login, cameras = await authors(centre), await known_cameras(centre)
    operator, vernon = by_login["operateur"], by_login["vernon"]
    elsewhere = (await authors(centre, "poste 2"))["vernon"]
    await write(
        centre,
        look(operator, cameras["01"], START - 3 * HOUR, 90),
        look(vernon, cameras["02"], START - 2 * HOUR, 10, act="replay", motif=Motif("INTERVENTION", "000")),
        look(elsewhere, cameras["02"], START - 2 * HOUR, 10),
        [refusal(vernon, cameras["01"], START - HOUR + timedelta(seconds=n)) for n in range(20)],
    )
    async with centre.person("auditeur") as auditor:
        told = (await auditor.get("/api/journal/anomalies", **DAY)).json()
        assert {rule["code"] for rule in told["rules"]} >= {one["code"] for one in told["anomalies"]}
        assert {(one["code"], one["author_name"], one["camera_name"]) for one in told["anomalies"]} == {
            ("LONG_ON_ONE_CAMERA", "Opérateur", "01 Place"),
            ("REPLAY_WITHOUT_NUMBER", "Police de Vernon", "02 Place"),
            ("TWO_POSTS", "Police de Vernon", None),
            ("MANY_REFUSALS", "Police de Vernon", None),
        }


async def test_the_elected_learn_of_their_own_commune_only(day: Running) -> None:
    async with day.person("delegue") as delegate:
        looks = (await delegate.get("/api/journal/looks", **DAY)).json()["looks"]
        assert {one["commune"] for one in looks} == {"27229"}
        foreign = (await delegate.get("/api/journal/looks", **DAY, commune="27681")).json()["looks"]
        assert foreign == []
        told = (await delegate.get("/api/journal/statistics", **DAY)).json()
        assert [one["name"] for one in told["communes"]] == ["Évreux"]
        assert told["refusals"] == [{"code": "NOT_HABILITE", "reason": "Refusé.", "count": 3}]
        known = (await delegate.get("/api/journal/persons")).json()
        assert [one["name"] for one in known["communes"]] == ["Évreux"]
        assert [one["name"] for one in known["persons"]] == ["Délégué", "Opérateur"]
        rows = read_csv((await delegate.get("/api/journal.csv")).content)
        assert {row["commune"] for row in rows} == {"27229"}
    async with day.person("operateur") as operator:
        for path in ("/api/journal/looks", "/api/journal/statistics", "/api/journal/anomalies", "/api/journal.csv"):
            assert (await operator.get(path, **DAY)).json()["code"] == "REGIME_ROLE_FORBIDDEN"


def read_csv(content: bytes) -> list[dict[str, str]]:
    text = content.decode()
    assert text.startswith(spreadsheet.MARK)
    return list(csv.DictReader(io.StringIO(text.removeprefix(spreadsheet.MARK)), delimiter=";"))


async def test_the_file_holds_what_the_filter_finds_and_leaves_an_entry(day: Running) -> None:
    async with day.person("auditeur") as auditor:
        answer = await auditor.get("/api/journal.csv", commune="27681", op="picture:closed")
        assert answer.headers["content-type"].startswith("text/csv")
        assert answer.headers["content-disposition"] == 'attachment; filename="journal-20261123-143000.csv"'
        rows = read_csv(answer.content)
    assert [(row["auteur"], row["nature"], row["caméra"]) for row in rows] == [
        ("Opérateur", "consultation", "02 Place"),
        ("Police de Vernon", "consultation", "02 Place"),
    ]
    assert rows[0]["date"] == "2026-11-23 13:40:00+01:00"
    says = "images parcourues pas à pas (selon la console)"
    assert [(row["images servies"], row["octets servis"], row[says]) for row in rows] == [
        ("50", "1000", "0"),
        ("50", "1000", "26"),
    ]
    await day.journal()
    told = await found(day, **{"class": "communication"})
    assert {(e["op"], e["result"]) for e in told} == {("journal:export", "done"), ("journal:exported", "noted")}
    assert [(e["author"], e["recipients"]) for e in told] == [("Auditeur", ["Auditeur"])] * 2
    assert await exported(day) == [2]


async def test_a_long_file_comes_whole_and_once(centre: Running) -> None:
    """More than two pages, thousands of entries of one instant."""
    by_login, cameras = await authors(centre), await known_cameras(centre)
    refusals = [refusal(by_login["vernon"], cameras["01"], START - HOUR) for _ in range(2500)]
    await write(centre, refusals)
    async with centre.person("auditeur") as auditor:
        rows = read_csv((await auditor.get("/api/journal.csv", result="refused")).content)
    leaves = [int(row["n°"]) for row in rows]
    assert len(leaves) == len(set(leaves)) == 2500
    assert leaves == sorted(leaves, reverse=True)


async def test_a_file_breaks_off_when_the_session_ends(centre: Running) -> None:
    by_login, cameras = await authors(centre), await known_cameras(centre)
    await write(centre, [refusal(by_login["vernon"], cameras["01"], START - HOUR) for _ in range(1500)])
    async with centre.person("auditeur") as auditor:
        token = auditor.http.cookies[centre.centre.cookie_name]
        session = await guard._session(centre.centre, token, centre.clock())
        visit = guard.Visit(centre.centre, Act.JOURNAL_EXPORT, session, token, centre.clock())
        pages = export.pages(visit, search.readable(visit))
        assert (await anext(pages)).decode().startswith(spreadsheet.MARK)
        assert (await anext(pages)).count(b"\r\n") == 1000
        assert (await auditor.send("DELETE", "/api/session")).status_code in (200, 204)
        with pytest.raises(Refusal, match="SESSION"):
            await anext(pages)
    assert await exported(centre) == [1000], "the journal tells what left, not what was asked"


async def test_a_file_breaks_off_when_its_post_is_locked(centre: Running) -> None:
    async with centre.person("auditeur") as auditor:
        token = auditor.http.cookies[centre.centre.cookie_name]
        session = await guard._session(centre.centre, token, centre.clock())
        visit = guard.Visit(centre.centre, Act.JOURNAL_EXPORT, session, token, centre.clock())
        pages = export.pages(visit, search.readable(visit))
        await anext(pages)
        assert (await auditor.post("/api/session/lock")).status_code == 200
        with pytest.raises(Refusal, match="SESSION_LOCKED"):
            await anext(pages)


async def test_a_file_breaks_off_when_its_reader_may_read_no_more(centre: Running, superuser: str) -> None:
    async with centre.person("auditeur") as auditor:
        token = auditor.http.cookies[centre.centre.cookie_name]
        session = await guard._session(centre.centre, token, centre.clock())
        visit = guard.Visit(centre.centre, Act.JOURNAL_EXPORT, session, token, centre.clock())
        pages = export.pages(visit, search.readable(visit))
        await anext(pages)
        async with await psycopg.AsyncConnection.connect(superuser) as connection:
            await connection.execute("UPDATE account SET role = 'administrator' WHERE login = 'auditeur'")
        with pytest.raises(Refusal, match="REGIME_ROLE_FORBIDDEN"):
            await anext(pages)


async def test_what_left_is_told_when_its_reader_goes_away(centre: Running) -> None:
    by_login, cameras = await authors(centre), await known_cameras(centre)
    await write(centre, [refusal(by_login["vernon"], cameras["01"], START - HOUR) for _ in range(1500)])
    async with centre.person("auditeur") as auditor:
        token = auditor.http.cookies[centre.centre.cookie_name]
        session = await guard._session(centre.centre, token, centre.clock())
        visit = guard.Visit(centre.centre, Act.JOURNAL_EXPORT, session, token, centre.clock())
        page = asyncio.Event()

        async def read() -> None:
            async with contextlib.aclosing(export.pages(visit, search.readable(visit))) as pages:
                await anext(pages)
                await anext(pages)
                page.set()
                await asyncio.Event().wait()

        reader = asyncio.create_task(read())
        await page.wait()
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader
    assert await exported(centre) == [1000]


async def exported(centre: Running) -> list[int]:
    """How many rows each file of the journal was told to have had, at its end."""
    async with centre.centre.store.transaction(None) as connection:
        told = await connection.scalars(text("SELECT detail FROM journal WHERE op = 'journal:exported'"))
        return [json.loads(detail)["rows"] for detail in told]


async def test_a_file_breaks_off_when_one_of_two_delegations_ends(centre: Running, superuser: str) -> None:
    content = territory()
    second = {**content["habilitation"][-1], "commune": "27681", "reference": "D-2"}
    content["habilitation"].append(second)
    await import_again(centre, content)
    async with centre.person("delegue") as delegate:
        token = delegate.http.cookies[centre.centre.cookie_name]
        session = await guard._session(centre.centre, token, centre.clock())
        visit = guard.Visit(centre.centre, Act.JOURNAL_EXPORT, session, token, centre.clock())
        pages = export.pages(visit, search.readable(visit))
        await anext(pages)
        async with await psycopg.AsyncConnection.connect(superuser) as connection:
            await connection.execute("UPDATE habilitation SET suspended_at = %s WHERE reference = 'D-2'", (START,))
        with pytest.raises(Refusal, match="NOT_HABILITE"):
            await anext(pages)


@pytest.mark.parametrize("cell", ["=1+1", "+33", "-2", "@SUM(A1)", "\t=1", "\r=1", "  =1"])
def test_a_cell_that_would_be_a_formula_is_text(cell: str) -> None:
    (row,) = list(csv.reader(io.StringIO(spreadsheet.lines([[cell, "a;b", 3]])), delimiter=";"))
    assert row == [f"'{cell}", "a;b", "3"]


async def test_searches_go_by_indexes(centre: Running, superuser: str) -> None:
    """With rows enough for the planner to have a choice, none of the filters reads the journal whole."""
    fill = """
        INSERT INTO journal SELECT gen_random_uuid(), timestamptz '2026-01-01' + n * interval '1 minute',
            'picture:' || (ARRAY['live', 'opened', 'served', 'closed'])[1 + n % 4],
            CASE WHEN n % 997 = 0 THEN 'refused' ELSE 'noted' END, NULL, NULL,
            md5((n % 40)::text)::uuid, 'Agent ' || n % 40, 'PM', NULL, '27229', md5((n % 120)::text || 'c')::uuid,
            NULL, NULL, NULL, NULL, CASE WHEN n % 50 = 0 THEN '2026-' || n END, '{}', NULL, NULL,
            '{"act":"live","ticket":"' || n / 4 || '","intervals":[],"frames":1,"bytes":1}', decode(md5(n::text), 'hex')
        FROM generate_series(1, 60000) n"""
    async with await psycopg.AsyncConnection.connect(superuser, autocommit=True) as connection:
        await connection.execute("SET session_replication_role = replica")
        await connection.execute(fill.encode())
        await connection.execute(
            "INSERT INTO journal_leaf SELECT row_number() OVER (ORDER BY at) + 999, id, sha256('') FROM journal"
        )
        await connection.execute("ANALYZE journal, journal_leaf")
        before = await scans(connection)
    agent = str(UUID(hashlib.md5(b"7", usedforsecurity=False).hexdigest()))
    period = {"from": "2026-02-01T00:00:00Z", "to": "2026-02-03T00:00:00Z"}
    async with centre.person("auditeur") as auditor:
        asked: list[tuple[str, dict[str, Any]]] = [
            ("/api/journal", {}),
            ("/api/journal", {"person": agent}),
            ("/api/journal", {"author": "Agent 7"}),
            ("/api/journal", {"op": "picture:closed"}),
            ("/api/journal", {"reference": "2026-150"}),
            ("/api/journal", {"result": "refused", **period}),
            ("/api/journal/looks", period),
            ("/api/journal/looks", period | {"person": agent}),
            ("/api/journal/statistics", period),
            ("/api/journal/anomalies", period),
        ]
        for path, query in asked:
            assert (await auditor.get(path, **query)).status_code == 200
        assert len((await auditor.get("/api/journal", person=agent)).json()["entries"]) == 50
    async with centre.person("delegue") as delegate:
        assert (await delegate.get("/api/journal")).status_code == 200
        assert (await delegate.get("/api/journal/looks", **period)).status_code == 200
    await centre.centre.store.close()
    async with await psycopg.AsyncConnection.connect(superuser, autocommit=True) as connection:
        # A backend tells its counts at its end at the latest.
        gone = "SELECT count(*) = 0 FROM pg_sleep(0.05), pg_stat_activity WHERE usename IN ('csu_app', 'csu_guard')"
        while not (await (await connection.execute(gone)).fetchone() or (False,))[0]:
            pass
        after = await scans(connection)
    assert after[0] == before[0]
    assert after[1] > before[1] + 10


async def scans(connection: psycopg.AsyncConnection[Any]) -> tuple[int, int]:
    """How often the journal was read whole, and how often by an index."""
    await connection.execute("SELECT pg_stat_force_next_flush()")
    told = "SELECT seq_scan, idx_scan FROM pg_stat_user_tables WHERE relname = 'journal'"
    row = await (await connection.execute(told)).fetchone()
    assert row is not None
    return int(row[0]), int(row[1])
