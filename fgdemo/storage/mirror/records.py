"""The rows of a workspace as the records of a mirror, and back, trusting nothing.

An event is known everywhere by its identity: the workspace in which it was said first, and its number there. What an
event names (the one it takes back, the one it was shown at) it names by identity, and its session by annotator and
moment.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from fgdemo.storage.history.label_event import LabelEvent, is_forged_receipt
from fgdemo.storage.mirror.fields import (
    any_text,
    flag,
    folded_name,
    json_text,
    like,
    moment,
    moment_or_none,
    needed_text,
    needed_whole,
    one_of,
    one_or_more,
    password_hash,
    person_name,
    split_or_none,
    text_or_empty,
)
from fgdemo.storage.records.fields import FaultError, Record, box_of, number_of, whole_of
from fgdemo.values.annotation import Kind, Order, Role
from fgdemo.values.errors import StorageError

Identity = tuple[str, int]
Row = dict[str, Any]

HASH = re.compile("[0-9a-f]{64}")
ORIGIN = re.compile("[0-9a-f]{32}")


def digest_of(record: Record) -> str:
    """By which a record is known that was sent before."""
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()[:32]


# --- columns ---------------------------------------------------------------------------------------------------

Columns = Mapping[str, Callable[[Record, str], Any]]

TAXON: Columns = {
    "id": needed_text,
    "name": needed_text,
    "parent": any_text,
    "latin": any_text,
    "aliases": json_text(list),
    "retired": flag,
}
IMAGE: Columns = {
    "id": like(HASH),
    "width_px": needed_whole,
    "height_px": needed_whole,
    "source": needed_text,
    "split": split_or_none,
    "name": text_or_empty,
    "created_at": moment,
    "dhash": like(re.compile("[0-9a-f]{16}"), needed=False),
    "twin_of": like(HASH, needed=False),
    "imported_in": any_text,
}
SESSION: Columns = {
    "annotator": needed_text,
    "opened_at": moment,
    "closed_at": moment_or_none,
    "order_of_work": one_of(Order),
    "pair_a": any_text,
    "pair_b": any_text,
    "goal": whole_of,
    "blind_share": number_of,
    "accuracy_before": json_text(dict),
}
ACCOUNT: Columns = {
    "name": person_name,
    "folded": folded_name,
    "role": one_of(Role),
    "password_hash": password_hash,
    "created_at": moment,
    "disabled": flag,
    "passwords": one_or_more,
}
PROMOTION: Columns = {
    "version": any_text,
    "kind": one_of(Literal["promote", "rollback"]),
    "promoted_by": needed_text,
    "promoted_at": moment,
    "ident": any_text,
    "depth": whole_of,
    "takes": json_text(list),
}
"""Those written before have no `ident`, `depth` and `takes`."""
TOKEN: Columns = {
    "name": person_name,
    "folded": folded_name,
    "role": one_of(Role),
    "token_hash": like(HASH),
    "created_at": moment,
}
TOKEN_REMOVED = "token-removed"
REMOVED_TOKEN: Columns = {"name": needed_text, "token_hash": like(HASH, needed=False)}
"""Mirrors written before have no hash there."""
REMARK: Columns = {
    "answered": any_text,
    "taxon": any_text,
    "new_name": any_text,
    "comment": any_text,
    "model_version": any_text,
    "created_at": moment,
}
AUDIT: Columns = {
    "at": moment,
    "person": needed_text,
    "role": one_of(Role),
    "action": needed_text,
    "about": text_or_empty,
}
_AS_JSON = ("aliases", "accuracy_before", "verdict", "metrics", "stage", "takes")


def record_of(kind: str, row: Mapping[Any, Any], columns: Columns) -> dict[str, Any]:
    """A row for a mirror; what the database keeps as JSON text is a value there."""
    told = {key: row[key] for key in columns if row[key] is not None}
    for key in _AS_JSON:
        if key in told:
            told[key] = json.loads(told[key])
    for key in ("disabled", "retired"):
        if key in told:
            told[key] = bool(told[key])
    return {"type": kind, **told}


def row_of(record: Record, columns: Columns) -> Row:
    """The row of a record. Raises FaultError."""
    return {key: read(record, key) for key, read in columns.items()}


# --- events ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Told:
    """An event of a mirror: its `id`, `undoes`, `shown_version` and `session` are not set, but these are.

    `after` is what was said of the picture before, as far as it was known; mirrors written before do not say it.
    """

    identity: Identity
    event: LabelEvent
    undoes: Identity | None
    shown: Identity | None
    session: tuple[str, str] | None
    after: Identity | None = None

    @property
    def key(self) -> tuple[str, int, str, str]:
        """What makes two the same. The moment and the picture tell copies of one workspace apart that went on alone."""
        return (*self.identity, self.event.created_at or "", self.event.image)


_EVENT: Columns = {
    "image": like(HASH),
    "kind": one_of(Kind),
    "annotator": needed_text,
    "taxon": any_text,
    "new_name": any_text,
    "model_version": any_text,
    "seconds_spent": number_of,
    "comment": any_text,
    "batch": any_text,
    "answer_key": any_text,
    "blind": flag,
    "reason": any_text,
    "created_at": moment,
}


def event_record(
    row: Mapping[Any, Any],
    identity: Callable[[int], Identity | None],
    sessions: Mapping[int, tuple[str, str]],
    after: int | None,
) -> dict[str, Any]:
    """A row of `label_event` for a mirror, which came after the event `after` about the same picture."""
    told = {key: row[key] for key in _EVENT if row[key] is not None and row[key] is not False}
    told["blind"] = bool(row["blind"])
    told["identity"] = identity(row["id"])
    if row["box"]:
        told["box"] = json.loads(row["box"])
    for key in ("undoes", "shown_version"):
        if row[key] is not None and identity(row[key]) is not None:
            told[key] = identity(row[key])
    if after is not None:
        told["after"] = identity(after)
    if row["session"] in sessions:
        told["session"] = sessions[row["session"]]
    return {"type": "event", **told}


def told_of(record: Record) -> Told:
    """Raises FaultError."""
    row = row_of(record, _EVENT)
    identity, undoes = identity_of(record, "identity"), identity_of(record, "undoes")
    if identity is None or (row["kind"] == "undo") != (undoes is not None):
        raise FaultError("has no identity, or is an undo that takes nothing back")
    if is_forged_receipt(row["kind"], row["answer_key"]):
        raise FaultError("carries a receipt, which only a visitor's suggestion has")
    session = record.get("session")
    if session is not None and not (isinstance(session, list) and [type(one) for one in session] == [str, str]):
        raise FaultError("has an unusable “session”")
    try:
        event = LabelEvent(**row, box=box_of(record))
    except StorageError as error:
        raise FaultError(str(error)) from error
    shown, after = identity_of(record, "shown_version"), identity_of(record, "after")
    return Told(identity, event, undoes, shown, tuple(session) if session else None, after)


def identity_of(record: Record, key: str) -> Identity | None:
    """Of an event that a record names. Raises FaultError."""
    value = record.get(key)
    if value is None:
        return None
    if not isinstance(value, list) or len(value) != 2 or not isinstance(value[0], str) or not ORIGIN.match(value[0]):
        raise FaultError(f"has an unusable “{key}”")
    return value[0], needed_whole({"number": value[1]}, "number")
