"""The tables as SQLAlchemy sees them. The migrations are the authority; a test compares the two."""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

METADATA = MetaData()


def _id() -> Column[str]:
    return Column("id", Uuid(as_uuid=False), primary_key=True)


def _uuid(name: str, *args: ForeignKey, **options: Any) -> Column[str]:
    return Column(name, Uuid(as_uuid=False), *args, **options)


def _text(name: str, *args: ForeignKey, **options: Any) -> Column[str]:
    return Column(name, Text, *args, **options)


def _at(name: str, *, nullable: bool = True) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=nullable)


def _count(name: str, *, nullable: bool = False, **options: Any) -> Column[int]:
    return Column(name, BigInteger, nullable=nullable, **options)


def _told() -> tuple[Column[Any], ...]:
    """A recorder's fact about a camera's civil day, by index and number."""
    return (
        _uuid("source", primary_key=True),
        _count("n", primary_key=True, autoincrement=False),
        _text("commune", ForeignKey("commune.insee"), nullable=False),
        _uuid("camera", ForeignKey("camera.id"), nullable=False),
        Column("day", Date, nullable=False),
        _at("told_at", nullable=False),
    )


def _suspension() -> tuple[Column[object], Column[str]]:
    return _at("suspended_at"), _text("suspended_reason")


commune = Table(
    "commune",
    METADATA,
    _text("insee", primary_key=True),
    _text("name", nullable=False),
    _text("departement", nullable=False),
    _text("authority", nullable=False),
    _text("controller"),
    _text("dpo"),
    _text("deliberation"),
    Column("deliberation_on", Date),
    Column("cnil_sent_on", Date),
    _text("cnil_receipt"),
)

site = Table(
    "site",
    METADATA,
    _text("commune", ForeignKey("commune.insee"), primary_key=True),
    _text("name", primary_key=True),
    _text("address"),
    Column("latitude", Double),
    Column("longitude", Double),
)

convention = Table(
    "convention",
    METADATA,
    _id(),
    _text("commune", ForeignKey("commune.insee"), nullable=False),
    _text("kind", nullable=False),
    _text("reference", nullable=False),
    _text("partner", nullable=False),
    _at("from_at", nullable=False),
    _at("to_at"),
    *_suspension(),
    _text("suspended_as"),
    UniqueConstraint("commune", "kind", "reference"),
)

camera = Table(
    "camera",
    METADATA,
    _id(),
    _text("commune", ForeignKey("commune.insee"), nullable=False),
    _text("number", nullable=False, unique=True),
    _text("name", nullable=False),
    _text("site", nullable=False),
    _text("regime", nullable=False),
    _text("adapter", nullable=False),
    Column("priority", Integer, nullable=False),
    _text("main_url", nullable=False),
    _text("sub_url"),
    _text("username"),
    Column("secret", LargeBinary),
    _text("certificate"),
    Column("kept_days", Integer),
    ForeignKeyConstraint(["commune", "site"], ["site.commune", "site.name"]),
)

authorisation = Table(
    "authorisation",
    METADATA,
    _id(),
    _text("commune", ForeignKey("commune.insee"), nullable=False),
    _text("reference", unique=True),
    _at("from_at"),
    _at("to_at"),
    *_suspension(),
    _text("dossier", nullable=False),
    _text("kind", nullable=False),
    _text("state", nullable=False),
    _uuid("replaces", ForeignKey("authorisation.id")),
    Column("last_on", Date),
    Column("complete_on", Date),
    Column("extended", Boolean, nullable=False),
    _at("ended_at"),
    UniqueConstraint("id", "commune"),
    UniqueConstraint("commune", "dossier", name="authorisation_dossier"),
)

authorisation_line = Table(
    "authorisation_line",
    METADATA,
    _uuid("authorisation", primary_key=True),
    _uuid("camera", ForeignKey("camera.id"), primary_key=True, index=True),
    _text("commune", nullable=False),
    Column("finalites", ARRAY(Text), nullable=False),
    Column("visualised", Boolean, nullable=False),
    Column("recorded", Boolean, nullable=False),
    Column("retention_days", Integer, nullable=False),
    Column("minimum_days", Integer),
    Column("recipients", ARRAY(Text), nullable=False),
    Column("position", ARRAY(Double)),
    Column("field", JSONB(none_as_null=True)),
    Column("masks", JSONB, nullable=False),
    Column("ptz", JSONB(none_as_null=True)),
    _text("plan"),
    Column("fast_flow", Boolean, nullable=False),
    Column("width", Integer),
    Column("height", Integer),
    Column("per_s", Double),
    _text("exemption"),
    Column("sent_on", Date),
    Column("service_on", Date),
    _at("in_service_at"),
    ForeignKeyConstraint(["authorisation", "commune"], ["authorisation.id", "authorisation.commune"]),
)

