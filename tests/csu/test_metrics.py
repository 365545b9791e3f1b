"""What a collector reads, with the database and without."""

from dataclasses import replace

import httpx
from centre_support import ORIGIN, Running

from csu.alarms import keeper
from csu.audit.sequencer import sequence
from csu.centre_state import StreamState
from csu.metrics import exposition
from csu.settings import Database
from csu.store.store import Store


def values(text: str) -> dict[str, float]:
    lines = [line.rsplit(" ", 1) for line in text.splitlines() if line.startswith("csu_")]
    return {name: float(value) for name, value in lines}


async def test_what_matters_is_counted(centre: Running) -> None:
    seen = centre.centre.observed
    seen.streams = {("a", "main"): StreamState("recording"), ("a", "sub"): StreamState("live")}
    seen.streams["b", "main"] = StreamState("lost")
    seen.open_leases = [{"act": "live"}, {"act": "live"}]
    await sequence(centre.centre.store)
    async with centre.person("operateur", None):
        pass
    async with centre.centre.store.transaction(None) as connection:
        await keeper.raise_alarm(connection, "recorder", "CAMERA_LOST", "b", "", None, centre.clock())
        await keeper.raise_alarm(connection, "recorder", "INDEX_NEW", "c", "", None, centre.clock())
        await keeper.end_alarm(connection, "recorder", "INDEX_NEW", "c", centre.clock())
    centre.clock.advance(seconds=7)
    async with centre.browser() as browser:
        answer = await browser.get("/metrics")
        assert answer.status_code == 200
        assert "process_cpu_seconds_total" in answer.text
        assert values(answer.text) == {
            'csu_cameras{state="recording"}': 1,
            'csu_cameras{state="lost"}': 1,
            'csu_open_leases{act="live"}': 2,
            'csu_open_leases{act="replay"}': 0,
            'csu_alarms{code="CAMERA_LOST"}': 1,
            "csu_journal_lag_seconds": 7,
            "csu_database_up": 1,
        }


async def test_without_a_database_the_rest_is_told(centre: Running, database: Database) -> None:
    nowhere = dict.fromkeys(Database.model_fields, "postgresql+psycopg://nobody@127.0.0.1:1/none")
    store = Store(Database.model_validate(nowhere))
    told = values((await exposition(replace(centre.centre, store=store))).decode())
    await store.close()
    assert told["csu_database_up"] == 0
    assert "csu_journal_lag_seconds" not in told
    assert 'csu_open_leases{act="live"}' in told


async def test_nothing_is_told_through_a_proxy(centre: Running) -> None:
    async with centre.browser() as browser:
        answer = await browser.http.get("/metrics", headers={"X-Forwarded-For": "192.0.2.1"})
        assert answer.status_code == 404


async def test_nothing_is_told_to_another_machine(centre: Running) -> None:
    transport = httpx.ASGITransport(centre.transport.app, client=("192.0.2.1", 4))
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as http:
        assert (await http.get("/metrics")).status_code == 404
