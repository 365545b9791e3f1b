"""The control plane's channel: it renews, withdraws, and pulls what was served. Requests of `run/gateway.sock`:

renew {cut: [{ticket, code, reason}]} -> {open: [...], cut: [ids], ended: [ids]}
                                         every id asked for serves nothing any more; `ended`: did until this request
spool {after, limit}                  -> {spool, entries}   numbered above `after`, oldest first
ack   {upto}                          -> {upto}             these are kept by the control plane now
"""

from typing import Any

from csu.gateway.desk import Desk
from csu.gateway.errors import REASONS, SpoolError
from csu.gateway.spool import MAX_PULL, Spool
from recorder.channel import ChannelError


class Control:
    """The handler of a ChannelServer."""

    def __init__(self, desk: Desk, spool: Spool) -> None:
        self._desk = desk
        self._spool = spool

    async def handle(self, op: str, fields: dict[str, Any]) -> dict[str, Any]:
        """Raises ChannelError: UNKNOWN_OP, BAD_REQUEST, SPOOL_UNAVAILABLE."""
        try:
            if op == "renew":
                return self._renew(fields.get("cut", []))
            if op == "spool":
                entries = await self._spool.read(_count(fields["after"]), _count(fields.get("limit", MAX_PULL)))
                return {"spool": self._spool.uuid, "entries": entries}
            if op == "ack":
                await self._spool.acknowledge(_count(fields["upto"]))
                return {"upto": fields["upto"]}
        except (KeyError, TypeError, ValueError) as error:
            raise ChannelError("BAD_REQUEST", f"{op}: {type(error).__name__} {error}") from error
        except SpoolError as error:
            raise ChannelError("SPOOL_UNAVAILABLE", str(error)) from error
        raise ChannelError("UNKNOWN_OP", f"{op!r}; expected renew, spool or ack")

    def _renew(self, cuts: list[dict[str, Any]]) -> dict[str, Any]:
        tickets = {
            str(cut["ticket"]): (
                str(cut.get("code") or "RIGHT_WITHDRAWN"),
                str(cut.get("reason") or REASONS["RIGHT_WITHDRAWN"]),
            )
            for cut in cuts
        }
        self._desk.renew()
        ended = self._desk.cut(tickets)
        return {"open": self._desk.open_leases(), "cut": list(tickets), "ended": ended}


def _count(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 62:
        raise ValueError(f"expected a count, found {value!r}")
    return value
