"""Sources that are more than class folders: zip archives, exports, other workspaces, tasks of Label Studio."""

from __future__ import annotations

import re
from pathlib import Path

from fgdemo.errors import DatasetError
from fgdemo.storage import archives, files, hub
from fgdemo.storage.label_studio import export_among, read_tasks, read_tasks_in
from fgdemo.storage.labelled import Found
from fgdemo.storage.outputs import restore
from fgdemo.storage.records import WORKSPACE_TABLE, read_workspace_lines
from fgdemo.storage.tables import read_table_in
from fgdemo.storage.trees import FolderTree, ZipTree
from fgdemo.storage.workspaces import DATABASE, read_workspace

PICTURES_TABLE = "pictures.csv"
"""The table that an export writes beside pictures."""
_WITH_CONTROL = re.compile(r"(.+\.(?:json|csv|tsv))#([^/\\]+)", re.IGNORECASE | re.DOTALL)
"""An export of Label Studio, and the control that names the kind."""


def read_any(location: str | Path) -> Found | None:
    """What such a source holds; None where the location is another kind of source.

    Raises:
        DatasetError: it is one of these, but cannot be read.
    """
    named = _WITH_CONTROL.fullmatch(str(location))
    text, control = named.groups() if named else (str(location), None)
    path = Path(text).expanduser()
    ending = path.suffix.lower()
    if ending == ".zip":
        return _read_zip(path)
    if ending == ".jsonl":
        if not path.exists():
            raise DatasetError(f"There is no file “{path}”.")
        return read_workspace_lines(FolderTree(path.parent), path.name)
    if ending == ".json" or (ending in (".csv", ".tsv") and export_among(FolderTree(path.parent), [path.name])):
        return read_tasks(path, control)
    restore(path)
    if not path.is_dir():
        return None
    if (path / DATABASE).is_file():
        return read_workspace(path)
    if (path / WORKSPACE_TABLE).is_file():
        return read_workspace_lines(FolderTree(path), WORKSPACE_TABLE)
    tasks = export_among(FolderTree(path), [file.name for file in path.iterdir() if file.is_file()])
    if tasks is not None:
        return read_tasks(path / tasks)
    if (path / PICTURES_TABLE).is_file():
        return read_table_in(FolderTree(path), PICTURES_TABLE)
    if not hub.holds_parquet(path) and not files.has_class_folders(path):
        return files.read_any_folder(path)
    return None


def _read_zip(path: Path) -> Found:
    """An archive: an export, a table with its pictures, or pictures in folders."""
    found, tree, tables = archives.read_zip(path)
    if WORKSPACE_TABLE in tables:
        return _with_faults(found, read_workspace_lines(tree, WORKSPACE_TABLE))
    tasks = export_among(tree, tables)
    if tasks is not None:
        return _with_faults(found, read_tasks_in(tree, tasks, tree.names()))
    spreadsheets = [name for name in tables if name.lower().endswith(".csv")]
    if PICTURES_TABLE in tables:
        return _with_faults(found, read_table_in(tree, PICTURES_TABLE))
    if len(spreadsheets) == 1 and _is_table(tree, spreadsheets[0]):
        return _with_faults(found, read_table_in(tree, spreadsheets[0]))
    for name in tables:
        found.skip(
            name, "is not read inside an archive: unpack it" if name.endswith(".parquet") else archives.NO_PICTURE
        )
    return found


def _with_faults(entries: Found, read: Found) -> Found:
    """What the table says, and the entries of the archive that may not be read, but for those that are no pictures."""
    read.skipped[:0] = [entry for entry in entries.skipped if entry[1] != archives.NO_PICTURE]
    return read


def _is_table(tree: ZipTree, name: str) -> bool:
    head = tree.read(name)[:10_000].decode("utf-8-sig", "replace").partition("\n")[0].lower()
    return "label" in head and any(title in head for title in ("path", "file", "image"))
