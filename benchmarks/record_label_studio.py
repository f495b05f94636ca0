"""Record what the real Label Studio makes of an export of fgdemo, and of a project of its own: fixtures of the tests.

    python benchmarks/record_label_studio.py --label-studio /path/to/environment/bin/python

Everything is drawn here: no photograph is recorded. It writes to tests/support/label_studio: `before/`, a workspace
with its history; `back.*`, the project that Label Studio made of that workspace's export, with the edits `EDITS` made
there, in three forms; `page.*`, the same with edits made on its page by two people in a headless Chromium; `own.*`, a
project of another laboratory, whose control is called species.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "benchmarks")]

from label_studio_page import annotators
from label_studio_server import PASSWORD, USER, Form, LabelStudio, label_studio

from tests.support.exchanging import ACTIONS, MAINTAINER, exchange_of, fill, say
from tests.support.workspace import FakeWorkspace, open_fake_workspace

OUT = REPOSITORY / "tests" / "support" / "label_studio"
FORMS: dict[Form, str] = {"JSON": "json", "JSON_MIN": "min.json", "CSV": "csv"}
EDITS = ("another kind", "another comment", "a kind for what had none", "a second answer")
SPECIES = (
    '<View><Image name="picture" value="$photo"/><Choices name="species" toName="picture" choice="multiple">'
    '<Choice value="Robin"/><Choice value="Wren ♂"/><Choice value="Grade A+"/></Choices>'
    '<TextArea name="notes" toName="picture"/></View>'
)


def main() -> None:
    parser = argparse.ArgumentParser(description="record what Label Studio exports")
    parser.add_argument("--label-studio", type=Path, required=True, metavar="PYTHON")
    parser.add_argument("--port", type=int, default=7961)
    arguments = parser.parse_args()
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir()
    with (
        tempfile.TemporaryDirectory() as folder,
        label_studio(arguments.label_studio, Path(folder) / "studio", arguments.port) as studio,
    ):
        workspace = open_fake_workspace(Path(folder) / "home")
        _speak(workspace)
        exchange = exchange_of(workspace, Path(folder) / "home")
        exchange.export_to(MAINTAINER, OUT / "before", "jsonl")
        exchange.export_to(MAINTAINER, studio.served / "birds", "label-studio")
        _record(studio, "back", _edited(studio, studio.served / "birds"))
        _record(studio, "page", _edited_on_page(studio, studio.served / "birds"))
        _record(studio, "own", _own(studio))
        (OUT / "VERSION").write_text(f"Label Studio {studio.version()}\n", encoding="utf-8")


def _record(studio: LabelStudio, name: str, project: int) -> None:
    for form, ending in FORMS.items():
        (OUT / f"{name}.{ending}").write_bytes(studio.export(project, form))


def _speak(workspace: FakeWorkspace) -> None:
    """Everything that can be said of a picture, two annotators who disagree, and one who was overruled."""
    steps = [(n, action, n % 2) for n, action in enumerate((*ACTIONS, "group", "none", "unusable", "label", "label"))]
    fill(workspace, steps)
    images = workspace.roster.image_ids
    say(workspace, images[3], "blind", "bo", "", 0, 1)
    say(workspace, images[4], "again", "ada", "", 0, 2)


def _project(studio: LabelStudio, folder: Path) -> tuple[int, list[dict[str, Any]]]:
    """The export as a project, and its tasks as they are there."""
    tasks = json.loads((folder / "tasks.json").read_text(encoding="utf-8"))
    project = studio.project((folder / "interface.xml").read_text(encoding="utf-8"), tasks, folder / "pictures")
    return project, json.loads(studio.export(project, "JSON"))


def _edited_on_page(studio: LabelStudio, folder: Path) -> int:
    """Two people at the page: another kind, another comment, a kind for what had none, a second opinion, a task that is
    skipped, and a choice that is never submitted."""
    project, tasks = _project(studio, folder)
    once = [task for task in tasks if len(task["annotations"]) == 1]
    other, commented, *_ = [task for task in once if _results_of(task["annotations"][0], "comment")]
    bare = next(task for task in tasks if not task["annotations"] and not task["predictions"])
    second, left = [task for task in once if task not in (other, commented)][:2]
    with annotators(studio.url, project, (USER, PASSWORD), "bo@example.org") as (ada, bo):
        ada.open(other["id"])
        ada.choose("Eskimo Dog")
        ada.update()
        ada.open(commented["id"])
        ada.comment('seen ♂ "again"')
        ada.update()
        ada.open(bare["id"])
        ada.choose("Löwchen")
        ada.comment("new")
        ada.submit()
        bo.open(second["id"])
        bo.another()
        bo.choose("Nashville Warbler")
        bo.submit()
        bo.skip_next()
        ada.open(left["id"])
        ada.choose("Spitz")
        ada.leave()
    return project


def _edited(studio: LabelStudio, folder: Path) -> int:
    """The export as a project, and in it the four edits."""
    project, tasks = _project(studio, folder)
    answered = [task["annotations"][0] for task in tasks if len(task["annotations"]) == 1]
    bare = [task["id"] for task in tasks if not task["annotations"]]
    commented = next(one for one in answered if _results_of(one, "comment"))
    other = next(one for one in answered if one is not commented)
    studio.change(other["id"], result=_with(other["result"], "kind", {"choices": ["Eskimo Dog"]}), lead_time=7.5)
    studio.change(commented["id"], result=_with(commented["result"], "comment", {"text": ['seen ♂ "again"']}))
    studio.annotate(bare[0], [_result("kind", {"choices": ["Löwchen"]}), _result("comment", {"text": ["new"]})])
    last = next(one for one in reversed(answered) if one not in (other, commented))
    studio.annotate(last["task"], [_result("kind", {"choices": ["Nashville Warbler"]})], lead_time=3.25)
    return project


def _own(studio: LabelStudio) -> int:
    """A project that fgdemo has nothing to do with: uploaded pictures, several annotators, whatever can be answered."""
    tasks: list[dict[str, Any]] = [{"photo": f"/data/upload/1/1a2b3c4d-{n}.png", "site": f"wood {n}"} for n in range(7)]
    project = studio.project(SPECIES, tasks)
    ids = [task["id"] for task in json.loads(studio.export(project, "JSON"))]
    robin, wren = (
        _result("species", {"choices": ["Robin"]}, "picture"),
        _result("species", {"choices": ["Wren ♂"]}, "picture"),
    )
    both = _result("species", {"choices": ["Robin", "Grade A+"]}, "picture")
    note = _result("notes", {"text": ["in the hedge"]}, "picture")
    studio.annotate(ids[0], [robin, note], lead_time=2.5)
    studio.annotate(ids[1], [wren])
    studio.annotate(ids[1], [robin])
    studio.annotate(ids[2], [both])
    studio.annotate(ids[3], [robin], was_cancelled=True)
    studio.ask("POST", "/api/predictions/", {"task": ids[4], "result": [wren], "model_version": "m", "score": 0.9})
    studio.ask("POST", f"/api/tasks/{ids[5]}/drafts", {"result": [robin], "lead_time": 1})
    studio.annotate(ids[6], [_result("species", {"choices": ["Grade A+"]}, "picture")])
    return project


def _result(control: str, value: dict[str, Any], shows: str = "image") -> dict[str, Any]:
    return {
        "from_name": control,
        "to_name": shows,
        "type": "choices" if "choices" in value else "textarea",
        "value": value,
    }


def _results_of(annotation: dict[str, Any], control: str) -> list[dict[str, Any]]:
    return [result for result in annotation["result"] if result["from_name"] == control]


def _with(results: list[dict[str, Any]], control: str, value: dict[str, Any]) -> list[dict[str, Any]]:
    return [{**result, "value": value} if result["from_name"] == control else result for result in results]


if __name__ == "__main__":
    main()
