"""The head that follows the log: always that of the labels as they are now, and what it says of any picture.

The sums are those of a ridge head (`fgdemo.model.instant`); what is read off them is Fisher's linear discriminant.
Top-1 on held-out pictures by frozen ImageNet features, 15 % of the training labels flipped to look-alikes, mean of five
seeds; then after the 131 most suspect labels were checked, which put about 122 right:

                                                          birds100                dogs64
    ridge outputs         before                          0.805                   0.918
      checked, weight 3 / weight 1 / as many at random    0.795 / 0.805 / 0.822   0.917 / 0.918 / 0.919
    the discriminant      before                          0.840                   0.921
      checked, weight 3 / weight 1 / as many at random    0.844 / 0.844 / 0.848   0.920 / 0.921 / 0.921

So by the ridge outputs, putting labels right made the model worse where checked ones count three times, and did nothing
where they count once; the discriminant starts better and rises on birds, and on dogs, where little is confused, nothing
moves. A random choice of corrections is worth more, but nobody knows which those are.
"""

import threading
from collections.abc import Callable, Sequence

import numpy as np

from fgdemo.learn.live.head_state import HeadState, Held
from fgdemo.model.calibration import softmax
from fgdemo.model.discriminant import Discriminant
from fgdemo.model.head import RidgeHead
from fgdemo.model.instant import InstantHead, solve
from fgdemo.storage.embeddings.embeddings import Embeddings
from fgdemo.storage.history.roster import KINDS, SPLITS, Roster
from fgdemo.values.batches import batches
from fgdemo.values.classification.votes import VotingHead
from fgdemo.values.taxonomy import Taxonomy

WEIGHT = 1.0
"""Of every label, checked or not. The pictures that are checked are no random draw."""
ONE_BY_ONE = 40
"""More changes than this at once are summed up and solved anew, which is faster."""
REFIT_AFTER = 300
CHUNK = 1024
START_TEMPERATURE = 5.0
"""Until there is a ranking, which fits one."""
IS_LABEL = np.isin(KINDS, ("import", "label", "adjudication"))
TRAIN = SPLITS.index("train")


