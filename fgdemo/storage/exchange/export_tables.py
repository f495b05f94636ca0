"""Pictures in folders, and the table `pictures.csv` that says what they are."""

import csv
import io
from collections.abc import Iterable
from typing import IO, Any

from fgdemo.storage.disk.left_out import harmless
from fgdemo.storage.disk.outputs import Output
from fgdemo.storage.disk.safe_names import UniqueNames, safe_name
from fgdemo.storage.formats.layouts import PICTURES_TABLE
from fgdemo.storage.formats.unread import TAXONOMY_TABLE
from fgdemo.storage.records.exported import Piece, Pieces
from fgdemo.storage.records.inventory import Inventory

COLUMNS = tuple(
    "path label split answer checked annotator labelled_at comment taxon name image twin_of width_px height_px".split()
)
OTHER_FOLDER = "__other"
"""`datasets` passes over folders that begin so, and what is no split is no class folder for torchvision either."""


def write_pictures(output: Output, pieces: Pieces, counted: Iterable[Piece], by_class: bool) -> None:
    """The pictures, their table and the taxa; `by_class`: in class folders below train, val and test, see `export`.

    A folder is called by the kind's name, as far as a file system takes it; the table has the name itself.

    Args:
        counted: the pieces to be written.
    """
    names, folders = UniqueNames(), _Folders()
    with output.writing(TAXONOMY_TABLE) as path, path.open("w", encoding="utf-8", newline="") as file:
        write_taxa(file, pieces.inventory)
    with output.writing(PICTURES_TABLE) as path, path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for piece in counted:
            name = names.take(folders.of(piece) if by_class else "pictures/", piece.stem, piece.ending)
            writer.writerow(_row(piece, name))
            output.add(name, piece.content)


def write_taxa(file: IO[str], inventory: Inventory) -> None:
    """The taxa of a workspace as `Taxonomy.read_csv` reads them, and which of them are retired."""
    writer = csv.writer(file)
    writer.writerow(("id", "name", "parent", "latin", "aliases", "retired"))
    for taxon in inventory.taxa:
        retired = str(taxon.id in inventory.retired).lower()
        aliases = "|".join(alias for alias in taxon.aliases if "|" not in alias)
        cells = (taxon.id, taxon.name, taxon.parent or "", taxon.latin or "", aliases)
        writer.writerow([*map(harmless, cells), retired])


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
        path,
        piece.label,
        piece.split,
        piece.answer,
        str(piece.checked).lower(),
        piece.annotator,
        piece.said_at,
        piece.comment,
        piece.taxon.id if piece.taxon else "",
        held.name,
        held.image,
        held.twin_of or "",
    )
    return [*map(harmless, cells), held.width_px, held.height_px]


class _Folders:
    """A folder for each kind, unlike any other; everything else lies where trainers do not look."""

    def __init__(self) -> None:
        self._names = UniqueNames()
        self._folders: dict[str, str] = {}

    def of(self, piece: Piece) -> str:
        if piece.taxon is None:
            return f"{OTHER_FOLDER}/{piece.answer}/{piece.split}/"
        if piece.taxon.id not in self._folders:
            self._folders[piece.taxon.id] = self._names.take("", safe_name(piece.label, "kind"))
        below = f"{piece.split}/{self._folders[piece.taxon.id]}/"
        return f"{OTHER_FOLDER}/group/{below}" if piece.answer == "group" else below
