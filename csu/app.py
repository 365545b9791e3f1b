"""The control plane's application: routes over one `Centre`, and the console's files."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel
from sqlalchemy import text
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from csu import keys, proposals_routes
from csu.accounts import routes as session_routes
from csu.accounts.attempts import Attempts
from csu.accounts.passwords import Passwords
from csu.accounts.workstations import is_of_this_machine
from csu.alarms import routes as alarm_routes
from csu.audit import control_routes, security_routes
from csu.audit import routes as journal_routes
from csu.bases import routes as basis_routes
from csu.cameras import entering_routes, tickets_routes
from csu.cameras import routes as camera_routes
from csu.centre_state import Centre
from csu.clock import utc_now
from csu.errors import not_found
from csu.events import Events
from csu.holds import routes as hold_routes
from csu.interruptions import routes as interruption_routes
from csu.metrics import exposition
from csu.persons import accounts_routes, reading_routes
from csu.persons import routes as person_routes
from csu.recording import releases as release_routes
from csu.recording import retention as retention_routes
from csu.recording import routes as recorder_routes
from csu.schemas import RefusalBody
from csu.settings import Settings
from csu.statements import routes as statement_routes
from csu.store.store import Store
from csu.territory import authorisations_routes as authorisation_routes
from csu.territory import deports_routes as deport_routes
from csu.territory import onboarding_routes
from csu.territory import routes as territory_routes
from csu.web import Edge, add_error_answers, check_query
from recorder.channel import ChannelClient

open_router = APIRouter(tags=["service"], dependencies=[Depends(check_query)])


class Health(BaseModel):
    ok: bool
    recorder: bool
    gateway: bool
    valkey: bool


@open_router.get("/api/health")
async def health(request: Request) -> Health:
    """200 when the database answers; the rest is told beside it."""
    centre: Centre = request.app.state.centre
    async with centre.store.facts() as connection:
        await connection.execute(text("SELECT 1 FROM commune LIMIT 1"))
    seen = centre.observed
    return Health(
        ok=True,
        recorder=bool(seen.recorder_answers),
        gateway=bool(seen.gateway_answers),
        valkey=bool(centre.events.is_up),
    )


@open_router.get("/api/openapi.json", include_in_schema=False)
async def describe(request: Request) -> JSONResponse:
    """What each address takes and answers."""
    return JSONResponse(request.app.openapi())


@open_router.get("/metrics", response_class=PlainTextResponse, include_in_schema=False)
async def metrics(request: Request) -> Response:
    """For a collector on this machine; from elsewhere, and through a reverse proxy, there is nothing here."""
    if "x-forwarded-for" in request.headers or not is_of_this_machine(request):
        raise not_found()
    return Response(await exposition(request.app.state.centre), media_type=CONTENT_TYPE_LATEST)


def build_centre(settings: Settings, now: Callable[[], datetime] = utc_now) -> Centre:
    """The means of a control plane. Raises csu.keys.KeyFileError."""
    events = Events(settings.valkey.url.get_secret_value())
    return Centre(
        settings=settings,
        now=now,
        store=Store(settings.database, now=now),
        passwords=Passwords(),
        attempts=Attempts(events.valkey),
        events=events,
        ticket_key=keys.load_private(settings.paths.keys, "ticket"),
        statements_key=keys.load_private(settings.paths.keys, "statements"),
        recorder=ChannelClient(settings.paths.recorder_socket),
        gateway=ChannelClient(settings.paths.gateway_socket),
    )


def create_app(centre: Centre, console: Path | None) -> FastAPI:
    """The application; `console` is the folder of the console's built files, None where it isn't installed."""
    app = FastAPI(
        title="Centre de supervision urbain",
        openapi_url=None,  # a route of ours, with what holds for all
        docs_url=None,
        redoc_url=None,
        responses={"default": {"model": RefusalBody}, 422: {"model": RefusalBody}},
    )
    app.state.centre = centre
    for router in (
        open_router,
        session_routes.router,
        camera_routes.router,
        entering_routes.router,
        tickets_routes.router,
        journal_routes.router,
        security_routes.router,
        control_routes.router,
        control_routes.export_router,
        proposals_routes.router,
        alarm_routes.router,
        territory_routes.router,
        onboarding_routes.router,
        authorisation_routes.router,
        deport_routes.router,
        person_routes.router,
        reading_routes.router,
        accounts_routes.router,
        hold_routes.router,
        interruption_routes.router,
        recorder_routes.router,
        release_routes.router,
        retention_routes.router,
        basis_routes.router,
        statement_routes.router,
    ):
        app.include_router(router)
    methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
    app.add_api_route("/api/{path:path}", _unknown, methods=methods, include_in_schema=False)
    if console is not None:
        app.mount("/", ConsoleFiles(directory=console, html=True))
    app.add_middleware(Edge, settings=centre.settings)
    add_error_answers(app)
    return app


class ConsoleFiles(StaticFiles):
    """The console's files; any other path is one of its screens, and gets its page."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        if path == "." or "." not in path.rsplit("/", 1)[-1]:
            path = "index.html"
        response = await super().get_response(path, scope)
        # Names of assets bear their content's hash; those of the page and the icon do not.
        is_hashed = path.startswith("assets/")
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if is_hashed else "no-cache"
        return response


async def _unknown(path: str) -> None:
    raise not_found()


async def close_centre(centre: Centre) -> None:
    centre.recorder.close()
    centre.gateway.close()
    await centre.events.close()
    await centre.store.close()
