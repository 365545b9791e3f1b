"""Daily signed statements, from the feed of a real recorder's store to the file that a commune verifies."""

import asyncio
import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from centre_support import Running, settings_file
from recorder_support import DAY_US, START_US, packets, record
from sqlalchemy import create_engine
from statements_support import at, camera_ids, linked, recorder, signer, tell

from csu import keys
from csu.audit.sequencer import sequence
from csu.cli import main
from csu.settings import Database
from csu.statements import document
from csu.statements.days import begins_at, ends_at, month_of
from csu.store import migrate as migrating
from csu.store.migrate import migrate
from recorder.accounts import Cause
from recorder.decisions import Hold, Release, sign_hold, sign_release
from recorder.destruction import destroy_due, tell_destroyed
from recorder.format import merkle_root
from recorder.holds import put_hold, release_hold
from streams.ticks import at_from_us, us_from_at

EVREUX, VERNON, ANDELYS, BARE = "27229", "27681", "27016", "27999"
DAY = date(2026, 11, 23)


async def listed(centre: Running, insee: str, month: str = "2026-11", login: str = "auditeur") -> list[dict[str, Any]]:
    """A commune's statements, the newest first."""
    async with centre.person(login) as person:
        answer = await person.get(f"/api/communes/{insee}/statements", month=month)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["statements"]
        return found


async def files_of(centre: Running, insee: str) -> list[dict[str, Any]]:
    """The signed files of all its statements, verified, in their order."""
    public = keys.load_public(centre.centre.settings.paths.keys, "statements")
    numbers = [s["number"] for month in ("2026-11", "2026-12") for s in await listed(centre, insee, month)]
    files = []
    async with centre.person("auditeur") as person:
        for number in sorted(numbers):
            answer = await person.get(f"/api/communes/{insee}/statements/{number}")
            document.read_file(answer.content, public)
            files.append(answer.json())
    return files


async def statements_of(centre: Running, insee: str) -> list[dict[str, Any]]:
    found = [file["statement"] for file in await files_of(centre, insee)]
    assert document.chain_faults(found) == []
    assert [one["number"] for one in found] == list(range(1, len(found) + 1))
    return found


async def test_a_day_is_stated_when_its_facts_are_in(centre: Running, tmp_path: Path, superuser: str) -> None:
    with psycopg.connect(superuser) as connection:
        connection.execute("INSERT INTO commune VALUES (%s, 'Sans caméra', '27', 'Maire')", (BARE,))
    camera = (await camera_ids(centre))["01"]
    signing = signer(centre)
    assert await signing.run_once() == 0
    with recorder(tmp_path) as made:
        record(made.store, camera, packets(25 * 100))
        ((files,),) = made.index.query("SELECT count(*) FROM segment")
        async with linked(centre, made) as puller:
            await puller.run_once()
            centre.clock.at = at("2026-11-24T01:59")
            assert await signing.run_once() == 0
            tell(made, at("2026-11-24T00:01"), camera)
            await puller.run_once()
            assert await signing.run_once() == 0  # the day ended at 23:00 UTC, three hours settle it
            tell(made, at("2026-11-24T00:12"), camera)
            await puller.run_once()
            centre.clock.at = at("2026-11-24T02:00")
            assert await signing.run_once() == 2
            assert await signing.run_once() == 0
    (statement,) = await statements_of(centre, EVREUX)
    (shown,) = statement["cameras"]
    midnight = ends_at(DAY)
    under_orders_us = us_from_at(midnight) - START_US
    assert (statement["day"], statement["missing"], statement["corrects"]) == ("2026-11-23", [], None)
    assert (shown["camera"], shown["destroyed"]) == (camera, [])
    assert shown["coverage"]["expected_us"] == under_orders_us == sum(shown["coverage"]["sums_us"].values())
    assert shown["coverage"]["sums_us"]["recorded"] == 100_000_000
    assert shown["coverage"]["sums_us"]["camera"] == under_orders_us - 100_000_000
    assert shown["inventory"]["oldest"] == at_from_us(START_US).isoformat(timespec="microseconds").replace(
        "+00:00", "Z"
    )
    assert (shown["inventory"]["files"], shown["inventory"]["overdue"]) == (files, 0)
    (bare,) = await statements_of(centre, BARE)
    assert (bare["cameras"], bare["missing"], bare["totals"]["files"]) == ([], [], 0)
    # Nothing came of the other communes' cameras: after twelve hours their statements say so.
    assert await listed(centre, VERNON) == []
    centre.clock.at = at("2026-11-24T11:00")
    assert await signing.run_once() == 2
    (vernon,) = await statements_of(centre, VERNON)
    second = (await camera_ids(centre))["02"]
    assert vernon["missing"] == [{"camera": second, "what": w} for w in ("coverage", "inventory")]
    signed = [entry for entry in await centre.journal() if entry["op"] == "statement:sign"]
    assert len(signed) == 4


