"""Points on pictures as a table `path, part, x, y`: pixels of the upright picture from its upper left corner.

A part may stand more than once for one picture (two wings); without x and y it is said not to be seen.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import IO, NoReturn

from fgdemo.storage.disk.left_out import harmful_again, harmless
from fgdemo.storage.tables.sheets import read_sheet
from fgdemo.storage.trees.tree import Tree
from fgdemo.values.errors import DatasetError, PictureError
from fgdemo.values.points import PlacedPoint

COLUMNS = ("path", "part", "x", "y")
SizePx = tuple[int, int]
"""(width, height)"""


def read_points(
    tree: Tree, name: str, size_of: Callable[[str], SizePx], called: Mapping[str, str] | None = None
) -> dict[str, tuple[PlacedPoint, ...]]:
    """The points of each picture of the table `name`, in the order of its lines. Nothing is passed over.

    Args:
        size_of: of the picture at a path of the table.
        called: other names of parts ("left eye" → "face").

    Raises:
        DatasetError: a column is missing, or a line has no number, no name or lies outside its picture; it is named.
        PictureError: what `size_of` raises.
    """

    def fault(where: str, reason: str) -> NoReturn:
        raise DatasetError(f"{where[:1].upper()}{where[1:]} {reason}.")

    sheet = read_sheet(tree, name)
    missing = [title for title in COLUMNS if title not in sheet.titles]
    if missing:
        raise DatasetError(
            f"“{name}” has no column “{missing[0]}”: a table of points has the columns {', '.join(COLUMNS)}."
        )
    found: dict[str, list[PlacedPoint]] = {}
    sizes: dict[str, SizePx] = {}
    for where, cells in sheet.rows(fault):
        path, told = harmful_again(cells["path"]), harmful_again(cells["part"])
        if path not in sizes:
            sizes[path] = size_of(path)
        x, y = (
            _share(cells[side], length, side, where, fault)
            for side, length in zip(("x", "y"), sizes[path], strict=True)
        )
        try:
            found.setdefault(path, []).append(PlacedPoint((called or {}).get(told, told), x, y))
        except PictureError as error:
            size = "{} × {} px".format(*sizes[path])
            fault(where, f"cannot be used ({str(error).rstrip('.')}; the picture has {size})")
    return {path: tuple(points) for path, points in found.items()}


def _share(cell: str, length: int, side: str, where: str, fault: Callable[[str, str], NoReturn]) -> float | None:
    if not cell:
        return None
    try:
        return float(cell) / length
    except ValueError:
        fault(where, f"has “{cell}” as {side}, which is no number")


def write_points(file: IO[str], pictures: Iterable[tuple[str, SizePx, Sequence[PlacedPoint]]]) -> None:
    """As `read_points` reads them, to a tenth of a pixel."""
    writer = csv.writer(file)
    writer.writerow(COLUMNS)
    for path, (width, height), points in pictures:
        for point in points:
            x, y = (
                "" if side is None else f"{side * length:.1f}" for side, length in ((point.x, width), (point.y, height))
            )
            writer.writerow((harmless(path), harmless(point.part), x, y))
