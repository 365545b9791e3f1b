"""The life of an authorisation: a test for each row of the law's table that it serves, then its properties."""

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from legal.acts import Refused
from legal.authorisations import (
    ENDED,
    IN_SERVICE,
    INTERNAL,
    TABLES,
    Conditions,
    Dossier,
    Event,
    Kind,
    Line,
    Plan,
    State,
    Step,
    alarms_at,
    apply,
    changed_conditions,
    clock_event,
    completed,
    day_of,
    deadlines,
    fault_of_line,
    fault_of_term,
    may_be_replaced,
    months_after,
    possible,
    silence_at,
    start_of,
    state_at,
)
from legal.facts import Regime

DAY = timedelta(days=1)
READY = Conditions(
    cnil_sent_on=date(2026, 1, 5), deliberation="DEL-2025-12", conventions=frozenset({"IV", "V"}), elsewhere={}
)
STREET = Line(finalites=("5",), visualised=True, recorded=True, retention_days=15)


def noon(day: date) -> datetime:
    return start_of(day) + timedelta(hours=12)


def taken(dossier: Dossier, step: Step, at: datetime | None = None, conditions: Conditions = READY) -> Dossier:
    moved = apply(dossier, step, at or noon(step.on), conditions)
    assert isinstance(moved, Dossier), moved
    return moved


def refusal(dossier: Dossier, step: Step, at: datetime | None = None, conditions: Conditions = READY) -> str:
    moved = apply(dossier, step, at or noon(step.on), conditions)
    assert isinstance(moved, Refused)
    assert moved.reason.endswith(".")
    assert not set(State) & set(moved.reason.strip(".").split())  # states are told in words
    assert moved.source
    return moved.code


def through(*steps: Step, kind: Kind = Kind.INITIALE) -> Dossier:
    dossier = Dossier(kind, frozenset({"c1", "c2"}))
    for step in steps:
        dossier = taken(dossier, step)
    return dossier


DEPOSITED = Step(Event.DEPOSIT, date(2026, 1, 10))
COMPLETE = Step(Event.COMPLETE, date(2026, 1, 20))
OPINION = Step(Event.OPINION, date(2026, 3, 20))
GRANT = Step(Event.GRANT, date(2026, 4, 1), reference="27-2026-0101", from_on=date(2026, 4, 1), to_on=date(2031, 4, 1))
NOTICE = Step(Event.NOTIFY, date(2026, 4, 10), service_on=date(2026, 4, 15))
SERVICE = Step(Event.ACTIVATE, date(2026, 4, 15))


def active() -> Dossier:
    return through(DEPOSITED, COMPLETE, OPINION, GRANT, NOTICE, SERVICE)


def test_the_whole_way() -> None:
    dossier = Dossier(Kind.INITIALE, frozenset({"c1"}))
    states = [dossier.state]
    for step in (DEPOSITED, COMPLETE, OPINION, GRANT, NOTICE, SERVICE):
        dossier = taken(dossier, step)
        states.append(state_at(dossier, noon(step.on)))
    assert states == [
        State.BROUILLON,
        State.DEPOSEE,
        State.RECEPISSE,
        State.AVIS_CDV,
        State.AUTORISEE,
        State.MISE_EN_SERVICE_NOTIFIEE,
        State.ACTIVE,
    ]
    assert dossier.in_service == {"c1": noon(SERVICE.on)}


def test_what_would_change_nothing_is_not_offered() -> None:
    examined, at = through(DEPOSITED, COMPLETE), noon(COMPLETE.on)
    assert possible(examined, at) == (Event.EXTEND, Event.OPINION, Event.GRANT, Event.REFUSE, Event.DROP)
    extended = taken(examined, Step(Event.EXTEND, COMPLETE.on))
    assert possible(extended, at) == (Event.OPINION, Event.GRANT, Event.REFUSE, Event.DROP)
    assert not may_be_replaced(extended, at)
    served, at = active(), noon(SERVICE.on)
    assert possible(served, at) == (Event.SUSPEND, Event.WITHDRAW)
    assert may_be_replaced(served, at)
    part = replace(served, in_service={"c1": at})
    assert possible(part, at) == (Event.NOTIFY, Event.ACTIVATE, Event.SUSPEND, Event.WITHDRAW)
    assert not may_be_replaced(served, start_of(date(2031, 4, 1)))


