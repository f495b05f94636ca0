"""A classifier with the head as it has learned until now."""

import threading
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import numpy as np

from fgdemo.learn.live.live_learner import LiveLearner
from fgdemo.model.classifier import Classifier
from fgdemo.model.drift import without_members
from fgdemo.storage.embeddings.embeddings import Embeddings, LooksShape
from fgdemo.storage.history.roster import SPLITS, Roster
from fgdemo.storage.history.taxa import TaxonStore


class LiveClassifier:
    """The classifier with the head as it has learned until now, made anew only when that has changed."""

    def __init__(self, classifier: Classifier, learner: LiveLearner, taxa: TaxonStore) -> None:
        self._classifier, self._learner, self._taxa = classifier, learner, taxa
        self._lock = threading.Lock()
        self._made: tuple[int, Classifier] | None = None

    def __call__(self) -> Classifier:
        with self._lock:
            version = self._learner.version
            if self._made is None or self._made[0] != version:
                weight, bias, leaves = self._learner.weights_now()
                taxonomy = self._taxa.load().restrict(leaves)
                order = [leaves.index(leaf) for leaf in taxonomy.leaves if leaf in leaves]
                self._made = version, self._classifier.relearned(weight[:, order].copy(), bias[order], taxonomy)
            return self._made[1]


def learned(classifier: Classifier, roster: Roster, embeddings: Embeddings, taxa: TaxonStore) -> Classifier:
    """This classifier with the head that follows from the labels of `roster` as they are now."""
    learner = LiveLearner(
        classifier.head, classifier.taxonomy.leaves, classifier.calibration.temperature, roster, embeddings, taxa.load
    )
    learner.refresh()  # which fits the temperature, too
    return LiveClassifier(classifier, learner, taxa)()


def members_besides(classifier: Classifier, roster: Roster, images: Collection[str]) -> list[str]:
    """The pictures of `roster` besides `images` that this classifier's head was fitted to."""
    ids = roster.image_ids
    known = np.flatnonzero(np.isin(ids.words(np.arange(len(roster)), 0), classifier.head.members))
    return [ids[row] for row in known.tolist() if ids[row] not in images]


def unlearned(classifier: Classifier, roster: Roster, embeddings: Embeddings, images: Collection[str]) -> Classifier:
    """This classifier without what its head knows of these pictures; one without an embedding stays."""
    seen = [image for image in images if image in embeddings.rows]
    if not seen:
        return classifier
    keys = roster.image_ids.words(np.array([roster.row_of[image] for image in seen]), 0)
    vectors = embeddings.vectors([embeddings.rows[image] for image in seen])
    return replace(classifier, head=without_members(classifier.head, vectors, keys))


def without_gold(classifier: Classifier, roster: Roster, embeddings: Embeddings) -> Classifier:
    """This classifier without what its head knows of pictures that are gold in `roster`."""
    ids = roster.image_ids
    gold = np.flatnonzero(roster.split == SPLITS.index("gold"))
    known = gold[np.isin(ids.words(gold, 0), classifier.head.members)]
    return unlearned(classifier, roster, embeddings, [ids[row] for row in known.tolist()])


def embeddings_of(home: Path, classifier: Classifier) -> Embeddings:
    """What this classifier has seen in the pictures of the workspace in `home`."""
    parts = classifier.parts
    shape = LooksShape(classifier.embedding_dim, classifier.grid, parts.most_parts, parts.part_projection.shape[1])
    return Embeddings(home / "embeddings", classifier.version, shape)
