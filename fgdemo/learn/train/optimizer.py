"""AdamW over a network whose early layers may learn more slowly, and how its learning rate rises and falls."""

import math
from collections.abc import Sequence

import torch
from timm.optim import param_groups_layer_decay  # pyright: ignore[reportPrivateImportUsage]
from torch import nn

from fgdemo.learn.train.recipe import Recipe

NEW_LR = 2e-3
"""Of linear maps that start from nothing."""


def make_optimizer(
    body: nn.Module, head: Sequence[nn.Parameter], recipe: Recipe, steps: int, new: Sequence[nn.Parameter] = ()
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    """AdamW; biases and norms are not decayed; warm-up, then a cosine down to 1 %. The last layers are group 0.

    Args:
        body: every layer before the last learns `recipe.layer_decay` times as fast as the one behind it: what early
            layers know is what most sets of pictures have in common (Howard & Ruder 2018; Bao 2022, BEiT).
        head: of the classifier; they learn at `recipe.head_lr`.
        steps: over which the rate falls.
        new: parameters that start from nothing.
    """
    body.requires_grad_(True)
    groups = param_groups_layer_decay(body, recipe.weight_decay, layer_decay=recipe.layer_decay)
    groups.sort(key=lambda group: -group["lr_scale"])
    for group in groups:
        group["lr"] = recipe.lr * group["lr_scale"]
    for parameters, lr in ((head, recipe.head_lr), (new, NEW_LR)):
        if parameters:
            groups.append({"params": list(parameters), "lr": lr, "weight_decay": recipe.weight_decay})
    optimizer = torch.optim.AdamW(groups)
    warm = max(1, round(steps * recipe.warm_up))

    def share(step: int) -> float:
        if step < warm:
            return (step + 1) / warm
        return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warm) / max(1, steps - warm))))

    return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, share)
