"""Pictures into a workspace: once each, held-out first, twins together, nothing left out silently."""

from __future__ import annotations

import io
import zipfile
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from fgdemo.storage.exchange.intake import Intake
from fgdemo.storage.exchange.splits import in_import_order
from fgdemo.storage.formats.layouts import read_tree
from fgdemo.storage.formats.sources import read_for_import
from fgdemo.storage.pictures.originals import image_id_of
from fgdemo.storage.pictures.twins import TwinFinder, dhash
from fgdemo.storage.trees.zips import open_zip
from fgdemo.values.errors import DatasetError
from fgdemo.values.labelled import LabelledPicture
from tests.support.workspace import coloured, open_fake_workspace, some_pictures


@pytest.fixture
def workspace(tmp_path, database_url):
    opened = open_fake_workspace(tmp_path / "home", database_url)
    yield opened
    opened.engine.dispose()


def test_the_same_again_adds_nothing_twice(workspace):
    first = workspace.take_in(some_pictures(4, 1))
    again = workspace.take_in(some_pictures(4, 1), "2")
    assert (first.added, first.known, again.added, again.known) == (13, 0, 0, 13)
    assert len(workspace.roster) == len(workspace.embeddings.rows) == 13


def test_an_interrupted_import_goes_on(workspace):
    calls = []

    def look(pictures):
        calls.append(len(pictures))
        if len(calls) > 1:
            raise KeyboardInterrupt
        return workspace.look(pictures)

    intake = Intake(workspace.engine, workspace.images, workspace.roster, workspace.embeddings, look)
    with pytest.raises(KeyboardInterrupt):
        intake.take_in(some_pictures(12, 0), "1", has_splits=True)
    report = workspace.take_in(some_pictures(12, 0))
    assert (report.added, report.known) == (4, 32)
    assert len(workspace.embeddings.rows) == len(workspace.roster) == 36


def test_bad_files_are_named_and_new_kinds_are_made(workspace):
    empty = LabelledPicture("broken.png", "lowchen", "train", lambda: b"nonsense")
    report = workspace.take_in([coloured("lowchen", 1, "Sleepy_Sheltie"), empty])
    assert report.new_kinds == ["Sleepy Sheltie"]
    assert [name for name, _ in report.skipped] == ["broken.png"]
    assert workspace.roster.standing(workspace.roster.image_ids[0]).taxon == "sleepy_sheltie"


def test_another_label_from_its_source_is_noted_until_a_person_has_spoken(workspace):
    workspace.take_in([coloured("lowchen", 1)])
    workspace.take_in([coloured("lowchen", 1, "eskimo_dog")])
    (image,) = workspace.roster.image_ids
    assert workspace.roster.standing(image).taxon == "eskimo_dog"
    assert [said.taxon for said in workspace.events.history(image)] == ["lowchen", "eskimo_dog"]


def test_unlabelled_pictures_have_an_event_too(workspace):
    workspace.take_in([coloured("lowchen", 1, "")])
    assert workspace.roster.taxon.tolist() == [-1]


def test_splits_are_drawn_where_the_source_has_none_and_by_class(workspace):
    report = workspace.take_in(some_pictures(40, 0), has_splits=False)
    assert report.splits == {"train": 96, "val": 12, "gold": 12}


def test_pictures_without_a_label_are_drawn_too_or_who_labels_them_could_never_train(workspace):
    report = workspace.take_in([coloured("lowchen", n, "") for n in range(60)], has_splits=False)
    assert report.splits == {"train": 48, "val": 6, "gold": 6}


