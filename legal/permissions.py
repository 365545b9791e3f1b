"""Who may do what: one pure decision, told the facts and the time.

`decide` runs the rules of an act in their order (`rules.py`); the table at the end says which. Everything is refused
unless each rule is satisfied, and an act without rules is refused too.
"""

from datetime import datetime

from legal import motifs, rules
from legal.acts import Act, Allowed, Refused
from legal.facts import FOREVER, Actor, Role, Subject
from legal.motifs import Motif
from legal.rules import Rule, for_roles


def decide(actor: Actor, act: Act, subject: Subject, motif: Motif | None, at: datetime) -> Allowed | Refused:
    """Whether a person may do an act at an instant, on the facts handed in.

    The answer holds for these facts from `at` until `Allowed.not_after_at`, which is later than `at`.
    """
    case = rules.Case(actor, act, subject, motif, at)
    until = FOREVER
    of_act = RULES.get(act, ())
    for rule in of_act:
        outcome = rule(case)
        if isinstance(outcome, Refused):
            return outcome
        until = min(until, outcome)
    if not of_act:
        return Refused("REGIME_ROLE_FORBIDDEN", "Aucune règle ne permet cet acte.", "CSI L.251-1")
    return Allowed(until)


def foresee(actor: Actor, act: Act, subject: Subject, at: datetime) -> Allowed | Refused:
    """Whether some motif would open an act on pictures: what a list of cameras shows before one is given."""
    refusal: Refused | None = None
    for kind in motifs.for_act(rules.USES[act].motif):
        reference = "2000-000000" if kind.reference_required else None
        outcome = decide(actor, act, subject, Motif(kind.code, reference), at)
        if isinstance(outcome, Allowed):
            return outcome
        refusal = refusal or outcome
    return refusal or motifs.NO_MOTIF


# --- the rules of each act, in the order in which they answer
# ----------------------------------------------------

_PICTURE_RULES: tuple[Rule, ...] = (
    rules.role_sees_pictures,
    rules.category_of_regime,
    rules.competent_for_commune,
    rules.authorised,
    rules.habilitated,
    rules.approved,
    rules.convention_for_lent_staff,
    rules.not_masked,
    rules.motif_given,
    rules.not_the_inquirys,
    rules.purpose_authorised,
)
_EXTRACT_RULES: tuple[Rule, ...] = (rules.role_sees_pictures, rules.extracts, *_PICTURE_RULES, rules.windowed)
_PTZ_RULES: tuple[Rule, ...] = (*_PICTURE_RULES, rules.steers)
_CONSTAT_RULES: tuple[Rule, ...] = (
    rules.role_sees_pictures,
    rules.category_of_regime,
    rules.competent_for_commune,
    rules.finds_offences,
    rules.authorised,
    rules.habilitated,
    rules.convention_for_lent_staff,
    rules.not_masked,
    rules.seen_live,
    rules.offence_authorised,
)
_everyone = for_roles(*Role, source="CSI R.253-3")
_administers = for_roles(Role.ADMINISTRATOR, source="CSI R.253-2")
_supervises = for_roles(Role.SUPERVISOR, source="CSI R.253-3")
_knows_persons = for_roles(Role.SUPERVISOR, Role.DELEGATE, Role.AUDITOR, source="CSI R.253-3")
_ends_holds = for_roles(Role.SUPERVISOR, Role.ADMINISTRATOR, source="CSI R.253-4 al. 3")
_runs_the_centre = for_roles(Role.SUPERVISOR, Role.ADMINISTRATOR, source="CSI R.253-2")
_ends_freezes = for_roles(Role.SUPERVISOR, Role.ADMINISTRATOR, source="CSI R.253-4")
_knows_storage = for_roles(Role.SUPERVISOR, Role.AUDITOR, Role.ADMINISTRATOR, source="CSI R.253-4")
_answers_for_analysis = for_roles(Role.SUPERVISOR, Role.ADMINISTRATOR, source="CSI L.251-2")
_masks = for_roles(Role.SUPERVISOR, source="CSI L.251-3")
_knows_interruptions = for_roles(Role.SUPERVISOR, Role.DELEGATE, Role.AUDITOR, Role.ADMINISTRATOR, source="CSI R.253-5")
_audits = for_roles(Role.AUDITOR, source="CSI R.253-5")
_keeps_secure = for_roles(Role.ADMINISTRATOR, Role.AUDITOR, source="CSI R.253-2")
_controls = for_roles(Role.AUDITOR, Role.SUPERVISOR, Role.DELEGATE, source="CSI R.253-5")
_answers_for_recordings = for_roles(
    Role.DELEGATE, Role.AUDITOR, Role.SUPERVISOR, Role.ADMINISTRATOR, source="CSI L.252-5, R.253-4"
)
_governs = for_roles(Role.DELEGATE, Role.ADMINISTRATOR, source="CSI L.132-14 IV")
_knows_authorisations = for_roles(
    Role.SUPERVISOR, Role.DELEGATE, Role.AUDITOR, Role.ADMINISTRATOR, source="CSI R.252-16"
)
_reads_territory = for_roles(Role.SUPERVISOR, Role.DELEGATE, Role.ADMINISTRATOR, source="CSI R.252-16")

