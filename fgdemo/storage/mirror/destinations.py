"""Where a mirror lies: a folder, any fsspec URL, or a data set repository of the Hugging Face Hub.

Only this module and `hub_destination` know the difference. Names of files have "/" between their parts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from fgdemo.storage.disk.durable import disk_is_full, write_durably
from fgdemo.storage.disk.unfinished import BEING_WRITTEN, clear_unfinished
from fgdemo.values.errors import SettingsError, StorageError, UnavailableError

HUB = "hf://datasets/"
WRITERS = 4
REST_S = 2.0


class GoneError(UnavailableError):
    """A file is not at the destination."""


@dataclass(frozen=True)
class Sending:
    """A file on its way to a mirror.

    Attributes:
        content: its bytes, or the file that holds them.
        is_named_by_hash: what lies there under its name already is the same, if it is whole.
    """

    name: str
    content: bytes | Path
    is_named_by_hash: bool = False

    def read(self) -> bytes:
        """Raises StorageError if the file of the workspace cannot be read."""
        if isinstance(self.content, bytes):
            return self.content
        try:
            return self.content.read_bytes()
        except OSError as error:
            raise StorageError(f"A file of the workspace cannot be read ({error.strerror}).") from error


class Destination(Protocol):
    """A place that keeps files. Each function raises UnavailableError where it cannot be reached, or is full.

    Attributes:
        rest_s: so long is it left alone after each `write`.
    """

    rest_s: float

    def names(self, folder: str) -> dict[str, int]:
        """The size in bytes of each file in a folder and those below it, by its whole name; empty if it is not there.

        Nothing says that the names are safe.
        """
        ...

    def read(self, name: str) -> bytes:
        """Raises GoneError where there is no such file."""
        ...

    def write(self, files: Sequence[Sending]) -> None:
        """All of them are there, whole, when this returns. The last one is never there without those before it."""
        ...

    def remove(self, names: Sequence[str]) -> None:
        """None of these files is there when this returns."""
        ...


def open_destination(url: str) -> Destination:
    """The place that `FGDEMO_MIRROR` names. Nothing is asked of it yet.

    Raises:
        SettingsError: no such kind of URL, or what it needs is not installed.
    """
    if url.startswith("hf://"):
        from fgdemo.storage.mirror.hub_destination import HubDestination

        repository = url.removeprefix(HUB).strip("/")
        if not url.startswith(HUB) or repository.count("/") != 1:
            raise SettingsError("A mirror on the Hugging Face Hub is named hf://datasets/OWNER/NAME.")
        return HubDestination(repository)
    return FolderDestination(url)


class FolderDestination:
    """A folder, here or behind fsspec. An object store shows a file when it is whole; a local one is renamed to it."""

    rest_s = REST_S

    def __init__(self, url: str) -> None:
        from fsspec.core import url_to_fs
        from fsspec.implementations.local import LocalFileSystem

        try:
            place = url if "://" in url else str(Path(url).expanduser().absolute())
            self._fs, self._root = url_to_fs(place)
        except (ValueError, ImportError) as error:
            raise SettingsError(f"The mirror cannot be opened: {error}") from error
        self._is_local = isinstance(self._fs, LocalFileSystem)
        self._is_tidy = not self._is_local

    def names(self, folder: str) -> dict[str, int]:
        root = self._root.strip("/") + "/"
        strictly = {"on_error": "raise"} if self._is_local else {}  # or what may not be read would look empty
        with _told():
            self._fs.invalidate_cache()
            try:
                found: dict[str, dict[str, Any]] = self._fs.find(f"{self._root}/{folder}", detail=True, **strictly)
            except FileNotFoundError:
                return {}
        return {
            path.strip("/").removeprefix(root): int(about["size"] or 0)
            for path, about in found.items()
            if not path.rpartition("/")[2].startswith(BEING_WRITTEN)  # somebody writes it, or died doing so
        }

    def read(self, name: str) -> bytes:
        with _told():
            return self._fs.cat_file(f"{self._root}/{name}")

    def write(self, files: Sequence[Sending]) -> None:
        if not self._is_tidy:
            clear_unfinished(Path(self._root))
            self._is_tidy = True
        *others, last = files
        with ThreadPoolExecutor(WRITERS) as pool:
            list(pool.map(self._put, others))
        self._put(last)

    def remove(self, names: Sequence[str]) -> None:
        with _told():
            for path in (f"{self._root}/{name}" for name in names):
                if self._fs.exists(path):
                    self._fs.rm_file(path)

    def _put(self, file: Sending) -> None:
        path, content = f"{self._root}/{file.name}", file.read()
        with _told():
            if file.is_named_by_hash and self._fs.exists(path) and self._fs.size(path) == len(content):
                return
            if self._is_local:
                write_durably(Path(path), content)
            else:
                self._fs.pipe_file(path, content)


@contextmanager
def _told() -> Iterator[None]:
    """What goes wrong in the block as one sentence about the mirror."""
    try:
        yield
    except UnavailableError as error:  # of `write_durably`, which speaks of the workspace
        raise complaint(error.__cause__) from error
    except OSError as error:
        raise complaint(error) from error


def complaint(error: BaseException | None) -> UnavailableError:
    """What a person can do about it."""
    if isinstance(error, OSError) and disk_is_full(error):
        return UnavailableError("The disk of the mirror is full: make room there.")
    if isinstance(error, PermissionError):
        return UnavailableError("The mirror may not be read or written: check the permissions there.")
    if isinstance(error, FileNotFoundError):
        return GoneError("A file of the mirror is not there.")
    told = getattr(error, "strerror", None) or type(error).__name__
    return UnavailableError(f"The mirror cannot be reached ({told}): check FGDEMO_MIRROR and the connection.")
