"""Grad-CAM and its relatives, by the `grad-cam` library, run over the head only.

The backbone ran once already and gave a grid of tokens. Everything here happens on a small private module, built for
each call, whose input is a detached copy of that grid: no hooks on the shared model, no second backbone pass, no lock.
For the last layer this is the same map as the library's plain use on the whole model.

The private module exists because the library, as it is, (1) flips the model it is given to eval and zeroes its
gradients, (2) leaves `.grad` on every parameter, (3) mixes up maps when threads share a model, (4) fails on frozen
backbones and under `inference_mode`, (5) rescales every map to [0, 1], which hides how strong a map is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol, cast

import numpy as np
import torch
from pytorch_grad_cam import EigenCAM, GradCAM, GradCAMPlusPlus, HiResCAM, LayerCAM
from pytorch_grad_cam.base_cam import BaseCAM
from torch import Tensor, nn

Method = Literal["GradCAM", "GradCAM++", "LayerCAM", "HiResCAM", "EigenCAM"]
_METHODS: dict[Method, type[BaseCAM]] = {
    "GradCAM": GradCAM,  # Selvaraju et al. 2017, arXiv 1610.02391
    "GradCAM++": GradCAMPlusPlus,  # Chattopadhay et al. 2018, arXiv 1710.11063
    "LayerCAM": LayerCAM,  # Jiang et al. 2021
    "HiResCAM": HiResCAM,  # Draelos and Carin 2020, arXiv 2011.08891
    "EigenCAM": EigenCAM,  # Muhammad and Yeasin 2020, arXiv 2008.00299; knows no class
}

Target = int | tuple[int, int]
"""A class index, or (a, b) for "a and not b"."""


class Head(Protocol):
    """What is left of a network behind its tokens. `fgdemo.model.network.Network` is one, `TimmHead` another."""

    def logits_from_tokens(self, tokens: Tensor) -> Tensor:
        """`(B, h, w, D)` tokens → `(B, C)` logits, differentiable in the tokens."""
        ...


@dataclass(frozen=True)
class LogitDifference:
    """`logit_a − α · logit_b` of one picture, the question "why A and not B?" (Finer-CAM, arXiv 2501.11309).

    The library's `FinerWeightedTarget(a, [b], alpha)` is this times `p_b / (p_b + 1e-9)`: the same map, except that
    it vanishes when B is very improbable, which is no reason to have nothing to say.
    """

    a: int
    b: int
    alpha: float = 1.0

    def __call__(self, logits: Tensor) -> Tensor:
        return logits[..., self.a] - self.alpha * logits[..., self.b]


@dataclass(frozen=True)
class LogitOf:
    """The logit of one class of one picture."""

    class_index: int

    def __call__(self, logits: Tensor) -> Tensor:
        return logits[..., self.class_index]


def gradcam(head: Head, tokens: Tensor, target: Target, method: Method = "GradCAM", *, cut: bool = True) -> np.ndarray:
    """One map over the token grid, from tokens that were computed before. Safe to call from many threads.

    Args:
        head: gives logits from tokens; its parameters, `.grad` and train/eval flags are left as they are.
        tokens: (h, w, D) or (1, h, w, D), of one picture; inference tensors are fine.
        target: a class index, or `(a, b)` for the Finer-CAM contrast "a and not b".
        method: which of the library's methods.
        cut: leave out what speaks against the target, as the methods do.

    Returns:
        (h, w) float32, ≥ 0 where cut, in the method's own units and *not* rescaled, so that two maps can be
        compared. All zero means that no place speaks for the target.
    """
    with torch.inference_mode(False), torch.enable_grad():
        grid = tokens.detach().reshape(1, *tokens.shape[-3:]).permute(0, 3, 1, 2).clone().requires_grad_(True)
        question = LogitOf(target) if isinstance(target, int) else LogitDifference(*target)
        raw = _raw_map(_HeadOnly(head.logits_from_tokens, grid.device), grid, question, _METHODS[method])
    return (np.maximum(raw, 0.0) if cut else raw).astype(np.float32)


def _raw_map(
    module: _HeadOnly, grid: Tensor, question: Callable[[Tensor], Tensor], method: type[BaseCAM]
) -> np.ndarray:
    """The library's own steps (`BaseCAM.forward`), without the rescaling at their end."""
    cam: Any = method(module, [module.tokens])
    try:
        logits = cam.activations_and_grads(grid)
        gradients = None
        if cam.uses_gradients:
            question(logits[0]).backward()
            gradients = cam.activations_and_grads.gradients[0].cpu().numpy()
        activations = cam.activations_and_grads.activations[0].cpu().numpy()
        return cam.get_cam_image(grid, module.tokens, [question], activations, gradients, False)[0]
    finally:
        cam.activations_and_grads.release()


class _HeadOnly(nn.Module):
    """`(B, D, h, w)` token grid → `(B, C)` logits, through a layer the library can hook."""

    def __init__(self, logits_from_tokens: Callable[[Tensor], Tensor], device: torch.device) -> None:
        super().__init__()
        self.tokens = nn.Identity()
        # A bound method, not the module: the library's eval() and zero_grad() must not reach the shared network.
        self._logits_from_tokens = logits_from_tokens
        # The library asks the first parameter for the device.
        self._device_marker = nn.Parameter(torch.empty(0, device=device), requires_grad=False)

    def forward(self, grid: Tensor) -> Tensor:
        # A copy, because the library's hooks must see the output of a layer, not a leaf.
        tokens = self.tokens(grid * 1.0)
        return cast(Tensor, _InputGradientOnly.apply(tokens.permute(0, 2, 3, 1), self._logits_from_tokens))


class _InputGradientOnly(torch.autograd.Function):
    """Runs a function so that `backward()` reaches its input but never the `.grad` of the parameters inside."""

    @staticmethod
    def forward(ctx: Any, tokens: Tensor, function: Callable[[Tensor], Tensor]) -> Tensor:
        with torch.enable_grad():
            ctx.inner = tokens.detach().requires_grad_(True)
            ctx.logits = function(ctx.inner)
        return ctx.logits.detach()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        (gradient,) = torch.autograd.grad(ctx.logits, ctx.inner, grads[0])
        return gradient, None
