"""A closed-form head as a vote of the pictures it learned from: exact arithmetic on its sums.

With φ the standardised embedding and a constant, G = Φ'ΩΦ + λI, M = Φ'ΩY, W = G⁻¹M and temperature T, a ridge head says

    logit_c = (1 / T) Σ_i ω_i y_ic φ'G⁻¹φ_i

and the discriminant (`fgdemo.model.discriminant`), with S the scatter within the n pictures of all classes,

    logit_c = (n / T) (Σ_i (ω_i y_ic / n_c) φ'S⁻¹φ_i − ½ μ_c'S⁻¹μ_c),        S⁻¹ = G⁻¹ + W (D − M'W)⁻¹ W'

so every picture has a vote for its own class. Let o be the mean background token and δ = φ − φ_o. Then a logit splits
into what is seen in this picture against background, and what is not:

    logit_c = Σ_i v_ic + absent_c + start_c + common,      v_ic = a_ic δ'K δ_i,   K = G⁻¹ / T or n S⁻¹ / T

`absent_c` are votes of pictures of which only the sums are left; `start_c` is the logit of nothing but background,
where the sum of the evidence starts, too; `common` is the same for every class of a discriminant, and cancels in A
against B.
Mean pooling is linear, so a vote splits over pairs of places (`fgdemo.values.classification.cards`).

"Without picture i" is another number, that of the head that never saw it. G loses ω φ_i φ_i', so (Sherman & Morrison
1950), with p = W'φ_i, t = φ_i'G⁻¹φ, s = φ_i'G⁻¹φ_i, κ = ω / (1 − ω s) and q = p − ω s e_g,

    W'φ ← W'φ − ω t e_g + κ t q        M'W ← M'W − ω (p e_g' + e_g p') + ω² s e_g e_g' + κ q q'
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

LEAST_COUNT = 1e-6
"""A class of which less is left is not known any more."""


@dataclass(frozen=True)
class VotingHead:
    """What is needed of a head to split its logits over pictures. All float64; S classes have been seen.

    Attributes:
        leaves: ids of the S classes.
        mean, scale: φ = ((embedding − mean) / scale, 1), as `fgdemo.model.head.RidgeHead` has them; mean: (D,).
        origin: (D,) the mean background token.
        inverse: (D + 1, D + 1) G⁻¹.
        solution, moment: (D + 1, S) W and M.
        counts: (S,) weight of each class.
        temperature: raw logits are divided by it.
        readout: what the logits are.
    """

    leaves: tuple[str, ...]
    mean: np.ndarray
    scale: float
    origin: np.ndarray
    inverse: np.ndarray
    solution: np.ndarray
    moment: np.ndarray
    counts: np.ndarray
    temperature: float
    readout: Literal["ridge", "discriminant"]

    def features(self, embeddings: np.ndarray) -> np.ndarray:
        """(n, D) → (n, D + 1) φ."""
        phi = (embeddings.astype(np.float64) - self.mean) / self.scale
        return np.concatenate([phi, np.ones((len(phi), 1))], axis=1)

    def against_background(self, embeddings: np.ndarray) -> np.ndarray:
        """(n, D) embeddings or tokens → (n, D + 1) δ, whose last column is 0."""
        delta = (embeddings.astype(np.float64) - self.origin) / self.scale
        return np.concatenate([delta, np.zeros((len(delta), 1))], axis=1)

    def metric(self, vectors: np.ndarray) -> np.ndarray:
        """(n, D + 1) → (n, D + 1), each times K."""
        found = vectors @ self.inverse
        if self.readout == "discriminant":
            found = found + (vectors @ self.solution) @ self._mix @ self.solution.T
        return found * self._unit

    def direction(self, a: int, b: int) -> np.ndarray:
        """(D + 1,) that φ is multiplied by for A's logit less B's, up to a constant."""
        means = self.moment[:, [a, b]]
        if self.readout == "discriminant":
            means = means / self.counts[[a, b]]
        return self.metric((means[:, 0] - means[:, 1])[None])[0]

    def share(self, column: int, weight: float) -> float:
        """a_ic of a picture of this weight in class `column`."""
        return weight if self.readout == "ridge" else weight / float(self.counts[column])

    def logits(self, embedding: np.ndarray) -> np.ndarray:
        """(S,) of a (D,) embedding, up to what a discriminant has in common."""
        return self._read(self.features(embedding[None])[0] @ self.solution, self._between, self.counts)

    def split(self, embedding: np.ndarray, column: int, others: np.ndarray, weights: np.ndarray) -> Tally:
        """The logit of class `column` of a (D,) embedding, split over pictures of the class.

        Args:
            others: (n, D) embeddings of those pictures of the class that are at hand, `weights`: (n,) ω.
        """
        seen = self.metric(self.against_background(embedding[None]))[0]
        origin = self.features(self.origin[None])[0]
        deltas = self.against_background(others)
        shares = np.array([self.share(column, weight) for weight in weights.tolist()])
        kept = float(self.share(column, float(weights.sum())))
        whole = self.share(column, float(self.counts[column]))
        far = self.moment[:, column] * (whole / self.counts[column]) - shares @ self.features(others)
        absent = float(seen @ (far - (whole - kept) * origin))
        start = float(self._read(origin @ self.solution, self._between, self.counts)[column])
        return Tally(shares * (deltas @ seen), absent, start, whole * float(seen @ origin))

    def without(self, embedding: np.ndarray, other: np.ndarray, column: int, weight: float) -> np.ndarray:
        """(S,) logits of a (D,) embedding by the head that never saw a picture of class `column`; −inf for a class of
        which nothing is left."""
        phi, gone = self.features(np.stack([embedding, other]))
        back = gone @ self.inverse
        p, t, s = gone @ self.solution, float(back @ phi), float(back @ gone)
        own = np.zeros(len(p))
        own[column] = 1.0
        kappa, q = weight / (1 - weight * s), p - weight * s * own
        outputs = phi @ self.solution - weight * t * own + kappa * t * q
        between = self._between - weight * (np.outer(p, own) + np.outer(own, p)) + weight**2 * s * np.outer(own, own)
        return self._read(outputs, between + kappa * np.outer(q, q), self.counts - weight * own)

    def _read(self, outputs: np.ndarray, between: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """Ridge outputs (S,) → logits."""
        if self.readout == "ridge":
            return outputs / self.temperature
        known = counts > LEAST_COUNT
        mix = np.linalg.inv(np.diag(counts[known]) - between[np.ix_(known, known)])
        inner = np.einsum("cd,dc->c", between[np.ix_(known, known)], mix) / counts[known]
        logits = np.full(len(outputs), -np.inf)
        logits[known] = counts.sum() / self.temperature * (outputs[known] @ mix - 0.5 * inner)
        return logits

    @cached_property
    def _between(self) -> np.ndarray:
        between = self.moment.T @ self.solution
        return (between + between.T) / 2

    @cached_property
    def _mix(self) -> np.ndarray:
        return np.linalg.inv(np.diag(self.counts) - self._between)

    @property
    def _unit(self) -> float:
        return (1.0 if self.readout == "ridge" else float(self.counts.sum())) / self.temperature


@dataclass(frozen=True)
class Tally:
    """One logit as votes: `votes` (n,) of the pictures at hand, `absent` of those of which only sums are left, `start`
    of nothing but background, and `common`, which every class of a discriminant has alike."""

    votes: np.ndarray
    absent: float
    start: float
    common: float

    @property
    def total(self) -> float:
        return float(self.votes.sum()) + self.absent + self.start + self.common
