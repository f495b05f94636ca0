"""What is true of every picture now, in memory: numpy columns that follow the log."""

import threading
from array import array
from collections.abc import Sequence

import numpy as np
import sqlalchemy as sa

from fgdemo.storage.database.database import reading
from fgdemo.storage.database.schema import image_table
from fgdemo.storage.history.event_columns import EventColumns, events_after
from fgdemo.storage.history.events import EventLog, standing_of
from fgdemo.storage.history.label_event import REMOVED, LabelEvent, counts_here
from fgdemo.storage.history.publications import publications
from fgdemo.storage.history.roster_columns import (
    COLUMNS,
    DOES_BRING,
    GOLD,
    IS_OUT,
    KIND_CODES,
    KINDS,
    NO_MATTER,
    SIMPLE,
    SPLIT_CODES,
    SPLITS,
    Numbered,
    grown,
)
from fgdemo.storage.pictures.image_ids import ImageIds, packed
from fgdemo.values.annotation import DECIDING, Publication, Standing
from fgdemo.values.batches import batches
from fgdemo.values.errors import StorageError

_FOLDED_AT_ONCE = 500
_ROWS_AT_ONCE = 50_000


class Roster:
    """One row a picture, in the order in which the pictures came. Rows never move and are never taken away.

    The columns are views as long as the roster is now; a later `follow` may change what they show. Several servers on
    one database each have a roster of their own, and all say the same once they have followed.

    Args:
        until: id of the last event that it takes in, for what was true then; None follows for ever. It may be raised.

    Attributes:
        image_ids: the id of each row.
        row_of: the row of each id.
        event: id of the newest event seen.
    """

    def __init__(self, engine: sa.Engine, until: int | None = None) -> None:
        self._engine = engine
        self.until = until
        self._log = EventLog(engine)
        self._lock = threading.RLock()
        self._columns: dict[str, np.ndarray] = {name: np.zeros(1024, dtype) for name, dtype in COLUMNS.items()}
        self._taxa, self._annotators, self._imports = Numbered(), Numbered(), Numbered()
        self._touched = array("i")
        self.image_ids = ImageIds()
        self.row_of = self.image_ids.row_of
        self.event = 0

    def __len__(self) -> int:
        return len(self.image_ids)

    def __contains__(self, image: str) -> bool:
        return image in self.row_of

    @property
    def taxa(self) -> Sequence[str]:
        """What the numbers in `taxon` stand for."""
        return self._taxa.words

    @property
    def annotators(self) -> Sequence[str]:
        """What the numbers in `annotator` stand for."""
        return self._annotators.words

    @property
    def imports(self) -> Sequence[str]:
        """What the numbers in `imported` stand for, oldest first."""
        return self._imports.words

    @property
    def taxon(self) -> np.ndarray:
        """(n,) int32 index into `taxa`; −1 where there is no label."""
        return self._columns["taxon"][: len(self)]

    @property
    def kind(self) -> np.ndarray:
        """(n,) uint8 index into `KINDS` of the event that decides."""
        return self._columns["kind"][: len(self)]

    @property
    def checked(self) -> np.ndarray:
        """(n,) bool: an expert said so."""
        return self._columns["checked"][: len(self)]

    @property
    def disputed(self) -> np.ndarray:
        """(n,) bool: a blind second opinion differs."""
        return self._columns["disputed"][: len(self)]

    @property
    def seconded(self) -> np.ndarray:
        """(n,) bool: somebody has given a blind second opinion."""
        return self._columns["seconded"][: len(self)]

    @property
    def suggested(self) -> np.ndarray:
        """(n,) bool: a visitor's suggestion waits for an expert."""
        return self._columns["suggested"][: len(self)]

    @property
    def version(self) -> np.ndarray:
        """(n,) int64 `Standing.version`."""
        return self._columns["version"][: len(self)]

    @property
    def split(self) -> np.ndarray:
        """(n,) uint8 index into `SPLITS`."""
        return self._columns["split"][: len(self)]

    def locked(self, rows: np.ndarray | slice) -> np.ndarray:
        """bool for each of the rows: see `Standing.is_locked`."""
        return (self.split[rows] == GOLD) & ((self.taxon[rows] >= 0) | IS_OUT[self.kind[rows]])

    @property
    def annotator(self) -> np.ndarray:
        """(n,) int32 index into `annotators`."""
        return self._columns["annotator"][: len(self)]

    @property
    def twin(self) -> np.ndarray:
        """(n,) int32 row of the first picture of the group of near-duplicates; the own row where there is none."""
        return self._columns["twin"][: len(self)]

    @property
    def imported(self) -> np.ndarray:
        """(n,) int32 index into `imports`; −1 for pictures of visitors."""
        return self._columns["imported"][: len(self)]

    @property
    def came_as(self) -> np.ndarray:
        """(n,) int32 index into `taxa` of the label that the newest import brought; −1 where there was none."""
        return self._columns["came_as"][: len(self)]

    @property
    def is_public(self) -> np.ndarray:
        """(n,) bool: visitors may see it. It is published, has a label, and measures no model."""
        with self._lock:  # a follow in between would make columns of two lengths
            return self._columns["published"][: len(self)] & (self.taxon >= 0) & (self.split != GOLD)

    @property
    def removed(self) -> np.ndarray:
        """(n,) bool: removed for good, see `fgdemo.storage.history.removing`; nothing is shown of it."""
        return self._columns["removed"][: len(self)]

    def standing(self, image: str) -> Standing:
        """What is true of one picture. Raises StorageError if it is not in the workspace."""
        row = self.row_of.get(image)
        if row is None:
            raise StorageError("This picture is not in the workspace.")
        taxon = int(self.taxon[row])
        return Standing(
            image=image,
            version=int(self.version[row]),
            kind=KINDS[int(self.kind[row])],
            taxon=None if taxon < 0 else self.taxa[taxon],
            annotator=self.annotators[int(self.annotator[row])],
            checked=bool(self.checked[row]),
            disputed=bool(self.disputed[row]),
            suggested=bool(self.suggested[row]),
            split=SPLITS[int(self.split[row])],
        )

    def there(self) -> Sequence[str]:
        """The ids of all pictures but those that were removed."""
        removed = self.removed
        return self.image_ids.at(np.flatnonzero(~removed)) if removed.any() else self.image_ids

    def changed_since(self, cursor: int) -> tuple[int, np.ndarray]:
        """Rows touched since the `cursor` that an earlier call gave (0: since ever), each once; and the next cursor."""
        with self._lock:
            return len(self._touched), np.unique(np.array(self._touched[cursor:], dtype=np.int64))

    def names(self, images: Sequence[str]) -> dict[str, str]:
        """The file names of these pictures, for people."""
        with reading(self._engine) as connection:
            query = sa.select(image_table.c.id, image_table.c.name).where(image_table.c.id.in_(images))
            return {row.id: row.name for row in connection.execute(query)}

    def publications(self, images: Sequence[str]) -> dict[str, Publication]:
        """Credit and licence of those of these pictures that are published."""
        return publications(self._engine, images)

    # --- following the log --------------------------------------------------------------------------------

    def follow(self) -> None:
        """Take in all that was committed until now; nearly free where that is nothing. Safe to call from many threads.

        Raises:
            StorageError: the database cannot be read.
        """
        with self._lock:
            while self._follow_some():
                pass

    def _follow_some(self) -> bool:
        """Take in the next events; True if there may be more."""
        said = events_after(self._engine, self.event, _ROWS_AT_ONCE, self.until)
        if said is not None:
            again = list(self._take(said))
            for some in batches(again, _FOLDED_AT_ONCE):
                for image, history in self._log.histories(some).items():
                    self._fold(image, [one for one in history if self.until is None or (one.id or 0) <= self.until])
            self.event = said.ids[-1]
        return said is not None and len(said.ids) == _ROWS_AT_ONCE

    def _take(self, said: EventColumns) -> dict[str, None]:
        """Events, oldest first; gives the pictures that are to be folded the long way."""
        raw = packed(said.images)
        rows = self.image_ids.find_all(raw)
        new = np.flatnonzero(rows < 0)
        if len(new):
            _, first, which = np.unique(raw[new], axis=0, return_index=True, return_inverse=True)
            turn = np.argsort(np.argsort(first))  # rows in the order in which the pictures came
            rows[new] = len(self) + turn[which.ravel()]
            first = np.sort(first)
            self._make_room(len(self) + len(first))
        columns = self._columns
        columns["split"][rows] = [SPLIT_CODES.get(split or "train", 0) for split in said.splits]
        columns["imported"][rows] = [self._imports.number(run) for run in said.imports]
        kinds = np.array([KIND_CODES[kind] for kind in said.kinds], np.uint8)
        matters = ~NO_MATTER[kinds]
        further = columns["seconded"][rows] | columns["suggested"][rows]
        long = matters & (~SIMPLE[kinds] | np.array(said.blind, np.bool_) | further.astype(np.bool_))
        simple = np.flatnonzero(matters & ~long)
        at = rows[simple]  # of several events about one picture the last one stays
        columns["taxon"][at] = [self._taxa.number(said.taxa[n]) for n in simple.tolist()]
        columns["kind"][at] = kinds[simple]
        columns["checked"][at] = kinds[simple] != KINDS.index("import")
        columns["annotator"][at] = [self._annotators.number(said.annotators[n]) for n in simple.tolist()]
        columns["version"][at] = np.array(said.ids, np.int64)[simple]
        gone = np.array([reason == REMOVED for reason in said.reasons], np.bool_)
        changes = np.flatnonzero(gone | DOES_BRING[kinds])
        columns["removed"][rows[changes]] = gone[changes]
        imports = np.flatnonzero(kinds == KINDS.index("import"))
        columns["came_as"][rows[imports]] = [self._taxa.number(said.taxa[n]) for n in imports.tolist()]
        shown = [n for n, kind in enumerate(said.kinds) if gone[n] or counts_here(kind, said.reasons[n])]
        columns["published"][rows[shown]] = [said.kinds[n] == "publish" for n in shown]
        if len(new):
            columns["twin"][rows[new]] = rows[new]
            # Only now, so that nobody sees a row that is not filled.
            self.image_ids.append(raw[new[first]])  # pyright: ignore[reportPossiblyUnboundVariable]
        for n, twin in enumerate(said.twins):
            if twin:
                columns["twin"][rows[n]] = self.row_of.get(twin, rows[n])
        self._touched.extend(rows.tolist())
        return dict.fromkeys(said.images[n] for n in np.flatnonzero(long).tolist())

    def _fold(self, image: str, history: Sequence[LabelEvent]) -> None:
        """The long way, for pictures about which more was said than one thing after another."""
        row, columns = self.row_of[image], self._columns
        standing = standing_of(history, SPLITS[int(columns["split"][row])])
        columns["seconded"][row] = any(said.blind for said in history)
        if standing is None:  # Only a visitor spoke about it.
            columns["suggested"][row] = any(said.kind == "suggestion" for said in history)
            columns["taxon"][row], columns["kind"][row] = -1, KINDS.index("suggestion")
            columns["annotator"][row] = self._annotators.number(history[-1].annotator)
            columns["checked"][row] = columns["disputed"][row] = False
            settling = [said.id or 0 for said in history if said.kind in (*DECIDING, "undo")]
            columns["version"][row] = max(settling, default=0)
            return
        columns["taxon"][row] = self._taxa.number(standing.taxon)
        columns["kind"][row] = KINDS.index(standing.kind)
        columns["checked"][row] = standing.checked
        columns["disputed"][row] = standing.disputed
        columns["suggested"][row] = standing.suggested
        columns["version"][row] = standing.version
        columns["annotator"][row] = self._annotators.number(standing.annotator)

    def _make_room(self, count: int) -> None:
        """Space for so many rows; those that are new have no label."""
        size, held = len(self._columns["taxon"]), len(self)
        if count > size:
            size = max(count, 2 * size)
            self._columns = {name: grown(old, size, held) for name, old in self._columns.items()}
        self._columns["taxon"][held:count] = self._columns["came_as"][held:count] = -1
