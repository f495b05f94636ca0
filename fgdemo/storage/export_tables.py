"""Pictures in folders, and the table `pictures.csv` that says what they are."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import IO, Any

from fgdemo.storage.exchanged import PICTURES_TABLE
from fgdemo.storage.exported import Piece
from fgdemo.storage.left_out import harmless
from fgdemo.storage.outputs import Output
from fgdemo.storage.safe_names import UniqueNames, safe_name

COLUMNS = (
    "path", "label", "split", "answer", "checked", "annotator", "labelled_at", "comment", "taxon", "name", "image",
    "twin_of", "width_px", "height_px",
)  # fmt: skip


def write_pictures(output: Output, pieces: Iterable[Piece], by_class: bool) -> None:
    """The pictures and their table; `by_class`: in class folders below train, val and test, see `export`.

    A folder is called by the taxon's id, which `fit` and `import` know again.
    """
    names, folders = UniqueNames(), _Folders()
    with output.writing(PICTURES_TABLE) as path, path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for piece in pieces:
            name = names.take(folders.of(piece) if by_class else "pictures/", piece.stem, piece.ending)
            writer.writerow(_row(piece, name))
            output.add(name, piece.content)


def write_table_alone(file: IO[bytes], pieces: Iterable[Piece]) -> None:
    """The table without pictures; `path` is the name that each came with."""
    text = io.TextIOWrapper(file, encoding="utf-8", newline="")
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for piece in pieces:
        writer.writerow(_row(piece, piece.held.name))
    text.flush()
    text.detach()


def _row(piece: Piece, path: str) -> list[Any]:
    held = piece.held
    cells = (
        path, piece.label, piece.split, piece.answer, str(piece.checked).lower(), piece.annotator, piece.said_at,
        piece.comment, piece.taxon.id if piece.taxon else "", held.name, held.image, held.twin_of or "",
    )  # fmt: skip
    return [*map(harmless, cells), held.width_px, held.height_px]


class _Folders:
    """A folder for each taxon, unlike any other."""

    def __init__(self) -> None:
        self._names, self._folders = UniqueNames(), {}

    def of(self, piece: Piece) -> str:
        if piece.taxon is None:
            return f"{piece.answer}/{piece.split}/"
        if piece.taxon.id not in self._folders:
            self._folders[piece.taxon.id] = self._names.take("", safe_name(piece.taxon.id))
        below = f"{piece.split}/{self._folders[piece.taxon.id]}/"
        return f"group/{below}" if piece.answer == "group" else below
