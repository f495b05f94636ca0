"""Files and folders that are not whole yet: each is locked by who writes it, so what a crash has left is known.

A lock of the system ends with its process, however that ends. On Windows what is open cannot be removed, which is as
good.
"""

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

BEING_WRITTEN = ".new-"
"""So begins the name of what is not whole yet."""
_RANDOM = re.compile("[a-z0-9_]{8}")
_NO_SUFFIX = "replaced"
"""The end of the name of what stepped aside, which may be all that there is."""


def held_file(folder: Path) -> tuple[int, str]:
    """The handle and the path of a new file that is locked until it is closed. Raises OSError."""
    while True:
        handle, name = tempfile.mkstemp(prefix=BEING_WRITTEN, dir=folder)
        if not hold(handle) or os.fstat(handle).st_nlink:  # else somebody who tidies up was faster than our lock
            return handle, name
        os.close(handle)


@contextmanager
def held_folder(parent: Path, prefix: str = BEING_WRITTEN) -> Generator[Path, None, None]:
    """A new folder, locked while the block runs and gone afterwards. What others of this prefix have left goes, too.

    Raises:
        OSError: it cannot be made.
    """
    parent.mkdir(parents=True, exist_ok=True)
    for left in parent.iterdir():
        rest = left.name.removeprefix(prefix)
        if left.name.startswith(prefix) and _RANDOM.fullmatch(rest) and rest != _NO_SUFFIX and left.is_dir():
            _remove_left(left)
    folder, handle = Path(tempfile.mkdtemp(prefix=prefix, dir=parent)), None
    try:
        if os.name != "nt":
            handle = os.open(folder, os.O_RDONLY)
            hold(handle)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if handle is not None:
            os.close(handle)


def clear_unfinished(root: Path) -> int:
    """Remove what writers that were killed have left below a folder; gives how many. What somebody writes stays."""
    removed = 0
    for at, folders, files in os.walk(root):
        for name in [name for name in (*folders, *files) if name.startswith(BEING_WRITTEN)]:
            removed += _remove_left(Path(at) / name)
        folders[:] = [name for name in folders if not name.startswith(BEING_WRITTEN)]
    return removed


def hold(handle: int) -> bool:
    """Lock an open file or folder until it is closed; False where somebody else has, or the disk has no locks."""
    if os.name == "nt":
        return True
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _remove_left(path: Path) -> bool:
    """Remove it unless somebody writes it; links are removed, never followed."""
    with contextlib.suppress(OSError):
        if path.is_symlink():
            path.unlink()
            return True
        handle = os.open(path, os.O_RDONLY)
        try:
            if hold(handle):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
                return True
        finally:
            os.close(handle)
    return False
