"""A folder as a mirror, here or behind fsspec."""

# Not all of fsspec has types:
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fgdemo.storage.disk.durable import write_durably
from fgdemo.storage.disk.unfinished import BEING_WRITTEN, clear_unfinished
from fgdemo.storage.mirror.protocol import Sending, complaint
from fgdemo.values.errors import SettingsError, UnavailableError

WRITERS = 4
REST_S = 2.0


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
def _told() -> Generator[None, None, None]:
    """What goes wrong in the block as one sentence about the mirror."""
    try:
        yield
    except UnavailableError as error:  # of `write_durably`, which speaks of the workspace
        raise complaint(error.__cause__) from error
    except OSError as error:
        raise complaint(error) from error
