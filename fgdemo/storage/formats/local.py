"""Files and folders on this disk as sources: what each is, and who reads it."""

import re
from dataclasses import replace
from pathlib import Path

from fgdemo.storage.disk.outputs import restore
from fgdemo.storage.formats.label_studio.tasks import export_among, read_tasks
from fgdemo.storage.formats.layouts import read_tree
from fgdemo.storage.formats.parquet import holds_parquet, read_parquet
from fgdemo.storage.formats.unread import SPREADSHEETS, Asked, name_unread
from fgdemo.storage.formats.workspaces import DATABASE, read_workspace
from fgdemo.storage.records.workspace_records import read_workspace_lines
from fgdemo.storage.tables.rows import read_table
from fgdemo.storage.tables.sheets import ENDINGS
from fgdemo.storage.trees.folders import split_in
from fgdemo.storage.trees.listing import require_folder
from fgdemo.storage.trees.tars import COMPRESSED, OTHERS, open_tar
from fgdemo.storage.trees.tree import FolderTree, Tree
from fgdemo.storage.trees.zips import open_zip
from fgdemo.values.errors import DatasetError
from fgdemo.values.labelled import PICTURE_ENDINGS, LabelledPicture, SourceContent, ending_of, plain_text

IN_FOLDERS = (".zip", ".tar")
BESIDE_ARCHIVES = "lies beside archives, which were read instead of it: put it into one of them"
_WITH_CONTROL = re.compile(r"(.+\.(?:json|csv|tsv))#([^/\\]+)", re.IGNORECASE | re.DOTALL)
"""An export of Label Studio, and the control that names the kind."""


def read_local(path: Path, partly_labelled: bool) -> SourceContent | None:
    """What a file or folder holds; None where there is none, and no name of a known kind of file.

    Args:
        partly_labelled: pictures without a label are taken too, rather than named and left out.

    Raises:
        DatasetError: it cannot be read.
    """
    named = _WITH_CONTROL.fullmatch(str(path))
    control = named[2] if named else None
    path = Path(named[1]) if named else path
    restore(path)
    if path.is_dir():
        return _read_folder(path, partly_labelled)
    ending = path.suffix.lower()
    if ending in (".zip", ".tar") or path.name.lower().endswith(COMPRESSED):
        return read_tree(_opened(path), partly_labelled)
    if ending in SPREADSHEETS and path.exists():
        raise DatasetError(f"“{path.name}” is a spreadsheet: save it as “CSV UTF-8”.")
    if ending in OTHERS:
        raise DatasetError(f"“{path.name}” is a {OTHERS[ending]} archive, which is not read: pack it as .zip or .tar.")
    if ending == ".parquet" and path.name.lower() != "metadata.parquet":
        return read_parquet(path, partly_labelled)
    if ending == ".json" or (ending in (".csv", ".tsv") and export_among(FolderTree(path.parent), [path.name])):
        return read_tasks(path, control)
    if ending == ".jsonl" and _is_workspace(path):
        return read_workspace_lines(FolderTree(path.parent), path.name)
    if ending in ENDINGS:
        return read_table(path, partly_labelled)
    if path.exists():
        require_folder(path)
    return None


def read_any_folder(root: Path) -> SourceContent:
    """Every picture below a folder, however it is arranged, with an empty label.

    Raises:
        DatasetError: not a folder, or it cannot be read.
    """
    tree = FolderTree(root)
    listing = tree.listing()
    found = SourceContent(skipped=list(listing.faults))
    for name, size in listing.files.items():
        if ending_of(name) in PICTURE_ENDINGS:
            found.pictures.append(LabelledPicture(name, "", "train", tree.loader(name), size))
        else:
            found.skip(name, "is not a picture by its ending")
    return found


def _read_folder(path: Path, partly_labelled: bool) -> SourceContent:
    if (path / DATABASE).is_file():
        return read_workspace(path)
    tree = FolderTree(path)
    listing = tree.listing()
    has_pictures = any(ending_of(name) in PICTURE_ENDINGS for name in listing.files)
    if holds_parquet(path):
        asked = Asked(tree)
        try:
            found = read_parquet(path, partly_labelled, asked)
        except DatasetError:
            if not has_pictures:
                raise
        else:
            found.skipped[:0] = listing.faults
            name_unread(listing, asked.names, found)
            return found
    archives = [name for name in listing.files if name.lower().endswith(IN_FOLDERS)]
    if archives and not has_pictures:
        found = _read_archives(path, archives, partly_labelled)
        found.skipped[:0] = listing.faults
        found.skipped.extend((plain_text(name), BESIDE_ARCHIVES) for name in listing.files if name not in archives)
        return found
    found = read_tree(tree, partly_labelled)
    if not found.pictures and not listing.folders and not partly_labelled:
        raise DatasetError(
            f"“{path}” has no class folders: put the pictures of each class in a folder of its own, "
            "or name a CSV table with the columns path and label."
        )
    return found


def _read_archives(root: Path, names: list[str], partly_labelled: bool) -> SourceContent:
    """A folder of archives, such as `train.zip` and `test.zip`: all of them, each in the split that its name says."""
    found = SourceContent()
    for name in names:
        part = read_tree(_opened(root / name), partly_labelled)
        split = split_in(Path(name).stem)
        if split is not None:
            part.pictures[:] = [replace(picture, split=split) for picture in part.pictures]
        found.extend(part, f"{name}/" if len(names) > 1 else "")
    return found


def _opened(path: Path) -> Tree:
    return open_zip(path) if path.suffix.lower() == ".zip" else open_tar(path)


def _is_workspace(path: Path) -> bool:
    """Whether lines of JSON are those of a workspace; a file that is not there is nothing else."""
    try:
        with path.open("rb") as file:
            return b'"file_name"' not in file.read(2000)
    except OSError as error:
        raise DatasetError(f"There is no file “{path}”.") from error
