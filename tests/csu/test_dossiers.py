"""Authorisations in the centre: a commune joins, each step through the API, clocks, orders, and what import refuses."""

import asyncio
from datetime import date
from typing import Any

import psycopg
import pytest
from centre_support import ANSWERS_FOR, START, Browser, Running, territory
from test_territory import import_again

from csu.alarms.norms import NormKeeper
from csu.cameras.secrets import SecretBox
from csu.centre_state import StreamState
from csu.demo import extended
from csu.links import orders
from csu.store import facts
from csu.territory import dossiers
from csu.territory.clock import DeadlineKeeper
from csu.territory.document import Document, DocumentError
from csu.territory.importing import Importer
from legal import authorisations as law
from legal.authorisations import Dossier, Event, Step
from recorder.orders import CameraOrder

BERNAY = "27056"
TODAY = "2026-11-23"
LINE = {"finalites": ["5"], "retention_days": 15}
ARRETE = {"on": TODAY, "reference": "27-2026-0900", "from": TODAY, "to": "2031-11-23"}


async def commune_joins(
    centre: Running, person: Browser, conventions: tuple[str, ...] = ("IV", "V"), **unlike: Any
) -> str:
    """Bernay with one camera and no authorisation; the camera's id."""
    answer = await person.post("/api/communes", {"insee": BERNAY, "authority": "Maire de Bernay"})
    assert answer.status_code == 201, answer.text
    answer = await person.send("PUT", f"/api/communes/{BERNAY}", ANSWERS_FOR | unlike)
    assert answer.status_code == 200, answer.text
    for kind in conventions:
        answer = await person.post("/api/conventions", convention(kind))
        assert answer.status_code == 201, answer.text
    return await camera_comes(centre)


def convention(kind: str) -> dict[str, Any]:
    partner = {"IV": "Syndicat mixte", "V": "Préfet de l'Eure"}.get(kind, "Gendarmerie")
    return {"commune": BERNAY, "kind": kind, "reference": f"C-{kind}", "partner": partner, "from": "2026-01-01"}


async def camera_comes(centre: Running, **more: Any) -> str:
    camera = {
        "number": "90",
        "commune": BERNAY,
        "name": "Rue",
        "site": "Place",
        "main": "rtsp://127.0.0.1:1/cam/90/main",
        **more,
    }
    data = centre.centre.settings.data
    importer = Importer(centre.centre.store, SecretBox(data / "keys"), data, {}, START)
    await importer.run(Document.model_validate({"camera": [camera]}))
    async with centre.centre.store.facts() as connection:
        known = await facts.cameras(connection)
    return next(one.id for one in known.values() if one.number == camera["number"])


async def drafted(person: Browser, camera: str, **more: Any) -> str:
    lines = more.pop("lines", [LINE | {"camera": camera}])
    answer = await person.post(
        "/api/authorisations", {"commune": BERNAY, "dossier": "Dossier 1", "lines": lines, **more}
    )
    assert answer.status_code == 201, answer.text
    identity: str = answer.json()["id"]
    return identity


async def step(person: Browser, identity: str, path: str, body: Any = None) -> dict[str, Any]:
    answer = await person.post(f"/api/authorisations/{identity}/{path}", body)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def refused(person: Browser, identity: str, path: str, body: Any = None, status: int = 409) -> str:
    answer = await person.post(f"/api/authorisations/{identity}/{path}", body)
    assert answer.status_code == status, answer.text
    code: str = answer.json()["code"]
    return code


async def granted(person: Browser, camera: str, **more: Any) -> str:
    identity = await drafted(person, camera, **more)
    for path in ("deposit", "complete", "opinion"):
        await step(person, identity, path, {"on": TODAY})
    await step(person, identity, "grant", ARRETE)
    return identity


async def in_service(person: Browser, camera: str) -> str:
    identity = await granted(person, camera)
    await step(person, identity, "notify", {"on": TODAY, "service_on": TODAY})
    assert (await step(person, identity, "activate"))["state"] == "ACTIVE"
    return identity


async def order_of(centre: Running, camera: str) -> CameraOrder | None:
    box = SecretBox(centre.centre.settings.paths.keys)
    current = await orders.current(centre.centre.store, box, centre.clock.at)
    return next((one for one in current.cameras if one.camera == camera), None)


async def live(person: Browser, camera: str) -> str:
    (result,) = await person.tickets({"camera": camera, "act": "live", "stream": "main"})
    return "open" if result.get("ticket") else str(result["refused"]["code"])


