"""A workspace as one JSON record for each taxon, session, picture and event, and back. Nothing of it is lost.

The lines of `workspace.jsonl` are, in this order: one of type `fgdemo`; the taxa; the sessions; each picture followed
by its events, oldest first; one of type `end` with the counts, by which a file that was cut off is known.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import Any, cast, get_args

from fgdemo.annotation import Accuracy, Kind, Order
from fgdemo.errors import DatasetError, PictureError
from fgdemo.storage.events import LabelEvent
from fgdemo.storage.inventory import Holding, Inventory
from fgdemo.storage.labelled import Found, LabelledPicture, Origin, PastSession, Said, Split
from fgdemo.storage.tables import LONGEST_ANNOTATOR, LONGEST_COMMENT, instant
from fgdemo.storage.taxa import LONGEST_NAME
from fgdemo.storage.trees import Tree
from fgdemo.taxonomy import Taxon
from fgdemo.types import CropBox

WORKSPACE_TABLE = "workspace.jsonl"
FORMAT = 1
LONGEST_LINE = 1_000_000
_HEX = frozenset("0123456789abcdef")

Record = Mapping[str, Any]
Locate = Callable[[Record], "tuple[Callable[[], bytes], int] | None"]
"""Of a picture's record: what reads its bytes, and how many they are; None where they are not there."""


def workspace_records(inventory: Inventory, place: Callable[[Holding], str | None]) -> Iterator[dict[str, Any]]:
    """All records of a workspace, in the order of the lines of `workspace.jsonl`.

    Args:
        place: gives the file of a picture; called once for each. None leaves the picture out.
    """
    yield {"type": "fgdemo", "format": FORMAT, "pictures": inventory.pictures, "events": inventory.events}
    for taxon in inventory.taxa:
        yield {"type": "taxon", **asdict(taxon), "retired": taxon.id in inventory.retired}
    keys = {}
    for row in inventory.sessions:
        keys[row["id"]] = (row["annotator"], row["opened_at"])
        before = row["accuracy_before"]
        yield {
            "type": "session", "annotator": row["annotator"], "opened_at": row["opened_at"],
            "closed_at": row["closed_at"], "order": row["order_of_work"], "goal": row["goal"],
            "pair": [row["pair_a"], row["pair_b"]] if row["pair_a"] else None, "blind_share": row["blind_share"],
            "accuracy_before": json.loads(before) if before else None,
        }  # fmt: skip
    pictures = events = 0
    for held in inventory:
        file = place(held)
        if file is None:
            continue
        pictures, events = pictures + 1, events + len(held.history)
        columns = {name: value for name, value in vars(held).items() if name not in ("history", "standing")}
        yield {"type": "picture", "file": file, **columns}
        for event in held.history:
            yield _event_record(event, keys)
    yield {"type": "end", "pictures": pictures, "events": events}


def _event_record(event: LabelEvent, keys: Mapping[int, tuple[str, str]]) -> dict[str, Any]:
    told = {name: value for name, value in vars(event).items() if value is not None and value is not False}
    if event.box:
        told["box"] = asdict(event.box)
    if event.session is not None and event.session in keys:
        told["session_key"] = list(keys[event.session])
    return {"type": "event", **told}


class _FaultError(Exception):
    """Why a record cannot be used."""


def read_workspace_lines(tree: Tree, name: str) -> Found:
    """Read `workspace.jsonl` of an export; what is wrong in it is named by its line, and the rest is read.

    Raises:
        DatasetError: it cannot be read, or is no such file at all.
    """

    def locate(record: Record) -> tuple[Callable[[], bytes], int] | None:
        file = _text(record, "file", 1000)
        size = tree.size(file or "")
        return None if size is None or file is None else (tree.loader(file), size)

    found = Found()
    records = _lines(tree.read(name), name, found)
    first = next(records, (0, {}))[1]
    if first.get("type") != "fgdemo":
        raise DatasetError(f"“{name}” was not written by fgdemo: its first line does not say so.")
    if first.get("format") != FORMAT:
        raise DatasetError(f"“{name}” has the format {first.get('format')!r}; this fgdemo reads {FORMAT}. Update it.")
    assemble(records, name, locate, found)
    return found


