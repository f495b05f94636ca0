"""Pictures on this disk, in class folders or in no order."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from fgdemo.errors import DatasetError
from fgdemo.storage.labelled import PICTURE_ENDINGS, SPLIT_NAMES, Found, LabelledPicture, Split

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
        name = Path(entry.path).relative_to(root).as_posix()
        if not entry.is_dir():
            found.skip(name, "lies outside the class folders")
            continue
        before = len(found.pictures)
        for file in _walk(root, entry, found):
            _add(root, file, entry.name, split, found)
        if len(found.pictures) == before and not entry.is_symlink():
            found.skip(name, "is a class folder without pictures")


def _add(root: Path, file: Path, label: str, split: Split, found: Found) -> None:
    name = file.relative_to(root).as_posix()
    size = file.stat().st_size
    if size == 0:
        found.skip(name, "is an empty file")
    elif file.suffix.lower() not in PICTURE_ENDINGS:
        found.skip(name, "is not a picture by its ending")
    else:
        found.pictures.append(LabelledPicture(name, label, split, partial(Path.read_bytes, file), size))


def _walk(root: Path, entry: os.DirEntry[str], found: Found) -> Iterator[Path]:
    """All files below in order of name; links to folders and links that leave the source are not followed."""
    path = Path(entry.path)
    if entry.is_symlink() and (entry.is_dir() or not _inside(root, path)):
        found.skip(path.relative_to(root).as_posix(), "is a link that is not followed")
    elif entry.is_dir():
        for child in _visible(path):
            yield from _walk(root, child, found)
    elif entry.is_file():
        yield path
    else:
        found.skip(path.relative_to(root).as_posix(), "is not a file")


def _visible(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            kept = [e for e in entries if not e.name.startswith(".") and e.name.lower() not in LEFT_BY_THE_SYSTEM]
    except OSError as error:
        raise DatasetError(f"The folder “{folder.name}” cannot be read ({error.strerror}).") from error
    return sorted(kept, key=lambda entry: entry.name)


def _inside(root: Path, path: Path) -> bool:
    return path.resolve().is_relative_to(root.resolve())
