"""Which pictures count more, and which are seen together: look-alikes side by side, checked labels louder."""

from __future__ import annotations

from collections import defaultdict, deque

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from fgdemo.learn.train.recipe import Recipe
from fgdemo.model.calibration import shared_probs

LIKENESS_TEMPERATURE = 0.1
"""As in the paper."""


def sample_weights(class_index: np.ndarray, train: np.ndarray, checked: np.ndarray, recipe: Recipe) -> np.ndarray:
    """(N,) float32 weights whose mean over the rows `train` is 1: checked labels count more, rare kinds too.

    Args:
        checked: (N,) bool.
    """
    weights = np.where(checked, recipe.checked_weight, 1.0)
    counts = np.maximum(np.bincount(class_index[train], minlength=int(class_index.max()) + 1), 1)
    weights = weights * (counts[class_index] ** -recipe.class_balance)
    return (weights / weights[train].mean()).astype(np.float32)


def rivals_of(probs: np.ndarray, class_index: np.ndarray) -> tuple[int, ...]:
    """For each of C classes the one that it shares most probability with; itself where there is none.

    Args:
        probs: (N, C) what is thought of pictures by a head that has not learned from them.
        class_index: (N,) their labels.
    """
    shared = shared_probs(probs, class_index)
    best = shared.argmax(1)
    return tuple(int(rival) if shared[k, rival] > 0 else k for k, rival in enumerate(best))


def beside_rivals(order: np.ndarray, class_index: np.ndarray, rivals: tuple[int, ...]) -> np.ndarray:
    """The rows `order`, each followed by one of its kind and two of the kind's rival, as long as there are any.

    So a batch cut from it holds both kinds of a look-alike pair, and two pictures of each.
    """
    waiting: defaultdict[int, deque[int]] = defaultdict(deque)
    for row in order.tolist():
        waiting[int(class_index[row])].append(row)
    arranged: list[int] = []
    for row in order.tolist():
        kind = int(class_index[row])
        if not waiting[kind] or waiting[kind][0] != row:
            continue  # it came beside another
        for wanted in (kind, kind, rivals[kind], rivals[kind]):
            if waiting[wanted]:
                arranged.append(waiting[wanted].popleft())
    return np.array(arranged, order.dtype)


def contrast_loss(embedding: Tensor, labels: Tensor) -> Tensor:
    """Pictures of a kind close together, others far (supervised contrastive, Khosla 2020, eq. 2); nats a picture.

    0 where no two pictures are of one kind. Only the pictures of one process and one micro-batch see each other.

    Args:
        embedding: (B, D).
        labels: (B,) class indices.
    """
    alone = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    same = (labels[:, None] == labels[None]) & ~alone
    count = same.sum(1)
    if not bool((count > 0).any()):
        return embedding.sum() * 0.0
    unit = functional.normalize(embedding.float(), dim=1)
    logits = (unit @ unit.T / LIKENESS_TEMPERATURE).masked_fill(alone, -torch.inf)
    likely = torch.log_softmax(logits, 1).masked_fill(~same, 0.0).sum(1) / count.clamp_min(1)
    return -likely[count > 0].mean()