async def watcher(supervisor: Browser) -> None:
    """The operator of the tests is designated for Bernay."""
    persons = (await supervisor.get("/api/persons")).json()["persons"]
    account = next(person["id"] for person in persons if person["login"] == "operateur")
    body = {"account": account, "commune": BERNAY, "rights": ["live"], "reference": "H-90"}
    body |= {"signed_by": "Maire de Bernay", "signed_on": TODAY}
    answer = await supervisor.post("/api/habilitations", body | {"from": TODAY, "to": "2031-01-01"})
    assert answer.status_code == 201, answer.text


async def codes(centre: Running, op: str) -> list[str | None]:
    return [entry["code"] for entry in await centre.journal() if entry["op"] == op]


async def test_a_commune_of_the_list_joins_with_what_it_answers_for(centre: Running) -> None:
    async with centre.person("administrateur") as administrator:
        found = (await administrator.get("/api/reference/communes", query="bern")).json()["communes"]
        assert [(one["insee"], one["epci_name"]) for one in found if one["name"] == "Bernay"] == [
            (BERNAY, "CC Intercom Bernay Terres de Normandie")
        ]
        await commune_joins(centre, administrator)
        body = {"name": "Place", "address": "1 place du Marché", "latitude": 49.09, "longitude": 0.6}
        assert (await administrator.send("PUT", f"/api/communes/{BERNAY}/sites", body)).status_code == 200
        communes = (await administrator.get("/api/territory")).json()["communes"]
        bernay = next(one for one in communes if one["insee"] == BERNAY)
        assert (bernay["name"], bernay["departement"], bernay["population"]) == ("Bernay", "27", 9765)
        assert (bernay["cnil_receipt"], bernay["deliberation"]) == ("CNIL-1", "DEL-2026-17")
        assert {one["kind"] for one in bernay["conventions"]} == {"IV", "V"}
        assert bernay["sites"] == [body]
        again = await administrator.post("/api/communes", {"insee": BERNAY, "authority": "Maire de Bernay"})
        assert (again.status_code, again.json()["code"]) == (409, "CONFLICT")


async def test_an_unknown_insee_code_is_refused(centre: Running) -> None:
    async with centre.person("administrateur") as administrator:
        answer = await administrator.post("/api/communes", {"insee": "27999", "authority": "Maire"})
        assert (answer.status_code, answer.json()["code"]) == (422, "INSEE_UNKNOWN")
        assert "27999" in answer.json()["reason"]
        assert len((await administrator.get("/api/territory")).json()["communes"]) == 3
    assert await codes(centre, "commune:join") == ["INSEE_UNKNOWN"]


async def test_row_01_nothing_is_recorded_or_shown_without_an_authorisation(centre: Running) -> None:
    async with (
        centre.person("administrateur") as administrator,
        centre.person("superviseur") as supervisor,
        centre.person("operateur") as operator,
    ):
        camera = await commune_joins(centre, administrator)
        await watcher(supervisor)
        assert await order_of(centre, camera) is None
        assert await live(operator, camera) == "AUTH_MISSING"
        identity = await granted(administrator, camera)
        assert await order_of(centre, camera) is None
        assert await live(operator, camera) == "AUTH_MISSING"
        await step(administrator, identity, "notify", {"on": TODAY, "service_on": TODAY})
        await step(administrator, identity, "activate")
        order = await order_of(centre, camera)
        assert order is not None
        assert (order.authorisation, order.record_from_at, order.retention_days) == ("27-2026-0900", START, 15)
        assert await live(operator, camera) == "open"
    issued = [entry["about"] for entry in await centre.journal() if entry["op"] == "orders:issue"]
    assert sorted(map(str, issued)) == ["None", "non enregistrées : 90 AUTH_MISSING"]


async def test_row_02_at_its_term_nothing_is_recorded_or_shown(centre: Running) -> None:
    async with centre.person("administrateur") as administrator:
        camera = await commune_joins(centre, administrator)
        identity = await in_service(administrator, camera)
    centre.clock.at = law.start_of(date(2031, 11, 23))
    await DeadlineKeeper(centre.centre).run_once()
    await DeadlineKeeper(centre.centre).run_once()
    order = await order_of(centre, camera)
    assert order is not None
    assert order.record_to_at == centre.clock.at
    async with centre.person("superviseur") as supervisor:
        told = (await supervisor.get("/api/authorisations")).json()["authorisations"]
        (mine,) = [one for one in told if one["id"] == identity]
        assert (mine["state"], mine["steps"]) == ("EXPIREE", [])
        alarms = (await supervisor.get("/api/alarms")).json()["alarms"]
        assert [a["message"] for a in alarms if a["subject"] == "27-2026-0900"] == [
            "Autorisation 27-2026-0900 (Bernay) : expirée. Ses caméras ne sont plus ni enregistrées ni vues."
        ]
    expired = [entry["about"] for entry in await centre.journal() if entry["op"] == "authorisation:expire"]
    assert sorted(expired) == ["27-2026-0900", "A-27016", "A-27229", "A-27681"]


