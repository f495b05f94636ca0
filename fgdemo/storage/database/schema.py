"""The tables, as `fgdemo.storage.database.migrations` has made them: a test holds each column against the database."""

from typing import Any

import sqlalchemy as sa

METADATA = sa.MetaData()
_EVENT_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
"""SQLite numbers rows by itself only in a column that is an INTEGER, which there is of any size."""
_FRACTION = sa.Double().with_variant(sa.REAL, "sqlite")
"""What SQLite makes of DOUBLE PRECISION; both have 64 bits."""


def _serial() -> sa.Column[int]:
    return sa.Column("id", _EVENT_ID, sa.Identity(always=True), primary_key=True)


def _key(name: str, *more: Any) -> sa.Column[str]:
    return sa.Column(name, sa.Text, *more, primary_key=True)


def _text(name: str, *more: Any, default: str | None = None, unique: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, *more, nullable=False, unique=unique, server_default=default)


def _optional(name: str, *more: Any) -> sa.Column[str | None]:
    return sa.Column(name, sa.Text, *more)


def _flag(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean, nullable=False, server_default=sa.false())


def _whole(name: str, *more: Any) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, *more, nullable=False)


def _big(name: str, *more: Any) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, *more, nullable=False)


def _where(condition: str) -> dict[str, sa.TextClause]:
    """Only these rows are in an index."""
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


taxon_table = sa.Table(
    "taxon",
    METADATA,
    _key("id"),
    _text("name"),
    _optional("parent", sa.ForeignKey("taxon.id")),
    _optional("latin"),
    _text("aliases", default="[]"),
    _flag("retired"),
)
image_table = sa.Table(
    "image",
    METADATA,
    _key("id"),
    _whole("width_px"),
    _whole("height_px"),
    _text("source"),
    _optional("split"),
    _text("name"),
    _text("created_at"),
    _optional("dhash"),
    _optional("twin_of"),
    _optional("imported_in"),
)
label_event_table = sa.Table(
    "label_event",
    METADATA,
    _serial(),
    _text("image", sa.ForeignKey("image.id")),
    _text("kind"),
    _optional("taxon", sa.ForeignKey("taxon.id")),
    _optional("new_name"),
    _text("annotator"),
    sa.Column("shown_version", _EVENT_ID),
    _optional("model_version"),
    sa.Column("seconds_spent", _FRACTION),
    _optional("comment"),
    _optional("box"),
    _text("created_at"),
    sa.Column("undoes", sa.BigInteger),
    _optional("batch"),
    _optional("answer_key"),
    _flag("blind"),
    sa.Column("session", sa.BigInteger),
    _optional("reason"),
    _optional("point"),
    sa.CheckConstraint("taxon IS NULL OR new_name IS NULL"),
    sa.Index("label_event_image", "image", "id"),
    sa.Index("label_event_taxon", "taxon", "id"),
    sa.Index("label_event_answer_key", "answer_key", unique=True),
    sa.Index("label_event_session", "session", "id"),
    sa.Index("label_event_batch", "batch"),
    sa.Index("label_event_undoes", "undoes"),
    sa.Index("label_event_reason", "reason", "id"),
    sa.Index("label_event_point", "image", "id", **_where("point IS NOT NULL")),
)
session_table = sa.Table(
    "session",
    METADATA,
    _serial(),
    _text("annotator"),
    _text("opened_at"),
    _optional("closed_at"),
    _text("order_of_work"),
    _optional("pair_a"),
    _optional("pair_b"),
    sa.Column("goal", sa.Integer),
    sa.Column("blind_share", _FRACTION, nullable=False, server_default="0"),
    _optional("accuracy_before"),
    sa.Index("session_annotator", "annotator", "id"),
)
lease_table = sa.Table(
    "lease",
    METADATA,
    _key("image", sa.ForeignKey("image.id")),
    _key("annotator"),
    _big("session"),
    _text("leased_at"),
    _text("expires_at"),
    _optional("reason"),
)
account_table = sa.Table(
    "account",
    METADATA,
    _key("name"),
    _text("folded", unique=True),
    _text("role"),
    _text("password_hash"),
    _text("created_at"),
    _flag("disabled"),
    sa.Column("passwords", sa.Integer, nullable=False, server_default="1"),
)
sign_in_table = sa.Table(
    "sign_in",
    METADATA,
    _key("token_hash"),
    _text("account", sa.ForeignKey("account.name")),
    _text("created_at"),
    _text("expires_at"),
)
token_table = sa.Table(
    "token",
    METADATA,
    _key("name"),
    _text("folded", unique=True),
    _text("role"),
    _text("token_hash", unique=True),
    _text("created_at"),
    _optional("last_used_at"),
)
job_table = sa.Table(
    "job",
    METADATA,
    _serial(),
    _text("state"),
    _text("preset"),
    _text("asked_by"),
    _text("parent"),
    _big("event"),
    _text("created_at"),
    _text("launched_at"),
    _text("device"),
    _optional("started_at"),
    _optional("ended_at"),
    _text("stage", default="{}"),
    _text("sentence", default=""),
    _optional("candidate"),
    _flag("cancel_requested"),
)
job_epoch_table = sa.Table(
    "job_epoch",
    METADATA,
    sa.Column("job", sa.BigInteger, sa.ForeignKey("job.id"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    _text("epoch"),
)
model_version_table = sa.Table(
    "model_version",
    METADATA,
    _key("version"),
    _text("folder", unique=True),
    _optional("parent"),
    _big("event"),
    sa.Column("job", sa.BigInteger, sa.ForeignKey("job.id")),
    _optional("preset"),
    _text("created_at"),
    _optional("verdict"),
    _text("metrics", default="{}"),
    sa.Column("size_bytes", sa.BigInteger, nullable=False, server_default="0"),
    _optional("deleted_at"),
)
promotion_table = sa.Table(
    "promotion",
    METADATA,
    _serial(),
    _optional("version", sa.ForeignKey("model_version.version")),
    _text("kind"),
    _text("promoted_by"),
    _text("promoted_at"),
    _optional("ident"),
    sa.Column("depth", sa.BigInteger),
    _optional("takes"),
)
audit_table = sa.Table(
    "audit", METADATA, _serial(), _text("at"), _text("person"), _text("role"), _text("action"), _text("about")
)
workspace_origin_table = sa.Table("workspace_origin", METADATA, _key("id"))
event_origin_table = sa.Table(
    "event_origin",
    METADATA,
    sa.Column("event", sa.BigInteger, sa.ForeignKey("label_event.id"), primary_key=True),
    _text("origin"),
    _big("number"),
)
mirror_table = sa.Table("mirror", METADATA, _key("destination"), _big("event"), _text("sent_at"))
mirrored_table = sa.Table("mirrored", METADATA, _key("destination"), _key("kind"), _key("name"), _text("digest"))
removed_token_table = sa.Table("removed_token", METADATA, _key("token_hash"), _text("name"))
row_version_table = sa.Table(
    "row_version", METADATA, _key("kind"), _key("name"), _key("facet"), _text("digest"), _text("version")
)
remark_table = sa.Table(
    "remark",
    METADATA,
    _serial(),
    _optional("answered"),
    _optional("taxon", sa.ForeignKey("taxon.id")),
    _optional("new_name"),
    _optional("comment"),
    _optional("model_version"),
    _text("created_at"),
    _optional("key_hash"),
)
