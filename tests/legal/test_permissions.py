"""The decision: a test for each row of the law's table that it serves, then its properties."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from legal.acts import Act, Allowed, Refused
from legal.facts import (
    CENTRE,
    Actor,
    Agrement,
    Authorisation,
    Basis,
    Camera,
    Category,
    Commune,
    Convention,
    Deport,
    Habilitation,
    Regime,
    Right,
    Role,
    Subject,
    Validity,
)
from legal.motifs import Motif
from legal.permissions import RULES, decide, foresee
from legal.rules import STATE_FORCES
from legal.scope import scope

AT = datetime(2026, 11, 23, 14, 30, tzinfo=UTC)
DAY = timedelta(days=1)
YEAR = Validity(AT - 100 * DAY, AT + 265 * DAY)
BOTH = frozenset(Right)
PICTURES = (Act.PICTURE_LIVE, Act.PICTURE_REPLAY, Act.PICTURE_EXTRACT, Act.PICTURE_EXPORT)
LIVE_MOTIF = Motif("SECURITE")
REPLAY_MOTIF = Motif("INTERVENTION", "2026-001234")
REQUISITION = Motif("REQUISITION", "PV 2026-417")

CIVIL = Actor(
    id="a1",
    role=Role.OPERATOR,
    category=Category.CIVIL_AGREE,
    employer=None,
    agrement=Agrement(frozenset({"27"}), Validity(AT - 500 * DAY)),
    habilitations=(Habilitation("h1", "27681", Basis.DESIGNATION, BOTH, YEAR),),
)
VERNON = Commune("27681", "Vernon", "27", (Convention("c1", YEAR),))
CAMERA = Camera("cam", Regime.VOIE_PUBLIQUE, (Authorisation("au1", frozenset({"5", "11"}), True, True, YEAR),))
STREET = Subject(VERNON, CAMERA)
PAST = replace(STREET, window=(AT - DAY, AT - DAY / 2))


def refusal(
    actor: Actor = CIVIL,
    act: Act = Act.PICTURE_LIVE,
    subject: Subject = STREET,
    motif: Motif | None = LIVE_MOTIF,
    at: datetime = AT,
) -> str:
    outcome = decide(actor, act, subject, motif, at)
    assert isinstance(outcome, Refused)
    assert outcome.reason.endswith(".")
    assert outcome.source
    return outcome.code


def authorised(*lines: Authorisation, regime: Regime = Regime.VOIE_PUBLIQUE) -> Subject:
    return Subject(VERNON, Camera("cam", regime, lines))


LINE = CAMERA.authorisations[0]
HELD = CIVIL.habilitations[0]
FINDER = replace(CIVIL, category=Category.PM, agrement=None, habilitations=(replace(HELD, finds=True),))
GENDARME = replace(CIVIL, category=Category.GN, agrement=None)
DEPORT = Deport("ARR-2", frozenset({"a1"}), frozenset({Right.LIVE}), 30, Validity(AT - DAY, AT + DAY))


def opened(*deports: Deport) -> Subject:
    """The camera with what is open of it to services of the State, in a commune that lends them nothing."""
    return Subject(replace(VERNON, conventions=()), replace(CAMERA, deports=deports))


class TestPictures:
    def test_all_facts_in_force_open_live_and_replay(self) -> None:
        assert decide(CIVIL, Act.PICTURE_LIVE, STREET, LIVE_MOTIF, AT) == Allowed(AT + 265 * DAY)
        assert decide(CIVIL, Act.PICTURE_REPLAY, STREET, REPLAY_MOTIF, AT) == Allowed(AT + 265 * DAY)

    def test_the_earliest_end_bounds_the_right(self) -> None:
        ending = replace(CIVIL, habilitations=(replace(HELD, validity=Validity(AT - DAY, AT + DAY)),))
        assert decide(ending, Act.PICTURE_LIVE, STREET, LIVE_MOTIF, AT) == Allowed(AT + DAY)

    def test_of_several_rights_the_longest_counts(self) -> None:
        sooner = Validity(AT - DAY, AT + DAY)
        actor = replace(CIVIL, habilitations=(HELD, replace(HELD, validity=sooner)))
        commune = replace(VERNON, conventions=(Convention("c2", sooner), *VERNON.conventions))
        camera = replace(CAMERA, authorisations=(LINE, replace(LINE, validity=sooner)))
        assert decide(actor, Act.PICTURE_LIVE, Subject(commune, camera), LIVE_MOTIF, AT) == Allowed(YEAR.end_at)

    def test_row_1_no_authorisation(self) -> None:
        assert refusal(subject=authorised()) == "AUTH_MISSING"

    def test_row_1_authorisation_that_does_not_cover_the_use(self) -> None:
        blind = authorised(replace(LINE, visualised=False))
        assert refusal(subject=blind) == "AUTH_MISSING"
        unrecorded = authorised(replace(LINE, recorded=False))
        assert refusal(act=Act.PICTURE_REPLAY, subject=unrecorded, motif=REPLAY_MOTIF) == "AUTH_MISSING"

    def test_row_2_expired_to_the_second(self) -> None:
        subject = authorised(replace(LINE, validity=Validity(AT - DAY, AT)))
        assert refusal(subject=subject, at=AT) == "AUTH_EXPIRED"
        assert isinstance(decide(CIVIL, Act.PICTURE_LIVE, subject, LIVE_MOTIF, AT - timedelta(seconds=1)), Allowed)

    def test_row_8_suspended(self) -> None:
        subject = authorised(replace(LINE, validity=replace(YEAR, suspended_at=AT)))
        assert refusal(subject=subject) == "AUTH_SUSPENDED"

    def test_row_9_finalite_not_listed(self) -> None:
        assert refusal(motif=Motif("CIRCULATION")) == "FINALITE_NOT_AUTHORISED"

    def test_row_9_finalite_of_a_line_that_does_not_cover_the_use(self) -> None:
        lines = (replace(LINE, id="au2", finalites=frozenset({"3"}), visualised=False), LINE)
        assert refusal(subject=authorised(*lines), motif=Motif("CIRCULATION")) == "FINALITE_NOT_AUTHORISED"

    def test_rows_11_and_12_a_masked_camera_is_shown_to_nobody(self) -> None:
        def masked(*masks: Validity, window: tuple[datetime, datetime] | None = None) -> Subject:
            return Subject(VERNON, replace(CAMERA, masks=masks), window)

        hour = timedelta(hours=1)
        now = Validity(AT, AT + hour)
        assert refusal(subject=masked(now)) == "MASK_LOCKED"
        assert refusal(subject=masked(now), motif=None) == "MASK_LOCKED"
        ended = masked(Validity(AT - hour, AT + hour, AT))
        assert decide(CIVIL, Act.PICTURE_LIVE, ended, LIVE_MOTIF, AT) == Allowed(AT + 265 * DAY)
        coming = masked(Validity(AT + 2 * hour, AT + 3 * hour), Validity(AT + hour, AT + 4 * hour))
        assert decide(CIVIL, Act.PICTURE_LIVE, coming, LIVE_MOTIF, AT) == Allowed(AT + hour)
        replays = {
            (AT - 3 * hour, AT - 2 * hour): True,
            (AT - 3 * hour, AT - 2 * hour + timedelta(microseconds=1)): False,
            (AT - hour, AT): True,
            (AT - 3 * hour, AT): False,
        }
        for window, may in replays.items():
            subject = masked(Validity(AT - 2 * hour, AT - hour), window=window)
            outcome = decide(CIVIL, Act.PICTURE_REPLAY, subject, REPLAY_MOTIF, AT)
            assert isinstance(outcome, Allowed) == may
            assert may or (isinstance(outcome, Refused) and outcome.code == "MASK_LOCKED")

    def test_row_22_replay_without_motif(self) -> None:
        for motif in (None, Motif("INTERVENTION"), Motif("SECURITE", "2026-1"), Motif("?", "2026-1")):
            assert refusal(act=Act.PICTURE_REPLAY, motif=motif) == "MOTIF_REQUIRED"

    def test_row_34_individually_designated_only(self) -> None:
        other_right = replace(CIVIL, habilitations=(replace(HELD, rights=frozenset({Right.REPLAY})),))
        assert refusal(other_right) == "NOT_HABILITE"
        suspended = replace(HELD, validity=replace(YEAR, suspended_at=AT))
        assert refusal(replace(CIVIL, habilitations=(suspended,))) == "NOT_HABILITE"
        future = replace(HELD, validity=Validity(AT + DAY))
        assert refusal(replace(CIVIL, habilitations=(future,))) == "NOT_HABILITE"
        over = replace(HELD, validity=Validity(AT - DAY, AT))
        assert refusal(replace(CIVIL, habilitations=(over,))) == "NOT_HABILITE"

    def test_row_35_commune_scope(self) -> None:
        police = replace(CIVIL, category=Category.PM, employer="27016", agrement=None)
        elsewhere = replace(police, habilitations=(replace(HELD, commune="27016"),))
        assert refusal(elsewhere) == "OUT_OF_COMMUNE"

    def test_row_36_elected_needs_delegation(self) -> None:
        councillor = replace(CIVIL, role=Role.DELEGATE, category=Category.ELU, employer="27681", agrement=None)
        assert refusal(councillor) == "NOT_HABILITE"
        delegated = replace(councillor, habilitations=(replace(HELD, basis=Basis.DELEGATION),))
        assert isinstance(decide(delegated, Act.PICTURE_LIVE, STREET, LIVE_MOTIF, AT), Allowed)

    def test_row_37_no_private_operator_on_the_street(self) -> None:
        private = replace(CIVIL, category=Category.PRIVE_CNAPS)
        assert refusal(private) == "REGIME_ROLE_FORBIDDEN"
        indoors = authorised(LINE, regime=Regime.ERP)
        assert isinstance(decide(private, Act.PICTURE_LIVE, indoors, LIVE_MOTIF, AT), Allowed)

    @pytest.mark.parametrize(
        "agrement",
        [
            None,
            Agrement(frozenset({"76"}), YEAR),
            Agrement(frozenset({"27"}), Validity(AT - DAY, AT)),
            Agrement(frozenset({"27"}), replace(YEAR, suspended_at=AT - DAY)),
        ],
    )
    def test_row_38_agrement(self, agrement: Agrement | None) -> None:
        assert refusal(replace(CIVIL, agrement=agrement)) == "AGREMENT_MISSING"

    @pytest.mark.parametrize(
        "conventions",
        [
            (),
            (Convention("c", Validity(AT - DAY, AT)),),
            (Convention("c", replace(YEAR, suspended_at=AT)),),
            (Convention("c", Validity(AT + DAY)),),
        ],
    )
    def test_row_42_convention_for_lent_staff_only(self, conventions: tuple[Convention, ...]) -> None:
        subject = replace(STREET, commune=replace(VERNON, conventions=conventions))
        assert refusal(subject=subject) == "CONVENTION_MISSING"
        own = replace(CIVIL, employer="27681")
        assert isinstance(decide(own, Act.PICTURE_LIVE, subject, LIVE_MOTIF, AT), Allowed)

    def test_row_43_shop_cameras_are_for_the_police(self) -> None:
        shop = authorised(LINE, regime=Regime.COMMERCE)
        assert refusal(subject=shop) == "REGIME_ROLE_FORBIDDEN"
        police = replace(CIVIL, category=Category.PM, agrement=None)
        assert isinstance(decide(police, Act.PICTURE_LIVE, shop, LIVE_MOTIF, AT), Allowed)

    @pytest.mark.parametrize("category", [Category.PN, Category.GN, Category.DOUANE, Category.SDIS])
    def test_row_43_an_arrete_opens_shop_cameras_to_police_and_gendarmerie_alone(self, category: Category) -> None:
        shop = opened(DEPORT)
        assert shop.camera is not None
        shop = replace(shop, camera=replace(shop.camera, regime=Regime.COMMERCE))
        outcome = decide(replace(GENDARME, category=category), Act.PICTURE_LIVE, shop, LIVE_MOTIF, AT)
        assert isinstance(outcome, Allowed) == (category in (Category.PN, Category.GN))
        assert isinstance(outcome, Allowed) or outcome.code == "REGIME_ROLE_FORBIDDEN"

    def test_row_44_state_forces_need_an_arrete(self) -> None:
        assert refusal(GENDARME) == "DEPORT_NO_ARRETE"
        for deport in (replace(DEPORT, persons=frozenset({"a2"})), replace(DEPORT, validity=Validity(AT - DAY, AT))):
            assert refusal(GENDARME, subject=opened(deport)) == "DEPORT_NO_ARRETE"
        assert decide(GENDARME, Act.PICTURE_LIVE, opened(DEPORT), LIVE_MOTIF, AT) == Allowed(AT + DAY)
        unsigned = replace(GENDARME, habilitations=())
        assert refusal(unsigned, subject=opened(DEPORT)) == "OUT_OF_COMMUNE"

    def test_row_44_the_reason_says_what_of_the_arrete_fails(self) -> None:
        def reason(deport: Deport, act: Act = Act.PICTURE_LIVE, motif: Motif = LIVE_MOTIF) -> str:
            outcome = decide(GENDARME, act, opened(deport), motif, AT)
            assert isinstance(outcome, Refused)
            return outcome.reason

        assert "suspendu" in reason(replace(DEPORT, validity=Validity(AT - DAY, AT + DAY, suspended_at=AT)))
        assert "suspendu" not in reason(replace(DEPORT, validity=Validity(AT - DAY, AT, suspended_at=AT)))
        assert "que le direct" in reason(DEPORT, Act.PICTURE_REPLAY, REPLAY_MOTIF)
        assert "que la relecture" in reason(replace(DEPORT, rights=frozenset({Right.REPLAY})))

    def test_row_44_live_only_opens_no_replay(self) -> None:
        assert refusal(GENDARME, Act.PICTURE_REPLAY, opened(DEPORT), REPLAY_MOTIF) == "DEPORT_MODE"
        both = replace(DEPORT, rights=BOTH)
        assert isinstance(decide(GENDARME, Act.PICTURE_REPLAY, opened(DEPORT, both), REPLAY_MOTIF, AT), Allowed)

    def test_row_44_a_deport_says_by_what_arrete_to_whom_and_how(self) -> None:
        def refused(deport: Deport | None) -> str:
            return refusal(replace(CIVIL, role=Role.SUPERVISOR), Act.DEPORT_ENTER, Subject(deport=deport), None)

        assert refused(None) == refused(replace(DEPORT, reference=" ")) == "DEPORT_NO_ARRETE"
        assert refused(replace(DEPORT, persons=frozenset())) == "NOT_HABILITE"
        assert refused(replace(DEPORT, rights=frozenset())) == "DEPORT_MODE"

    @pytest.mark.parametrize(("days", "may"), [(1, True), (31, True), (32, False), (60, False), (0, False)])
    def test_row_45_the_recipient_keeps_it_for_a_month_at_most(self, days: int, may: bool) -> None:
        supervisor, subject = replace(CIVIL, role=Role.SUPERVISOR), Subject(deport=replace(DEPORT, recipient_days=days))
        outcome = decide(supervisor, Act.DEPORT_ENTER, subject, None, AT)
        assert isinstance(outcome, Allowed) == may
        if days > 31:
            assert refusal(supervisor, Act.DEPORT_ENTER, subject, None) == "RETENTION_TOO_LONG"

    @pytest.mark.parametrize("role", [Role.AUDITOR, Role.ADMINISTRATOR])
    def test_no_pictures_by_status(self, role: Role) -> None:
        assert refusal(replace(CIVIL, role=role)) == "REGIME_ROLE_FORBIDDEN"

    def test_a_camera_without_facts_is_refused(self) -> None:
        assert refusal(subject=CENTRE) == "AUTH_MISSING"
        assert refusal(subject=Subject(None, CAMERA)) == "OUT_OF_COMMUNE"


# What who controls does, beside reading (CSI L.253-3, R.254-1).
_OF_CONTROL = {Act.ANOMALY_SEE, Act.HABILITATION_PROVE, Act.JOURNAL_EXPORT, Act.JOURNAL_PERSONS, Act.JOURNAL_PROVE}
_OF_ANYBODY = {Act.EVENT_FOLLOW, Act.PASSWORD_CHANGE, Act.TICKET_REQUEST}


def test_row_64_who_controls_reads_and_alters_nothing() -> None:
    inspector = replace(CIVIL, role=Role.AUDITOR, category=Category.SANS_IMAGES, habilitations=())
    for act in set(Act) - _OF_CONTROL - _OF_ANYBODY:
        subject, verb = act.split(":")
        may = isinstance(decide(inspector, act, STREET, LIVE_MOTIF, AT), Allowed)
        assert not may or subject == "session" or verb in ("list", "read"), act
    for act in _OF_CONTROL | {Act.JOURNAL_READ, Act.AUTHORISATION_LIST, Act.PERSON_LIST, Act.STATEMENT_READ}:
        assert isinstance(decide(inspector, act, STREET, None, AT), Allowed), act
    for act in (Act.PICTURE_LIVE, Act.PICTURE_REPLAY):
        assert refusal(inspector, act) == "REGIME_ROLE_FORBIDDEN"


class TestExtraction:
    """Recordings copied and handed out: the law's table of roles and rights, rows 11, 12, 22 and 44."""

    def test_who_is_designated_for_it_extracts(self) -> None:
        assert decide(CIVIL, Act.PICTURE_EXTRACT, PAST, REPLAY_MOTIF, AT) == Allowed(AT + 265 * DAY)
        for category in (Category.PM, Category.GC, Category.ASVP):
            agent = replace(CIVIL, category=category)
            assert isinstance(decide(agent, Act.PICTURE_EXTRACT, PAST, REPLAY_MOTIF, AT), Allowed)
        watches = replace(CIVIL, habilitations=(replace(HELD, rights=frozenset({Right.LIVE, Right.REPLAY})),))
        for act, motif in ((Act.PICTURE_EXTRACT, REPLAY_MOTIF), (Act.PICTURE_EXPORT, REQUISITION)):
            assert refusal(watches, act, PAST, motif) == "NOT_HABILITE"

    def test_a_supervisor_extracts_what_he_may_replay(self) -> None:
        held = replace(HELD, rights=frozenset({Right.REPLAY}))
        supervisor = replace(CIVIL, role=Role.SUPERVISOR, habilitations=(held,))
        assert isinstance(decide(supervisor, Act.PICTURE_EXTRACT, PAST, REPLAY_MOTIF, AT), Allowed)
        assert isinstance(decide(supervisor, Act.PICTURE_EXPORT, PAST, REQUISITION, AT), Allowed)
        looks = replace(supervisor, habilitations=(replace(held, rights=frozenset({Right.LIVE})),))
        assert refusal(looks, Act.PICTURE_EXTRACT, PAST, REPLAY_MOTIF) == "NOT_HABILITE"

    @pytest.mark.parametrize("act", [Act.PICTURE_EXTRACT, Act.PICTURE_EXPORT])
    def test_row_44_services_of_the_state_extract_by_requisition_only(self, act: Act) -> None:
        both = replace(DEPORT, rights=frozenset({Right.LIVE, Right.REPLAY}))
        subject = replace(opened(both), window=PAST.window)
        assert isinstance(decide(GENDARME, act, subject, REQUISITION, AT), Allowed)
        for motif in (REPLAY_MOTIF, Motif("DROIT_ACCES", "2026-7"), None):
            assert refusal(GENDARME, act, subject, motif) == "MOTIF_REQUIRED"
        live = replace(opened(DEPORT), window=PAST.window)
        assert refusal(GENDARME, act, live, REQUISITION) == "DEPORT_MODE"
        assert refusal(GENDARME, act, PAST, REQUISITION) == "DEPORT_NO_ARRETE"

    @pytest.mark.parametrize("act", [Act.PICTURE_EXTRACT, Act.PICTURE_EXPORT])
    @pytest.mark.parametrize("role", [Role.AUDITOR, Role.ADMINISTRATOR])
    def test_never_by_audit_or_administration(self, act: Act, role: Role) -> None:
        assert refusal(replace(CIVIL, role=role), act, PAST, REQUISITION) == "REGIME_ROLE_FORBIDDEN"

    @pytest.mark.parametrize("act", [Act.PICTURE_EXTRACT, Act.PICTURE_EXPORT])
    def test_nor_by_the_elected_nor_a_private_operator(self, act: Act) -> None:
        held = replace(HELD, basis=Basis.DELEGATION)
        for category in (Category.ELU, Category.PRIVE_CNAPS):
            person = replace(CIVIL, category=category, habilitations=(held, HELD))
            subject = replace(authorised(LINE, regime=Regime.ERP), window=PAST.window)
            assert refusal(person, act, subject, Motif("DROIT_ACCES", "2026-7")) == "REGIME_ROLE_FORBIDDEN"

    def test_row_11_nothing_of_a_masked_time_nor_of_no_time_is_extracted(self) -> None:
        assert refusal(act=Act.PICTURE_EXTRACT, motif=REPLAY_MOTIF) == "REQ_INCOMPLETE"
        assert PAST.window is not None
        masked = replace(PAST, camera=replace(CAMERA, masks=(Validity(PAST.window[0], PAST.window[0] + DAY / 24),)))
        assert refusal(CIVIL, Act.PICTURE_EXTRACT, masked, REPLAY_MOTIF) == "MASK_LOCKED"
        assert refusal(CIVIL, Act.PICTURE_EXPORT, masked, REQUISITION) == "MASK_LOCKED"

    def test_row_1_the_authorisation_in_force_records(self) -> None:
        for line, code in (
            (replace(LINE, recorded=False), "AUTH_MISSING"),
            (replace(LINE, validity=Validity(AT - DAY, AT)), "AUTH_EXPIRED"),
            (replace(LINE, finalites=frozenset({"3"})), "FINALITE_NOT_AUTHORISED"),
        ):
            subject = replace(authorised(line), window=PAST.window)
            assert refusal(CIVIL, Act.PICTURE_EXTRACT, subject, REPLAY_MOTIF) == code

    def test_row_22_a_motif_with_its_reference(self) -> None:
        for motif in (None, LIVE_MOTIF, Motif("INTERVENTION")):
            assert refusal(CIVIL, Act.PICTURE_EXTRACT, PAST, motif) == "MOTIF_REQUIRED"
        plate = Motif("INTERVENTION", "AB-123-CD")
        assert refusal(CIVIL, Act.PICTURE_EXTRACT, PAST, plate) == "PLATE_FORBIDDEN"

    def test_row_22_what_is_handed_out_was_asked_for_by_who_may_have_it(self) -> None:
        for motif in (REQUISITION, Motif("DROIT_ACCES", "2026-7")):
            assert isinstance(decide(CIVIL, Act.PICTURE_EXPORT, PAST, motif, AT), Allowed)
        for other in (None, REPLAY_MOTIF, Motif("REQUISITION"), Motif("ACCIDENT", "2026-7")):
            assert refusal(CIVIL, Act.PICTURE_EXPORT, PAST, other) == "MOTIF_REQUIRED"


