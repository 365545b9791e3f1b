"""What persons ask of the recorder: it is done once the recorder has answered with its durable row."""

from typing import Any

from csu import keys
from csu.accounts.guard import Visit
from csu.errors import Refusal
from recorder.channel import ChannelError
from recorder.decisions import Hold, Release, sign_hold, sign_release
from streams.awake import timeout

_ANSWER_S = 5.0
_REFUSALS = {
    "WINDOW_ERASED": "Il ne reste aucun enregistrement de cette période : elle a été effacée ou n'a pas été filmée.",
    "HOLD_RELEASED": "Cette conservation a déjà été levée.",
    "RELEASE_UNKNOWN": "Ce gel a pris fin, ou c'en est un autre : rien n'est changé.",
}


async def put(visit: Visit, hold: Hold) -> dict[str, Any]:
    """What the hold keeps so far. Raises Refusal."""
    return await _ask(visit, "put_hold", envelope=sign_hold(hold, _key(visit)))


async def release(visit: Visit, release: Release) -> None:
    """End a hold or a freeze. Raises Refusal."""
    await _ask(visit, "release", envelope=sign_release(release, _key(visit)))


async def status(visit: Visit) -> dict[str, Any]:
    """How the recorder is at this moment. Raises Refusal."""
    return await _ask(visit, "status")


async def needs(visit: Visit) -> list[dict[str, Any]]:
    """What each camera needs, as `NeedBody` of the routes has it. Raises Refusal."""
    told: list[dict[str, Any]] = (await _ask(visit, "needs"))["needs"]
    return told


def _key(visit: Visit) -> Any:
    return keys.load_private(visit.centre.settings.paths.keys, "orders")[1]


async def _ask(visit: Visit, op: str, **fields: Any) -> dict[str, Any]:
    try:
        async with timeout(_ANSWER_S):
            return await visit.centre.recorder.call(op, **fields)
    except ChannelError as error:
        if error.code in _REFUSALS:
            raise Refusal(409, error.code, _REFUSALS[error.code]) from error
        reason = "L'enregistreur n'a pas pris la demande : rien n'est changé. Recommencez."
        raise Refusal(503, "RECORDER_UNREACHABLE", reason) from error
    except TimeoutError as error:
        reason = "L'enregistreur ne répond pas : la demande est peut-être prise. Recommencez."
        raise Refusal(503, "RECORDER_UNREACHABLE", reason) from error
