"""CSV tables of pictures: those that people make, and those that an export writes."""

from __future__ import annotations

import csv
import io
import math
import posixpath
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path, PurePosixPath

from fgdemo.annotation import Kind
from fgdemo.errors import DatasetError
from fgdemo.storage.labelled import PICTURE_ENDINGS, SPLIT_NAMES, Found, LabelledPicture, Said, Split, plain_text
from fgdemo.storage.left_out import harmful_again
from fgdemo.storage.trees import FolderTree, Tree

PATH_COLUMNS = ("path", "file_name", "filename", "file", "image_path")
ANNOTATOR_COLUMNS = ("annotator", "labeller", "labeler", "labelled_by", "annotator_id")
LONGEST_ANNOTATOR = 120
LONGEST_COMMENT = 2000
NO_LABEL = {"unusable": "unusable", "none": "none", "unlabelled": "import"}
"""Answers that an export writes where there is no kind, and the events they become."""


@dataclass(frozen=True)
class _Row:
    where: str
    path: str
    label: str
    split: Split
    annotator: str
    answer: str
    checked: bool
    comment: str
    at: str | None


def read_table(path: Path, partly_labelled: bool = False) -> Found:
    """A CSV table (comma, semicolon or tab) with the columns path, label and, if there are splits, split.

    It may also have annotator, and what an export writes: answer, checked, comment, labelled_at. Several rows about one
    picture by several annotators are their opinions: the first counts, the others are second opinions.

    Args:
        partly_labelled: also take the pictures that an export lists without a kind, or with a group only.

    Raises:
        DatasetError: not UTF-8 text, a column missing, an unknown split, or a path that leaves the table's folder.
    """
    if not path.exists():
        raise DatasetError(f"There is no table “{path}”.")
    return read_table_in(FolderTree(path.parent), path.name, partly_labelled)


def read_table_in(tree: Tree, name: str, partly_labelled: bool = True) -> Found:
    """The same for a table in a tree; its paths begin at the top of the tree."""
    try:
        text = tree.read(name).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DatasetError(f"The table “{name}” cannot be read as UTF-8 text.") from error
    found = Found()
    pictures: dict[str, list[_Row]] = {}
    for row in _rows(text, name, found):
        if "\0" in row.path or row.path.startswith(("/", "../")) or row.path == "..":
            raise DatasetError(
                f"“{row.path}” in {row.where} lies outside the folder of the table; put the pictures beside it."
            )
        if partly_labelled or row.answer not in (*NO_LABEL, "group"):
            pictures.setdefault(row.path, []).append(row)
        else:
            found.skip(row.path, f"has no kind ({row.answer})")
    for picture, rows in pictures.items():
        _add(tree, picture, rows, found)
    return found


def _add(tree: Tree, path: str, rows: list[_Row], found: Found) -> None:
    size, first = tree.size(path), rows[0]
    if size is None:
        found.skip(path, f"is not there ({first.where})")
    elif size == 0:
        found.skip(path, "is an empty file")
    elif PurePosixPath(path).suffix.lower() not in PICTURE_ENDINGS:
        found.skip(path, "is not a picture by its ending")
    elif len(rows) > 1 and not all(row.annotator for row in rows):
        for row in rows:  # a table without annotators that names a picture twice: whoever reads on sees both
            found.pictures.append(LabelledPicture(path, row.label, row.split, tree.loader(path), size))
    else:
        said = tuple(
            said_by(row.answer, row.label, row.annotator, row.checked or len(rows) > 1, row.comment, row.at, at > 0)
            for at, row in enumerate(rows)
        )
        plain = LabelledPicture(path, first.label, first.split, tree.loader(path), size)
        found.pictures.append(plain if said == plain.history else replace(plain, said=said))


def said_by(
    answer: str, label: str, annotator: str, checked: bool, comment: str, at: str | None, later: bool = False
) -> Said:
    """What a row of a table says: `answer` as an export writes it, or empty in other tables.

    Args:
        checked: the annotator said so; otherwise the picture only came with the label.
        later: another annotator came first, so this is a second opinion.
    """
    kind: Kind = "import"
    if answer in ("unusable", "none"):
        kind = "unusable" if answer == "unusable" else "none"
    elif label and answer not in NO_LABEL and checked:
        kind = "label"
    second = later and kind != "import"
    named = label if answer not in NO_LABEL else ""
    return Said(
        kind, named or None, plain_text(annotator)[:LONGEST_ANNOTATOR] or "import", at,
        plain_text(comment, "\n\t")[:LONGEST_COMMENT] or None,
        blind=second, reason="second" if second else None,
    )  # fmt: skip


def _rows(text: str, name: str, found: Found) -> list[_Row]:
    delimiter = max(",;\t", key=text.partition("\n")[0].count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, restval="")
    try:
        columns = {title.strip().lower(): title for title in reader.fieldnames or ()}
    except csv.Error as error:
        raise DatasetError(f"The table “{name}” cannot be read ({error}).") from error
    path_column = next((title for title in PATH_COLUMNS if title in columns), None)
    if path_column is None or "label" not in columns:
        there = ", ".join(columns) or "none"
        raise DatasetError(f"The table “{name}” needs a header line with the columns path and label; it has {there}.")
    annotators = next((title for title in ANNOTATOR_COLUMNS if title in columns), "")
    rows: list[_Row] = []
    try:
        for raw in reader:
            cells = {title: harmful_again((raw[own] or "").strip()) for title, own in columns.items()}
            where, answer = f"line {reader.line_num} of “{name}”", cells.get("answer", "")
            row = _Row(
                where, _path(cells[path_column]), cells["label"] if answer not in NO_LABEL else "",
                _split(cells.get("split"), where), cells.get(annotators, ""), answer,
                cells.get("checked", "").lower() in ("true", "yes", "1"), cells.get("comment", ""),
                instant(cells.get("labelled_at")),
            )  # fmt: skip
            if not row.path or not (row.label or answer in NO_LABEL):
                found.skip(where, "has no path or no label")
            else:
                rows.append(row)
    except csv.Error as error:
        raise DatasetError(f"Line {reader.line_num + 1} of “{name}” cannot be read ({error}).") from error
    return rows


def _path(text: str) -> str:
    return posixpath.normpath(text.replace("\\", "/")) if text else ""


def _split(text: str | None, where: str) -> Split:
    if text is None:
        return "train"
    split = SPLIT_NAMES.get({"gold": "test"}.get(text.lower(), text.lower()))
    if split is None:
        raise DatasetError(f"The split “{text}” in {where} must be train, val or test.")
    return split


def instant(text: object) -> str | None:
    """ISO 8601 in UTC of a point in time as other programs write it; None if it is none."""
    if isinstance(text, (int, float)) and not isinstance(text, bool) and math.isfinite(text):
        seconds = text / 1000 if abs(text) > 1e11 else text
        return datetime.fromtimestamp(seconds, timezone.utc).isoformat() if 0 < seconds < 1e11 else None
    if not isinstance(text, str) or not 10 <= len(text) <= 40:
        return None
    try:
        when = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
        return when.replace(tzinfo=when.tzinfo or timezone.utc).astimezone(timezone.utc).isoformat()
    except (ValueError, OverflowError):
        return None
