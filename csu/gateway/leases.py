"""Leases: what a redeemed ticket opens, and everything that ends it. Pure: told the time, does nothing.

           redeem            opened                 close
    ticket ------> OPENING ---------> OPEN ----------------> CLOSED
                      |  (its entry is durable)                ^
                      +----------------------------------------+

A lease serves only while OPEN. It ends when its holder leaves, when the right was withdrawn (`cut`), when the
right's end comes, when the control plane was silent for 60 s, and, for a replay, after ten idle minutes.

Two clocks: `now` is wall time and decides about rights; `monotonic_s` decides about waits, and bounds rights
too, so that a clock set back lengthens nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from csu.gateway.errors import Refused
from csu.tickets import Act, Ticket

RENEW_WITHIN_S = 60.0
IDLE_S = 600.0
MAX_LEASES = 4000
# A right can be withdrawn between issue and redemption: its ticket is remembered well past its ten seconds.
CUT_KEPT_S = 120.0


class LeaseState(StrEnum):
    OPENING = "opening"
    OPEN = "open"
    CLOSED = "closed"


MOVES: dict[LeaseState, frozenset[LeaseState]] = {
    LeaseState.OPENING: frozenset({LeaseState.OPEN, LeaseState.CLOSED}),
    LeaseState.OPEN: frozenset({LeaseState.CLOSED}),
    LeaseState.CLOSED: frozenset(),
}


class ForbiddenMove(Exception):
    """A bug of ours: the table of moves does not allow it. Nothing was changed."""


@dataclass(slots=True, eq=False)
class Lease:
    """One redeemed ticket. `ends_s` is the right's end on the monotonic clock."""

    ticket: Ticket
    since_at: datetime
    ends_s: float
    used_s: float
    state: LeaseState = LeaseState.OPENING
    reason: str | None = None

    @property
    def is_open(self) -> bool:
        return self.state is LeaseState.OPEN

    def move(self, to: LeaseState) -> None:
        if to not in MOVES[self.state]:
            raise ForbiddenMove(f"a lease can't go from {self.state} to {to}")
        self.state = to


@dataclass(slots=True)
class Leases:
    """All leases that are not closed, by their ticket's id.

    Invariant: a ticket's id is redeemed at most once by this object; across restarts the spool sees to it.
    """

    renewed_s: float
    _by_ticket: dict[str, Lease] = field(default_factory=dict)
    # Ticket id -> monotonic time until which it is remembered.
    _redeemed: dict[str, float] = field(default_factory=dict)
    _cut: dict[str, float] = field(default_factory=dict)

    def redeem(self, ticket: Ticket, act: Act, now: datetime, monotonic_s: float) -> Lease:
        """A lease in OPENING for a ticket whose signature and dates were verified at `now`.

        Raises Refused: TICKET_INVALID for another act, RIGHT_WITHDRAWN, TICKET_USED, CENTRE_UNREACHABLE,
        TOO_MANY_VIEWERS.
        """
        if ticket.act != act:
            raise Refused("TICKET_INVALID")
        if ticket.id in self._redeemed:
            raise Refused("TICKET_USED")
        if ticket.id in self._cut:
            raise Refused("RIGHT_WITHDRAWN")
        if self._is_orphan(monotonic_s):
            raise Refused("CENTRE_UNREACHABLE")
        if len(self._by_ticket) >= MAX_LEASES:
            raise Refused("TOO_MANY_VIEWERS")
        right_s = (ticket.not_after_at - now).total_seconds()
        lease = Lease(ticket, since_at=now, ends_s=monotonic_s + right_s, used_s=monotonic_s)
        self._by_ticket[ticket.id] = lease
        redeemable_s = (ticket.redeem_by_at - now).total_seconds()
        self._redeemed[ticket.id] = monotonic_s + max(0.0, redeemable_s) + CUT_KEPT_S
        return lease

    def opened(self, lease: Lease) -> None:
        lease.move(LeaseState.OPEN)

    def close(self, lease: Lease, reason: str) -> bool:
        """End a lease; False when it had ended already (many things end a lease, often at once)."""
        if lease.state is LeaseState.CLOSED:
            return False
        lease.move(LeaseState.CLOSED)
        lease.reason = reason
        del self._by_ticket[lease.ticket.id]
        return True

    def renew(self, monotonic_s: float) -> None:
        """The control plane is alive and still wants every lease that it does not cut."""
        self.renewed_s = monotonic_s

    def cut(self, tickets: Iterable[str], monotonic_s: float) -> list[Lease]:
        """The leases to end now, of these tickets. One not yet redeemed will be refused."""
        ended = []
        for ticket in tickets:
            self._cut[ticket] = monotonic_s + CUT_KEPT_S
            lease = self._by_ticket.get(ticket)
            if lease is not None:
                ended.append(lease)
        return ended

    def due(self, now: datetime, monotonic_s: float) -> list[tuple[Lease, str]]:
        """The leases that must end at this instant, with the reason's code."""
        self._forget(monotonic_s)
        orphan = self._is_orphan(monotonic_s)
        ended = []
        for lease in self._by_ticket.values():
            if now >= lease.ticket.not_after_at or monotonic_s >= lease.ends_s:
                ended.append((lease, "RIGHT_ENDED"))
            elif orphan:
                ended.append((lease, "CENTRE_UNREACHABLE"))
            elif lease.ticket.act == "replay" and monotonic_s - lease.used_s >= IDLE_S:
                ended.append((lease, "IDLE"))
        return ended

    def all(self) -> list[Lease]:
        return list(self._by_ticket.values())

    def check_invariants(self) -> None:
        for ticket, lease in self._by_ticket.items():
            assert lease.ticket.id == ticket
            assert lease.state is not LeaseState.CLOSED

    def _is_orphan(self, monotonic_s: float) -> bool:
        return monotonic_s - self.renewed_s >= RENEW_WITHIN_S

    def _forget(self, monotonic_s: float) -> None:
        """Drop what no ticket can match any more, except what is open."""
        for remembered in (self._redeemed, self._cut):
            for ticket in [t for t, until_s in remembered.items() if until_s <= monotonic_s]:
                if ticket not in self._by_ticket:
                    del remembered[ticket]
