"""Tasks of Label Studio (https://labelstud.io/guide/tasks, https://labelstud.io/guide/export) as labelled pictures.

A finished annotation is its annotator's answer, that of another annotator a blind second opinion; a prediction is a label
that a picture came with. Cancelled annotations are skips.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any, cast
from urllib.parse import parse_qs, unquote, urlsplit

from fgdemo.annotation import Kind
from fgdemo.errors import DatasetError
from fgdemo.storage.labelled import PICTURE_ENDINGS, SPLIT_NAMES, Found, LabelledPicture, Said, Split, plain_text
from fgdemo.storage.tables import LONGEST_ANNOTATOR, LONGEST_COMMENT, instant
from fgdemo.storage.trees import FolderTree, Tree

TASKS = "tasks.json"
STATES: dict[str, Kind] = {"(unusable)": "unusable", "(none of these)": "none"}
"""Choices that an export offers beside the kinds. No kind's name is written with brackets around it."""
_UPLOADED = re.compile(r"[0-9a-f]{8}-(.+)", re.DOTALL)


def read_tasks(path: Path) -> Found:
    """A JSON export of Label Studio; its pictures lie beside it or in folders below.

    Raises:
        DatasetError: not there, or not a list of tasks.
    """
    if not path.exists():
        raise DatasetError(f"There is no file “{path}”.")
    return read_tasks_in(FolderTree(path.parent), path.name, _below(path.parent))


def read_tasks_in(tree: Tree, name: str, files: list[str]) -> Found:
    """The same for a file in a tree with these files."""
    try:
        tasks = json.loads(tree.read(name))
    except (ValueError, RecursionError) as error:
        why = "is nested too deeply" if isinstance(error, RecursionError) else "is no valid JSON"
        raise DatasetError(f"“{name}” {why}: export it again, as JSON or JSON-MIN.") from error
    if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
        raise DatasetError(f"“{name}” is not a list of Label Studio tasks: export the project as JSON or JSON-MIN.")
    found, places = Found(), _Places(files)
    for number, task in enumerate(tasks, 1):
        where = f"task {number} of {name}"
        data = task.get("data", task)
        shown = _picture_of(data)
        if shown is None:
            found.skip(where, "names no picture")
            continue
        file, why = places.find(shown)
        size = tree.size(file) if file else None
        if file is None or not size:
            found.skip(shown[:200], why or "is not there, or is empty")
            continue
        split = SPLIT_NAMES.get(str(data.get("split", "train")).lower().replace("gold", "test"), "train")
        said = tuple(_answers(task, data, where, found))
        found.pictures.append(LabelledPicture(file, "", cast(Split, split), tree.loader(file), size, said))
    return found


def _answers(task: Mapping[str, Any], data: Any, where: str, found: Found) -> Iterator[Said]:
    if "data" not in task:  # JSON-MIN: one answer, its choices beside the data
        choice = _one_choice(task.get("choice", task.get("label")))
        if choice:
            yield _said(choice, _annotator(task.get("annotator")), task)
        return
    for prediction in _list(task.get("predictions")):
        choice = _choice(prediction.get("result"), where, found)
        if choice:
            annotator = _text(data.get("imported_by"), LONGEST_ANNOTATOR) or "import"
            told = _said(choice, annotator, prediction)
            yield told if told.kind != "label" else replace(told, kind="import", seconds_spent=None)
    first: str | None = None
    for annotation in _list(task.get("annotations", task.get("completions"))):
        own = _text(data.get("annotator"), LONGEST_ANNOTATOR) if first is None else None
        annotator = _annotator(annotation.get("completed_by")) or own or "label-studio"
        if annotation.get("was_cancelled") is True:
            yield Said("skip", None, annotator, instant(annotation.get("created_at")))
            continue
        choice = _choice(annotation.get("result"), where, found)
        if choice:
            told = _said(choice, annotator, annotation)
            second = first is not None and annotator != first
            yield replace(told, blind=second, reason="second" if second else None)
            first = first or annotator


def _said(choice: str, annotator: str | None, of: Mapping[str, Any]) -> Said:
    seconds: Any = of.get("lead_time")
    usable = isinstance(seconds, (int, float)) and not isinstance(seconds, bool) and 0 <= seconds < 1e9  # nor nan
    kind = STATES.get(choice, "label")
    return Said(
        kind, None if choice in STATES else choice, annotator or "label-studio", instant(of.get("created_at")),
        _text(of.get("comment"), LONGEST_COMMENT), float(seconds) if usable else None,
    )  # fmt: skip