async def test_row_03_silence_is_a_refusal(centre: Running) -> None:
    async with centre.person("administrateur") as administrator:
        camera = await commune_joins(centre, administrator)
        identity = await drafted(administrator, camera)
        await step(administrator, identity, "deposit", {"on": TODAY})
        told = await step(administrator, identity, "complete", {"on": TODAY})
        assert [one["code"] for one in told["deadlines"]] == ["CDV_OPINION", "REFUS_IMPLICITE"]
        await step(administrator, identity, "opinion", {"on": TODAY})
    centre.clock.at = law.start_of(date(2027, 3, 24))
    await DeadlineKeeper(centre.centre).run_once()
    async with centre.person("administrateur") as administrator:
        late = ARRETE | {"on": "2027-03-24", "from": "2027-03-24"}
        assert await refused(administrator, identity, "grant", late) == "STEP_FORBIDDEN"
        assert await refused(administrator, identity, "activate") == "STEP_FORBIDDEN"
        told = (await administrator.get("/api/authorisations")).json()["authorisations"]
        assert next(one for one in told if one["id"] == identity)["state"] == "REFUS_IMPLICITE"
        assert "REFUS_IMPLICITE" in {a["code"] for a in (await administrator.get("/api/alarms")).json()["alarms"]}
    assert await codes(centre, "authorisation:activate") == ["STEP_FORBIDDEN"]


async def test_row_04_a_provisional_one_ends_with_its_event(centre: Running) -> None:
    async with centre.person("administrateur") as administrator:
        camera = await commune_joins(centre, administrator)
        identity = await drafted(administrator, camera, kind="PROVISOIRE")
        await step(administrator, identity, "deposit", {"on": TODAY})
        five = ARRETE | {"to": "2027-04-23"}
        assert await refused(administrator, identity, "grant", five) == "PROVISIONAL_TOO_LONG"
        await step(administrator, identity, "grant", ARRETE | {"to": "2027-03-23"})
        await step(administrator, identity, "notify", {"on": TODAY, "service_on": TODAY})
        assert (await step(administrator, identity, "activate"))["state"] == "PROVISOIRE"
        centre.clock.advance(days=2)
    async with centre.person("administrateur") as administrator:
        told = await step(administrator, identity, "end-event", {"reason": "fin de la manifestation"})
        assert told["state"] == "FIN_EVENEMENT"
        order = await order_of(centre, camera)
        assert order is not None
        assert order.record_to_at == centre.clock.at
    assert set(await codes(centre, "authorisation:grant")) == {None, "PROVISIONAL_TOO_LONG"}


@pytest.mark.parametrize(
    ("unlike", "code"),
    [
        ({"cnil_sent_on": None, "cnil_receipt": None}, "CNIL_ENGAGEMENT_MISSING"),  # row 6
        ({"conventions": ("IV",)}, "CONVENTION_MISSING"),  # row 42
        ({"conventions": ("V", "COORDINATION")}, "CONVENTION_MISSING"),
        ({"deliberation": None, "deliberation_on": None}, "DELIBERATION_MISSING"),
    ],
)
async def test_rows_06_and_42_what_is_missing_keeps_it_out_of_service(
    centre: Running, unlike: dict[str, Any], code: str
) -> None:
    async with centre.person("administrateur") as administrator:
        camera = await commune_joins(centre, administrator, **unlike)
        identity = await granted(administrator, camera)
        told = await step(administrator, identity, "notify", {"on": TODAY, "service_on": TODAY})
        assert told["blocked"]["code"] == code
        assert await refused(administrator, identity, "activate") == code
        assert await order_of(centre, camera) is None
    assert await codes(centre, "authorisation:activate") == [code]


async def test_row_05_the_notice_comes_first(centre: Running) -> None:
    async with centre.person("administrateur") as administrator:
        camera = await commune_joins(centre, administrator)
        identity = await granted(administrator, camera)
        assert await refused(administrator, identity, "activate") == "STEP_FORBIDDEN"
        late = {"on": TODAY, "service_on": "2026-11-22"}
        assert await refused(administrator, identity, "notify", late) == "NOTICE_MISSING"
        told = await step(administrator, identity, "notify", {"on": TODAY, "service_on": "2026-11-25"})
        assert told["blocked"]["code"] == "NOTICE_MISSING"
        assert await refused(administrator, identity, "activate") == "NOTICE_MISSING"
        centre.clock.advance(days=2)
    async with centre.person("administrateur") as administrator:
        assert (await step(administrator, identity, "activate"))["state"] == "ACTIVE"


