"""The model that learns from every answer: the head follows the log, and rankings are made in the background."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import scipy.linalg

from fgdemo.annotation import Accuracy, Ranking, TaxonChance
from fgdemo.errors import FgdemoError
from fgdemo.learn import acquisition
from fgdemo.learn.leverages import Leverages
from fgdemo.learn.suspicion import leave_one_out, suspicion, with_pair_record
from fgdemo.model.calibration import fit_temperature, softmax
from fgdemo.model.head import PENALTIES, RidgeHead, press
from fgdemo.model.instant import InstantHead, solve
from fgdemo.storage.embeddings import Embeddings
from fgdemo.storage.roster import KINDS, SPLITS, Roster
from fgdemo.taxonomy import Taxonomy

log = logging.getLogger(__name__)

CHECKED_WEIGHT, UNCHECKED_WEIGHT = 3.0, 1.0
ONE_BY_ONE = 40
"""More changes than this at once are summed up and solved anew, which is faster."""
REFIT_AFTER = 300
PENALTY_AFTER, PENALTY_SHARE = 50, 0.02
"""λ is chosen anew after so many changes, and this share of all: labels put right are fitted best with less of it."""
PENALTY_ROWS = 6000
CHUNK = 1024
CALIBRATED_ON = 4000
MOST_COMPARED = 5000
"""Of a kind with more pictures than this, the newest are compared."""
COMPARED_AT_ONCE = 4096
PATIENCE_S = 0.05
RANKED_AT_ONCE = 256
"""A piece of a ranking that takes some milliseconds, so that answers come between."""
LEAST_PROB, LEAST_CHANCES, MOST_CHANCES = 0.001, 5, 9
_LABELS = np.isin(KINDS, ("import", "label", "adjudication"))
_OUT = np.isin(KINDS, ("unusable", "none"))
_TRAIN, _VAL, _GOLD = SPLITS.index("train"), SPLITS.index("val"), SPLITS.index("gold")


@dataclass
class _Held:
    """What the head holds of each row of the roster: a column (−1: none) and a weight; and where its embedding is."""

    column: np.ndarray
    weight: np.ndarray
    embedding: np.ndarray
    audit_key: np.ndarray

    def grown(self, n: int) -> _Held:
        new = n - len(self.column)
        return _Held(
            np.append(self.column, np.full(new, -1, np.int32)),
            np.append(self.weight, np.zeros(new, np.float32)),
            np.append(self.embedding, np.full(new, -1, np.int64)),
            np.append(self.audit_key, np.zeros(new, np.uint64)),
        )


class Learner:
    """See `fgdemo.annotation.Learner`, which this is the real one of.

    The head is always that of the labels of the train pictures as the roster has them now, on top of `prior`. A
    picture that the prior was fitted to (`RidgeHead.members`) is taken out of it before it counts anew.

    Args:
        prior: the head of the served checkpoint, over `taxa`.
        temperature: of the served checkpoint, until enough is labelled here to fit one.
        taxonomy: reads the taxa of the workspace.
    """

    def __init__(
        self,
        prior: RidgeHead,
        taxa: tuple[str, ...],
        temperature: float,
        roster: Roster,
        embeddings: Embeddings,
        taxonomy: Callable[[], Taxonomy],
    ) -> None:
        self._head = InstantHead(prior)
        self._members = prior.member_columns()
        self._taxa = list(taxa)
        self._column = {taxon: column for column, taxon in enumerate(taxa)}
        self._temperature = temperature
        self._roster, self._embeddings, self._taxonomy = roster, embeddings, taxonomy
        self._held = _Held(
            np.empty(0, np.int32), np.empty(0, np.float32), np.empty(0, np.int64), np.empty(0, np.uint64)
        )
        self._leverages = Leverages()
        self._cursor = 0
        self._changes = 0
        self._waiting: set[int] = set()
        self._checks: dict[str, tuple[str, str, str]] = {}
        self._done, self._of = 0, 1
        self._lock = threading.RLock()
        self._ranking: Ranking | None = None
        self._accuracy: Accuracy | None = None
        self._ranked_at = -1
        self._stop, self._wake = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None

    # --- what others ask ----------------------------------------------------------------------------------

    @property
    def taxa(self) -> tuple[str, ...]:
        return tuple(self._taxa)

    @property
    def progress(self) -> tuple[int, int]:
        return self._done, self._of

    @property
    def version(self) -> int:
        """Grows whenever the head may have changed."""
        return self._cursor

    def ranking(self) -> Ranking | None:
        return self._ranking

    def accuracy(self) -> Accuracy | None:
        return self._accuracy

    def weights_now(self) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
        """(D, C) and (C,) float32 from raw embeddings to calibrated log-odds, and the C taxa they are about."""
        with self._lock:
            solution, counts = self._head.solution.copy(), self._head.counts.copy()
            mean, scale, temperature, taxa = self._head.mean, self._head.scale, self._temperature, self.taxa
        weight = solution[:-1] / scale
        bias = solution[-1] - mean @ weight
        seen = counts > 1e-6
        kept = tuple(taxon for taxon, is_seen in zip(taxa, seen, strict=True) if is_seen)
        return (weight[:, seen] / temperature).astype(np.float32), (bias[seen] / temperature).astype(np.float32), kept

    def chances(self, image: str) -> tuple[TaxonChance, ...] | None:
        row, place = self._roster.row_of.get(image), self._embeddings.rows.get(image)
        if row is None or place is None:
            return None
        phi = self._head.features(self._embeddings.vectors([place]))
        with self._lock:
            raw = phi @ self._head.solution
            held = row < len(self._held.column)
            column, weight = (int(self._held.column[row]), float(self._held.weight[row])) if held else (-1, 0.0)
            leverage = weight * self._head.leverage(phi[0]) if weight else 0.0
            probs = self._probs(leave_one_out(raw, np.array([leverage]), np.array([column])))[0]
            taxa = self.taxa
        best = np.argsort(-probs, kind="stable")[:MOST_CHANCES]
        kept = [i for rank, i in enumerate(best) if probs[i] >= LEAST_PROB or (rank < LEAST_CHANCES and probs[i] > 0)]
        return tuple(TaxonChance(taxa[i], float(probs[i])) for i in kept)

    def similar(self, image: str, limit: int) -> tuple[tuple[str, float], ...]:
        return self._nearest(image, np.arange(len(self._roster)), limit)

    def similar_labelled(self, image: str, taxon: str, limit: int) -> tuple[tuple[str, float], ...]:
        roster = self._roster
        if taxon not in roster.taxa:
            return ()
        labelled = np.flatnonzero(roster.taxon == roster.taxa.index(taxon))
        return self._nearest(image, labelled[-MOST_COMPARED:], limit)

    def similarity_order(self, images: tuple[str, ...]) -> tuple[str, ...]:
        known = self._embeddings.rows
        found = [image for image in images if image in known]
        if len(found) < 3:
            return images
        unit = _unit(self._embeddings.vectors([known[image] for image in found]))
        centred = unit - unit.mean(0)
        _, _, axes = np.linalg.svd(centred[: 2000 : max(1, len(centred) // 2000)], full_matrices=False)
        order, at = [], int((centred @ axes[0]).argmin())
        left = np.ones(len(found), bool)
        while True:  # always on to the nearest that is left
            order.append(at)
            left[at] = False
            if not left.any():
                break
            at = int(np.where(left, unit @ unit[at], -2).argmax())
        rest = [image for image in images if image not in known]
        return tuple([found[i] for i in order] + rest)

    def _nearest(self, image: str, rows: np.ndarray, limit: int) -> tuple[tuple[str, float], ...]:
        own_place, own_row = self._embeddings.rows.get(image), self._roster.row_of.get(image)
        if own_place is None:
            return ()
        own = _unit(self._embeddings.vectors([own_place]))[0]
        held = self._held.embedding
        rows = rows[rows < len(held)]
        rows = rows[(held[rows] >= 0) & (rows != own_row)]
        best, cosines = np.empty(0, np.int64), np.empty(0, np.float32)
        for start in range(0, len(rows), COMPARED_AT_ONCE):
            some = rows[start : start + COMPARED_AT_ONCE]
            cosine = _unit(self._embeddings.vectors(held[some])) @ own
            best, cosines = np.append(best, some), np.append(cosines, cosine)
            order = np.argsort(-cosines, kind="stable")[:limit]
            best, cosines = best[order], cosines[order]
        return tuple(zip(self._roster.image_ids.at(best), cosines.tolist(), strict=True))

    # --- learning -----------------------------------------------------------------------------------------

    def catch_up(self) -> None:
        self._roster.follow()
        # While very many are being learned nobody waits for it: what is new is learned right behind them.
        if not self._lock.acquire(timeout=PATIENCE_S if self._thread is not None else -1):
            self._wake.set()
            return
        try:
            cursor, rows = self._roster.changed_since(self._cursor)
            known = self._embeddings.rows
            if self._waiting:  # rows that came before their embedding
                ready = [row for row in self._waiting if self._roster.image_ids[row] in known]
                rows = np.union1d(rows, np.array(ready, np.int64))
                self._waiting.difference_update(ready)
            if len(rows):
                self._grow(rows)
                self._learn(rows)
            self._cursor = cursor
            if self._ranking is not None:
                self._done = self._of = max(len(self._roster), 1)
        finally:
            self._lock.release()
        self._wake.set()

    def _grow(self, rows: np.ndarray) -> None:
        """Rows that are new to us: where is their embedding, and does the prior hold them already?"""
        if len(self._roster) > len(self._held.column):
            self._held = self._held.grown(len(self._roster))
        held, ids = self._held, self._roster.image_ids
        new = rows[held.embedding[rows] < 0]
        held.audit_key[new] = ids.words(new, 1)
        held.embedding[new] = self._embeddings.rows_of(ids.raw(new))
        self._waiting.update(new[held.embedding[new] < 0].tolist())
        if not self._members:
            return
        new = new[held.embedding[new] >= 0]
        for row, number in zip(new.tolist(), ids.words(new, 0).tolist(), strict=True):
            member = self._members.get(number)
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
                self._column[taxon] = self._head.add_class()
                self._taxa.append(taxon)
            column_of[index] = self._column[taxon]
        column = column_of[roster.taxon[rows]]
        trains = (
            (column >= 0)
            & _LABELS[roster.kind[rows]]
            & (roster.split[rows] == _TRAIN)
            & ~roster.disputed[rows]
            & (self._held.embedding[rows] >= 0)
        )
        weight = np.where(roster.checked[rows], CHECKED_WEIGHT, UNCHECKED_WEIGHT)
        return np.where(trains, column, -1).astype(np.int32), np.where(trains, weight, 0).astype(np.float32)

    def _learn(self, rows: np.ndarray) -> None:
        column, weight = self._wanted(rows)
        held = self._held
        differs = (held.column[rows] != column) | (held.weight[rows] != weight)
        rows, column, weight = rows[differs], column[differs], weight[differs]
        self._changes += len(rows)
        if self._ranking is None:
            self._done, self._of = 0, 2 * max(len(rows), 1)  # they are learned, then ranked
        for start in range(0, len(rows), CHUNK):
            some = slice(start, start + CHUNK)
            phi = self._head.features(self._embeddings.vectors(held.embedding[rows[some]]))
            old = held.column[rows[some]], held.weight[rows[some]].astype(np.float64)
            new = column[some], weight[some].astype(np.float64)
            if len(rows) > ONE_BY_ONE:
                self._head.change_many(phi, old, new)
            else:
                for at in range(len(phi)):
                    self._head.change(
                        phi[at], (int(old[0][at]), float(old[1][at])), (int(new[0][at]), float(new[1][at]))
                    )
            held.column[rows[some]], held.weight[rows[some]] = column[some], weight[some]
            if self._ranking is None:
                self._done = start
        if len(rows) > ONE_BY_ONE:
            self._head.refit()

    def _probs(self, raw: np.ndarray) -> np.ndarray:
        """Calibrated; kinds of which no picture was seen are never meant."""
        return softmax(np.where(self._head.counts > 1e-6, raw, -np.inf) / self._temperature)

    # --- rankings -----------------------------------------------------------------------------------------

    def start(self) -> None:
        """Make rankings in the background from now on."""
        self._thread = threading.Thread(target=self._run, name="learner", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                self.catch_up()
                self._wake.clear()
                if self._ranking is None or self._roster.event != self._ranked_at:
                    self.refresh(pace=True)
            except FgdemoError:
                log.exception("the ranking could not be made")
            # As long at rest as at work, so that answers are never kept waiting by rankings.
            self._stop.wait(max(0.5, time.monotonic() - began))
            self._wake.wait(timeout=2.0)

    def refresh(self, pace: bool = False) -> Ranking:
        """Make a new ranking now, of everything committed until now.

        Args:
            pace: give way to others between the chunks.
        """
        if not pace:
            self.catch_up()
        if self._changes >= max(PENALTY_AFTER, PENALTY_SHARE * float(self._head.counts.sum())):
            self._choose_penalty()
        elif self._head.changes_since_refit > REFIT_AFTER:
            self._refit(self._head.penalty)
        with self._lock:
            n = len(self._held.column)
            held = _Held(*(part.copy() for part in vars(self._held).values()))
            solution, penalty = self._head.solution.copy(), self._head.penalty
            counts, taxa, event = self._head.counts.copy(), self.taxa, self._roster.event
            column_of = np.full(len(self._roster.taxa) + 1, -1, np.int32)
            for index, taxon in enumerate(self._roster.taxa):
                column_of[index] = self._column.get(taxon, -1)
        roster = self._roster
        given = np.where(_LABELS[roster.kind[:n]], column_of[roster.taxon[:n]], -1)
        seen = counts > 1e-6
        scores = _Scores(n)
        calibration: list[np.ndarray] = []
        calibrated: list[np.ndarray] = []
        rows = np.flatnonzero(held.embedding >= 0)
        self._weigh(self._leverages.stale(rows, held.weight, penalty), held, pace)
        for some, raw in self._raw(rows, held, solution, pace):
            raw = np.where(seen, raw, -1e4)
            if sum(map(len, calibration)) < CALIBRATED_ON:
                known = given[some] >= 0
                calibration.append(raw[known])
                calibrated.append(given[some][known])
            scores.take(some, softmax(raw / self._temperature), given[some])
        self._recalibrate(calibration, calibrated, seen)
        ranking = self._rank(scores, held, given, n, taxa, event)
        self._ranking, self._ranked_at = ranking, event
        self._done = self._of
        return ranking

    def _weigh(self, rows: np.ndarray, held: _Held, pace: bool) -> None:
        """The leverages of rows for which they are not known."""
        if not len(rows):
            return
        with self._lock:
            inverse = self._head.half_inverse()
        whole = (inverse + np.tril(inverse, -1).T).astype(np.float32)
        for some in self._pieces(rows, pace):
            phi = self._head.features(self._embeddings.vectors(held.embedding[some])).astype(np.float32)
            self._leverages.take(some, np.einsum("nd,nd->n", phi @ whole, phi))

    def _raw(
        self, rows: np.ndarray, held: _Held, solution: np.ndarray, pace: bool
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Raw leave-one-out logits of many rows, some at a time."""
        weight = solution[:-1] / self._head.scale
        bias = (solution[-1] - self._head.mean @ weight).astype(np.float32)
        weight = weight.astype(np.float32)
        for some in self._pieces(rows, pace):
            raw = self._embeddings.vectors(held.embedding[some]) @ weight + bias
            yield some, leave_one_out(raw, held.weight[some] * self._leverages.values[some], held.column[some])
            if self._ranking is None:
                self._done = max(self._done, self._of // 2 + int(some[-1]) // 2)

    def _pieces(self, rows: np.ndarray, pace: bool) -> Iterator[np.ndarray]:
        """A few rows at a time; with `pace` it rests as long as each piece took, once there is something to ask."""
        for start in range(0, len(rows), RANKED_AT_ONCE):
            began = time.monotonic()
            yield rows[start : start + RANKED_AT_ONCE]
            if pace and self._ranking is not None:
                time.sleep(time.monotonic() - began)

    def _choose_penalty(self) -> None:
        """λ by leave-one-out (PRESS) on the pictures that train, as `RidgeHead.fit` does it."""
        with self._lock:
            self._changes = 0
            rows = np.flatnonzero(self._held.weight > 0)
            rows = rows[:: max(1, len(rows) // PENALTY_ROWS)]
            weights, columns = self._held.weight[rows].astype(np.float64), self._held.column[rows]
            gram, moment = self._head.sums()
            places = self._held.embedding[rows]
        if len(rows) < 2 * len(self._taxa):
            return
        features = self._head.features(self._embeddings.vectors(places))
        values, vectors = scipy.linalg.eigh(gram, lower=True)
        rotated, moment, targets = features @ vectors, vectors.T @ moment, np.eye(moment.shape[1])[columns]
        unit = float(np.trace(gram)) / len(gram)
        errors = [press(rotated, targets, weights, values, moment, unit * step) for step in PENALTIES]
        self._refit(unit * PENALTIES[int(np.argmin(errors))])

    def _refit(self, penalty: float) -> None:
        """Solve anew, while answers go on being learned."""
        with self._lock:
            sums = self._head.sums()
            self._head.watch()
        solved = solve(*sums, penalty)
        with self._lock:
            if not self._head.adopt(solved, penalty):
                self._head.set_penalty(penalty)

    def _recalibrate(self, raw: list[np.ndarray], labels: list[np.ndarray], seen: np.ndarray) -> None:
        if sum(map(len, labels)) >= 10 * int(seen.sum()):
            with self._lock:
                self._temperature = fit_temperature(
                    np.concatenate(raw)[:, seen], np.cumsum(seen)[np.concatenate(labels)] - 1
                )

    def _rank(
        self, scores: _Scores, held: _Held, given: np.ndarray, n: int, taxa: tuple[str, ...], event: int
    ) -> Ranking:
        roster, size = self._roster, len(taxa)
        checked, split = roster.checked[:n], roster.split[:n]
        labelled = (given >= 0) & (scores.suggested >= 0)
        usable = (held.embedding >= 0) & ~_OUT[roster.kind[:n]] & (split != _GOLD) & ~roster.disputed[:n]
        other = np.where(scores.suggested == given, scores.rival, scores.suggested)
        checks, wrong = self._record(taxa)
        suspect = scores.suspicion
        suspect[labelled] = with_pair_record(suspect[labelled], given[labelled], other[labelled], checks, wrong)
        confusion, val_confusion = np.zeros((size, size), np.int32), np.zeros((size, size), np.int32)
        for counts, part in ((confusion, _TRAIN), (val_confusion, _VAL)):
            rows = np.flatnonzero(labelled & (split == part))
            np.add.at(counts, (given[rows], scores.suggested[rows]), 1)
        self._accuracy = _accuracy(val_confusion, "val") or _accuracy(confusion, "train")
        open_rows = np.flatnonzero(usable & ~checked)
        twins = roster.twin[:n]
        with_label = open_rows[labelled[open_rows]]
        without = np.flatnonzero(usable & (roster.taxon[:n] < 0))
        pool = np.flatnonzero(usable & ((roster.taxon[:n] < 0) | checked))[: acquisition.LARGEST_SAMPLE]
        vectors = self._embeddings.vectors(held.embedding[pool])
        typical = pool[acquisition.typical(vectors, roster.taxon[pool] >= 0)] if len(without) else without
        audit = np.flatnonzero(usable)
        orders = {
            "suspicion": acquisition.by_score(with_label, suspect[with_label], twins),
            "uncertain": acquisition.by_score(open_rows, scores.uncertainty[open_rows], twins),
            "typical": typical,
            "new": open_rows[np.lexsort((open_rows, -roster.imported[open_rows]))],
            "audit": audit[np.argsort(held.audit_key[audit], kind="stable")],
        }
        return Ranking(
            taxa, suspect, scores.suggested, scores.suggested_prob, scores.given_prob, scores.rival,
            scores.uncertainty, orders, confusion, val_confusion, event,
        )  # fmt: skip

    def _record(self, taxa: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
        """How often labels of one kind, suspected to be another, were checked, and how often they were wrong."""
        size = len(taxa)
        checks, wrong = np.zeros((size, size)), np.zeros((size, size))
        for before, after, suspected in list(self._checks.values()):
            if before in self._column and suspected in self._column:
                a, b = self._column[before], self._column[suspected]
                checks[a, b] += 1
                wrong[a, b] += before != after
        return checks, wrong

    def note_check(self, image: str, before: str, after: str, suspected: str) -> None:
        """A label was checked: the record of its pair of kinds changes what is asked next."""
        with self._lock:
            self._checks[image] = before, after, suspected


class _Scores:
    """What `Ranking` says of each row, filled some rows at a time."""

    def __init__(self, n: int) -> None:
        self.suspicion = np.full(n, np.nan, np.float32)
        self.suggested = np.full(n, -1, np.int32)
        self.suggested_prob = np.full(n, np.nan, np.float32)
        self.given_prob = np.full(n, np.nan, np.float32)
        self.rival = np.full(n, -1, np.int32)
        self.uncertainty = np.full(n, np.nan, np.float32)

    def take(self, rows: np.ndarray, probs: np.ndarray, given: np.ndarray) -> None:
        doubt, first, second = suspicion(probs, given)
        at = np.arange(len(rows))
        self.suspicion[rows], self.suggested[rows], self.rival[rows] = doubt, first, second
        self.suggested_prob[rows] = probs[at, first]
        self.given_prob[rows] = np.where(given >= 0, probs[at, np.maximum(given, 0)], np.nan)
        self.uncertainty[rows] = 1 - (probs[at, first] - probs[at, second])


def _accuracy(confusion: np.ndarray, on: str) -> Accuracy | None:
    """Wilson's interval of the share on the diagonal; None where nothing was counted."""
    n = int(confusion.sum())
    if not n:
        return None
    share, z = float(np.trace(confusion)) / n, 1.96
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * float(np.sqrt(share * (1 - share) / n + z * z / (4 * n * n)))
    return Accuracy(share, max(0.0, middle - half), min(1.0, middle + half), n, "val" if on == "val" else "train")


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
