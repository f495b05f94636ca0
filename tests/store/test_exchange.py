"""Out of one workspace and into another: nothing lost, nothing twice, gold stays gold."""

from __future__ import annotations

import csv
import io
import json
import tempfile
from collections import Counter
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from fgdemo.services.exchange.exchange import ExportFormat
from fgdemo.storage.formats.sources import read_source
from fgdemo.storage.history.checks import Checks
from fgdemo.storage.history.label_event import is_removed
from fgdemo.storage.records.inventory import Inventory
from fgdemo.values.annotation import Person
from fgdemo.values.errors import DatasetError, ForbiddenError, SettingsError, StorageError
from tests.support.exchanging import ACTIONS, MAINTAINER, everything, exchange_of, fill, say
from tests.support.workspace import FakeWorkspace, coloured, open_fake_workspace, some_pictures

steps_of = st.lists(st.tuples(st.integers(0, 9), st.sampled_from(ACTIONS), st.integers(0, 1)), max_size=25)
FEW = settings(max_examples=8, deadline=None, phases=(Phase.generate,), suppress_health_check=[HealthCheck.too_slow])
SPOKEN = [(n, action, n % 2) for n, action in enumerate((*ACTIONS, "group", "none", "unusable", "label", "label"))] + [
    (1, "label", 0)
]


@contextmanager
def opened(home: Path):
    workspace = open_fake_workspace(home)
    try:
        yield workspace
    finally:
        workspace.engine.dispose()


@pytest.fixture
def spoken(tmp_path):
    """A workspace in which every kind of thing was said."""
    with opened(tmp_path / "home") as workspace:
        fill(workspace, SPOKEN)
        yield workspace


def answers(workspace: FakeWorkspace) -> dict[str, tuple]:
    """(answer, taxon, split) of every picture; that of a visitor is train outside."""
    inventory = Inventory(workspace.engine)
    found = {}
    for held in inventory:
        answer, taxon = inventory.answer(held)
        found[held.image] = answer, taxon and taxon.id, held.split or "train"
    return found


# --- the whole history -----------------------------------------------------------------------------------------


@FEW
@given(steps_of, st.sampled_from(["folder", "archive", "workspace"]))
def test_a_workspace_comes_through_whole(steps, way):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        with opened(root / "a") as one, opened(root / "b") as other:
            fill(one, steps)
            source = {"folder": root / "out", "archive": root / "out.zip", "workspace": root / "a"}[way]
            if way != "workspace":
                exported = exchange_of(one, root / "a").export_to(MAINTAINER, source, "jsonl")
                assert exported.events == Inventory(one.engine).events
            report = exchange_of(other, root / "b").import_from(MAINTAINER, [source])
            assert report.skipped == ()
            assert everything(other) == everything(one)
            again = exchange_of(other, root / "b").import_from(MAINTAINER, [source])
            assert (again.added, again.answers) == (0, 0)
            assert everything(other) == everything(one)


def test_a_workspace_comes_through_on_every_database(new_database, tmp_path):
    one = open_fake_workspace(tmp_path / "a", new_database())
    other = open_fake_workspace(tmp_path / "b", new_database())
    fill(one, SPOKEN)
    exchange_of(one, tmp_path / "a").export_to(MAINTAINER, tmp_path / "out", "jsonl")
    for _ in range(2):
        report = exchange_of(other, tmp_path / "b").import_from(MAINTAINER, [tmp_path / "out"])
        assert report.skipped == ()
        assert everything(other) == everything(one)
    one.engine.dispose()
    other.engine.dispose()