async def test_two_arretes_put_into_service_at_once_leave_one(centre: Running, superuser: str) -> None:
    async with centre.person("administrateur") as administrator:
        camera = await commune_joins(centre, administrator)
        first = await granted(administrator, camera)
        second = await drafted(administrator, camera, dossier="Dossier 2")
        for path in ("deposit", "complete", "opinion"):
            await step(administrator, second, path, {"on": TODAY})
        await step(administrator, second, "grant", ARRETE | {"reference": "27-2026-0902"})
        for identity in (first, second):
            await step(administrator, identity, "notify", {"on": TODAY, "service_on": TODAY})
        async with centre.centre.store.transaction(None) as connection:
            known = await dossiers.find(connection, first, lock=True)
            assert known is not None
            today = Step(Event.ACTIVATE, law.day_of(centre.clock.at))
            assert await dossiers.take(connection, known, today, centre.clock.at, None) is None
            asked = asyncio.create_task(refused(administrator, second, "activate"))
            async with await psycopg.AsyncConnection.connect(superuser, autocommit=True) as looking:
                while not asked.done() and not await waits(looking):
                    pass
        assert await asked == "AUTH_OVERLAP"


async def waits(looking: psycopg.AsyncConnection[Any]) -> bool:
    """Whether a transaction of the application waits for another."""
    waiting = "usename = 'csu_app' AND wait_event_type = 'Lock'"
    query = f"SELECT count(*) > 0 FROM pg_sleep(0.02), pg_stat_activity WHERE {waiting}"
    row = await (await looking.execute(query.encode())).fetchone()
    return row is not None and bool(row[0])


async def test_row_07_a_change_waits_for_the_amended_arrete(centre: Running) -> None:
    async with centre.person("superviseur") as supervisor:
        camera = await commune_joins(centre, supervisor)
        identity = await in_service(supervisor, camera)
        longer = LINE | {"camera": camera, "retention_days": 20}
        answer = await supervisor.send("PUT", f"/api/authorisations/{identity}/lines", {"lines": [longer]})
        assert (answer.status_code, answer.json()["code"]) == (409, "AUTH_MODIFICATION_REQUIRED")
        body = {"dossier": "Modification 1", "lines": [longer]}
        answer = await supervisor.post(f"/api/authorisations/{identity}/modification", body)
        assert answer.status_code == 201, answer.text
        amended = answer.json()["id"]
        for path in ("deposit", "complete", "opinion"):
            await step(supervisor, amended, path, {"on": TODAY})
        await step(supervisor, amended, "grant", ARRETE | {"reference": "27-2026-0901"})
        order = await order_of(centre, camera)
        assert order is not None
        assert (order.authorisation, order.retention_days) == ("27-2026-0900", 15)
        centre.clock.advance(hours=1)
    async with centre.person("superviseur") as supervisor:
        assert (await step(supervisor, amended, "activate"))["state"] == "ACTIVE"
        order = await order_of(centre, camera)
        assert order is not None
        assert (order.authorisation, order.retention_days) == ("27-2026-0901", 20)
        told = {one["id"]: one for one in (await supervisor.get("/api/authorisations")).json()["authorisations"]}
        assert told[identity]["state"] == "REMPLACEE"
        assert [one["event"] for one in told[identity]["events"]][-1] == "replace"
    assert set(await codes(centre, "authorisation:draft")) == {"AUTH_MODIFICATION_REQUIRED", None}


