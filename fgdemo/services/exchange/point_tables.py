"""Points of experts into the workspace from a table, and out of it. The pictures must be there before."""

from __future__ import annotations

import io
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from fgdemo.storage.database.database import reading
from fgdemo.storage.database.schema import image_table
from fgdemo.storage.disk.outputs import whole_file
from fgdemo.storage.formats.point_tables import SizePx, read_points, write_points
from fgdemo.storage.history.points import MOST_AT_ONCE, PointLog
from fgdemo.storage.pictures.originals import image_id_of
from fgdemo.storage.trees.tree import FolderTree
from fgdemo.values.annotation import Person
from fgdemo.values.counting import counted
from fgdemo.values.errors import DatasetError
from fgdemo.values.points import PlacedPoint

SAME_PX = 0.06
"""A table has tenths of a pixel."""


@dataclass(frozen=True)
class PointReport:
    """What came in, or went out.

    Attributes:
        skipped: (path, reason) of the pictures whose points were left out.
        notes: sentences on what was read otherwise than it stands there.
    """

    pictures: int
    points: int
    skipped: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Known:
    image: str
    size_px: SizePx
    is_gold: bool


def import_points(engine: Engine, table: Path, person: Person) -> PointReport:
    """Keep the points of a table `path, part, x, y` (pixels), said by `person`. The same table again adds nothing.

    A path is that of a file beside the table, or the name or the id of a picture of the workspace. Points on gold
    pictures are left out; of a part that stands twice for one picture the first counts.

    Raises:
        DatasetError: the table cannot be read, or a picture is not in the workspace: then nothing was kept.
        StorageError: nothing can be written.
    """
    find = _finder(engine, table.parent)
    found = read_points(FolderTree(table.parent), table.name, lambda path: find(path).size_px)
    log, skipped, twice = PointLog(engine), list[tuple[str, str]](), 0
    by_picture: dict[str, tuple[_Known, dict[str, PlacedPoint]]] = {}
    for path, all_points in found.items():
        known = find(path)
        if known.is_gold:
            skipped.append((path, "gold pictures measure every model and teach no parts"))
            continue
        _, once = by_picture.setdefault(known.image, (known, {}))
        for point in all_points:
            twice += point.part in once
            once.setdefault(point.part, point)
        if len(once) > MOST_AT_ONCE:
            raise DatasetError(f"“{path}” has points of {len(once)} parts; a picture has at most {MOST_AT_ONCE}.")
    points = 0
    for image, (known, once) in by_picture.items():
        here = log.said(image)
        fresh = [one for one in once.values() if not _is_same(here.get(one.part), one, known.size_px)]
        if fresh:
            log.place(image, fresh, person.name, uuid.uuid4().hex)
        points += len(fresh)
    first = f"{counted(twice, 'point')} of parts that have one on the same picture: the first counts."
    return PointReport(len(by_picture), points, tuple(skipped), (first,) if twice else ())


def export_points(engine: Engine, table: Path) -> PointReport:
    """Write the points that count now, as `import_points` reads them. A picture is named as it came, or where that
    name is not its alone, by its id. Raises StorageError."""
    placed = PointLog(engine).all_said()
    with reading(engine) as connection:
        rows = {row.id: row for row in connection.execute(sa.select(image_table)) if row.id in placed}
    often = Counter(row.name for row in rows.values())
    with whole_file(table) as raw, io.TextIOWrapper(raw, "utf-8", newline="") as file:
        listed = [
            (row.name if often[row.name] == 1 else image, (row.width_px, row.height_px), tuple(placed[image].values()))
            for image, row in rows.items()
        ]
        write_points(file, listed)
    return PointReport(len(placed), sum(map(len, placed.values())))


def _finder(engine: Engine, folder: Path) -> Callable[[str], _Known]:
    with reading(engine) as connection:
        rows = connection.execute(sa.select(image_table)).all()
    by_id = {row.id: _Known(row.id, (row.width_px, row.height_px), row.split == "gold") for row in rows}
    often = Counter(row.name for row in rows)
    by_name = {row.name: by_id[row.id] for row in rows if often[row.name] == 1}

    tree = FolderTree(folder)

    @cache
    def find(path: str) -> _Known:
        if tree.size(path) is not None:
            try:
                known = by_id.get(image_id_of((folder / path).read_bytes()))
            except OSError as error:
                raise DatasetError(f"“{path[:80]}” cannot be read ({error.strerror}). No point was kept.") from error
        else:
            known = by_id.get(path) or by_name.get(path)
        if known is None:
            raise DatasetError(f"“{path[:80]}” is no picture of the workspace: import it first. No point was kept.")
        return known

    return find


def _is_same(here: PlacedPoint | None, there: PlacedPoint, size_px: SizePx) -> bool:
    """To the digits that a table has. That a part is not seen is one more thing that can be said."""
    if here is None or here.is_seen != there.is_seen:
        return False
    pairs = ((here.x, there.x), (here.y, there.y))
    return all(abs((a or 0) - (b or 0)) * side <= SAME_PX for (a, b), side in zip(pairs, size_px, strict=True))
