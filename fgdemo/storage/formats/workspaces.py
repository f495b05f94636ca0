"""Another fgdemo workspace as a source of pictures: its folder is only read, whatever its version."""

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

from fgdemo.storage.database.database import open_database
from fgdemo.storage.pictures.originals import ImageStore
from fgdemo.storage.records.fields import Record
from fgdemo.storage.records.inventory import Inventory
from fgdemo.storage.records.workspace_records import assemble, workspace_records
from fgdemo.values.errors import DatasetError, StorageError
from fgdemo.values.labelled import SourceContent

DATABASE = "fgdemo.sqlite"


def read_workspace(home: Path) -> SourceContent:
    """Pictures, taxa, sessions and the whole history of the workspace in a folder.

    Its database is copied and brought up to date in the copy, so that nothing is written there, and a server may go on
    using it.

    Raises:
        DatasetError: the database cannot be read, or is of a newer fgdemo.
    """
    found = SourceContent()
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / DATABASE
        try:
            source = sqlite3.connect(f"{(home / DATABASE).resolve().as_uri()}?mode=ro", uri=True)
            with closing(source), closing(sqlite3.connect(copy)) as target:
                source.backup(target)
            engine = open_database(f"sqlite:///{copy}")
        except (sqlite3.Error, StorageError) as error:
            raise DatasetError(f"The workspace in “{home.name}” cannot be read ({error}).") from error
        try:
            assemble(_numbered(Inventory(engine)), DATABASE, partial(_locate, home), found)
        finally:
            engine.dispose()
    return found


def _numbered(inventory: Inventory) -> Iterator[tuple[int, Record]]:
    for number, record in enumerate(workspace_records(inventory, lambda held: held.image)):
        if number:  # the first says what file it is
            yield number, record


def _locate(home: Path, record: Record) -> tuple[partial[bytes], int] | None:
    store = ImageStore(home / "pictures")
    path = store.path(str(record["image"]))
    try:
        return partial(Path.read_bytes, path), path.stat().st_size
    except OSError:
        return None
