"""A camera's retention and the register of legal bases: both take two persons, and what the law refuses is refused."""

from datetime import timedelta
from typing import Any

import psycopg
import pytest
from centre_support import START, Browser, Running
from test_interruptions import camera_of
from test_proposals import address, journalled

from csu.cameras.secrets import SecretBox
from csu.links import orders
from csu.settings import Database


async def kept(centre: Running) -> list[int]:
    """What the recorder is told of its cameras."""
    box = SecretBox(centre.centre.settings.paths.keys)
    told = await orders.current(centre.centre.store, box, centre.clock())
    return sorted(order.retention_days for order in told.cameras)


CHOSEN = {"code": "COMMUNE", "reference": "DEL 2026-12"}


async def propose(person: Browser, camera: str, days: int) -> Any:
    return await person.post(f"/api/cameras/{camera}/retention", {"days": days, "motif": CHOSEN})


async def test_a_retention_is_shortened_by_two_within_the_arrete(centre: Running, database: Database) -> None:
    async with centre.person("superviseur") as supervisor, centre.person("administrateur") as administrator:
        camera = (await camera_of(supervisor))["id"]
        for days in (16, 32, 45):
            refused = await propose(supervisor, camera, days)
            assert (refused.status_code, refused.json()["code"]) == (422, "RETENTION_TOO_LONG")
        proposed = await propose(supervisor, camera, 7)
        assert proposed.status_code == 201, proposed.text
        twice = await propose(administrator, camera, 6)
        assert (twice.status_code, twice.json()["code"]) == (409, "ALREADY_PROPOSED")
        confirm = f"/api/retentions/{proposed.json()['id']}/confirm"
        alone = await supervisor.post(confirm)
        assert (alone.status_code, alone.json()["code"]) == (409, "SECOND_PERSON_REQUIRED")
        assert await told(administrator, camera) == (15, 15, "Superviseur")
        assert await kept(centre) == [15, 15, 15]
        done = await administrator.post(confirm)
        assert (done.status_code, done.json()["kept"]) == (200, 7)
        assert await told(administrator, camera) == (15, 7, None)
        assert await kept(centre) == [7, 15, 15]
        again = await administrator.post(confirm)
        assert (again.status_code, again.json()["code"]) == (409, "ALREADY_DONE")
        assert centre.centre.orders_wake.is_set()
    assert [row[1] for row in await journalled(centre, "retention:%")] == [
        *["RETENTION_TOO_LONG"] * 3,
        None,
        "ALREADY_PROPOSED",
        "SECOND_PERSON_REQUIRED",
        None,
        "ALREADY_DONE",
    ]
    with psycopg.connect(address(database)) as connection:
        connection.execute("SELECT set_config('csu.communes', '*', true)")
        with pytest.raises(psycopg.errors.CheckViolation):
            connection.execute("UPDATE camera SET kept_days = 3")


async def test_a_retention_is_changed_for_a_coded_motif_with_a_number(centre: Running) -> None:
    async with centre.person("superviseur") as supervisor, centre.person("administrateur") as administrator:
        path = f"/api/cameras/{(await camera_of(supervisor))['id']}/retention"
        for motif in (
            None,
            {"code": "COMMUNE"},
            {"code": "INTERVENTION", "reference": "2026-12"},
            CHOSEN | {"code": "?"},
        ):
            answer = await supervisor.post(path, {"days": 7, "motif": motif})
            assert (answer.status_code, answer.json()["code"]) == (422, "MOTIF_REQUIRED")
        proposed = (await supervisor.post(path, {"days": 7, "motif": CHOSEN})).json()
        assert proposed["reason"] == "Décision de la commune, DEL 2026-12"
        assert (await administrator.post(f"/api/retentions/{proposed['id']}/confirm")).status_code == 200
    done = [e for e in await centre.journal() if e["op"].startswith("retention:") and e["result"] == "done"]
    assert {(e["op"], e["motif"], e["motif_reference"]) for e in done} == {
        (op, "Décision de la commune", "DEL 2026-12") for op in ("retention:propose", "retention:confirm")
    }


async def told(person: Browser, camera: str) -> tuple[int, int, str | None]:
    """Authorised, kept, and who proposes."""
    listed = (await person.get("/api/retentions")).json()["retentions"]
    (one,) = [one for one in listed if one["camera"]["id"] == camera]
    return one["authorised"], one["kept"], one["pending"] and one["pending"]["proposed_by"]


