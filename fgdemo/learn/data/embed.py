"""Run a backbone over many pictures."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from fgdemo.learn.data.augment import resize, to_batch
from fgdemo.model.backbone import Backbone, DataConfig
from fgdemo.values.batches import batches
from fgdemo.values.errors import BackboneError
from fgdemo.values.progress import Progress, no_progress


@torch.inference_mode()
def token_batches(
    backbone: Backbone,
    pixels: np.ndarray,
    config: DataConfig,
    *,
    size_px: int | None = None,
    progress: Progress = no_progress,
) -> Iterator[Tensor]:
    """(N, S, S, 3) uint8 → batches of (b, h, w, D) tokens on the backbone's device; seen at S px or at `size_px`."""
    device, done, step = next(backbone.parameters()).device, 0, backbone.pass_size
    while done < len(pixels):
        batch = to_batch(pixels[done : done + step], config, device)
        try:
            tokens = backbone(resize(batch, size_px or batch.shape[-1]))
        except torch.OutOfMemoryError as error:
            if step == 1:
                raise BackboneError("Not even one picture fits into the GPU's memory.") from error
            step = (step + 1) // 2
            continue
        yield tokens
        done = min(done + step, len(pixels))
        progress("looking at pictures", done, len(pixels))


@torch.inference_mode()
def both_batches(backbone: Backbone, pixels: np.ndarray, config: DataConfig) -> Iterator[tuple[Tensor, Tensor]]:
    """(N, S, S, 3) uint8 → batches of (b, h, w, D) tokens and, of the same pass, (b, h, w, M) mid tokens."""
    device, step = next(backbone.parameters()).device, backbone.pass_size
    for some in batches(pixels, step):
        yield backbone.with_mid(to_batch(some, config, device))


def embed(
    backbone: Backbone,
    pixels: np.ndarray,
    config: DataConfig,
    *,
    size_px: int | None = None,
    progress: Progress = no_progress,
) -> np.ndarray:
    """(N, S, S, 3) uint8 → (N, D) float32 mean-pooled tokens; seen at S px or at `size_px`.

    Raises:
        BackboneError: some of them are not finite.
    """
    batches = [
        tokens.mean((1, 2)).float().cpu().numpy()
        for tokens in token_batches(backbone, pixels, config, size_px=size_px, progress=progress)
    ]
    embeddings = np.concatenate(batches) if batches else np.empty((0, backbone.dim), np.float32)
    if not np.isfinite(embeddings).all():
        raise BackboneError(
            "The backbone's numbers are not finite: its weights are damaged, or the training diverged (lower --lr)."
        )
    return embeddings