async def test_what_was_destroyed_and_what_is_left(centre: Running, tmp_path: Path) -> None:
    camera = (await camera_ids(centre))["01"]
    signing = signer(centre)
    await signing.run_once()
    with recorder(tmp_path) as made:
        record(made.store, camera, packets(25 * 100))
        hashes = [h for (h,) in made.index.query("SELECT hash FROM segment ORDER BY id")]
        size = made.index.query("SELECT sum(length) FROM segment")[0][0]
        due_us = START_US + 16 * DAY_US
        assert destroy_due(made.store, due_us, due_us) == len(hashes)
        tell_destroyed(made.index, due_us)
        async with linked(centre, made) as puller:
            tell(made, at_from_us(due_us) + timedelta(hours=20), camera)
            await puller.run_once()
            centre.clock.at = at_from_us(due_us) + timedelta(hours=20)
            await signing.run_once()
    found = {one["day"]: one for one in await statements_of(centre, EVREUX)}
    assert sorted(found) == [(DAY + timedelta(days=n)).isoformat() for n in range(17)]
    (shown,) = found["2026-12-09"]["cameras"]
    (destroyed,) = shown["destroyed"]
    assert (destroyed["cause"], destroyed["count"], destroyed["bytes"]) == ("deadline", len(hashes), size)
    assert destroyed["first"] == "2026-11-23T13:40:00.000000Z"
    assert [root["root"] for root in destroyed["roots"]] == [merkle_root(hashes).hex()]
    assert (shown["inventory"]["files"], shown["inventory"]["oldest"]) == (0, None)
    assert found["2026-12-09"]["totals"]["destroyed"] == {
        "count": len(hashes),
        "bytes": size,
        "missing": 0,
        "derived": 0,
    }


