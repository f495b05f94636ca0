"""How likely each gold label is wrong, by several readings together, so that none of them is favoured.

The readings are the live head, the heads of the newest candidate and of the checkpoint that the settings name, each on
its own features as far as they have been seen here, and the neighbours of each picture by the live features (votes as
`fgdemo.learn.measure.protocols.knn` has them). Pooled is the mean of their log-odds.
"""

import logging
import threading
import time
from collections.abc import Callable

import numpy as np

from fgdemo.learn.live.live_classifier import embeddings_of
from fgdemo.learn.live.live_learner import LiveLearner
from fgdemo.learn.measure.protocols import NEIGHBOUR_TEMPERATURE, NEIGHBOURS
from fgdemo.model.checkpoint.load import load_classifier
from fgdemo.settings import Settings
from fgdemo.storage.embeddings.embeddings import Embeddings
from fgdemo.storage.history.roster import SPLITS, Roster
from fgdemo.storage.history.taxa import TaxonStore
from fgdemo.storage.trainings.models import Models
from fgdemo.values.annotation import Ranking
from fgdemo.values.errors import FgdemoError

log = logging.getLogger(__name__)

AGAIN_S = 60.0
"""Other readings are made again after so long, if anything was said meanwhile."""
MOST_TRAIN = 20_000
SUREST = 0.98
"""No reading is surer than this, one way or the other: none may outvote all others."""


class GoldDoubts:
    """Called for the doubts as they are now; other readings are made in the background. Safe for many threads.

    Args:
        ranking: of the live head.
        embeddings: of the live model.
    """

    def __init__(
        self,
        settings: Settings,
        roster: Roster,
        models: Models,
        taxa: TaxonStore,
        embeddings: Embeddings,
        ranking: Callable[[], Ranking | None],
        live: str,
    ) -> None:
        self._settings, self._roster, self._models, self._taxa = settings, roster, models, taxa
        self._embeddings, self._ranking, self._live = embeddings, ranking, live
        self._lock = threading.Lock()
        self._made: tuple[float, int, tuple[str, ...]] | None = None
        self._others: list[np.ndarray] = []
        self._thread: threading.Thread | None = None

    def __call__(self) -> np.ndarray | None:
        ranking = self._ranking()
        if ranking is None:
            return None
        self._begin()
        return pooled([ranking.suspicion, *self._others])

    def wait(self) -> None:
        """Until no other readings are being made."""
        if self._thread is not None:
            self._thread.join()

    def _begin(self) -> None:
        with self._lock:
            state = self._roster.event, self._versions()
            running = self._thread is not None and self._thread.is_alive()
            recent = self._made is not None and time.monotonic() - self._made[0] < AGAIN_S
            same = self._made is not None and self._made[2] == state[1] and (recent or self._made[1] == state[0])
            if running or same:
                return
            self._made = time.monotonic(), *state
            self._thread = threading.Thread(target=self._make, args=(state[1],), name="gold doubts", daemon=True)
            self._thread.start()

    def _versions(self) -> tuple[str, ...]:
        candidates = [model.version for model in self._models.all() if model.state == "candidate"][:1]
        return tuple(dict.fromkeys(one for one in (*candidates, self._models.configured) if one != self._live))

    def _make(self, versions: tuple[str, ...]) -> None:
        found = [by_neighbours(self._roster, self._embeddings)]
        for version in versions:
            try:
                found += self._by(version)
            except FgdemoError:
                log.exception("gold is not read by %s", version)
        self._others = found

    def _by(self, version: str) -> list[np.ndarray]:
        classifier = load_classifier(self._models.folder(version), "cpu")
        embeddings = embeddings_of(self._settings.home, classifier)
        if not len(embeddings.rows):
            return []  # it has never looked at these pictures
        learner = LiveLearner(
            classifier.head,
            classifier.taxonomy.leaves,
            classifier.calibration.temperature,
            self._roster,
            embeddings,
            self._taxa.load,
        )
        return [learner.refresh().suspicion]


def pooled(readings: list[np.ndarray]) -> np.ndarray:
    """(n,) of readings of up to n pictures each, in [0, 1]; nan where none says anything. n is that of the first."""
    n = len(readings[0])
    rows = np.full((len(readings), n), np.nan)
    for row, reading in zip(rows, readings, strict=True):
        some = np.clip(reading[:n], 1 - SUREST, SUREST)  # nan stays nan
        row[: len(some)] = np.log(some) - np.log1p(-some)
    counted = (~np.isnan(rows)).sum(0)
    odds = np.where(counted > 0, np.nansum(rows, axis=0) / np.maximum(counted, 1), np.nan)
    return 1 / (1 + np.exp(-odds))


def by_neighbours(roster: Roster, embeddings: Embeddings) -> np.ndarray:
    """(n,) 1 − the votes for the given label among the nearest labelled training pictures, of gold; nan elsewhere."""
    n = len(roster)
    taxon, split = roster.taxon[:n].copy(), roster.split[:n]
    found = np.full(n, np.nan)
    places = embeddings.rows_of(roster.image_ids.raw(np.arange(n)))
    known = np.flatnonzero((taxon >= 0) & (places >= 0))
    gold = known[split[known] == SPLITS.index("gold")]
    train = known[split[known] == SPLITS.index("train")][-MOST_TRAIN:]
    if not len(gold) or not len(train):
        return found
    vectors = _unit(embeddings.vectors(places[train]))
    sizes = np.bincount(taxon[train], minlength=len(roster.taxa))
    for row in gold[sizes[taxon[gold]] > 0].tolist():
        nearest = min(NEIGHBOURS, int(sizes[taxon[row]]))  # of a kind with fewer pictures not all could agree
        cosines = vectors @ _unit(embeddings.vectors(places[[row]]))[0]
        chosen = np.argpartition(-cosines, nearest - 1)[:nearest]
        votes = np.exp((cosines[chosen] - 1) / NEIGHBOUR_TEMPERATURE)
        found[row] = 1 - votes[taxon[train[chosen]] == taxon[row]].sum() / votes.sum()
    return found


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
