"""Review: many pictures at once, what is taken for what, each kind and pair by itself, and who said what."""

import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import numpy as np
from sqlalchemy.engine import Engine

from fgdemo.services.labelling.explainer import Explainer, Explanation, PartWeight
from fgdemo.services.review.bulk import Answer, Shown, StaleBatchError, answer_many, back_to_gold, undo_many
from fgdemo.services.review.grid import Filter, Grid, Tile, in_order, rows_shown, tiles
from fgdemo.services.review.kinds import WORST_CELLS, Cell, KindSummary, summaries
from fgdemo.services.review.matrix import Matrix, matrix
from fgdemo.services.review.opinions import NEWEST, Annotators, Opinions, annotators
from fgdemo.services.review.pages import KindPage, PairPage, kind_page, pair_page, typical_rows
from fgdemo.services.review.publishing import Publishing
from fgdemo.services.review.snapshot import Snapshot, snapshot
from fgdemo.services.review.table import table
from fgdemo.storage.database.database import utc_now
from fgdemo.storage.history.answers import second_opinions, tallies
from fgdemo.storage.history.events import EventLog, LabelEvent, Note
from fgdemo.storage.history.label_event import PUBLISHING
from fgdemo.storage.history.leases import Leases
from fgdemo.storage.history.publications import PublicationLog
from fgdemo.storage.history.roster import SPLITS, Roster
from fgdemo.storage.history.taxa import TaxonStore
from fgdemo.storage.people.audit import note
from fgdemo.values.annotation import Accuracy, Learner, Person, Publication
from fgdemo.values.classification.answers import FineMap
from fgdemo.values.errors import ForbiddenError, StorageError, TaxonomyError
from fgdemo.values.taxonomy import Taxonomy

LARGEST_PAGE = 200
VIEWS_KEPT = 16
"""So many orders are remembered, so that the next page of each follows the one that was shown."""


@dataclass(frozen=True)
class Overview:
    """The workspace in numbers.

    Attributes:
        is_ranked: the model has looked at the pictures.
        annotators, imports: what the grid can be filtered by, the newest import first.
    """

    pictures: int
    labelled: int
    checked: int
    suspects: int
    disputed: int
    splits: dict[str, int]
    accuracy: Accuracy | None
    is_ranked: bool
    annotators: tuple[str, ...]
    imports: tuple[str, ...]