class LiveHead:
    """The head is always that of the labels of the train pictures as the roster has them now, on top of `prior`.

    A picture that the prior was fitted to (`RidgeHead.members`) is taken out of it before it counts anew. Safe for
    threads. Two of them on one log are equal: nothing here depends on the order in which things were learned.

    Args:
        prior: over `taxa`. Its λ stays the same share of the mean eigenvalue of Φ'ΩΦ as the workspace grows.
        taxonomy: reads the taxa of the workspace.
    """

    def __init__(
        self,
        prior: RidgeHead,
        taxa: Sequence[str],
        roster: Roster,
        embeddings: Embeddings,
        taxonomy: Callable[[], Taxonomy],
    ) -> None:
        self._head = InstantHead(prior)
        self._members = prior.member_columns()
        self._prior_penalty = prior.penalty
        unit = float(np.trace(prior.gram)) / len(prior.gram)
        self._penalty_share = prior.penalty / unit if unit > 0 else 0.0
        self._taxa = list(taxa)
        self._column = {taxon: column for column, taxon in enumerate(taxa)}
        self._roster, self._embeddings, self._taxonomy = roster, embeddings, taxonomy
        self._held = Held.empty()
        self._cursor = 0
        self._waiting: set[int] = set()
        self._readout: Discriminant | None = None
        self._lock = threading.RLock()
        self.temperature = START_TEMPERATURE
        self.version = 0
        """Grows whenever the head may have changed."""
        self.learned = 0
        """Pictures learned from so far, while it catches up."""

    @property
    def taxa(self) -> tuple[str, ...]:
        return tuple(self._taxa)

    def features(self, places: np.ndarray) -> np.ndarray:
        """(n, D + 1) float64 of rows of the embeddings."""
        return self._head.features(self._embeddings.vectors(places))

    def linear(self) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
        """(D, S) and (S,) float32 from raw embeddings to calibrated log-odds, and the S taxa that have been seen."""
        with self._lock:
            readout = self._discriminant()
            solution, offset = readout.linear(self._head.solution)
            mean, scale, temperature, taxa = self._head.mean, self._head.scale, self.temperature, self.taxa
        weight = solution[:-1] / scale
        bias = solution[-1] - mean @ weight + offset
        kept = tuple(taxon for taxon, is_seen in zip(taxa, readout.seen, strict=True) if is_seen)
        return (weight / temperature).astype(np.float32), (bias / temperature).astype(np.float32), kept

    def probs(self, image: str) -> tuple[np.ndarray, tuple[str, ...]] | None:
        """(C,) calibrated probabilities of one picture as if the head had never seen it, and the taxa."""
        row, place = self._roster.row_of.get(image), self._embeddings.rows.get(image)
        if row is None or place is None:
            return None
        phi = self.features(np.array([place]))
        with self._lock:
            raw = phi @ self._head.solution
            known = row < len(self._held.column)
            column, weight = (int(self._held.column[row]), float(self._held.weight[row])) if known else (-1, 0.0)
            spread = np.array([self._head.leverage(phi[0])])
            logits = self._discriminant().leave_one_out(raw, spread, np.array([weight]), np.array([column]))
            return softmax(logits / self.temperature)[0], self.taxa

    def state(self) -> HeadState:
        with self._lock:
            column_of = np.full(len(self._roster.taxa) + 1, -1, np.int32)
            for index, taxon in enumerate(self._roster.taxa):
                column_of[index] = self._column.get(taxon, -1)
            held, readout, penalty = self._held.copy(), self._discriminant(), self._head.penalty
            solution, taxa, event = self._head.solution.copy(), self.taxa, self._roster.event
        weight = solution[:-1] / self._head.scale
        bias = solution[-1] - self._head.mean @ weight
        return HeadState(
            held, taxa, column_of, weight.astype(np.float32), bias.astype(np.float32), readout, penalty, event
        )

    def inverse(self) -> np.ndarray:
        """G⁻¹, (D + 1, D + 1) float32."""
        with self._lock:
            half = self._head.half_inverse()
        return (half + np.tril(half, -1).T).astype(np.float32)

    def voting(
        self, origin: np.ndarray, asked: Sequence[str]
    ) -> tuple[VotingHead, dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]]:
        """The head as it is now, to be split over pictures; and of each kind asked about that it has seen the rows
        of the roster that it has learned from, their weights, and the rows of their embeddings.

        Args:
            origin: (D,) the mean background token.
        """
        with self._lock:
            head, held, seen = self._head, self._held.copy(), self._discriminant().seen
            leaves = tuple(taxon for taxon, is_seen in zip(self._taxa, seen, strict=True) if is_seen)
            voting = VotingHead(
                leaves,
                head.mean.astype(np.float64),
                head.scale,
                origin.astype(np.float64),
                head.inverse(),
                head.solution[:, seen].copy(),
                head.moment()[:, seen],
                head.counts[seen].copy(),
                self.temperature,
                "discriminant",
            )
            column_of = {leaf: self._column[leaf] for leaf in asked if leaf in leaves}
        rows = {leaf: np.flatnonzero((held.column == at) & (held.weight > 0)) for leaf, at in column_of.items()}
        known = {leaf: at[held.embedding[at] >= 0] for leaf, at in rows.items()}
        return voting, {
            leaf: (at, held.weight[at].astype(np.float64), held.embedding[at]) for leaf, at in known.items()
        }

    def refit_when_due(self) -> None:
        """Solve anew, while answers go on being learned, where many changes have piled up rounding."""
        with self._lock:
            if self._head.changes_since_refit <= REFIT_AFTER:
                return
            penalty, sums = self._head.penalty, self._head.sums()
            self._head.watch()
        solved = solve(*sums, penalty)
        with self._lock:
            if not self._head.adopt(solved, penalty):
                self._head.set_penalty(self._penalty())
            self._readout = None

    def _discriminant(self) -> Discriminant:
        if self._readout is None:
            self._readout = Discriminant.of(self._head.solution, self._head.moment(), self._head.counts)
        return self._readout

    # --- learning -----------------------------------------------------------------------------------------

    def catch_up(self, patience_s: float = -1) -> bool:
        """Learn all that has been committed until now; milliseconds an event.

        Args:
            patience_s: how long to wait where another thread is learning very many; −1: until it is done.

        Returns:
            False where it is not done, and nobody waits any longer: the other thread learns what is new behind that.
        """
        self._roster.follow()
        if not self._lock.acquire(timeout=patience_s):
            return False
        try:
            cursor, rows = self._roster.changed_since(self._cursor)
            known, late = self._embeddings.rows, 0
            if self._waiting:  # rows that came before their embedding
                ready = [row for row in self._waiting if self._roster.image_ids[row] in known]
                rows = np.union1d(rows, np.array(ready, np.int64))
                self._waiting.difference_update(ready)
                late = len(ready)
            if len(rows):
                self._find(rows)
                self._learn(rows)
            self.version += cursor - self._cursor + late
            self._cursor, self.learned = cursor, len(self._roster)
            return True
        finally:
            self._lock.release()

    def _find(self, rows: np.ndarray) -> None:
        """Rows that are new to us: where is their embedding, and does the prior hold them already?"""
        if len(self._roster) > len(self._held.column):
            self._held = self._held.grown(len(self._roster))
        held, ids = self._held, self._roster.image_ids
        again = rows[(held.embedding[rows] >= 0) & (held.column[rows] < 0)]  # one that was removed may be there again
        held.embedding[again] = self._embeddings.rows_of(ids.raw(again))
        self._waiting.update(again[held.embedding[again] < 0].tolist())
        new = np.setdiff1d(rows[held.embedding[rows] < 0], again)
        held.audit_key[new] = ids.words(new, 1)
        held.embedding[new] = self._embeddings.rows_of(ids.raw(new))
        self._waiting.update(new[held.embedding[new] < 0].tolist())
        if not self._members:
            return
        new = new[held.embedding[new] >= 0]
        for row, number in zip(new.tolist(), ids.words(new, 0).tolist(), strict=True):
            member = self._members.pop(number, None)  # once: it may be removed, and come again
            if member is not None:
                held.column[row], held.weight[row] = member, 1.0

    def _wanted(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The column and the weight that these rows should have."""
        roster = self._roster
        column_of = np.full(len(roster.taxa) + 1, -1, np.int32)  # the last one serves rows without a label
        leaves = None
        for index in np.unique(roster.taxon[rows]):
            if index < 0:
                continue
            taxon = roster.taxa[int(index)]
            if taxon not in self._column:
                leaves = self._taxonomy().leaf_index if leaves is None else leaves
                if taxon not in leaves:
                    continue  # a group: a valid answer, but no class of the head
                self._column[taxon], self._readout = self._head.add_class(), None
                self._taxa.append(taxon)
            column_of[index] = self._column[taxon]
        column = column_of[roster.taxon[rows]]
        trains = (
            (column >= 0)
            & IS_LABEL[roster.kind[rows]]
            & (roster.split[rows] == TRAIN)
            & ~roster.disputed[rows]
            & (self._held.embedding[rows] >= 0)
        )
        return np.where(trains, column, -1).astype(np.int32), np.where(trains, WEIGHT, 0).astype(np.float32)

    def _learn(self, rows: np.ndarray) -> None:
        column, weight = self._wanted(rows)
        held = self._held
        differs = (held.column[rows] != column) | (held.weight[rows] != weight)
        rows, column, weight = rows[differs], column[differs], weight[differs]
        for at in batches(range(len(rows)), CHUNK):
            some = slice(at.start, at.stop)
            phi = self.features(held.embedding[rows[some]])
            old = held.column[rows[some]], held.weight[rows[some]].astype(np.float64)
            new = column[some], weight[some].astype(np.float64)
            if len(rows) > ONE_BY_ONE:
                self._head.change_many(phi, old, new)
                self.learned = at.start
            else:
                for at in range(len(phi)):
                    self._head.change(
                        phi[at], (int(old[0][at]), float(old[1][at])), (int(new[0][at]), float(new[1][at]))
                    )
            held.column[rows[some]], held.weight[rows[some]] = column[some], weight[some]
        penalty = self._penalty()
        if len(rows) > ONE_BY_ONE or penalty != self._head.penalty:
            self._head.set_penalty(penalty)
        if len(rows):
            self._readout = None
            self._discriminant()  # now, so that the next picture need not wait for it

    def _penalty(self) -> float:
        """λ for the sums as they are: it grows in steps of two, so that hardly any change moves it."""
        unit = self._head.mean_eigenvalue() * self._penalty_share
        return max(self._prior_penalty, 2.0 ** np.round(np.log2(unit)) if unit > 0 else 0.0)