class TestPtz:
    """A camera's PTZ taken from whoever has it."""

    def test_row_22_live_in_the_own_commune_with_a_motif_and_its_reference(self) -> None:
        assert decide(CIVIL, Act.PTZ_OVERRIDE, STREET, REPLAY_MOTIF, AT) == Allowed(AT + 265 * DAY)
        for motif in (None, LIVE_MOTIF, Motif("INTERVENTION"), REQUISITION):
            assert refusal(CIVIL, Act.PTZ_OVERRIDE, STREET, motif) == "MOTIF_REQUIRED"
        assert refusal(CIVIL, Act.PTZ_OVERRIDE, PAST, REPLAY_MOTIF) == "PTZ_NOT_LIVE"
        elsewhere = replace(STREET, commune=replace(VERNON, insee="27016"))
        assert refusal(CIVIL, Act.PTZ_OVERRIDE, elsewhere, REPLAY_MOTIF) == "OUT_OF_COMMUNE"
        assert refusal(CIVIL, Act.PTZ_OVERRIDE, STREET, Motif("ACCIDENT", "2026-7")) == "FINALITE_NOT_AUTHORISED"

    def test_row_12_not_while_the_camera_is_masked(self) -> None:
        masked = replace(STREET, camera=replace(CAMERA, masks=(Validity(AT - DAY, AT + DAY),)))
        assert refusal(CIVIL, Act.PTZ_OVERRIDE, masked, REPLAY_MOTIF) == "MASK_LOCKED"

    def test_not_by_services_of_the_state_the_elected_or_who_sees_no_pictures(self) -> None:
        assert refusal(GENDARME, Act.PTZ_OVERRIDE, opened(DEPORT), REPLAY_MOTIF) == "DEPORT_MODE"
        delegate = replace(CIVIL, category=Category.ELU, habilitations=(replace(HELD, basis=Basis.DELEGATION),))
        assert refusal(delegate, Act.PTZ_OVERRIDE, STREET, REPLAY_MOTIF) == "REGIME_ROLE_FORBIDDEN"
        for role in (Role.AUDITOR, Role.ADMINISTRATOR):
            assert refusal(replace(CIVIL, role=role), Act.PTZ_OVERRIDE, STREET, REPLAY_MOTIF) == "REGIME_ROLE_FORBIDDEN"