def test_what_was_said_in_both_since_is_put_before_an_expert(tmp_path):
    with opened(tmp_path / "a") as one, opened(tmp_path / "b") as other:
        one.take_in(some_pictures(1, 0))
        out = tmp_path / "out"
        exchange_of(one, tmp_path / "a").export_to(MAINTAINER, out, "jsonl")
        exchange_of(other, tmp_path / "b").import_from(MAINTAINER, [out])
        image = one.roster.image_ids[0]
        say(one, image, "label", "ada", "", 0, 1)
        say(other, image, "again", "bo", "", 0, 1)
        exchange_of(one, tmp_path / "a").export_to(MAINTAINER, out, "jsonl")
        for _ in range(2):
            exchange_of(other, tmp_path / "b").import_from(MAINTAINER, [out])
            standing = other.roster.standing(image)
            assert (standing.taxon, standing.annotator, standing.disputed) == ("nashville_warbler", "bo", True)
            assert len(other.events.history(image)) == 3
        # and home again: what both know is not said twice
        exchange_of(other, tmp_path / "b").export_to(MAINTAINER, tmp_path / "back", "jsonl")
        exchange_of(one, tmp_path / "a").import_from(MAINTAINER, [tmp_path / "back"])
        assert Counter(e.annotator for e in one.events.history(image)) == {"import": 1, "ada": 1, "bo": 1}


