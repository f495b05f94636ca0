"""An imagefolder export as `datasets` and torchvision read it, and as it comes back: kinds and nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from fgdemo.storage.records.inventory import Inventory
from fgdemo.values.labelled import LabelledPicture
from tests.support.exchanging import MAINTAINER, exchange_of, say
from tests.support.workspace import FakeWorkspace, coloured, open_fake_workspace

NAMES = (
    "A/B",
    "A\\B",
    "A:B",
    "CON",
    "ends with dots...",
    "Mallard ♂",
    "Mallard ♀",
    "دوري منزلي",
    "x" * 119,
    "=1+1",
    "McKay's",
)


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[FakeWorkspace]:
    opened = open_fake_workspace(tmp_path / "home")
    pictures: list[LabelledPicture] = []
    for at, name in enumerate(NAMES):
        pictures += [coloured("lowchen", 10 * at, name), coloured("lowchen", 10 * at + 1, name, "test")]
    pictures.append(coloured("lowchen", 800, NAMES[0], "val"))  # or a share of train would become val there
    opened.take_in([*pictures, *(coloured("eskimo_dog", 900 + n, "") for n in range(4))])
    rest = [held.image for held in Inventory(opened.engine) if held.name.startswith("eskimo")]
    for count, (image, action) in enumerate(zip(rest, ("unusable", "none", "group"), strict=False)):
        say(opened, image, action, "ada", "", None, count)  # type: ignore[arg-type]
    opened.roster.follow()
    yield opened
    opened.engine.dispose()


def _told(workspace: FakeWorkspace) -> Counter:
    inventory = Inventory(workspace.engine)
    found: Counter = Counter()
    for held in inventory:
        answer, taxon = inventory.answer(held)
        found[answer, taxon.name if taxon else "", taxon.parent if taxon else None, held.split] += 1
    return found


def test_others_see_the_kinds_and_nothing_else(workspace: FakeWorkspace, tmp_path: Path) -> None:
    import datasets
    from torchvision.datasets import ImageFolder

    exchange_of(workspace, tmp_path / "home").export_to(MAINTAINER, tmp_path / "out", "imagefolder")
    for split in ("train", "test"):
        folder = ImageFolder(tmp_path / "out" / split)
        assert len(folder.classes) == len(folder.samples) == len(NAMES)
        assert {"Mallard ♂", "Mallard ♀", "McKay's", "دوري منزلي"} <= set(folder.classes)
    cache = str(tmp_path / "cache")
    found = datasets.load_dataset("imagefolder", data_dir=str(tmp_path / "out"), cache_dir=cache)
    assert sum(len(found[split]) for split in found) == 2 * len(NAMES) + 1  # type: ignore[index,arg-type]
    for split in found:
        assert len(found[split].features["label"].names) == len(NAMES)  # type: ignore[index,union-attr]


@pytest.mark.parametrize("name", ["out", "out.zip"])
def test_an_imagefolder_brings_everything_back(workspace: FakeWorkspace, tmp_path: Path, name: str) -> None:
    exchange_of(workspace, tmp_path / "home").export_to(MAINTAINER, tmp_path / name, "imagefolder")
    other = open_fake_workspace(tmp_path / "other")
    report = exchange_of(other, tmp_path / "other").import_from(MAINTAINER, [tmp_path / name])
    assert report.skipped == ()
    assert _told(other) == _told(workspace)
    other.engine.dispose()
