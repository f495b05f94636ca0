"""Exact additive evidence: arithmetic on a `Reading`, no approximation between tokens and logit.

With tokens `z_n` at N places, mean pooling and a linear head, the logit of class c is

    logit_c = Σ_n e[n, c] + bias_c,      e[n, c] = (w_c · z_n) / N                              (class evidence)

and because the part shares of a place sum to one, `Σ_k A[n, k] = 1`, it splits over parts and places at once:

    E[k, n, c] = A[n, k] · e[n, c],      Σ_k Σ_n E[k, n, c] + bias_c = logit_c                  (part evidence)

Differences of logits split in the same way, so the A-versus-B map and the "which part decided" bars are exact too.
All numbers are log-odds (nats): +0.69 at a place makes A twice as likely against B. How faithful the tokens are to
the *pixels* under them is a different question, answered by `fgdemo.explain.faithfulness`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fgdemo.values.types import Part, Reading


@dataclass(frozen=True)
class PartBar:
    """What one part says for A against B. `part` is None for the background."""

    part: Part | None
    for_a: float
    """Evidence this part adds to the logit of A, in nats."""
    for_b: float

    @property
    def difference(self) -> float:
        """> 0 speaks for A, < 0 for B."""
        return self.for_a - self.for_b


@dataclass(frozen=True)
class Contrast:
    """Why A and not B: `sum(bar.difference for bar in bars) + bias == logit_a − logit_b` to rounding."""

    bars: tuple[PartBar, ...]
    """One for each part of the reading, in its order, then one for the background."""
    bias: float
    """What the two classes differ by before anything is seen."""
    logit_difference: float


def class_map(reading: Reading, class_index: int) -> np.ndarray:
    """(h, w) signed evidence for one class; it sums to `logit − bias`."""
    return reading.evidence[..., class_index]


def contrast_map(reading: Reading, a: int, b: int) -> np.ndarray:
    """(h, w) signed evidence for class `a` against class `b`: > 0 speaks for `a`, < 0 for `b`."""
    return reading.evidence[..., a] - reading.evidence[..., b]


def part_evidence(reading: Reading) -> np.ndarray:
    """(K + 1, C): what each part, background last, adds to each logit. Sums over parts to `logits − bias`."""
    return np.einsum("hwk,hwc->kc", reading.assignment, reading.evidence, dtype=np.float64)


def contrast(reading: Reading, a: int, b: int) -> Contrast:
    """Part bars of class `a` against class `b`."""
    pair = part_evidence(reading)[:, [a, b]]
    bars = tuple(
        PartBar(part, float(for_a), float(for_b))
        for part, (for_a, for_b) in zip((*reading.parts, None), pair, strict=True)
    )
    return Contrast(
        bars=bars,
        bias=float(reading.bias[a] - reading.bias[b]),
        logit_difference=float(reading.logits[a] - reading.logits[b]),
    )


def foreground(reading: Reading) -> np.ndarray:
    """(h, w) in [0, 1]: how much of each place belongs to a part and not to the background."""
    return 1.0 - reading.assignment[..., -1]


def foreground_share(reading: Reading) -> float:
    """Share of the picture that parts cover, in [0, 1]. Near 0: the thing is tiny (a crop box would help) or absent."""
    return float(foreground(reading).mean())


def completeness_error(reading: Reading) -> float:
    """Largest |Σ evidence + bias − logit|, relative to the largest |logit|. Above 1e-4 the evidence is not exact."""
    total = reading.evidence.sum((0, 1), dtype=np.float64) + reading.bias
    return float(np.abs(total - reading.logits).max() / max(float(np.abs(reading.logits).max()), 1e-12))
