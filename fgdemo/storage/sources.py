"""Labelled pictures as people have them: class folders, train/val/test folders, a table, a Hub data set.

A source is *found* here, not decoded: a file that turns out to be damaged is for whoever decodes it to name and
to leave out. Nothing is left out silently, except hidden files: `Source.skipped` names the rest with the reason.
"""

from __future__ import annotations

import hashlib
import os
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

from fgdemo.errors import DatasetError

Split = Literal["train", "val", "test"]

PICTURE_ENDINGS = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"})
SPLIT_NAMES: dict[str, Split] = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}
LEFT_BY_THE_SYSTEM = frozenset({"thumbs.db", "desktop.ini"})


@dataclass(frozen=True)
class LabelledPicture:
    """One picture and the label it was found with."""

    name: str
    """Its path within the source, for messages."""
    label: str
    """The class as the source writes it (a folder name); empty in an unlabelled source."""
    split: Split
    load: Callable[[], bytes]
    """Reads the encoded bytes. Can be pickled. Raises OSError if the file has gone."""
    size_bytes: int | None = None
    """Length of those bytes where it is known without reading them."""


@dataclass(frozen=True)
class Source:
    """What was found, in a stable order. `labels` are sorted; `skipped` holds (name, reason)."""

    pictures: tuple[LabelledPicture, ...]
    labels: tuple[str, ...]
    skipped: tuple[tuple[str, str], ...] = ()

    def part(self, split: Split) -> tuple[LabelledPicture, ...]:
        return tuple(picture for picture in self.pictures if picture.split == split)


@dataclass(frozen=True)
class _Found:
    pictures: list[LabelledPicture]
    skipped: list[tuple[str, str]]


def read_source(location: str | Path, fewest_classes: int = 2) -> Source:
    """Find the labelled pictures of one source; see `read_sources`."""
    return read_sources([location], fewest_classes)


def read_sources(locations: Sequence[str | Path], fewest_classes: int = 2) -> Source:
    """Find the labelled pictures of several sources as if they were one.

    A location is a folder of class folders (everything is `train`) or a folder with train, val and test folders of
    class folders. Classes of the same name in two sources are one class. The same bytes under two labels are
    kept under neither; a training copy of a held-out picture is left out.

    Raises:
        DatasetError: nothing there, not a known layout, or fewer than `fewest_classes` classes.
    """
    found = _Found([], [])
    for location in locations:
        one = _read_folder(location)
        prefix = f"{Path(location).name}/" if len(locations) > 1 else ""
        found.pictures.extend(replace(picture, name=prefix + picture.name) for picture in one.pictures)
        found.skipped.extend((prefix + name, reason) for name, reason in one.skipped)
    where = " and ".join(f"“{location}”" for location in locations)
    if not found.pictures:
        raise DatasetError(f"There are no pictures in {where}: expected one folder of pictures for each class.")
    pictures, doubled = _without_conflicts(found.pictures)
    labels = tuple(sorted({picture.label for picture in pictures}))
    if len(labels) < fewest_classes:
        only = f"only the class “{labels[0]}”" if labels else "no class"
        raise DatasetError(f"There is {only} with usable pictures in {where}; at least {fewest_classes} are needed.")
    return Source(tuple(pictures), labels, (*found.skipped, *doubled))


def split_off_val(source: Source, share: float = 0.2, seed: int = 0) -> Source:
    """Hold out a share of each class as `val`; a source that already has a `val` part comes back as it is.

    Byte-identical pictures stay together, a class never loses its last training picture, and adding a
    class does not change which pictures of the others are held out.
    """
    if source.part("val"):
        return source
    groups: dict[str, dict[Hashable, list[int]]] = defaultdict(lambda: defaultdict(list))
    for index, key in enumerate(_content_keys(source.pictures)):
        picture = source.pictures[index]
        if picture.split == "train":
            groups[picture.label][key].append(index)
    held_out: set[int] = set()
    for label, same in groups.items():
        copies = list(same.values())
        random.Random(f"{seed}:{label}").shuffle(copies)
        wanted = max(1, round(share * sum(map(len, copies))))
        taken = 0
        for group in copies[1:]:
            if taken + len(group) > wanted and taken:
                continue
            if taken >= wanted:
                break
            held_out.update(group)
            taken += len(group)
    pictures = tuple(replace(p, split="val") if i in held_out else p for i, p in enumerate(source.pictures))
    return replace(source, pictures=pictures)


# --- folders -----------------------------------------------------------------------------------------------