async def test_the_elected_learn_of_no_requisition(
    centre: Running, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    camera = (await camera_ids(centre))["01"]
    signing = signer(centre)
    await signing.run_once()
    due_us = START_US + 16 * DAY_US
    orders = keys.load_private(centre.centre.settings.paths.keys, "orders")[1]
    with recorder(tmp_path) as made:
        record(made.store, camera, packets(25 * 100))
        ((count, size),) = made.index.query("SELECT count(*), sum(length) FROM segment")
        begins_at = at_from_us(START_US)
        hold = Hold(str(uuid4()), camera, begins_at, begins_at + timedelta(hours=1), "PV 2026/00417", begins_at)
        put_hold(made.storage, made.index, hold, sign_hold(hold, orders), START_US)
        destroy_due(made.store, due_us, due_us)
        tell(made, at_from_us(due_us) + timedelta(hours=11), camera)
        release = Release("hold", hold.id, (str(uuid4()), str(uuid4())))
        late_us = due_us + DAY_US
        release_hold(made.storage, made.index, release, sign_release(release, orders), late_us)
        destroy_due(made.store, late_us, late_us)
        tell_destroyed(made.index, late_us)
        tell(made, at_from_us(late_us) + timedelta(hours=11), camera)
        async with linked(centre, made) as puller:
            await puller.run_once()
    centre.clock.at = at_from_us(late_us) + timedelta(hours=24)
    await signing.run_once()
    held, released = (await listed(centre, EVREUX, "2026-12"))[1::-1]
    assert (held["day"], held["held"], released["held"]) == ("2026-12-09", count, 0)
    public, written = keys.load_public(centre.centre.settings.paths.keys, "statements"), tmp_path / "statement.json"
    path = f"/api/communes/{EVREUX}/statements"
    async with centre.person("delegue") as delegate, centre.person("auditeur") as auditor:
        for day in (held, released):
            answers = [await person.get(f"{path}/{day['number']}") for person in (delegate, auditor)]
            own, whole = (answer.json() for answer in answers)
            assert own["statement"] == whole["statement"] == document.read_file(answers[1].content, public)
            assert "withheld" not in own
            (shown,) = own["statement"]["cameras"]
            assert shown["destroyed"] == []
            assert (shown["inventory"]["files"], shown["inventory"]["bytes"], shown["inventory"]["oldest"]) == (
                0,
                0,
                None,
            )
            texts = [(await person.get(f"{path}/{day['number']}/text")).text for person in (delegate, auditor)]
            assert ["RÉSERVÉ" in text for text in texts] == [False, True]
            (kept,) = whole["withheld"]["cameras"]
            assert kept["held"] == (count if day is held else 0)
            assert kept["held_bytes"] == (size if day is held else 0)
            assert [d["cause"] for d in kept["destroyed"]] == ([] if day is held else ["released"])
            # Days with and without a hold look alike to who has no salt.
            assert len(own["statement"]["withheld"]) == 64
            whole["withheld"]["cameras"] = []
            written.write_text(json.dumps(whole))
            key = str(centre.centre.settings.paths.keys / "public" / "statements.pem")
            assert main(["statement", "verify", "--key", key, "--json", str(written)]) == 1
            assert json.loads(capsys.readouterr().out.splitlines()[-1])["faults"][0]["code"] == "WITHHELD"
        lines = (await delegate.get(path, month="2026-12")).json()["statements"]
        assert {line["held"] for line in lines} == {None}
        await sequence(centre.centre.store)
        erased = [
            [entry["op"] for entry in (await person.get("/api/journal", op="recording:erase")).json()["entries"]]
            for person in (delegate, auditor)
        ]
        assert erased == [[], ["recording:erase"]]


async def test_facts_that_come_late_make_a_correction(centre: Running, tmp_path: Path) -> None:
    camera = (await camera_ids(centre))["01"]
    signing = signer(centre)
    await signing.run_once()
    with recorder(tmp_path) as made:
        record(made.store, camera, packets(25 * 20))
        centre.clock.at = at("2026-11-24T11:30")
        await signing.run_once()
        (first,) = await files_of(centre, EVREUX)
        assert len(first["statement"]["missing"]) == 2
        async with linked(centre, made) as puller:
            tell(made, at("2026-11-24T00:12"), camera)
            await puller.run_once()
            assert await signing.run_once() == 1
            # Another index tells the same day again, knowing less: it was added up once.
            made.index.renew(str(uuid4()))
            made.index.put("coverage_day", None)
            made.index.execute("DELETE FROM run")
            made.index.commit()
            tell(made, at("2026-11-24T00:30"), camera)
            await puller.run_once()
            before = await statements_of(centre, EVREUX)
            assert await signing.run_once() == 1  # the same files, counted by two indexes
    again, corrected, twice = await files_of(centre, EVREUX)
    assert again == first
    assert (corrected["statement"]["corrects"], corrected["statement"]["missing"]) == (1, [])
    assert corrected["statement"]["previous"] == document.digest(first["statement"]).hex()
    assert before[1]["cameras"][0]["coverage"] == twice["statement"]["cameras"][0]["coverage"]
    assert (await listed(centre, EVREUX))[0]["number"] == 3


async def test_taken_over_once(centre: Running, tmp_path: Path, superuser: str) -> None:
    camera = (await camera_ids(centre))["01"]
    with recorder(tmp_path) as made:
        record(made.store, camera, packets(25 * 20))
        tell(made, at("2026-11-24T00:12"), camera)
        async with linked(centre, made) as puller:
            await puller.run_once()
            with psycopg.connect(superuser) as connection:  # the centre restored from a backup
                connection.execute("UPDATE feed_cursor SET upto = 0")
                connection.execute("DELETE FROM journal_pending")
                connection.execute("DELETE FROM journal")
            puller._cursors.clear()
            await puller.run_once()
    with psycopg.connect(superuser) as connection:
        counts = "SELECT (SELECT count(*) FROM coverage_day), (SELECT count(*) FROM inventory)"
        assert connection.execute(counts).fetchone() == (1, 1)


async def test_a_day_of_25_hours(centre: Running, tmp_path: Path) -> None:
    day = date(2026, 10, 25)
    camera = (await camera_ids(centre))["01"]
    centre.clock.at = begins_at(day) + timedelta(hours=1)
    signing = signer(centre)
    await signing.run_once()
    with recorder(tmp_path) as made:
        made.store.accounts.gap(camera, us_from_at(begins_at(day)), Cause.PLANNED, "maintenance")
        centre.clock.at = ends_at(day) + timedelta(hours=3)
        tell(made, centre.clock.at, camera)
        async with linked(centre, made) as puller:
            await puller.run_once()
        await signing.run_once()
    (line,) = await listed(centre, EVREUX, "2026-10")
    async with centre.person("delegue") as person:
        path = f"/api/communes/{EVREUX}"
        statement = (await person.get(f"{path}/statements/{line['number']}")).json()["statement"]
        assert (statement["from"], statement["to"]) == ("2026-10-24T22:00:00.000000Z", "2026-10-25T23:00:00.000000Z")
        assert statement["cameras"][0]["coverage"]["sums_us"]["planned"] == 25 * 3_600_000_000
        words = (await person.get(f"{path}/statements/{line['number']}/text")).text
        assert "Journée : 25/10/2026, de 25 heures" in words
        assert "25 h 00 min 00 s attendues ; enregistré 0 h 00 min 00 s (0,00 %), arrêt prévu 25 h 00 min" in words


async def test_the_month_of_a_commune_adds_up_to_100(centre: Running, tmp_path: Path) -> None:
    camera = (await camera_ids(centre))["01"]
    with recorder(tmp_path) as made:
        accounts = made.store.accounts
        begins_us = us_from_at(begins_at(date(2026, 11, 1)))
        accounts.gap(camera, begins_us, Cause.AUTHORISATION, "forbidden")
        accounts.run_started(camera, begins_us + 3 * DAY_US, "A-27229", None)
        accounts.run_ended(camera, begins_us + 20 * DAY_US + 7_777_777, "reset", Cause.NETWORK, "reset")
        tell(made, at("2026-11-24T02:00"), camera)
        async with linked(centre, made) as puller:
            await puller.run_once()
        centre.clock.at = at("2026-11-24T14:00")
        async with centre.person("delegue") as person:
            month = (await person.get(f"/api/communes/{EVREUX}/coverage", month="2026-11")).json()
            table = await person.get(f"/api/communes/{EVREUX}/coverage.csv", month="2026-11")
        assert (month["in_progress"], month["days"], month["days_of_month"]) == (True, 23, 30)
        (line,) = month["cameras"]
        assert (line["number"], line["days"], line["expected_us"]) == ("01", 23, 20 * DAY_US)
        assert line["sums_us"]["recorded"] == 17 * DAY_US + 7_777_777
        assert line["sums_us"]["authorisation"] == 3 * DAY_US
        assert sum(round(share * 100) for share in line["percent"].values()) == 10_000
        assert table.headers["content-disposition"] == 'attachment; filename="enregistrement-27229-2026-11.csv"'
        rows = [row.split(";") for row in table.content.decode("utf-8-sig").splitlines()]
        assert rows[0][:3] == ["mois", "état", "caméra"]
        assert rows[1][:5] == ["2026-11", "en cours", "01", "Place", "23"]
        assert sum(round(float(share.replace(",", ".")) * 100) for share in rows[1][-8:]) == 10_000
        centre.clock.at = at("2026-12-01T14:00")
        async with centre.person("auditeur") as person:
            month = (await person.get(f"/api/communes/{EVREUX}/coverage", month="2026-11")).json()
        assert (month["in_progress"], month["days"], month["cameras"][0]["days"]) == (False, 30, 23)


async def test_a_delegate_reads_the_own_commune_only(centre: Running) -> None:
    signing = signer(centre)
    await signing.run_once()
    centre.clock.at = at("2026-11-24T14:00")
    assert await signing.run_once() == 3
    async with centre.person("delegue") as delegate, centre.person("administrateur") as administrator:
        told = (await delegate.get("/api/statements")).json()["communes"]
        assert told == [{"insee": EVREUX, "name": "Évreux", "last_day": "2026-11-23"}]
        assert len((await administrator.get("/api/statements")).json()["communes"]) == 3
        for path in ("statements", "statements/1", "statements/1/text", "coverage", "coverage.csv"):
            asked = {} if "1" in path else {"month": "2026-11"}
            assert (await delegate.get(f"/api/communes/{EVREUX}/{path}", **asked)).status_code == 200
            assert (await administrator.get(f"/api/communes/{VERNON}/{path}", **asked)).status_code == 200
            for foreign in (VERNON, "99999"):
                answer = await delegate.get(f"/api/communes/{foreign}/{path}", **asked)
                assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")
        for month in ("2026-13", "2026-1", "x"):
            answer = await delegate.get(f"/api/communes/{EVREUX}/coverage", month=month)
            assert (answer.status_code, answer.json()["code"]) == (422, "INVALID")
        assert (await delegate.get(f"/api/communes/{EVREUX}/statements/2")).status_code == 404
    entries = [e for e in await centre.journal() if e["author"] == "Délégué" and e["result"] == "refused"]
    assert {(e["op"], e["code"]) for e in entries} == {
        (op, code)
        for op in ("statement:list", "statement:read", "coverage:read")
        for code in ("OUT_OF_COMMUNE", "UNKNOWN_COMMUNE")
    } | {("statement:read", "NOT_FOUND"), ("coverage:read", "INVALID")}
    read = [e for e in await centre.journal() if (e["op"], e["result"]) == ("statement:read", "done")]
    assert len(read) == 4  # two forms by each; what does not exist was not read


async def test_the_command_shows_and_verifies(
    centre: Running, tmp_path: Path, capsys: pytest.CaptureFixture[str], database: Database
) -> None:
    signing = signer(centre)
    await signing.run_once()
    for day in (24, 25, 26):
        centre.clock.at = at(f"2026-11-{day}T14:00")
        await signing.run_once()
    written = []
    for file in await files_of(centre, EVREUX):
        written.append(tmp_path / f"{file['statement']['number']}.json")
        written[-1].write_text(json.dumps(file, indent=2, ensure_ascii=False))
    key = str(centre.centre.settings.paths.keys / "public" / "statements.pem")

    def verify(*files: Path) -> tuple[int, dict[str, Any]]:
        status = main(["statement", "verify", "--key", key, "--json", *map(str, files)])
        return status, json.loads(capsys.readouterr().out.splitlines()[-1])

    assert verify(*reversed(written)) == (0, {"files": 3, "faults": [], "ok": True})
    status, told = verify(written[0], written[2])
    assert (status, [fault["code"] for fault in told["faults"]]) == (1, ["HOLE"])
    content = written[1].read_text()
    other = tmp_path / "other.json"
    for forged, code in (
        (content.replace('"day": "2026-11-24"', '"day": "2026-11-25"'), "SIGNATURE"),
        (content.replace('"missing": [', '"missing": [], "missing": ['), "INVALID"),
        (content.replace('"kid": "', '"kid": "0'), "KEY_UNKNOWN"),
        (content[:-9], "INVALID"),
        ("[]", "INVALID"),
        ("[" * 100_000, "INVALID"),
        (json.dumps({"statement": [1], "kid": [], "sig": ""}), "KEY_UNKNOWN"),
        (json.dumps({"statement": float("nan"), "kid": "", "sig": ""}), "INVALID"),
    ):
        assert forged != content
        other.write_text(forged)
        status, told = verify(written[0], other)
        assert (status, [fault["code"] for fault in told["faults"]], told["ok"]) == (1, [code], False)
    assert main(["statement", "verify", "--key", str(other), str(written[0])]) == 2
    assert main(["statement", "verify", "--key", key, str(tmp_path / "absent")]) == 2
    settings = centre.centre.settings
    config = str(settings_file(tmp_path, settings.data, database, settings.valkey))
    capsys.readouterr()

    async def show(day: str, *more: str) -> tuple[int, str]:
        words = ["statement", "show", "--config", config, "--commune", EVREUX, "--day", day, *more]
        return await asyncio.to_thread(main, words), capsys.readouterr().out

    status, shown = await show("2026-11-24")
    assert status == 0
    assert "RELEVÉ D'EFFACEMENT ET D'ENREGISTREMENT N° 2" in shown
    assert "MANQUE : l'inventaire de la nuit" in shown
    status, shown = await show("2026-11-24", "--json")
    own = json.loads(content)
    del own["withheld"]  # what is printed may be handed to anybody
    assert (status, json.loads(shown)) == (0, own)
    assert (await show("2026-11-22"))[0] == 1
    assert (await show("hier"))[0] == 2


async def test_a_commune_sees_its_rows_only_and_nobody_alters_a_statement(
    centre: Running, tmp_path: Path, database: Database
) -> None:
    cameras = await camera_ids(centre)
    signing = signer(centre)
    await signing.run_once()
    with recorder(tmp_path) as made:
        for number in ("01", "02"):
            record(made.store, cameras[number], packets(25 * 20))
        destroy_due(made.store, START_US + 16 * DAY_US, START_US + 3_600_000_000)
        tell_destroyed(made.index, START_US + 3_600_000_000)
        tell(made, at("2026-11-24T00:12"), *cameras.values())
        async with linked(centre, made) as puller:
            await puller.run_once()
    centre.clock.at = at("2026-11-24T14:00")
    await signing.run_once()
    centre.clock.at = at("2026-11-25T14:00")
    await signing.run_once()
    with psycopg.connect(database.url.get_secret_value().replace("+psycopg", "")) as connection:
        names = ("coverage_day", "destruction", "inventory", "statement", "statement_due")
        for scope, expected in (("", set()), (VERNON, {VERNON}), ("*", {EVREUX, VERNON})):
            connection.execute("SELECT set_config('csu.communes', %s, true)", (scope,))
            for name in names:
                rows = connection.execute(f"SELECT commune FROM {name}".encode()).fetchall()
                assert {commune for (commune,) in rows} & {EVREUX, VERNON} == expected
        connection.execute("SET LOCAL csu.communes = '27681'")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("INSERT INTO statement_due VALUES ('27229', '2026-01-01')")
        connection.rollback()
        for statement in (
            *(f"{verb} {name}" for name in names[:4] for verb in ("DELETE FROM", "TRUNCATE")),
            "UPDATE statement SET document = ''",
            "UPDATE destruction SET count = 0",
            "UPDATE coverage_day SET expected_us = 0",
            "UPDATE inventory SET overdue = 0",
            "ALTER TABLE statement DISABLE ROW LEVEL SECURITY",
        ):
            connection.execute("SET LOCAL csu.communes = '*'")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement.encode())
            connection.rollback()
    guard = database.guard_url.get_secret_value().replace("+psycopg", "")
    with psycopg.connect(guard) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("SELECT 1 FROM statement")
    with psycopg.connect(database.owner_url.get_secret_value().replace("+psycopg", "")) as connection:
        for name in (*names, "journal", "camera"):
            forced = "SELECT relforcerowsecurity FROM pg_class WHERE relname = %s"
            assert connection.execute(forced, (name,)).fetchone() == (True,)


