"""Whether a picture shows any of the known kinds at all.

Two scores, both in closed form from what the head already holds, each turned into a rank among held-out known
pictures and averaged (METHODS I): the largest logit ("a good closed-set classifier is all you need", Vaze 2022),
and the Mahalanobis distance to the nearest class mean under the shared within-class covariance (Lee 2018).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg

from fgdemo.model.head import RidgeHead

RANKS = np.linspace(0, 1, 201)
FALSE_ALARMS = 0.05
"""Share of known pictures that are called unknown: the threshold is the (1 − this) quantile of the score."""


@dataclass(frozen=True)
class ClassDistances:
    """Squared Mahalanobis distances to class means, as one quadratic form and one matrix product."""

    head: RidgeHead
    precision: np.ndarray
    """(D, D)."""
    means: np.ndarray
    """(C, D) class means of the standardised embeddings."""

    @classmethod
    def of(cls, head: RidgeHead) -> ClassDistances:
        """From the head's moments alone. Shrunk towards the identity by 1 % of the mean variance."""
        counts = np.maximum(head.counts, 1e-9)
        means = (head.moment[:-1] / counts).T
        within = head.gram[:-1, :-1] - (means.T * counts) @ means
        within /= max(float(head.counts.sum()) - len(counts), 1.0)
        ridge = 0.01 * float(np.trace(within)) / len(within) + 1e-9
        precision = scipy.linalg.inv(within + ridge * np.eye(len(within)))
        return cls(head, precision, means)

    def __call__(self, embeddings: np.ndarray, own: np.ndarray | None = None) -> np.ndarray:
        """(N, D) raw embeddings → (N,) distance to the nearest class; high is strange.

        Args:
            own: (N,) class of each picture if it helped to make that class's mean; its own part is taken out.
        """
        features = self.head.features(embeddings)[:, :-1]
        rotated = features @ self.precision
        square = np.einsum("nd,nd->n", rotated, features)
        centre = np.einsum("cd,cd->c", self.means @ self.precision, self.means)
        distance = square[:, None] - 2 * rotated @ self.means.T + centre
        if own is not None:
            counts = self.head.counts[own]
            rows = np.arange(len(own))
            distance[rows, own] *= (counts / np.maximum(counts - 1, 1e-9)) ** 2
        return distance[:, self.head.counts > 0].min(1)


@dataclass(frozen=True)
class UnknownScale:
    """Quantiles of both scores, and of their average, over held-out known pictures."""

    logit: np.ndarray
    distance: np.ndarray
    average: np.ndarray

    @classmethod
    def fit(cls, max_logit: np.ndarray, distance: np.ndarray) -> UnknownScale:
        """From (N,) scores of held-out known pictures."""
        scale = cls(np.quantile(max_logit, RANKS), np.quantile(distance, RANKS), RANKS)
        return cls(scale.logit, scale.distance, np.quantile(scale._average(max_logit, distance), RANKS))

    def _average(self, max_logit: np.ndarray, distance: np.ndarray) -> np.ndarray:
        return (1 - _rank(max_logit, self.logit) + _rank(distance, self.distance)) / 2

    def __call__(self, max_logit: np.ndarray, distance: np.ndarray) -> np.ndarray:
        """(N,) share of known pictures that look more familiar, in [0, 1]; high is strange.

        Beyond the strangest known picture the score goes on rising by less than 1e-3, so that order is kept.
        """
        rank = _rank(self._average(max_logit, distance), self.average)
        beyond = np.maximum(0, distance / max(self.distance[-1], 1e-9) - 1) + np.maximum(0, self.logit[0] - max_logit)
        return rank * (1 - 1e-3) + 1e-3 * beyond / (1 + beyond)

    @property
    def threshold(self) -> float:
        return (1 - FALSE_ALARMS) * (1 - 1e-3)


def _rank(values: np.ndarray, quantiles: np.ndarray) -> np.ndarray:
    return np.interp(values, quantiles, RANKS)
