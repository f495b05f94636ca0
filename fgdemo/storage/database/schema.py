"""The tables, as `fgdemo.storage.database.migrations` has made them: a test holds each column against the database."""

from typing import Any

import sqlalchemy as sa

METADATA = sa.MetaData()
_EVENT_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
"""SQLite numbers rows by itself only in a column that is an INTEGER, which there is of any size."""
_FRACTION = sa.Double[float]().with_variant(sa.REAL, "sqlite")
"""What SQLite makes of DOUBLE PRECISION; both have 64 bits."""


def _table(name: str, *columns: Any) -> sa.Table:
    return sa.Table(name, METADATA, *columns)


def _serial() -> sa.Column[int]:
    return sa.Column("id", _EVENT_ID, sa.Identity(always=True), primary_key=True)


def _keys(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, primary_key=True) for name in names]


def _texts(*names: str) -> list[sa.Column[str]]:
    return [_text(name) for name in names]


def _text(name: str, *more: Any, default: str | None = None, unique: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, *more, nullable=False, unique=unique, server_default=default)


def _optional(*names: str) -> list[sa.Column[str | None]]:
    return [sa.Column(name, sa.Text) for name in names]


def _named(name: str, other: str) -> sa.Column[str | None]:
    """A text that is one of another table's, or none."""
    return sa.Column(name, sa.Text, sa.ForeignKey(other))


def _flag(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean, nullable=False, server_default=sa.false())


def _big(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False)


def _where(condition: str) -> dict[str, Any]:
    """Only these rows are in an index."""
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


taxon_table = _table(
    "taxon",
    *_keys("id"),
    *_texts("name"),
    _named("parent", "taxon.id"),
    *_optional("latin"),
    _text("aliases", default="[]"),
    _flag("retired"),
)
image_table = _table(
    "image",
    *_keys("id"),
    *(sa.Column(name, sa.Integer, nullable=False) for name in ("width_px", "height_px")),
    *_texts("source", "name", "created_at"),
    *_optional("split", "dhash", "twin_of", "imported_in"),
)
label_event_table = _table(
    "label_event",
    _serial(),
    _text("image", sa.ForeignKey("image.id")),
    *_texts("kind"),
    _named("taxon", "taxon.id"),
    *_optional("new_name"),
    *_texts("annotator"),
    sa.Column("shown_version", _EVENT_ID),
    *_optional("model_version"),
    sa.Column("seconds_spent", _FRACTION),
    *_optional("comment", "box"),
    *_texts("created_at"),
    sa.Column("undoes", sa.BigInteger),
    *_optional("batch", "answer_key"),
    _flag("blind"),
    sa.Column("session", sa.BigInteger),
    *_optional("reason", "point", "publication"),
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
session_table = _table(
    "session",
    _serial(),
    *_texts("annotator", "opened_at"),
    *_optional("closed_at"),
    *_texts("order_of_work"),
    *_optional("pair_a", "pair_b"),
    sa.Column("goal", sa.Integer),
    sa.Column("blind_share", _FRACTION, nullable=False, server_default="0"),
    *_optional("accuracy_before"),
    sa.Index("session_annotator", "annotator", "id"),
)
lease_table = _table(
    "lease",
    sa.Column("image", sa.Text, sa.ForeignKey("image.id"), primary_key=True),
    *_keys("annotator"),
    _big("session"),
    *_texts("leased_at", "expires_at"),
    *_optional("reason"),
)
account_table = _table(
    "account",
    *_keys("name"),
    _text("folded", unique=True),
    *_texts("role", "password_hash", "created_at"),
    _flag("disabled"),
    sa.Column("passwords", sa.Integer, nullable=False, server_default="1"),
)
sign_in_table = _table(
    "sign_in",
    *_keys("token_hash"),
    _text("account", sa.ForeignKey("account.name")),
    *_texts("created_at", "expires_at"),
)
token_table = _table(
    "token",
    *_keys("name"),
    _text("folded", unique=True),
    *_texts("role"),
    _text("token_hash", unique=True),
    *_texts("created_at"),
    *_optional("last_used_at"),
)
job_table = _table(
    "job",
    _serial(),
    *_texts("state", "preset", "asked_by", "parent"),
    _big("event"),
    *_texts("created_at", "launched_at", "device"),
    *_optional("started_at", "ended_at"),
    _text("stage", default="{}"),
    _text("sentence", default=""),
    *_optional("candidate"),
    _flag("cancel_requested"),
)
job_epoch_table = _table(
    "job_epoch",
    sa.Column("job", sa.BigInteger, sa.ForeignKey("job.id"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    *_texts("epoch"),
)
model_version_table = _table(
    "model_version",
    *_keys("version"),
    _text("folder", unique=True),
    *_optional("parent"),
    _big("event"),
    sa.Column("job", sa.BigInteger, sa.ForeignKey("job.id")),
    *_optional("preset"),
    *_texts("created_at"),
    *_optional("verdict"),
    _text("metrics", default="{}"),
    sa.Column("size_bytes", sa.BigInteger, nullable=False, server_default="0"),
    *_optional("deleted_at"),
)
promotion_table = _table(
    "promotion",
    _serial(),
    _named("version", "model_version.version"),
    *_texts("kind", "promoted_by", "promoted_at"),
    *_optional("ident"),
    sa.Column("depth", sa.BigInteger),
    *_optional("takes"),
)
audit_table = _table("audit", _serial(), *_texts("at", "person", "role", "action", "about"))
workspace_origin_table = _table("workspace_origin", *_keys("id"))
event_origin_table = _table(
    "event_origin",
    sa.Column("event", sa.BigInteger, sa.ForeignKey("label_event.id"), primary_key=True),
    *_texts("origin"),
    _big("number"),
)
mirror_table = _table("mirror", *_keys("destination"), _big("event"), *_texts("sent_at"))
mirrored_table = _table("mirrored", *_keys("destination", "kind", "name"), *_texts("digest"))
removed_token_table = _table("removed_token", *_keys("token_hash"), *_texts("name"))
row_version_table = _table("row_version", *_keys("kind", "name", "facet"), *_texts("digest", "version"))
remark_table = _table(
    "remark",
    _serial(),
    *_optional("answered"),
    _named("taxon", "taxon.id"),
    *_optional("new_name", "comment", "model_version"),
    *_texts("created_at"),
    *_optional("key_hash"),
)
