"""Review: many pictures at once, the confusions between kinds, and the history of each picture."""

from __future__ import annotations

import csv
import io
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fgdemo.annotation import Accuracy, Kind, Learner, Person, Ranking
from fgdemo.errors import ForbiddenError, StaleError, StorageError
from fgdemo.services.agreement import cohen_kappa, krippendorff_alpha, wilson
from fgdemo.services.explainer import Explainer, PartWeight
from fgdemo.storage.events import EventLog, LabelEvent
from fgdemo.storage.left_out import harmless
from fgdemo.storage.roster import KINDS, SPLITS, Roster
from fgdemo.storage.taxa import TaxonStore

LARGEST_PAGE = 200
LARGEST_BATCH = 1000
STRIP = 12
WORST_CELLS = 60
_GOLD = SPLITS.index("gold")


@dataclass(frozen=True)
class Tile:
    """One picture of the grid; `suspicion` in [0, 1], high is suspect, None where there is no label to doubt."""

    image: str
    version: int
    given: str | None
    given_name: str
    suggested: str | None
    suggested_name: str
    suspicion: float | None
    checked: bool
    disputed: bool
    split: str


@dataclass(frozen=True)
class Grid:
    total: int
    tiles: tuple[Tile, ...]


@dataclass(frozen=True)
class Cell:
    """`count` pictures labelled as `given` that the model takes for `suggested`."""

    given: str
    given_name: str
    suggested: str
    suggested_name: str
    count: int


@dataclass(frozen=True)
class KindSummary:
    """One kind: pictures, how many were checked, how many look wrong, and how often the model knows them."""

    taxon: str
    name: str
    latin: str | None
    n: int
    checked: int
    suspects: int
    right: float | None
    low: float
    high: float


@dataclass(frozen=True)
class Overview:
    pictures: int
    labelled: int
    checked: int
    disputed: int
    splits: dict[str, int]
    accuracy: Accuracy | None
    kinds: tuple[KindSummary, ...]
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class PairPage:
    """Two kinds side by side. `kappa` of blind second opinions about either; 1 is perfect, 0 chance."""

    a: KindSummary
    b: KindSummary
    a_as_b: int
    b_as_a: int
    kappa: float | None
    alpha: float | None
    opinions: int
    parts: tuple[PartWeight, ...]
    a_typical: tuple[Tile, ...]
    b_typical: tuple[Tile, ...]
    between: tuple[Tile, ...]