def _lines(content: bytes, name: str, found: Found) -> Iterator[tuple[int, Record]]:
    start, number = 0, 0
    while start < len(content):
        end = content.find(b"\n", start)
        end = len(content) if end < 0 else end
        number += 1
        line, start = content[start : min(end, start + LONGEST_LINE + 1)], end + 1
        try:
            if len(line) > LONGEST_LINE:
                raise ValueError("too long")
            record = json.loads(line) if line.strip() else {"type": "blank"}
            if not isinstance(record, dict):
                raise ValueError("no object")
        except (ValueError, RecursionError):
            found.skip(f"line {number} of {name}", "is no JSON object")
            continue
        yield number, record


def assemble(records: Iterable[tuple[int, Record]], name: str, locate: Locate, found: Found) -> None:
    """Make pictures with their histories of the records that follow the first one."""
    taxa: dict[str, Taxon] = {}
    current: tuple[Record, int] | None = None
    said: list[Said] = []
    pictures, events, ended = 0, 0, False

    def finish() -> None:
        if current is not None:
            try:
                found.pictures.append(_picture(current[0], tuple(said), locate))
            except _FaultError as fault:
                found.skip(_shown(current[0], f"line {current[1]} of {name}"), str(fault))

    for number, record in records:
        kind = record.get("type")
        pictures, events = pictures + (kind == "picture"), events + (kind == "event")
        try:
            if kind == "taxon":
                taxon = _taxon(record)
                taxa[taxon.id] = taxon
                found.retired.update({taxon.id} if record.get("retired") is True else ())
            elif kind == "session":
                found.sessions.append(_session(record))
            elif kind == "picture":
                finish()
                current, said = (record, number), []
            elif kind == "event":
                if current is None or record.get("image") != current[0].get("image"):
                    raise _FaultError("is about another picture than the line before it")
                said.append(_said(record, taxa))
            elif kind == "end":
                ended = (record.get("pictures"), record.get("events")) == (pictures, events)
        except _FaultError as fault:
            found.skip(f"line {number} of {name}", str(fault))
    finish()
    found.taxa.extend(taxa.values())
    if not ended:
        found.skip(name, "was cut off, or lines of it were changed: what is there was read")


# --- one record ------------------------------------------------------------------------------------------------


def _picture(record: Record, said: tuple[Said, ...], locate: Locate) -> LabelledPicture:
    image = _text(record, "image", 64, needed=True) or ""
    if len(image) != 64 or not set(image) <= _HEX:
        raise _FaultError("has no usable “image”: 64 hexadecimal digits are meant")
    split = _text(record, "split", 20)
    if split not in (None, "train", "val", "test", "gold"):
        raise _FaultError(f"has the split “{split}”; train, val, gold or none is meant")
    origin = Origin(
        image,
        _text(record, "source", 200) or "import",
        split,
        _time(record, "created_at"),
        _text(record, "twin_of", 64),
        _text(record, "imported_in", 200),
    )
    where = locate(record)
    if where is None:
        raise _FaultError("is not there")
    listed_split = cast(Split, {"gold": "test"}.get(split or "train", split or "train"))
    name = _text(record, "name", 1000) or image[:12]
    return LabelledPicture(name, "", listed_split, where[0], where[1], said, origin)


def _said(record: Record, taxa: Mapping[str, Taxon]) -> Said:
    kind = record.get("kind")
    if kind not in get_args(Kind):
        raise _FaultError("has an unknown “kind” of event")
    taxon, new_name = _text(record, "taxon", 300), _text(record, "new_name", LONGEST_NAME)
    if taxon is not None and (taxon not in taxa or new_name is not None):
        raise _FaultError("names a taxon that no line above it describes" if new_name is None else "has two names")
    if kind in ("label", "adjudication") and taxon is None:
        raise _FaultError("is a label without a taxon")
    undoes = _whole(record, "undoes")
    if (kind == "undo") != (undoes is not None):
        raise _FaultError("takes nothing back, or is not an undo")
    session = record.get("session_key")
    if session is not None and not (isinstance(session, list) and len(session) == 2 and all(map(_is_text, session))):
        raise _FaultError("has an unusable “session_key”")
    return Said(
        kind=cast(Kind, kind),
        label=None if taxon is None else taxa[taxon],
        annotator=_text(record, "annotator", LONGEST_ANNOTATOR, needed=True) or "",
        at=_time(record, "created_at"),
        comment=_text(record, "comment", LONGEST_COMMENT),
        seconds_spent=_number(record, "seconds_spent"),
        blind=record.get("blind") is True,
        new_name=new_name,
        model_version=_text(record, "model_version", 200),
        box=_box(record),
        reason=_text(record, "reason", 40),
        batch=_text(record, "batch", 200),
        answer_key=_text(record, "answer_key", 300),
        ref=_whole(record, "id"),
        undoes=undoes,
        shown=_whole(record, "shown_version"),
        session=tuple(session) if session else None,
    )


