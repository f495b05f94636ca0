"""What the real Label Studio wrote is read rightly (benchmarks/record_label_studio.py has recorded it)."""

from __future__ import annotations

import json
import shutil
import unicodedata
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from fgdemo.storage.formats.label_studio.places import Places, picture_of
from fgdemo.storage.formats.sources import read_for_import
from fgdemo.values.errors import DatasetError
from fgdemo.values.labelled import SourceEvent
from tests.support.exchanging import MAINTAINER, everything, exchange_of
from tests.support.workspace import FakeWorkspace, coloured, open_fake_workspace

RECORDED = Path(__file__).parents[1] / "support" / "label_studio"
FORMS = ("json", "min.json", "csv")


@pytest.fixture
def workspace(tmp_path: Path):
    opened = open_fake_workspace(tmp_path / "home")
    yield opened
    opened.engine.dispose()


def put(folder: Path, *names: str) -> Path:
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(coloured("lowchen", number).load())
    return folder


def said_in(location: Path | str) -> dict[str, list[tuple[Any, ...]]]:
    """By picture (kind, label, annotator) of all that was said."""
    return {
        picture.name: [(one.kind, one.label, one.annotator) for one in picture.said]
        for picture in read_for_import([location])[0].pictures
    }


def tasks_of(folder: Path, tasks: list[dict[str, Any]], name: str = "export.json") -> Path:
    (folder / name).write_text(json.dumps(tasks), encoding="utf-8")
    return folder / name


def answered(choice: str | list[str], control: str = "kind", **more: Any) -> dict[str, Any]:
    chosen = {"choices": [choice] if isinstance(choice, str) else choice}
    result = {"from_name": control, "to_name": "image", "type": "choices", "value": chosen}
    return {"completed_by": 1, "result": [result], **more}


# --- recorded: out, edited there, and back ------------------------------------------------------------------------


@pytest.fixture
def before(workspace: FakeWorkspace, tmp_path: Path) -> Path:
    """The workspace as it was when it was recorded, and its pictures where its export has them."""
    exchange = exchange_of(workspace, tmp_path / "home")
    exchange.import_from(MAINTAINER, [RECORDED / "before"])
    exchange.export_to(MAINTAINER, tmp_path / "birds", "label-studio")
    return tmp_path / "birds"


@pytest.mark.parametrize("form", FORMS)
def test_exactly_what_was_changed_there_comes_back(workspace: FakeWorkspace, before: Path, tmp_path: Path, form: str):
    shutil.copy(RECORDED / f"back.{form}", before)
    old = everything(workspace)["pictures"]
    exchange = exchange_of(workspace, tmp_path / "home")
    report = exchange.import_from(MAINTAINER, [before])  # the folder: what came back counts, not what went out
    assert (report.added, report.answers, report.skipped) == (0, 4, ())
    new = everything(workspace)["pictures"]
    added = [event for image in new for event in new[image][1][len(old[image][1]) :]]
    assert all(new[image][1][: len(old[image][1])] == old[image][1] for image in old)
    assert Counter((e.annotator, e.kind, e.taxon, e.comment, e.blind) for e in added) == Counter(
        [
            ("label-studio-1", "label", "eskimo_dog", "because 12", False),
            ("label-studio-1", "label", "mourning_warbler", 'seen ♂ "again"', True),
            ("label-studio-1", "label", "lowchen", "new", False),
            ("label-studio-1", "label", "nashville_warbler", None, True),
        ]
    )
    assert {event.seconds_spent for event in added} >= {7.5, 3.25}
    assert all((event.created_at or "").startswith("2026-") for event in added)
    assert exchange.import_from(MAINTAINER, [before]).answers == 0


