"""Folders of files that nobody needs for long: swept while the server runs."""

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Swept:
    """A folder whose files are removed.

    Attributes:
        older_than_s: seconds since a file was last written, after which it goes.
        most_bytes: the oldest files go until no more than this is left.
    """

    folder: Path
    older_than_s: float
    most_bytes: int


def sweep(swept: Swept, now_s: float | None = None) -> int:
    """Remove what is too old or too much, and folders that are left empty; gives the bytes that remain.

    What somebody else removes meanwhile is no matter. Links are removed, never followed.
    """
    now_s = time.time() if now_s is None else now_s
    files = sorted(_files(swept.folder), key=lambda one: one[1])
    folders = sorted(_old_folders(swept, now_s), reverse=True)  # inner ones first
    kept_bytes = sum(size for _, _, size in files)
    for path, written_s, size in files:
        if now_s - written_s <= swept.older_than_s and kept_bytes <= swept.most_bytes:
            break
        path.unlink(missing_ok=True)
        kept_bytes -= size
    for folder in folders:
        with suppress(OSError):  # not empty, or gone
            folder.rmdir()
    return kept_bytes


def _files(folder: Path) -> Iterator[tuple[Path, float, int]]:
    """(path, when it was last written, bytes) of each file below."""
    for path in folder.rglob("*"):
        try:
            told = path.lstat()
        except OSError:
            continue
        if path.is_symlink() or path.is_file():
            yield path, told.st_mtime, 0 if path.is_symlink() else told.st_size


def _old_folders(swept: Swept, now_s: float) -> Iterator[Path]:
    """Those into which nothing was put for a while."""
    for path in swept.folder.rglob("*"):
        with suppress(OSError):
            if path.is_dir() and not path.is_symlink() and now_s - path.stat().st_mtime > swept.older_than_s:
                yield path