@pytest.mark.parametrize("path", ["suspend", "withdraw"])
async def test_row_08_a_suspension_stops_recording_and_viewing_at_once(centre: Running, path: str) -> None:
    async with centre.person("administrateur") as administrator, centre.person("operateur") as operator:
        camera = await commune_joins(centre, administrator)
        async with centre.person("superviseur") as supervisor:
            await watcher(supervisor)
        identity = await in_service(administrator, camera)
        assert await live(operator, camera) == "open"
        centre.centre.renewer_wake.clear()
        centre.centre.orders_wake.clear()
        centre.clock.advance(seconds=5)
        await step(administrator, identity, path, {"reason": "décision du préfet"})
        assert centre.centre.renewer_wake.is_set()
        assert centre.centre.orders_wake.is_set()
        assert await live(operator, camera) == ("AUTH_SUSPENDED" if path == "suspend" else "AUTH_EXPIRED")
        order = await order_of(centre, camera)
        assert order is not None
        assert order.record_to_at == centre.clock.at


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ({"retention_days": 32}, "RETENTION_TOO_LONG"),
        ({"retention_days": 45}, "RETENTION_TOO_LONG"),
        ({"finalites": ["12"]}, "FINALITE_NOT_AUTHORISED"),
        ({"plan": "ETROIT", "width": 640, "height": 480}, "PROFILE_BELOW_NORM"),
        ({"camera": "00000000-0000-4000-8000-000000000000"}, "UNKNOWN_CAMERA"),
    ],
)
async def test_row_14_what_no_arrete_can_say_is_refused(centre: Running, line: dict[str, Any], code: str) -> None:
    async with centre.person("administrateur") as administrator:
        camera = await commune_joins(centre, administrator)
        body = {"commune": BERNAY, "dossier": "Dossier 1", "lines": [LINE | {"camera": camera} | line]}
        answer = await administrator.post("/api/authorisations", body)
        assert (answer.status_code, answer.json()["code"]) == (422, code)
        told = (await administrator.get("/api/authorisations")).json()["authorisations"]
        assert BERNAY not in {one["commune"]["insee"] for one in told}
    assert await codes(centre, "authorisation:draft") == [code]


async def test_two_arretes_for_a_camera_at_once_are_refused(centre: Running) -> None:
    async with centre.person("administrateur") as administrator:
        camera = await commune_joins(centre, administrator)
        await in_service(administrator, camera)
        other = await drafted(administrator, camera, dossier="Dossier 2")
        for path in ("deposit", "complete", "opinion"):
            await step(administrator, other, path, {"on": TODAY})
        taken = await refused(administrator, other, "grant", ARRETE)
        assert taken == "CONFLICT"
        await step(administrator, other, "grant", ARRETE | {"reference": "27-2026-0902"})
        await step(administrator, other, "notify", {"on": TODAY, "service_on": TODAY})
        assert await refused(administrator, other, "activate") == "AUTH_OVERLAP"


async def test_a_place_outside_the_law_is_for_the_register(centre: Running) -> None:
    async with centre.person("administrateur") as administrator:
        await commune_joins(centre, administrator)
        depot = await camera_comes(centre, number="91", regime="HORS_CSI")
        line = {"camera": depot, "finalites": ["HORS_CSI"], "retention_days": 15}
        body = {"commune": BERNAY, "dossier": "Déchetterie", "lines": [line]}
        answer = await administrator.post("/api/authorisations", body)
        assert (answer.status_code, answer.json()["code"]) == (422, "REGIME_ROLE_FORBIDDEN")
        identity = await drafted(administrator, depot, dossier="Déchetterie", kind="REGISTRE", lines=[line])
        await step(administrator, identity, "grant", ARRETE | {"reference": "REG-1"})
        assert (await step(administrator, identity, "activate"))["state"] == "ACTIVE"
        assert await order_of(centre, depot) is not None


async def test_row_31_a_camera_that_stays_below_the_norm_raises_an_alarm(centre: Running) -> None:
    async with centre.centre.store.facts() as connection:
        known = await facts.cameras(connection)
    (camera,) = [one.id for one in known.values() if one.number == "01"]
    keeper, observed, seen = NormKeeper(centre.centre), centre.centre.observed, []
    observed.recorder_answers = True

    async def after(minutes: float, size: tuple[int, int], per_s: float, state: str = "recording") -> None:
        observed.streams = {(camera, "main"): StreamState(state, size=size, per_s=per_s)}
        centre.clock.advance(minutes=minutes)
        await keeper.run_once()
        async with centre.person("superviseur") as supervisor:
            alarms = (await supervisor.get("/api/alarms")).json()["alarms"]
            on = [a["message"] for a in alarms if a["code"] == "STREAM_BELOW_NORM" and a["ended"] is None]
            seen.append([message.partition("au moins ")[2] for message in on])

    await after(0, (1280, 720), 5.0)
    await after(4, (1280, 720), 5.1)
    await after(1, (1280, 720), 5.0)
    await after(1, (1280, 720), 12.0)
    await after(1, (320, 240), 12.0)
    await after(5, (320, 240), 12.0)
    observed.recorder_answers = False
    await after(5, (1280, 720), 12.0)
    observed.recorder_answers = True
    await after(1, (1280, 720), 12.0, "lost")
    rate, size = ["6 images/s exigés."], ["352 x 288 exigés."]
    assert seen == [[], [], rate, [], [], size, size, []]


