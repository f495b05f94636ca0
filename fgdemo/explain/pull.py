"""Where a picture is moved from B to A halfway through the network: activation × gradient at the mid-level tap.

h = Σ_channels a · ∂(logit_A − logit_B)/∂a of the mid tokens a (after Shrikumar et al. 2016). It decides on which pixels
the evidence for A against B is drawn (`fgdemo.values.evidence.pair_spread`), and is never part of any sum.
"""

import threading
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fgdemo.explain.faithfulness import PixelNet
from fgdemo.model.tap import as_grid


def pull(network: PixelNet, pixels: Tensor, a: int, b: int) -> np.ndarray | None:
    """(h, w) h of class `a` against class `b`; None where the network has no tap here, as one on a lent GPU.

    One pass forward, and back through the later half of it.

    Args:
        pixels: (3, S, S) normalised, on the device of the network.
    """
    backbone: Any = getattr(network, "backbone", None)
    tap = getattr(backbone, "tap", None)
    if tap is None:
        return None
    thread = threading.get_ident()
    found: list[Tensor] = []

    def begin_here(_module: object, _inputs: object, output: Tensor) -> Tensor | None:
        if threading.get_ident() != thread:  # somebody else's pass through the same network
            return None
        found.append(output.detach().requires_grad_(True))
        return found[-1]

    handle = backbone.net.get_submodule(tap.module).register_forward_hook(begin_here)
    try:
        with torch.inference_mode(False), torch.enable_grad():
            logits = network(pixels[None].clone())[0]
            (gradient,) = torch.autograd.grad(logits[a] - logits[b], found[-1])
    finally:
        handle.remove()
    moved = found[-1].detach() * gradient
    return as_grid(moved, backbone.net, backbone.spec.name, pixels[None])[0].sum(-1).float().cpu().numpy()
