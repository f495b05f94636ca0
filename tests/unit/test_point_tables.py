"""Points as a table: what goes in comes out, and every bad line is named."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from fgdemo.storage.formats.point_tables import read_points, write_points
from fgdemo.storage.trees.tree import FolderTree
from fgdemo.values.errors import DatasetError
from fgdemo.values.points import PlacedPoint


def read(folder: Path, text: str, **more: dict[str, str]) -> dict[str, tuple[PlacedPoint, ...]]:
    (folder / "points.csv").write_text(text, encoding="utf-8")
    return read_points(FolderTree(folder), "points.csv", lambda _path: (200, 100), **more)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    points = {
        "birds/a.jpg": (
            PlacedPoint("wing", 0.25, 0.5),
            PlacedPoint("wing", 0.75, 0.5),
            PlacedPoint("tail", None, None),
        ),
        "birds/=b.jpg": (PlacedPoint("crown, the", 0, 1),),
    }
    file = io.StringIO()
    write_points(file, ((path, (200, 100), some) for path, some in points.items()))
    assert read(tmp_path, file.getvalue()) == points


def test_names_may_be_others(tmp_path: Path) -> None:
    text = "path,part,x,y\na.jpg,left eye,20,10\na.jpg,beak,40,20\n"
    found = read(tmp_path, text, called={"left eye": "face"})
    assert found == {"a.jpg": (PlacedPoint("face", 0.1, 0.1), PlacedPoint("beak", 0.2, 0.2))}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("path,part,x\na.jpg,crown,3\n", "has no column “y”"),
        ("path,part,x,y\na.jpg,crown,3,4\na.jpg,crown,left,4\n", "Line 3 of “points.csv” has “left” as x"),
        ("path,part,x,y\na.jpg,crown,201,4\n", r"Line 2 .* lies outside the picture.*200 × 100 px"),
        ("path,part,x,y\na.jpg,crown,nan,4\n", "Line 2 .* lies outside the picture"),
        ("path,part,x,y\na.jpg,,3,4\n", "Line 2 .*A part has a name"),
        ("path,part,x,y\na.jpg,crown,3,\n", "Line 2 .*needs both x and y"),
        ("path,part,x,y\na.jpg,crown,3,4,5\n", "Line 2 .* has 5 cells"),
    ],
)
def test_a_bad_line_is_named_and_nothing_is_taken(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(DatasetError, match=told):
        read(tmp_path, text)