def test_row_02_five_years_then_nothing() -> None:
    dossier = active()
    end = start_of(date(2031, 4, 1))
    assert state_at(dossier, end - timedelta(microseconds=1)) is State.ACTIVE
    assert state_at(dossier, end) is State.EXPIREE
    assert possible(dossier, end) == ()
    longer = replace(GRANT, to_on=date(2031, 4, 2))
    assert refusal(through(DEPOSITED, COMPLETE, OPINION), longer) == "AUTH_TOO_LONG"


def test_row_03_four_months_of_silence_are_a_refusal() -> None:
    dossier = through(DEPOSITED, COMPLETE, OPINION)
    assert state_at(dossier, start_of(date(2026, 5, 21)) - timedelta(microseconds=1)) is State.AVIS_CDV
    late = start_of(date(2026, 5, 21))
    assert state_at(dossier, late) is State.REFUS_IMPLICITE
    assert clock_event(dossier, late) is Event.SILENCE
    assert possible(dossier, late) == ()
    for step in (replace(GRANT, on=date(2026, 5, 21), from_on=date(2026, 5, 21)), SERVICE, NOTICE):
        assert refusal(dossier, step, late + DAY) == "STEP_FORBIDDEN"


def test_a_decision_taken_in_time_counts_when_it_is_entered_late() -> None:
    dossier = through(DEPOSITED, COMPLETE, OPINION)
    assert taken(dossier, GRANT, noon(date(2026, 8, 1))).state is State.AUTORISEE


def test_row_04_provisional_for_four_months_at_most_and_over_with_the_event() -> None:
    asked = through(DEPOSITED, kind=Kind.PROVISOIRE)
    too_long = replace(GRANT, to_on=date(2026, 9, 1))
    assert refusal(asked, too_long) == "PROVISIONAL_TOO_LONG"
    granted = taken(asked, replace(GRANT, to_on=date(2026, 8, 1)))
    served = taken(taken(granted, NOTICE), SERVICE)
    assert served.state is State.PROVISOIRE
    over = taken(served, Step(Event.END_EVENT, date(2026, 5, 2)))
    assert (over.state, over.ended_at) == (State.FIN_EVENEMENT, noon(date(2026, 5, 2)))
    assert possible(over, noon(date(2026, 5, 2))) == ()
    assert state_at(served, start_of(date(2026, 8, 1))) is State.EXPIREE


def test_row_05_the_notice_comes_before_service() -> None:
    granted = through(DEPOSITED, COMPLETE, OPINION, GRANT)
    assert refusal(granted, SERVICE) == "STEP_FORBIDDEN"
    assert refusal(granted, replace(NOTICE, service_on=None)) == "NOTICE_MISSING"
    assert refusal(granted, replace(NOTICE, service_on=date(2026, 4, 9))) == "NOTICE_MISSING"
    notified = taken(granted, NOTICE)
    assert refusal(notified, replace(SERVICE, on=date(2026, 4, 14))) == "NOTICE_MISSING"
    one = taken(granted, replace(NOTICE, cameras=frozenset({"c1"})))
    served = taken(one, SERVICE)
    assert set(served.in_service) == {"c1"}
    assert refusal(served, SERVICE) == "NOTICE_MISSING"
    later = replace(NOTICE, on=date(2026, 5, 1), service_on=date(2026, 5, 2), cameras=frozenset({"c2"}))
    both = taken(taken(served, later), replace(SERVICE, on=date(2026, 5, 2)))
    assert both.in_service == {"c1": noon(date(2026, 4, 15)), "c2": noon(date(2026, 5, 2))}


def test_row_06_the_engagement_comes_before_service() -> None:
    notified = through(DEPOSITED, COMPLETE, OPINION, GRANT, NOTICE)
    for sent in (None, date(2026, 4, 16)):
        assert refusal(notified, SERVICE, conditions=replace(READY, cnil_sent_on=sent)) == "CNIL_ENGAGEMENT_MISSING"


