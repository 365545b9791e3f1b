"""The web edge that is not a route: security headers, size of bodies, errors as `{"code", "reason"}`."""

import logging
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from fastapi import FastAPI, Request
from fastapi.dependencies.utils import get_flat_params
from fastapi.exceptions import RequestValidationError
from fastapi.params import Cookie, Header, Path
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from csu.accounts.workstations import workstation_of
from csu.audit.tally import Event
from csu.centre_state import Centre
from csu.errors import Refusal, Told, invalid
from csu.settings import Settings
from csu.store.store import UNAVAILABLE, is_unavailable

if TYPE_CHECKING:
    from csu.accounts.guard import Visit

_LOG = logging.getLogger(__name__)
LARGEST_BODY_BYTES = 1024 * 1024


def security_headers(settings: Settings) -> dict[str, str]:
    """Headers of every answer. Pictures come from the gateway's origin alone, scripts and styles from ours."""
    gateway = settings.gateway.origin
    parts = urlsplit(gateway)
    socket = f"{'wss' if parts.scheme == 'https' else 'ws'}://{parts.netloc}"
    policy = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data: blob:",
        "font-src": "'self'",
        "connect-src": f"'self' {gateway} {socket}",
        "media-src": f"blob: {gateway}",
        "manifest-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    headers = {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    }
    if settings.console.origin.startswith("https://"):
        headers["Strict-Transport-Security"] = "max-age=31536000"
    return headers


class Edge:
    """ASGI middleware: adds the headers, keeps API answers out of caches, ends requests whose body is too large."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._headers = [(name.lower().encode(), value.encode()) for name, value in security_headers(settings).items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = list(self._headers)
        if scope["path"].startswith("/api/"):
            headers.append((b"cache-control", b"no-store"))
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > LARGEST_BODY_BYTES:
                # Of this kind, because the framework turns any other error while it reads a body into a 400.
                raise HTTPException(413)
            return message

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *headers]
            await send(message)

        await self._app(scope, counted, with_headers)


def check_query(request: Request) -> None:
    """An address has the parameters that its route declares, and no other: nothing is searched for by what R.253-1
    doesn't allow, and a misspelt one is not silently ignored. Raises Refusal 422."""
    if not request.query_params:
        return
    declared = get_flat_params(request.scope["route"].dependant)
    known = {field.alias for field in declared if not isinstance(field.field_info, (Path, Header, Cookie))}
    if not known.issuperset(request.query_params):
        expected = f"connus : {', '.join(sorted(known))}" if known else "elle n'en a aucun"
        raise Refusal(422, "UNKNOWN_PARAMETER", f"Cette adresse a un paramètre inconnu ({expected}).")


def add_error_answers(app: FastAPI) -> None:
    """Errors of every kind in one shape, telling nothing of our insides."""
    app.add_exception_handler(Refusal, _refusal)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(HTTPException, _http_error)
    for kind in UNAVAILABLE:
        app.add_exception_handler(kind, _unavailable)
    app.add_exception_handler(Exception, _bug)


# Requests that no page of the console makes: told in the security log where nobody's entry can tell them.
_OF_FORGERS = frozenset({"WRONG_ORIGIN", "WRONG_CSRF_TOKEN", "UNKNOWN_PARAMETER"})


def _answer(status: int, code: str, reason: str) -> JSONResponse:
    return JSONResponse({"code": code, "reason": reason}, status)


async def _refusal(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Refusal)
    if error.code in _OF_FORGERS and _visit(request) is None:
        centre: Centre = request.app.state.centre
        centre.security.note(centre.now(), Event(error.code, None, workstation_of(request, centre)))
    answer = _answer(error.status, error.code, error.reason)
    # What fails for our sake is no refusal of a person's.
    return answer if isinstance(error, Told) or error.status >= 500 else await _journalled(request, error, answer)


async def _malformed(request: Request, error: Exception) -> JSONResponse:
    """The journal has it without the place, which may be a field's name of their own."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"][1:])[:80]
    told = invalid("Demande mal formée.")
    reason = f"Demande mal formée ({place or 'corps'})." if place.isascii() else told.reason
    return await _journalled(request, told, _answer(told.status, told.code, reason))


async def _journalled(request: Request, refusal: Refusal, answer: JSONResponse) -> JSONResponse:
    """The answer of a refusal that is not in the journal yet; of a person whom the guard let in it is there first."""
    visit = _visit(request)
    if visit is None:
        return answer
    try:
        await visit.record(visit.entry(visit.act).refused(refusal))
    except UNAVAILABLE as error:
        return await _unavailable(request, error)
    return answer


def _visit(request: Request) -> "Visit | None":
    """Of the person whom the guard let in, None before it did."""
    visit: Visit | None = getattr(request.state, "visit", None)
    return visit


_HTTP = {
    404: ("NOT_FOUND", "Élément inconnu."),
    405: ("METHOD_NOT_ALLOWED", "Méthode non permise."),
    413: ("TOO_LARGE", "La demande est trop volumineuse."),
}


async def _http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    if error.status_code == 400:  # a body that is no JSON at all
        return _answer(422, "INVALID", "Demande mal formée.")
    return _answer(error.status_code, *_HTTP.get(error.status_code, ("REFUSED", "Demande refusée.")))


async def _unavailable(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, OSError) and not is_unavailable(error):
        return await _bug(request, error)
    _LOG.error("%s %s: PostgreSQL is unavailable (%s)", request.method, request.url.path, type(error).__name__)
    return _answer(503, "SERVICE_UNAVAILABLE", "Le service est momentanément indisponible.")


async def _bug(request: Request, error: Exception) -> JSONResponse:
    _LOG.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return _answer(500, "INTERNAL", "Erreur interne : elle a été signalée au journal technique.")