@pytest.mark.parametrize("form", FORMS)
def test_what_two_people_changed_on_its_page_comes_back(
    workspace: FakeWorkspace, before: Path, tmp_path: Path, form: str
):
    """A task that was skipped holds the choice that its prediction had filled in; only JSON has it, and drafts."""
    shutil.copy(RECORDED / f"page.{form}", before)
    old = everything(workspace)["pictures"]
    exchange = exchange_of(workspace, tmp_path / "home")
    report = exchange.import_from(MAINTAINER, [before])
    new = everything(workspace)["pictures"]
    added = [event for image in new for event in new[image][1][len(old[image][1]) :]]
    ada, bo = sorted({event.annotator for event in added})
    said = Counter((e.annotator, e.kind, e.taxon, e.comment) for e in added if e.kind != "skip")
    assert said == Counter(
        [
            (ada, "label", "eskimo_dog", "because 0"),
            (ada, "label", "warbler", 'seen ♂ "again"'),
            (ada, "label", "lowchen", "new"),
            (bo, "label", "nashville_warbler", None),
        ]
    )
    assert [(e.annotator, e.taxon) for e in added if e.kind == "skip"] == ([(bo, None)] if form == "json" else [])
    reasons = [reason for _, reason in report.skipped]
    if form == "json":
        assert reasons == ["has a draft, which was not submitted: it is no answer"]
    else:
        assert reasons == ["is shown by none of the lines that say what the pictures here are"]  # the skipped one
    assert exchange.import_from(MAINTAINER, [before]).answers == 0


@pytest.mark.parametrize("form", FORMS)
def test_all_of_the_history_reaches_another_workspace(
    workspace: FakeWorkspace, before: Path, tmp_path: Path, form: str
):
    shutil.copy(RECORDED / f"back.{form}", before)
    other = open_fake_workspace(tmp_path / "other")
    assert exchange_of(other, tmp_path / "other").import_from(MAINTAINER, [before / f"back.{form}"]).skipped == ()
    exchange_of(workspace, tmp_path / "home").import_from(MAINTAINER, [before / f"back.{form}"])
    here, there = everything(workspace), everything(other)
    assert {image: events for image, (_, events, _) in here["pictures"].items()} == {
        image: events for image, (_, events, _) in there["pictures"].items()
    }
    assert here["taxa"] == there["taxa"]
    other.engine.dispose()


def test_what_was_deleted_there_stays_and_is_named(before: Path):
    tasks = json.loads((RECORDED / "back.json").read_text(encoding="utf-8"))
    gone = next(task for task in tasks if len(task["annotations"]) == 1)
    gone["annotations"] = []
    source, _ = read_for_import([tasks_of(before, tasks)])
    assert [reason for _, reason in source.skipped] == ["the answer of ada was deleted or skipped there: it stays"]


@pytest.mark.parametrize("damage", ["", "{}", "[1]", "nonsense", '{"format": 1}', '{"format": 1, "picture": 7}', 7])
def test_a_damaged_history_is_named_and_the_annotations_are_read(before: Path, damage: object):
    tasks = json.loads((RECORDED / "back.json").read_text(encoding="utf-8"))
    task = next(task for task in tasks if task["annotations"])
    task["data"]["fgdemo"] = damage
    source, _ = read_for_import([tasks_of(before, [task])])
    assert ["no history of fgdemo" in reason for _, reason in source.skipped] == [True]
    assert [one.kind for one in source.pictures[0].said][:1] == ["label"]


# --- recorded: a project of somebody else ---------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
def test_a_project_with_a_control_of_any_name(tmp_path: Path, form: str):
    folder = put(tmp_path / "in", *(f"{number}.png" for number in range(7)))
    shutil.copy(RECORDED / f"own.{form}", folder)
    wanted = f"own.{form}" + ("#species" if form != "json" else "")
    source, _ = read_for_import([f"{folder}/{wanted}"])
    said = {p.name: [(one.kind, one.label, one.comment) for one in p.said] for p in source.pictures}
    reasons = Counter(reason for _, reason in source.skipped)
    note = "notes: in the hedge" if form == "json" else None
    assert said["0.png"] == [("label", "Robin", note)]
    assert said["1.png"] == [("label", "Wren ♂", None), ("label", "Robin", None)]
    assert said["2.png"] == []
    assert said["6.png"] == [("label", "Grade A+", None)]
    assert any("does not name one class: Robin, Grade A+" in reason for reason in reasons)
    if form == "json":
        assert [kind for kind, *_ in said["3.png"]] == ["skip"]
        assert reasons["has a draft, which was not submitted: it is no answer"] == 1
        assert any(reason.startswith("has predictions as numbers only") for reason in reasons)
    else:
        assert any(reason.startswith("is not read: the kind is what species says") for reason in reasons)


