"""A workspace as one JSON record for each taxon, session, picture and event, and back. Nothing of it is lost.

The lines of `workspace.jsonl` are, in this order: one of type `fgdemo`; the taxa; the sessions; each picture followed
by its events, oldest first; one of type `end` with the counts, by which a file that was cut off is known.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import Any, cast, get_args

from fgdemo.storage.disk.strict_json import BadJsonError, read_object
from fgdemo.storage.history.events import LabelEvent
from fgdemo.storage.history.label_event import is_forged_receipt
from fgdemo.storage.history.taxa import LONGEST_NAME
from fgdemo.storage.records.fields import FaultError, Record, box_of, is_text, number_of, text_of, time_of, whole_of
from fgdemo.storage.records.inventory import Holding, Inventory
from fgdemo.storage.trees.tree import Tree
from fgdemo.values.annotation import Accuracy, Kind, Order
from fgdemo.values.errors import DatasetError
from fgdemo.values.labelled import (
    LabelledPicture,
    SourceContent,
    SourceEvent,
    SourcePicture,
    SourceSession,
    SourceSplit,
)
from fgdemo.values.limits import LONGEST_ANNOTATOR, LONGEST_COMMENT
from fgdemo.values.taxonomy import Taxon

WORKSPACE_TABLE = "workspace.jsonl"
FORMAT = 1
LONGEST_LINE = 1_000_000
_HEX = frozenset("0123456789abcdef")

Locate = Callable[[Record], "tuple[Callable[[], bytes], int] | None"]
"""Of a picture's record: what reads its bytes, and how many they are; None where they are not there."""


def workspace_records(inventory: Inventory, place: Callable[[Holding], str | None]) -> Iterator[dict[str, Any]]:
    """All records of a workspace, in the order of the lines of `workspace.jsonl`.

    Args:
        place: gives the file of a picture; called once for each. None leaves the picture out.
    """
    yield {"type": "fgdemo", "format": FORMAT, "pictures": inventory.pictures, "events": inventory.events}
    for taxon in inventory.taxa:
        yield taxon_record(taxon, inventory.retired)
    keys = {}
    for row in inventory.sessions:
        keys[row["id"]] = (row["annotator"], row["opened_at"])
        before = row["accuracy_before"]
        yield {
            "type": "session",
            "annotator": row["annotator"],
            "opened_at": row["opened_at"],
            "closed_at": row["closed_at"],
            "order": row["order_of_work"],
            "goal": row["goal"],
            "pair": [row["pair_a"], row["pair_b"]] if row["pair_a"] else None,
            "blind_share": row["blind_share"],
            "accuracy_before": json.loads(before) if before else None,
        }
    pictures = events = 0
    for held in inventory:
        file = place(held)
        if file is None:
            continue
        pictures, events = pictures + 1, events + len(held.history)
        yield {"type": "picture", "file": file, **picture_columns(held)}
        for event in held.history:
            yield event_record(event, keys)
    yield {"type": "end", "pictures": pictures, "events": events}


def picture_columns(held: Holding) -> dict[str, Any]:
    """A picture without what was said about it, as a line of a workspace has it."""
    return {name: value for name, value in vars(held).items() if name not in ("history", "standing")}


def taxon_record(taxon: Taxon, retired: Collection[str]) -> dict[str, Any]:
    """A taxon as a line of a workspace has it."""
    return {"type": "taxon", **asdict(taxon), "aliases": list(taxon.aliases), "retired": taxon.id in retired}


def event_record(event: LabelEvent, keys: Mapping[int, tuple[str, str]]) -> dict[str, Any]:
    """An event as a line of a workspace has it; `keys` says how the sessions are known elsewhere."""
    told = {name: value for name, value in vars(event).items() if value is not None and value is not False}
    if event.box:
        told["box"] = asdict(event.box)
    if event.session is not None and event.session in keys:
        told["session_key"] = list(keys[event.session])
    return {"type": "event", **told}


