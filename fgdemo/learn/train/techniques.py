"""Three switches of the recipe against learning by heart: mixup, CutMix, and the supervised contrast between kinds."""

import torch
from torch import Tensor
from torch.nn import functional

LIKENESS_TEMPERATURE = 0.1
"""As in the paper."""


def mix(
    batch: Tensor, targets: Tensor, *, mixup: float, cutmix: float, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """mixup (Zhang 2018) or CutMix (Yun 2019) of a batch with itself in another order; either strength may be 0.

    Args:
        batch: (B, 3, S, S).
        targets: (B, C) soft labels.
        mixup, cutmix: α of the Beta distribution. Where both are on, each batch gets one by a fair coin.
    """
    use_cutmix = cutmix > 0 and (mixup == 0 or bool(torch.rand(1, generator=generator) < 0.5))
    alpha = cutmix if use_cutmix else mixup
    if alpha == 0:
        return batch, targets
    share = _beta(alpha, generator)
    order = torch.randperm(len(batch), generator=generator).to(batch.device, non_blocking=True)
    if not use_cutmix:
        return batch * share + batch[order] * (1 - share), targets * share + targets[order] * (1 - share)
    side = batch.shape[-1]
    edge = int(side * (1 - share) ** 0.5)
    top, left = (int(torch.randint(0, side - edge + 1, (1,), generator=generator)) for _ in range(2))
    batch = batch.clone()
    batch[..., top : top + edge, left : left + edge] = batch[order][..., top : top + edge, left : left + edge]
    share = 1 - edge**2 / side**2
    return batch, targets * share + targets[order] * (1 - share)


def _beta(alpha: float, generator: torch.Generator) -> float:
    """One draw of Beta(α, α) by Jöhnk's method (1964), which needs only uniforms."""
    while True:
        first, second = (torch.rand(2, generator=generator, dtype=torch.float64) ** (1 / alpha)).tolist()
        if 0 < first + second <= 1:
            return first / (first + second)


def contrast_loss(embedding: Tensor, labels: Tensor) -> Tensor:
    """Pictures of a kind close together, others far (supervised contrastive, Khosla 2020, eq. 2); nats a picture.

    0 where no two pictures are of one kind. Only the pictures of one process and one micro-batch see each other.

    Args:
        embedding: (B, D).
        labels: (B,) class indices.
    """
    if len(labels) < 2:
        return embedding.sum() * 0.0
    alone = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    same = (labels[:, None] == labels[None]) & ~alone
    count = same.sum(1)
    unit = functional.normalize(embedding.float(), dim=1)
    logits = (unit @ unit.T / LIKENESS_TEMPERATURE).masked_fill(alone, -torch.inf)
    likely = torch.log_softmax(logits, 1).masked_fill(~same, 0.0).sum(1) / count.clamp_min(1)
    return -likely.sum() / (count > 0).sum().clamp_min(1)  # nothing here waits for the GPU
