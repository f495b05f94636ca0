"""Points come from tables and go into them: nothing twice, nothing half, nothing without a word."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from fgdemo.commands import points
from fgdemo.services.exchange.point_tables import export_points, import_points
from fgdemo.storage.history.points import PointLog
from fgdemo.values.errors import DatasetError
from fgdemo.values.points import PlacedPoint
from tests.support.browser_app import settings_in
from tests.support.workspace import ADA, FakeWorkspace, coloured, open_fake_workspace


@pytest.fixture
def workspace(tmp_path: Path) -> FakeWorkspace:
    """Three pictures of 160 × 120, the last of which is gold."""
    made = open_fake_workspace(tmp_path)
    pictures = [coloured("eskimo_dog", n) for n in range(2)] + [coloured("lowchen", 7, split="test")]
    made.take_in(pictures)
    made.roster.follow()
    return made


def dogs(workspace: FakeWorkspace) -> list[str]:
    """The two that are no gold, in the order of their names."""
    names = workspace.roster.names(list(workspace.roster.image_ids))
    return sorted((image for image, name in names.items() if "eskimo" in name), key=lambda image: names[image])


def table(folder: Path, *lines: str) -> Path:
    path = folder / "points.csv"
    path.write_text("\n".join(["path,part,x,y", *lines]) + "\n", encoding="utf-8")
    return path


def test_points_come_in_once_by_name_id_or_file(workspace: FakeWorkspace, tmp_path: Path) -> None:
    first, second = dogs(workspace)
    (tmp_path / "elsewhere.png").write_bytes(workspace.images.read(second))
    path = table(
        tmp_path,
        "eskimo_dog-0.png,ear,40,30",
        f"{first},tail,,",
        "elsewhere.png,ear,80,60",
        "elsewhere.png,ear,8,6",
        "lowchen-7.png,ear,1,1",
    )
    report = import_points(workspace.engine, path, ADA)
    assert (report.points, [where for where, _ in report.skipped]) == (3, ["lowchen-7.png"])
    assert report.notes == ("1 point of parts that have one on the same picture: the first counts.",)
    log = PointLog(workspace.engine)
    assert log.all() == {
        first: {"ear": PlacedPoint("ear", 0.25, 0.25)},
        second: {"ear": PlacedPoint("ear", 0.5, 0.5)},
    }
    newest = log.newest()
    assert import_points(workspace.engine, path, ADA).points == 0
    assert log.newest() == newest


def test_what_was_written_reads_the_same_in_another_workspace(workspace: FakeWorkspace, tmp_path: Path) -> None:
    first, second = dogs(workspace)
    log = PointLog(workspace.engine)
    log.place(first, [PlacedPoint("=ear", 1 / 3, 0.7), PlacedPoint("tail", 0, 1)], "ada", "one")
    log.place(second, [PlacedPoint("tail", 0.123456, 0.5)], "bo", "two")
    out = tmp_path / "out.csv"
    assert export_points(workspace.engine, out).points == 3
    assert import_points(workspace.engine, out, ADA).points == 0
    with out.open(encoding="utf-8", newline="") as file:
        assert {row["path"] for row in csv.DictReader(file)} == {"eskimo_dog-0.png", "eskimo_dog-1.png"}
    (tmp_path / "other").mkdir()
    other = open_fake_workspace(tmp_path / "other")
    other.take_in([coloured("eskimo_dog", n) for n in range(2)])
    assert import_points(other.engine, out, ADA).points == 3
    for image, points_on_it in log.all().items():
        for part, point in PointLog(other.engine).all()[image].items():
            assert (point.x, point.y) == pytest.approx((points_on_it[part].x, points_on_it[part].y), abs=1e-3)


def test_a_picture_that_is_not_there_keeps_everything_out(workspace: FakeWorkspace, tmp_path: Path) -> None:
    path = table(tmp_path, "eskimo_dog-0.png,ear,40,30", "unknown.png,ear,1,1")
    with pytest.raises(DatasetError, match=r"“unknown\.png” is no picture of the workspace"):
        import_points(workspace.engine, path, ADA)
    with pytest.raises(DatasetError, match=r"outside the picture.*160 × 120 px"):
        import_points(workspace.engine, table(tmp_path, "eskimo_dog-0.png,ear,161,30"), ADA)
    assert PointLog(workspace.engine).all() == {}


def test_the_command_says_what_it_did(workspace: FakeWorkspace, tmp_path: Path) -> None:
    said: list[str] = []
    settings = settings_in(tmp_path)
    path = table(tmp_path, "eskimo_dog-0.png,ear,40,30")
    assert points("import", path, annotator="cy", settings=settings, say=said.append)["points"] == 1
    assert points("export", tmp_path / "out.csv", settings=settings, say=said.append)["points"] == 1
    assert said == ["1 point came in, on 1 picture.", f"Written: {tmp_path / 'out.csv'}, 1 point on 1 picture."]
    (image,) = PointLog(workspace.engine).all()
    assert workspace.events.history(image)[-1].annotator == "cy"


def test_a_table_counts_again_after_somebody_has_moved_a_point(workspace: FakeWorkspace, tmp_path: Path) -> None:
    (first, _), log = dogs(workspace), PointLog(workspace.engine)
    path = table(tmp_path, "eskimo_dog-0.png,ear,40,30", "eskimo_dog-0.png,tail,,")
    import_points(workspace.engine, path, ADA)
    log.place(first, [PlacedPoint("ear", 0.9, 0.9), PlacedPoint("tail", 0.5, 0.5)], "bo", "moved")
    assert import_points(workspace.engine, path, ADA).points == 2
    assert log.said(first) == {"ear": PlacedPoint("ear", 0.25, 0.25), "tail": PlacedPoint("tail", None, None)}
    export_points(workspace.engine, tmp_path / "out.csv")
    assert "eskimo_dog-0.png,tail,," in (tmp_path / "out.csv").read_text()


def test_too_many_parts_on_the_last_picture_keep_all_out(workspace: FakeWorkspace, tmp_path: Path) -> None:
    many = [f"eskimo_dog-1.png,part {number},1,1" for number in range(49)]
    with pytest.raises(DatasetError, match="at most 48"):
        import_points(workspace.engine, table(tmp_path, "eskimo_dog-0.png,ear,40,30", *many), ADA)
    assert PointLog(workspace.engine).all() == {}
