"""Exact additive evidence: arithmetic on a `Reading`, no approximation between tokens and logit.

With tokens `z_n` at N places, mean pooling and a linear head, the logit of class c is

    logit_c = Σ_n e[n, c] + bias_c,      e[n, c] = (w_c · z_n) / N                              (class map)

and because the part shares of a place sum to one, `Σ_k A[n, k] = 1`, it splits over parts and places at once:

    E[k, n, c] = A[n, k] · e[n, c],      Σ_k Σ_n E[k, n, c] + bias_c = logit_c                  (part evidence)

Differences of logits split in the same way, so the A-versus-B map and the "which part decided" bars are exact too.
All numbers are log-odds (nats): +0.69 at a place makes A twice as likely against B. How faithful the tokens are to
the *pixels* under them is a different question, answered by `fgdemo.explain.faithfulness`.

Drawn, evidence is on a finer grid: where is decided by the picture, how much by the sum alone. A token speaks for the
pixels it has seen, most of them near it, and is shared out among those in which there is more of what the map is about:

    map(p) = Σ_n e_n k(p, n) (q_p + ε) / Z_n,      Z_n = Σ_p k(p, n) (q_p + ε)              (spread)

k is a Gaussian about the token, q ≥ 0 says how much of that is at p. All weights are ≥ 0 and those of a token sum to
one, so that Σ_p map(p) = Σ_n e_n whatever q is. For the map of A it is the outline of the thing
(`fgdemo.explain.silhouette`); for A against B also how much the place moves logit_A − logit_B halfway through the
network (`fgdemo.explain.pull`): up for the evidence that is for A, down for that which is for B.

The network makes `e` (`fgdemo.model.network`); whatever is done with it in Python is done here, for the page, the sheet
and the explainer alike. The browser does the same in `maps.js`; one golden file holds both to it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fgdemo.values.classification.answers import FineMap, PartView
from fgdemo.values.types import Reading

DIGITS = 4
"""So many digits of the largest value of a map travel to the page."""
FINE = 56
"""Rows and columns of the fine grid on which evidence is drawn."""
WIDTH_TOKENS = 1.5
"""Standard deviation of k."""
FLOOR = 0.1
"""ε: how much of a token's evidence stays where q is 0. Less of it puts more of the map on the thing, and costs
insertion."""


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
class Places:
    """What says where evidence is drawn. Each gives None where nothing tells; the map is drawn as it is then.

    Attributes:
        silhouette: (reading, picture) → (FINE, FINE) share of each place that is the thing.
        pull: (picture, a, b) → (h, w) how much each place moves logit_A − logit_B, by one pass and a half.
    """

    silhouette: Callable[[Reading, Image.Image], np.ndarray | None]
    pull: Callable[[Image.Image, str, str], np.ndarray | None]


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


def fine_map(values: np.ndarray) -> FineMap:
    """A (H, W) map as it travels: what rounding leaves of a place goes to the next, so that the sum stays."""
    largest = max(float(np.abs(values).max()), 1e-12)
    digits = DIGITS - 1 - int(np.floor(np.log10(largest)))
    until = np.round(np.cumsum(values.ravel(), dtype=np.float64), digits)
    return FineMap((values.shape[0], values.shape[1]), tuple(np.round(np.diff(until, prepend=0.0), digits).tolist()))


def as_drawn(evidence: np.ndarray, fine: FineMap | None) -> np.ndarray:
    """The map to draw for (h, w) evidence: the fine one, in log-odds a place of the evidence's own grid, or itself."""
    if fine is None:
        return evidence
    return np.reshape(fine.values, fine.grid) * (len(fine.values) / evidence.size)


def spread(evidence: np.ndarray, thing: np.ndarray) -> np.ndarray:
    """(h, w) evidence → (H, W) map with the same sum. `thing`: (H, W) q, ≥ 0."""
    return _shared_out(evidence, thing + FLOOR)


def pair_spread(contrast: np.ndarray, pull: np.ndarray, thing: np.ndarray) -> np.ndarray:
    """(h, w) evidence for A against B → (FINE, FINE) map with the same sum, of what is for A and of what is for B.

    Args:
        pull: (h', w') how much each place moves logit_A − logit_B; only its shape counts, not its scale.
        thing: (FINE, FINE) as for `spread`.
    """
    largest = max(float(np.abs(pull).max()), 1e-12)
    for_a, for_b = ((_fine(np.maximum(side, 0) / largest) + FLOOR) * (thing + FLOOR) for side in (pull, -pull))
    return _shared_out(np.maximum(contrast, 0), for_a) - _shared_out(np.maximum(-contrast, 0), for_b)


def _shared_out(evidence: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """(h, w) evidence, each token's among the (H, W) places near it by their weight, > 0."""
    down, across = (_near(fine, coarse) for fine, coarse in zip(weight.shape, evidence.shape, strict=True))
    weight = weight.astype(np.float64)
    return weight * (down @ (evidence / (down.T @ weight @ across)) @ across.T)


def _near(fine: int, coarse: int) -> np.ndarray:
    """(fine, coarse): the Gaussian of each token of a line at each point of it; its middle is the token's."""
    at = (np.arange(fine) + 0.5) * coarse / fine - 0.5
    return np.exp(-0.5 * ((at[:, None] - np.arange(coarse)) / WIDTH_TOKENS) ** 2)


def _fine(grid: np.ndarray) -> np.ndarray:
    """A map on the fine grid, nowhere negative."""
    drawn = Image.fromarray(np.ascontiguousarray(grid, np.float32)).resize((FINE, FINE), Image.Resampling.BICUBIC)
    return np.maximum(np.asarray(drawn), 0)


def completeness_error(reading: Reading) -> float:
    """Largest |Σ evidence + bias − logit|, relative to the largest |logit|. Above 1e-4 the evidence is not exact."""
    total = reading.evidence.sum((0, 1), dtype=np.float64) + reading.bias
    return float(np.abs(total - reading.logits).max() / max(float(np.abs(reading.logits).max()), 1e-12))