# --- which control --------------------------------------------------------------------------------------------------


def test_the_column_is_named_after_the_control(tmp_path: Path):
    folder = put(tmp_path, "0.png", "1.png")
    rows = [
        {
            "id": n,
            "image": f"/data/upload/1/1a2b3c4d-{n}.png",
            "espèce": kind,
            "annotator": 1,
            "annotation_id": n,
            "created_at": "2024-05-01T10:00:00Z",
            "lead_time": 2,
        }
        for n, kind in enumerate(("Wren", "Robin"))
    ]
    assert said_in(tasks_of(folder, rows)) == {
        "0.png": [("label", "Wren", "label-studio-1")],
        "1.png": [("label", "Robin", "label-studio-1")],
    }


def test_several_controls_are_asked_for_by_name(tmp_path: Path):
    folder = put(tmp_path, "0.png")
    task = {"data": {"image": "0.png"}, "annotations": [answered("Wren", "bird")]}
    task["annotations"][0]["result"] += answered("female", "sex")["result"]
    path = tasks_of(folder, [task])
    with pytest.raises(DatasetError, match=r"several controls that could name the kind: bird, sex.*export\.json#bird"):
        read_for_import([path])
    assert said_in(f"{path}#bird")["0.png"] == [("label", "Wren", "label-studio-1")]
    assert read_for_import([f"{path}#bird"])[0].skipped == (
        ("control sex of export.json", "is not read: the kind is what bird says"),
    )
    with pytest.raises(DatasetError, match="no control “age”"):
        read_for_import([f"{path}#age"])
    task["annotations"][0]["result"][0]["from_name"] = "Species"
    assert said_in(tasks_of(folder, [task]))["0.png"] == [("label", "Wren", "label-studio-1")]


@pytest.mark.parametrize(
    ("annotations", "more", "said", "reason"),
    [
        (
            [answered(["Wren", "Auk"])],
            {},
            [],
            "has an annotation of label-studio-1 that does not name one class: Wren, Auk",
        ),
        ([answered([])], {}, [], "has an annotation of label-studio-1 in which nothing is chosen"),
        ([answered("Wren", was_cancelled=True)], {}, [("skip", None)], None),
        (
            [answered("Wren", reviews=[{"accepted": False}])],
            {},
            [],
            "has an annotation of label-studio-1 that a reviewer rejected",
        ),
        ([answered("Wren", reviews=[{"accepted": False}, {"accepted": True}])], {}, [("label", "Wren")], None),
        (
            [answered("Wren"), answered("Auk", completed_by={"email": "bo@x.org"}, ground_truth=True)],
            {},
            [("label", "Wren"), ("adjudication", "Auk")],
            None,
        ),
        (
            [answered("Wren", ground_truth=True), answered("Auk", completed_by=2, ground_truth=True)],
            {},
            [("label", "Wren"), ("label", "Auk")],
            None,
        ),
        ([], {"drafts": [answered("Wren")]}, [], "has a draft, which was not submitted: it is no answer"),
        ([], {"predictions": [answered("Wren")]}, [("import", "Wren")], None),
    ],
)
def test_what_an_annotation_says(tmp_path: Path, annotations, more, said, reason):
    folder = put(tmp_path, "0.png")
    task = {"data": {"image": "0.png"}, "annotations": annotations, **more}
    source, _ = read_for_import([tasks_of(folder, [task])])
    assert [(one.kind, one.label) for one in source.pictures[0].said] == said
    assert [why for _, why in source.skipped] == ([] if reason is None else [reason])


