"""What an auditor says of an anomaly: kept with who and when, journalled, gone when the finding has grown."""

from datetime import timedelta
from typing import Any

import psycopg
import pytest
from centre_support import START, Browser, Running
from looks_support import authors, known_cameras, look, write
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from csu.audit.prune import prune
from csu.settings import Database
from legal.motifs import Motif

PERIOD = {"from": "2026-11-23T00:00:00Z", "to": "2026-11-24T00:00:00Z"}
ADDRESS = "/api/journal/anomalies/seen?from=2026-11-23T00:00:00Z&to=2026-11-24T00:00:00Z"
HOUR = timedelta(hours=1)


@pytest.fixture
async def day(centre: Running) -> Running:
    """Over an hour on one camera alone."""
    by_login, cameras = await authors(centre), await known_cameras(centre)
    await write(centre, look(by_login["operateur"], cameras["01"], START - 5 * HOUR, 75))
    return centre


async def found(person: Browser) -> list[dict[str, Any]]:
    answer = await person.get("/api/journal/anomalies", **PERIOD)
    assert answer.status_code == 200, answer.text
    anomalies: list[dict[str, Any]] = answer.json()["anomalies"]
    return anomalies


async def mark(person: Browser, anomaly: str, comment: str = "Accident, intervention 2026-417") -> tuple[int, Any]:
    answer = await person.post(ADDRESS, {"anomaly": anomaly, "comment": comment})
    return answer.status_code, answer.json()


async def test_it_is_kept_with_who_and_when_and_is_an_entry(day: Running) -> None:
    async with day.person("auditeur") as auditor, day.person("superviseur") as supervisor:
        (one,) = await found(auditor)
        assert (one["code"], one["seen"]) == ("LONG_ON_ONE_CAMERA", None)
        assert (await mark(supervisor, one["id"]))[1]["code"] == "REGIME_ROLE_FORBIDDEN"
        assert (await mark(auditor, one["id"], "AB-123-CD"))[1]["code"] == "PLATE_FORBIDDEN"
        assert (await mark(auditor, "0" * 32))[1]["code"] == "ANOMALY_CHANGED"
        status, told = await mark(auditor, one["id"])
        expected = {"by": "Auditeur", "at": "2026-11-23T14:30:00Z", "comment": "Accident, intervention 2026-417"}
        assert (status, told) == (201, expected)
        for person in (auditor, supervisor):
            assert [again["seen"] for again in await found(person)] == [expected]
    async with day.person("delegue") as delegate:
        assert [again["seen"] for again in await found(delegate)] == [None]
    marked = [entry for entry in await day.journal() if entry["op"] == "anomaly:see"]
    # All of the same instant: in no order.
    assert len(marked) == 4
    assert {(entry["author"], entry["code"], entry["given"], entry["about"]) for entry in marked} == {
        ("Auditeur", None, expected["comment"], "Longtemps sur une seule caméra, Opérateur"),
        ("Auditeur", "ANOMALY_CHANGED", expected["comment"], None),
        ("Auditeur", "PLATE_FORBIDDEN", None, None),
        ("Superviseur", "REGIME_ROLE_FORBIDDEN", None, None),
    }


async def test_what_has_grown_since_comes_back(day: Running) -> None:
    by_login, cameras = await authors(day), await known_cameras(day)
    async with day.person("auditeur") as auditor:
        (one,) = await found(auditor)
        assert (await mark(auditor, one["id"]))[0] == 201
        await write(day, look(by_login["operateur"], cameras["01"], START - 2 * HOUR, 10))
        (grown,) = await found(auditor)
        assert (grown["count"], grown["seen"]) == (2, None)
        assert (await mark(auditor, one["id"]))[1]["code"] == "ANOMALY_CHANGED"
        assert (await mark(auditor, grown["id"]))[0] == 201
        assert (await found(auditor))[0]["seen"] is not None


async def test_what_is_still_open_is_not_yet_looked_into(centre: Running) -> None:
    by_login, cameras = await authors(centre), await known_cameras(centre)
    opened = look(
        by_login["operateur"], cameras["01"], START - HOUR, None, act="replay", motif=Motif("INTERVENTION", "1")
    )
    await write(centre, opened)
    async with centre.person("auditeur") as auditor:
        told = await found(auditor)
        centre.clock.advance(seconds=1)
        assert {(await mark(auditor, one["id"]))[1]["code"] for one in told} == {"ANOMALY_CHANGED"}


async def test_it_goes_with_the_entries_that_are_over_three_years_old(
    day: Running, database: Database, superuser: str
) -> None:
    async with day.person("auditeur") as auditor:
        assert (await mark(auditor, (await found(auditor))[0]["id"]))[0] == 201
    with psycopg.connect(superuser) as connection:
        connection.execute("UPDATE anomaly_seen SET seen_at = seen_at - interval '4 years'")
    engine = create_async_engine(database.owner_url.get_secret_value())
    try:
        await prune(engine, day.clock())
    finally:
        await engine.dispose()
    async with day.centre.store.transaction(None) as connection:
        assert await connection.scalar(text("SELECT count(*) FROM anomaly_seen")) == 0
        with pytest.raises(Exception, match="permission denied"):
            await connection.execute(text("DELETE FROM anomaly_seen"))
