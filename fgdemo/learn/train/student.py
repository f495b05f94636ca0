"""The network that is trained, and those that it learns from."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from fgdemo.learn.data.embed import embed
from fgdemo.learn.data.pictures import Pictures
from fgdemo.model.backbone import Backbone, DataConfig
from fgdemo.values.errors import DatasetError

Module = TypeVar("Module", bound=nn.Module)


@dataclass(frozen=True)
class Teacher:
    """A frozen backbone that knows the classes `indices` well; `mean` and `std` (D,) of its embeddings of them."""

    backbone: Backbone
    indices: frozenset[int]
    mean: Tensor
    std: Tensor


def make_teacher(
    backbone: Backbone, indices: frozenset[int], pictures: Pictures, class_index: np.ndarray, config: DataConfig
) -> Teacher:
    """Standardise a teacher's embedding on up to 512 training pictures of the classes it knows.

    Raises:
        DatasetError: there is no training picture of those classes.
    """
    known = [row for row in pictures.where("train") if int(class_index[row]) in indices]
    if len(known) < 2:
        raise DatasetError("A teacher knows no class of the training pictures; check the taxon after --teacher FILE=.")
    some = np.array(known)[:: max(1, len(known) // 512)]
    seen = torch.from_numpy(embed(backbone, pictures.pixels[some], config))
    device = next(backbone.parameters()).device
    return Teacher(backbone, indices, seen.mean(0).to(device), (seen.std(0) + 1e-6).to(device))


class Student(nn.Module):
    """Backbone, mean pooling, a linear classifier, and a linear map to each teacher's embedding."""

    def __init__(self, backbone: Backbone, weight: Tensor, bias: Tensor, teacher_dims: Sequence[int]) -> None:
        super().__init__()
        self.backbone = backbone
        self.classifier = nn.Linear(weight.shape[0], weight.shape[1])
        with torch.no_grad():
            self.classifier.weight.copy_(weight.T)
            self.classifier.bias.copy_(bias)
        self.to_teacher = nn.ModuleList(nn.Linear(backbone.dim, dim) for dim in teacher_dims)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, 3, S, S) → logits (B, C), embedding (B, D), tokens (B, h, w, D)."""
        tokens = self.backbone(pixels)
        embedding = tokens.mean((1, 2)).float()
        return self.classifier(embedding), embedding, tokens


def half_type(device: torch.device) -> torch.dtype | None:
    """What a GPU computes in: bf16 where it has that in hardware, else fp16. None on a CPU: few have bf16 in hardware.
    On one that has, MobileNetV2 was no faster when measured, and ResNet-50 2.7 times as fast."""
    if device.type != "cuda":
        return None
    return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16


def mixed_precision(device: torch.device) -> torch.autocast:
    half = half_type(device)
    return torch.autocast(device.type, half or torch.bfloat16, enabled=half is not None)


def loss_scaler(device: torch.device) -> torch.GradScaler:
    """Keeps the small gradients of fp16 from vanishing (Micikevicius 2018); does nothing where there is no fp16."""
    return torch.GradScaler(device.type, enabled=half_type(device) == torch.float16)


def on_device(module: Module, device: str) -> Module:
    """Moved there in the memory layout that convolutions are fastest in."""
    module.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    return module.to(device)