async def test_alarms_come_nine_six_and_four_months_before_the_term(centre: Running) -> None:
    seen = []
    for day in (date(2030, 3, 31), date(2030, 4, 1), date(2030, 7, 1), date(2030, 9, 1), date(2030, 9, 1)):
        centre.clock.at = law.start_of(day)
        await DeadlineKeeper(centre.centre).run_once()
        async with centre.person("superviseur") as supervisor:
            alarms = (await supervisor.get("/api/alarms")).json()["alarms"]
            on = [a["message"] for a in alarms if a["subject"] == "A-27229" and a["ended"] is None]
            assert all(message.startswith("Autorisation A-27229 (Évreux) : ") for message in on)
            seen.append([message.partition("moins de ")[2][:1] for message in on])
    assert seen == [[], ["9"], ["6"], ["4"], ["4"]]


async def test_one_line_of_a_draft_is_corrected_added_and_taken_out_and_the_others_stay(centre: Running) -> None:
    async with centre.person("superviseur") as supervisor:
        first = await commune_joins(centre, supervisor)
        second = await camera_comes(centre, number="92")
        mask = [[0.1, 0.1], [0.4, 0.1], [0.4, 0.4]]
        identity = await drafted(supervisor, first, lines=[LINE | {"camera": first, "masks": [mask]}])
        address = f"/api/authorisations/{identity}/lines"

        async def put(camera: str, **unlike: Any) -> tuple[int, Any]:
            answer = await supervisor.send("PUT", f"{address}/{camera}", LINE | unlike)
            return answer.status_code, answer.json()

        status, told = await put(second, retention_days=7, position=[49.1, 0.6])
        assert status == 200, told
        kept = {line["camera"]["number"]: line for line in told["lines"]}
        assert (kept["90"]["masks"], kept["90"]["retention_days"]) == ([mask], 15)
        assert (kept["92"]["position"], kept["92"]["retention_days"]) == ([49.1, 0.6], 7)
        status, told = await put(first, finalites=["5", "11"], masks=[mask], recipients=["Gendarmerie"])
        changed = {line["camera"]["number"]: line for line in told["lines"]}
        assert (changed["90"]["finalites"], changed["90"]["recipients"]) == (["11", "5"], ["Gendarmerie"])
        assert changed["92"] == kept["92"]
        # What no arrêté can say, or of no camera of the commune, changes nothing.
        assert (await put(first, retention_days=45))[1]["code"] == "RETENTION_TOO_LONG"
        (foreign,) = [
            one["id"] for one in (await supervisor.get("/api/cameras")).json()["cameras"] if one["number"] == "01"
        ]
        assert (await put(foreign))[1]["code"] == "UNKNOWN_CAMERA"
        assert (await supervisor.send("DELETE", f"{address}/{foreign}")).status_code == 404
        answer = await supervisor.send("DELETE", f"{address}/{second}")
        assert [line["camera"]["number"] for line in answer.json()["lines"]] == ["90"]
        answer = await supervisor.send("DELETE", f"{address}/{first}")
        assert (answer.status_code, answer.json()["code"]) == (409, "STEP_FORBIDDEN")
        await step(supervisor, identity, "deposit", {"on": TODAY})
        assert (await put(first))[1]["code"] == "AUTH_MODIFICATION_REQUIRED"
        answer = await supervisor.send("DELETE", f"{address}/{first}")
        assert answer.json()["code"] == "AUTH_MODIFICATION_REQUIRED"


async def amended_and_granted(person: Browser, identity: str, reference: str = "27-2026-0901") -> str:
    answer = await person.post(f"/api/authorisations/{identity}/modification", {"dossier": f"Modification {reference}"})
    assert answer.status_code == 201, answer.text
    amended = str(answer.json()["id"])
    for path in ("deposit", "complete", "opinion"):
        await step(person, amended, path, {"on": TODAY})
    await step(person, amended, "grant", ARRETE | {"reference": reference})
    return amended