def test_a_region_is_no_kind_of_the_picture(tmp_path: Path):
    folder, one = put(tmp_path, "0.png"), answered("Wren")
    one["result"][0]["value"] |= {"x": 1, "y": 2, "width": 3, "height": 4}
    box = {"type": "rectanglelabels", "from_name": "box", "value": {"x": 1, "rectanglelabels": ["a"]}}
    tasks = [{"data": {"image": "0.png"}, "annotations": [{**one, "result": [*one["result"], box]}]}]
    source, _ = read_for_import([tasks_of(folder, tasks)])
    assert source.pictures[0].said == ()
    assert [why for _, why in source.skipped] == [
        "has an annotation of label-studio-1 that does not name one class",
        "results of the control box (rectanglelabels) are not read (1 ×)",
    ]


# --- where the pictures are -----------------------------------------------------------------------------------------

FILES = ["birds/a.jpg", "birds/Grade A+.jpg", "birds/50% é.jpg", "birds/a#1?.jpg", "x/same.jpg", "y/same.jpg"]


@pytest.mark.parametrize(
    ("shown", "file"),
    [
        ("birds/a.jpg", "birds/a.jpg"),
        ("./birds//a.jpg", "birds/a.jpg"),
        ("birds\\a.jpg", "birds/a.jpg"),
        ("C:\\lab\\birds\\a.jpg", "birds/a.jpg"),
        ("/mnt/lab/birds/a.jpg", "birds/a.jpg"),
        ("file:///mnt/lab/birds/a.jpg", "birds/a.jpg"),
        ("s3://lab/birds/a.jpg", "birds/a.jpg"),
        ("s3://birds/a.jpg", "birds/a.jpg"),
        ("s3://lab/birds/a#1?.jpg", "birds/a#1?.jpg"),
        ("gs://lab/deep/birds/50% é.jpg", "birds/50% é.jpg"),
        ("azure-blob://box/birds/Grade A+.jpg", "birds/Grade A+.jpg"),
        ("https://acc.blob.core.windows.net/box/birds/a.jpg?sv=1&sig=x", "birds/a.jpg"),
        ("https://lab.s3.amazonaws.com/birds/Grade%20A%2B.jpg?X-Amz-Signature=1", "birds/Grade A+.jpg"),
        ("http://studio:8080/data/local-files/?d=lab/birds/Grade%20A%2B.jpg", "birds/Grade A+.jpg"),
        ("/data/local-files/?d=lab/birds/Grade A+.jpg", "birds/Grade A+.jpg"),
        ("/data/local-files/?d=lab/birds/50%25%20e%CC%81.jpg", "birds/50% é.jpg"),
        ("/data/local-files?d=lab%2Fbirds%2Fa.jpg", "birds/a.jpg"),
        ("/data/upload/3/1a2b3c4d-a.jpg", "birds/a.jpg"),
        ("/data/upload/3/1a2b3c4d-50_é.jpg", "birds/50% é.jpg"),
        ("/tasks/1/presign/?fileuri=czM6Ly9sYWIvYmlyZHMvYS5qcGc=", "birds/a.jpg"),
        ("x/same.jpg", "x/same.jpg"),
    ],
)
def test_a_picture_beside_the_tasks_is_found(shown: str, file: str):
    for files in (FILES, [unicodedata.normalize("NFD", name) for name in FILES]):
        found, why = Places(files).find(shown)
        assert (unicodedata.normalize("NFC", found or ""), why) == (file, "")


@pytest.mark.parametrize(
    ("shown", "reason"),
    [
        ("s3://lab/birds/z.jpg", "lies elsewhere (s3), and is not there: put the picture beside the tasks"),
        ("same.jpg", "is the name of several files below the folder of the tasks: put the picture beside the tasks"),
        ("../a/../..", "is not there: put the picture beside the tasks"),
        ("data:image/png;base64,AAAA", "is written into the task itself (data:): save it as a file, and name that"),
        ("http://[", "is not there: put the picture beside the tasks"),
    ],
)
def test_a_picture_that_is_not_found_says_why(shown: str, reason: str):
    found, why = Places(FILES).find(shown)
    assert found is None
    assert why.removeprefix("lies elsewhere (http), and ") == reason