@pytest.mark.parametrize("burst", [1, 5, 10])
def test_of_bursts_of_near_duplicates_a_tenth_is_held_out_too(workspace, burst):
    def frame(series: int, number: int) -> LabelledPicture:
        file = io.BytesIO()
        photo_like(series).resize((200 - number, 200 - number)).save(file, "JPEG", quality=90)
        return LabelledPicture(f"{series:03d}-{number}.jpg", "", "train", file.getvalue)

    frames = [frame(series, number) for series in range(200 // burst) for number in range(burst)]
    report = workspace.take_in(frames, has_splits=False)
    assert report.twins >= 0.95 * (200 - 200 // burst)
    assert report.splits["train"] >= 110
    assert min(report.splits["val"], report.splits["gold"]) >= 1


def test_small_classes_are_drawn_together_and_the_smallest_only_train():
    """As of an ornithologist with 400 pictures: no kind has ten of them, and there must be held-out ones."""
    sizes = {f"kind {n:02d}": 3 + n % 7 for n in range(40)} | {f"rare {n}": 1 + n % 2 for n in range(20)}
    pictures = [
        LabelledPicture(f"{kind}/{n}.jpg", kind, "train", lambda: b"", 0)
        for kind, size in sizes.items()
        for n in range(size)
    ]
    drawn = in_import_order(pictures, has_splits=False)
    held_out = Counter(picture.label for picture in drawn if picture.split != "train")
    of_small = sum(size for kind, size in sizes.items() if kind.startswith("kind"))
    assert abs(sum(held_out.values()) - 0.2 * of_small) <= 2
    assert all(3 * held_out[kind] <= sizes[kind] for kind in held_out)
    assert not any(kind.startswith("rare") for kind in held_out)
    assert {p.name: p.split for p in drawn} == {
        p.name: p.split for p in in_import_order(pictures[::-1], has_splits=False)
    }


def test_a_handful_of_pictures_only_trains(workspace):
    report = workspace.take_in([coloured("lowchen", n, "") for n in range(4)], has_splits=False)
    assert report.splits == {"train": 4}


def test_val_is_drawn_where_the_source_has_train_and_test_alone(workspace):
    few = [coloured("lowchen", 2000 + n) for n in range(9)]
    gold = [coloured(kind, 3000 + n, split="test") for n, kind in enumerate(("eskimo_dog", "lowchen") * 6)]
    bare = [coloured("lowchen", 4000 + n, "") for n in range(20)]
    report = workspace.take_in([*some_pictures(40, 0), *few, *gold, *bare])
    assert report.splits == {"train": 108 + 8 + 18, "val": 12 + 1 + 2, "gold": 12}
    assert {workspace.roster.standing(image_id_of(picture.load())).split for picture in gold} == {"gold"}
    again = workspace.take_in([*some_pictures(40, 0), *few, *gold, *bare])
    assert again.added == 0


def test_the_twins_of_a_drawn_picture_join_it(workspace):
    def twin(seed, side):
        file = io.BytesIO()
        photo_like(seed).resize((side, side)).save(file, "JPEG", quality=90)
        return LabelledPicture(f"{seed}-{side}.jpg", "lowchen", "train", file.getvalue)

    pairs = [twin(seed, side) for seed in range(20) for side in (200, 180)]
    report = workspace.take_in([*pairs, coloured("lowchen", 1, split="test")])
    assert report.twins == 20
    assert report.splits["val"] >= 2
    roster = workspace.roster
    assert {len(set(roster.split[roster.twin == group])) for group in set(roster.twin.tolist())} == {1}


def photo_like(seed: int) -> Image.Image:
    coarse = np.random.default_rng(seed).integers(0, 255, (9, 9, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((200, 200), Image.Resampling.BICUBIC)


def test_a_twin_joins_the_held_out_picture_in_its_split(workspace):
    def listed(picture, name, split, quality):
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=quality)
        return LabelledPicture(name, "lowchen", split, file.getvalue)

    original = photo_like(1)
    report = workspace.take_in(
        [
            listed(original.resize((180, 180)), "a.jpg", "train", 60),
            listed(original, "z.jpg", "val", 95),
            listed(photo_like(2), "other.jpg", "train", 95),
        ]
    )
    assert report.twins == 1
    assert report.splits == {"val": 2, "train": 1}
    assert len(set(workspace.roster.twin.tolist())) == 2


def test_twins_need_both_hash_and_embedding():
    finder = TwinFinder(lambda _: np.empty((0, 2)))
    hashed = dhash(photo_like(3))
    finder.add("a" * 64, hashed, embedding=np.array([1.0, 0.0]))
    assert finder.find(hashed, np.array([0.99, 0.1])) == "a" * 64
    assert finder.find(hashed, np.array([0.5, 0.9])) is None
    assert finder.find(hashed ^ ((1 << 24) - 1), np.array([1.0, 0.0])) is None


# --- archives -----------------------------------------------------------------------------------------------------


def png() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (32, 32), (9, 9, 9)).save(file, "PNG")
    return file.getvalue()


def archive(path, entries):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in entries:
            packed.writestr(name, content)
    return path


def test_a_zip_is_read_like_the_folder_that_was_packed(tmp_path):
    entries = [("birds/train/Löwchen/ä 鳥.png", png()), ("birds/val/owl/1.png", png()), ("birds/.hidden/2.png", png())]
    source, has_splits = read_for_import([archive(tmp_path / "b.zip", entries)])
    assert [(p.label, p.split) for p in source.pictures] == [("Löwchen", "train"), ("owl", "val")]
    assert has_splits
    assert source.pictures[0].load() == png()


@pytest.mark.parametrize(("top", "told"), [("test", True), ("val", True), ("train", False)])
def test_a_folder_of_held_out_pictures_only_says_so(tmp_path, top, told):
    """The Train page asks for a “test” folder; what came in one alone was once drawn into train."""
    for n in range(12):
        (tmp_path / top / "owl").mkdir(parents=True, exist_ok=True)
        (tmp_path / top / "owl" / f"{n}.png").write_bytes(png())
    source, has_splits = read_for_import([tmp_path])
    assert {p.split for p in source.pictures} == {top}
    assert has_splits == told


def test_hostile_entries_are_named_and_nothing_is_written(tmp_path):
    link = zipfile.ZipInfo("a/link.png")
    link.external_attr = 0o120777 << 16
    entries = [
        ("../../out.png", png()),
        ("/abs/x.png", png()),
        ("a/bomb.png", b"\0" * 5_000_000),
        ("C:\\x.png", png()),
        (link, "/etc/passwd"),
        ("a/page.svg", "<svg/>"),
        ("a/ok.png", png()),
    ]
    found = read_tree(open_zip(archive(tmp_path / "evil.zip", entries)), partly_labelled=True)
    assert [p.name for p in found.pictures] == ["a/ok.png"]
    assert len(found.skipped) == 6
    assert [path.name for path in tmp_path.rglob("*")] == ["evil.zip"]


def test_ten_thousand_empty_files_are_all_named(tmp_path):
    tree = open_zip(archive(tmp_path / "e.zip", [(f"a/{n}.png", b"") for n in range(10_000)]))
    assert len(tree.listing().faults) == 10_000
    with pytest.raises(DatasetError, match="of 10,000 files none"):
        read_for_import([tmp_path / "e.zip"])


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04nonsense", b"\x89PNG"])
def test_what_is_no_archive_is_one_sentence(tmp_path, content):
    (tmp_path / "x.zip").write_bytes(content)
    with pytest.raises(DatasetError, match="not a zip archive"):
        open_zip(tmp_path / "x.zip")


def test_a_damaged_entry_is_left_out_by_whoever_reads_it(tmp_path, workspace):
    path = archive(tmp_path / "d.zip", [("a/1.png", png()), ("a/2.png", png()[:-5] + b"12345")])
    path.write_bytes(path.read_bytes().replace(png()[:30][8:20], b"\0" * 12, 1))
    source, _ = read_for_import([path])
    report = workspace.take_in(source.pictures)
    assert report.added + len(report.skipped) == 2


@pytest.mark.parametrize("ending", ["tif", "gif", "webp", "png"])
def test_what_lies_behind_the_first_page_is_told(workspace, tmp_path, ending):
    pages = [Image.new("RGB", (40, 30), (90 * page, 120, 200 - 90 * page)) for page in range(3)]
    pages[0].save(tmp_path / f"many.{ending}", save_all=True, append_images=pages[1:])
    pages[2].save(tmp_path / f"one.{ending}")
    listed = [
        LabelledPicture(path.name, "lowchen", "train", path.read_bytes) for path in sorted(tmp_path.glob(f"*.{ending}"))
    ]
    report = workspace.take_in(listed)
    assert report.notes == [f"Of 1 file with several pages or frames only the first is read: many.{ending}."]
    assert report.added == 2