def test_what_only_a_workspace_itself_can_know_counts_for_nothing_in_another(tmp_path):
    with opened(tmp_path / "a") as one, opened(tmp_path / "b") as other:
        fill(one, [(0, "label", 0), (1, "label", 0), (2, "unusable", 1), (3, "label", 1)])
        assert len(Checks(one.engine).audited(9)) == 3
        out = tmp_path / "out"
        exchange_of(one, tmp_path / "a").export_to(MAINTAINER, out, "jsonl")
        lines = [json.loads(line) for line in (out / "workspace.jsonl").read_text().splitlines()]
        forged, future = (next(line for line in lines if line.get("kind") == kind) for kind in ("unusable", "label"))
        forged |= {"reason": "removed", "annotator": "fgdemo"}
        future["created_at"] = "2199-01-01T00:00:00+00:00"
        (out / "workspace.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        report = exchange_of(other, tmp_path / "b").import_from(MAINTAINER, [out])
        assert Checks(other.engine).audited(9) == []
        history = other.events.history(forged["image"])
        assert (history[-1].kind, history[-1].reason) == ("unusable", "elsewhere: removed")
        assert not is_removed(history)
        assert all((said.created_at or "") < "2199" for said in other.events.history(future["image"]))
        for words in (
            "3 answers given to random checks of another workspace came in, but count into no estimate here.",
            "1 answer that the picture was removed for good came in without that: only this workspace says so itself.",
            "1 answer of a time that is still to come came in as said now.",
        ):
            assert words in report.notes
        again = exchange_of(other, tmp_path / "b").import_from(MAINTAINER, [out])
        assert (again.added, again.answers) == (0, 0)


def test_an_import_goes_on_from_an_earlier_one(tmp_path):
    with opened(tmp_path / "a") as one, opened(tmp_path / "b") as other:
        pictures = some_pictures(1, 0)
        one.take_in(pictures)
        other.take_in(pictures)
        say(one, one.roster.image_ids[0], "label", "ada", "", 0, 1)
        exchange_of(other, tmp_path / "b").import_from(MAINTAINER, [tmp_path / "a"])
        standing = other.roster.standing(one.roster.image_ids[0])
        assert (standing.annotator, standing.checked, standing.disputed) == ("ada", True, False)


def test_an_answer_from_where_it_trains_puts_a_gold_label_in_doubt_and_does_not_replace_it(tmp_path):
    """The histories have not parted: there it only goes on from the label that is gold here."""
    with opened(tmp_path / "a") as one, opened(tmp_path / "b") as other:
        picture = coloured("lowchen", 1)
        one.take_in([picture])
        other.take_in([replace(picture, split="test")])
        image = one.roster.image_ids[0]
        say(one, image, "label", "ada", "", 0, 1)
        assert [said.taxon for said in one.events.history(image)] == ["lowchen", "mourning_warbler"]
        exchange_of(other, tmp_path / "b").import_from(MAINTAINER, [tmp_path / "a"])
        standing = other.roster.standing(image)
        assert (standing.taxon, standing.disputed, standing.split) == ("lowchen", True, "gold")


def test_a_picture_that_looks_like_gold_here_does_not_train_here(tmp_path):
    with opened(tmp_path / "a") as one, opened(tmp_path / "b") as other:
        (picture,) = one_more = [coloured("lowchen", 1)]
        one.take_in(one_more)
        buffer = io.BytesIO()
        from PIL import Image

        Image.open(io.BytesIO(picture.load())).convert("RGB").save(buffer, "BMP")
        other.take_in([replace(picture, split="test", load=buffer.getvalue)])
        exchange_of(other, tmp_path / "b").import_from(MAINTAINER, [tmp_path / "a"])
        assert [held.split for held in Inventory(other.engine)] == ["gold", "gold"]


# --- the other formats -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["imagefolder", "csv", "datasets", "label-studio"])
@pytest.mark.parametrize("packed", [False, True])
def test_what_is_true_now_comes_through_every_format(spoken, tmp_path, format: ExportFormat, packed, monkeypatch):
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    out = tmp_path / ("out.zip" if packed else "out")
    exported = exchange_of(spoken, tmp_path / "home").export_to(MAINTAINER, out, format)
    told = answers(spoken)
    assert exported.answers == Counter(answer for answer, *_ in told.values())
    assert exported.splits == Counter("test" if split == "gold" else split for *_, split in told.values())
    assert exported.skipped == ()
    if packed and format == "datasets":
        with opened(tmp_path / "other") as other, pytest.raises(DatasetError, match="no pictures"):
            exchange_of(other, tmp_path / "other").import_from(MAINTAINER, [out])
        return
    with opened(tmp_path / "other") as other:
        report = exchange_of(other, tmp_path / "other").import_from(MAINTAINER, [out])
        assert report.skipped == ()
        assert answers(other) == told
        for image in told:
            here, there = other.roster.standing(image), spoken.roster
            there.follow()
            if told[image][0] != "unlabelled":
                assert (here.annotator, here.checked) == (
                    there.standing(image).annotator,
                    there.standing(image).checked,
                )
        again = exchange_of(other, tmp_path / "other").import_from(MAINTAINER, [out])
        assert (again.added, again.answers) == (0, 0)


def test_gold_never_leaks_into_train(spoken, tmp_path, monkeypatch):
    import datasets

    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    exchange = exchange_of(spoken, tmp_path / "home")
    gold = {image for image, (*_, split) in answers(spoken).items() if split == "gold"}
    content = {spoken.images.read(image) for image in gold}
    assert gold
    for format in ("imagefolder", "csv"):
        exchange.export_to(MAINTAINER, tmp_path / format, format)
        source = read_source(tmp_path / format / ("pictures.csv" if format == "csv" else ""), fewest_classes=1)
        assert not content & {p.load() for p in source.pictures if p.split != "test"}
    exchange.export_to(MAINTAINER, tmp_path / "datasets", "datasets")
    found = datasets.load_dataset(str(tmp_path / "datasets"))
    assert set(found) == {"train", "validation", "test", "other"}  # type: ignore[arg-type]
    for split in ("train", "validation"):
        assert not gold & set(found[split]["image_id"])  # type: ignore[index]
    names = found["train"].features["label"].names  # type: ignore[index,union-attr]
    row = found["train"][0]  # type: ignore[index]
    assert names[row["label"]] == row["kind"]
    assert row["image"].size == (160, 120)


def test_a_trainer_finds_only_kinds_in_the_class_folders(spoken, tmp_path):
    exchange_of(spoken, tmp_path / "home").export_to(MAINTAINER, tmp_path / "out", "imagefolder")
    source = read_source(tmp_path / "out")
    names = {taxon.id: taxon.name for taxon in Inventory(spoken.engine).taxa}
    kinds = Counter(names[taxon] for answer, taxon, _ in answers(spoken).values() if answer == "kind")
    assert Counter(picture.label for picture in source.pictures) == kinds
    assert len(source.skipped) == sum(answer != "kind" for answer, *_ in answers(spoken).values())
    assert all(reason.startswith("has no kind (") for _, reason in source.skipped)


def test_labels_of_label_studio_are_choices_of_its_interface(spoken, tmp_path):
    import xml.etree.ElementTree as ElementTree

    exchange_of(spoken, tmp_path / "home").export_to(MAINTAINER, tmp_path / "out", "label-studio")
    tasks = json.loads((tmp_path / "out" / "tasks.json").read_text(encoding="utf-8"))
    offered = {choice.get("value") for choice in ElementTree.parse(tmp_path / "out" / "interface.xml").iter("Choice")}
    given_ = [r for t in tasks for a in (*t.get("annotations", ()), *t.get("predictions", ())) for r in a["result"]]
    assert {result["value"]["choices"][0] for result in given_ if result["from_name"] == "kind"} <= offered
    for task in tasks:
        place = task["data"]["image"].removeprefix("/data/local-files/?d=out/")
        assert (tmp_path / "out" / place).is_file()
        assert not any("completed_by" in annotation for annotation in task.get("annotations", ()))


def test_a_table_alone_has_no_formulas(spoken, tmp_path):
    spoken.take_in([replace(coloured("lowchen", 800), name="=HYPERLINK(1).png")])
    exchange_of(spoken, tmp_path / "home").export_to(MAINTAINER, tmp_path / "t.csv", "csv")
    rows = list(csv.reader(io.StringIO((tmp_path / "t.csv").read_text(encoding="utf-8"))))
    assert len(rows) == len(answers(spoken)) + 1
    assert not [cell for row in rows for cell in row if cell[:1] in ("=", "+", "-", "@")]
    assert any(cell == "'=HYPERLINK(1).png" for row in rows for cell in row)


# --- who, and where to ------------------------------------------------------------------------------------------


def test_only_maintainers_exchange(spoken, tmp_path):
    exchange = exchange_of(spoken, tmp_path / "home")
    for role in ("visitor", "expert"):
        with pytest.raises(ForbiddenError):
            exchange.export_to(Person("x", role), tmp_path / "out", "csv")
        with pytest.raises(ForbiddenError):
            exchange.import_from(Person("x", role), [tmp_path])
    assert not (tmp_path / "out").exists()


def test_a_push_is_refused_before_anything_is_written(spoken, tmp_path, monkeypatch):
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub, "get_token", lambda: None)
    exchange = exchange_of(spoken, tmp_path / "home")
    for name, message in (("owner/birds", "not signed in"), ("birds", "no name"), ("a/../b", "no name")):
        with pytest.raises(DatasetError, match=message):
            exchange.export_to(MAINTAINER, tmp_path / "out", "datasets", push_to=name)
    with pytest.raises(SettingsError, match="Only the format datasets"):
        exchange.export_to(MAINTAINER, tmp_path / "out", "csv", push_to="owner/birds")
    assert not (tmp_path / "out").exists()