@pytest.mark.parametrize("kinds", [set(), {"IV"}, {"V"}, {"COORDINATION"}])
def test_row_42_conventions_come_before_service(kinds: set[str]) -> None:
    notified = through(DEPOSITED, COMPLETE, OPINION, GRANT, NOTICE)
    assert refusal(notified, SERVICE, conditions=replace(READY, conventions=frozenset(kinds))) == "CONVENTION_MISSING"
    assert refusal(notified, SERVICE, conditions=replace(READY, deliberation=None)) == "DELIBERATION_MISSING"


def test_row_07_a_change_of_conditions_is_told_from_what_was_unknown() -> None:
    known = replace(STREET, position=(49.02, 1.15), recipients=("PN",))
    for change in (
        {"retention_days": 20},
        {"retention_days": 10},
        {"finalites": ("1", "5")},
        {"position": (49.03, 1.15)},
        {"recipients": ("GN",)},
        {"recorded": False},
    ):
        assert changed_conditions(known, replace(known, **change)) == tuple(change)
    assert changed_conditions(STREET, known) == ()
    assert changed_conditions(known, completed(known, STREET)) == ()
    assert changed_conditions(known, replace(known, width=1920, height=1080)) == ()


def test_row_08_a_suspension_is_at_once_and_keeps_its_term() -> None:
    suspended = taken(active(), Step(Event.SUSPEND, date(2026, 6, 1)))
    assert (suspended.state, suspended.suspended_at) == (State.SUSPENDUE, noon(date(2026, 6, 1)))
    assert state_at(suspended, start_of(date(2031, 4, 1))) is State.EXPIREE
    resumed = taken(suspended, Step(Event.RESUME, date(2026, 6, 2)))
    assert (resumed.state, resumed.suspended_at) == (State.ACTIVE, None)
    withdrawn = taken(suspended, Step(Event.WITHDRAW, date(2026, 6, 2)))
    assert possible(withdrawn, noon(date(2026, 6, 2))) == ()


def test_row_14_more_than_a_month_is_refused() -> None:
    for days in (32, 45):
        fault = fault_of_line(Regime.VOIE_PUBLIQUE, replace(STREET, retention_days=days))
        assert fault is not None
        assert fault.code == "RETENTION_TOO_LONG"
    assert fault_of_line(Regime.VOIE_PUBLIQUE, replace(STREET, retention_days=31)) is None


@pytest.mark.parametrize(
    ("profile", "code"),
    [
        ({"plan": Plan.ETROIT, "width": 640, "height": 480, "per_s": 12.0}, "PROFILE_BELOW_NORM"),
        ({"plan": Plan.ETROIT, "width": 640, "height": 480, "per_s": 12.0, "exemption": "Essai 2026-3"}, None),
        ({"plan": Plan.ETROIT, "width": 640, "height": 480, "per_s": 12.0, "finalites": ("3",)}, None),
        ({"plan": Plan.ETROIT, "width": 704, "height": 576, "per_s": 6.0}, None),
        ({"plan": Plan.LARGE, "width": 640, "height": 480, "per_s": 6.0}, None),
        ({"width": 640, "height": 480}, None),
    ],
)
def test_row_30_a_narrow_shot_is_704_by_576(profile: dict[str, object], code: str | None) -> None:
    fault = fault_of_line(Regime.VOIE_PUBLIQUE, replace(STREET, **profile))
    assert (None if fault is None else fault.code) == code


def test_row_31_fast_flow_is_12_pictures_a_second_and_all_else_6() -> None:
    narrow = replace(STREET, plan=Plan.ETROIT, width=1920, height=1080, per_s=10.0)
    fast = fault_of_line(Regime.VOIE_PUBLIQUE, replace(narrow, fast_flow=True))
    assert fast is not None
    assert fast.code == "PROFILE_BELOW_NORM"
    assert fault_of_line(Regime.VOIE_PUBLIQUE, narrow) is None
    slow = fault_of_line(Regime.VOIE_PUBLIQUE, replace(narrow, plan=Plan.LARGE, per_s=5.0))
    assert slow is not None
    assert "6 images/s" in slow.reason