class TestFindings:
    """Offences found on pictures: rows 10, 41 and 57."""

    def test_row_10_a_traffic_offence_needs_the_fourth_purpose(self) -> None:
        assert refusal(FINDER, Act.CONSTAT_TRAFFIC, STREET, None) == "FINALITE_NOT_AUTHORISED"
        road = authorised(replace(LINE, finalites=frozenset({"4"})))
        assert decide(FINDER, Act.CONSTAT_TRAFFIC, road, None, AT) == Allowed(AT + 265 * DAY)
        unseen = authorised(replace(LINE, finalites=frozenset({"4"}), visualised=False), LINE)
        assert refusal(FINDER, Act.CONSTAT_TRAFFIC, unseen, None) == "FINALITE_NOT_AUTHORISED"

    def test_row_9_waste_needs_the_eleventh(self) -> None:
        assert isinstance(decide(FINDER, Act.CONSTAT_WASTE, STREET, None, AT), Allowed)
        road = authorised(replace(LINE, finalites=frozenset({"4", "5"})))
        assert refusal(FINDER, Act.CONSTAT_WASTE, road, None) == "FINALITE_NOT_AUTHORISED"

    @pytest.mark.parametrize("act", [Act.CONSTAT_TRAFFIC, Act.CONSTAT_WASTE])
    @pytest.mark.parametrize("category", sorted(set(Category) - {Category.PM, Category.GC}))
    def test_row_41_only_the_police_of_the_commune_find_offences(self, act: Act, category: Category) -> None:
        subject = authorised(replace(LINE, finalites=frozenset({"4", "11"})))
        assert refusal(replace(FINDER, category=category), act, subject, None) in (
            {"REGIME_ROLE_FORBIDDEN"}
            if category in (Category.PRIVE_CNAPS, Category.MAINT, Category.SANS_IMAGES)
            else {"DEPORT_NO_ARRETE"}
            if category in STATE_FORCES
            else {"PV_ROLE_FORBIDDEN"}
        )

    def test_row_41_and_with_a_habilitation_for_that(self) -> None:
        assert refusal(replace(FINDER, habilitations=(HELD,)), Act.CONSTAT_WASTE, STREET, None) == "NOT_HABILITE"
        over = replace(FINDER.habilitations[0], validity=Validity(AT - DAY, AT))
        assert refusal(replace(FINDER, habilitations=(HELD, over)), Act.CONSTAT_WASTE, STREET, None) == "NOT_HABILITE"

    @pytest.mark.parametrize(
        ("actor", "subject", "code"),
        [
            (replace(FINDER, role=Role.AUDITOR), STREET, "REGIME_ROLE_FORBIDDEN"),
            (FINDER, Subject(replace(VERNON, insee="27016"), CAMERA), "OUT_OF_COMMUNE"),
            (FINDER, authorised(), "AUTH_MISSING"),
            (FINDER, authorised(replace(LINE, validity=replace(YEAR, suspended_at=AT))), "AUTH_SUSPENDED"),
            (
                replace(FINDER, habilitations=(replace(HELD, rights=frozenset({Right.REPLAY}), finds=True),)),
                STREET,
                "NOT_HABILITE",
            ),
            (FINDER, Subject(replace(VERNON, conventions=()), CAMERA), "CONVENTION_MISSING"),
            (FINDER, Subject(VERNON, replace(CAMERA, masks=(YEAR,))), "MASK_LOCKED"),
        ],
    )
    def test_row_41_who_may_not_watch_finds_nothing(self, actor: Actor, subject: Subject, code: str) -> None:
        assert refusal(actor, Act.CONSTAT_WASTE, subject, None) == code

    def test_row_57_live_only(self) -> None:
        recorded = replace(STREET, window=(AT - DAY, AT))
        assert refusal(FINDER, Act.CONSTAT_WASTE, recorded, None) == "PV_NOT_LIVE"