authorisation_event = Table(
    "authorisation_event",
    METADATA,
    _uuid("authorisation", primary_key=True),
    Column("n", Integer, primary_key=True, autoincrement=False),
    _text("commune", nullable=False),
    _text("event", nullable=False),
    _at("at", nullable=False),
    Column("on_day", Date, nullable=False),
    _text("reference"),
    Column("from_on", Date),
    Column("to_on", Date),
    Column("service_on", Date),
    Column("cameras", ARRAY(Uuid(as_uuid=False))),
    _uuid("author", ForeignKey("account.id")),
    ForeignKeyConstraint(["authorisation", "commune"], ["authorisation.id", "authorisation.commune"]),
)

account = Table(
    "account",
    METADATA,
    _id(),
    _text("login", nullable=False, unique=True),
    _text("name", nullable=False),
    _text("role", nullable=False),
    _text("category", nullable=False),
    _text("employer", ForeignKey("commune.insee")),
    _text("password_hash", nullable=False),
    _text("agrement_reference"),
    Column("agrement_departements", ARRAY(Text)),
    _at("agrement_from_at"),
    _at("agrement_to_at"),
    _at("agrement_suspended_at"),
    _at("created_at", nullable=False),
    _at("closed_at"),
    _text("agrement_prefet"),
    _at("agrement_inquiry_at"),
    _text("agrement_suspended_reason"),
    _at("leaving_at"),
    _at("closes_at"),
)

habilitation = Table(
    "habilitation",
    METADATA,
    _id(),
    _uuid("account", ForeignKey("account.id"), nullable=False),
    _text("commune", ForeignKey("commune.insee"), nullable=False),
    _text("basis", nullable=False),
    Column("rights", ARRAY(Text), nullable=False),
    _text("reference", nullable=False),
    _at("from_at", nullable=False),
    _at("to_at"),
    *_suspension(),
    Column("regimes", ARRAY(Text)),
    _text("signed_by"),
    Column("signed_on", Date),
    UniqueConstraint("account", "commune", "reference"),
)

deport = Table(
    "deport",
    METADATA,
    _id(),
    _text("commune", ForeignKey("commune.insee"), nullable=False, index=True),
    _text("reference", nullable=False),
    Column("persons", ARRAY(Uuid(as_uuid=False)), nullable=False),
    Column("cameras", ARRAY(Uuid(as_uuid=False))),
    Column("rights", ARRAY(Text), nullable=False),
    Column("recipient_days", Integer, nullable=False),
    _at("from_at", nullable=False),
    _at("to_at", nullable=False),
    *_suspension(),
)

centre_rule = Table("centre_rule", METADATA, _text("name", primary_key=True), Column("is_on", Boolean, nullable=False))

review = Table(
    "review",
    METADATA,
    _id(),
    _uuid("account", ForeignKey("account.id"), nullable=False, index=True),
    _at("confirmed_at", nullable=False),
    _uuid("confirmed_by", ForeignKey("account.id"), nullable=False),
)

fact_version = Table(
    "fact_version",
    METADATA,
    _text("fact", primary_key=True),
    _text("key", primary_key=True),
    Column("recorded_at", DateTime(timezone=True), primary_key=True),
    _at("written_at", nullable=False),
    _text("commune"),
    Column("known", JSONB, nullable=False),
)

session = Table(
    "session",
    METADATA,
    _id(),
    Column("token_hash", LargeBinary, nullable=False, unique=True),
    _uuid("account", ForeignKey("account.id"), nullable=False),
    _text("shift_motif"),
    _text("workstation", nullable=False),
    _at("created_at", nullable=False),
    _at("seen_at", nullable=False),
    _at("expires_at", nullable=False),
    _at("locked_at"),
    _at("ended_at"),
    _text("ended_as"),
)

alarm = Table(
    "alarm",
    METADATA,
    _id(),
    _text("source", nullable=False),
    _text("code", nullable=False),
    _text("subject", nullable=False),
    _text("commune", ForeignKey("commune.insee")),
    _text("detail", nullable=False),
    _at("since", nullable=False),
    _at("ended"),
)

hold = Table(
    "hold",
    METADATA,
    _id(),
    _text("commune", ForeignKey("commune.insee"), nullable=False),
    _uuid("camera", ForeignKey("camera.id"), nullable=False),
    _at("from_at", nullable=False),
    _at("to_at", nullable=False),
    _text("requisition", nullable=False),
    _at("put_at", nullable=False),
    _uuid("put_by", ForeignKey("account.id")),
    _at("released_at"),
)

proposal = Table(
    "proposal",
    METADATA,
    _id(),
    _text("decision", nullable=False),
    _text("subject", nullable=False),
    _text("commune", ForeignKey("commune.insee")),
    _text("reason", nullable=False),
    _text("content", nullable=False),
    _at("proposed_at", nullable=False),
    _uuid("proposed_by", ForeignKey("account.id"), nullable=False),
    _at("confirmed_at"),
    _uuid("confirmed_by", ForeignKey("account.id")),
    _at("closed_at"),
)

interruption = Table(
    "interruption",
    METADATA,
    _id(),
    _text("commune", ForeignKey("commune.insee"), nullable=False),
    _uuid("camera", ForeignKey("camera.id"), nullable=False, index=True),
    _text("cause", nullable=False),
    _text("reason", nullable=False),
    _at("from_at", nullable=False),
    _at("to_at", nullable=False),
    _at("announced_at", nullable=False),
    _uuid("announced_by", ForeignKey("account.id"), nullable=False),
    _at("decided_at"),
    _at("ended_at"),
    _uuid("ended_by", ForeignKey("account.id")),
)

