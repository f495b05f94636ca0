"""Exact additive evidence: arithmetic on a `Reading`, no approximation between tokens and logit.

With tokens `z_n` at N places, mean pooling and a linear head, the logit of class c is

    logit_c = Σ_n e[n, c] + bias_c,      e[n, c] = (w_c · z_n) / N                              (class map)

and because the part shares of a place sum to one, `Σ_k A[n, k] = 1`, it splits over parts and places at once:

    E[k, n, c] = A[n, k] · e[n, c],      Σ_k Σ_n E[k, n, c] + bias_c = logit_c                  (part evidence)

Differences of logits split in the same way, so the A-versus-B map and the "which part decided" bars are exact too.
All numbers are log-odds (nats): +0.69 at a place makes A twice as likely against B. How faithful the tokens are to
the *pixels* under them is a different question, answered by `fgdemo.explain.faithfulness`.

The network makes `e` (`fgdemo.model.network`); whatever is done with it in Python is done here, for the page, the sheet
and the explainer alike. The browser does the same in `maps.js`; one golden file holds both to it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fgdemo.values.types import PartView, Reading

DIGITS = 4
"""So many digits of the largest value of a map travel to the page."""


@dataclass(frozen=True)
class Split:
    """Why A and not B: `parts`, `background` and `base` sum to `logit_a − logit_b`. > 0 speaks for A, < 0 for B.

    Attributes:
        parts: what each part says, in the order of the shares.
        background: what all places say that belong to no part.
        base: what the two classes differ by before anything is seen.
    """

    parts: tuple[float, ...]
    background: float
    base: float

    @property
    def total(self) -> float:
        return sum(self.parts) + self.background + self.base


@dataclass(frozen=True)
class Strongest:
    """The place where a map is highest, its value, and the largest absolute value of the map: full colour."""

    row: int
    column: int
    value: float
    peak: float


def contrast_map(for_a: np.ndarray, for_b: np.ndarray) -> np.ndarray:
    """(h, w) signed evidence for A against B, of their class maps: > 0 speaks for A, < 0 for B."""
    return for_a - for_b


def part_sums(signed_map: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """(K,): what each part says, of a (h, w) map and (h, w, K) shares in [0, 1]."""
    return np.einsum("hw,hwk->k", signed_map, shares)


def split(contrast: np.ndarray, base: float, shares: np.ndarray) -> Split:
    """Share out an A-versus-B map of (h, w) among (h, w, K) foreground parts. `base`: bias of A less bias of B."""
    parts = tuple(part_sums(contrast, shares).tolist())
    return Split(parts, float(contrast.sum()) - sum(parts), base)


def shares_of(parts: tuple[PartView, ...], grid: tuple[int, int]) -> np.ndarray:
    """(h, w, K) of parts as the page has them."""
    return np.moveaxis(np.reshape([part.share for part in parts], (len(parts), *grid)), 0, -1)


def strongest(signed_map: np.ndarray) -> Strongest:
    """The first of the highest places, row by row."""
    row, column = divmod(int(signed_map.argmax()), signed_map.shape[1])
    return Strongest(row, column, float(signed_map[row, column]), float(np.abs(signed_map).max()))


def both_sides(signed_map: np.ndarray) -> tuple[float, float]:
    """What a map says for, ≥ 0, and what it says against, ≤ 0."""
    return float(np.maximum(signed_map, 0).sum()), float(np.minimum(signed_map, 0).sum())


def rounded(maps: np.ndarray, logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(h · w, M) maps to some four digits, and (M,) biases, each of which takes up what that left of its logit.

    Args:
        maps: (h, w, M).
    """
    flat: NDArray[np.float64] = np.reshape(maps, (-1, maps.shape[-1])).astype(np.float64)
    largest = max(float(np.abs(flat).max()), 1e-12)
    flat = np.round(flat, DIGITS - 1 - int(np.floor(np.log10(largest))))
    return flat, logits.astype(np.float64) - flat.sum(0)


def completeness_error(reading: Reading) -> float:
    """Largest |Σ evidence + bias − logit|, relative to the largest |logit|. Above 1e-4 the evidence is not exact."""
    total = reading.evidence.sum((0, 1), dtype=np.float64) + reading.bias
    return float(np.abs(total - reading.logits).max() / max(float(np.abs(reading.logits).max()), 1e-12))