@pytest.mark.parametrize("lifted_by", [None, "27-2026-0901"])
async def test_row_08_an_amended_arrete_lifts_no_suspension_unless_it_says_so(
    centre: Running, lifted_by: str | None
) -> None:
    async with centre.person("superviseur") as supervisor:
        camera = await commune_joins(centre, supervisor)
        identity = await in_service(supervisor, camera)
        amended = await amended_and_granted(supervisor, identity)
        await step(supervisor, identity, "suspend", {"reason": "décision du préfet"})
        assert await refused(supervisor, amended, "activate") == "AUTH_SUSPENDED"
        assert await refused(supervisor, amended, "activate", {"lifted_by": "27-2026-0900"}) == "AUTH_SUSPENDED"
        listed = (await supervisor.get("/api/authorisations")).json()["authorisations"]
        blocked = next(one["blocked"] for one in listed if one["id"] == amended)
        assert blocked["code"] == "AUTH_SUSPENDED"
        assert "27-2026-0900" in blocked["reason"]
        stopped = await order_of(centre, camera)
        assert stopped is not None
        assert stopped.record_to_at <= centre.clock.at
        if lifted_by is None:
            await step(supervisor, identity, "resume", {"reason": "décision du préfet"})
        told = await step(supervisor, amended, "activate", {"lifted_by": lifted_by})
        assert told["state"] == "ACTIVE"
        assert told["events"][-1]["reference"] == lifted_by
        order = await order_of(centre, camera)
        assert order is not None
        assert (order.authorisation, order.record_to_at > centre.clock.at) == ("27-2026-0901", True)
    assert (await codes(centre, "authorisation:activate")).count("AUTH_SUSPENDED") == 2


async def test_row_08_a_suspended_arrete_that_reached_its_term_is_still_suspended_for_what_renews_it(
    centre: Running,
) -> None:
    async with centre.person("superviseur") as supervisor:
        camera = await commune_joins(centre, supervisor)
        identity = await in_service(supervisor, camera)
        amended = await amended_and_granted(supervisor, identity)
        await step(supervisor, identity, "suspend", {"reason": "décision du préfet"})
    async with centre.centre.store.transaction(None) as connection:
        after = law.start_of(date(2031, 11, 24))
        known = await dossiers.find(connection, amended)
        assert known is not None
        assert (await dossiers.conditions(connection, known, after)).suspended == "27-2026-0900"


async def test_rows_are_what_their_events_lead_to(centre: Running, superuser: str) -> None:
    async with centre.person("administrateur") as administrator:
        camera = await commune_joins(centre, administrator)
        identity = await in_service(administrator, camera)
        await step(administrator, identity, "suspend", {"reason": "décision du préfet"})
        await step(administrator, identity, "resume", {"reason": "décision du préfet"})
    async with centre.centre.store.transaction(None) as connection:
        for known in await dossiers.all_of(connection):
            replayed = Dossier(known.dossier.kind, known.dossier.cameras)
            conditions = await dossiers.conditions(connection, known, centre.clock.at)
            for taken in events(superuser, known.id):
                moved = law.apply(replayed, taken[0], taken[1], conditions)
                assert isinstance(moved, Dossier), moved
                replayed = moved
            assert replayed == known.dossier


def events(superuser: str, authorisation: str) -> list[tuple[Step, Any]]:
    columns = "event, on_day, reference, from_on, to_on, service_on, cameras::text[], at"
    with psycopg.connect(superuser) as connection:
        rows = connection.execute(
            f"SELECT {columns} FROM authorisation_event WHERE authorisation = %s ORDER BY n".encode(), (authorisation,)
        ).fetchall()
    return [(Step(Event(row[0]), *row[1:6], None if row[6] is None else frozenset(row[6])), row[7]) for row in rows]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE authorisation_event SET event = 'grant'",
        "DELETE FROM authorisation_event",
        "DELETE FROM authorisation",
        "DELETE FROM authorisation_line",
    ],
)
async def test_the_application_rewrites_no_history(centre: Running, statement: str) -> None:
    url = centre.centre.settings.database.url.get_secret_value().replace("+psycopg", "")
    with psycopg.connect(url) as connection:
        connection.execute("SET LOCAL csu.communes = '*'")
        with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.RestrictViolation)):
            connection.execute(statement.encode())


