"""Fine-tuning as everybody writes it, to compare with: nothing of ours but the network and how pictures are decoded."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torchvision.transforms import v2

from fgdemo.learn.data.augment import normalise
from fgdemo.model.backbone import Backbone, DataConfig

BATCH_SIZE = 32
LR, NEW_LR = 3e-4, 3e-3
"""Of the network, and of the linear layer that starts from nothing."""


def train_plainly(
    backbone: Backbone,
    config: DataConfig,
    pixels: np.ndarray,
    labels: np.ndarray,
    classes: int,
    *,
    epochs: int,
    side_px: int,
    seed: int,
    device: str = "cpu",
) -> nn.Linear:
    """Train all layers and a new linear layer on the mean of the tokens: AdamW, one cycle, crops and flips, BatchNorm
    as it is; the last epoch, as the schedule means it. torch's own random numbers are left as they are found.

    Args:
        backbone: trained in place.
        pixels: (N, S, S, 3) uint8.
        labels: (N,) class indices.

    Returns:
        The linear layer, on the CPU.
    """
    backbone.requires_grad_(True).eval()  # BatchNorm as it is, and no dropout in these networks
    classifier = nn.Linear(backbone.dim, classes).to(device)
    framing = v2.Compose([v2.RandomResizedCrop(side_px, scale=(0.35, 1.0), antialias=True), v2.RandomHorizontalFlip()])
    optimizer = torch.optim.AdamW([{"params": backbone.parameters()}, {"params": classifier.parameters()}])
    batch = min(BATCH_SIZE, len(labels))
    steps = epochs * (len(labels) // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=[LR, NEW_LR], total_steps=steps)
    generator = np.random.default_rng(seed)
    for _ in range(epochs):
        order = generator.permutation(len(labels))
        for start in range(0, len(order) - batch + 1, batch):
            some = order[start : start + batch]
            framed = torch.stack([framing(one) for one in normalise(torch.from_numpy(pixels[some]).to(device), config)])
            logits = classifier(backbone(framed).mean((1, 2)))
            loss = nn.functional.cross_entropy(logits, torch.from_numpy(labels[some]).to(device))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    backbone.requires_grad_(False)
    return classifier.requires_grad_(False).cpu()
