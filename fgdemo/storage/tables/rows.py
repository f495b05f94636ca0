"""Tables of pictures: those that people make, and those that an export writes."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fgdemo.storage.disk.left_out import harmful_again
from fgdemo.storage.tables.columns import Columns, choose_columns
from fgdemo.storage.tables.places import OUTSIDE, Places
from fgdemo.storage.tables.sheets import Sheet, read_sheet
from fgdemo.storage.trees.tree import FolderTree, Tree
from fgdemo.values.annotation import Kind
from fgdemo.values.errors import DatasetError
from fgdemo.values.labelled import (
    PICTURE_ENDINGS,
    SPLIT_NAMES,
    LabelledPicture,
    SourceContent,
    SourceEvent,
    SourceSplit,
    ending_of,
    instant,
    plain_text,
)
from fgdemo.values.limits import LONGEST_ANNOTATOR, LONGEST_COMMENT
from fgdemo.values.taxonomy import Taxon

NO_LABEL = {"unusable": "unusable", "none": "none", "unlabelled": "import"}
"""Answers that an export writes where there is no kind, and the events they become."""


@dataclass(frozen=True)
class Row:
    """What one line of a table says about one picture. `split` is None where it does not say."""

    where: str
    path: str
    label: str
    split: SourceSplit | None = None
    annotator: str = ""
    answer: str = ""
    checked: bool = False
    comment: str = ""
    at: str | None = None
    taxon: str = ""


def read_table(path: Path, partly_labelled: bool = False) -> SourceContent:
    """A table (CSV with comma, semicolon, tab or bar; lines of JSON) with the columns path, label and, if there are
    splits, split.

    It may also have annotator, and what an export writes: answer, checked, comment, labelled_at. Several rows about one
    picture by several annotators are their opinions: the first counts, the others are second opinions.

    Args:
        partly_labelled: also take the pictures that are listed without a kind, or with a group only.

    Raises:
        DatasetError: not UTF-8 text, a column missing, an unknown split, or no path within the table's folder.
    """
    if not path.exists():
        raise DatasetError(f"There is no table “{path}”.")
    return read_table_in(FolderTree(path.parent), path.name, partly_labelled)


def read_table_in(tree: Tree, name: str, partly_labelled: bool = True) -> SourceContent:
    """The same for a table in a tree; its paths begin at its folder, or at the top of the tree."""
    sheet = read_sheet(tree, name)
    columns = choose_columns(sheet)
    if not columns.label:
        there = ", ".join(filter(None, sheet.titles)) or "none"
        raise DatasetError(f"The table “{name}” needs a header line with the columns path and label; it has {there}.")
    found = SourceContent()
    pictures = Located(tree, Places(tree), found)
    rows = list(read_rows(sheet, columns, found))
    bare = are_bare(rows)
    for row in rows:
        pictures.add(row, name.rpartition("/")[0], bare)
    if not pictures.rows and pictures.outside:
        first = pictures.outside[0]
        raise DatasetError(
            f"“{first.path}” in {first.where} lies outside the folder of the table; put the pictures beside it."
        )
    for file, rows in pictures.rows.items():
        add_picture(tree, file, rows, found, partly_labelled)
    return found


def are_bare(rows: Iterable[Row]) -> bool:
    """Whether the rows of a table name pictures without their folders."""
    return not any("/" in row.path or "\\" in row.path for row in rows)


class Located:
    """Rows by the file that they are about. Those that lead to no file are named in `found`."""

    def __init__(self, tree: Tree, places: Places, found: SourceContent) -> None:
        self.rows: dict[str, list[Row]] = {}
        self.outside: list[Row] = []
        self._tree, self._places, self._found = tree, places, found

    def add(self, row: Row, folder: str, bare: bool) -> None:
        """A row of a table in this folder; `bare` as of `Places.find`."""
        file, why = self._places.find(row.path, folder, bare)
        if file is None:
            self.outside += [row] if why == OUTSIDE else []
            self._found.skip(row.path, f"{why} ({row.where})")
        elif ending_of(file) not in PICTURE_ENDINGS:
            self._found.skip(row.path, "is not a picture by its ending")
        elif self._tree.size(file) == 0:
            self._found.skip(row.path, "is an empty file")
        else:
            self.rows.setdefault(file, []).append(row)


def add_picture(
    tree: Tree,
    file: str,
    rows: list[Row],
    found: SourceContent,
    partly_labelled: bool,
    taxa: Mapping[str, Taxon] | None = None,
) -> None:
    """A file with all that tables say of it; without `partly_labelled` rows without a kind are named and left out.

    Args:
        taxa: of another workspace, by their ids, where the table comes from an export of it.
    """
    if not partly_labelled:
        for row in rows:
            if row.answer in (*NO_LABEL, "group"):
                found.skip(row.path, f"has no kind ({row.answer})")
            elif not row.label:
                found.skip(row.where, "has no path or no label")
        rows = [row for row in rows if row.label and row.answer not in (*NO_LABEL, "group")]
    if not rows:
        return
    first, size = rows[0], tree.size(file)
    for row in rows[1:]:
        if row.annotator and row.split not in (None, first.split):
            found.skip(
                row.where,
                f"puts {row.path} into {row.split}, and {first.where} into {first.split or 'train'}: that counts",
            )
    if len(rows) > 1 and not all(row.annotator for row in rows):
        for row in rows:  # a table without annotators that names a picture twice: whoever reads on sees both
            found.pictures.append(LabelledPicture(file, row.label, row.split or "train", tree.loader(file), size))
        return
    said = tuple(
        said_by(row.answer, row.label, row.annotator, row.checked or len(rows) > 1, row.comment, row.at, at > 0)
        for at, row in enumerate(rows)
    )
    known = [taxa.get(row.taxon) if taxa and one.label else None for row, one in zip(rows, said, strict=True)]
    said = tuple(replace(one, label=taxon) if taxon else one for one, taxon in zip(said, known, strict=True))
    plain = LabelledPicture(file, "" if known[0] else first.label, first.split or "train", tree.loader(file), size)
    found.pictures.append(plain if said == plain.history else replace(plain, said=said))


def read_rows(sheet: Sheet, columns: Columns, found: SourceContent) -> Iterator[Row]:
    """The rows of a table; those that say nothing usable are named, and so are columns that are not read."""
    for sentence in columns.notes:
        found.note(sentence)
    ours, of_json = "answer" in sheet.titles, sheet.name.lower().endswith((".jsonl", ".ndjson", ".parquet"))
    names = frozenset(cells.get(columns.label, "") for _, cells in sheet.rows(lambda where, reason: None))
    for where, cells in sheet.rows(found.skip):
        told = {title: harmful_again(text) if ours else text for title, text in cells.items() if title}
        path, label, answer = told.get(columns.path, ""), told.get(columns.label, ""), told.get("answer", "")
        if len(told.get("comment", "")) > LONGEST_COMMENT or len(told.get(columns.annotator, "")) > LONGEST_ANNOTATOR:
            found.skip(
                where,
                f"has a comment of more than {LONGEST_COMMENT} characters, or an annotator of more than "
                f"{LONGEST_ANNOTATOR}: the end was left out",
            )
        if not path:
            found.skip(where, "has no path or no label")
        elif "\n" in path or "\n" in label:
            found.skip(where, "has a path or a label of several lines: look whether a quote before it is not closed")
        elif (why := _no_single_label(label, of_json, names)) is not None:
            found.skip(where, f"has {why} ({label[:80]})")
        else:
            yield Row(
                where,
                path,
                "" if answer in NO_LABEL else label,
                _split(told.get(columns.split), where),
                told.get(columns.annotator, ""),
                answer,
                told.get("checked", "").lower() in ("true", "yes", "1"),
                told.get("comment", ""),
                instant(told.get("labelled_at")),
                told.get("taxon", ""),
            )


def _no_single_label(label: str, of_json: bool, names: Collection[str]) -> str | None:
    """What a cell has instead of one label, among all `names` of the column; None where it has one."""
    if label.startswith("{") and (of_json or label.endswith("}")):
        return "an object for a label"
    if label.startswith("[") and (of_json or label.endswith("]")):
        return "several labels" if of_json else "a list for a label"
    parts = next((label.split(sign) for sign in "|;" if sign in label), list[str]())
    return "several labels" if len(parts) > 1 and all(part.strip() in names for part in parts) else None


def _split(text: str | None, where: str) -> SourceSplit | None:
    if not text:
        return None
    split = SPLIT_NAMES.get({"gold": "test"}.get(text.lower(), text.lower()))
    if split is None:
        raise DatasetError(f"The split “{text}” in {where} must be train, val or test.")
    return split


ANSWER_COLUMNS = ("answer", "split", "kind", "annotator", "checked", "comment", "labelled_at")
"""What `answered` reads."""


def answered(row: Mapping[str, Any], name: str, load: Callable[[], bytes]) -> LabelledPicture:
    """A row of a data set that an export of ours wrote, as columns of text, and its picture."""
    told = {key: str(value) if value is not None else "" for key, value in row.items()}
    answer, kind, annotator, comment = (told.get(key, "") for key in ("answer", "kind", "annotator", "comment"))
    at = instant(told.get("labelled_at"))
    said = said_by(answer, kind, annotator, told.get("checked") == "True", comment, at)
    split = SPLIT_NAMES.get(told.get("split", "train"), "train")
    return LabelledPicture(name, said.label if isinstance(said.label, str) else "", split, load, None, (said,))


def said_by(
    answer: str, label: str, annotator: str, checked: bool, comment: str, at: str | None, later: bool = False
) -> SourceEvent:
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
    return SourceEvent(
        kind,
        named or None,
        plain_text(annotator)[:LONGEST_ANNOTATOR] or "import",
        at,
        plain_text(comment, "\n\t")[:LONGEST_COMMENT] or None,
        blind=second,
        reason="second" if second else None,
    )
