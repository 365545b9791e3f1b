"""Leases by their rules alone, and through random lives."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from gateway_support import NOON, make_replay, make_ticket
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, precondition, rule

from csu.gateway.errors import Refused
from csu.gateway.leases import IDLE_S, MAX_LEASES, MOVES, RENEW_WITHIN_S, ForbiddenMove, Lease, Leases, LeaseState
from csu.tickets import Act, Ticket


def refused(leases: Leases, ticket: Ticket, act: Act = "live", at: datetime = NOON, s: float = 0.0) -> str:
    with pytest.raises(Refused) as refusal:
        leases.redeem(ticket, act, at, s)
    assert refusal.value.reason.endswith(".")
    return refusal.value.code


def test_a_ticket_opens_once() -> None:
    leases, ticket = Leases(0.0), make_ticket(NOON)
    lease = leases.redeem(ticket, "live", NOON, 0.0)
    assert not lease.is_open
    leases.opened(lease)
    assert lease.is_open
    assert refused(leases, ticket) == "TICKET_USED"
    assert leases.close(lease, "VIEWER_LEFT")
    assert not leases.close(lease, "RIGHT_ENDED")
    assert lease.reason == "VIEWER_LEFT"
    assert refused(leases, ticket) == "TICKET_USED"


def test_a_ticket_serves_its_own_act_only() -> None:
    assert refused(Leases(0.0), make_ticket(NOON), "replay") == "TICKET_INVALID"
    replay = make_replay(NOON, NOON - timedelta(minutes=2), NOON)
    assert refused(Leases(0.0), replay, "live") == "TICKET_INVALID"


def test_a_withdrawn_right_ends_its_lease_and_its_unused_ticket() -> None:
    leases, used, unused = Leases(0.0), make_ticket(NOON), make_ticket(NOON)
    lease = leases.redeem(used, "live", NOON, 0.0)
    assert leases.cut([used.id, unused.id], 0.0) == [lease]
    assert refused(leases, unused) == "RIGHT_WITHDRAWN"


def test_a_lease_ends_with_the_right() -> None:
    leases = Leases(0.0)
    lease = leases.redeem(make_ticket(NOON, not_after_at=NOON + timedelta(seconds=30)), "live", NOON, 0.0)
    assert leases.due(NOON + timedelta(seconds=29), 29.0) == []
    assert leases.due(NOON + timedelta(seconds=30), 30.0) == [(lease, "RIGHT_ENDED")]


def test_a_clock_set_back_does_not_lengthen_a_right() -> None:
    leases = Leases(0.0)
    lease = leases.redeem(make_ticket(NOON, not_after_at=NOON + timedelta(seconds=30)), "live", NOON, 0.0)
    assert leases.due(NOON - timedelta(hours=1), 30.0) == [(lease, "RIGHT_ENDED")]


def test_a_clock_set_forward_ends_a_right_at_its_wall_time() -> None:
    leases = Leases(0.0)
    lease = leases.redeem(make_ticket(NOON, not_after_at=NOON + timedelta(seconds=30)), "live", NOON, 0.0)
    assert leases.due(NOON + timedelta(seconds=30), 1.0) == [(lease, "RIGHT_ENDED")]


def test_leases_outlive_the_control_plane_by_a_minute_and_nothing_new_opens() -> None:
    leases = Leases(0.0)
    lease = leases.redeem(make_ticket(NOON), "live", NOON, 0.0)
    leases.renew(10.0)
    assert leases.due(NOON, 10.0 + RENEW_WITHIN_S - 0.1) == []
    assert leases.due(NOON, 10.0 + RENEW_WITHIN_S) == [(lease, "CENTRE_UNREACHABLE")]
    assert refused(leases, make_ticket(NOON), s=10.0 + RENEW_WITHIN_S) == "CENTRE_UNREACHABLE"
    leases.renew(100.0)
    assert leases.due(NOON, 100.0) == []


def test_an_idle_replay_ends_and_a_live_picture_does_not() -> None:
    leases = Leases(0.0)
    replay = leases.redeem(make_replay(NOON, NOON - timedelta(minutes=2), NOON), "replay", NOON, 0.0)
    leases.redeem(make_ticket(NOON), "live", NOON, 0.0)
    replay.used_s = 100.0
    leases.renew(100.0 + IDLE_S)
    assert leases.due(NOON, 99.9 + IDLE_S) == []
    assert leases.due(NOON, 100.0 + IDLE_S) == [(replay, "IDLE")]


def test_leases_are_bounded() -> None:
    leases = Leases(0.0)
    for _ in range(MAX_LEASES):
        leases.redeem(make_ticket(NOON), "live", NOON, 0.0)
    assert refused(leases, make_ticket(NOON)) == "TOO_MANY_VIEWERS"


@pytest.mark.parametrize("start", LeaseState)
@pytest.mark.parametrize("end", LeaseState)
def test_moves_outside_the_table_change_nothing(start: LeaseState, end: LeaseState) -> None:
    lease = Lease(make_ticket(NOON), NOON, 0.0, 0.0, state=start)
    if end in MOVES[start]:
        lease.move(end)
        assert lease.state is end
    else:
        with pytest.raises(ForbiddenMove):
            lease.move(end)
        assert lease.state is start


class LeaseLives(RuleBasedStateMachine):
    """Any order of redeeming, opening, cutting, renewing, ending and waiting."""

    tickets: Bundle[Ticket] = Bundle("tickets")

    def __init__(self) -> None:
        super().__init__()
        self.now, self.s = NOON, 0.0
        self.leases = Leases(self.s)
        self.given: dict[str, Lease] = {}
        self.cut_ids: set[str] = set()

    @rule(target=tickets, life=st.integers(1, 400), replay=st.booleans())
    def issue(self, life: int, replay: bool) -> Ticket:
        changes: dict[str, Any] = {"not_after_at": self.now + timedelta(seconds=life)}
        if replay:
            return make_replay(self.now, self.now - timedelta(minutes=1), self.now, **changes)
        return make_ticket(self.now, **changes)

    @rule(ticket=tickets, act=st.sampled_from(["live", "replay"]))
    def redeem(self, ticket: Ticket, act: Act) -> None:
        if self.now > ticket.redeem_by_at or self.now >= ticket.not_after_at:
            return  # verification refuses it before
        orphan = self.s - self.leases.renewed_s >= RENEW_WITHIN_S
        try:
            lease = self.leases.redeem(ticket, act, self.now, self.s)
        except Refused:
            assert ticket.id in self.given or ticket.id in self.cut_ids or orphan or act != ticket.act
            return
        assert ticket.id not in self.given
        assert ticket.id not in self.cut_ids
        assert not orphan
        self.given[ticket.id] = lease

    @precondition(lambda self: self.given)
    @rule(data=st.data())
    def open_or_close(self, data: st.DataObject) -> None:
        lease = data.draw(st.sampled_from(list(self.given.values())))
        if lease.state is LeaseState.OPENING and data.draw(st.booleans()):
            self.leases.opened(lease)
        else:
            self.leases.close(lease, "VIEWER_LEFT")

    @rule(ticket=tickets)
    def cut(self, ticket: Ticket) -> None:
        self.cut_ids.add(ticket.id)
        for lease in self.leases.cut([ticket.id], self.s):
            assert self.leases.close(lease, "RIGHT_WITHDRAWN")

    @rule()
    def renew(self) -> None:
        self.leases.renew(self.s)

    @rule(seconds=st.floats(0.01, 90.0), clock_set_back=st.integers(0, 20))
    def wait(self, seconds: float, clock_set_back: int) -> None:
        self.now += timedelta(seconds=seconds - clock_set_back)
        self.s += seconds
        for lease, code in self.leases.due(self.now, self.s):
            assert self.leases.close(lease, code)

    @invariant()
    def nothing_outlives_its_right(self) -> None:
        self.leases.check_invariants()
        for lease in self.leases.all():
            assert self.now < lease.ticket.not_after_at
            assert self.s < lease.ends_s
            assert self.s - self.leases.renewed_s < RENEW_WITHIN_S or lease.used_s == self.s
            assert lease.ticket.id not in self.cut_ids


LeaseLives.TestCase.settings = settings(max_examples=60, stateful_step_count=40)
TestLeaseLives = LeaseLives.TestCase
