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
from typing import Any, Literal, get_args

from fgdemo.annotation import Kind, Order, Role
from fgdemo.errors import SettingsError, StorageError
from fgdemo.storage.fields import FaultError, Record, box_of, number_of, text_of, time_of, whole_of
from fgdemo.storage.label_event import LabelEvent, is_forged_receipt
from fgdemo.storage.names import checked_name, folded, is_kept
from fgdemo.storage.passwords import is_believed
from fgdemo.training import Preset

Identity = tuple[str, int]
Row = dict[str, Any]

LONGEST = 100_000
"""Far beyond what the page takes: what was stored once shall come back."""
CHECKPOINT_FILES = ("card.json", "model.safetensors")
_HASH = re.compile("[0-9a-f]{64}")
_ORIGIN = re.compile("[0-9a-f]{32}")
_FOLDER = re.compile(r"(?!\.)[\w.@-]{1,80}", re.ASCII)


def digest_of(record: Record) -> str:
    """By which a record is known that was sent before."""
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()[:32]


# --- columns ---------------------------------------------------------------------------------------------------


def _text(record: Record, key: str) -> str | None:
    return text_of(record, key, LONGEST)


def _needed(record: Record, key: str) -> str:
    return text_of(record, key, LONGEST, needed=True) or ""


def _or_empty(record: Record, key: str) -> str:
    return text_of(record, key, LONGEST) or ""


def _time(record: Record, key: str) -> str:
    time_of(record, key)
    return record[key]  # as it was written, so that equal moments stay equal texts


def _time_or_none(record: Record, key: str) -> str | None:
    return None if record.get(key) is None else _time(record, key)


def _whole(record: Record, key: str) -> int:
    found = whole_of(record, key)
    if found is None:
        raise FaultError(f"has no “{key}”")
    return found


def _one_or_more(record: Record, key: str) -> int:
    return max(whole_of(record, key) or 1, 1)


def _flag(record: Record, key: str) -> bool:
    return record.get(key) is True


def _like(pattern: re.Pattern[str], needed: bool = True) -> Callable[[Record, str], str | None]:
    def read(record: Record, key: str) -> str | None:
        value = record.get(key)
        if value is None and not needed:
            return None
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise FaultError(f"has no usable “{key}”")
        return value

    return read


def _person_name(record: Record, key: str) -> str:
    """Of an account or a token: one that could be made here, too, and not one of those that are kept."""
    name = _needed(record, key)
    try:
        usable = checked_name(name) == name and not is_kept(name)
    except SettingsError:
        usable = False
    if not usable:
        raise FaultError(f"has no usable “{key}”")
    return name


def _folded_name(record: Record, key: str) -> str:
    """Never as it is told: else two people could have one name."""
    return folded(_needed(record, "name"))


def _password_hash(record: Record, key: str) -> str:
    kept = record.get(key)
    if not isinstance(kept, str) or not is_believed(kept):
        raise FaultError(f"has a “{key}” by no known scheme, or one that takes too long to check")
    return kept


def _one_of(allowed: object) -> Callable[[Record, str], str]:
    words = get_args(allowed)

    def read(record: Record, key: str) -> str:
        if record.get(key) not in words:
            raise FaultError(f"has an unknown “{key}”")
        return record[key]

    return read


def _split(record: Record, key: str) -> str | None:
    if record.get(key) not in (None, "train", "val", "test", "gold"):
        raise FaultError("has an unknown “split”")
    return record.get(key)


def _json(kind: type) -> Callable[[Record, str], str | None]:
    """A value that the database keeps as JSON text."""

    def read(record: Record, key: str) -> str | None:
        if record.get(key) is None:
            return None
        if not isinstance(record[key], kind):
            raise FaultError(f"has no usable “{key}”")
        return json.dumps(record[key])

    return read


Columns = Mapping[str, Callable[[Record, str], Any]]