def test_a_push_that_fails_leaves_the_files_and_one_sentence(spoken, tmp_path, monkeypatch):
    import datasets
    import huggingface_hub

    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: "hf_x")
    pushed = []

    def unreachable(self, name, private):
        pushed.append((name, private, set(self)))
        raise ConnectionError("no route")

    monkeypatch.setattr(datasets.DatasetDict, "push_to_hub", unreachable)
    exchange = exchange_of(spoken, tmp_path / "home")
    with pytest.raises(DatasetError, match="cannot be reached"):
        exchange.export_to(MAINTAINER, tmp_path / "out", "datasets", push_to="owner/birds")
    assert pushed == [("owner/birds", True, {"train", "validation", "test", "other"})]
    assert list((tmp_path / "out" / "data").iterdir())


def test_a_picture_whose_file_is_gone_is_named(spoken, tmp_path):
    gone = spoken.roster.image_ids[0]
    spoken.images.remove(gone)
    for format in ("csv", "jsonl"):
        exported = exchange_of(spoken, tmp_path / "home").export_to(MAINTAINER, tmp_path / format, format)
        assert [reason for _, reason in exported.skipped] == [f"The picture {gone[:12]}… is not in the workspace."]
    with opened(tmp_path / "other") as other:
        report = exchange_of(other, tmp_path / "other").import_from(MAINTAINER, [tmp_path / "home"])
        assert len(report.skipped) == 1
        assert report.skipped_file is not None
        with closing(report.skipped_file.open(encoding="utf-8")) as file:
            assert [row["reason"] for row in csv.DictReader(file)] == ["is not there"]


def test_a_folder_that_no_export_made_is_never_replaced(spoken, tmp_path):
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.txt").write_text("all of it")
    for out in (precious, precious / "thesis.txt"):
        with pytest.raises(StorageError, match="no export made it"):
            exchange_of(spoken, tmp_path / "home").export_to(MAINTAINER, out, "csv")
    assert (precious / "thesis.txt").read_text() == "all of it"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
