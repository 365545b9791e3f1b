"""The gateway's HTTP: its doors, and what holds for all of them.

Only the console's origin may read answers (CORS, with credentials) or change anything; nothing is cached; no door takes
a parameter in its address; a refusal is `{"code", "reason"}`; a failure of ours says no more than that. There is no
access log: addresses hold lease ids.
"""

import logging
from collections.abc import Awaitable, Callable

from aiohttp import web

from csu.gateway.errors import Refused
from csu.gateway.live import Live
from csu.gateway.playback import Playback
from csu.gateway.whep import Whep

log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

MAX_BODY_BYTES = 64 * 1024

STATUS: dict[str, int] = {
    "BAD_REQUEST": 400,
    "UNKNOWN_PARAMETER": 400,
    "OFFER_REFUSED": 400,
    "STEPS_REFUSED": 400,
    "LEASE_UNKNOWN": 404,
    "NOTHING_RECORDED": 404,
    "CODEC_NOT_PLAYABLE": 415,
    "PICTURES_REORDERED": 415,
    "NOT_FOUND": 404,
    "WEBRTC_CLOSED": 404,
    "METHOD_NOT_ALLOWED": 405,
    "RECORDING_GONE": 410,
    "TOO_LARGE": 413,
    "RANGE_INVALID": 416,
    "TOO_MANY_VIEWERS": 429,
    "FAILURE": 500,
    "CENTRE_UNREACHABLE": 503,
    "CLOCK_UNTRUSTED": 503,
    "NO_PICTURE": 503,
    "SHUTTING_DOWN": 503,
    "SPOOL_UNAVAILABLE": 503,
    "STORAGE_UNREADABLE": 503,
}
"""Any other refusal is 403."""

_BY_STATUS = {404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED", 413: "TOO_LARGE"}

_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, HEAD, POST, DELETE",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, Range, If-Range",
    "Access-Control-Max-Age": "600",
}
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
# Of requests that no page of the console makes.
_OF_FORGERS = frozenset({"ORIGIN_REFUSED", "UNKNOWN_PARAMETER", "BAD_REQUEST"})


def refusal(refused: Refused) -> web.Response:
    body = {"code": refused.code, "reason": refused.reason}
    return web.json_response(body, status=STATUS.get(refused.code, 403))


def create_app(
    console_origin: str, live: Live, playback: Playback, whep: Whep, health: Handler, note: Callable[[str], None]
) -> web.Application:
    """`note` is told the code of each request that no page of the console makes."""

    def refuse(refused: Refused) -> web.Response:
        if refused.code in _OF_FORGERS:
            note(refused.code)
        return refusal(refused)

    @web.middleware
    async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
        origin = request.headers.get("Origin")
        if origin is not None and origin != console_origin:
            return refuse(Refused("ORIGIN_REFUSED"))
        if request.method == "OPTIONS":
            return web.Response(status=204, headers=_PREFLIGHT if origin else {})
        if origin is None and request.method not in _SAFE_METHODS:
            return refuse(Refused("ORIGIN_REFUSED"))
        try:
            if request.query_string and request.match_info.http_exception is None:
                raise Refused("UNKNOWN_PARAMETER")
            return await handler(request)
        except Refused as refused:
            return refuse(refused)
        except web.HTTPException as error:
            return refusal(Refused(_BY_STATUS.get(error.status, "BAD_REQUEST")))
        except ConnectionError:
            return web.Response()  # the browser left in the middle: nobody reads this
        except Exception:  # a bug behind one request: logged here, and nothing of it told outside
            log.exception("%s %s failed", request.method, request.match_info.route.resource)
            return refusal(Refused("FAILURE"))

    async def protect(request: web.Request, response: web.StreamResponse) -> None:
        response.headers.update(
            {
                "Server": "csu",
                "Cache-Control": "no-store",
                "X-Content-Type-Options": "nosniff",
                "Referrer-Policy": "no-referrer",
                "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
                "Cross-Origin-Resource-Policy": "same-site",
                "Vary": "Origin",
            }
        )
        if request.headers.get("Origin") == console_origin:
            response.headers["Access-Control-Allow-Origin"] = console_origin
            response.headers["Access-Control-Allow-Credentials"] = "true"
            response.headers["Access-Control-Expose-Headers"] = "Accept-Ranges, Content-Range, ETag, Location"

    app = web.Application(middlewares=[answer], client_max_size=MAX_BODY_BYTES)
    app.on_response_prepare.append(protect)
    app.router.add_get("/health", health)
    app.router.add_get("/live", live.connect)
    app.router.add_post("/playback", playback.create)
    app.router.add_delete("/playback/{lease}", playback.delete)
    app.router.add_get("/playback/{lease}/video.mp4", playback.video)
    app.router.add_post("/playback/{lease}/stepped", playback.stepped)
    app.router.add_post("/whep", whep.create)
    app.router.add_delete("/whep/{session}", whep.delete)
    return app
