"""What may be asked, and how it is answered."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Act(StrEnum):
    """What a person may ask for, `object:verb`."""

    ACCOUNT_CLOSE = "account:close"
    ACCOUNT_CREATE = "account:create"
    ACCOUNT_LIST = "account:list"
    ACCOUNT_RESET = "account:reset"
    AGREMENT_PUT = "agrement:put"
    AGREMENT_RESUME = "agrement:resume"
    AGREMENT_SUSPEND = "agrement:suspend"
    ALARM_ACKNOWLEDGE = "alarm:acknowledge"
    ALARM_LIST = "alarm:list"
    ANOMALY_SEE = "anomaly:see"
    AUTHORISATION_ACTIVATE = "authorisation:activate"
    AUTHORISATION_AMEND = "authorisation:amend"
    AUTHORISATION_COMPLETE = "authorisation:complete"
    AUTHORISATION_DEPOSIT = "authorisation:deposit"
    AUTHORISATION_DRAFT = "authorisation:draft"
    AUTHORISATION_DROP = "authorisation:drop"
    AUTHORISATION_END_EVENT = "authorisation:end-event"
    AUTHORISATION_EXTEND = "authorisation:extend"
    AUTHORISATION_GRANT = "authorisation:grant"
    AUTHORISATION_LIST = "authorisation:list"
    AUTHORISATION_NOTIFY = "authorisation:notify"
    AUTHORISATION_OPINION = "authorisation:opinion"
    AUTHORISATION_REFUSE = "authorisation:refuse"
    AUTHORISATION_RESUME = "authorisation:resume"
    AUTHORISATION_SUSPEND = "authorisation:suspend"
    AUTHORISATION_WITHDRAW = "authorisation:withdraw"
    BASIS_CONFIRM = "basis:confirm"
    BASIS_END = "basis:end"
    BASIS_LIST = "basis:list"
    BASIS_PROPOSE = "basis:propose"
    CAMERA_CONNECT = "camera:connect"
    CAMERA_ENTER = "camera:enter"
    CAMERA_LIST = "camera:list"
    CHECKPOINT_READ = "checkpoint:read"
    COMMUNE_CHANGE = "commune:change"
    COMMUNE_JOIN = "commune:join"
    CONSTAT_TRAFFIC = "constat:traffic"
    CONSTAT_WASTE = "constat:waste"
    CONVENTION_ENTER = "convention:enter"
    CONVENTION_RESUME = "convention:resume"
    CONVENTION_SUSPEND = "convention:suspend"
    COVERAGE_READ = "coverage:read"
    DEPORT_ENTER = "deport:enter"
    EVENT_FOLLOW = "event:follow"
    HABILITATION_END = "habilitation:end"
    HABILITATION_GRANT = "habilitation:grant"
    HABILITATION_PROVE = "habilitation:prove"
    HABILITATION_RESUME = "habilitation:resume"
    HABILITATION_SUSPEND = "habilitation:suspend"
    HOLD_LIST = "hold:list"
    HOLD_PUT = "hold:put"
    HOLD_RELEASE = "hold:release"
    INTERRUPTION_CONFIRM = "interruption:confirm"
    INTERRUPTION_END = "interruption:end"
    INTERRUPTION_LIST = "interruption:list"
    INTERRUPTION_MASK = "interruption:mask"
    INTERRUPTION_PLAN = "interruption:plan"
    JOURNAL_EXPORT = "journal:export"
    JOURNAL_PERSONS = "journal:persons"
    JOURNAL_PROVE = "journal:prove"
    JOURNAL_READ = "journal:read"
    MOTIF_LIST = "motif:list"
    PASSWORD_CHANGE = "password:change"  # noqa: S105  an act, no password
    PERSON_CONFIRM = "person:confirm"
    PERSON_LEAVE = "person:leave"
    PERSON_LIST = "person:list"
    PERSON_STAY = "person:stay"
    PICTURE_LIVE = "picture:live"
    PICTURE_REPLAY = "picture:replay"
    PROPOSAL_CLOSE = "proposal:close"
    PROPOSAL_LIST = "proposal:list"
    RECORDER_READ = "recorder:read"
    RELEASE_CONFIRM = "release:confirm"
    RELEASE_PROPOSE = "release:propose"
    RETENTION_CONFIRM = "retention:confirm"
    RETENTION_LIST = "retention:list"
    RETENTION_PROPOSE = "retention:propose"
    RULE_SET = "rule:set"
    SECURITY_READ = "security:read"
    SESSION_CLOSE = "session:close"
    SESSION_LOCK = "session:lock"
    SESSION_READ = "session:read"
    SESSION_SHIFT = "session:shift"
    SESSION_UNLOCK = "session:unlock"
    SITE_ENTER = "site:enter"
    STATEMENT_LIST = "statement:list"
    STATEMENT_READ = "statement:read"
    TERRITORY_READ = "territory:read"
    TICKET_REQUEST = "ticket:request"
    TIMELINE_READ = "timeline:read"
    WATCHING_LIST = "watching:list"


@dataclass(frozen=True, slots=True)
class Allowed:
    """The act may be done, and what it opens ends at `not_after_at` at the latest."""

    not_after_at: datetime


@dataclass(frozen=True, slots=True)
class Refused:
    """The act may not be done: a code, a sentence in French for the person, the text it rests on."""

    code: str
    reason: str
    source: str