class TestForesight:
    def test_some_motif_would_open_it(self) -> None:
        assert isinstance(foresee(CIVIL, Act.PICTURE_REPLAY, STREET, AT), Allowed)

    def test_the_refusal_that_no_motif_lifts(self) -> None:
        subject = replace(STREET, commune=replace(VERNON, conventions=()))
        outcome = foresee(CIVIL, Act.PICTURE_REPLAY, subject, AT)
        assert isinstance(outcome, Refused)
        assert outcome.code == "CONVENTION_MISSING"


class TestScope:
    def test_lent_staff_know_the_communes_of_their_habilitations(self) -> None:
        assert scope(CIVIL, AT) == frozenset({"27681"})

    def test_a_suspended_right_stays_in_sight_and_one_that_is_over_does_not(self) -> None:
        suspended = replace(HELD, commune="27016", validity=replace(YEAR, suspended_at=AT))
        over = replace(HELD, commune="27229", validity=Validity(AT - DAY, AT))
        assert scope(replace(CIVIL, habilitations=(HELD, suspended, over)), AT) == frozenset({"27681", "27016"})

    @pytest.mark.parametrize("role", [Role.AUDITOR, Role.SUPERVISOR, Role.ADMINISTRATOR])
    def test_the_centre_as_a_whole(self, role: Role) -> None:
        assert scope(replace(CIVIL, role=role), AT) is None

    def test_a_delegate_suspends_the_convention_of_his_commune_only(self) -> None:
        delegate = replace(CIVIL, role=Role.DELEGATE, category=Category.ELU)
        assert isinstance(decide(delegate, Act.CONVENTION_SUSPEND, Subject(VERNON), None, AT), Allowed)
        other = Subject(replace(VERNON, insee="27016"))
        assert refusal(delegate, Act.CONVENTION_SUSPEND, other, None) == "OUT_OF_COMMUNE"
        assert refusal(delegate, Act.CONVENTION_SUSPEND, CENTRE, None) == "OUT_OF_COMMUNE"


