"""Files that lie together, in a folder or in an archive, under one kind of name."""

from __future__ import annotations

import lzma
import os
import stat
import threading
import zipfile
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Protocol

from fgdemo.storage.trees.listing import Listing, list_folder
from fgdemo.values.errors import DatasetError

LARGEST_PICTURE_BYTES = 200_000_000
LARGEST_TABLE_BYTES = 2_000_000_000


class Tree(Protocol):
    """Names are paths with slashes; none leads out of the tree."""

    title: str
    """What to call it in a sentence."""

    def size(self, name: str) -> int | None:
        """Bytes of a file, or None where there is no such file in the tree."""
        ...

    def loader(self, name: str) -> Callable[[], bytes]:
        """Reads a picture; can be pickled; raises OSError."""
        ...

    def read(self, name: str) -> bytes:
        """A table. Raises DatasetError."""
        ...

    def listing(self) -> Listing:
        """Everything in it. Raises DatasetError."""
        ...


class Below:
    """A folder of a tree as a tree of its own."""

    def __init__(self, tree: Tree, folder: str) -> None:
        self._tree, self._prefix = tree, f"{folder}/" if folder else ""
        self.title = tree.title

    def size(self, name: str) -> int | None:
        return self._tree.size(self._prefix + name)

    def loader(self, name: str) -> Callable[[], bytes]:
        return self._tree.loader(self._prefix + name)

    def read(self, name: str) -> bytes:
        return self._tree.read(self._prefix + name)

    def listing(self) -> Listing:
        whole, cut = self._tree.listing(), len(self._prefix)
        return Listing(
            {name[cut:]: size for name, size in whole.files.items() if name.startswith(self._prefix)},
            {name[cut:] for name in whole.folders if name.startswith(self._prefix)},
            [(name[cut:], reason) for name, reason in whole.faults if name.startswith(self._prefix)],
        )


class FolderTree:
    """The files of a folder, links that leave it left out."""

    def __init__(self, root: Path) -> None:
        self.title, self._root, self._real = root.name, root, root.resolve()
        self._inside: dict[str, bool] = {}
        self._listing: Listing | None = None

    def listing(self) -> Listing:
        if self._listing is None:
            self._listing = list_folder(self._root)
        return self._listing

    def size(self, name: str) -> int | None:
        folder = name.rpartition("/")[0]
        if "\0" in name or "\\" in name or name.startswith("/") or ".." in folder.split("/"):
            return None
        path = os.path.join(self._root, name)  # noqa: PTH118 objects take most of the time of a large listing
        try:
            found = os.lstat(path)
            if not self._lies_inside(folder) or (stat.S_ISLNK(found.st_mode) and not self._resolves_inside(name)):
                return None
            found = os.stat(path) if stat.S_ISLNK(found.st_mode) else found  # noqa: PTH116
        except (OSError, ValueError):  # not there, or a name that is too long
            return None
        return found.st_size if stat.S_ISREG(found.st_mode) else None

    def loader(self, name: str) -> Callable[[], bytes]:
        return partial(read_file, str(self._root / name))

    def read(self, name: str) -> bytes:
        path = self._root / name
        try:
            if path.stat().st_size > LARGEST_TABLE_BYTES:
                raise DatasetError(f"“{path.name}” has more than {LARGEST_TABLE_BYTES:,} bytes: split it.")
            return path.read_bytes()
        except OSError as error:
            raise DatasetError(f"“{path.name}” cannot be read ({error.strerror}).") from error

    def _lies_inside(self, folder: str) -> bool:
        if folder not in self._inside:
            self._inside[folder] = self._resolves_inside(folder)
        return self._inside[folder]

    def _resolves_inside(self, name: str) -> bool:
        return (self._root / name).resolve().is_relative_to(self._real)


def read_file(path: str) -> bytes:
    """The bytes of a file. Raises OSError."""
    with open(path, "rb") as file:  # noqa: PTH123
        return file.read()


class ZipTree:
    """Entries of an archive that may be read. Opened once, whatever is read.

    Args:
        entries: the name in the archive for each path.
    """

    def __init__(self, archive: Archive, listing: Listing, entries: dict[str, str]) -> None:
        self.title, self._archive, self._listing, self._entries = archive.path.name, archive, listing, entries

    def listing(self) -> Listing:
        return self._listing

    def size(self, name: str) -> int | None:
        return self._listing.files.get(name)

    def loader(self, name: str) -> Callable[[], bytes]:
        return partial(self._archive.load, self._entries[name])

    def read(self, name: str) -> bytes:
        try:
            return self._archive.load(self._entries[name], LARGEST_TABLE_BYTES)
        except OSError as error:
            raise DatasetError(f"“{name}” in “{self.title}” cannot be read ({error.strerror}).") from error


class Archive:
    """A zip archive that is opened when it is first read from, and again in another process."""

    def __init__(self, path: Path, opened: zipfile.ZipFile | None = None) -> None:
        self.path = path
        self._opened = opened
        self._lock = threading.Lock()

    def __getstate__(self) -> Path:
        return self.path

    def __setstate__(self, path: Path) -> None:
        self.__init__(path)

    def entries(self) -> list[zipfile.ZipInfo]:
        return self._opened.infolist() if self._opened is not None else []

    def load(self, name: str, most_bytes: int = LARGEST_PICTURE_BYTES) -> bytes:
        """The bytes of one entry. Raises OSError whatever is wrong with it."""
        try:
            with self._lock:
                if self._opened is None:
                    self._opened = zipfile.ZipFile(self.path)
            with self._opened.open(name) as file:
                content = file.read(most_bytes + 1)
        except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, ValueError) as error:
            raise OSError(5, "damaged in the archive") from error
        except (NotImplementedError, RuntimeError, KeyError) as error:
            raise OSError(5, "damaged in the archive") from error
        if len(content) > most_bytes:
            raise OSError(27, "too large when unpacked")
        return content