def test_row_32_nothing_is_below_352_by_288() -> None:
    for plan, exemption in ((Plan.LARGE, None), (Plan.ETROIT, "Essai 2026-3"), (None, None)):
        line = replace(STREET, plan=plan, exemption=exemption, width=320, height=240, per_s=12.0)
        fault = fault_of_line(Regime.VOIE_PUBLIQUE, line)
        assert fault is not None
        assert fault.code == "PROFILE_BELOW_NORM"


@pytest.mark.parametrize(
    ("regime", "finalites"),
    [
        (Regime.VOIE_PUBLIQUE, ("ERP",)),
        (Regime.VOIE_PUBLIQUE, ("12",)),
        (Regime.VOIE_PUBLIQUE, ()),
        (Regime.COMMERCE, ("5",)),
        (Regime.HORS_CSI, ("5",)),
        (Regime.ABORDS_TERRO, ("5",)),
    ],
)
def test_a_regime_has_its_purposes(regime: Regime, finalites: tuple[str, ...]) -> None:
    fault = fault_of_line(regime, replace(STREET, finalites=finalites))
    assert fault is not None
    assert fault.code == "FINALITE_NOT_AUTHORISED"


def test_no_two_arretes_at_once() -> None:
    notified = through(DEPOSITED, COMPLETE, OPINION, GRANT, NOTICE)
    assert refusal(notified, SERVICE, conditions=replace(READY, elsewhere={"c2": "27-2024-7"})) == "AUTH_OVERLAP"


def test_what_is_replaced_needs_no_second_notice() -> None:
    granted = through(DEPOSITED, COMPLETE, OPINION, GRANT, kind=Kind.RENOUVELLEMENT)
    served = taken(granted, SERVICE, conditions=replace(READY, served=frozenset({"c1"})))
    assert set(served.in_service) == {"c1"}
    assert refusal(granted, SERVICE) == "NOTICE_MISSING"


def test_without_the_opinion_its_delay_must_have_run_out() -> None:
    complete = through(DEPOSITED, COMPLETE)
    assert refusal(complete, GRANT) == "CDV_OPINION_MISSING"
    in_may = replace(GRANT, on=date(2026, 4, 21), from_on=date(2026, 4, 21), to_on=date(2031, 4, 21))
    assert taken(complete, in_may).state is State.AUTORISEE
    extended = taken(complete, Step(Event.EXTEND, date(2026, 4, 2)))
    assert refusal(extended, in_may) == "CDV_OPINION_MISSING"
    assert refusal(extended, Step(Event.EXTEND, date(2026, 4, 3))) == "STEP_FORBIDDEN"


@pytest.mark.parametrize(
    "step",
    [
        replace(OPINION, on=date(2026, 1, 19)),
        replace(GRANT, from_on=date(2026, 3, 31)),
        replace(GRANT, to_on=date(2026, 4, 1)),
        replace(GRANT, to_on=None),
        replace(GRANT, reference=None),
    ],
)
def test_days_that_do_not_fit_are_refused(step: Step) -> None:
    before = through(DEPOSITED, COMPLETE) if step.event is Event.OPINION else through(DEPOSITED, COMPLETE, OPINION)
    assert refusal(before, step) == "DATES_INVALID"


def test_nothing_is_entered_before_its_day() -> None:
    assert refusal(through(DEPOSITED), COMPLETE, noon(date(2026, 1, 19))) == "DATES_INVALID"


def test_a_place_outside_the_law_needs_no_prefet() -> None:
    decided = through(GRANT, kind=Kind.REGISTRE)
    assert taken(decided, SERVICE, conditions=Conditions()).state is State.ACTIVE
    assert refusal(decided, NOTICE) == "STEP_FORBIDDEN"


@pytest.mark.parametrize(
    ("before", "wanted"),
    [
        (date(2030, 6, 30), {}),
        (date(2030, 7, 1), {"AUTH_EXPIRING": "9"}),
        (date(2030, 10, 1), {"AUTH_EXPIRING": "6"}),
        (date(2030, 12, 1), {"AUTH_EXPIRING": "4"}),
        (date(2031, 4, 1), {}),
    ],
)
def test_alarms_at_nine_six_and_four_months(before: date, wanted: dict[str, str]) -> None:
    assert alarms_at(active(), start_of(before)) == wanted


