"""Pictures in a zip archive, read where they lie: nothing is unpacked, so nothing can be written anywhere."""

from __future__ import annotations

import zipfile
from pathlib import Path, PurePosixPath

from fgdemo.errors import DatasetError
from fgdemo.storage.files import LEFT_BY_THE_SYSTEM
from fgdemo.storage.labelled import PICTURE_ENDINGS, SPLIT_NAMES, Found, LabelledPicture
from fgdemo.storage.trees import LARGEST_PICTURE_BYTES, LARGEST_TABLE_BYTES, Archive, ZipTree

MOST_ENTRIES = 1_000_000
LARGEST_RATIO = 200
"""A picture hardly shrinks when it is packed; what shrinks to less than this was made to fill a disk."""
_TABLES = (".csv", ".json", ".jsonl", ".parquet")
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)


def read_zip(path: Path) -> tuple[Found, ZipTree, list[str]]:
    """Class folders, train/val/test folders of class folders, or loose pictures (without labels) in an archive.

    Entries that lead out of it, links, bombs and encrypted ones are named in `skipped`.

    Returns:
        What was found; the entries as a tree; and the names of tables at the top of that tree, which may know better
        what the pictures show.

    Raises:
        DatasetError: not there, not a zip archive, more than a million entries, or entries that lie over each other.
    """
    entries = _entries(path)
    found, usable, tables = Found(), [], {}
    for entry in sorted(entries, key=lambda entry: entry.filename):
        name = entry.filename
        if name.endswith("/"):
            continue
        fault = _fault(entry)
        if fault is None and not _is_hidden(name):
            usable.append(entry)
        elif fault == "is not a picture by its ending" and name.lower().endswith(_TABLES) and not _is_hidden(name):
            tables[name] = min(entry.file_size, LARGEST_TABLE_BYTES)
        elif fault:
            found.skip(name, fault)
    folders = [tuple(entry.filename.split("/")[:-1]) for entry in usable]
    shared = _shared_folders(folders)
    archive = Archive(path)
    top, tops = _top_tables(list(tables))
    tree = ZipTree(archive, {entry.filename: entry.file_size for entry in usable} | tables, top)
    whole = ZipTree(archive, {}, "")
    for entry, folder in zip(usable, folders, strict=True):
        first, second = (*folder[shared:], "", "")[:2]
        split = SPLIT_NAMES.get(first.lower()) if second else None
        label = second if split else first
        load = whole.loader(entry.filename)
        found.pictures.append(LabelledPicture(entry.filename, label, split or "train", load, entry.file_size))
    return found, tree, tops


def _entries(path: Path) -> list[zipfile.ZipInfo]:
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
        length = path.stat().st_size
    except FileNotFoundError:
        raise DatasetError(f"There is no archive “{path}”.") from None
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise DatasetError(f"“{path.name}” is not a zip archive that can be read: pack it again.") from error
    if len(entries) > MOST_ENTRIES:
        raise DatasetError(f"“{path.name}” has more than {MOST_ENTRIES:,} entries: pack it in several archives.")
    if sum(entry.compress_size for entry in entries) > length:
        raise DatasetError(f"The entries of “{path.name}” lie over each other, so it was made to fill a disk.")
    return entries


def _fault(entry: zipfile.ZipInfo) -> str | None:
    """Why an entry is not read; None if it may be."""
    name = entry.filename
    parts = name.replace("\\", "/").split("/")
    if ".." in parts or name.startswith(("/", "\\")) or ":" in parts[0]:
        return "leads out of the archive"
    if (entry.external_attr >> 16) & 0o170000 not in (0, 0o100000):
        return "is a link or a device, not a file"
    if entry.flag_bits & 1:
        return "is encrypted"
    if entry.file_size == 0:
        return "is an empty file"
    if entry.file_size > LARGEST_RATIO * max(entry.compress_size, 1):
        return "is too large when unpacked"
    if PurePosixPath(name).suffix.lower() not in PICTURE_ENDINGS:
        return "is an archive in the archive" if name.lower().endswith(".zip") else "is not a picture by its ending"
    if entry.file_size > LARGEST_PICTURE_BYTES:
        return "is too large when unpacked"
    return None if entry.compress_type in _METHODS else "is packed in a way that cannot be read"


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") or part.lower() in LEFT_BY_THE_SYSTEM for part in name.split("/"))


def _shared_folders(folders: list[tuple[str, ...]]) -> int:
    """How many outer folders wrap everything: an archive of “birds” often begins with “birds/”."""
    shared = 0
    while folders and all(len(folder) > shared + 1 for folder in folders):
        names = {folder[shared] for folder in folders}
        if len(names) > 1 or next(iter(names)).lower() in SPLIT_NAMES:
            break
        shared += 1
    return shared


def _top_tables(tables: list[str]) -> tuple[str, list[str]]:
    """The outermost folder that holds tables, and their names in it."""
    top = min((name.rpartition("/")[0] for name in tables), key=lambda folder: (folder.count("/"), folder), default="")
    prefix = f"{top}/" if top else ""
    return prefix, sorted(n[len(prefix) :] for n in tables if n.rpartition("/")[0] == top)
