"""The closed-form head: weighted ridge regression on pooled tokens, with leave-one-out for free.

With φ the standardised embedding and a constant, Ω the weights and Y one-hot labels:

    G = Φ'ΩΦ + λI        W = G⁻¹ Φ'ΩY        p_i = W'φ_i
    s_i = ω_i φ_i' G⁻¹ φ_i                    loo_i = (p_i − s_i y_i) / (1 − s_i)

`loo_i` is exactly what the head would say of picture i had it never seen it (Cook & Weisberg 1982, §2.2; PRESS:
Allen 1974). Mean pooling is linear in the tokens, so the logits split exactly over places (fgdemo.values.evidence).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import scipy.linalg

from fgdemo.model.discriminant import Discriminant

Readout = Literal["ridge", "discriminant"]

PENALTIES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
"""λ that are tried, as multiples of the mean eigenvalue of Φ'ΩΦ."""


@dataclass(frozen=True)
class RidgeHead:
    """All that is needed to predict and to go on learning without the training pictures.

    Attributes:
        mean: (D,) subtracted from an embedding; a constant of the head, not of the picture.
        scale: divides it, so that φ has about unit length.
        gram: (D + 1, D + 1) float64, Φ'ΩΦ without λ.
        moment: (D + 1, C) float64, Φ'ΩY.
        counts: (C,) sum of the weights of each class.
        penalty: λ, absolute.
        members: (M,) uint64, the first 8 bytes of the sha256 of the pictures in the sums, where they are known, so
            that a picture met again can be taken out before it counts anew.
        member_classes: (M,) int16 class index that each was counted as, with weight 1.
        readout: what the logits are: φ'W, or Fisher's discriminant, which is as linear (`fgdemo.model.discriminant`).
    """

    mean: np.ndarray
    scale: float
    gram: np.ndarray
    moment: np.ndarray
    counts: np.ndarray
    penalty: float
    members: np.ndarray = field(default_factory=lambda: np.empty(0, np.uint64))
    member_classes: np.ndarray = field(default_factory=lambda: np.empty(0, np.int16))
    readout: Readout = "ridge"

    def member_columns(self) -> dict[int, int]:
        """The class index of each member, by its number."""
        return dict(zip(self.members.tolist(), self.member_classes.tolist(), strict=True))

    @classmethod
    def fit(
        cls, embeddings: np.ndarray, labels: np.ndarray, classes: int, weights: np.ndarray | None = None
    ) -> RidgeHead:
        """Fit to (N, D) embeddings with class indices (N,); λ minimises the leave-one-out error (PRESS).

        Args:
            weights: (N,) how much each picture counts; None counts each once.
        """
        weights = np.ones(len(labels)) if weights is None else weights.astype(np.float64)
        mean = np.average(embeddings, axis=0, weights=weights).astype(np.float32)
        scale = float(np.sqrt(np.average(((embeddings - mean) ** 2).sum(1), weights=weights))) or 1.0
        head = cls(mean, scale, np.empty((0, 0)), np.empty((0, 0)), np.bincount(labels, weights, classes), 0.0)
        features = head.features(embeddings)
        targets = np.eye(classes)[labels]
        weighted = features * weights[:, None]
        head = replace(head, gram=features.T @ weighted, moment=weighted.T @ targets)
        unit = float(np.trace(head.gram)) / len(head.gram)
        values, vectors = scipy.linalg.eigh(head.gram)
        rotated, moment = features @ vectors, vectors.T @ head.moment
        errors = [press(rotated, targets, weights, values, moment, unit * step) for step in PENALTIES]
        return replace(head, penalty=unit * PENALTIES[int(np.argmin(errors))])

    def path(self) -> tuple[RidgeHead, ...]:
        """The same head at each of `PENALTIES`."""
        unit = float(np.trace(self.gram)) / len(self.gram)
        return tuple(replace(self, penalty=unit * step) for step in PENALTIES)

    @property
    def penalty_share(self) -> float:
        """λ as a share of the trace of the gram."""
        return self.penalty / float(np.trace(self.gram))

    def with_penalty_share(self, share: float) -> RidgeHead:
        return replace(self, penalty=share * float(np.trace(self.gram)))

    def with_pictures(self, embeddings: np.ndarray, labels: np.ndarray) -> RidgeHead:
        """(N, D) and (N,) class indices more in the sums, with weight 1; λ and members as they are."""
        features, moment = self.features(embeddings), self.moment.copy()
        np.add.at(moment.T, labels, features)
        counts = self.counts + np.bincount(labels, minlength=len(self.counts))
        return replace(self, gram=self.gram + features.T @ features, moment=moment, counts=counts)

    def features(self, embeddings: np.ndarray) -> np.ndarray:
        """(N, D) → (N, D + 1) float64: standardised, with a constant, whose weight is the intercept."""
        phi = (embeddings.astype(np.float64) - self.mean) / self.scale
        return np.concatenate([phi, np.ones((len(phi), 1))], axis=1)

    def solve(self) -> np.ndarray:
        """W, (D + 1, C) float64, of the ridge outputs, whatever the readout is."""
        return scipy.linalg.solve(self._regularised(), self.moment, assume_a="pos")

    def linear(self) -> tuple[np.ndarray, np.ndarray]:
        """Weight (D, C) and bias (C,), float32, that act on raw embeddings: standardisation folded in."""
        solution = self.solve()
        if self.readout == "discriminant":
            solution = Discriminant.of(solution, self.moment, self.counts).solution(solution)
        weight = solution[:-1] / self.scale
        return weight.astype(np.float32), (solution[-1] - self.mean @ weight).astype(np.float32)

    def leave_one_out(
        self, embeddings: np.ndarray, labels: np.ndarray, weights: np.ndarray | None = None
    ) -> np.ndarray:
        """(N, C) ridge outputs for each *training* picture of the head that never saw it."""
        features = self.features(embeddings)
        weights = np.ones(len(labels)) if weights is None else weights
        inverse = scipy.linalg.inv(self._regularised())
        projected = features @ inverse
        leverage = np.minimum(weights * np.einsum("nd,nd->n", projected, features), 1 - 1e-9)[:, None]
        targets = np.eye(self.moment.shape[1])[labels]
        return (projected @ self.moment - leverage * targets) / (1 - leverage)

    def _regularised(self) -> np.ndarray:
        return self.gram + self.penalty * np.eye(len(self.gram))


def press(
    rotated: np.ndarray,
    targets: np.ndarray,
    weights: np.ndarray,
    values: np.ndarray,
    moment: np.ndarray,
    penalty: float,
) -> float:
    """Weighted sum of squared leave-one-out errors; low is good.

    Args:
        rotated: (N, D + 1) features in the eigenvectors of Φ'ΩΦ, whose eigenvalues are `values`: one serves every λ.
        moment: (D + 1, C) Φ'ΩY in the same.
    """
    shrink = 1 / (np.maximum(values, 0) + penalty)
    predicted = (rotated * shrink) @ moment
    leverage = np.minimum(weights * ((rotated**2) @ shrink), 1 - 1e-9)
    residual = (predicted - targets) / (1 - leverage)[:, None]
    return float((weights[:, None] * residual**2).sum())