def test_deadlines_are_told_in_their_order() -> None:
    told = [(one.code, day_of(one.at)) for one in deadlines(through(DEPOSITED, COMPLETE), noon(date(2026, 2, 1)))]
    assert told == [("CDV_OPINION", date(2026, 4, 21)), ("REFUS_IMPLICITE", date(2026, 5, 21))]
    told = [(one.code, day_of(one.at)) for one in deadlines(active(), noon(date(2030, 11, 1)))]
    assert told == [("AUTH_EXPIRING", date(2030, 12, 1)), ("AUTH_EXPIRED", date(2031, 4, 1))]
    assert alarms_at(through(DEPOSITED, COMPLETE), start_of(date(2026, 4, 21))) == {"CDV_LATE": ""}


def test_months_of_every_length() -> None:
    assert months_after(date(2026, 10, 31), 4) == date(2027, 2, 28)
    assert months_after(date(2024, 2, 29), 60) == date(2029, 2, 28)
    assert months_after(date(2024, 2, 29), 60, forward=True) == date(2029, 3, 1)
    assert months_after(date(2026, 3, 31), -1) == date(2026, 2, 28)
    assert fault_of_term(Kind.INITIALE, date(2024, 2, 29), date(2029, 3, 1)) is None
    silent = silence_at(through(DEPOSITED, replace(COMPLETE, on=date(2026, 1, 31))))
    assert silent == start_of(date(2026, 6, 1))


# --- properties
# -----------------------------------------------------------------------------------------------------

DAYS = st.dates(date(2026, 1, 1), date(2032, 12, 31))
STEPS = st.builds(
    Step,
    event=st.sampled_from(Event),
    on=DAYS,
    reference=st.sampled_from([None, "27-1"]),
    from_on=st.none() | DAYS,
    to_on=st.none() | DAYS,
    service_on=st.none() | DAYS,
    cameras=st.sampled_from([None, frozenset({"c1"}), frozenset({"c2"}), frozenset({"c3"})]),
)
CONDITIONS = st.builds(
    Conditions,
    cnil_sent_on=st.sampled_from([None, date(2025, 1, 1)]),
    deliberation=st.sampled_from([None, "D"]),
    conventions=st.sampled_from([frozenset[str](), frozenset({"IV"}), frozenset({"IV", "V"})]),
    elsewhere=st.sampled_from([{}, {"c1": "27-0"}]),
    served=st.sampled_from([frozenset[str](), frozenset({"c1"})]),
)
CLOSING = (Event.DROP, Event.REFUSE, Event.WITHDRAW, Event.REPLACE, Event.END_EVENT)
CLOSES_UNTIL = 4  # days of the month on which a drawn history may come to its end
HISTORY = st.lists(
    st.tuples(STEPS, st.timedeltas(timedelta(0), timedelta(days=40)), st.just(READY) | CONDITIONS),
    min_size=5,
    max_size=12,
)


def likely(
    kind: Kind, history: list[tuple[Step, timedelta, Conditions]]
) -> list[tuple[Dossier, Step, datetime, Conditions]]:
    """Each step that was taken, with what stood before it: events that are possible are tried first."""
    dossier, at, found = Dossier(kind, frozenset({"c1", "c2"})), noon(date(2026, 1, 2)), []
    for step, pause, conditions in history:
        at += pause
        today = day_of(at)
        choices = [event for event in TABLES[kind].get(state_at(dossier, at), {}) if event is not Event.CARRY_OVER]
        onward = [event for event in choices if event not in CLOSING]
        chosen = choices if step.on.day <= CLOSES_UNTIL or not onward else onward
        event = chosen[step.on.month % len(chosen)] if chosen else step.event
        tried = replace(
            step,
            event=event,
            on=min(step.on, today) if step.on.day % 3 == 0 else today,
            from_on=today if step.on.day % 5 else step.from_on,
            to_on=months_after(today, 4 if kind is Kind.PROVISOIRE else 60) if step.on.day % 7 else step.to_on,
            reference=step.reference or "27-2",
            service_on=today if step.on.day % 2 else step.service_on,
        )
        moved = apply(dossier, tried, at, conditions)
        if isinstance(moved, Dossier):
            found.append((dossier, tried, at, conditions))
            dossier = moved
    return found


