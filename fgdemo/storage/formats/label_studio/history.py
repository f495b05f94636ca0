"""What was said about a picture, in the data of its task: it comes back from Label Studio in every form of export.

Label Studio makes the importer the annotator, drops comments, sets times anew and exports predictions as numbers. So
the history travels as one text, `fgdemo`, and each answer that is shown there as an annotation has the number of its
event in the hidden control `said`. What comes back unchanged is that answer; what was changed, or is new, is a new one.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fgdemo.storage.disk.strict_json import as_objects, read_object
from fgdemo.storage.history.events import LabelEvent
from fgdemo.storage.records.exported import Piece
from fgdemo.storage.records.fields import FaultError, Record
from fgdemo.storage.records.inventory import Inventory
from fgdemo.storage.records.workspace_records import event_record, picture_columns, said_of, taxon_of, taxon_record
from fgdemo.values.annotation import Kind
from fgdemo.values.labelled import SourceEvent
from fgdemo.values.taxonomy import Taxon

KEY = "fgdemo"
FORMAT = 1
_AROUND = ("session", "image", "type")
STATES: Mapping[Kind, str] = {"unusable": "(unusable)", "none": "(none of these)"}
"""Choices that an export offers beside the kinds. No kind's name is written with brackets around it."""


@dataclass(frozen=True)
class Shown:
    """An answer as an annotation shows it; `ref` is the number of its event."""

    ref: int
    choice: str
    comment: str


@dataclass(frozen=True)
class History:
    """What was known of a picture when it was exported, and which of that Label Studio was shown.

    `picture` is its record, as a line of a workspace has it.
    """

    picture: Record
    said: tuple[SourceEvent, ...]
    shown: Mapping[int, Shown]

    @property
    def is_gold(self) -> bool:
        """Only the last word changes its label, so what was changed elsewhere is a second opinion."""
        return self.picture.get("split") == "gold"

    def of(self, ref: int) -> SourceEvent:
        return next(one for one in self.said if one.ref == ref)


def opinions(piece: Piece) -> list[LabelEvent]:
    """The answer that decides, if a person gave it, and second opinions since the last word, none taken back."""
    history, standing = piece.held.history, piece.held.standing
    if standing is None:
        return []
    undone = {event.undoes for event in history if event.kind == "undo"}
    valid = [event for event in history if event.id not in undone]
    deciding = next(
        (e for e in reversed(valid) if not e.blind and (e.kind, e.annotator) == (standing.kind, standing.annotator)),
        None,
    )
    settled = max((event.id or 0 for event in valid if event.is_last_word), default=0)
    second = {event.annotator: event for event in valid if event.blind and (event.id or 0) > settled}
    return [*([deciding] if deciding and standing.checked else []), *second.values()]


def choice_of(event: LabelEvent, names: Mapping[str, str]) -> str | None:
    """What is chosen for it; None where it names nothing that can be chosen."""
    return STATES.get(event.kind) or (names[event.taxon] if event.taxon else None)


def packed(piece: Piece, inventory: Inventory, shown: list[Shown]) -> str:
    """The whole history of a picture, with the taxa that it names, as JSON."""
    taxa: dict[str, Taxon] = {}
    for event in piece.held.history:
        at = event.taxon
        while at is not None and at not in taxa:
            taxa[at] = inventory.by_id[at]
            at = taxa[at].parent
    events = [event_record(event, {}) for event in piece.held.history]
    told = {
        "format": FORMAT,
        "picture": picture_columns(piece.held),
        "events": [{key: one for key, one in told.items() if key not in _AROUND} for told in events],
        "taxa": [taxon_record(taxon, inventory.retired) for taxon in taxa.values()],
        "shown": [vars(one) for one in shown],
    }
    return json.dumps(told, ensure_ascii=False, separators=(",", ":"))


def unpacked(text: Any, taxa: dict[str, Taxon], retired: set[str]) -> History:
    """The same from there. What one taxon is, its first record says; `taxa` and `retired` are added to.

    Raises:
        FaultError: it was changed, or cut off.
    """
    try:
        told = read_object(text) if isinstance(text, str) else {}
        if told.get("format") != FORMAT:
            raise ValueError("another format")
        for record in _objects(told["taxa"]):
            taxon = taxon_of(record)
            taxa.setdefault(taxon.id, taxon)
            retired.update({taxon.id} if record.get("retired") is True else ())
        said = tuple(said_of(record, taxa) for record in _objects(told["events"]))
        picture = dict(told["picture"])
        refs = {one.ref for one in said}
        shown = [Shown(int(one["ref"]), str(one["choice"]), str(one["comment"])) for one in _objects(told["shown"])]
    except (ValueError, KeyError, TypeError) as error:
        raise FaultError("is no history of fgdemo any more") from error
    return History(picture, said, {one.ref: one for one in shown if one.ref in refs})


def _objects(listed: Any) -> list[dict[str, Any]]:
    objects = as_objects(listed)
    if objects is None:
        raise ValueError("no list of objects")
    return objects
