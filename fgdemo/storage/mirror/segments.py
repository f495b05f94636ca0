"""Segments of a mirror: JSON lines that one process wrote in one go, and never changes.

The first line says what it is and the sha256 of the segment before it, the last one how many lines are between and
their sha256. So a segment that was torn, or changed afterwards, or is missing, is known. Its name is the start of the
process, a random id of it, and a number that grows.
"""

import hashlib
import json
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from fgdemo.storage.disk.strict_json import BadJsonError, read_object
from fgdemo.storage.records.fields import FaultError, Record

FOLDER = "log"
FORMAT = 1
LARGEST_BYTES = 512_000_000
LONGEST_LINE = 5_000_000
_NAME = re.compile(rf"{FOLDER}/\d{{8}}T\d{{6}}Z-[0-9a-f]{{16}}-\d{{6,}}\.jsonl")


def is_segment(name: str) -> bool:
    """Whether a file of a mirror is named like a segment."""
    return _NAME.fullmatch(name) is not None


def process_of(name: str) -> str:
    """By what the segments of one process are known."""
    return name.rpartition("-")[0]


class SegmentWriter:
    """Names and fills the segments that one process writes.

    Attributes:
        process: its random id, 16 hexadecimal digits.
    """

    def __init__(self, started: datetime) -> None:
        self.process = secrets.token_hex(8)
        self._of_process = f"{FOLDER}/{started:%Y%m%dT%H%M%SZ}-{self.process}"
        self._number, self._before = 0, ""

    def begin_again(self) -> None:
        """Those that were written are no more: the next one is the first."""
        self._before = ""

    def next(self, records: Iterable[Record]) -> tuple[str, bytes]:
        """The name and the bytes of the next segment."""
        self._number += 1
        return f"{self._of_process}-{self._number:06d}.jsonl", pack(records, self._before)

    def written(self, content: bytes) -> None:
        """This segment is at the mirror, so the next one can name it."""
        self._before = hashlib.sha256(content).hexdigest()


def pack(records: Iterable[Record], before: str | None = None) -> bytes:
    """The bytes of a segment.

    Args:
        before: sha256 of the segment of the same process before it; empty for the first, None where that is not said.
    """
    head = {"type": "fgdemo-mirror", "format": FORMAT} | ({} if before is None else {"before": before})
    lines = [_line(head), *map(_line, records)]
    digest = hashlib.sha256(b"".join(lines)).hexdigest()
    return b"".join([*lines, _line({"type": "end", "records": len(lines) - 1, "sha256": digest})])


def _line(record: Record) -> bytes:
    return json.dumps(record, ensure_ascii=False, allow_nan=False).encode() + b"\n"


@dataclass
class Damage:
    """What is wrong in a mirror, as (where, what), in the order in which it was found."""

    faults: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])

    def name(self, where: str, what: str) -> None:
        self.faults.append((where, what))


@dataclass(frozen=True)
class Segment:
    """A segment that is whole.

    Attributes:
        records: with the numbers of their lines.
        before: sha256 of the one before it; empty for the first of a process, None where an earlier fgdemo wrote it.
    """

    records: tuple[tuple[int, Record], ...]
    before: str | None


def unpack(content: bytes) -> Segment:
    """What a segment holds. Raises FaultError where it is not whole: nothing of it can be believed then."""
    lines = content.split(b"\n")
    head = _parsed(lines[0])
    if head is None or head.get("type") != "fgdemo-mirror":
        raise FaultError("was not written by fgdemo: its first line does not say so. It was left out")
    if head.get("format") != FORMAT:
        raise FaultError(f"has the format {str(head.get('format'))[:40]}; this fgdemo reads {FORMAT}. It was left out")
    end = _parsed(lines[-2]) if len(lines) > 2 and not lines[-1] else None
    if end is None or end.get("type") != "end":
        raise FaultError("was cut off, so it was left out")
    if end.get("sha256") != hashlib.sha256(content[: -len(lines[-2]) - 1]).hexdigest():
        raise FaultError("was changed after it was written, so it was left out")
    records = [(number, _parsed(line)) for number, line in enumerate(lines[1:-2], 2)]
    broken = [number for number, record in records if record is None]
    if broken:
        raise FaultError(f"has a line {broken[0]} that is no JSON object, so it was left out")
    before = head.get("before")
    told = tuple((number, record) for number, record in records if record is not None)
    return Segment(told, before if isinstance(before, str) else None)


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        return read_object(line, LONGEST_LINE)
    except BadJsonError:
        return None
