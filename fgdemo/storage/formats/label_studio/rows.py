"""JSON-MIN and CSV of Label Studio as its tasks: one row an annotation, its answer in a column named after the control.

In JSON-MIN the columns of the controls stand between `id` and `annotator`, in CSV all columns are sorted. What was
chosen is a text, or an object with several choices; which text a choice is and which is somebody's note, no row says.
"""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fgdemo.storage.disk.strict_json import BadJsonError, as_object, read_json
from fgdemo.storage.formats.label_studio.answers import listed
from fgdemo.storage.formats.label_studio.places import picture_of
from fgdemo.values.errors import DatasetError
from fgdemo.values.labelled import SourceContent

Row = Mapping[str, Any]
ABOUT = ("id", "annotator", "annotation_id", "created_at", "updated_at", "lead_time", "agreement", "_data_image")
"""Columns of Label Studio itself."""
PREFERRED = ("kind", "label", "class", "choice", "species", "category", "taxon")
"""Names of controls that are the kind where there are several controls, if just one of them is there."""
OWN_DATA = ("image", "name", "split", "answer", "image_id", "annotated_by", "imported_by", "fgdemo")
"""What an export of fgdemo writes as the data of a task."""


def is_csv(head: str) -> bool:
    """Whether a table with this first line was exported by Label Studio."""
    titles = {title.strip().strip('"') for title in head.replace("\t", ",").split(",")}
    return {"annotation_id", "annotator", "lead_time"} <= titles


def rows_of_csv(content: bytes, name: str) -> list[Row]:
    """Raises DatasetError: no UTF-8, or damaged."""
    try:
        text = content.decode("utf-8-sig")
        delimiter = max(",\t", key=text.partition("\n")[0].count)
        rows = list(csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, restval=""))
    except (UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"The table “{name}” cannot be read ({error}): export it again.") from error
    return [{key: _unpacked(key, value) for key, value in row.items() if isinstance(key, str)} for row in rows]


def tasks_of_rows(
    rows: Sequence[Row], name: str, wanted: str | None, found: SourceContent
) -> tuple[list[Row], str | None]:
    """The tasks that the rows were, and the control that names the kind.

    Raises:
        DatasetError: several columns could be the control, or the wanted one is not there.
    """
    own = any("fgdemo" in row for row in rows)
    columns = ["kind"] if own and wanted is None else _columns(rows)
    control = choose(columns, name, wanted, found)
    texts = {"comment", "said"} if own else set[str]()
    tasks: dict[str, dict[str, Any]] = {}
    for number, row in enumerate(rows):
        key = json.dumps([row.get("id"), picture_of(row)[0] or number], ensure_ascii=False)
        task = tasks.setdefault(key, {"data": row, "annotations": []})
        if row.get("annotation_id") in (None, "") and (control is None or not row.get(control)):
            continue  # a task that nobody has answered
        results = [
            {"type": "textarea", "from_name": column, "value": {"text": listed(row[column])}}
            for column in sorted(texts)
            if row.get(column) not in (None, "")
        ]
        if control is not None and row.get(control) not in (None, "", []):
            results += [_result(control, value) for value in listed(row[control])]
        task["annotations"].append(
            {
                **{about: row.get(about) for about in ABOUT},
                "id": row.get("annotation_id"),
                "completed_by": row.get("annotator"),
                "result": results,
            }
        )
    return list(tasks.values()), control


def choose(columns: Iterable[str], name: str, wanted: str | None, found: SourceContent) -> str | None:
    """The control that names the kind, of those that could; the others are named as not read.

    Raises:
        DatasetError: several could, or the wanted one is not there.
    """
    columns = list(dict.fromkeys(columns))
    listed = ", ".join(columns[:10]) or "none"
    if wanted is not None and wanted not in columns:
        raise DatasetError(f"“{name}” has no control “{wanted}” that names kinds; there are {listed}.")
    preferred = [column for column in columns if column.casefold() in PREFERRED]
    if wanted is None and len(columns) > 1 and len(preferred) != 1:
        raise DatasetError(
            f"“{name}” has several controls that could name the kind: {listed}. Say which one is meant, "
            f"by its name after a #: {name}#{columns[0]}"
        )
    control = wanted or next(iter(preferred or columns), None)
    for column in columns:
        if column != control:
            found.skip(f"control {column} of {name}", f"is not read: the kind is what {control} says")
    return control


def _columns(rows: Sequence[Row]) -> list[str]:
    """Columns that may hold what was chosen."""
    keys = list(dict.fromkeys(key for row in rows for key in row))
    shown = {key for key in keys for row in rows if row.get(key) == (picture_of(row)[0] or object())}
    between = [
        key
        for row in rows
        if "annotator" in row and list(row)[:1] != ["id"] and "id" in row
        for key in list(row)[list(row).index("id") + 1 : list(row).index("annotator")]
    ]
    sorted_by_name = keys == sorted(keys)
    possible = list(dict.fromkeys(between)) if between and not sorted_by_name else keys
    possible = [key for key in possible if key not in (*ABOUT, *OWN_DATA) and key not in shown]
    sure = [key for key in possible if any(_is_choice(row.get(key)) for row in rows)]
    texts = [key for key in possible if key not in sure and any(_is_text(row.get(key)) for row in rows)]
    return sure + texts


def _result(control: str, value: Any) -> dict[str, Any]:
    if isinstance(value, str):
        return {"type": "choices", "from_name": control, "value": {"choices": [value]}}
    of = as_object(value) or {}
    return {"type": "taxonomy" if "taxonomy" in of else "choices", "from_name": control, "value": of}


def _is_choice(value: Any) -> bool:
    return any("choices" in one or "taxonomy" in one for one in map(as_object, listed(value)) if one)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip()) and len(value) <= 300


def _unpacked(key: str, value: Any) -> Any:
    """A cell as JSON-MIN would have it: objects and lists are written as JSON, nothing as an empty text."""
    if not isinstance(value, str) or value == "":
        return None
    if key in ("id", "annotator", "annotation_id") and value.isascii() and value.isdigit() and len(value) < 16:
        return int(value)
    if key == "lead_time":
        try:
            return float(value)
        except ValueError:
            return None
    if key != "fgdemo" and value[:2] in ('{"', "[{", '["'):
        try:
            return read_json(value)
        except BadJsonError:
            return value
    return value