# --- properties
# -------------------------------------------------------------------------------------------------

instants = st.integers(-400, 400).map(lambda days: AT + days * DAY)
validities = st.builds(Validity, instants, st.none() | instants, st.none() | instants)
communes = st.sampled_from(["27681", "27016"])
habilitations = st.builds(
    Habilitation,
    st.just("h"),
    communes,
    st.sampled_from(Basis),
    st.frozensets(st.sampled_from(Right)),
    validities,
    finds=st.booleans(),
)
lines = st.builds(
    Authorisation,
    st.just("au"),
    st.frozensets(st.sampled_from(["3", "4", "5", "11"])),
    st.booleans(),
    st.booleans(),
    validities,
)
deports = st.builds(
    Deport,
    st.sampled_from(["", "ARR"]),
    st.frozensets(st.sampled_from(["a", "b"])),
    st.frozensets(st.sampled_from(Right)),
    st.integers(1, 40),
    validities,
)
windows = st.none() | st.just((AT - DAY, AT))
actors = st.builds(
    Actor,
    st.just("a"),
    st.sampled_from(Role),
    st.sampled_from(Category),
    st.none() | communes,
    st.none() | st.builds(Agrement, st.frozensets(st.sampled_from(["27", "76"])), validities),
    st.lists(habilitations, max_size=3).map(tuple),
)
subjects = st.builds(
    Subject,
    st.none()
    | st.builds(
        Commune,
        communes,
        st.just("Commune"),
        st.sampled_from(["27", "76"]),
        st.lists(st.builds(Convention, st.just("c"), validities), max_size=2).map(tuple),
    ),
    st.none()
    | st.builds(
        Camera,
        st.just("cam"),
        st.sampled_from(Regime),
        st.lists(lines, max_size=3).map(tuple),
        deports=st.lists(deports, max_size=2).map(tuple),
    ),
    windows,
    st.none() | deports,
)
given_motifs = st.none() | st.sampled_from([LIVE_MOTIF, Motif("DEPOTS"), REPLAY_MOTIF, Motif("REQUISITION", "R-12")])
acts = st.sampled_from(Act)
on_pictures = st.sampled_from([*PICTURES, Act.PTZ_OVERRIDE])


