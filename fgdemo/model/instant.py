"""The ridge head as it learns: every label, re-label, undo or new kind in milliseconds, always equal to a fresh fit.

With G = Φ'ΩΦ + λI, M = Φ'ΩY, W = G⁻¹M and one picture φ whose weight changes by δ and whose target by d:

    u = G⁻¹φ,  q = 1 + δ φ'u                              G⁻¹ ← G⁻¹ − (δ / q) u u'     (Sherman & Morrison 1950)
    W ← W + u (d − δ φ'W) / q                             no other column of W needs G⁻¹M again

A re-label of unchanged weight (δ = 0) is one product of G⁻¹ with a vector and two columns.
"""

from __future__ import annotations

import numpy as np
import scipy.linalg
from scipy.linalg.blas import dger, dsymv, dsyr  # pyright: ignore[reportAttributeAccessIssue]
from scipy.linalg.lapack import dpotri  # pyright: ignore[reportAttributeAccessIssue]

from fgdemo.model.head import RidgeHead

SMALLEST_PIVOT = 1e-9


class InstantHead:
    """A ridge head that changes in place. Not safe for threads: its owner holds a lock.

    Args:
        prior: what it begins with; its `mean`, `scale` and `penalty` stay.
    """

    def __init__(self, prior: RidgeHead) -> None:
        self.mean, self.scale, self.penalty = prior.mean, prior.scale, prior.penalty
        self._gram = np.asfortranarray(prior.gram)
        self._moment = np.asfortranarray(prior.moment)
        self.counts = prior.counts.astype(np.float64)
        self.changes_since_refit = 0
        self.refit()

    @property
    def classes(self) -> int:
        return self._moment.shape[1]

    @property
    def solution(self) -> np.ndarray:
        """W, (D + 1, C) float64."""
        return self._solution

    def features(self, embeddings: np.ndarray) -> np.ndarray:
        """(N, D) → (N, D + 1) float64, as `RidgeHead.features`."""
        phi = (embeddings.astype(np.float64) - self.mean) / self.scale
        return np.concatenate([phi, np.ones((len(phi), 1))], axis=1)

    def change(self, phi: np.ndarray, old: tuple[int, float], new: tuple[int, float]) -> None:
        """Count a picture differently: `old` and `new` are (class index, weight), weight 0 where it does not count.

        Args:
            phi: (D + 1,) its features.
        """
        (old_class, old_weight), (new_class, new_weight) = old, new
        if old == new or (old_weight == 0 and new_weight == 0):
            return
        delta = new_weight - old_weight
        target = np.zeros(self.classes)
        for column, weight in ((old_class, -old_weight), (new_class, new_weight)):
            if weight:
                target[column] += weight
                self._moment[:, column] += weight * phi
                self.counts[column] += weight
        u = dsymv(1.0, self._inverse, phi, lower=1)
        if delta:
            pivot = 1 + delta * float(phi @ u)
            self._gram = dsyr(delta, phi, a=self._gram, lower=1, overwrite_a=1)
            if pivot < SMALLEST_PIVOT:
                self.refit()
                return
            target = (target - delta * (phi @ self._solution)) / pivot
            self._inverse = dsyr(-delta / pivot, u, a=self._inverse, lower=1, overwrite_a=1)
            self._solution = dger(1.0, u, target, a=self._solution, overwrite_a=1)
        else:
            for column in {old_class, new_class}:
                self._solution[:, column] += target[column] * u
        self.changes_since_refit += 1

    def change_many(
        self, phi: np.ndarray, old: tuple[np.ndarray, np.ndarray], new: tuple[np.ndarray, np.ndarray]
    ) -> None:
        """`change` for (N, D + 1) pictures at once, without solving: call `refit` after the last of them."""
        delta = new[1] - old[1]
        lower = np.tril(phi.T @ (phi * delta[:, None]))
        self._gram += np.asfortranarray(lower)
        for (classes, weights), sign in ((old, -1.0), (new, 1.0)):
            counts = np.flatnonzero(weights)
            targets = np.zeros((len(counts), self.classes))
            targets[np.arange(len(counts)), classes[counts]] = sign * weights[counts]
            self._moment += phi[counts].T @ targets
            self.counts += targets.sum(0)

    def add_class(self) -> int:
        """A new column, of which no picture has been seen; gives its index."""
        column = np.zeros((len(self._moment), 1))
        self._moment = np.asfortranarray(np.concatenate([self._moment, column], axis=1))
        self._solution = np.asfortranarray(np.concatenate([self._solution, column], axis=1))
        self.counts = np.append(self.counts, 0.0)
        return self.classes - 1

    def leverage(self, phi: np.ndarray) -> float:
        """φ'G⁻¹φ of one picture; times its weight it is what leave-one-out needs."""
        return float(phi @ dsymv(1.0, self._inverse, phi, lower=1))

    def inverse(self) -> np.ndarray:
        """G⁻¹, (D + 1, D + 1), a copy with both halves filled."""
        return self._inverse + np.tril(self._inverse, -1).T

    def moment(self) -> np.ndarray:
        """Φ'ΩY, (D + 1, C), a copy."""
        return self._moment.copy()

    def gram(self) -> np.ndarray:
        """Φ'ΩΦ without λ, a copy with both halves filled."""
        lower = np.tril(self._gram)
        return lower + np.tril(lower, -1).T

    def mean_eigenvalue(self) -> float:
        """Of Φ'ΩΦ."""
        return float(np.trace(self._gram)) / len(self._gram)

    def set_penalty(self, penalty: float) -> None:
        """Another λ; solves anew."""
        self.penalty = penalty
        self.refit()

    def refit(self) -> None:
        """Solve anew from the sums: rounding that many changes have piled up is gone."""
        factor, _ = scipy.linalg.cho_factor(self.gram() + self.penalty * np.eye(len(self._gram)), lower=True)
        inverse, _ = dpotri(factor, lower=1)
        self._inverse = np.asfortranarray(np.tril(inverse))
        self._solution = np.asfortranarray(self.inverse() @ self._moment)
        self.changes_since_refit = 0
