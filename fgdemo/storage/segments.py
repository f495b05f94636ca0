"""Segments of a mirror: JSON lines that one process wrote in one go, and never changes.

The first line says what it is, the last one how many lines are between and their sha256, so that a segment that was
torn, or changed afterwards, is known. Its name is the start of the process, a random id of it, and a number that
grows.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

FOLDER = "log"
FORMAT = 1
LARGEST_BYTES = 512_000_000
LONGEST_LINE = 5_000_000
_NAME = re.compile(rf"{FOLDER}/\d{{8}}T\d{{6}}Z-[0-9a-f]{{16}}-\d{{6,}}\.jsonl")

Record = Mapping[str, Any]


def is_segment(name: str) -> bool:
    """Whether a file of a mirror is named like a segment."""
    return _NAME.fullmatch(name) is not None


class SegmentNames:
    """The names of the segments that one process writes."""

    def __init__(self, started: datetime) -> None:
        self._of_process = f"{FOLDER}/{started:%Y%m%dT%H%M%SZ}-{secrets.token_hex(8)}"
        self._number = 0

    def next(self) -> str:
        self._number += 1
        return f"{self._of_process}-{self._number:06d}.jsonl"


def pack(records: Iterable[Record]) -> bytes:
    """The bytes of a segment."""
    lines = [_line({"type": "fgdemo-mirror", "format": FORMAT}), *map(_line, records)]
    digest = hashlib.sha256(b"".join(lines)).hexdigest()
    return b"".join([*lines, _line({"type": "end", "records": len(lines) - 1, "sha256": digest})])


def _line(record: Record) -> bytes:
    return json.dumps(record, ensure_ascii=False, allow_nan=False).encode() + b"\n"


@dataclass
class Damage:
    """What is wrong in a mirror, as (where, what), in the order in which it was found."""

    faults: list[tuple[str, str]] = field(default_factory=list)

    def name(self, where: str, what: str) -> None:
        self.faults.append((where, what))


def unpack(name: str, content: bytes, damage: Damage) -> list[tuple[int, Record]]:
    """The records of a segment with the numbers of their lines; what cannot be read is named, and the rest is given."""
    first, _, _ = content.partition(b"\n")
    head = _parsed(first)
    if head is None or head.get("type") != "fgdemo-mirror":
        damage.name(name, "was not written by fgdemo: its first line does not say so")
        return []
    if head.get("format") != FORMAT:
        damage.name(name, f"has the format {head.get('format')!r}; this fgdemo reads {FORMAT}")
        return []
    records, start, number, end = [], len(first) + 1, 1, None
    while start < len(content):
        stop = content.find(b"\n", start)
        is_torn, stop = stop < 0, len(content) if stop < 0 else stop
        number += 1
        record = _parsed(content[start:stop])
        if record is None:
            damage.name(f"{name}, line {number}", "was torn" if is_torn else "is no JSON object")
        elif record.get("type") == "end":
            end = record, start
        else:
            records.append((number, record))
        start = stop + 1
    if end is None:
        damage.name(name, "was cut off: what is there was read")
    elif end[0].get("sha256") != hashlib.sha256(content[: end[1]]).hexdigest():
        damage.name(name, "was changed after it was written: what can be understood was read")
    return records


def _parsed(line: bytes) -> dict[str, Any] | None:
    if len(line) > LONGEST_LINE:
        return None
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None