def dates_of(actor: Actor, subject: Subject) -> list[Validity]:
    facts: list[Validity] = [h.validity for h in actor.habilitations]
    facts += [] if actor.agrement is None else [actor.agrement.validity]
    facts += [] if subject.commune is None else [c.validity for c in subject.commune.conventions]
    facts += [] if subject.camera is None else [a.validity for a in subject.camera.authorisations]
    facts += [] if subject.camera is None else [d.validity for d in subject.camera.deports]
    return facts


def test_no_act_without_a_rule() -> None:
    assert set(RULES) == set(Act)
    assert all(RULES.values())


@given(actors, acts, subjects, given_motifs, instants)
def test_an_allowed_act_stays_allowed_until_its_end(
    actor: Actor, act: Act, subject: Subject, motif: Motif | None, at: datetime
) -> None:
    outcome = decide(actor, act, subject, motif, at)
    if isinstance(outcome, Allowed):
        assert outcome.not_after_at > at
        last = outcome.not_after_at - timedelta(microseconds=1)
        assert isinstance(decide(actor, act, subject, motif, last), Allowed)


@given(actors, on_pictures, subjects, given_motifs, instants)
def test_no_picture_outside_the_dates_of_an_authorisation_and_a_habilitation(
    actor: Actor, act: Act, subject: Subject, motif: Motif | None, at: datetime
) -> None:
    if isinstance(decide(actor, act, subject, motif, at), Allowed):
        assert subject.camera is not None
        assert any(line.validity.in_force(at) for line in subject.camera.authorisations)
        assert any(held.validity.in_force(at) for held in actor.habilitations)
        assert actor.role not in (Role.AUDITOR, Role.ADMINISTRATOR)
        ends = [fact.end_at for fact in dates_of(actor, subject)]
        beyond = [end for end in ends if end <= AT + 500 * DAY]
        if len(beyond) == len(ends):
            assert isinstance(decide(actor, act, subject, motif, max(ends)), Refused)


