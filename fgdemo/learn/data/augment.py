"""Random framing and light of a whole batch at once, on whatever device the batch lies.

What a GPU is sent is sent without waiting for it, or it would stand idle while the next batch is prepared.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from fgdemo.model.backbone import DataConfig


@dataclass(frozen=True)
class Framing:
    """How training pictures are framed.

    Visitors send whole scenes with the animal small in a corner, while training pictures are often tight
    crops. So the window is drawn from well inside the picture (`min_scale` of its side) to well outside it
    (`max_scale`), what lies outside being the mirrored picture.
    """

    min_scale: float = 0.55
    max_scale: float = 1.6
    max_aspect: float = 1.33
    max_turn_deg: float = 12.0
    light: float = 0.25
    """Largest relative change of brightness and contrast. Hue is left alone: it is often what decides."""


def to_batch(pixels: np.ndarray, config: DataConfig, device: torch.device) -> Tensor:
    """(B, S, S, 3) uint8 → (B, 3, S, S) float on the device, normalised as the weights expect."""
    there = torch.from_numpy(pixels)
    if device.type == "cuda":
        there = there.pin_memory()
    return normalise(there.to(device, non_blocking=True), config)


def normalise(pixels: Tensor, config: DataConfig) -> Tensor:
    """(B, S, S, 3) uint8 → (B, 3, S, S) float, normalised as the weights expect."""
    mean = torch.tensor(config.mean).to(pixels.device, non_blocking=True) * 255
    std = torch.tensor(config.std).to(pixels.device, non_blocking=True) * 255
    return ((pixels.float() - mean) / std).permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)


def resize(batch: Tensor, size_px: int) -> Tensor:
    """(B, 3, S, S) → (B, 3, size_px, size_px), sampled as `reframe` does where it draws the whole picture."""
    if batch.shape[-1] == size_px:
        return batch
    return functional.interpolate(batch, (size_px, size_px), mode="bilinear", align_corners=False)


def reframe(batch: Tensor, size_px: int, framing: Framing, generator: torch.Generator) -> Tensor:
    """Random window, turn, flip and light: (B, 3, S, S) → (B, 3, size_px, size_px).

    Half the windows are near the whole picture, three tenths inside it, a fifth reach outside it.
    """
    count = len(batch)

    def uniform(low: float, high: float) -> Tensor:
        return torch.rand(count, generator=generator) * (high - low) + low

    kind = torch.rand(count, generator=generator)
    scale = torch.where(
        kind < 0.5,
        uniform(0.85, 1.1),
        torch.where(kind < 0.8, uniform(framing.min_scale, 0.9), uniform(1.0, framing.max_scale)),
    )
    offsets = (uniform(-1, 1), uniform(-1, 1))
    slack = (1 - scale).abs()
    centres = [offset * slack for offset in offsets]
    aspect = torch.exp(uniform(-1, 1) * torch.log(torch.tensor(framing.max_aspect)) / 2)
    turn = uniform(-1, 1) * framing.max_turn_deg * torch.pi / 180
    flip = torch.where(torch.rand(count, generator=generator) < 0.5, -1.0, 1.0)
    cos, sin = torch.cos(turn), torch.sin(turn)
    wide, high = scale * aspect, scale / aspect
    theta = torch.stack(
        [
            torch.stack([wide * cos * flip, -high * sin, centres[0]], 1),
            torch.stack([wide * sin * flip, high * cos, centres[1]], 1),
        ],
        1,
    ).to(batch, non_blocking=True)
    grid = functional.affine_grid(theta, [count, 3, size_px, size_px], align_corners=False)
    framed = functional.grid_sample(batch, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
    gain = (1 + uniform(-1, 1) * framing.light).to(batch, non_blocking=True)[:, None, None, None]
    offset = (uniform(-1, 1) * framing.light).to(batch, non_blocking=True)[:, None, None, None]
    return framed * gain + offset
