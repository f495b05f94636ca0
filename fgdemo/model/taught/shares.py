"""Which part each place shows, as people taught it by points: a linear function of what one pass knows of the place.

    ℓ[n, k] = own_k · u_n + mean over the places m around n of (around_k · u_m + last_k · v_m) + b_k
    A[n, k] = softmax over k of ℓ[n, k]

u are mid tokens and v last tokens, both of unit length; around n are its 3 × 3 places, those that there are; k are K
named parts and, last, the background. Each row of A sums to 1, so that the evidence splits exactly over the parts.
Between the tokens the log-odds are read bilinearly, which is what they were fitted for: a point seldom lies on the
middle of a token.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

UnitMap = tuple[Tensor, Tensor]
"""A' (D, D) and a (D,): unit-length tokens of before ≈ those of now A' + a."""


@dataclass(frozen=True)
class TaughtParts:
    """The parts of one group.

    Attributes:
        group: whose pictures they are looked for in.
        own, around: (M, K + 1), of mid tokens.
        last: (D, K + 1), of last tokens.
        bias: (K + 1,).
    """

    group: str
    own: Tensor
    around: Tensor
    last: Tensor
    bias: Tensor

    def log_odds(self, tokens: Tensor, mid: Tensor) -> Tensor:
        """(..., h, w, D) tokens and (..., h, w, M) mid tokens of the same pass → (..., h, w, K + 1)."""
        u, v = (functional.normalize(one.float(), dim=-1) for one in (mid, tokens))
        return u @ self.own + mean_around(u @ self.around + v @ self.last) + self.bias

    def shares(self, tokens: Tensor, mid: Tensor) -> Tensor:
        """(..., h, w, K + 1), background last; each place sums to 1."""
        return torch.softmax(self.log_odds(tokens, mid), -1)

    def to(self, device: str) -> TaughtParts:
        tensors = {name: value.to(device) for name, value in vars(self).items() if isinstance(value, Tensor)}
        return replace(self, **tensors)

    def carried(self, of_mid: UnitMap, of_last: UnitMap) -> TaughtParts:
        """The same question asked of features that have moved."""
        (turn_mid, shift_mid), (turn_last, shift_last) = of_mid, of_last
        return replace(
            self,
            own=turn_mid @ self.own,
            around=turn_mid @ self.around,
            last=turn_last @ self.last,
            bias=self.bias + shift_mid @ (self.own + self.around) + shift_last @ self.last,
        )


def mean_around(grid: Tensor) -> Tensor:
    """(..., h, w, C) → the mean of the 3 × 3 places around each, on the border of those that there are."""
    maps = grid.flatten(0, -4) if grid.ndim > 3 else grid[None]
    pooled = functional.avg_pool2d(maps.permute(0, 3, 1, 2), 3, stride=1, padding=1, count_include_pad=False)
    return pooled.permute(0, 2, 3, 1).reshape(grid.shape)


def at_points(grid: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """(h, w, C) read bilinearly at (n,) points, fractions of width and height from the upper left → (n, C)."""
    where = torch.stack([x, y], -1).to(grid) * 2 - 1
    found = functional.grid_sample(
        grid.permute(2, 0, 1)[None], where[None, :, None], mode="bilinear", padding_mode="border", align_corners=False
    )
    return found[0, :, :, 0].T
