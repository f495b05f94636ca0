"""Backbone, linear head and parts as one function of pixels."""

from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from fgdemo.model.backbone import Backbone
from fgdemo.model.parts import PartModel


class Network(nn.Module):
    """A backbone with a calibrated linear head over mean-pooled tokens.

        logit_c = w_c · mean_n z_n + b_c = Σ_n w_c · (z_n − o) / N + (b_c + w_c · o)

    The origin o (D,) is a constant of the model: the mean background token, so that a place that looks like
    background carries about no evidence. It moves a constant from the places to the bias and leaves the sum as it is.
    Logits are calibrated log-odds: raw ridge outputs divided by the temperature.
    """

    weight: Tensor
    bias: Tensor
    origin: Tensor

    def __init__(self, backbone: Backbone, weight: Tensor, bias: Tensor, origin: Tensor, parts: PartModel) -> None:
        super().__init__()
        self.backbone = backbone
        self.register_buffer("weight", weight)
        self.register_buffer("bias", bias)
        self.register_buffer("origin", origin)
        self.parts = parts

    def tokens(self, pixels: Tensor) -> Tensor:
        """(B, 3, S, S) → (B, h, w, D)."""
        return cast(Tensor, self.backbone(pixels))

    def with_mid(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 3, S, S) → (B, h, w, D) tokens and, of the same pass, (B, h, w, M) mid tokens."""
        return self.backbone.with_mid(pixels)

    def logits_from_tokens(self, tokens: Tensor) -> Tensor:
        """(B, h, w, D) → (B, C) log-odds; differentiable."""
        return tokens.mean((1, 2)).float() @ self.weight + self.bias

    def forward(self, pixels: Tensor) -> Tensor:
        """(B, 3, S, S) → (B, C) log-odds."""
        return self.logits_from_tokens(self.tokens(pixels))

    def evidence(self, tokens: Tensor) -> Tensor:
        """(B, h, w, D) → (B, h, w, C); with `base` it sums to the logits exactly."""
        places = tokens.shape[1] * tokens.shape[2]
        return (tokens.float() - self.origin) @ self.weight / places

    @torch.inference_mode()
    def answer_map(self, pixels: Tensor) -> tuple[int, np.ndarray]:
        """(3, S, S) → the likeliest class index, and the (h, w) evidence for it."""
        tokens = self.tokens(pixels[None])
        answer = int(self.logits_from_tokens(tokens)[0].argmax())
        return answer, self.evidence(tokens)[0, ..., answer].cpu().numpy()

    @property
    def base(self) -> Tensor:
        """(C,) the part of the logits that belongs to no place: those of a picture of nothing but average background.

        It is where the sum starts, and no base rate: how common the kinds are moves it little.
        """
        return self.bias + self.origin @ self.weight

    def assignment(self, tokens: Tensor, group: str, mid: Tensor | None = None) -> Tensor:
        """(B, h, w, D), and (B, h, w, M) of the same pass → (B, h, w, K + 1) shares of the parts of `group`, background
        last; see `PartModel.assign`."""
        return self.parts.assign(tokens, group, mid)

    @property
    def device(self) -> torch.device:
        return self.weight.device
