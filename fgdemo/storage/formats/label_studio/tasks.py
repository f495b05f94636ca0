"""Tasks of Label Studio (https://labelstud.io/guide/tasks, https://labelstud.io/guide/export) as labelled pictures.

| there | here |
|---|---|
| a finished annotation | its annotator's answer; that of another annotator a blind second opinion |
| one of several that is ground truth | the last word |
| one that fgdemo exported, unchanged | the answer that it was |
| one that fgdemo exported, changed | a new answer of whoever changed it |
| a cancelled annotation | a skip |
| one that a reviewer rejected, a draft, marked regions, several choices | named, and left out |
| a prediction | a label that the picture came with |
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fgdemo.storage.disk.strict_json import BadJsonError, as_object, as_objects, read_json
from fgdemo.storage.formats.label_studio.answers import Reading, answers, controls_of, taxonomy_paths
from fgdemo.storage.formats.label_studio.history import KEY, History, unpacked
from fgdemo.storage.formats.label_studio.places import Places, picture_of, pictures_below
from fgdemo.storage.formats.label_studio.rows import choose, is_csv, rows_of_csv, tasks_of_rows
from fgdemo.storage.records.fields import FaultError
from fgdemo.storage.records.workspace_records import listed_picture
from fgdemo.storage.trees.folders import told_apart
from fgdemo.storage.trees.tree import FolderTree, Tree
from fgdemo.values.errors import DatasetError
from fgdemo.values.labelled import SPLIT_NAMES, LabelledPicture, SourceContent, SourceSplit
from fgdemo.values.taxonomy import Taxon

TASKS = "tasks.json"
_MARKS = (b'"annotations"', b'"annotation_id"', b'"predictions"', b'"completions"')
_HEAD_BYTES = 200_000


def export_among(tree: Tree, names: Sequence[str]) -> str | None:
    """The export of Label Studio among files of a tree; what fgdemo wrote for it gives way to what came back.

    Raises:
        DatasetError: there are several.
    """
    exports = [name for name in sorted(names) if name != TASKS and _is_export(tree, name)]
    if len(exports) > 1:
        raise DatasetError(
            f"There are several exports of Label Studio in “{tree.title}” ({', '.join(exports[:5])}): "
            "import the one that is meant."
        )
    return next(iter(exports), TASKS if TASKS in names else None)


def _is_export(tree: Tree, name: str) -> bool:
    ending = name.lower().rpartition(".")[2]
    if ending not in ("json", "csv", "tsv") or not tree.size(name):
        return False
    head = tree.read(name)[:_HEAD_BYTES]
    if ending == "json":
        return head.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"[") and any(mark in head for mark in _MARKS)
    return is_csv(head.decode("utf-8-sig", "replace").partition("\n")[0])


def read_tasks(path: Path, control: str | None = None) -> SourceContent:
    """An export of Label Studio as JSON, JSON-MIN, CSV or TSV; its pictures lie beside it or in folders below.

    Args:
        control: the one that names the kind, where there are several.

    Raises:
        DatasetError: not there, no list of tasks, or several controls could name the kind.
    """
    if not path.exists():
        raise DatasetError(f"There is no file “{path}”.")
    return read_tasks_in(FolderTree(path.parent), path.name, pictures_below(path.parent), control)


def read_tasks_in(tree: Tree, name: str, files: list[str], control: str | None = None) -> SourceContent:
    """The same for a file in a tree with these pictures."""
    found = SourceContent()
    if name.lower().endswith((".csv", ".tsv")):
        tasks, control = tasks_of_rows(rows_of_csv(tree.read(name), name), name, control, found)
    else:
        tasks = _listed(tree.read(name), name)
        if tasks and not any("data" in task for task in tasks):
            tasks, control = tasks_of_rows(tasks, name, control, found)
        else:
            control = choose(controls_of(tasks), name, control, found)
    taxa: dict[str, Taxon] = {}
    retired: set[str] = set()
    named = told_apart({path: (path[:-1], path[-1]) for path in taxonomy_paths(tasks, control)})
    found.groups.update({label: groups for groups, label in named.values() if groups})
    places, reading = Places(files), Reading(control, found, names={path: label for path, (_, label) in named.items()})
    for number, task in enumerate(tasks, 1):
        where, data = f"task {number} of {name}", as_object(task.get("data")) or {}
        shown, why = picture_of(data)
        if shown is None:
            found.skip(where, why)
            continue
        file, why = places.find(shown)
        size = tree.size(file) if file else None
        if file is None or not size:
            found.skip(shown[:200], why or "is empty, or is a link that leads out of the folder")
            continue
        here = tree.loader(file), size
        history = _history(data, where, taxa, retired, found)
        said = tuple(answers(task, history, where, reading))
        if history is None:
            found.pictures.append(LabelledPicture(file, "", _split(data), *here, said))
            continue
        try:
            found.pictures.append(listed_picture(history.picture, said, lambda _, here=here: here))
        except FaultError as fault:
            found.skip(where, str(fault))
    reading.tell_unread(name)
    found.taxa.extend(taxa.values())
    found.retired.update(retired)
    return found


def _listed(content: bytes, name: str) -> Sequence[Mapping[str, Any]]:
    try:
        tasks = as_objects(read_json(content))
    except BadJsonError as error:
        raise DatasetError(f"“{name}” {error}: export it again, as JSON or JSON-MIN.") from error
    if tasks is None:
        raise DatasetError(f"“{name}” is not a list of Label Studio tasks: export the project as JSON or JSON-MIN.")
    return tasks


def _history(
    data: Mapping[str, Any], where: str, taxa: dict[str, Taxon], retired: set[str], found: SourceContent
) -> History | None:
    """What fgdemo knew of the picture when it exported it; None where it did not, or where that was damaged."""
    if data.get(KEY) is None:
        return None
    try:
        return unpacked(data[KEY], taxa, retired)
    except FaultError as fault:
        found.skip(where, f"“{KEY}” in its data {fault}: its annotations are read, not what was said before")
        return None


def _split(data: Mapping[str, Any]) -> SourceSplit:
    return SPLIT_NAMES.get(str(data.get("split", "train")).lower().replace("gold", "test"), "train")
