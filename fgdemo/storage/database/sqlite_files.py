"""The files of an SQLite database: read where nothing may be written, and one file that holds all when we leave.

The newest rows lie in a file beside the database (`-wal`) until SQLite moves them over. Whoever copies the one file
would not have them.
"""

import contextlib
import os
import shutil
import sqlite3
import tempfile
from pathlib import Path
from urllib.parse import quote

WAIT_S = 2.0
"""So long are others waited for, who read or write."""


def is_read_only(file: str | None) -> bool:
    """Whether there is a database in a place where nothing can be written."""
    if not file or not Path(file).is_file():
        return False
    return not (os.access(file, os.W_OK) and os.access(Path(file).parent, os.W_OK))


def open_read_only(file: str) -> sqlite3.Connection:
    """A connection that writes nothing, not even a lock.

    Rows that lie beside the database are read by SQLite's index of them; where that is missing, as in a copy of the
    folder, both files are read into memory. Where nothing lies beside it, the file is one that stays as it is.
    """
    aside = Path(f"{file}-wal")
    has_more = aside.is_file() and aside.stat().st_size > 0
    if has_more and not Path(f"{file}-shm").is_file():
        return _in_memory(file)
    address = f"file:{quote(str(Path(file).absolute()))}?mode=ro{'' if has_more else '&immutable=1'}"
    return sqlite3.connect(address, uri=True, check_same_thread=False)


def _in_memory(file: str) -> sqlite3.Connection:
    """The database with the rows beside it."""
    found = sqlite3.connect(":memory:", check_same_thread=False)
    try:
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / "copy.sqlite"
            for end in ("", "-wal"):
                shutil.copyfile(f"{file}{end}", f"{copy}{end}")
            with contextlib.closing(sqlite3.connect(copy)) as source:
                source.backup(found)
    except OSError as error:
        raise sqlite3.OperationalError(f"unable to open database file ({error.strerror})") from error
    return found


def move_over(url: str) -> None:
    """Let the one file of an SQLite database hold all that was written. Does what it can, and nothing elsewhere."""
    scheme, _, rest = url.partition(":///")
    file = rest.partition("?")[0]
    if not scheme.startswith("sqlite") or not file or is_read_only(file):
        return
    with contextlib.suppress(ValueError, OSError, sqlite3.Error):
        aside = Path(f"{file}-wal")
        if not aside.is_file() or not aside.stat().st_size:
            return
        with contextlib.closing(sqlite3.connect(file, timeout=WAIT_S)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