@settings(max_examples=300)
@given(kind=st.sampled_from(Kind), history=HISTORY)
def test_no_way_into_service_without_every_condition(
    kind: Kind, history: list[tuple[Step, timedelta, Conditions]]
) -> None:
    for before, step, at, conditions in likely(kind, history):
        after = apply(before, step, at, conditions)
        assert isinstance(after, Dossier)
        fresh = after.in_service.keys() - before.in_service.keys()
        assert not fresh or step.event is Event.ACTIVATE
        for camera in fresh:
            assert after.from_at is not None
            assert after.from_at <= at < (after.to_at or at)
            assert camera not in conditions.elsewhere
            if kind is not Kind.REGISTRE:
                assert conditions.cnil_sent_on
                assert conditions.deliberation
                assert conditions.conventions >= {"IV", "V"}
                notice = after.notices.get(camera)
                assert camera in conditions.served or (notice and notice.sent_on <= notice.service_on <= day_of(at))
        if after.state in IN_SERVICE:
            assert after.in_service
            assert after.reference


@settings(max_examples=300)
@given(kind=st.sampled_from(Kind), history=HISTORY, later=st.timedeltas(timedelta(0), timedelta(days=4000)))
def test_time_only_closes(kind: Kind, history: list[tuple[Step, timedelta, Conditions]], later: timedelta) -> None:
    for before, step, at, conditions in likely(kind, history):
        after = apply(before, step, at, conditions)
        assert isinstance(after, Dossier)
        now, then = state_at(after, at), state_at(after, at + later)
        assert then is now or (now not in ENDED and then in (State.EXPIREE, State.REFUS_IMPLICITE))
        assert set(possible(after, at + later)) <= set(possible(after, at))


@settings(max_examples=300)
@given(kind=st.sampled_from(Kind), history=HISTORY)
def test_no_state_keeps_recording_after_its_end(kind: Kind, history: list[tuple[Step, timedelta, Conditions]]) -> None:
    """Whatever is not in service has an end or a suspension in its dates, which is what recorder and guard go by."""
    for before, step, at, conditions in likely(kind, history):
        after = apply(before, step, at, conditions)
        assert isinstance(after, Dossier)
        state = state_at(after, at)
        ends = [end for end in (after.to_at, after.ended_at, after.suspended_at) if end is not None]
        if after.in_service and state not in IN_SERVICE:
            assert min(ends) <= at
        if state in ENDED:
            assert possible(after, at) == ()


def test_every_state_but_the_first_is_reached_and_every_end_is_final() -> None:
    reached = {target for table in TABLES.values() for events in table.values() for target in events.values()}
    assert reached | {State.BROUILLON} == set(State)
    assert all(ENDED.isdisjoint(table) for table in TABLES.values())
    assert set(Event) - INTERNAL == {
        event for table in TABLES.values() for events in table.values() for event in events if event not in INTERNAL
    }


def test_a_suspension_outlives_the_arrete_until_it_is_lifted() -> None:
    """Row 8: what amends a suspended arrêté opens nothing by itself (CSI R.254-1, R.254-2)."""
    notified = taken(through(DEPOSITED, COMPLETE, OPINION, GRANT), NOTICE)
    halted = replace(READY, suspended="27-2024-7")
    assert refusal(notified, SERVICE, conditions=halted) == "AUTH_SUSPENDED"
    assert refusal(notified, replace(SERVICE, reference="27-2024-7"), conditions=halted) == "AUTH_SUSPENDED"
    lifted = taken(notified, replace(SERVICE, reference=notified.reference), conditions=halted)
    assert lifted.state is State.ACTIVE
    moved = apply(notified, SERVICE, noon(SERVICE.on), halted)
    assert isinstance(moved, Refused)
    assert "27-2024-7" in moved.reason
    assert moved.source == "CSI R.254-1, R.254-2"
