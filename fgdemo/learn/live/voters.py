"""Which pictures of the workspace have a vote in a head, be it the one that learns or that of a checkpoint."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fgdemo.learn.live.live_head import LiveHead
from fgdemo.model.classifier import Classifier
from fgdemo.storage.embeddings.embeddings import Embeddings
from fgdemo.storage.history.roster import Roster
from fgdemo.values.classification.cards import Voting
from fgdemo.values.classification.votes import VotingHead


@dataclass(frozen=True)
class LiveVoters:
    """Those of the head that learns from every answer."""

    head: LiveHead
    origin: np.ndarray
    roster: Roster
    embeddings: Embeddings

    def of(self, leaves: Sequence[str]) -> tuple[VotingHead, dict[str, Voting]] | None:
        """See `fgdemo.services.classify.evidence.cards.Voters`."""
        head, columns = self.head.voting(self.origin, leaves)
        found: dict[str, Voting] = {}
        for leaf in leaves:
            if leaf in columns:
                rows, weights, places = columns[leaf]
                images, vectors = self.roster.image_ids.at(rows), self.embeddings.vectors(places)
                found[leaf] = Voting(head.leaves.index(leaf), tuple(images), vectors, weights)
        return (head, found) if found else None


class CheckpointVoters:
    """Those of the head of a checkpoint that are in the workspace. Safe for many threads."""

    def __init__(self, classifier: Classifier, roster: Roster, embeddings: Embeddings) -> None:
        self._classifier, self._roster, self._embeddings = classifier, roster, embeddings
        self._lock = threading.Lock()
        self._head: VotingHead | None = None
        self._members = np.empty(0, np.int64), np.empty(0, np.int64), 0

    def of(self, leaves: Sequence[str]) -> tuple[VotingHead, dict[str, Voting]] | None:
        """See `fgdemo.services.classify.evidence.cards.Voters`."""
        roster, head = self._roster, self._voting_head()
        members, classes = self._learned_from()
        found: dict[str, Voting] = {}
        for leaf in leaves:
            if leaf in head.leaves:
                rows = members[classes == self._classifier.taxonomy.leaf_index[leaf]]
                places = self._embeddings.rows_of(roster.image_ids.raw(rows))
                rows, places = rows[places >= 0], places[places >= 0]
                images, vectors = roster.image_ids.at(rows), self._embeddings.vectors(places)
                found[leaf] = Voting(head.leaves.index(leaf), tuple(images), vectors, np.ones(len(rows)))
        return (head, found) if found else None

    def _learned_from(self) -> tuple[np.ndarray, np.ndarray]:
        """Rows of the roster that the head learned from, and their classes; of a roster that grows only the new rows
        are looked through, since this is asked with every answer."""
        roster = self._roster
        roster.follow()
        with self._lock:
            rows, classes, until = self._members
            new = np.arange(until, len(roster))
            if len(new):
                known = self._classifier.head.member_columns()
                columns = np.array([known.get(word, -1) for word in roster.image_ids.words(new, 0).tolist()])
                rows = np.concatenate([rows, new[columns >= 0]])
                classes = np.concatenate([classes, columns[columns >= 0]])
            self._members = rows, classes, until + len(new)
            return rows, classes

    def _voting_head(self) -> VotingHead:
        with self._lock:
            if self._head is None:
                self._head = voting_head(self._classifier)
            return self._head


def voting_head(classifier: Classifier) -> VotingHead:
    """The head of a checkpoint, to be split over the pictures that it learned from; solves it."""
    head, seen = classifier.head, classifier.head.counts > 0
    inverse = np.linalg.inv(head.gram + head.penalty * np.eye(len(head.gram)))
    return VotingHead(
        leaves=tuple(leaf for leaf, is_seen in zip(classifier.taxonomy.leaves, seen, strict=True) if is_seen),
        mean=head.mean.astype(np.float64),
        scale=head.scale,
        origin=classifier.origin.astype(np.float64),
        inverse=inverse,
        solution=inverse @ head.moment[:, seen],
        moment=head.moment[:, seen],
        counts=head.counts[seen].astype(np.float64),
        temperature=classifier.calibration.temperature,
        readout=head.readout,
    )
