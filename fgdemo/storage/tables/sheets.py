"""Tables as people and programs write them: CSV of any kind, lines of JSON, Parquet without pictures."""

import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from fgdemo.storage.disk.strict_json import BadJsonError, as_list, as_object, read_json
from fgdemo.storage.tables.arrow import columns_of, records
from fgdemo.storage.trees.tree import Tree
from fgdemo.values.errors import DatasetError

ENDINGS = (".csv", ".tsv", ".tab", ".jsonl", ".ndjson", ".parquet")
DELIMITERS = ",;\t|"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_UTF32 = (b"\xff\xfe\0\0", b"\0\0\xfe\xff")
_BROKEN_QUOTES = "cannot be read: a quote in it is not closed, or text follows a closed one"

Cells = dict[str, str]
Fault = Callable[[str, str], None]
"""(where, reason) of a row that cannot be read."""


class _CsvLines(Iterator[list[str]], Protocol):
    """What `csv.reader` gives, whose own type has no public name."""

    @property
    def line_num(self) -> int: ...


@dataclass(frozen=True)
class Sheet:
    """A table. `titles` are lower-case with underscores for blanks; `rows` gives (where it stands, cells by title)."""

    name: str
    titles: tuple[str, ...]
    rows: Callable[[Fault], Iterator[tuple[str, Cells]]]


def read_sheet(tree: Tree, name: str) -> Sheet:
    """The table in a file of a tree.

    Raises:
        DatasetError: no UTF-8 text, no header line, two columns of one title, or damaged. The rows raise it too.
    """
    if name.lower().endswith(".parquet"):
        return _parquet(tree, name)
    text = _text(tree.read(name), name)
    if name.lower().endswith((".jsonl", ".ndjson")):
        return _json_lines(text, name)
    return _csv(text, name)


def _text(content: bytes, name: str) -> str:
    nulls = content[:200].count(0) / max(len(content[:200]), 1)
    if content.startswith((*_UTF16, *_UTF32)) or 0.3 < nulls < 0.8:
        raise DatasetError(_wide(content, name))
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if b"\0" in content:  # few, where most letters are none of ASCII
            raise DatasetError(_wide(content, name)) from error
        line = content[: error.start].count(b"\n") + 1
        written = content[error.start : error.start + 1].decode("cp1252", "replace")
        raise DatasetError(
            f"“{name}” is no UTF-8 text: line {line} has a “{written}” as Windows-1252 (cp1252) writes it, or another "
            "letter of another encoding. Save it as UTF-8, in Excel as “CSV UTF-8”."
        ) from error


def _wide(content: bytes, name: str) -> str:
    bits = 32 if content.startswith(_UTF32) or b"\0\0" in content else 16
    return f"“{name}” is UTF-{bits} text: save it as UTF-8, in Excel as “CSV UTF-8”."


def _csv(text: str, name: str) -> Sheet:
    begin, first = 1, text.partition("\n")[0].strip().strip('"').lower()
    told = first[4:] if first.startswith("sep=") and len(first) == 5 else ""
    if told:
        text, begin = text.partition("\n")[2], 2
    header_and_rest = text.lstrip("\r\n")
    begin, text = begin + text[: len(text) - len(header_and_rest)].count("\n"), header_and_rest
    delimiter = told or _delimiter(text)

    def reader() -> _CsvLines:
        return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)

    try:
        header = next(reader(), list[str]())
    except csv.Error as error:
        raise DatasetError(f"The header line of “{name}” {_why(error)}.") from error
    titles = _titles(header, name)

    def rows(fault: Fault) -> Iterator[tuple[str, Cells]]:
        lines = reader()
        next(lines, None)
        try:
            for cells in lines:
                where = f"line {lines.line_num + begin - 1} of “{name}”"
                if not any(cell.strip() for cell in cells):
                    continue
                if len(cells) > len(titles) and any(cell.strip() for cell in cells[len(titles) :]):
                    fault(where, f"has {len(cells)} cells, and the header line {len(titles)}: put quotes around them")
                else:
                    full = [*cells, *[""] * len(titles)]
                    yield where, {title: cell.strip() for title, cell in zip(titles, full, strict=False)}
        except csv.Error as error:
            raise DatasetError(f"Line {lines.line_num + begin - 1} of “{name}” {_why(error)}.") from error

    return Sheet(name, titles, rows)


def _why(error: csv.Error) -> str:
    return f"cannot be read ({error})" if "limit" in str(error) else _BROKEN_QUOTES


def _delimiter(text: str) -> str:
    """The one that makes most columns of the header line; a comma within quotes makes none."""

    def columns(delimiter: str) -> int:
        try:
            return len(next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), list[str]()))
        except csv.Error:
            return 0

    return max(DELIMITERS, key=columns)


def _titles(header: Sequence[str], name: str) -> tuple[str, ...]:
    titles = tuple(map(_title, header))
    doubled = sorted({title for title in titles if title and titles.count(title) > 1})
    if doubled:
        raise DatasetError(f"The table “{name}” has the column “{doubled[0]}” twice: rename one of them.")
    return titles


def _json_lines(text: str, name: str) -> Sheet:
    titles: dict[str, None] = {}
    records: list[tuple[int, dict[str, Any] | str]] = []
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                records.append((number, _by_title(read_json(line))))
            except BadJsonError as error:
                records.append((number, str(error)))
            titles |= dict.fromkeys(records[-1][1] if isinstance(records[-1][1], dict) else ())

    def rows(fault: Fault) -> Iterator[tuple[str, Cells]]:
        for number, record in records:
            where = f"line {number} of “{name}”"
            if isinstance(record, str):
                fault(where, record)
            else:
                yield where, {title: cell(value) for title, value in record.items()}

    return Sheet(name, tuple(titles), rows)


def _by_title(line: object) -> dict[str, Any]:
    record = as_object(line)
    if record is None:
        raise BadJsonError("is no JSON object")
    found = {_title(key): value for key, value in record.items()}
    if len(found) < len(record):
        raise BadJsonError("has two fields whose names differ in case and blanks only")
    return found


def _title(text: str) -> str:
    """`file_name` of “File Name”."""
    return "_".join(text.strip().lower().replace("-", " ").split())


def _parquet(tree: Tree, name: str) -> Sheet:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(io.BytesIO(tree.read(name)))
        plain = [f.name for f in columns_of(table.schema_arrow) if not pa.types.is_binary(f.type)]
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DatasetError(f"“{name}” cannot be read as Parquet ({type(error).__name__}).") from error
    titles = _titles(plain, name)

    def rows(fault: Fault) -> Iterator[tuple[str, Cells]]:
        for number, record in enumerate(records(table, plain), 1):
            values = zip(titles, record.values(), strict=True)
            yield f"row {number} of “{name}”", {title: cell(value) for title, value in values}

    return Sheet(name, titles, rows)


def cell(value: Any) -> str:
    """A value of JSON or Parquet as the text that a CSV cell would hold; several values become a JSON list."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value.strip()
    listed = as_list(value)
    if listed is not None and len(listed) == 1:
        return cell(listed[0])
    if isinstance(value, bool) or not isinstance(value, (list, dict)):
        return str(value).lower() if isinstance(value, bool) else str(value)
    return json.dumps(value, ensure_ascii=False, default=str)


def is_single(value: Any) -> bool:
    """Whether a value of JSON or Parquet may be a label: a text, a number, or the only one in a list."""
    listed = as_list(value)
    if listed is not None:
        return len(listed) == 1 and is_single(listed[0])
    return not isinstance(value, dict) and value == value
