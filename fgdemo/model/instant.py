"""The ridge head as it learns: every label, re-label, undo or new kind in milliseconds, always equal to a fresh fit.

With G = Φ'ΩΦ + λI, M = Φ'ΩY, W = G⁻¹M and one picture φ whose weight changes by δ and whose target by d:

    u = G⁻¹φ,  q = 1 + δ φ'u                              G⁻¹ ← G⁻¹ − (δ / q) u u'     (Sherman & Morrison 1950)
    W ← W + u (d − δ φ'W) / q                             no other column of W needs G⁻¹M again

A re-label of unchanged weight (δ = 0) is one product of G⁻¹ with a vector and two columns.
"""

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
        self._since: list[tuple[np.ndarray, float, np.ndarray]] | None = None
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
        if delta:
            self._gram = dsyr(delta, phi, a=self._gram, lower=1, overwrite_a=1)
        if self._since is not None:
            self._since.append((phi, delta, target))
        self._follow(phi, delta, target)

    def _follow(self, phi: np.ndarray, delta: float, target: np.ndarray) -> bool:
        """Bring G⁻¹ and W after a change of the sums; False if all was solved anew instead."""
        target = np.append(target, np.zeros(self.classes - len(target)))  # kinds that came later
        u = dsymv(1.0, self._inverse, phi, lower=1)
        if delta:
            pivot = 1 + delta * float(phi @ u)
            if pivot < SMALLEST_PIVOT:
                self.refit()
                return False
            target = (target - delta * (phi @ self._solution)) / pivot
            self._inverse = dsyr(-delta / pivot, u, a=self._inverse, lower=1, overwrite_a=1)
            self._solution = dger(1.0, u, target, a=self._solution, overwrite_a=1)
        else:
            for column in np.flatnonzero(target):
                self._solution[:, column] += target[column] * u
        self.changes_since_refit += 1
        return True

    def change_many(
        self, phi: np.ndarray, old: tuple[np.ndarray, np.ndarray], new: tuple[np.ndarray, np.ndarray]
    ) -> None:
        """`change` for (N, D + 1) pictures at once, without solving: call `refit` after the last of them."""
        self._since = None
        delta = new[1] - old[1]
        for sign in (1.0, -1.0):
            some = phi[sign * delta > 0] * np.sqrt(np.abs(delta[sign * delta > 0]))[:, None]
            if len(some):
                self._gram += sign * (some.T @ some).T  # numpy sees the symmetry, and does half the work
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

    def half_inverse(self) -> np.ndarray:
        """The lower half of G⁻¹, a copy: a few milliseconds."""
        return self._inverse.copy(order="F")

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
        self._since = None
        self._inverse, self._solution = solve(self.gram(), self._moment, self.penalty)
        self.changes_since_refit = 0

    def sums(self) -> tuple[np.ndarray, np.ndarray]:
        """Copies of Φ'ΩΦ (its lower half) and Φ'ΩY."""
        return self._gram.copy(order="F"), self._moment.copy(order="F")

    def watch(self) -> None:
        """Remember the changes from now on, while `sums` are solved elsewhere, for `adopt`."""
        self._since = []

    def adopt(self, solved: tuple[np.ndarray, np.ndarray], penalty: float) -> bool:
        """Take what `solve` made of `sums`, with the changes since. False if these were too many: `refit` instead."""
        since = self._since
        if since is None:
            return False
        self._since = None
        self.penalty = penalty
        self._inverse, solution = solved
        later = np.zeros((len(solution), self.classes - solution.shape[1]))
        self._solution = np.asfortranarray(np.concatenate([solution, later], axis=1))
        self.changes_since_refit = 0
        for change in since:
            if not self._follow(*change):
                break
        return True


def solve(gram: np.ndarray, moment: np.ndarray, penalty: float) -> tuple[np.ndarray, np.ndarray]:
    """G⁻¹ (its lower half) and W of the sums, of which the lower half of `gram` is read."""
    regularised = np.tril(gram)
    regularised[np.diag_indices(len(gram))] += penalty
    factor, _ = scipy.linalg.cho_factor(np.asfortranarray(regularised), lower=True, overwrite_a=True)
    inverse, _ = dpotri(factor, lower=1, overwrite_c=1)
    inverse = np.asfortranarray(np.tril(inverse))
    return inverse, np.asfortranarray((inverse + np.tril(inverse, -1).T) @ moment)