@given(actors, st.sampled_from([Act.CONSTAT_TRAFFIC, Act.CONSTAT_WASTE]), subjects, instants)
def test_nothing_is_found_by_others_nor_without_its_purpose(
    actor: Actor, act: Act, subject: Subject, at: datetime
) -> None:
    if isinstance(decide(actor, act, subject, None, at), Allowed):
        assert actor.category in (Category.PM, Category.GC)
        assert subject.camera is not None
        assert subject.window is None
        number = {Act.CONSTAT_TRAFFIC: "4", Act.CONSTAT_WASTE: "11"}[act]
        assert any(number in line.finalites and line.validity.in_force(at) for line in subject.camera.authorisations)
        assert any(held.finds and held.validity.in_force(at) for held in actor.habilitations)


@given(actors, on_pictures, subjects, given_motifs, instants)
def test_services_of_the_state_see_what_an_arrete_in_force_opens_to_them(
    actor: Actor, act: Act, subject: Subject, motif: Motif | None, at: datetime
) -> None:
    if actor.category in STATE_FORCES and isinstance(decide(actor, act, subject, motif, at), Allowed):
        assert subject.camera is not None
        right = Right.LIVE if act is Act.PICTURE_LIVE else Right.REPLAY
        assert act is not Act.PTZ_OVERRIDE
        assert act in (Act.PICTURE_LIVE, Act.PICTURE_REPLAY) or motif == Motif("REQUISITION", "R-12")
        assert any(
            actor.id in deport.persons and right in deport.rights and deport.validity.in_force(at)
            for deport in subject.camera.deports
        )