legal_basis = Table(
    "legal_basis",
    METADATA,
    _id(),
    _text("commune", ForeignKey("commune.insee"), nullable=False),
    _uuid("camera", ForeignKey("camera.id"), nullable=False),
    _text("function", nullable=False),
    _text("reference", nullable=False),
    _at("from_at", nullable=False),
    _at("to_at", nullable=False),
    _at("registered_at", nullable=False),
    _at("ended_at"),
    _uuid("ended_by", ForeignKey("account.id")),
)

coverage_day = Table(
    "coverage_day", METADATA, *_told(), _count("expected_us"), Column("sums_us", JSONB, nullable=False)
)

destruction = Table(
    "destruction",
    METADATA,
    *_told(),
    _at("hour", nullable=False),
    _text("cause", nullable=False),
    _count("count"),
    _count("bytes"),
    _at("first_at", nullable=False),
    _at("last_at", nullable=False),
    Column("root", LargeBinary, nullable=False),
    _count("missing"),
    _count("derived"),
)

inventory = Table(
    "inventory",
    METADATA,
    *_told(),
    _count("files"),
    _count("bytes"),
    _at("oldest_at"),
    _count("overdue"),
    _count("held"),
    _count("held_bytes"),
    _count("away"),
)

statement_due = Table(
    "statement_due",
    METADATA,
    _text("commune", ForeignKey("commune.insee"), primary_key=True),
    Column("day", Date, primary_key=True),
)

statement = Table(
    "statement",
    METADATA,
    _text("commune", ForeignKey("commune.insee"), primary_key=True),
    _count("number", primary_key=True, autoincrement=False),
    Column("day", Date, nullable=False),
    _count("corrects", nullable=True),
    _at("signed_at", nullable=False),
    _text("document", nullable=False),
    _text("withheld", nullable=False),
    Column("hash", LargeBinary, nullable=False),
    _text("kid", nullable=False),
    Column("signature", LargeBinary, nullable=False),
)

orders_state = Table(
    "orders_state",
    METADATA,
    _text("recorder", primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("content_hash", LargeBinary, nullable=False),
    _at("issued_at", nullable=False),
)

feed_cursor = Table(
    "feed_cursor",
    METADATA,
    _text("feed", primary_key=True),
    _uuid("source", primary_key=True),
    Column("upto", BigInteger, nullable=False),
)

journal = Table(
    "journal",
    METADATA,
    _id(),
    _at("at", nullable=False),
    _text("op", nullable=False),
    _text("result", nullable=False),
    _text("code"),
    _text("reason"),
    _uuid("author"),
    _text("author_name", nullable=False),
    _text("quality", nullable=False),
    _text("authority"),
    _text("commune"),
    _uuid("camera"),
    _text("camera_name"),
    _at("from_at"),
    _at("to_at"),
    _text("motif_code"),
    _text("motif_reference"),
    Column("recipients", ARRAY(Text), nullable=False),
    _text("workstation"),
    _uuid("session"),
    _text("detail", nullable=False),
    Column("salt", LargeBinary, nullable=False),
)

journal_pending = Table("journal_pending", METADATA, _uuid("entry", primary_key=True))

journal_leaf = Table(
    "journal_leaf",
    METADATA,
    Column("leaf", BigInteger, primary_key=True, autoincrement=False),
    _uuid("entry", nullable=False, unique=True),
    Column("hash", LargeBinary, nullable=False),
)

journal_node = Table(
    "journal_node",
    METADATA,
    Column("level", SmallInteger, primary_key=True, autoincrement=False),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("hash", LargeBinary, nullable=False),
)

tree_head = Table(
    "tree_head",
    METADATA,
    Column("tree_size", BigInteger, primary_key=True, autoincrement=False),
    Column("root", LargeBinary, nullable=False),
    _at("signed_at", nullable=False),
    _text("kid", nullable=False),
    Column("signature", LargeBinary, nullable=False),
)

head_timestamp = Table(
    "head_timestamp",
    METADATA,
    Column("tree_size", BigInteger, ForeignKey("tree_head.tree_size"), primary_key=True, autoincrement=False),
    Column("token", LargeBinary, nullable=False),
)

security_event = Table(
    "security_event",
    METADATA,
    Column("n", BigInteger, Identity(always=True), primary_key=True),
    _at("at", nullable=False),
    _text("source", nullable=False),
    _text("code", nullable=False),
    _text("login"),
    _text("workstation"),
    _count("count"),
    _uuid("told", unique=True),
)

anomaly_seen = Table(
    "anomaly_seen",
    METADATA,
    _uuid("id", primary_key=True),
    _text("code", nullable=False),
    _uuid("author", nullable=False),
    _uuid("camera"),
    _text("reference"),
    _at("from_at", nullable=False),
    _at("to_at", nullable=False),
    _text("comment", nullable=False),
    _at("seen_at", nullable=False),
    _uuid("seen_by", ForeignKey("account.id"), nullable=False),
)
