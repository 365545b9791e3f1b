"""Instants that no calendar of ours reaches, given wherever a route takes one: refused with a code, and nothing breaks.

PostgreSQL stores years that Python can't read back: such an instant in an entry would stop the journal for good.
"""

from typing import Any

import pytest
from centre_support import Browser, Running

from csu.audit.sequencer import sequence

# In UTC the year 0, and the year 10,000; both are instants of RFC 3339.
BOUNDLESS = (
    ("0001-01-01T00:00:00+14:00", "0001-01-01T10:00:00+14:00"),
    ("9999-12-31T20:00:00-14:00", "9999-12-31T23:59:59-14:00"),
)
MOTIF = {"code": "INTERVENTION", "reference": "2026-000417"}
MASK = {"code": "HABITATION", "reference": "2026-117"}


async def _camera(person: Browser) -> str:
    return str((await person.get("/api/cameras")).json()["cameras"][0]["id"])


@pytest.mark.parametrize(("begins", "ends"), BOUNDLESS)
async def test_an_instant_out_of_all_bounds_is_refused_wherever_one_is_given(
    centre: Running, begins: str, ends: str
) -> None:
    period = {"from": begins, "to": ends}
    async with (
        centre.person("operateur") as operator,
        centre.person("superviseur") as supervisor,
        centre.person("administrateur") as administrator,
        centre.person("auditeur") as auditor,
    ):
        camera = await _camera(operator)
        of_camera: dict[str, Any] = {"camera": camera, **period}
        answers = [
            await operator.post("/api/tickets", {"requests": [{**of_camera, "act": "replay", **motif}]})
            for motif in ({}, {"motif": MOTIF})
        ]
        answers += [
            await operator.get(f"/api/cameras/{camera}/timeline", **period),
            await supervisor.post("/api/holds", {**of_camera, "requisition": "PV 2026/00417"}),
            await supervisor.post("/api/interruptions/planned", {**of_camera, "reason": "ENTRETIEN"}),
            await supervisor.post("/api/interruptions/masked", {**of_camera, "motif": MASK}),
            await supervisor.post("/api/legal-bases", {**of_camera, "function": "DEPOT", "reference": "Loi du jour"}),
            await auditor.get(f"/api/persons/{operator.account['id']}/habilitation", camera=camera, at=begins),
            await auditor.get("/api/journal", **period),
            await auditor.get("/api/journal.csv", **period),
            await auditor.get("/api/journal/looks", **period),
            await auditor.get("/api/journal/statistics", **period),
            await auditor.get("/api/journal/anomalies", **period),
            await auditor.get("/api/communes/27229/statements", month=f"{begins[:4]}-12"),
            await auditor.get("/api/communes/27229/coverage", month=f"{begins[:4]}-12"),
        ]
        told = {answer.request.url.path: (answer.status_code, answer.json()["code"]) for answer in answers}
        assert set(told.values()) == {(422, "INVALID"), (422, "OUT_OF_DATES")}, told
        assert (await administrator.get("/api/accounts")).status_code == 200
    await sequence(centre.centre.store)
    assert await centre.journal()
