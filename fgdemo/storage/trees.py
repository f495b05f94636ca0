"""Files that lie together, in a folder or in a zip archive, under one kind of name."""

from __future__ import annotations

import lzma
import threading
import zipfile
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Protocol

from fgdemo.errors import DatasetError

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


class FolderTree:
    """The files of a folder, links that leave it left out."""

    def __init__(self, root: Path) -> None:
        self.title, self._root, self._real = root.name, root, root.resolve()
        self._inside: dict[Path, bool] = {}

    def size(self, name: str) -> int | None:
        if "\0" in name or "\\" in name or name.startswith("/") or ".." in PurePosixPath(name).parts:
            return None
        path = self._root / name
        try:
            if not self._lies_inside(path.parent) or (path.is_symlink() and not self._resolves_inside(path)):
                return None
            return path.stat().st_size if path.is_file() else None
        except OSError:  # a name that is too long
            return None

    def loader(self, name: str) -> Callable[[], bytes]:
        return partial(Path.read_bytes, self._root / name)

    def read(self, name: str) -> bytes:
        path = self._root / name
        try:
            if path.stat().st_size > LARGEST_TABLE_BYTES:
                raise DatasetError(f"“{path.name}” has more than {LARGEST_TABLE_BYTES:,} bytes: split it.")
            return path.read_bytes()
        except OSError as error:
            raise DatasetError(f"“{path.name}” cannot be read ({error.strerror}).") from error

    def _lies_inside(self, folder: Path) -> bool:
        if folder not in self._inside:
            self._inside[folder] = self._resolves_inside(folder)
        return self._inside[folder]

    def _resolves_inside(self, path: Path) -> bool:
        return path.resolve().is_relative_to(self._real)


class ZipTree:
    """Entries of an archive that may be read, below its folder `prefix`. Opened once, whatever is read."""

    def __init__(self, archive: Archive, sizes: dict[str, int], prefix: str) -> None:
        self.title, self._archive, self._sizes, self._prefix = archive.path.name, archive, sizes, prefix

    def names(self) -> list[str]:
        """All that may be read, below the prefix."""
        return [name.removeprefix(self._prefix) for name in self._sizes if name.startswith(self._prefix)]

    def size(self, name: str) -> int | None:
        return self._sizes.get(self._prefix + name)

    def loader(self, name: str) -> Callable[[], bytes]:
        return partial(self._archive.load, self._prefix + name)

    def read(self, name: str) -> bytes:
        try:
            return self._archive.load(self._prefix + name, LARGEST_TABLE_BYTES)
        except OSError as error:
            raise DatasetError(f"“{name}” in “{self.title}” cannot be read ({error.strerror}).") from error


class Archive:
    """A zip archive that is opened when it is first read from, and again in another process."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._opened: zipfile.ZipFile | None = None
        self._lock = threading.Lock()

    def __getstate__(self) -> Path:
        return self.path

    def __setstate__(self, path: Path) -> None:
        self.__init__(path)

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