def _taxon(record: Record) -> Taxon:
    aliases = record.get("aliases") or []
    if not isinstance(aliases, list) or len(aliases) > 1000 or not all(map(_is_text, aliases)):
        raise _FaultError("has unusable “aliases”")
    taxon_id = _text(record, "id", 300, needed=True) or ""
    name = _text(record, "name", LONGEST_NAME, needed=True) or ""
    return Taxon(taxon_id, name, _text(record, "parent", 300), _text(record, "latin", LONGEST_NAME), tuple(aliases))


def _session(record: Record) -> PastSession:
    order, pair = record.get("order"), record.get("pair")
    if order not in get_args(Order):
        raise _FaultError("has an unknown “order”")
    if pair is not None and not (isinstance(pair, list) and len(pair) == 2 and all(map(_is_text, pair))):
        raise _FaultError("has an unusable “pair”")
    before = record.get("accuracy_before")
    accuracy = None
    if isinstance(before, dict):
        figures = [_number(before, key) or 0.0 for key in ("mean", "low", "high")]
        accuracy = Accuracy(*figures, n=_whole(before, "n") or 0, on="train" if before.get("on") == "train" else "val")
    return PastSession(
        _text(record, "annotator", LONGEST_ANNOTATOR, needed=True) or "",
        _time(record, "opened_at"),
        _time(record, "closed_at") if record.get("closed_at") is not None else None,
        cast(str, order),
        (pair[0], pair[1]) if pair else None,
        _whole(record, "goal"),
        min(_number(record, "blind_share") or 0.0, 1.0),
        accuracy,
    )


# --- one field -------------------------------------------------------------------------------------------------


def _is_text(value: object) -> bool:
    return isinstance(value, str) and len(value) <= 300 and "\0" not in value and value.isprintable()


def _text(record: Record, key: str, longest: int, needed: bool = False) -> str | None:
    value = record.get(key)
    if value is None and not needed:
        return None
    if not isinstance(value, str) or "\0" in value or (needed and not value.strip()):
        raise _FaultError(f"has no usable “{key}”: text is meant")
    if len(value) > longest:
        raise _FaultError(f"has a “{key}” of more than {longest} characters")
    try:
        value.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        raise _FaultError(f"has no usable “{key}”: text is meant") from None
    return value


def _whole(record: Record, key: str) -> int | None:
    value = record.get(key)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**53:
        raise _FaultError(f"has no usable “{key}”: a whole number is meant")
    return value


def _number(record: Record, key: str) -> float | None:
    value = record.get(key)
    if value is None:
        return None
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value < 1e9:  # nor nan
        raise _FaultError(f"has no usable “{key}”: a number from 0 is meant")
    return float(value)


def _time(record: Record, key: str) -> str:
    found = instant(record.get(key)) if isinstance(record.get(key), str) else None
    if found is None:
        raise _FaultError(f"has no usable “{key}”: a time such as 2026-01-31T12:00:00+00:00 is meant")
    return found


def _box(record: Record) -> CropBox | None:
    box = record.get("box")
    if box is None:
        return None
    try:
        return CropBox(**{side: float(box[side]) for side in ("left", "top", "right", "bottom")})
    except (PictureError, TypeError, KeyError, ValueError, OverflowError):
        raise _FaultError("has no usable “box”") from None


def _shown(record: Record, otherwise: str) -> str:
    name = record.get("name")
    return name[:200] if isinstance(name, str) and name else otherwise