def read_workspace_lines(tree: Tree, name: str) -> SourceContent:
    """Read `workspace.jsonl` of an export; what is wrong in it is named by its line, and the rest is read.

    Raises:
        DatasetError: it cannot be read, or is no such file at all.
    """

    def locate(record: Record) -> tuple[Callable[[], bytes], int] | None:
        file = text_of(record, "file", 1000)
        size = tree.size(file or "")
        return None if size is None or file is None else (tree.loader(file), size)

    found = SourceContent()
    records = _lines(tree.read(name), name, found)
    first = next(records, (0, {}))[1]
    if first.get("type") != "fgdemo":
        raise DatasetError(f"“{name}” was not written by fgdemo: its first line does not say so.")
    if first.get("format") != FORMAT:
        raise DatasetError(f"“{name}” has the format {first.get('format')!r}; this fgdemo reads {FORMAT}. Update it.")
    assemble(records, name, locate, found)
    return found


def _lines(content: bytes, name: str, found: SourceContent) -> Iterator[tuple[int, Record]]:
    start, number = 0, 0
    while start < len(content):
        end = content.find(b"\n", start)
        end = len(content) if end < 0 else end
        number += 1
        line, start = content[start : min(end, start + LONGEST_LINE + 1)], end + 1
        try:
            record = read_object(line, LONGEST_LINE) if line.strip() else {"type": "blank"}
        except BadJsonError as error:
            found.skip(f"line {number} of {name}", str(error))
            continue
        yield number, record


def assemble(records: Iterable[tuple[int, Record]], name: str, locate: Locate, found: SourceContent) -> None:
    """Make pictures with their histories of the records that follow the first one."""
    taxa: dict[str, Taxon] = {}
    current: tuple[Record, int] | None = None
    said: list[SourceEvent] = []
    pictures, events, ended = 0, 0, False

    def finish() -> None:
        if current is not None:
            try:
                found.pictures.append(listed_picture(current[0], tuple(said), locate))
            except FaultError as fault:
                found.skip(_shown(current[0], f"line {current[1]} of {name}"), str(fault))

    for number, record in records:
        kind = record.get("type")
        pictures, events = pictures + (kind == "picture"), events + (kind == "event")
        try:
            if kind == "taxon":
                taxon = taxon_of(record)
                taxa[taxon.id] = taxon
                found.retired.update({taxon.id} if record.get("retired") is True else ())
            elif kind == "session":
                found.sessions.append(_session(record))
            elif kind == "picture":
                finish()
                current, said = (record, number), []
            elif kind == "event":
                if current is None or record.get("image") != current[0].get("image"):
                    raise FaultError("is about another picture than the line before it")
                said.append(said_of(record, taxa))
            elif kind == "end":
                ended = (record.get("pictures"), record.get("events")) == (pictures, events)
        except FaultError as fault:
            found.skip(f"line {number} of {name}", str(fault))
    finish()
    found.taxa.extend(taxa.values())
    if not ended:
        found.skip(name, "was cut off, or lines of it were changed: what is there was read")


# --- one record ------------------------------------------------------------------------------------------------


def listed_picture(record: Record, said: tuple[SourceEvent, ...], locate: Locate) -> LabelledPicture:
    """Raises FaultError."""
    image, twin_of = text_of(record, "image", 64, needed=True) or "", text_of(record, "twin_of", 64)
    if not all(len(one) == 64 and set(one) <= _HEX for one in (image, twin_of or image)):
        raise FaultError("has no usable “image” or “twin_of”: 64 hexadecimal digits are meant")
    split = text_of(record, "split", 20)
    if split not in (None, "train", "val", "test", "gold"):
        raise FaultError(f"has the split “{split}”; train, val, gold or none is meant")
    origin = SourcePicture(
        image,
        text_of(record, "source", 200) or "import",
        split,
        time_of(record, "created_at"),
        twin_of,
        text_of(record, "imported_in", 200),
    )
    where = locate(record)
    if where is None:
        raise FaultError("is not there")
    listed_split = cast(SourceSplit, {"gold": "test"}.get(split or "train", split or "train"))
    name = text_of(record, "name", 1000) or image[:12]
    return LabelledPicture(name, "", listed_split, where[0], where[1], said, origin)


