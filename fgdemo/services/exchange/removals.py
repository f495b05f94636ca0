"""What a maintainer takes out of the workspace: single pictures, and whole imports."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from fgdemo.storage.database.database import reading, utc_now, writing
from fgdemo.storage.database.schema import image_table, label_event_table
from fgdemo.storage.embeddings.embeddings import Embeddings, erase_of_others
from fgdemo.storage.exchange.taking_back import PastImport, TakingBack, about_taking_back, past_imports, take_back
from fgdemo.storage.history.event_rows import AT_ONCE
from fgdemo.storage.history.label_event import REMOVED
from fgdemo.storage.history.removing import clear_removed, mark_removed, removed_images
from fgdemo.storage.people.audit import note
from fgdemo.storage.pictures.originals import ImageStore
from fgdemo.values.annotation import Person
from fgdemo.values.batches import batches
from fgdemo.values.counting import counted
from fgdemo.values.errors import StorageError
from fgdemo.values.labelled import plain_text
from fgdemo.values.limits import LARGEST_BATCH, LONGEST_COMMENT

CLEARED_AT_ONCE = 2000
"""So many files are removed while somebody waits; the sweep removes the others."""
NOT_NOW = "Pictures are being brought in just now: wait for the end of that."


@dataclass(frozen=True)
class Seen:
    """What models have seen in pictures.

    Attributes:
        folder: where all of that lies.
        embeddings: of the live model.
        is_ready: whether the live head has learned what there is, and reads no old embedding any more.
    """

    folder: Path
    embeddings: Embeddings
    is_ready: Callable[[], bool] = lambda: True


class Removals:
    """Safe for many threads. Every question needs a maintainer.

    Args:
        seen: None where no model is served, as on the command line: a server clears that away.
        importing: whether something is being brought in.
    """

    def __init__(
        self,
        engine: Engine,
        images: ImageStore,
        seen: Seen | None = None,
        importing: Callable[[], bool] = lambda: False,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._engine, self._images, self._clock = engine, images, clock
        self._seen, self._importing = seen, importing
        self._swept = 0
        self._due: dict[str, int] = {}
        self._erased: dict[str, int] = {}

    def imports(self, person: Person) -> tuple[PastImport, ...]:
        """All imports, the newest first."""
        person.require("maintainer")
        return past_imports(self._engine)

    def about(self, person: Person, run: str) -> TakingBack:
        """What taking back an import would do. Raises StorageError where there is nothing to take back."""
        person.require("maintainer")
        return about_taking_back(self._engine, run)

    def take_back(self, person: Person, run: str, labelled: int = 0) -> TakingBack:
        """Take a whole import back. See `fgdemo.storage.exchange.taking_back.take_back`.

        Raises:
            StaleError: more than `labelled` of its pictures were labelled since; nothing was done.
            StorageError: there is nothing to take back, or an import runs.
        """
        person.require("maintainer")
        if self._importing():
            raise StorageError(NOT_NOW)
        told, gone = take_back(self._engine, person, run, labelled, self._clock)
        clear_removed(self._engine, self._images, gone[:CLEARED_AT_ONCE])
        return told

    def find(self, person: Person, wanted: Sequence[str]) -> dict[str, str]:
        """The id of each of these pictures, which are ids, or names that only one picture has.

        Raises:
            StorageError: there is no such picture, or several.
        """
        person.require("maintainer")
        found: dict[str, str] = {}
        columns = image_table.c
        with reading(self._engine) as connection:
            for name in wanted:
                query = sa.select(columns.id).where((columns.id == name) | (columns.name == name)).limit(2)
                images = list(connection.execute(query).scalars()) if name else []
                if len(images) != 1:
                    which = "several pictures are" if images else "no picture is"
                    raise StorageError(f"In this workspace {which} called “{name[:80]}”: name it by its id.")
                found[name] = images[0]
        return found

    def remove(self, person: Person, images: Sequence[str], why: str = "") -> list[str]:
        """Remove pictures for good, with all that was computed of them; what was said about them stays as a stub. Gives
        those that were there.

        Raises:
            StorageError: one of them is not in the workspace, or nothing can be written; all are as they were.
        """
        person.require("maintainer")
        wanted = list(dict.fromkeys(images))
        if not 1 <= len(wanted) <= LARGEST_BATCH:
            raise StorageError(f"Choose 1 to {LARGEST_BATCH} pictures.")
        reason = plain_text(" ".join(why.split()))[:LONGEST_COMMENT] or "Removed by a maintainer."
        with writing(self._engine) as connection:
            splits = {
                row.id: row.split
                for some in batches(wanted, AT_ONCE)
                for row in connection.execute(
                    sa.select(image_table.c.id, image_table.c.split).where(image_table.c.id.in_(some))
                )
            }
            missing = [image for image in wanted if image not in splits]
            if missing:
                raise StorageError(f"There is no picture {missing[0][:12]}… in the workspace: nothing was removed.")
            gone = mark_removed(connection, wanted, person.name, reason, clock=self._clock)
            if gone:
                gold = sum(splits[image] == "gold" for image in gone)
                about = f"{counted(len(gone), 'picture')}{f', {gold} of them gold' if gold else ''}: {reason}"
                note(connection, self._clock(), person, "remove", about)
        clear_removed(self._engine, self._images, wanted)
        return gone

    def sweep(self) -> None:
        """Finish what was begun: files of removed pictures go at once; what models have seen in them goes one sweep
        later, when every head has learned that they are gone, for learning that needs what was seen.

        Raises:
            StorageError: something cannot be written; the next sweep tries again.
        """
        table = label_event_table
        query = sa.select(table.c.image, sa.func.max(table.c.id)).where(table.c.reason == REMOVED)
        with reading(self._engine) as connection:
            newest = {row[0]: row[1] for row in connection.execute(query.group_by(table.c.image))}
            there = set(newest) - set(connection.execute(removed_images()).scalars())
        last = max(newest.values(), default=0)
        if last != self._swept:
            clear_removed(self._engine, self._images)
            self._swept = last
        if self._seen is None or not self._seen.is_ready():
            return
        now = {image: event for image, event in newest.items() if image not in there}
        due = [image for image, event in now.items() if self._due.get(image) == event != self._erased.get(image)]
        self._seen.embeddings.erase(due)
        erase_of_others(self._seen.folder, self._seen.embeddings.model_version, due)
        self._erased.update((image, now[image]) for image in due)
        self._due = now
