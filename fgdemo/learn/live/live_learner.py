"""The model that learns from every answer: the head follows the log, and rankings are made in the background."""

import logging
import threading
import time
from collections.abc import Callable

import numpy as np
from threadpoolctl import ThreadpoolController

from fgdemo.learn.live.live_head import LiveHead
from fgdemo.learn.live.ranking import Ranker
from fgdemo.learn.live.similar import Similar
from fgdemo.learn.live.voters import LiveVoters
from fgdemo.model.head import RidgeHead
from fgdemo.storage.embeddings.embeddings import Embeddings
from fgdemo.storage.history.roster import Roster
from fgdemo.values.annotation import Accuracy, Ranking, TaxonChance
from fgdemo.values.errors import FgdemoError
from fgdemo.values.taxonomy import Taxonomy

log = logging.getLogger(__name__)

PATIENCE_S = 0.05
"""So long an answer waits for the head while that is learning very many."""
LEAST_PROB, LEAST_CHANCES, MOST_CHANCES = 0.001, 5, 9


class LiveLearner:
    """See `fgdemo.values.annotation.Learner`, which this is the real one of. All that it knows is a function of the
    log.

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
        self._roster = roster
        self._head = LiveHead(prior, taxa, roster, embeddings, taxonomy)
        self._ranker = Ranker(self._head, roster, embeddings, temperature)
        self._similar = Similar(roster, embeddings)
        self._embeddings = embeddings
        self._ranking: Ranking | None = None
        self._ranked_version = 0
        self._accuracy: Accuracy | None = None
        self._ranking_lock = threading.Lock()
        self._stop, self._wake = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def taxa(self) -> tuple[str, ...]:
        return self._head.taxa

    @property
    def progress(self) -> tuple[int, int]:
        of = max(len(self._roster), 1)
        done = of if self._ranking is not None else (self._head.learned + self._ranker.ranked) // 2
        return min(done, of), of

    @property
    def version(self) -> int:
        """Grows whenever the head may have changed."""
        return self._head.version

    def ranking(self) -> Ranking | None:
        return self._ranking

    def accuracy(self) -> Accuracy | None:
        return self._accuracy

    def weights_now(self) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
        """(D, C) and (C,) float32 from raw embeddings to calibrated log-odds, and the C taxa they are about."""
        return self._head.linear()

    def voters(self, origin: np.ndarray) -> LiveVoters:
        """Which pictures of the workspace have a vote in the head. `origin`: (D,) the mean background token."""
        return LiveVoters(self._head, origin, self._roster, self._embeddings)

    def chances(self, image: str) -> tuple[TaxonChance, ...] | None:
        found = self._head.probs(image)
        if found is None:
            return None
        probs, taxa = found
        best = np.argsort(-probs, kind="stable")[:MOST_CHANCES]
        kept = [i for rank, i in enumerate(best) if probs[i] >= LEAST_PROB or (rank < LEAST_CHANCES and probs[i] > 0)]
        return tuple(TaxonChance(taxa[i], float(probs[i])) for i in kept)

    def similar_labelled(self, image: str, taxon: str, limit: int) -> tuple[tuple[str, float], ...]:
        ranking = self._ranking
        return self._similar.nearest_labelled(image, taxon, limit, None if ranking is None else ranking.suspicion)

    def similarity_order(self, images: tuple[str, ...]) -> tuple[str, ...]:
        return self._similar.order(images)

    def catch_up(self) -> None:
        self._head.catch_up(PATIENCE_S if self._thread is not None else -1)
        self._wake.set()

    def refresh(self, pace: bool = False) -> Ranking:
        """Make a new ranking now, of everything committed until now.

        Args:
            pace: give way to others between the pieces, once there is something to ask.
        """
        with self._ranking_lock:
            self._head.catch_up()
            version = self._head.version
            ranking, self._accuracy = self._ranker.make(pace and self._ranking is not None)
            self._ranking, self._ranked_version = ranking, version
            return ranking

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
                self._wake.clear()
                self._head.catch_up()
                if self._ranking is None:
                    self.refresh()
                    _one_thread_a_product()
                elif self._roster.event != self._ranking.event or self._head.version != self._ranked_version:
                    self.refresh(pace=True)
            except FgdemoError:
                log.exception("the ranking could not be made")
            # As long at rest as at work, so that answers are never kept waiting by rankings.
            self._stop.wait(max(0.5, time.monotonic() - began))
            self._wake.wait(timeout=2.0)


def _one_thread_a_product() -> None:
    """From now on a matrix product uses one core, in the whole process.

    The threads of OpenBLAS wait for each other by spinning, and those of rankings and answers for one pool: on two busy
    cores the 174 × 174 matrices of one answer took 250 ms with two threads, and take 5 ms with one.
    """
    ThreadpoolController().limit(limits=1, user_api="blas")