@given(actors, st.sampled_from([Act.PICTURE_EXTRACT, Act.PICTURE_EXPORT]), subjects, given_motifs, instants)
def test_recordings_are_extracted_by_who_is_designated_with_a_reference(
    actor: Actor, act: Act, subject: Subject, motif: Motif | None, at: datetime
) -> None:
    if isinstance(decide(actor, act, subject, motif, at), Allowed):
        assert actor.category not in (Category.ELU, Category.PRIVE_CNAPS)
        assert subject.window is not None
        assert motif is not None
        assert motif.reference is not None
        assert act is Act.PICTURE_EXTRACT or motif.code == "REQUISITION"
        enough = {Right.EXTRACT} | ({Right.REPLAY} if actor.role is Role.SUPERVISOR else set())
        assert any(enough & held.rights and held.validity.in_force(at) for held in actor.habilitations)


@given(actors, acts, subjects, given_motifs, instants, habilitations, lines, validities)
def test_adding_a_right_removes_none(
    actor: Actor,
    act: Act,
    subject: Subject,
    motif: Motif | None,
    at: datetime,
    held: Habilitation,
    line: Authorisation,
    convention: Validity,
) -> None:
    before = decide(actor, act, subject, motif, at)
    if isinstance(before, Refused):
        return
    richer = replace(actor, habilitations=(held, *actor.habilitations))
    commune, camera = subject.commune, subject.camera
    if commune is not None:
        commune = replace(commune, conventions=(Convention("new", convention), *commune.conventions))
    if camera is not None:
        camera = replace(camera, authorisations=(line, *camera.authorisations))
    after = decide(richer, act, replace(subject, commune=commune, camera=camera), motif, at)
    assert isinstance(after, Allowed)
    assert after.not_after_at >= before.not_after_at
