"""Pictures on this disk, in class folders or in no order."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from fgdemo.errors import DatasetError
from fgdemo.storage.labelled import PICTURE_ENDINGS, SPLIT_NAMES, Found, LabelledPicture, Split, ending_of
from fgdemo.storage.trees import read_file

LEFT_BY_THE_SYSTEM = frozenset({"thumbs.db", "desktop.ini", "__macosx"})
MASKS = "masks"
"""Where masks of the pictures lie, beside train and val."""


def read_class_folders(root: Path) -> Found:
    """One folder a class, below train, val and test folders where there are such.

    Raises:
        DatasetError: not a folder, cannot be read, or no folder in it.
    """
    _require_folder(root)
    found = Found()
    folders = [entry for entry in _visible(root) if entry.is_dir()]
    if not folders:
        raise DatasetError(
            f"“{root}” has no class folders: put the pictures of each class in a folder of its own, "
            "or name a CSV table with the columns path and label."
        )
    splits: dict[str, Split] = {}
    for entry in folders:
        split = SPLIT_NAMES.get(entry.name.lower())
        if split and any(child.is_dir() for child in _visible(Path(entry.path))):
            splits[entry.name] = split
    if not splits:
        _read_classes(root, root, "train", found)
        return found
    for entry in folders:
        if entry.name in splits:
            _read_classes(root, Path(entry.path), splits[entry.name], found)
        elif entry.name != MASKS:
            found.skip(entry.name, "is not a train, val or test folder")
    return found


def has_class_folders(root: Path) -> bool:
    """Whether there is a folder in it; otherwise it holds pictures that nobody has sorted."""
    return any(entry.is_dir() for entry in _visible(root))


def read_any_folder(location: str | Path) -> Found:
    """Every picture below a folder, with an empty label.

    Raises:
        DatasetError: not a folder, or it cannot be read.
    """
    root = Path(location).expanduser()
    _require_folder(root)
    found = Found()
    for entry in _visible(root):
        for file in _walk(root, entry, found):
            _add(root, file, "", "train", found)
    return found


def _require_folder(root: Path) -> None:
    if not root.exists():
        raise DatasetError(f"There is no folder “{root}”.")
    if not root.is_dir():
        raise DatasetError(f"“{root}” is a file; a folder with one folder of pictures for each class is expected.")


def _read_classes(root: Path, folder: Path, split: Split, found: Found) -> None:
    for entry in _visible(folder):
        name = _name(root, entry)
        if not entry.is_dir():
            found.skip(name, "lies outside the class folders")
            continue
        before = len(found.pictures)
        for file in _walk(root, entry, found):
            _add(root, file, entry.name, split, found)
        if len(found.pictures) == before and not entry.is_symlink():
            found.skip(name, "is a class folder without pictures")


def _add(root: Path, file: os.DirEntry[str], label: str, split: Split, found: Found) -> None:
    name, size = _name(root, file), file.stat().st_size
    if size == 0:
        found.skip(name, "is an empty file")
    elif ending_of(name) not in PICTURE_ENDINGS:
        found.skip(name, "is not a picture by its ending")
    else:
        found.pictures.append(LabelledPicture(name, label, split, partial(read_file, file.path), size))


def _walk(root: Path, entry: os.DirEntry[str], found: Found) -> Iterator[os.DirEntry[str]]:
    """All files below in order of name; links to folders and links that leave the source are not followed."""
    if entry.is_symlink() and (entry.is_dir() or not _inside(root, Path(entry.path))):
        found.skip(_name(root, entry), "is a link that is not followed")
    elif entry.is_dir():
        for child in _visible(Path(entry.path)):
            yield from _walk(root, child, found)
    elif entry.is_file():
        yield entry
    else:
        found.skip(_name(root, entry), "is not a file")


def _name(root: Path, entry: os.DirEntry[str]) -> str:
    """The path below the source, with slashes. Plain text, since objects take most of the time of a large listing."""
    return entry.path[len(str(root)) :].replace(os.sep, "/").lstrip("/")


def _visible(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            kept = [e for e in entries if not e.name.startswith(".") and e.name.lower() not in LEFT_BY_THE_SYSTEM]
    except OSError as error:
        raise DatasetError(f"The folder “{folder.name}” cannot be read ({error.strerror}).") from error
    return sorted(kept, key=lambda entry: entry.name)


def _inside(root: Path, path: Path) -> bool:
    return path.resolve().is_relative_to(root.resolve())