def _read_folder(location: str | Path) -> _Found:
    root = Path(location).expanduser()
    if not root.exists():
        raise DatasetError(f"There is no folder “{location}”.")
    if not root.is_dir():
        raise DatasetError(f"“{location}” is a file; a folder with one folder of pictures for each class is expected.")
    found = _Found([], [])
    folders = [entry for entry in _visible(root) if entry.is_dir()]
    if not folders:
        raise DatasetError(f"“{location}” has no class folders: put the pictures of each class in a folder of its own.")
    splits = {entry.name: split for entry in folders if (split := SPLIT_NAMES.get(entry.name.lower()))}
    splits = {name: split for name, split in splits.items() if any(e.is_dir() for e in _visible(root / name))}
    if not splits:
        _read_class_folders(root, root, "train", found)
        return found
    for entry in folders:
        if entry.name in splits:
            _read_class_folders(root, Path(entry.path), splits[entry.name], found)
        else:
            found.skipped.append((entry.name, "not one of the folders train, val and test beside it"))
    return found


def _read_class_folders(root: Path, folder: Path, split: Split, found: _Found) -> None:
    for entry in _visible(folder):
        name = Path(entry.path).relative_to(root).as_posix()
        if not entry.is_dir():
            found.skipped.append((name, "lies outside the class folders"))
            continue
        before = len(found.pictures)
        for file in _walk(root, entry, found.skipped):
            file_name = Path(file.path).relative_to(root).as_posix()
            size = file.stat().st_size
            if size == 0:
                found.skipped.append((file_name, "is an empty file"))
            elif Path(file.name).suffix.lower() not in PICTURE_ENDINGS:
                found.skipped.append((file_name, "is not a picture by its ending"))
            else:
                load = partial(Path.read_bytes, Path(file.path))
                found.pictures.append(LabelledPicture(file_name, entry.name, split, load, size))
        if len(found.pictures) == before:
            found.skipped.append((name, "is a class folder without pictures"))


def _walk(root: Path, entry: os.DirEntry[str], skipped: list[tuple[str, str]]) -> Iterator[os.DirEntry[str]]:
    """All files below in order of name; links to folders and links that leave the source are not followed."""
    if entry.is_symlink() and (entry.is_dir() or not _inside(root, Path(entry.path))):
        skipped.append((Path(entry.path).relative_to(root).as_posix(), "is a link that is not followed"))
    elif entry.is_dir():
        for child in _visible(Path(entry.path)):
            yield from _walk(root, child, skipped)
    elif entry.is_file():
        yield entry
    else:
        skipped.append((Path(entry.path).relative_to(root).as_posix(), "is not a file"))


def _visible(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            kept = [
                e
                for e in entries
                if not e.name.startswith((".", "__MACOSX")) and e.name.lower() not in LEFT_BY_THE_SYSTEM
            ]
    except OSError as error:
        raise DatasetError(f"The folder “{folder.name}” cannot be read ({error.strerror}).") from error
    return sorted(kept, key=lambda entry: entry.name)


def _inside(root: Path, path: Path) -> bool:
    return path.resolve().is_relative_to(root.resolve())


# --- the same bytes twice ----------------------------------------------------------------------------------


def _content_keys(pictures: Sequence[LabelledPicture]) -> list[Hashable]:
    """One key a picture, equal exactly for equal bytes; only files of equal length are read."""
    lengths = Counter(picture.size_bytes for picture in pictures)
    keys: list[Hashable] = []
    for index, picture in enumerate(pictures):
        if picture.size_bytes is not None and lengths[picture.size_bytes] == 1:
            keys.append(index)
            continue
        try:
            keys.append(hashlib.sha256(picture.load()).digest())
        except OSError:
            keys.append(index)  # whoever decodes it will name it
    return keys


def _without_conflicts(found: Iterable[LabelledPicture]) -> tuple[list[LabelledPicture], list[tuple[str, str]]]:
    pictures = list(found)
    same: dict[Hashable, list[LabelledPicture]] = defaultdict(list)
    keys = _content_keys(pictures)
    for key, picture in zip(keys, pictures, strict=True):
        same[key].append(picture)
    kept: list[LabelledPicture] = []
    skipped: list[tuple[str, str]] = []
    for key, picture in zip(keys, pictures, strict=True):
        others = [other for other in same[key] if other is not picture]
        rival = next((other for other in others if other.label != picture.label), None)
        held_out = next((other for other in others if other.split != "train"), None)
        if rival is not None:
            skipped.append((picture.name, f"is the same picture as {rival.name}, which has another label"))
        elif picture.split == "train" and held_out is not None:
            skipped.append((picture.name, f"is the same picture as {held_out.name}, which is held out"))
        else:
            kept.append(picture)
    return kept, skipped
