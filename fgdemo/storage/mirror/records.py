"""The rows of a workspace as the records of a mirror, and back, trusting nothing.

An event is known everywhere by its identity: the workspace in which it was said first, and its number there. What an
event names (the one it takes back, the one it was shown at) it names by identity, and its session by annotator and
moment.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from fgdemo.storage.disk.strict_json import as_list, read_json
from fgdemo.storage.history.event_rows import event_of
from fgdemo.storage.people.names import checked_name, folded, is_kept
from fgdemo.storage.people.passwords import is_believed
from fgdemo.storage.records import fields, models
from fgdemo.storage.records.fields import FaultError, Fields, Record
from fgdemo.values.annotation import Role
from fgdemo.values.errors import SettingsError
from fgdemo.values.labelled import SourceEvent

Identity = tuple[str, int]
TOKEN_REMOVED = "token-removed"
origin = fields.like(re.compile("[0-9a-f]{32}"), "32 hexadecimal digits")
"""Reads by which a workspace is known."""
_AS_JSON = ("aliases", "accuracy_before", "verdict", "metrics", "stage", "takes")


def digest_of(record: Record) -> str:
    """By which a record is known that was sent before."""
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()[:32]


def record_of(kind: str, row: Mapping[Any, Any], fields: Fields) -> dict[str, Any]:
    """A row for a mirror; what the database keeps as JSON text is a value there."""
    told = {key: row[key] for key in fields if row[key] is not None}
    for key in _AS_JSON:
        if key in told:
            told[key] = read_json(told[key])
    for key in ("disabled", "retired"):
        if key in told:
            told[key] = bool(told[key])
    return {"type": kind, **told}


# --- fields ------------------------------------------------------------------------------------------------------


def one_or_more(record: Record, key: str) -> int:
    """A whole number from 1."""
    return max(fields.whole(record, key) or 1, 1)


def person_name(record: Record, key: str) -> str:
    """Of an account or a token: one that could be made here, too, and not one of those that are kept."""
    name = fields.needed_text(record, key)
    try:
        usable = checked_name(name) == name and not is_kept(name)
    except SettingsError:
        usable = False
    if not usable:
        raise FaultError(f"has no usable “{key}”")
    return name


def folded_name(record: Record, key: str) -> str:
    """Never as it is told: else two people could have one name."""
    return folded(fields.needed_text(record, "name"))


def password_hash(record: Record, key: str) -> str:
    """One that can be checked here, and soon."""
    kept = record.get(key)
    if not isinstance(kept, str) or not is_believed(kept):
        raise FaultError(f"has a “{key}” by no known scheme, or one that takes too long to check")
    return kept


def identity(record: Record, key: str) -> Identity | None:
    """Of an event that a record names."""
    if record.get(key) is None:
        return None
    value = as_list(record[key])
    if value is None or len(value) != 2:
        raise FaultError(f"has an unusable “{key}”")
    named: Record = {"origin": value[0], "number": value[1]}
    return origin(named, "origin"), fields.needed_whole(named, "number")


# --- rows --------------------------------------------------------------------------------------------------------

TAXON: Fields = {**models.TAXON, "aliases": fields.texts_as_json}
SESSION = models.SESSION
IMAGE: Fields = {
    "id": fields.sha256,
    **models.PICTURE,
    **dict.fromkeys(("width_px", "height_px"), fields.needed_whole),
    "source": fields.needed_text,
    "name": fields.optional(fields.text, ""),
    "dhash": fields.optional(fields.like(re.compile("[0-9a-f]{16}"), "16 hexadecimal digits")),
}
_PERSON: Fields = {"name": person_name, "folded": folded_name, "role": fields.one_of(Role), "created_at": fields.moment}
ACCOUNT: Fields = {**_PERSON, "password_hash": password_hash, "disabled": fields.flag, "passwords": one_or_more}
TOKEN: Fields = {**_PERSON, "token_hash": fields.sha256}
REMOVED_TOKEN: Fields = {"name": fields.needed_text, "token_hash": fields.optional(fields.sha256)}
"""Mirrors written before have no hash there."""
PROMOTION: Fields = {
    "version": fields.text,
    "kind": fields.one_of(Literal["promote", "rollback"]),
    "promoted_by": fields.needed_text,
    "promoted_at": fields.moment,
    "ident": fields.text,
    "depth": fields.whole,
    "takes": fields.texts_as_json,
}
"""Those written before have no `ident`, `depth` and `takes`."""
REMARK: Fields = {
    **dict.fromkeys(("answered", "taxon", "new_name", "comment", "model_version"), fields.text),
    "created_at": fields.moment,
}
AUDIT: Fields = {
    "at": fields.moment,
    **dict.fromkeys(("person", "action"), fields.needed_text),
    "role": fields.one_of(Role),
    "about": fields.optional(fields.text, ""),
}


# --- events ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class MirroredEvent(SourceEvent):
    """An event of a mirror, which names others by identity, and its taxon by id.

    Attributes:
        after: what was said of the picture before, as far as it was known; mirrors written before do not say it.
    """

    image: str = ""
    after: Identity | None = None

    @property
    def identity(self) -> Identity:
        return cast(Identity, self.ref)

    @property
    def key(self) -> tuple[str, int, str, str]:
        """What makes two the same. The moment and the picture tell copies of one workspace apart that went on alone."""
        return (*self.identity, self.at or "", self.image)


_EVENTS = models.Naming(identity, "identity", "session")


def mirrored_event(record: Record) -> MirroredEvent:
    """Raises FaultError."""
    values = models.event_values(record, _EVENTS)
    if values["ref"] is None:
        raise FaultError("has no identity")
    return MirroredEvent(**values, image=fields.sha256(record, "image"), after=identity(record, "after"))


def event_record(
    row: Mapping[Any, Any],
    identity_of: Callable[[int], Identity],
    sessions: Mapping[int, tuple[str, str]],
    after: int | None,
) -> dict[str, Any]:
    """A row of `label_event` for a mirror, which came after the event `after` about the same picture."""
    told = models.event_record(event_of(row)) | {"blind": bool(row["blind"])}
    number, session = told.pop("id"), told.pop("session", None)
    numbers = {"identity": number, "after": after} | {key: told.get(key) for key in ("undoes", "shown_version")}
    told |= {key: identity_of(value) for key, value in numbers.items() if value is not None}
    return told | ({"session": sessions[session]} if session in sessions else {})