class TestImport:
    @pytest.mark.parametrize(
        "change",
        [{"retention_days": 20}, {"finalites": ["1", "5"]}, {"to": "2030-01-01"}, {"cameras": ["01", "02"]}],
    )
    async def test_row_07_an_arrete_in_force_is_not_changed(self, centre: Running, change: dict[str, Any]) -> None:
        content = territory()
        content["authorisation"][0].update(change)
        with pytest.raises(DocumentError, match="AUTH_MODIFICATION_REQUIRED"):
            await import_again(centre, content)

    @pytest.mark.parametrize("change", [{"commune": "27681"}, {"regime": "ERP"}])
    async def test_row_07_a_camera_in_service_is_not_moved_to_another_place(
        self, centre: Running, change: dict[str, Any]
    ) -> None:
        content = territory()
        content["camera"][0].update(change)
        with pytest.raises(DocumentError, match="AUTH_MODIFICATION_REQUIRED: camera 01"):
            await import_again(centre, content)

    async def test_an_amended_arrete_takes_its_place(self, centre: Running) -> None:
        content = territory()
        amended = content["authorisation"][0] | {"reference": "A-2", "retention_days": 20}
        content["authorisation"].append(amended)
        with pytest.raises(DocumentError, match="AUTH_OVERLAP"):
            await import_again(centre, content)
        amended |= {"kind": "MODIFICATION", "replaces": "A-27229"}
        content["authorisation"][-1] = amended
        assert await import_again(centre, content) == 1
        assert await import_again(centre, content) == 0
        box = SecretBox(centre.centre.settings.paths.keys)
        current = await orders.current(centre.centre.store, box, centre.clock.at)
        (order,) = [one for one in current.cameras if one.name == "01 Place"]
        assert (order.authorisation, order.retention_days) == ("A-2", 20)

    async def test_row_08_a_document_lifts_no_suspension_unless_it_says_so(self, centre: Running) -> None:
        async with centre.person("superviseur") as supervisor:
            listed = (await supervisor.get("/api/authorisations")).json()["authorisations"]
            replaced = next(one["id"] for one in listed if one["reference"] == "A-27229")
            await step(supervisor, replaced, "suspend", {"reason": "décision du préfet"})
        content = territory()
        amended = content["authorisation"][0] | {"reference": "A-2", "kind": "MODIFICATION", "replaces": "A-27229"}
        content["authorisation"].append(amended)
        with pytest.raises(DocumentError, match="AUTH_SUSPENDED: authorisation A-2: L'arrêté A-27229"):
            await import_again(centre, content)
        amended["lifts_suspension"] = True
        assert await import_again(centre, content) == 1
        with pytest.raises(ValueError, match="goes with `replaces`"):
            Document.model_validate({"authorisation": [territory()["authorisation"][0] | {"lifts_suspension": True}]})

    async def test_a_demo_that_grows_gives_its_new_cameras_an_arrete_of_their_own(self, centre: Running) -> None:
        content = territory()
        content["camera"].append(content["camera"][0] | {"number": "04"})
        content["authorisation"][0]["cameras"] = ["01", "04"]
        grown = extended(Document.model_validate(content), {"A-27229": {"01"}})
        assert [(one.reference, one.cameras) for one in grown.authorisation][:2] == [
            ("A-27229", ["01"]),
            ("A-27229-04", ["04"]),
        ]
        data = centre.centre.settings.data
        for expected in (3, 0):  # the camera, its secret, its arrêté, and then no more
            importer = Importer(centre.centre.store, SecretBox(data / "keys"), data, {}, START)
            assert await importer.run(grown) == expected
        assert await import_again(centre, territory()) == 0

    async def test_what_was_not_known_is_completed_and_then_stays(self, centre: Running) -> None:
        content = territory()
        details = {"camera": "01", "position": [49.02, 1.15], "plan": "LARGE", "width": 1920, "height": 1080}
        content["authorisation"][0]["details"] = [details]
        assert await import_again(centre, content) == 1
        assert await import_again(centre, territory()) == 0
        details["position"] = [49.03, 1.15]
        with pytest.raises(DocumentError, match="position"):
            await import_again(centre, content)

    @pytest.mark.parametrize(
        ("change", "expected"),
        [
            ({"kind": "PROVISOIRE", "to": "2026-06-01"}, "PROVISIONAL_TOO_LONG"),
            ({"finalites": ["ERP"]}, "FINALITE_NOT_AUTHORISED"),
            ({"replaces": "A-1"}, "replaces"),
            ({"details": [{"camera": "02"}]}, "not in it"),
            ({"details": [{"camera": "01", "plan": "ETROIT", "width": 640, "height": 480}]}, "PROFILE_BELOW_NORM"),
        ],
    )
    async def test_what_no_arrete_can_say_is_refused(
        self, centre: Running, change: dict[str, Any], expected: str
    ) -> None:
        content = territory()
        content["authorisation"][0].update(change)
        with pytest.raises((DocumentError, ValueError), match=expected):
            await import_again(centre, content)

    async def test_what_a_commune_answers_for_stays_when_a_document_is_silent(self, centre: Running) -> None:
        content = territory()
        content["commune"][0] |= {"dpo": "DPO", "cnil": {"sent_on": date(2026, 1, 2), "receipt": "R-1"}}
        assert await import_again(centre, content) == 1
        assert await import_again(centre, territory()) == 0
