"""Folders and archives that appear whole or not at all: written beside their place, then renamed."""

import glob
import os
import shutil
import tempfile
import zipfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Protocol

from filelock import FileLock, Timeout

from fgdemo.storage.disk.durable import disk_is_full, sync_folder
from fgdemo.values.errors import StorageError

MARK = "fgdemo-export.json"
"""A folder that holds this file was written by an export, and may be replaced by one."""


class Output(Protocol):
    """Where the files of an export go. Names are safe paths with slashes, each given once."""

    def add(self, name: str, content: bytes) -> None: ...

    @contextmanager
    def writing(self, name: str) -> Generator[Path, None, None]:
        """A path to write a large file to, which is then taken in."""
        ...


@contextmanager
def whole_output(out: Path) -> Generator[Output, None, None]:
    """An output that becomes the folder `out`, or the archive `out` if that ends in `.zip`, when the block ends.

    Until then, and if the block or the program fails at any moment, what stood there stays. What an export that was
    killed has left beside it is cleared away by the next one.

    Raises:
        StorageError: the disk is full, the place cannot be written, or it is a folder that no export made.
    """
    out = out.absolute()
    require_replaceable(out)
    with _beside(out) as (folder, content):
        if out.suffix.lower() == ".zip":
            with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED, strict_timestamps=False) as archive:
                yield _Packed(archive, folder)
        else:
            content.mkdir()
            yield _Folder(content)
        swap(content, out)


@contextmanager
def whole_file(out: Path) -> Generator[IO[bytes], None, None]:
    """A single file that replaces `out` when the block ends. Raises StorageError as `whole_output`."""
    out = out.absolute()
    if out.is_dir():
        raise StorageError(f"“{out.name}” is a folder: name a file.")
    with _beside(out) as (_, content):
        with content.open("wb") as file:
            yield file
        swap(content, out)


def require_replaceable(out: Path) -> None:
    """Raise StorageError where writing to `out` would destroy something that no export made."""
    try:
        packed = out.suffix.lower() == ".zip"
        if not packed:
            restore(out)
        usable = not out.exists() or (
            out.is_file() if packed else out.is_dir() and ((out / MARK).is_file() or not any(out.iterdir()))
        )
    except OSError:
        usable = False
    if not usable:
        raise StorageError(f"“{out.name}” is there already and no export made it: name another place.")


class _Folder:
    def __init__(self, root: Path) -> None:
        self._root = root
        self._made: set[Path] = set()

    def add(self, name: str, content: bytes) -> None:
        self._place(name).write_bytes(content)

    @contextmanager
    def writing(self, name: str) -> Generator[Path, None, None]:
        yield self._place(name)

    def _place(self, name: str) -> Path:
        path = self._root / name
        if path.parent not in self._made:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._made.add(path.parent)
        return path


class _Packed:
    def __init__(self, archive: zipfile.ZipFile, scratch: Path) -> None:
        self._archive, self._scratch, self._count = archive, scratch, 0

    def add(self, name: str, content: bytes) -> None:
        self._archive.writestr(name, content)

    @contextmanager
    def writing(self, name: str) -> Generator[Path, None, None]:
        self._count += 1
        path = self._scratch / f"large-{self._count}"
        yield path
        kind = zipfile.ZIP_STORED if name.endswith(".parquet") else zipfile.ZIP_DEFLATED
        self._archive.write(path, name, kind)
        path.unlink()


@contextmanager
def _beside(out: Path) -> Generator[tuple[Path, Path], None, None]:
    """A scratch folder on the same disk, and in it the place of what will become `out`."""
    folder, lock = None, None
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        _clear_away(out)
        folder = Path(tempfile.mkdtemp(prefix=_scratch(out), dir=out.parent))
        lock = FileLock(folder / "lock")
        lock.acquire()
        yield folder, folder / "content"
    except OSError as error:
        why = "The disk is full" if disk_is_full(error) else f"“{out.name}” cannot be written ({error.strerror})"
        raise StorageError(f"{why}, so nothing was exported; what was there is unchanged.") from error
    finally:
        if lock is not None:
            lock.release()
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def _scratch(out: Path) -> str:
    return f".{out.name[:60]}-new-"


def _clear_away(out: Path) -> None:
    """Remove what exports to the same place have left that nobody is writing any more."""
    for left in out.parent.glob(f"{glob.escape(_scratch(out))}*"):
        try:
            with FileLock(left / "lock", timeout=0):
                pass
            shutil.rmtree(left, ignore_errors=True)
        except (Timeout, OSError):
            continue


def _aside(out: Path) -> Path:
    return out.with_name(f".{out.name[:60]}-replaced")


def restore(out: Path) -> None:
    """Put back what a crash between the two renames of `swap` left aside."""
    if out.name and not out.exists() and (_aside(out) / MARK).exists():
        _aside(out).replace(out)


def swap(content: Path, out: Path) -> None:
    """Rename `content` to `out`, all of it on the disk. A folder cannot be replaced in one step, so the old one steps
    aside first; if the program dies just there, `restore` brings it back."""
    if hasattr(os, "sync"):
        os.sync()
    if content.is_file():
        content.replace(out)
    else:
        old = _aside(out)
        shutil.rmtree(old, ignore_errors=True)
        if out.exists():
            out.replace(old)
        try:
            content.replace(out)
        except OSError:
            with suppress(FileNotFoundError):
                old.replace(out)
            raise
        shutil.rmtree(old, ignore_errors=True)
    sync_folder(out.parent)
