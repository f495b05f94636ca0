"""The records that an export and a mirror have in common: taxa, sessions, pictures and events, there and back.

An export names an event by its number in the file and a mirror by its identity; what else differs is beside each of
them (`fgdemo.storage.records.workspace_records`, `fgdemo.storage.mirror.records`).
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from fgdemo.storage.disk.strict_json import as_object
from fgdemo.storage.history.label_event import LabelEvent, is_forged_receipt
from fgdemo.storage.records import fields
from fgdemo.storage.records.fields import FaultError, Fields, Reader, Record, Row
from fgdemo.values.annotation import Accuracy, Kind, Order


def accuracy(record: Record, key: str) -> str | None:
    """A figure that the database keeps as JSON text, or None."""
    value = as_object(record.get(key))
    if value is None:
        return None
    mean, low, high = (fields.number(value, name) or 0.0 for name in ("mean", "low", "high"))
    on = "train" if value.get("on") == "train" else "val"
    return json.dumps(asdict(Accuracy(mean, low, high, fields.whole(value, "n") or 0, on)))


def share(record: Record, key: str) -> float:
    """A number in [0, 1], 0 where there is none."""
    return min(fields.number(record, key) or 0.0, 1.0)


TAXON: Fields = {
    **dict.fromkeys(("id", "name"), fields.needed_text),
    **dict.fromkeys(("parent", "latin"), fields.text),
    "aliases": fields.texts,
    "retired": fields.flag,
}
PICTURE: Fields = {
    **dict.fromkeys(("source", "name", "imported_in"), fields.text),
    "split": fields.split,
    "created_at": fields.moment,
    "twin_of": fields.optional(fields.sha256),
}
SESSION: Fields = {
    "annotator": fields.needed_text,
    "opened_at": fields.moment,
    "closed_at": fields.optional(fields.moment),
    "order_of_work": fields.one_of(Order),
    **dict.fromkeys(("pair_a", "pair_b"), fields.text),
    "goal": fields.whole,
    "blind_share": share,
    "accuracy_before": accuracy,
}
EVENT: Fields = {
    "kind": fields.one_of(Kind),
    "annotator": fields.needed_text,
    **dict.fromkeys(("taxon", "new_name", "model_version", "comment", "batch", "answer_key", "reason"), fields.text),
    "seconds_spent": fields.number,
    "box": fields.box,
    "point": fields.point,
    "publication": fields.publication,
    "blind": fields.flag,
    "created_at": fields.moment,
}


@dataclass(frozen=True)
class Naming:
    """How a kind of file names events and sessions.

    Attributes:
        ref: reads the name of an event.
        own: the key under which an event has its own name.
        session: the key under which it has that of its session.
    """

    ref: Reader
    own: str
    session: str


def event_values(record: Record, naming: Naming, longest: Mapping[str, int] | None = None) -> Row:
    """What `fgdemo.values.labelled.SourceEvent` is made of, with the taxon's id as its label.

    Args:
        longest: see `fgdemo.storage.records.fields.read`.

    Raises:
        FaultError: it cannot be an event.
    """
    row = fields.read(record, EVENT, longest)
    kind, taxon, undoes = row["kind"], row.pop("taxon"), naming.ref(record, "undoes")
    if taxon is not None and row["new_name"] is not None:
        raise FaultError("has two names")
    if kind in ("label", "adjudication") and taxon is None:
        raise FaultError("is a label without a taxon")
    if (kind == "undo") != (undoes is not None):
        raise FaultError("takes nothing back, or is not an undo")
    if (kind == "point") != (row["point"] is not None):
        raise FaultError("says where no part is, or is no point")
    if (kind == "publish") != (row["publication"] is not None):
        raise FaultError("says whose picture it is, or is published without that")
    if is_forged_receipt(kind, row["answer_key"]):
        raise FaultError("carries a receipt, which only a visitor's suggestion has")
    row["label"], row["at"], row["undoes"] = taxon, row.pop("created_at"), undoes
    row["ref"], row["shown"] = naming.ref(record, naming.own), naming.ref(record, "shown_version")
    row["session"] = fields.two_texts(record, naming.session)
    return row


def event_record(event: LabelEvent) -> dict[str, Any]:
    """An event as a record, named by its numbers here; what is not said is left out."""
    told = {name: value for name, value in vars(event).items() if value is not None and value is not False}
    told |= {name: asdict(told[name]) for name in ("box", "point", "publication") if name in told}
    return {"type": "event", **told}
