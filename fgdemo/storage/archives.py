"""Pictures in a zip archive, read where they lie: nothing is unpacked, so nothing can be written anywhere."""

from __future__ import annotations

import zipfile
import zlib
from functools import partial
from pathlib import Path, PurePosixPath

from fgdemo.errors import DatasetError
from fgdemo.storage.files import LEFT_BY_THE_SYSTEM, PICTURE_ENDINGS
from fgdemo.storage.labelled import SPLIT_NAMES, Found, LabelledPicture

MOST_ENTRIES = 1_000_000
LARGEST_PICTURE_BYTES = 200_000_000
LARGEST_RATIO = 200
"""A picture hardly shrinks when it is packed; what shrinks to less than this was made to fill a disk."""


def read_zip(path: Path) -> Found:
    """Class folders, train/val/test folders of class folders, or loose pictures (without labels) in an archive.

    Entries that lead out of it, links, bombs and encrypted ones are named in `skipped`.

    Raises:
        DatasetError: not there, not a zip archive, or more than a million entries.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except FileNotFoundError:
        raise DatasetError(f"There is no archive “{path}”.") from None
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise DatasetError(f"“{path.name}” is not a zip archive that can be read: pack it again.") from error
    if len(entries) > MOST_ENTRIES:
        raise DatasetError(f"“{path.name}” has more than {MOST_ENTRIES:,} entries: pack it in several archives.")
    found = Found()
    usable = []
    for entry in sorted(entries, key=lambda entry: entry.filename):
        if entry.is_dir():
            continue
        fault = _fault(entry)
        if fault:
            found.skip(entry.filename, fault)
        elif not _is_hidden(entry.filename):
            usable.append(entry)
    folders = [PurePosixPath(entry.filename).parts[:-1] for entry in usable]
    shared = _shared_folders(folders)
    for entry, folder in zip(usable, folders, strict=True):
        inner = folder[shared:]
        first, second = (*inner, "", "")[:2]
        split = SPLIT_NAMES.get(first.lower()) if second else None
        label = second if split else first
        load = partial(_load, path, entry.filename)
        found.pictures.append(LabelledPicture(entry.filename, label, split or "train", load, entry.file_size))
    return found


def _fault(entry: zipfile.ZipInfo) -> str | None:
    """Why an entry is not read; None if it may be."""
    parts = PurePosixPath(entry.filename.replace("\\", "/")).parts
    if ".." in parts or entry.filename.startswith(("/", "\\")) or (parts and ":" in parts[0]):
        return "leads out of the archive"
    if (entry.external_attr >> 16) & 0o170000 not in (0, 0o100000):
        return "is a link or a device, not a file"
    if entry.flag_bits & 1:
        return "is encrypted"
    if entry.file_size == 0:
        return "is an empty file"
    if PurePosixPath(entry.filename).suffix.lower() not in PICTURE_ENDINGS:
        return "is not a picture by its ending"
    if entry.file_size > LARGEST_PICTURE_BYTES or entry.file_size > LARGEST_RATIO * max(entry.compress_size, 1):
        return "is too large when unpacked"
    return None


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") or part.lower() in LEFT_BY_THE_SYSTEM for part in PurePosixPath(name).parts)


def _shared_folders(folders: list[tuple[str, ...]]) -> int:
    """How many outer folders wrap everything: an archive of “birds” often begins with “birds/”."""
    shared = 0
    while folders and all(len(folder) > shared + 1 for folder in folders):
        names = {folder[shared] for folder in folders}
        if len(names) > 1 or next(iter(names)).lower() in SPLIT_NAMES:
            break
        shared += 1
    return shared


def _load(path: Path, name: str) -> bytes:
    """The bytes of one entry. Raises OSError whatever is wrong with it."""
    try:
        with zipfile.ZipFile(path) as archive, archive.open(name) as file:
            content = file.read(LARGEST_PICTURE_BYTES + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, KeyError) as error:
        raise OSError(5, "damaged in the archive") from error
    if len(content) > LARGEST_PICTURE_BYTES:
        raise OSError(27, "too large when unpacked")
    return content
