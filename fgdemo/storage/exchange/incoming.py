"""Files on their way into the workspace: what a browser has sent of an import, until the import is done."""

import re
import shutil
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from fgdemo.storage.disk.durable import disk_complaint
from fgdemo.storage.disk.free_space import Disk
from fgdemo.storage.disk.safe_names import safe_name
from fgdemo.values.errors import StorageError

FORGOTTEN_AFTER_S = 7 * 86_400
DEEPEST = 8
_BATCH = re.compile("[0-9a-f]{32}")
_WHOLE = (".zip", ".tar", ".csv", ".tsv", ".json", ".jsonl", ".parquet")
"""Files that describe all the others of a batch, or hold pictures."""


class Incoming:
    """Batches of uploaded files, a folder each.

    Args:
        folder: where they lie; nothing else does.
        reserve_bytes: so much of the disk stays free.
    """

    def __init__(self, folder: Path, reserve_bytes: int = 0) -> None:
        self._folder = folder
        self._disk = Disk(folder, reserve_bytes)

    @contextmanager
    def receive(self, batch: str, path: str) -> Generator[IO[bytes], None, None]:
        """Open a file of a batch for writing; it counts only when the block has ended well.

        Args:
            batch: 32 hexadecimal digits that the sender has made up.
            path: its name, with the names of the folders it lay in; anything a browser may send.

        Raises:
            StorageError: no such batch can be, or the disk has no room.
        """
        target = self._place(batch, path)
        part = target.with_name(f"{target.name}.part")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with part.open("wb") as file:
                yield file
            part.replace(target)
        except OSError as error:
            raise StorageError(disk_complaint(error)) from error
        finally:
            part.unlink(missing_ok=True)

    def require_room(self, size_bytes: int) -> None:
        """Raises UnavailableError where a file of this size would fill the disk."""
        self._disk.require_room(size_bytes)

    def locations(self, batch: str) -> list[str]:
        """What an import is to read of a batch: one file that says or holds all, archives, or the folder as a whole.

        Raises:
            StorageError: nothing has arrived.
        """
        folder = self._batch(batch)
        files = [path for path in sorted(folder.rglob("*")) if path.is_file()] if folder.is_dir() else []
        if not files:
            raise StorageError("Nothing has arrived: choose the files once more.")
        whole = [str(path) for path in files if path.suffix.lower() in _WHOLE]
        return whole if len(whole) == len(files) or self._are_tasks(whole) else [str(folder)]

    @staticmethod
    def _are_tasks(whole: list[str]) -> bool:
        """Tasks of Label Studio, or lines of a workspace, say by themselves where their pictures lie."""
        return len(whole) == 1 and whole[0].lower().endswith((".json", ".jsonl")) and "metadata" not in whole[0]

    def remove(self, locations: list[str]) -> None:
        """Clear away the batches in which these locations lie; other locations are left alone."""
        for location in locations:
            path = Path(location)
            if path.is_absolute() and self._folder in path.parents:
                shutil.rmtree(self._folder / path.relative_to(self._folder).parts[0], ignore_errors=True)

    def remove_forgotten(self) -> None:
        """Clear away batches that nobody has imported for a week."""
        for folder in self._folder.iterdir() if self._folder.is_dir() else ():
            if time.time() - folder.stat().st_mtime > FORGOTTEN_AFTER_S:
                shutil.rmtree(folder, ignore_errors=True)

    def _batch(self, batch: str) -> Path:
        if not _BATCH.fullmatch(batch):
            raise StorageError("This is not an upload: load the page again.")
        return self._folder / batch

    def _place(self, batch: str, path: str) -> Path:
        steps = [safe_name(step) for step in path.replace("\\", "/").split("/") if step.strip(" .")]
        if not steps:
            raise StorageError("A file needs a name.")
        return self._batch(batch).joinpath(*steps[-DEEPEST:])