TAXON: Columns = {
    "id": _needed, "name": _needed, "parent": _text, "latin": _text, "aliases": _json(list), "retired": _flag,
}  # fmt: skip
IMAGE: Columns = {
    "id": _like(_HASH), "width_px": _whole, "height_px": _whole, "source": _needed, "split": _split, "name": _or_empty,
    "created_at": _time, "dhash": _like(re.compile("[0-9a-f]{16}"), needed=False),
    "twin_of": _like(_HASH, needed=False), "imported_in": _text,
}  # fmt: skip
SESSION: Columns = {
    "annotator": _needed, "opened_at": _time, "closed_at": _time_or_none, "order_of_work": _one_of(Order),
    "pair_a": _text, "pair_b": _text, "goal": whole_of, "blind_share": number_of, "accuracy_before": _json(dict),
}  # fmt: skip
ACCOUNT: Columns = {
    "name": _person_name, "folded": _folded_name, "role": _one_of(Role), "password_hash": _password_hash,
    "created_at": _time, "disabled": _flag, "passwords": _one_or_more,
}  # fmt: skip
MODEL: Columns = {
    "version": _needed, "folder": _like(_FOLDER), "parent": _text, "preset": _text, "created_at": _time,
    "verdict": _json(dict), "metrics": _json(dict), "size_bytes": _whole, "deleted_at": _time_or_none,
}  # fmt: skip
JOB: Columns = {
    "state": _needed, "preset": _one_of(Preset), "asked_by": _needed, "parent": _needed, "created_at": _time,
    "launched_at": _time, "device": _needed, "started_at": _time_or_none, "ended_at": _time_or_none,
    "stage": _json(dict), "sentence": _text, "candidate": _text,
}  # fmt: skip
PROMOTION: Columns = {
    "version": _text, "kind": _one_of(Literal["promote", "rollback"]), "promoted_by": _needed, "promoted_at": _time,
    "ident": _text, "depth": whole_of, "takes": _json(list),
}  # fmt: skip
"""Those written before have no `ident`, `depth` and `takes`."""
TOKEN: Columns = {
    "name": _person_name, "folded": _folded_name, "role": _one_of(Role), "token_hash": _like(_HASH),
    "created_at": _time,
}  # fmt: skip
TOKEN_REMOVED = "token-removed"
REMOVED_TOKEN: Columns = {"name": _needed, "token_hash": _like(_HASH, needed=False)}
"""Mirrors written before have no hash there."""
REMARK: Columns = {
    "answered": _text, "taxon": _text, "new_name": _text, "comment": _text, "model_version": _text, "created_at": _time,
}  # fmt: skip
AUDIT: Columns = {"at": _time, "person": _needed, "role": _one_of(Role), "action": _needed, "about": _or_empty}
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
    "image": _like(_HASH), "kind": _one_of(Kind), "annotator": _needed, "taxon": _text, "new_name": _text,
    "model_version": _text, "seconds_spent": number_of, "comment": _text, "batch": _text, "answer_key": _text,
    "blind": _flag, "reason": _text, "created_at": _time,
}  # fmt: skip


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
    if not isinstance(value, list) or len(value) != 2 or not isinstance(value[0], str) or not _ORIGIN.match(value[0]):
        raise FaultError(f"has an unusable “{key}”")
    return value[0], _whole({"number": value[1]}, "number")


# --- models ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ToldModel:
    """A model of a mirror.

    Attributes:
        row: of `model_version`, without `event` and `job`.
        event: the newest event that it was trained on.
        origin: the workspace that made it.
        job: of `job`, without `event`; None where it is not known.
        epochs: JSON texts by their number.
        files: the sha256 of each file of the checkpoint; empty for a deleted one.
    """

    row: Row
    event: Identity | None
    origin: str
    job: Row | None
    epochs: Mapping[int, str]
    files: Mapping[str, str]


def model_of(record: Record) -> ToldModel:
    """Raises FaultError."""
    row, job, files = row_of(record, MODEL), record.get("job"), record.get("files")
    if not isinstance(files, dict) or (row["deleted_at"] is None and sorted(files) != list(CHECKPOINT_FILES)):
        raise FaultError("is a model of other files than a checkpoint has, which are not opened")
    if not all(isinstance(one, str) and _HASH.fullmatch(one) for one in files.values()):
        raise FaultError("has an unusable “files”")
    epochs = record.get("epochs") or {}
    if not isinstance(epochs, dict) or not all(n.isdecimal() and isinstance(e, dict) for n, e in epochs.items()):
        raise FaultError("has unusable “epochs”")
    return ToldModel(
        row, identity_of(record, "event"), str(_like(_ORIGIN)(record, "origin")),
        row_of(job, JOB) if isinstance(job, dict) else None,
        {int(number): json.dumps(epoch) for number, epoch in epochs.items()}, files,
    )  # fmt: skip