def test_destructions_of_before_are_carried_over(migrated: Database, superuser: str) -> None:
    name = f"before_{uuid4().hex}"
    with psycopg.connect(superuser, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} OWNER csu_owner".encode())
    owner = migrated.owner_url.get_secret_value().replace("/csu?", f"/{name}?")
    forge = superuser.replace("/csu?", f"/{name}?")
    assert name in owner
    assert name in forge
    engine = create_engine(owner)
    config = Config()
    config.set_main_option("script_location", str(migrating._MIGRATIONS))
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0003")
        connection.commit()
    engine.dispose()
    camera, index = str(uuid4()), str(uuid4())
    detail = {"index": index, "n": 7, "count": 3, "bytes": 900, "cause": "deadline", "missing": 1, "root": "ab" * 32}
    with psycopg.connect(forge) as forging:
        forging.execute("INSERT INTO commune VALUES (%s, 'Évreux', '27', 'Maire')", (EVREUX,))
        forging.execute(
            "INSERT INTO camera VALUES (%s, %s, '01', 'Place', '', 'VOIE_PUBLIQUE', 'native', 0, 'rtsp://c')",
            (camera, EVREUX),
        )
        for op, told in (("recording:erase", detail), ("recording:erase", detail | {"n": 8}), ("recording:day", {})):
            forging.execute(
                "INSERT INTO journal (id, at, op, result, author_name, quality, commune, camera, from_at, to_at,"
                " recipients, detail, salt) VALUES (gen_random_uuid(), '2026-11-23 23:30Z', %s, 'done', 'x', 'x', %s,"
                " %s, '2026-11-08 09:58:10Z', '2026-11-08 10:01:10Z', '{}', %s, %s)",
                (op, EVREUX, camera, json.dumps(told), b"s" * 16),
            )
    migrate(owner)
    with psycopg.connect(forge) as reading:
        rows = reading.execute(
            "SELECT source::text, n, commune, day, extract(epoch FROM hour), count, bytes, cause, missing,"
            " encode(root, 'hex') FROM destruction ORDER BY n"
        ).fetchall()
    assert rows[0] == (
        index,
        7,
        EVREUX,
        date(2026, 11, 24),
        at("2026-11-08T09:00").timestamp(),
        3,
        900,
        "deadline",
        1,
        "ab" * 32,
    )
    assert [row[1] for row in rows] == [7, 8]


