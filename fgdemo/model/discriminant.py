"""Fisher's linear discriminant, read off the sums of the ridge head, with leave-one-out for free.

The class means are μ_c = M_c / n_c, and G = Φ'ΩΦ + λI is the scatter within the classes plus that of the means, so

    S = G − Σ_c n_c μ_c μ_c' = G − M D⁻¹ M'       D = diag(n), M = Φ'ΩY
    S⁻¹M = W (I − D⁻¹B)⁻¹                        W = G⁻¹M, B = M'W             (Woodbury)
    logit_c = n (φ'S⁻¹μ_c − ½ μ_c'S⁻¹μ_c)

A picture's outputs φ'W of the ridge head are all that is needed: the discriminant is one C × C matrix behind them
(Hastie, Tibshirani & Buja 1994: discriminant analysis is regression on the classes, and then this). It is as linear in
the tokens as the ridge head, so every logit still splits exactly over places and parts.

Why not the outputs themselves: a ridge output leans towards classes with more weight and towards the middle, the more
so the larger λ is and the more labels are wrong. See `fgdemo.learn.live.live_head` for what that costs.

Without picture i, of class g with weight ω and r = φ_i − μ_g, f = n_g / (n_g − ω): S loses ω f r r' and μ_g moves by
−(f − 1) r, so (Sherman & Morrison 1950), with d_c = (φ_i − μ_c)'S⁻¹(φ_i − μ_c) and e_c = (φ_i − μ_c)'S⁻¹r,

    d_c ← d_c + ω f e_c² / (1 − ω f d_g)          d_g ← f² (d_g + ω f d_g² / (1 − ω f d_g))
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg

JITTER = 1e-12
"""Share of n_c by which D − B is lifted, for λ = 0. A thousand times as much already shows in leave-one-out."""
LEAST_COUNT = 1e-6
"""A class of which less is left has not been seen."""
SMALLEST_PIVOT = 1e-6
UNSEEN = -10.0
"""Log-odds of a class that has not been seen, a picture that has."""


@dataclass(frozen=True)
class Discriminant:
    """What turns the outputs of a ridge head into log-odds. S of the C classes have been seen.

    Attributes:
        seen: (C,) bool.
        mix: (S, S) ridge outputs of the seen classes → φ'S⁻¹μ_c.
        inner: (S, S) μ_c'S⁻¹μ_d.
        counts: (S,) weight of each seen class.
    """

    seen: np.ndarray
    mix: np.ndarray
    inner: np.ndarray
    counts: np.ndarray

    @classmethod
    def of(cls, solution: np.ndarray, moment: np.ndarray, counts: np.ndarray) -> Discriminant:
        """Of (D + 1, C) W, (D + 1, C) M and (C,) n."""
        seen = counts > LEAST_COUNT
        n = counts[seen]
        between = moment[:, seen].T @ solution[:, seen]
        between = (between + between.T) / 2
        # D − B is what the classes leave unexplained: positive definite for λ > 0.
        unexplained = scipy.linalg.cho_factor(np.diag(n) * (1 + JITTER) - between)
        mix = scipy.linalg.cho_solve(unexplained, np.eye(len(n)))
        return cls(seen, mix, (between @ mix) / n[:, None], n)

    @property
    def total(self) -> float:
        return float(self.counts.sum())

    def linear(self, solution: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(D + 1, S) and (S,): from features φ straight to log-odds."""
        return self.total * (solution[:, self.seen] @ self.mix), -0.5 * self.total * np.diag(self.inner)

    def solution(self, solution: np.ndarray) -> np.ndarray:
        """(D + 1, C) that gives the log-odds of all C classes as φ'W gives the ridge outputs.

        A class that has not been seen is as unlikely for every picture: far below the least likely that has been.
        """
        weight, offset = self.linear(solution)
        full = np.zeros(solution.shape)
        full[:, self.seen] = weight
        full[-1, self.seen] += offset  # the last feature is 1
        full[-1, ~self.seen] = UNSEEN * self.total + (offset.min() if len(offset) else 0.0)
        return full

    def leave_one_out(
        self, raw: np.ndarray, spread: np.ndarray, weights: np.ndarray, columns: np.ndarray
    ) -> np.ndarray:
        """(N, C) log-odds of pictures as if the head had never seen them, up to a constant a picture; −inf: unseen.

        A picture that is alone in its class has its class as likely as the likeliest other: nothing is known. All are
        zero where no class has been seen.

        Args:
            raw: (N, C) ridge outputs of the head that knows them.
            spread: (N,) φ'G⁻¹φ.
            weights: (N,) ω; 0 for a picture that does not train, whose log-odds are as they are.
            columns: (N,) class index it trains as; ignored where the weight is 0.
        """
        if not self.seen.any():
            return np.zeros(raw.shape)
        outputs = raw[:, self.seen].astype(np.float64)
        rows = np.arange(len(raw))
        near = outputs @ self.mix
        own_norm = np.maximum(spread + np.einsum("nc,nc->n", outputs, near), 0.0)
        squared = own_norm[:, None] - 2 * near + np.diag(self.inner)
        place = np.cumsum(self.seen) - 1
        trains = weights > 0
        own = np.where(trains, place[np.where(trains, columns, 0)], 0)
        left = self.counts[own] - weights
        alone = trains & (left < LEAST_COUNT)
        factor = np.where(alone, 1.0, self.counts[own] / np.maximum(left, LEAST_COUNT))
        moved = np.where(alone, 0.0, weights * factor)
        along = own_norm[:, None] - near - near[rows, own][:, None] + self.inner[own]
        residual = np.maximum(squared[rows, own], 0.0)
        pivot = np.maximum(1 - moved * residual, SMALLEST_PIVOT)
        squared += (moved / pivot)[:, None] * along**2
        squared[rows, own] = np.where(trains, factor**2 * residual / pivot, squared[rows, own])
        lonely = np.flatnonzero(alone)
        squared[lonely, own[lonely]] = np.inf
        least = squared[lonely].min(1)
        squared[lonely, own[lonely]] = np.where(np.isinf(least), 0.0, least)
        logits = np.full(raw.shape, -np.inf)
        logits[:, self.seen] = -0.5 * self.total * squared
        return logits - logits.max(1, keepdims=True)