RULES: dict[Act, tuple[Rule, ...]] = {
    Act.ACCOUNT_CLOSE: (_administers,),
    Act.ACCOUNT_CREATE: (_administers,),
    Act.ACCOUNT_LIST: (_administers,),
    Act.ACCOUNT_RESET: (_administers,),
    Act.AGREMENT_PUT: (_runs_the_centre,),
    Act.AGREMENT_RESUME: (_runs_the_centre,),
    Act.AGREMENT_SUSPEND: (_runs_the_centre,),
    Act.ALARM_ACKNOWLEDGE: (_runs_the_centre,),
    Act.ALARM_LIST: (_everyone,),
    Act.ANOMALY_SEE: (_audits,),
    Act.AUTHORISATION_ACTIVATE: (_runs_the_centre,),
    Act.AUTHORISATION_AMEND: (_runs_the_centre,),
    Act.AUTHORISATION_COMPLETE: (_runs_the_centre,),
    Act.AUTHORISATION_DEPOSIT: (_runs_the_centre,),
    Act.AUTHORISATION_DRAFT: (_runs_the_centre,),
    Act.AUTHORISATION_DROP: (_runs_the_centre,),
    Act.AUTHORISATION_END_EVENT: (_runs_the_centre,),
    Act.AUTHORISATION_EXTEND: (_runs_the_centre,),
    Act.AUTHORISATION_GRANT: (_runs_the_centre,),
    Act.AUTHORISATION_LIST: (_knows_authorisations, rules.delegation_in_force),
    Act.AUTHORISATION_NOTIFY: (_runs_the_centre,),
    Act.AUTHORISATION_OPINION: (_runs_the_centre,),
    Act.AUTHORISATION_REFUSE: (_runs_the_centre,),
    Act.AUTHORISATION_RESUME: (_runs_the_centre,),
    Act.AUTHORISATION_SUSPEND: (_runs_the_centre,),
    Act.AUTHORISATION_WITHDRAW: (_runs_the_centre,),
    Act.BASIS_CONFIRM: (_answers_for_analysis,),
    Act.BASIS_END: (_answers_for_analysis,),
    Act.BASIS_LIST: (_answers_for_recordings, rules.delegation_in_force),
    Act.BASIS_PROPOSE: (_answers_for_analysis,),
    Act.CAMERA_CONNECT: (_administers,),
    Act.CAMERA_ENTER: (_administers,),
    Act.CAMERA_LIST: (_everyone,),
    Act.CHECKPOINT_READ: (_controls, rules.delegation_in_force),
    Act.COMMUNE_CHANGE: (_runs_the_centre,),
    Act.COMMUNE_JOIN: (_runs_the_centre,),
    Act.CONSTAT_TRAFFIC: _CONSTAT_RULES,
    Act.CONSTAT_WASTE: _CONSTAT_RULES,
    Act.CONVENTION_ENTER: (_runs_the_centre,),
    Act.CONVENTION_RESUME: (_governs, rules.within_scope),
    Act.CONVENTION_SUSPEND: (_governs, rules.within_scope),
    Act.COVERAGE_READ: (_answers_for_recordings, rules.within_scope),
    Act.DEPORT_END: (_runs_the_centre,),
    Act.DEPORT_ENTER: (_runs_the_centre, rules.deport_lawful),
    Act.DEPORT_LIST: (_knows_authorisations, rules.delegation_in_force),
    Act.DEPORT_RESUME: (_runs_the_centre,),
    Act.DEPORT_SUSPEND: (_runs_the_centre,),
    Act.EVENT_FOLLOW: (_everyone,),
    Act.HABILITATION_END: (rules.habilitates,),
    Act.HABILITATION_GRANT: (rules.habilitates,),
    Act.HABILITATION_PROVE: (_knows_persons, rules.within_scope),
    Act.HABILITATION_RESUME: (rules.habilitates,),
    Act.HABILITATION_SUSPEND: (rules.habilitates,),
    Act.HOLD_LIST: (rules.handles_requisitions,),
    Act.HOLD_PUT: (rules.handles_requisitions, _supervises),
    Act.HOLD_RELEASE: (rules.handles_requisitions, _ends_holds),
    Act.INTERRUPTION_CONFIRM: (_masks,),
    Act.INTERRUPTION_END: (_runs_the_centre,),  # one that masks is ended by who may mask
    Act.INTERRUPTION_LIST: (_knows_interruptions, rules.delegation_in_force),
    Act.INTERRUPTION_MASK: (_masks,),
    Act.INTERRUPTION_PLAN: (_runs_the_centre,),
    Act.JOURNAL_EXPORT: (_controls, rules.delegation_in_force),
    Act.JOURNAL_PERSONS: (_controls, rules.delegation_in_force),
    Act.JOURNAL_PROVE: (_controls, rules.delegation_in_force),
    Act.JOURNAL_READ: (_controls, rules.delegation_in_force),
    Act.MOTIF_LIST: (_everyone,),
    Act.PASSWORD_CHANGE: (_everyone,),
    Act.PERSON_CONFIRM: (_runs_the_centre,),
    Act.PERSON_LEAVE: (_runs_the_centre,),
    Act.PERSON_LIST: (_knows_persons, rules.delegation_in_force),
    Act.PERSON_STAY: (_runs_the_centre,),
    Act.PICTURE_EXPORT: _EXTRACT_RULES,
    Act.PICTURE_EXTRACT: _EXTRACT_RULES,
    Act.PICTURE_LIVE: _PICTURE_RULES,
    Act.PICTURE_REPLAY: _PICTURE_RULES,
    Act.PROPOSAL_CLOSE: (_runs_the_centre,),  # and who may confirm the very decision
    Act.PROPOSAL_LIST: (_runs_the_centre,),
    Act.PTZ_OVERRIDE: _PTZ_RULES,
    Act.RECORDER_READ: (_knows_storage,),
    Act.RELEASE_CONFIRM: (_ends_freezes,),
    Act.RELEASE_PROPOSE: (_ends_freezes,),
    Act.RETENTION_CONFIRM: (_ends_freezes,),
    Act.RETENTION_LIST: (_answers_for_recordings, rules.delegation_in_force),
    Act.RETENTION_PROPOSE: (_ends_freezes,),
    Act.RULE_SET: (_administers,),
    Act.SECURITY_READ: (_keeps_secure,),
    Act.SESSION_CLOSE: (_everyone,),
    Act.SESSION_LOCK: (_everyone,),
    Act.SESSION_READ: (_everyone,),
    Act.SESSION_SHIFT: (_everyone,),
    Act.SESSION_UNLOCK: (_everyone,),
    Act.SITE_ENTER: (_runs_the_centre,),
    Act.STATEMENT_LIST: (_answers_for_recordings, rules.delegation_in_force),
    Act.STATEMENT_READ: (_answers_for_recordings, rules.within_scope),
    Act.TERRITORY_READ: (_reads_territory, rules.delegation_in_force),
    Act.TICKET_REQUEST: (_everyone,),  # each request in it is then an act on pictures
    Act.TIMELINE_READ: (rules.within_scope,),
    Act.WATCHING_LIST: (_controls, rules.delegation_in_force),
}
