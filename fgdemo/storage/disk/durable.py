"""Files that are on the disk when their writer is told so: a whole file or nothing, synced with its folder."""

import errno
import os
from pathlib import Path

from fgdemo.storage.disk.unfinished import held_file
from fgdemo.values.errors import UnavailableError


def write_durably(path: Path, data: bytes) -> None:
    """`write_whole`, which is on the disk when this returns."""
    write_whole(path, data, durable=True)


def write_whole(path: Path, data: bytes, *, durable: bool) -> None:
    """Write a whole file or nothing: a temporary file beside it, fsync, rename, fsync of the folder.

    Args:
        durable: False leaves out each fsync; then a power cut (but no crash of ours) may leave a part of the file.

    Raises:
        UnavailableError: the disk is full or cannot be written; what stood under `path` before still does.
    """
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = held_file(path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            if durable:
                os.fsync(file.fileno())
            if os.name != "nt":  # which renames nothing that is open
                temporary = Path(temporary).replace(path)
        if temporary != path:
            Path(temporary).replace(path)
        temporary = None
        if durable:
            sync_folder(path.parent)
            sync_folder(path.parent.parent)
    except OSError as error:
        raise UnavailableError(disk_complaint(error)) from error
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


def disk_is_full(error: OSError) -> bool:
    return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def disk_complaint(error: OSError) -> str:
    if disk_is_full(error):
        return "The disk of the workspace is full, so nothing was stored: free some space and try again."
    return f"The workspace cannot be written ({error.strerror or 'input/output error'}), so nothing was stored."


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    if os.name == "nt":  # Windows cannot open a folder, and writes its entries through.
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
