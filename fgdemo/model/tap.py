"""Features as grids of tokens, and the mid-level tap: what the same pass knows halfway, where places look as they are.

| network, by timm's `feature_info`            | mid tokens                                                       |
|----------------------------------------------|------------------------------------------------------------------|
| stages of falling resolution (CNNs, Swin, …) | the output of the last stage but one: stride 16, if it has five  |
| blocks of one resolution (ViT, DeiT, BEiT …) | patch tokens after ⅔ of the blocks, rounded up, before any norm  |
| none, or one that says something untrue      | the last tokens themselves                                       |

Where an `output_stride` keeps the last stage at stride 16, the rule gives the same stage as without.
"""

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from torch import Tensor, nn
from torch.nn import functional

from fgdemo.values.errors import BackboneError


class Tap(NamedTuple):
    """A module of a network by its name, and how many channels timm says that it gives."""

    module: str
    dim: int


def tap_of(net: nn.Module) -> Tap | None:
    """Where the rule above reads this network; None for its last row."""
    info: Any = getattr(net, "feature_info", None) or ()
    stages = list(getattr(info, "info", info))
    if len(stages) < 2:
        return None
    is_column = stages[0]["reduction"] == stages[-1]["reduction"]
    stage = stages[math.ceil(len(stages) * 2 / 3) - 1 if is_column else -2]
    modules = dict(net.named_modules())
    return Tap(stage["module"], int(stage["num_chs"])) if stage.get("module") in modules else None


@contextmanager
def kept(net: nn.Module, module: str) -> Iterator[list[Tensor]]:
    """What that module gives to passes of this thread while the block lasts; other threads may use the network too."""
    found: list[Tensor] = []
    thread = threading.get_ident()

    def keep(_module: nn.Module, _inputs: object, output: Tensor) -> None:
        if threading.get_ident() == thread:
            found.append(output)

    handle = net.get_submodule(module).register_forward_hook(keep)
    try:
        yield found
    finally:
        handle.remove()


def as_grid(features: object, net: nn.Module, name: str, pixels: Tensor) -> Tensor:
    """Features of (B, 3, H, W) pixels, a map or tokens, as (B, h, w, D); class and register tokens are dropped.

    Raises:
        BackboneError: they lie on no grid; `name` is the backbone that it speaks of.
    """
    refused = f"The backbone {name} cannot be read:"
    if not isinstance(features, Tensor):
        raise BackboneError(f"{refused} it gives several sets of features instead of one grid of tokens.")
    if features.ndim == 2:
        raise BackboneError(f"{refused} it gives one vector for a picture instead of tokens.")
    if features.ndim == 4:
        channels_last = getattr(net, "output_fmt", "NCHW") == "NHWC"
        return features if channels_last else features.permute(0, 2, 3, 1)
    patches = features[:, int(getattr(net, "num_prefix_tokens", 0)) :]
    count, (height, width) = patches.shape[1], pixels.shape[2:]
    rows = round(math.sqrt(count * height / width))
    if count <= 1:
        raise BackboneError(f"{refused} it gives a token for the whole picture and none for its places.")
    if rows == 0 or count % rows:
        raise BackboneError(f"{refused} its {count} tokens lie on no grid: some of them belong to no place.")
    return patches.unflatten(1, (rows, -1))


def onto_grid(mid: Tensor, grid: tuple[int, int]) -> Tensor:
    """(B, h', w', M) → (B, h, w, M): each place the mean of the area it covers."""
    if mid.shape[1:3] == grid:
        return mid
    return functional.adaptive_avg_pool2d(mid.permute(0, 3, 1, 2), grid).permute(0, 2, 3, 1)
