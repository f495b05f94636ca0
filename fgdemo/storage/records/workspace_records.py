"""A workspace as one JSON record for each taxon, session, picture and event, and back. Nothing of it is lost.

The lines of `workspace.jsonl` are, in this order: one of type `fgdemo`; the taxa; the sessions; each picture followed
by its events, oldest first; one of type `end` with the counts, by which a file that was cut off is known.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import Any, cast

from fgdemo.storage.database.json_columns import read_fields
from fgdemo.storage.disk.strict_json import BadJsonError, read_object
from fgdemo.storage.history.label_event import LabelEvent
from fgdemo.storage.records import models
from fgdemo.storage.records.fields import FaultError, Fields, Record, read, sha256, text, two_texts, whole
from fgdemo.storage.records.inventory import Holding, Inventory
from fgdemo.storage.records.models import Naming, event_values
from fgdemo.storage.trees.tree import Tree
from fgdemo.values.errors import DatasetError
from fgdemo.values.labelled import (
    LabelledPicture,
    SourceContent,
    SourceEvent,
    SourcePicture,
    SourceSession,
    SourceSplit,
)
from fgdemo.values.limits import LONGEST_ANNOTATOR, LONGEST_COMMENT, LONGEST_KIND_NAME
from fgdemo.values.taxonomy import Taxon

WORKSPACE_TABLE = "workspace.jsonl"
FORMAT = 1
LONGEST_LINE = 1_000_000
_EVENTS = Naming(whole, "id", "session_key")
_PICTURE: Fields = {"image": sha256, **models.PICTURE}
_NAMED_OTHERWISE = ("order_of_work", "pair_a", "pair_b")
_SESSION: Fields = {
    "order": models.SESSION["order_of_work"],
    "pair": two_texts,
    **{key: reader for key, reader in models.SESSION.items() if key not in _NAMED_OTHERWISE},
}
_LONGEST_IN_TAXON = {"id": 300, "name": LONGEST_KIND_NAME, "parent": 300, "latin": LONGEST_KIND_NAME}
_LONGEST_IN_PICTURE = {"source": 200, "name": 1000, "imported_in": 200}
_LONGEST_NAMES = {"annotator": LONGEST_ANNOTATOR, "new_name": LONGEST_KIND_NAME, "comment": LONGEST_COMMENT}
_LONGEST_IN_EVENT = _LONGEST_NAMES | {"taxon": 300, "model_version": 200, "batch": 200, "answer_key": 300, "reason": 40}
"""Anybody may have made an export by hand, so its texts are bounded as those of the page; a mirror keeps all."""

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
    keys: dict[int, tuple[str, str]] = {}
    for row in inventory.sessions:
        keys[row["id"]] = (row["annotator"], row["opened_at"])
        yield session_record(row)
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


def session_record(row: Mapping[str, Any]) -> dict[str, Any]:
    """A session, of its row, as a line of a workspace has it."""
    pair, before = (row["pair_a"], row["pair_b"]), read_fields(row["accuracy_before"])
    told = {key: row[key] for key in ("annotator", "opened_at", "closed_at")}
    told |= {"order": row["order_of_work"], "goal": row["goal"], "pair": list(pair) if pair[0] else None}
    told |= {"blind_share": row["blind_share"], "accuracy_before": before or None}
    return {"type": "session", **told}


def picture_columns(held: Holding) -> dict[str, Any]:
    """A picture without what was said about it, as a line of a workspace has it."""
    return {name: value for name, value in vars(held).items() if name not in ("history", "standing")}


def taxon_record(taxon: Taxon, retired: Collection[str]) -> dict[str, Any]:
    """A taxon as a line of a workspace has it."""
    return {"type": "taxon", **asdict(taxon), "aliases": list(taxon.aliases), "retired": taxon.id in retired}


def event_record(event: LabelEvent, keys: Mapping[int, tuple[str, str]]) -> dict[str, Any]:
    """An event as a line of a workspace has it; `keys` says how the sessions are known elsewhere."""
    told, session = models.event_record(event), keys.get(event.session or 0)
    if session is not None:
        told["session_key"] = list(session)
    return told


def read_workspace_lines(tree: Tree, name: str) -> SourceContent:
    """Read `workspace.jsonl` of an export; what is wrong in it is named by its line, and the rest is read.

    Raises:
        DatasetError: it cannot be read, or is no such file at all.
    """

    def locate(record: Record) -> tuple[Callable[[], bytes], int] | None:
        file = text(record, "file")
        size = tree.size(file or "")
        return None if size is None or file is None else (tree.loader(file), size)

    found = SourceContent()
    records = _lines(tree.read(name), name, found)
    nothing: tuple[int, Record] = (0, {})
    first = next(records, nothing)[1]
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
    row = read(record, _PICTURE, _LONGEST_IN_PICTURE)
    name, split = row.pop("name") or row["image"][:12], row["split"] or "train"
    where = locate(record)
    if where is None:
        raise FaultError("is not there")
    origin = SourcePicture(**{**row, "source": row["source"] or "import"})
    return LabelledPicture(name, "", cast(SourceSplit, "test" if split == "gold" else split), *where, said, origin)


def said_of(record: Record, taxa: Mapping[str, Taxon]) -> SourceEvent:
    """An event; `taxa` are those that it can name. Raises FaultError."""
    values = event_values(record, _EVENTS, _LONGEST_IN_EVENT)
    if values["label"] is not None:
        values["label"] = taxa.get(values["label"])
        if values["label"] is None:
            raise FaultError("names a taxon that no line above it describes")
    return SourceEvent(**values)


def taxon_of(record: Record) -> Taxon:
    """Raises FaultError."""
    row = read(record, models.TAXON, _LONGEST_IN_TAXON)
    del row["retired"]
    return Taxon(**row)


def _session(record: Record) -> SourceSession:
    row = read(record, _SESSION, _LONGEST_NAMES)
    a, b = row.pop("pair") or (None, None)
    return SourceSession(order_of_work=row.pop("order"), pair_a=a, pair_b=b, **row)


def _shown(record: Record, otherwise: str) -> str:
    name = record.get("name")
    return name[:200] if isinstance(name, str) and name else otherwise