class Review:
    """Safe for many threads. Every question needs an expert.

    Args:
        learner: follows the same roster.
        explainer: draws the maps, or None.
    """

    def __init__(
        self,
        engine: Engine,
        roster: Roster,
        learner: Learner,
        taxa: TaxonStore,
        explainer: Explainer | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._engine, self._clock = engine, clock
        self._log, self._leases = EventLog(engine, clock), Leases(engine, clock)
        self._roster, self._learner, self._taxa, self._explainer = roster, learner, taxa, explainer
        self._publishing = Publishing(self._log, PublicationLog(engine, clock), partial(self._note, action="publish"))
        self._views: OrderedDict[tuple[str, str], np.ndarray] = OrderedDict()
        self._lock = threading.Lock()

    # --- looking ------------------------------------------------------------------------------------------

    def overview(self, person: Person) -> Overview:
        """The workspace in numbers."""
        now = self._now(person)
        splits = np.bincount(now.split[~now.removed], minlength=len(SPLITS))
        roster = self._roster
        return Overview(
            pictures=now.n - int(now.removed.sum()),
            labelled=int((now.taxon >= 0).sum()),
            checked=int(now.checked.sum()),
            suspects=int((now.looks_wrong & ~now.locked).sum()),
            disputed=int(now.disputed.sum()),
            splits={name: int(splits[code]) for code, name in enumerate(SPLITS) if splits[code]},
            accuracy=self._learner.accuracy(),
            is_ranked=bool(now.taxa),
            annotators=tuple(sorted(roster.annotators)),
            imports=tuple(reversed(roster.imports)),
        )

    def grid(self, person: Person, wanted: Filter, view: str = "", offset: int = 0, limit: int = 100) -> Grid:
        """Pictures, a page at a time.

        Args:
            view: `Grid.view` of the first page, so that answers given meanwhile move nothing; "" begins anew.

        Raises:
            TaxonomyError: no such kind or group.
        """
        now = self._now(person)
        with self._lock:
            rows = self._views.get((person.name, view))
        if rows is None:
            for taxon in (wanted.given, wanted.suggested):
                if taxon is not None and taxon not in now.taxonomy.by_id:
                    raise TaxonomyError("This kind is not in the workspace. Choose another, or all.")
            rows = in_order(now, rows_shown(now, wanted), wanted.sort, self._learner.similarity_order)
            view = uuid.uuid4().hex
            with self._lock:
                self._views[person.name, view] = rows
                while len(self._views) > VIEWS_KEPT:
                    self._views.popitem(last=False)
        first, limit = max(0, offset), max(1, min(limit, LARGEST_PAGE))
        return Grid(len(rows), view, tiles(now, rows[first : first + limit]))

    def table(self, person: Person, wanted: Filter | None = None) -> Iterator[bytes]:
        """The pictures that a filter shows, or all, as a CSV table in UTF-8, piece by piece, most suspect first."""
        now, wanted = self._now(person), wanted or Filter()
        sort = "suspicion" if wanted.sort == "similarity" else wanted.sort
        return table(now, in_order(now, rows_shown(now, wanted), sort, self._learner.similarity_order))

    def kinds(self, person: Person) -> tuple[KindSummary, ...]:
        """Every kind in numbers, those with the largest share of suspects first."""
        return summaries(self._now(person))

    def matrix(self, person: Person, held_out: bool = False, worst: int = WORST_CELLS) -> Matrix:
        """What is taken for what: train pictures each left out in turn, or val pictures."""
        return matrix(self._now(person), held_out, worst)

    def kind(self, person: Person, taxon: str) -> KindPage:
        """One kind by itself. Raises TaxonomyError."""
        return kind_page(self._now(person), taxon, self._opinions())

    def pair(self, person: Person, a: str, b: str) -> PairPage:
        """Two kinds side by side. Raises TaxonomyError."""
        return pair_page(self._now(person), a, b, self._opinions())

    def deciding_parts(self, person: Person, a: str, b: str) -> list[PartWeight]:
        """What each part adds for A against B over typical pictures of both, largest first; [] where nobody can say."""
        now = self._now(person)
        shown = [now.roster.image_ids.at(typical_rows(now, taxon)) for taxon in (a, b)]
        if self._explainer is None or a == b or not all(shown):
            return []
        return self._explainer.deciding_parts(a, b, shown[0], shown[1])

    def explain(self, person: Person, image: str, a: str | None, b: str | None) -> Explanation:
        """The maps of one picture for A against B. Raises as
        `fgdemo.services.labelling.explainer.Explainer.explain`."""
        person.require("expert")
        if self._explainer is None:
            raise StorageError("Explanations are not to be had here.")
        return self._explainer.explain(image, a, b)

    def spread(self, person: Person, image: str, a: str, b: str) -> FineMap | None:
        """Its map of A against B on the pixels that decide; None where nothing tells. Raises as `explain`."""
        person.require("expert")
        return None if self._explainer is None else self._explainer.spread(image, a, b)

    def annotators(self, person: Person) -> Annotators:
        """Who has answered what, and how far independent opinions agree."""
        person.require("expert")
        return annotators(person, tallies(self._engine), self._opinions(), self._taxa.load())

    def history(self, person: Person, image: str) -> list[LabelEvent]:
        """All that was said about a picture, oldest first.

        Blind opinions of others are left out for a person who has not said what the picture shows, because they may
        still be asked; maintainers see them.

        Raises:
            ForbiddenError: the person is giving a blind second opinion about it right now.
        """
        now = self._now(person)
        row = self._roster.row_of.get(image)
        if row is not None and row < now.n and now.hidden[row]:
            raise ForbiddenError(
                "You are asked for a second opinion about this picture; its history is shown after it."
            )
        history = self._log.history(image)
        spoke = any(said.annotator == person.name and said.kind in ("label", "adjudication") for said in history)
        settled = any(said.kind == "adjudication" for said in history)
        if spoke or settled or person.role == "maintainer":
            return history
        return [said for said in history if not said.blind]

    # --- answering ----------------------------------------------------------------------------------------

    def answer(
        self, person: Person, items: Sequence[Shown], answer: Answer, taxon: str | None, key: str
    ) -> tuple[str, tuple[Tile, ...]]:
        """One answer about many pictures: all are kept, or none. Gives the name of the batch, and how they stand now;
        what puts pictures back into gold takes something back itself, and has no name by which it could be.

        Raises:
            StaleBatchError: some have changed since they were shown.
            ForbiddenError, StorageError: nothing was kept; the message says why.
        """
        now, noted = self._now(person), partial(self._note, person)
        if answer == "gold_back":
            back_to_gold(self._log, self._roster, person, items, noted)
            return "", self.tiles(person, [item.image for item in items])
        batch = answer_many(self._log, self._roster, now.taxonomy, person, items, answer, taxon, key, noted)
        return batch, self.tiles(person, [item.image for item in items])

    def publish(
        self, person: Person, items: Sequence[Shown], publication: Publication | None, key: str
    ) -> tuple[str, tuple[Tile, ...]]:
        """Show pictures to everybody, or with None to nobody any more. See `Publishing.set`, and `answer`."""
        batch = self._publishing.set(person, items, publication, key)
        return batch, self.tiles(person, [item.image for item in items])

    def undo(self, person: Person, batch: str) -> tuple[Tile, ...]:
        """Take back a whole batch. Raises StaleError where somebody has spoken since, and ForbiddenError."""
        person.require("expert")
        if any(said.kind in PUBLISHING for said in self._log.by_batch(batch)):
            return self.tiles(person, self._publishing.undo(person, batch))
        return self.tiles(person, undo_many(self._log, person, batch, partial(self._note, person)))

    def tiles(self, person: Person, images: Sequence[str]) -> tuple[Tile, ...]:
        """How these pictures stand now; those that are not in the workspace are passed over."""
        now = self._now(person)
        rows = [row for row in map(self._roster.row_of.get, images) if row is not None and row < now.n]
        return tiles(now, np.array([row for row in rows if not now.hidden[row]], np.int64))

    # --- inside -------------------------------------------------------------------------------------------

    def _note(self, person: Person, about: str, action: str = "gold") -> Note:
        return lambda connection: note(connection, self._clock(), person, action, about)

    def taxonomy(self) -> Taxonomy:
        return self._taxa.load()

    def _now(self, person: Person) -> Snapshot:
        person.require("expert")
        self._learner.catch_up()
        held = self._leases.held()
        asked = {image for image, holders in held.items() if person.name in holders}
        mine = self._roster.annotators.index(person.name) if person.name in self._roster.annotators else -2
        row_of, by = self._roster.row_of, self._roster.annotator
        asked = {image for image in asked if image in row_of and int(by[row_of[image]]) != mine}
        return snapshot(self._roster, self._learner.ranking(), self._taxa.load(), asked)

    def _opinions(self) -> Opinions:
        return Opinions(second_opinions(self._engine, NEWEST))


__all__ = ["Cell", "Filter", "Grid", "KindPage", "Overview", "PairPage", "Review", "Shown", "StaleBatchError", "Tile"]