async def test_an_arrete_that_changed_meanwhile_is_heeded_when_it_is_confirmed(centre: Running, superuser: str) -> None:
    async with centre.person("superviseur") as supervisor, centre.person("administrateur") as administrator:
        camera = (await camera_of(supervisor))["id"]
        proposed = (await propose(supervisor, camera, 10)).json()
        with psycopg.connect(superuser) as connection:
            connection.execute("UPDATE authorisation_line SET retention_days = 8 WHERE camera = %s", (camera,))
        confirm = f"/api/retentions/{proposed['id']}/confirm"
        refused = await administrator.post(confirm)
        assert (refused.status_code, refused.json()["code"]) == (422, "RETENTION_TOO_LONG")
        with psycopg.connect(superuser) as connection:
            connection.execute("UPDATE authorisation SET suspended_at = %s", (START,))
        refused = await administrator.post(confirm)
        assert (refused.status_code, refused.json()["code"]) == (409, "AUTH_MISSING")


def basis(camera: str, function: str = "DEPOT", days: int = 365) -> dict[str, str]:
    return {
        "camera": camera,
        "function": function,
        "reference": "Décision 2026-12 du président",
        "from": START.isoformat(),
        "to": (START + timedelta(days=days)).isoformat(),
    }


async def test_row_54_nothing_is_registered_for_the_street(centre: Running) -> None:
    async with centre.person("superviseur") as supervisor:
        camera = (await camera_of(supervisor))["id"]
        for function, code in (("DEPOT", "ALGO_NO_LEGAL_BASIS"), ("LAPI", "LAPI_FORBIDDEN")):
            refused = await supervisor.post("/api/legal-bases", basis(camera, function))
            assert (refused.status_code, refused.json()["code"]) == (403, code)
        assert (await supervisor.get("/api/legal-bases")).json() == {"bases": [], "proposed": []}
    assert [row[1] for row in await journalled(centre, "basis:%")] == ["ALGO_NO_LEGAL_BASIS", "LAPI_FORBIDDEN"]


async def test_a_basis_for_a_closed_place_is_registered_by_two_dated_and_ended(centre: Running, superuser: str) -> None:
    async with centre.person("superviseur") as supervisor, centre.person("administrateur") as administrator:
        camera = (await camera_of(supervisor))["id"]
        with psycopg.connect(superuser) as connection:
            connection.execute("UPDATE camera SET regime = 'HORS_CSI' WHERE id = %s", (camera,))
        assert (await supervisor.post("/api/legal-bases", basis(camera, days=0))).json()["code"] == "BASIS_DATES"
        proposed = await supervisor.post("/api/legal-bases", basis(camera))
        assert proposed.status_code == 201, proposed.text
        confirm = f"/api/legal-bases/{proposed.json()['id']}/confirm"
        assert (await supervisor.post(confirm)).json()["code"] == "SECOND_PERSON_REQUIRED"
        listed = (await administrator.get("/api/legal-bases")).json()
        assert ([one["function"] for one in listed["proposed"]], listed["bases"]) == (["DEPOT"], [])
        done = await administrator.post(confirm)
        assert done.status_code == 200, done.text
        assert (await administrator.post(confirm)).json()["code"] == "ALREADY_DONE"
        ended = await supervisor.post(f"/api/legal-bases/{done.json()['id']}/end")
        assert (ended.status_code, ended.json()["ended_at"]) == (200, "2026-11-23T14:30:00Z")
        again = await supervisor.post(f"/api/legal-bases/{done.json()['id']}/end")
        assert (again.status_code, again.json()["code"]) == (409, "ALREADY_DONE")
        # What it was when it was proposed no longer counts when it is confirmed.
        late = (await supervisor.post("/api/legal-bases", basis(camera))).json()
        with psycopg.connect(superuser) as connection:
            connection.execute("UPDATE camera SET regime = 'VOIE_PUBLIQUE' WHERE id = %s", (camera,))
        refused = await administrator.post(f"/api/legal-bases/{late['id']}/confirm")
        assert (refused.status_code, refused.json()["code"]) == (403, "ALGO_NO_LEGAL_BASIS")
    async with centre.person("delegue") as delegate:
        assert len((await delegate.get("/api/legal-bases")).json()["bases"]) == 1