def test_two_addresses_are_never_one_picture():
    places = Places(["a.jpg"])
    assert places.find("s3://one/a.jpg") == ("a.jpg", "")
    assert places.find("s3://one/a.jpg") == ("a.jpg", "")
    found, why = places.find("s3://two/a.jpg")
    assert found is None
    assert "is already s3://one/a.jpg" in why


def test_a_task_that_shows_two_pictures_is_named():
    assert picture_of({"left": "a.jpg", "right": "b.jpg"})[1].startswith("shows several pictures (left, right)")
    assert picture_of({"photo": "s3://x/a.jpg", "page": "https://x.org/about"}) == ("s3://x/a.jpg", "")
    assert picture_of({"image": ["a.jpg", "b.jpg"]})[0] is None


def test_several_exports_in_a_folder_are_asked_for(tmp_path: Path):
    folder = put(tmp_path, "0.png")
    for name in ("one.json", "two.json"):
        tasks_of(folder, [{"data": {"image": "0.png"}, "annotations": [answered("Wren")]}], name)
    with pytest.raises(DatasetError, match=r"several exports of Label Studio.*one\.json, two\.json"):
        read_for_import([folder])
    (folder / "two.json").unlink()
    assert said_in(folder) == {"0.png": [("label", "Wren", "label-studio-1")]}


def test_the_export_says_how_to_serve_its_pictures(before: Path):
    notes = (before / "README.txt").read_text(encoding="utf-8")
    for needed in ("LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true", "DOCUMENT_ROOT", "/birds/pictures", "JSON-MIN"):
        assert needed in notes


def test_nothing_said_elsewhere_is_taken_for_an_answer_that_was_exported(before: Path):
    """A number in a control of somebody else is no number of an event."""
    folder = put(before, "0.png")
    said = {"from_name": "said", "to_name": "image", "type": "textarea", "value": {"text": ["1"]}}
    one = answered("Wren")
    one["result"].append(said)
    source, _ = read_for_import([tasks_of(folder, [{"data": {"image": "0.png"}, "annotations": [one]}])])
    assert source.pictures[0].said == (SourceEvent("label", "Wren", "label-studio-1"),)


def test_one_name_below_two_branches_of_a_taxonomy_is_two_kinds(workspace: FakeWorkspace, tmp_path: Path) -> None:
    def chosen(*path: str) -> dict[str, Any]:
        result = {"from_name": "kind", "to_name": "image", "type": "taxonomy", "value": {"taxonomy": [list(path)]}}
        return {"completed_by": 1, "result": [result]}

    put(tmp_path, "1.png", "2.png", "3.png")
    paths = (("Birds", "Warblers", "Yellow"), ("Birds", "Gulls", "Yellow"), ("Birds", "Gulls", "Herring"))
    tasks = [{"data": {"image": f"{n}.png"}, "annotations": [chosen(*path)]} for n, path in enumerate(paths, 1)]
    report = exchange_of(workspace, tmp_path / "home").import_from(MAINTAINER, [tasks_of(tmp_path, tasks)])
    assert report.skipped == ()
    parents = {taxon.name: taxon.parent for taxon in workspace.taxa.load().taxa}
    assert parents["Birds Warblers Yellow"] == "warblers"
    assert parents["Birds Gulls Yellow"] == parents["Herring"] == "gulls"
    assert parents["Gulls"] == "birds"


def test_completions_of_old_versions_and_long_comments(tmp_path: Path) -> None:
    put(tmp_path, "1.png")
    note = {"from_name": "comment", "to_name": "image", "type": "textarea", "value": {"text": ["n" * 2001]}}
    told = answered("Robin")
    told["result"].append(note)
    tasks_of(tmp_path, [{"data": {"image": "1.png"}, "completions": [told]}])
    source = read_for_import([tmp_path])[0]
    assert [(p.name, p.said[0].label) for p in source.pictures] == [("1.png", "Robin")]
    assert source.skipped == (
        ("task 1 of export.json", "has a comment of more than 2000 characters: its end was left out"),
    )