class Review:
    """Safe for many threads."""

    def __init__(
        self, log: EventLog, roster: Roster, learner: Learner, taxa: TaxonStore, explainer: Explainer | None = None
    ) -> None:
        self._log, self._roster, self._learner, self._taxa = log, roster, learner, taxa
        self._explainer = explainer

    def overview(self, person: Person) -> Overview:
        """The workspace in numbers, its kinds by suspicion, and what is most often taken for what."""
        person.require("expert")
        roster, ranking = self._follow()
        splits = {name: int((roster.split == code).sum()) for code, name in enumerate(SPLITS)}
        return Overview(
            pictures=len(roster),
            labelled=int((roster.taxon >= 0).sum()),
            checked=int(roster.checked.sum()),
            disputed=int(roster.disputed.sum()),
            splits={name: count for name, count in splits.items() if count},
            accuracy=self._learner.accuracy(),
            kinds=self._kinds(ranking),
            cells=self._cells(ranking),
        )

    def grid(
        self,
        person: Person,
        *,
        given: str | None = None,
        suggested: str | None = None,
        state: str = "all",
        sort: str = "suspicion",
        offset: int = 0,
        limit: int = 100,
    ) -> Grid:
        """Pictures that are labelled as `given` and taken for `suggested`, a page at a time.

        Args:
            state: all, unchecked, checked, disputed, unlabelled or unusable.
            sort: suspicion (most suspect first), similarity (neighbours look alike) or newest.

        Raises:
            StorageError: no such state or order.
        """
        person.require("expert")
        roster, ranking = self._follow()
        n = len(roster)
        keep = np.ones(n, bool)
        out = np.isin(roster.kind, [KINDS.index("unusable"), KINDS.index("none")])
        states = {
            "all": keep, "unchecked": ~roster.checked, "checked": roster.checked, "disputed": roster.disputed,
            "unlabelled": (roster.taxon < 0) & ~out, "unusable": out,
        }  # fmt: skip
        if state not in states or sort not in ("suspicion", "similarity", "newest"):
            raise StorageError("There is no such view of the pictures: load the page again.")
        keep = keep & states[state]
        if given is not None:
            keep &= roster.taxon == (roster.taxa.index(given) if given in roster.taxa else -2)
        doubt = np.full(n, -1.0)
        if ranking is not None:
            m = len(ranking.suspicion)
            doubt[:m] = np.nan_to_num(ranking.suspicion, nan=-1.0)
            if suggested is not None:
                taken = np.zeros(n, bool)
                if suggested in ranking.taxa:
                    taken[:m] = ranking.suggested == ranking.taxa.index(suggested)
                keep &= taken
        rows = np.flatnonzero(keep)
        rows = rows[::-1] if sort == "newest" else rows[np.argsort(-doubt[rows], kind="stable")]
        total, limit = len(rows), max(1, min(limit, LARGEST_PAGE))
        if sort == "similarity":
            some = tuple(roster.image_ids[row] for row in rows[:2000])
            rows = np.array([roster.row_of[image] for image in self._learner.similarity_order(some)], np.int64)
        return Grid(total, self._tiles(rows[max(0, offset) : max(0, offset) + limit], ranking))

    def relabel(
        self, person: Person, items: Sequence[tuple[str, int]], kind: Kind, taxon: str | None, key: str
    ) -> tuple[str, tuple[Tile, ...]]:
        """One answer about many pictures, (image, version) each: all are kept, or none. Gives the batch's name.

        Raises:
            StaleError: some have changed since they were shown.
            ForbiddenError, StorageError: nothing was kept; the message says why.
        """
        person.require("expert")
        if not 1 <= len(items) <= LARGEST_BATCH or kind not in ("label", "unusable", "none"):
            raise StorageError(f"Choose 1 to {LARGEST_BATCH} pictures and what they are.")
        if taxon is not None and taxon not in self._taxa.load().by_id:
            raise StorageError("This kind is not in the workspace: load the page again.")
        batch = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{person.name}/{key}"))
        self._log.answer_all(
            [
                LabelEvent(
                    image, kind, person.name, taxon=taxon, shown_version=version, batch=batch,
                    answer_key=f"{batch}/{image[:16]}",
                )
                for image, version in items
            ]
        )  # fmt: skip
        self._learner.catch_up()
        return batch, self._now([image for image, _ in items])

    def undo(self, person: Person, batch: str) -> tuple[Tile, ...]:
        """Take back a whole batch. Raises StaleError where somebody has spoken since."""
        person.require("expert")
        events = [said for said in self._log.by_batch(batch) if said.kind != "undo"]
        if not events:
            raise StorageError("There is nothing to take back.")
        if any(said.annotator != person.name for said in events) and person.role != "maintainer":
            raise ForbiddenError("Only the person who gave an answer, or a maintainer, may take it back.")
        self._log.undo([said.id or 0 for said in events], person)
        self._learner.catch_up()
        return self._now([said.image for said in events])

    def pair(self, person: Person, a: str, b: str) -> PairPage:
        """Two kinds side by side. Raises TaxonomyError."""
        person.require("expert")
        _roster, ranking = self._follow()
        summaries = {kind.taxon: kind for kind in self._kinds(ranking)}
        taxonomy = self._taxa.load()
        kinds = [
            summaries.get(t, KindSummary(t, taxonomy[t].name, taxonomy[t].latin, 0, 0, 0, None, 0, 1)) for t in (a, b)
        ]
        typical = [self._strip(taxon, ranking) for taxon in (a, b)]
        first, second, units = self._opinions({a, b})
        counts = [0, 0]
        between: tuple[Tile, ...] = ()
        if ranking is not None and {a, b} <= set(ranking.taxa):
            i, j = ranking.taxa.index(a), ranking.taxa.index(b)
            counts = [int(ranking.confusion[i, j]), int(ranking.confusion[j, i])]
            both = np.isin(ranking.suggested, (i, j)) & np.isin(ranking.rival, (i, j))
            rows = np.flatnonzero(both)
            between = self._tiles(rows[np.argsort(-ranking.uncertainty[rows], kind="stable")][:STRIP], ranking)
        parts: list[PartWeight] = []
        if self._explainer is not None and all(typical):
            shown = [[tile.image for tile in strip] for strip in typical]
            parts = self._explainer.deciding_parts(a, b, shown[0], shown[1])
        return PairPage(
            kinds[0], kinds[1], counts[0], counts[1], cohen_kappa(first, second), krippendorff_alpha(units), len(units),
            tuple(parts), typical[0], typical[1], between,
        )  # fmt: skip

    def history(self, person: Person, image: str) -> list[LabelEvent]:
        """All that was said about a picture, oldest first."""
        person.require("expert")
        return self._log.history(image)

    def table(self, person: Person) -> bytes:
        """Every picture as a CSV table in UTF-8, most suspect first."""
        person.require("expert")
        roster, ranking = self._follow()
        tiles = self.grid_rows(ranking)
        names = {}
        for start in range(0, len(tiles), 500):
            names.update(roster.names([tile.image for tile in tiles[start : start + 500]]))
        file = io.StringIO()
        writer = csv.writer(file)
        writer.writerow(("name", "image", "label", "annotator", "checked", "suspicion", "suggested", "split"))
        for tile in tiles:
            standing = roster.standing(tile.image)
            doubt = "" if tile.suspicion is None else f"{tile.suspicion:.4f}"
            row = (names.get(tile.image, ""), tile.image, tile.given or "", standing.annotator)
            rest = (str(tile.checked).lower(), doubt, tile.suggested or "", tile.split)
            writer.writerow([harmless(text) for text in (*row, *rest)])
        return file.getvalue().encode("utf-8")

    def grid_rows(self, ranking: Ranking | None) -> tuple[Tile, ...]:
        """All pictures, most suspect first."""
        doubt = np.full(len(self._roster), -1.0)
        if ranking is not None:
            doubt[: len(ranking.suspicion)] = np.nan_to_num(ranking.suspicion, nan=-1.0)
        return self._tiles(np.argsort(-doubt, kind="stable"), ranking)

    # --- inside -------------------------------------------------------------------------------------------

    def _follow(self) -> tuple[Roster, Ranking | None]:
        self._learner.catch_up()
        return self._roster, self._learner.ranking()

    def _now(self, images: Sequence[str]) -> tuple[Tile, ...]:
        rows = np.array([self._roster.row_of[image] for image in images], np.int64)
        return self._tiles(rows, self._learner.ranking())

    def _tiles(self, rows: np.ndarray, ranking: Ranking | None) -> tuple[Tile, ...]:
        taxonomy, roster, tiles = self._taxa.load(), self._roster, []
        for row in rows.tolist():
            standing = roster.standing(roster.image_ids[row])
            ranked = ranking is not None and row < len(ranking.suggested)
            taken = ranking.taxa[ranking.suggested[row]] if ranked and ranking.suggested[row] >= 0 else None  # type: ignore[union-attr]
            doubt = float(ranking.suspicion[row]) if ranked else float("nan")  # type: ignore[union-attr]
            tiles.append(
                Tile(
                    image=standing.image,
                    version=standing.version,
                    given=standing.taxon,
                    given_name=_say(standing.kind, taxonomy[standing.taxon].name if standing.taxon else ""),
                    suggested=taken,
                    suggested_name=taxonomy[taken].name if taken else "",
                    suspicion=None if np.isnan(doubt) else round(doubt, 4),
                    checked=standing.checked,
                    disputed=standing.disputed,
                    split=standing.split,
                )
            )
        return tuple(tiles)

    def _kinds(self, ranking: Ranking | None) -> tuple[KindSummary, ...]:
        roster, taxonomy, found = self._roster, self._taxa.load(), []
        counts = np.bincount(roster.taxon[roster.taxon >= 0], minlength=len(roster.taxa))
        checked = np.bincount(roster.taxon[(roster.taxon >= 0) & roster.checked], minlength=len(roster.taxa))
        doubtful = np.zeros(len(roster), bool)
        if ranking is not None:
            doubtful[: len(ranking.suspicion)] = np.nan_to_num(ranking.suspicion) > 0.5
        suspects = np.bincount(
            roster.taxon[(roster.taxon >= 0) & doubtful & ~roster.checked], minlength=len(roster.taxa)
        )
        for index, taxon in enumerate(roster.taxa):
            if not counts[index] or taxon not in taxonomy.by_id:
                continue
            right, total = 0, 0
            if ranking is not None and taxon in ranking.taxa:
                column = ranking.taxa.index(taxon)
                right, total = int(ranking.confusion[column, column]), int(ranking.confusion[column].sum())
            low, high = wilson(right, total)
            found.append(
                KindSummary(
                    taxon, taxonomy[taxon].name, taxonomy[taxon].latin, int(counts[index]), int(checked[index]),
                    int(suspects[index]), right / total if total else None, low, high,
                )
            )  # fmt: skip
        return tuple(sorted(found, key=lambda kind: (-kind.suspects / kind.n, kind.name)))

    def _cells(self, ranking: Ranking | None) -> tuple[Cell, ...]:
        if ranking is None:
            return ()
        taxonomy = self._taxa.load()
        off = ranking.confusion * (1 - np.eye(len(ranking.taxa), dtype=ranking.confusion.dtype))
        worst = np.argsort(-off, axis=None, kind="stable")[:WORST_CELLS]
        cells = []
        for given, taken in zip(*np.unravel_index(worst, off.shape), strict=True):
            if off[given, taken]:
                a, b = ranking.taxa[given], ranking.taxa[taken]
                cells.append(Cell(a, taxonomy[a].name, b, taxonomy[b].name, int(off[given, taken])))
        return tuple(cells)

    def _strip(self, taxon: str, ranking: Ranking | None) -> tuple[Tile, ...]:
        """Pictures of a kind that the model is surest of, checked ones first."""
        roster = self._roster
        if ranking is None or taxon not in roster.taxa:
            return ()
        n = len(ranking.given_prob)
        rows = np.flatnonzero((roster.taxon[:n] == roster.taxa.index(taxon)) & ~np.isnan(ranking.given_prob))
        return self._tiles(rows[np.lexsort((-ranking.given_prob[rows], ~roster.checked[rows]))][:STRIP], ranking)

    def _opinions(self, taxa: set[str]) -> tuple[list[str], list[str], list[dict[str, str]]]:
        """First and second answers where a blind second opinion was about one of these kinds."""
        seconds = [said for said in self._log.by_reason("second") if said.kind == "label"]
        histories = self._log.histories([said.image for said in seconds])
        first, second, units = [], [], []
        for said in seconds:
            undone = {other.undoes for other in histories[said.image]}
            older = [
                other
                for other in histories[said.image]
                if other.kind == "label" and not other.blind and (other.id or 0) < (said.id or 0)
                and other.id not in undone
            ]  # fmt: skip
            if said.id in undone or not older or not {older[-1].taxon, said.taxon} & taxa:
                continue
            first.append(older[-1].taxon or "")
            second.append(said.taxon or "")
            units.append({older[-1].annotator: first[-1], said.annotator: second[-1]})
        return first, second, units


def _say(kind: Kind, name: str) -> str:
    return {"unusable": "unusable", "none": "none of these"}.get(kind, name or "no label")


__all__ = ["Grid", "Overview", "PairPage", "Review", "StaleError", "Tile"]