def said_of(record: Record, taxa: Mapping[str, Taxon]) -> SourceEvent:
    """Raises FaultError."""
    kind = record.get("kind")
    if kind not in get_args(Kind):
        raise FaultError("has an unknown “kind” of event")
    taxon, new_name = text_of(record, "taxon", 300), text_of(record, "new_name", LONGEST_NAME)
    if taxon is not None and (taxon not in taxa or new_name is not None):
        raise FaultError("names a taxon that no line above it describes" if new_name is None else "has two names")
    if kind in ("label", "adjudication") and taxon is None:
        raise FaultError("is a label without a taxon")
    undoes = whole_of(record, "undoes")
    if (kind == "undo") != (undoes is not None):
        raise FaultError("takes nothing back, or is not an undo")
    answer_key = text_of(record, "answer_key", 300)
    if is_forged_receipt(cast(Kind, kind), answer_key):
        raise FaultError("carries a receipt, which only a visitor's suggestion has")
    session = record.get("session_key")
    if session is not None and not (isinstance(session, list) and len(session) == 2 and all(map(is_text, session))):
        raise FaultError("has an unusable “session_key”")
    return SourceEvent(
        kind=cast(Kind, kind),
        label=None if taxon is None else taxa[taxon],
        annotator=text_of(record, "annotator", LONGEST_ANNOTATOR, needed=True) or "",
        at=time_of(record, "created_at"),
        comment=text_of(record, "comment", LONGEST_COMMENT),
        seconds_spent=number_of(record, "seconds_spent"),
        blind=record.get("blind") is True,
        new_name=new_name,
        model_version=text_of(record, "model_version", 200),
        box=box_of(record),
        reason=text_of(record, "reason", 40),
        batch=text_of(record, "batch", 200),
        answer_key=answer_key,
        ref=whole_of(record, "id"),
        undoes=undoes,
        shown=whole_of(record, "shown_version"),
        session=tuple(session) if session else None,
    )


def taxon_of(record: Record) -> Taxon:
    """Raises FaultError."""
    aliases = record.get("aliases") or []
    if not isinstance(aliases, list) or len(aliases) > 1000 or not all(map(is_text, aliases)):
        raise FaultError("has unusable “aliases”")
    taxon_id = text_of(record, "id", 300, needed=True) or ""
    name = text_of(record, "name", LONGEST_NAME, needed=True) or ""
    return Taxon(taxon_id, name, text_of(record, "parent", 300), text_of(record, "latin", LONGEST_NAME), tuple(aliases))


def _session(record: Record) -> SourceSession:
    order, pair = record.get("order"), record.get("pair")
    if order not in get_args(Order):
        raise FaultError("has an unknown “order”")
    if pair is not None and not (isinstance(pair, list) and len(pair) == 2 and all(map(is_text, pair))):
        raise FaultError("has an unusable “pair”")
    before = record.get("accuracy_before")
    accuracy = None
    if isinstance(before, dict):
        figures = [number_of(before, key) or 0.0 for key in ("mean", "low", "high")]
        accuracy = Accuracy(
            *figures, n=whole_of(before, "n") or 0, on="train" if before.get("on") == "train" else "val"
        )
    return SourceSession(
        text_of(record, "annotator", LONGEST_ANNOTATOR, needed=True) or "",
        time_of(record, "opened_at"),
        time_of(record, "closed_at") if record.get("closed_at") is not None else None,
        cast(str, order),
        (pair[0], pair[1]) if pair else None,
        whole_of(record, "goal"),
        min(number_of(record, "blind_share") or 0.0, 1.0),
        accuracy,
    )


def _shown(record: Record, otherwise: str) -> str:
    name = record.get("name")
    return name[:200] if isinstance(name, str) and name else otherwise