def _choice(result: Any, where: str, found: Found) -> str | None:
    """The one class that an annotation names; what names several, or marks regions, is named and left out."""
    chosen = []
    for region in _list(result):
        value = region.get("value")
        if region.get("type") == "choices" and isinstance(value, dict):
            chosen += [value.get("choices")]
        elif region.get("type") == "taxonomy" and isinstance(value, dict):
            chosen += [path[-1:] for path in value.get("taxonomy") or () if isinstance(path, list)]
    named = [choice for choice in map(_one_choice, chosen) if choice]
    if len(named) == 1 and len(chosen) == 1:
        return named[0]
    if chosen or _list(result):
        found.skip(where, "has an annotation that does not name one class")
    return None


def _one_choice(chosen: Any) -> str | None:
    if isinstance(chosen, dict):
        chosen = chosen.get("choices")
    if isinstance(chosen, list) and len(chosen) == 1:
        chosen = chosen[0]
    return _text(chosen, 300)


def _annotator(who: Any) -> str | None:
    """A name for the number, e-mail address or record by which Label Studio knows a person."""
    if isinstance(who, dict):
        who = who.get("email") or who.get("username") or who.get("id")
    if isinstance(who, int) and not isinstance(who, bool):
        return f"label-studio-{who % 10**12}"
    return _text(who, LONGEST_ANNOTATOR)


def _text(value: Any, longest: int) -> str | None:
    if not isinstance(value, str) or "\0" in value:
        return None
    return plain_text(value.strip(), "\n\t")[:longest] or None


def _list(value: Any) -> list[dict[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


# --- where the pictures are ------------------------------------------------------------------------------------


def _picture_of(data: Any) -> str | None:
    """What the task shows: its `image`, or else the first value that looks like a picture's file."""
    if not isinstance(data, dict):
        return None
    values = [data.get("image"), *data.values()]
    texts = [value for value in values if isinstance(value, str) and value]
    if isinstance(data.get("image"), str) and texts:
        return texts[0]
    return next((t for t in texts if PurePosixPath(urlsplit_path(t)).suffix.lower() in PICTURE_ENDINGS), None)


def urlsplit_path(text: str) -> str:
    try:
        return urlsplit(text).path
    except ValueError:
        return text


class _Places:
    """Finds the file that a task means, whatever folder Label Studio had it in."""

    def __init__(self, files: list[str]) -> None:
        self._files = set(files)
        self._names = Counter(name.rpartition("/")[2] for name in files)
        self._by_name = {name.rpartition("/")[2]: name for name in files}

    def find(self, shown: str) -> tuple[str | None, str]:
        """The file, or None and why."""
        try:
            url = urlsplit(shown)
            query = parse_qs(url.query).get("d", [])
        except ValueError:
            return None, "is no address"
        if shown in self._files:
            return shown, ""
        if url.scheme in ("http", "https") and url.path.startswith("/data/"):
            url = url._replace(scheme="", netloc="")  # of a Label Studio server
        if url.scheme:
            return None, f"lies elsewhere ({url.scheme}): put the pictures beside the tasks"
        path = query[0] if query and url.path.endswith("local-files/") else unquote(url.path)
        tail = path.strip("/")
        while "/" in tail and tail not in self._files:
            tail = tail.partition("/")[2]
        if tail in self._files:
            return tail, ""
        uploaded = _UPLOADED.fullmatch(tail)
        for name in (tail, uploaded[1] if uploaded else tail):
            if self._names[name] == 1:
                return self._by_name[name], ""
            if self._names[name] > 1:
                return None, "is the name of several files below the folder of the tasks"
        return None, "is not there"


def _below(folder: Path) -> list[str]:
    """Names of all pictures below a folder; hidden folders and links to folders are not entered."""
    names = []
    for root, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        inner = Path(root).relative_to(folder).as_posix()
        prefix = "" if inner == "." else f"{inner}/"
        names += [prefix + name for name in files if PurePosixPath(name).suffix.lower() in PICTURE_ENDINGS]
    return names
