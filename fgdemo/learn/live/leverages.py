"""How much each picture weighs in its own prediction, kept between rankings.

φ'G⁻¹φ of one picture costs (D + 1)² products, its logits only (D + 1) C, so at 1,280 channels and 174 kinds this is
seven eighths of a ranking. It changes little: not at all with a label that changes at the same weight, and in
proportion to the share of all weights that changed since otherwise.
"""

from dataclasses import dataclass, field

import numpy as np

FEW = 4000
"""Up to so many pictures are computed anew whenever any weight changed."""
STALE_SHARE = 0.02
"""From this share of all weights on that changed, all are computed anew."""


@dataclass
class Leverages:
    """One entry a row of the roster, of a picture whose weight is 1; nan where it is not known."""

    values: np.ndarray = field(default_factory=lambda: np.empty(0, np.float32))
    weights: np.ndarray = field(default_factory=lambda: np.empty(0, np.float32))
    penalty: float = -1.0
    changed: float = 0.0

    def stale(self, rows: np.ndarray, weights: np.ndarray, penalty: float) -> np.ndarray:
        """Those of `rows` that must be computed anew, and be given to `take`.

        Args:
            weights: (n,) of every row of the roster now.
            penalty: λ now.
        """
        new = len(weights) - len(self.values)
        self.values = np.append(self.values, np.full(new, np.nan, np.float32))
        before = np.append(self.weights, np.zeros(new, np.float32))
        self.weights = weights.copy()
        differs = before != weights
        self.changed += float(np.abs(before - weights)[differs].sum())
        most = 0.0 if len(rows) <= FEW else STALE_SHARE * float(weights.sum())
        if penalty != self.penalty or self.changed > most:
            self.penalty, self.changed = penalty, 0.0
            self.values[:] = np.nan
        self.values[differs] = np.nan
        return rows[np.isnan(self.values[rows])]

    def take(self, rows: np.ndarray, values: np.ndarray) -> None:
        self.values[rows] = values
