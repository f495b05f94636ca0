"""Which pictures to ask next, of everything that is known now. The same log always gives the same ranking."""

import time
from collections.abc import Iterator
from typing import Literal

import numpy as np
from scipy.optimize import minimize_scalar

from fgdemo.learn.live import acquisition
from fgdemo.learn.live.head_state import HeadState
from fgdemo.learn.live.leverages import Leverages
from fgdemo.learn.live.live_head import IS_LABEL, TRAIN, LiveHead
from fgdemo.learn.measure.suspicion import Candidates, doubts
from fgdemo.model.calibration import fit_temperature, softmax, telling
from fgdemo.statistics.proportions import wilson
from fgdemo.storage.embeddings.embeddings import Embeddings
from fgdemo.storage.history.roster import IS_OUT, SPLITS, Roster
from fgdemo.values.annotation import Accuracy, Ranking
from fgdemo.values.batches import batches

AT_ONCE = 256
"""A piece of a ranking that takes some milliseconds, so that answers come between."""
CALIBRATED_ON = 1000
FEWEST_CALIBRATED = 30
_VAL = SPLITS.index("val")


class Ranker:
    """Makes rankings of one workspace. What it keeps between them is only what need not be computed again.

    Args:
        temperature: of the served checkpoint's ridge outputs, which says how sure the head is likely to be.
    """

    def __init__(self, head: LiveHead, roster: Roster, embeddings: Embeddings, temperature: float) -> None:
        self._head, self._roster, self._embeddings = head, roster, embeddings
        self._checkpoint_temperature = temperature
        self._leverages = Leverages()
        self.ranked = 0
        """Pictures ranked so far, while a ranking is made."""

    def make(self, pace: bool = False) -> tuple[Ranking, Accuracy | None]:
        """A ranking of all that the head has learned; sets the head's temperature.

        Memory grows by about 100 bytes a picture; time by D² operations a picture, or by D C where it is known already
        how much each picture weighs in its own prediction.

        Args:
            pace: give way to others between the pieces.
        """
        self._head.refit_when_due()
        state = self._head.state()
        roster, n = self._roster, len(state.held.column)
        given = np.where(IS_LABEL[roster.kind[:n]], state.column_of[roster.taxon[:n]], -1)
        rows = np.flatnonzero(state.held.embedding >= 0)
        self._weigh(state, rows, pace)
        temperature = self._temperature(state, rows, given)
        candidates = Candidates.empty(n, len(state.taxa))
        for some in _pieces(rows, pace):
            _, logits = self._logits(state, some)
            candidates.take(some, softmax(logits / temperature), given[some])
            self.ranked = int(some[-1])
        self._head.temperature = temperature
        return self._rank(state, candidates, given)

    def _weigh(self, state: HeadState, rows: np.ndarray, pace: bool) -> None:
        """φ'G⁻¹φ of the rows for which it is not known."""
        held = state.held
        stale = self._leverages.stale(rows, held.weight, state.penalty)
        if not len(stale):
            return
        inverse = self._head.inverse()
        for some in _pieces(stale, pace):
            phi = self._head.features(held.embedding[some]).astype(np.float32)
            self._leverages.take(some, np.einsum("nd,nd->n", phi @ inverse, phi))

    def _logits(self, state: HeadState, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Raw outputs of the ridge head and leave-one-out log-odds of some rows, each (len(rows), C)."""
        held = state.held
        raw = self._embeddings.vectors(held.embedding[rows]) @ state.weight + state.bias
        spread, weight = self._leverages.values[rows].astype(np.float64), held.weight[rows].astype(np.float64)
        return raw, state.readout.leave_one_out(raw, spread, weight, held.column[rows])

    def _temperature(self, state: HeadState, rows: np.ndarray, given: np.ndarray) -> float:
        """As sure as the checkpoint would be; the more is labelled, the more what makes the labels likeliest."""
        seen = state.readout.seen
        labelled = rows[(given[rows] >= 0) & seen[given[rows]]]
        labelled = labelled[telling(self._different(state, given)[given[labelled]])]
        usable = labelled if len(labelled) >= FEWEST_CALIBRATED else rows
        chosen = usable[:: max(1, len(usable) // CALIBRATED_ON)]
        if not len(chosen) or seen.sum() < 2:
            return self._head.temperature
        parts = [self._logits(state, some) for some in _pieces(chosen, False)]
        logits = np.concatenate([part[1] for part in parts])[:, seen]
        raw = np.concatenate([part[0] for part in parts])[:, seen] / self._checkpoint_temperature
        expected = _as_sure(logits, float(softmax(raw).max(1).mean()))
        if usable is rows:
            return expected
        return fit_temperature(logits, (np.cumsum(seen) - 1)[given[chosen]], expected)

    def _different(self, state: HeadState, given: np.ndarray) -> np.ndarray:
        """(C,) from how many different pictures each class is known: near-duplicates count once."""
        counts = np.zeros(len(state.taxa))
        counts[state.readout.seen] = state.readout.counts
        trains = np.flatnonzero((state.held.weight > 0) & (given >= 0))
        groups = np.unique(np.stack([given[trains], self._roster.twin[trains]], 1), axis=0)[:, 0]
        besides = counts - np.bincount(given[trains], minlength=len(counts))
        return besides + np.bincount(groups, minlength=len(counts))

    def _rank(self, state: HeadState, candidates: Candidates, given: np.ndarray) -> tuple[Ranking, Accuracy | None]:
        roster, held, n, size = self._roster, state.held, len(given), len(state.taxa)
        checked, split = roster.checked[:n], roster.split[:n]
        suggested, suggested_prob, rival, rival_prob = candidates.best()
        doubt = doubts(candidates, state.column_of[roster.came_as[:n]], checked, size)
        labelled = (given >= 0) & (suggested >= 0)
        confusion, val_confusion = np.zeros((size, size), np.int32), np.zeros((size, size), np.int32)
        for counts, part in ((confusion, TRAIN), (val_confusion, _VAL)):
            rows = np.flatnonzero(labelled & (split == part))
            np.add.at(counts, (given[rows], suggested[rows]), 1)
        uncertainty = 1 - (suggested_prob - rival_prob)
        usable = (held.embedding >= 0) & ~IS_OUT[roster.kind[:n]] & ~roster.locked(slice(n)) & ~roster.disputed[:n]
        open_rows = np.flatnonzero(usable & ~checked)
        with_label = open_rows[labelled[open_rows]]
        audit = np.flatnonzero(usable)
        orders = {
            "suspicion": acquisition.by_score(with_label, doubt[with_label], roster.twin[:n]),
            "uncertain": acquisition.by_score(open_rows, uncertainty[open_rows], roster.twin[:n]),
            "typical": self._typical(held.embedding, usable, checked),
            "new": open_rows[np.lexsort((open_rows, -roster.imported[open_rows]))],
            "audit": audit[np.argsort(held.audit_key[audit], kind="stable")],
        }
        given_prob = np.where(labelled, candidates.probs[:, 0], np.float32(np.nan))
        ranking = Ranking(
            state.taxa,
            1 / (1 + np.exp(-doubt)),
            suggested,
            suggested_prob,
            given_prob,
            rival,
            uncertainty,
            orders,
            confusion,
            val_confusion,
            state.event,
        )
        return ranking, _accuracy(val_confusion, "val") or _accuracy(confusion, "train")

    def _typical(self, embedding: np.ndarray, usable: np.ndarray, checked: np.ndarray) -> np.ndarray:
        taxon = self._roster.taxon[: len(usable)]
        without = np.flatnonzero(usable & (taxon < 0))
        if not len(without):
            return without
        pool = np.flatnonzero(usable & ((taxon < 0) | checked))[: acquisition.LARGEST_SAMPLE]
        return pool[acquisition.typical(self._embeddings.vectors(embedding[pool]), taxon[pool] >= 0)]


def _pieces(rows: np.ndarray, pace: bool) -> Iterator[np.ndarray]:
    """A few rows at a time; with `pace` it rests as long as each piece took."""
    for some in batches(rows, AT_ONCE):
        began = time.monotonic()
        yield some
        if pace:
            time.sleep(time.monotonic() - began)


def _as_sure(logits: np.ndarray, top_prob: float) -> float:
    """T at which the likeliest class has this probability on average."""
    found = minimize_scalar(
        lambda log_t: (float(softmax(logits / np.exp(log_t)).max(1).mean()) - top_prob) ** 2,
        bounds=(np.log(0.05), np.log(500)),
        method="bounded",
    )
    return float(np.exp(found.x))


def _accuracy(confusion: np.ndarray, on: Literal["val", "train"]) -> Accuracy | None:
    """Wilson's interval of the share on the diagonal; None where nothing was counted."""
    n = int(confusion.sum())
    if not n:
        return None
    right = int(np.trace(confusion))
    return Accuracy(right / n, *wilson(right, n), n, on)