def test_a_camera_on_two_disks_is_added_up() -> None:
    def row(source: str, n: int, **fields: Any) -> dict[str, Any]:
        return {
            "source": source,
            "n": n,
            "camera": "c",
            "day": DAY,
            "told_at": at(f"2026-11-24T0{n}:00"),
            **fields,
        }

    counts = {"overdue": 1, "held": 2, "held_bytes": 20, "away": 0}
    inventory = [
        row("a", 1, files=10, bytes=100, oldest_at=at("2026-11-10T00:00"), **counts),
        row("b", 1, files=5, bytes=50, oldest_at=None, **counts),
        row("a", 2, files=99, bytes=99, oldest_at=at("2026-11-01T00:00"), **counts),  # the second of one night
    ]
    gone = {"cause": "deadline", "bytes": 7, "missing": 0, "derived": 1, "root": b"r" * 32}
    times = {"hour": at("2026-11-08T09:00"), "first_at": at("2026-11-08T09:10"), "last_at": at("2026-11-08T09:50")}
    destruction = [row(source, 1, count=count, **gone, **times) for source, count in (("a", 3), ("b", 4))]
    coverage = [
        row(source, hour, expected_us=us, sums_us={"recorded": us}) for source, hour, us in (("b", 2, 9), ("a", 1, 5))
    ]
    commune, cameras = {"insee": EVREUX, "name": "Évreux"}, [{"id": "c", "number": "01", "name": "Place"}]
    told = document.build(commune, DAY, cameras, frozenset("c"), coverage, destruction, inventory)
    again = document.build(commune, DAY, cameras, frozenset("c"), coverage[::-1], destruction[::-1], inventory[::-1])
    assert told == again
    (shown,) = told["cameras"]
    assert (shown["inventory"]["files"], shown["inventory"]["bytes"], shown["inventory"]["overdue"]) == (11, 110, 2)
    assert shown["inventory"]["oldest"] == "2026-11-10T00:00:00.000000Z"
    assert [(one["count"], len(one["roots"]), one["derived"]) for one in shown["destroyed"]] == [(7, 2, 2)]
    assert shown["coverage"]["expected_us"] == 5  # as it was told first
    assert (told["withheld"][0]["held"], told["withheld"][0]["held_bytes"]) == (4, 40)
    assert told["missing"] == []
    partly = document.build(commune, DAY, cameras, frozenset("c"), coverage, [], [inventory[0] | {"away": 1}])
    assert partly["missing"] == [{"camera": "c", "what": "storage"}]


def test_months_and_days_of_paris() -> None:
    assert month_of("2026-02") == (date(2026, 2, 1), date(2026, 2, 28))
    assert month_of("2026-12") == (date(2026, 12, 1), date(2026, 12, 31))
    for wrong in ("2026-13", "2026-1", "202611", "0000-01"):
        with pytest.raises(ValueError):
            month_of(wrong)
    assert ends_at(date(2027, 3, 28)) - begins_at(date(2027, 3, 28)) == timedelta(days=1)  # aware times of one zone
    assert us_from_at(ends_at(date(2027, 3, 28))) - us_from_at(begins_at(date(2027, 3, 28))) == 23 * 3_600_000_000
