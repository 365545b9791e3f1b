"""Persons: accounts of one person each, habilitations, and their clocks; a test for each row of the law's table."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from legal.acts import Act, Allowed, Refused
from legal.facts import (
    Actor,
    Agrement,
    Authorisation,
    Basis,
    Camera,
    Category,
    Commune,
    Convention,
    Habilitation,
    Regime,
    Right,
    Role,
    Subject,
    Validity,
)
from legal.motifs import Motif
from legal.permissions import decide
from legal.persons import (
    CATEGORIES,
    STATE_FORCES,
    Clock,
    Due,
    Signature,
    Standing,
    dues,
    fault_of_account,
    fault_of_dates,
    fault_of_designator,
    fault_of_habilitation,
    fault_of_leaving,
    fault_of_office,
    inquiry_by,
    months_later,
    review_at,
)

AT = datetime(2026, 11, 23, 14, 30, tzinfo=UTC)
DAY = timedelta(days=1)
YEAR = Validity(AT - 100 * DAY, AT + 265 * DAY)
BOTH = frozenset(Right)
HELD = Habilitation("h1", "27681", Basis.DESIGNATION, BOTH, YEAR)
SIGNED = Signature("Maire de Vernon", date(2026, 1, 1))
CIVIL = Actor("a1", Role.OPERATOR, Category.CIVIL_AGREE, None, Agrement(frozenset({"27"}), Validity(AT)), (HELD,))


def code(
    category: Category, new: Habilitation = HELD, signed: Signature = SIGNED, held: tuple[Habilitation, ...] = ()
) -> str | None:
    fault = fault_of_habilitation(category, new, signed, held)
    if fault is None:
        return None
    assert fault.reason.endswith(".")
    assert fault.source
    return fault.code


class TestAccounts:
    @pytest.mark.parametrize(
        ("login", "name"),
        [
            ("police", "Agent"),
            ("pm1", "PM 1"),
            ("brigade.nuit", "Camille Durand"),
            ("c.durand", "Brigade de nuit"),
            ("csu", "CSU"),
            ("equipe-b", "B"),
            ("m.durand", "Équipe du matin"),
            ("poste2", "Poste 2"),
            ("gendarmerie.vernon", "Gendarmerie de Vernon"),
        ],
    )
    def test_row_34_a_login_that_names_a_service_is_refused(self, login: str, name: str) -> None:
        fault = fault_of_account(login, name, ())
        assert fault is not None
        assert fault.code == "SHARED_LOGIN"

    @pytest.mark.parametrize("role", Role)
    def test_row_36_the_elected_run_and_control_no_centre(self, role: Role) -> None:
        fault = fault_of_office(role, Category.ELU)
        assert (fault is None) == (role in (Role.DELEGATE, Role.OPERATOR))
        assert fault is None or fault.code == "REGIME_ROLE_FORBIDDEN"
        assert fault_of_office(role, Category.PM) is None

    @pytest.mark.parametrize(
        ("login", "name"),
        [
            ("c.durand", "Camille Durand"),
            ("j.salle", "Julie Salle"),
            ("poste.m", "Marie Poste"),
            ("pm.durand", "Durand"),
        ],
    )
    def test_row_34_a_person_is_none(self, login: str, name: str) -> None:
        assert fault_of_account(login, name, ("Camille Dupont",)) is None

    def test_row_34_a_person_has_one_account(self) -> None:
        fault = fault_of_account("c.durand2", "CAMILLE  DÙRAND", ("Camille Durand",))
        assert fault is not None
        assert fault.code == "SHARED_LOGIN"
        assert fault_of_account("c.durand2", "Camille Durand 4471", ("Camille Durand",)) is None


class TestHabilitations:
    def test_row_36_the_elected_have_a_delegation_and_nobody_else(self) -> None:
        delegation = replace(HELD, basis=Basis.DELEGATION)
        assert code(Category.ELU, delegation) is None
        assert code(Category.ELU) == "NOT_HABILITE"
        assert code(Category.PM, delegation) == "NOT_HABILITE"

    def test_row_37_no_private_operator_on_the_street(self) -> None:
        assert code(Category.PRIVE_CNAPS) == "REGIME_ROLE_FORBIDDEN"
        street = replace(HELD, regimes=frozenset({Regime.VOIE_PUBLIQUE}))
        both = replace(HELD, regimes=frozenset({Regime.VOIE_PUBLIQUE, Regime.ERP}))
        assert code(Category.PRIVE_CNAPS, street) == "REGIME_ROLE_FORBIDDEN"
        assert code(Category.PRIVE_CNAPS, both) == "REGIME_ROLE_FORBIDDEN"
        assert code(Category.PRIVE_CNAPS, replace(HELD, regimes=frozenset({Regime.ERP}))) is None

    @pytest.mark.parametrize("category", sorted(STATE_FORCES))
    def test_row_65_police_are_habilitated_by_their_head_of_service(self, category: Category) -> None:
        assert code(category, signed=Signature(None, date(2026, 1, 1))) == "NOT_HABILITE"
        assert code(category, signed=Signature("", date(2026, 1, 1))) == "NOT_HABILITE"
        assert code(category, signed=Signature("Cheffe de la circonscription", date(2026, 1, 1))) is None

    @pytest.mark.parametrize("category", [Category.MAINT, Category.SANS_IMAGES])
    def test_who_works_without_images_is_given_none(self, category: Category) -> None:
        assert code(category) == "REGIME_ROLE_FORBIDDEN"

    def test_row_43_a_regime_that_the_category_does_not_open(self) -> None:
        shop = replace(HELD, regimes=frozenset({Regime.COMMERCE}))
        assert code(Category.CIVIL_AGREE, shop) == "REGIME_ROLE_FORBIDDEN"
        assert code(Category.PM, shop) is None

    @pytest.mark.parametrize(
        ("other", "expected"),
        [
            (HELD, "HABILITATION_OVERLAP"),
            (replace(HELD, validity=Validity(AT, None)), "HABILITATION_OVERLAP"),
            (replace(HELD, validity=replace(YEAR, suspended_at=AT - DAY)), "HABILITATION_OVERLAP"),
            (replace(HELD, regimes=frozenset({Regime.ERP})), "HABILITATION_OVERLAP"),
            (replace(HELD, commune="27016"), None),
            (replace(HELD, validity=Validity(AT - 200 * DAY, YEAR.from_at)), None),
            (replace(HELD, validity=Validity(AT + 265 * DAY, None)), None),
        ],
    )
    def test_overlapping_habilitations(self, other: Habilitation, expected: str | None) -> None:
        new = replace(HELD, id="h2")
        assert code(Category.PM, new, held=(other,)) == expected
        assert code(Category.PM, replace(other, id="h2"), held=(HELD,)) == expected

    def test_two_regimes_do_not_overlap(self) -> None:
        street, indoors = (replace(HELD, id=r, regimes=frozenset({r})) for r in (Regime.VOIE_PUBLIQUE, Regime.ERP))
        assert code(Category.PM, street, held=(indoors,)) is None

    def test_no_right_before_the_act_that_gives_it(self) -> None:
        late = Signature("Maire", YEAR.from_at.date() + DAY)
        assert code(Category.PM, signed=late) == "OUT_OF_DATES"

    @pytest.mark.parametrize(
        ("validity", "signed", "is_refused"),
        [
            (YEAR, SIGNED, False),
            (Validity(AT - 9 * DAY, AT), SIGNED, True),
            (Validity(AT, AT), SIGNED, True),
            (Validity(AT + DAY, AT - DAY), SIGNED, True),
            (YEAR, Signature("Maire", AT.date() + DAY), True),
            (Validity(AT), SIGNED, False),
        ],
    )
    def test_dates_outside_validity(self, validity: Validity, signed: Signature, is_refused: bool) -> None:
        fault = fault_of_dates(validity, signed, AT)
        assert (fault is not None and fault.code == "OUT_OF_DATES") == is_refused

    def test_a_delegate_designates_police_of_the_own_commune_only(self) -> None:
        vernon = Commune("27681", "Vernon", "27", ())
        delegate = replace(CIVIL, role=Role.DELEGATE, category=Category.ELU, employer="27681")
        police = replace(CIVIL, category=Category.PM, employer="27681", agrement=None)
        assert fault_of_designator(delegate, police, vernon) is None
        assert fault_of_designator(replace(CIVIL, role=Role.SUPERVISOR), CIVIL, vernon) is None
        for other in (CIVIL, replace(police, employer="27229"), replace(police, category=Category.ASVP)):
            fault = fault_of_designator(delegate, other, vernon)
            assert fault is not None
            assert fault.code == "REGIME_ROLE_FORBIDDEN"

    @pytest.mark.parametrize("basis", Basis)
    def test_a_delegate_habilitates_while_the_own_delegation_is_in_force(self, basis: Basis) -> None:
        vernon = Subject(Commune("27681", "Vernon", "27", ()))
        mayor = replace(CIVIL, role=Role.DELEGATE, category=Category.ELU, habilitations=(replace(HELD, basis=basis),))
        outcome = decide(mayor, Act.HABILITATION_GRANT, vernon, None, AT)
        if basis is Basis.DELEGATION:
            assert outcome == Allowed(AT + 265 * DAY)
            assert isinstance(decide(mayor, Act.HABILITATION_GRANT, vernon, None, AT + 265 * DAY), Refused)
        else:
            assert isinstance(outcome, Refused)
            assert outcome.code == "NOT_HABILITE"
        elsewhere = decide(mayor, Act.HABILITATION_GRANT, Subject(Commune("27229", "Évreux", "27", ())), None, AT)
        assert isinstance(elsewhere, Refused)
        assert elsewhere.code == "OUT_OF_COMMUNE"


LINE = Authorisation("au1", frozenset({"5"}), True, True, YEAR)
VERNON = Commune("27681", "Vernon", "27", (Convention("c1", YEAR),))


class TestPictures:
    def test_row_34_a_habilitation_for_a_regime_opens_no_other(self) -> None:
        police = replace(CIVIL, category=Category.PM, agrement=None)
        limited = replace(police, habilitations=(replace(HELD, regimes=frozenset({Regime.ERP})),))
        street, indoors = (Subject(VERNON, Camera("cam", r, (LINE,))) for r in (Regime.VOIE_PUBLIQUE, Regime.ERP))
        refused = decide(limited, Act.PICTURE_LIVE, street, Motif("SECURITE"), AT)
        assert isinstance(refused, Refused)
        assert refused.code == "NOT_HABILITE"
        assert isinstance(decide(limited, Act.PICTURE_LIVE, indoors, Motif("SECURITE"), AT), Allowed)

    def test_row_39_an_inquiry_over_five_years_old_blocks_where_the_centre_says_so(self) -> None:
        street = Subject(VERNON, Camera("cam", Regime.VOIE_PUBLIQUE, (LINE,)))
        approved = replace(CIVIL, agrement=Agrement(frozenset({"27"}), Validity(AT - 1900 * DAY), AT + DAY))
        assert decide(approved, Act.PICTURE_LIVE, street, Motif("SECURITE"), AT) == Allowed(AT + DAY)
        refused = decide(approved, Act.PICTURE_LIVE, street, Motif("SECURITE"), AT + DAY)
        assert isinstance(refused, Refused)
        assert refused.code == "AGREMENT_MISSING"
        without = replace(approved, agrement=Agrement(frozenset({"27"}), Validity(AT - 1900 * DAY)))
        assert isinstance(decide(without, Act.PICTURE_LIVE, street, Motif("SECURITE"), AT + DAY), Allowed)


def codes(standing: Standing, at: datetime) -> list[Due]:
    return [due.code for due in dues(standing, at)]


QUIET = Standing(replace(CIVIL, habilitations=()), AT - DAY, AT - DAY)


class TestClocks:
    def test_row_39_alarm_at_four_years_and_nine_months_then_overdue_at_five(self) -> None:
        made = datetime(2022, 2, 28, 23, tzinfo=UTC)  # 1 March in Paris
        alarm, due = datetime(2026, 11, 30, 23, tzinfo=UTC), datetime(2027, 2, 28, 23, tzinfo=UTC)
        assert inquiry_by(made) == due
        actor = replace(QUIET.actor, agrement=Agrement(frozenset({"27"}), Validity(made)))
        second = timedelta(seconds=1)
        for at, expected in (
            (alarm - second, []),
            (alarm, [Due.INQUIRY_DUE]),
            (due - second, [Due.INQUIRY_DUE]),
            (due, [Due.INQUIRY_OVERDUE]),
        ):
            assert codes(Standing(actor, made, at), at) == expected

    def test_row_38_an_agrement_that_is_suspended_or_ends(self) -> None:
        def approved(validity: Validity) -> Standing:
            return replace(QUIET, actor=replace(QUIET.actor, agrement=Agrement(frozenset({"27"}), validity)))

        assert dues(approved(replace(YEAR, suspended_at=AT - DAY)), AT) == (Clock(Due.AGREMENT_SUSPENDED, AT - DAY),)
        assert codes(approved(Validity(AT - DAY, AT + 60 * DAY)), AT) == [Due.AGREMENT_ENDING]
        assert codes(approved(Validity(AT - DAY, AT + 61 * DAY)), AT) == []
        assert codes(approved(Validity(AT - DAY, AT)), AT) == []

    def test_row_36_a_delegation_and_a_designation_that_end(self) -> None:
        ending = replace(HELD, validity=Validity(AT - DAY, AT + 10 * DAY))
        delegation = replace(ending, commune="27016", basis=Basis.DELEGATION)

        def held(*those: Habilitation) -> tuple[Clock, ...]:
            return dues(replace(QUIET, actor=replace(QUIET.actor, habilitations=those)), AT)

        assert held(ending, delegation) == (
            Clock(Due.DESIGNATION_ENDING, AT + 10 * DAY, "27681"),
            Clock(Due.DELEGATION_ENDING, AT + 10 * DAY, "27016"),
        )
        following = replace(HELD, id="h2", validity=Validity(AT + 10 * DAY, None))
        assert held(ending, following) == ()
        assert len(held(ending, replace(following, rights=frozenset({Right.LIVE})))) == 1
        assert len(held(ending, replace(following, validity=Validity(AT + 11 * DAY)))) == 1

    @pytest.mark.parametrize(
        ("days", "expected"), [(0, None), (7, None), (8, "LEAVER_TOO_LATE"), (-1, "LEAVER_TOO_LATE")]
    )
    def test_row_70_a_leaver_is_closed_within_seven_days(self, days: int, expected: str | None) -> None:
        fault = fault_of_leaving(days)
        assert (None if fault is None else fault.code) == expected

    def test_row_70_a_leaver_is_an_alarm_until_closed(self) -> None:
        assert dues(replace(QUIET, closes_at=AT + 7 * DAY), AT) == (Clock(Due.LEAVER, AT + 7 * DAY),)

    def test_row_70_each_account_is_confirmed_once_a_year(self) -> None:
        confirmed = datetime(2025, 11, 23, 14, 30, tzinfo=UTC)
        standing = replace(QUIET, confirmed_at=confirmed)
        assert review_at(confirmed) == AT
        assert codes(standing, AT - 31 * DAY) == []
        assert codes(standing, AT - 30 * DAY) == [Due.REVIEW_DUE]
        assert codes(standing, AT) == [Due.REVIEW_OVERDUE]

    def test_months_are_counted_in_civil_time(self) -> None:
        assert months_later(datetime(2024, 2, 29, 12, tzinfo=UTC), 60) == datetime(2029, 2, 28, 12, tzinfo=UTC)
        assert months_later(datetime(2026, 1, 14, 23, tzinfo=UTC), 6) == datetime(2026, 7, 14, 22, tzinfo=UTC)


instants = st.integers(-400, 400).map(lambda days: AT + days * DAY)
validities = st.builds(Validity, instants, st.none() | instants, st.none() | instants)
regimes = st.none() | st.frozensets(st.sampled_from(sorted(CATEGORIES)), min_size=1)
habilitations = st.builds(
    Habilitation, st.uuids().map(str), st.just("27681"), st.sampled_from(Basis), st.just(BOTH), validities, regimes
)


@given(st.sampled_from(Category), habilitations, st.lists(habilitations, max_size=4))
def test_no_two_that_were_let_in_cover_the_same_regime_at_the_same_time(
    category: Category, new: Habilitation, others: list[Habilitation]
) -> None:
    let_in: list[Habilitation] = []
    for one in [*others, new]:
        if fault_of_habilitation(category, one, SIGNED, let_in) is None:
            let_in.append(one)
    for at in (AT + days * DAY for days in range(-400, 401, 25)):
        for regime in CATEGORIES:
            assert sum(one.validity.in_force(at) and one.covers(regime) for one in let_in) <= 1


@given(st.sampled_from(Category), habilitations, st.sampled_from(sorted(CATEGORIES)), instants)
def test_nothing_is_opened_outside_its_regime_and_dates(
    category: Category, held: Habilitation, regime: Regime, at: datetime
) -> None:
    agrement = Agrement(frozenset({"27"}), Validity(AT - 900 * DAY))
    actor = Actor("a", Role.OPERATOR, category, None, agrement, (held,))
    commune = Commune("27681", "Vernon", "27", (Convention("c", Validity(AT - 900 * DAY)),))
    line = replace(LINE, finalites=frozenset({"5"}), validity=Validity(AT - 900 * DAY))
    outcome = decide(actor, Act.PICTURE_LIVE, Subject(commune, Camera("c", regime, (line,))), Motif("SECURITE"), at)
    if isinstance(outcome, Allowed):
        assert held.validity.in_force(at)
        assert held.covers(regime)
        assert outcome.not_after_at <= held.validity.end_at


@given(st.lists(habilitations, max_size=3), habilitations, st.sampled_from(sorted(CATEGORIES)), instants)
def test_adding_a_habilitation_removes_no_right(
    held: list[Habilitation], added: Habilitation, regime: Regime, at: datetime
) -> None:
    police = Actor("a", Role.OPERATOR, Category.PM, "27681", None, tuple(held))
    subject = Subject(VERNON, Camera("c", regime, (replace(LINE, validity=Validity(AT - 900 * DAY)),)))
    before = decide(police, Act.PICTURE_LIVE, subject, Motif("SECURITE"), at)
    richer = replace(police, habilitations=(added, *held))
    after = decide(richer, Act.PICTURE_LIVE, subject, Motif("SECURITE"), at)
    if isinstance(before, Allowed):
        assert isinstance(after, Allowed)
        assert after.not_after_at >= before.not_after_at


@given(habilitations, instants, st.integers(0, 200))
def test_a_term_is_told_before_it_falls(held: Habilitation, at: datetime, ahead: int) -> None:
    standing = replace(QUIET, actor=replace(QUIET.actor, habilitations=(held,)), confirmed_at=at)
    for due in dues(standing, at + ahead * DAY):
        if due.code in (Due.DELEGATION_ENDING, Due.DESIGNATION_ENDING):
            assert held.validity.from_at <= at + ahead * DAY < due.by_at
