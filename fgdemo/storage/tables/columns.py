"""Which column of a table holds the picture, which the label, and what is not read."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fgdemo.storage.tables.sheets import Cells, Sheet
from fgdemo.values.errors import DatasetError
from fgdemo.values.labelled import SPLIT_NAMES

PATHS = tuple(
    "path file_name filename file image_path filepath file_path image_file image_name img_path img image filepaths "
    "image_paths filenames file_names image_id id".split()
)
"""Titles of the column that names the picture, the surest first."""
LABELS = tuple("label labels class class_name label_name category category_name species kind breed target".split())
"""Titles of the column that names the kind."""
NAMES = ("label_name", "class_name", "category_name", "label_text", "label_names", "species", "name")
"""Titles of the column that has the names where `label` has numbers."""
SPLITS = ("split", "subset", "partition", "data_set", "dataset", "set")
"""Titles of the column that says the split; all but the first only where its values are such."""
ANNOTATORS = ("annotator", "labeller", "labeler", "labelled_by", "annotator_id")
EXPORTED = frozenset(
    "answer checked comment labelled_at taxon name image twin_of width_px height_px split kind image_id".split()
)
"""Other columns of our own exports, if they have `answer`."""
_NUMBER = re.compile(r"-?\d+(\.0+)?")
"""As pandas writes whole numbers, too, where some are missing."""
LOOKED_AT = 1000
"""So many rows tell whether a column holds numbers only."""


@dataclass(frozen=True)
class Columns:
    """Titles, in lower case; empty where there is no such column. `notes` tell what is not read."""

    path: str
    label: str
    split: str = ""
    annotator: str = ""
    notes: tuple[str, ...] = ()


def choose_columns(sheet: Sheet) -> Columns:
    """Find the columns of a table of pictures.

    Raises:
        DatasetError: no column names pictures, or several might be the pictures or the labels.
    """
    titles = sheet.titles
    path = _path(titles, sheet.name)
    rows = _first_rows(sheet)
    split = next((title for title in SPLITS if title in titles and (title == "split" or _are_splits(title, rows))), "")
    label, notes = choose_label([title for title in titles if title not in (path, split)], sheet.name, rows)
    annotator = next((title for title in ANNOTATORS if title in titles), "")
    read = {path, label, annotator, split, "checked", "comment", "labelled_at", "answer", "taxon", ""}
    read |= EXPORTED if "answer" in titles else set()
    ignored = [title for title in titles if title not in read and not title.startswith("unnamed:")]
    if ignored:
        notes = (*notes, f"Not read of “{sheet.name}”: {_listed(ignored)}.")
    return Columns(path, label, split, annotator, notes)


def choose_label(
    titles: Sequence[str], where: str, rows: Iterable[Cells], classes: Sequence[str] = ()
) -> tuple[str, tuple[str, ...]]:
    """The column of labels, empty where there is none, and what is to be told of the choice.

    Args:
        rows: some rows, by which a column of numbers is known.
        classes: columns of which the table itself says that they are classes.

    Raises:
        DatasetError: several might be it.
    """
    rows = list(rows)
    label = next((title for title in ("label", "labels") if title in titles), "")
    others = [title for title in LABELS if title in titles and title != label] if not label else []
    if not label and len(others) > 1:
        named = [title for title in others if not _numbers(title, rows)]
        if len(named) != 1:
            raise DatasetError(
                f"“{where}” has several columns that may be the label ({_listed(others)}): rename the right one label."
            )
        others = named
    label = label or next(iter(others), "")
    if label and label not in classes and _numbers(label, rows):
        names = next((title for title in NAMES if title in titles and title != label and not _numbers(title, rows)), "")
        if names:
            return names, (f"“{label}” of “{where}” holds numbers, so the names are taken from “{names}”.",)
        return label, (f"“{label}” of “{where}” holds numbers without names: the kinds are called by them.",)
    return label, ((f"The labels of “{where}” are those in its column “{label}”.",) if others else ())


def _path(titles: Sequence[str], name: str) -> str:
    path = next((title for title in PATHS if title in titles), "")
    many = [title for title in titles if title.endswith(("_file_name", "_file_names", "_filename"))]
    if not path and len(many) > 1:
        raise DatasetError(f"“{name}” has several columns of pictures ({_listed(many)}): rename one to file_name.")
    path = path or next(iter(many), "")
    if not path:
        there = ", ".join(filter(None, titles)) or "none"
        raise DatasetError(f"The table “{name}” needs a header line with the columns path and label; it has {there}.")
    return path


def _first_rows(sheet: Sheet) -> list[Cells]:
    rows: list[Cells] = []
    for _, cells in sheet.rows(lambda where, reason: None):
        rows.append(cells)
        if len(rows) == LOOKED_AT:
            break
    return rows


def _numbers(title: str, rows: Sequence[Cells]) -> bool:
    texts = [row.get(title, "") for row in rows]
    return any(texts) and all(_NUMBER.fullmatch(text) for text in texts if text)


def _are_splits(title: str, rows: Sequence[Cells]) -> bool:
    texts = {row.get(title, "").lower() for row in rows}
    return bool(texts) and texts <= SPLIT_NAMES.keys()


def _listed(titles: Sequence[str]) -> str:
    return ", ".join(f"“{title}”" for title in titles[:8]) + (" …" if len(titles) > 8 else "")
