"""Any timm backbone as a function from pixels to a grid of tokens, and the preprocessing its weights expect."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
from PIL import Image
from timm.data.config import resolve_data_config
from torch import Tensor, nn

from fgdemo.model.start_weights import first_line, load_weights
from fgdemo.model.tap import as_grid, kept, onto_grid, tap_of
from fgdemo.storage.disk.strict_json import BadJsonError, read_json
from fgdemo.values.errors import BackboneError, SettingsError
from fgdemo.values.types import CropBox

MIN_GRID = 14
"""Rows and columns of tokens below which a map cannot point at a bill or an eye-ring."""
SIZES_PX = range(32, 2049)
REFUSED_OPTIONS = frozenset(
    {"pretrained", "pretrained_cfg", "pretrained_cfg_overlay", "checkpoint_path", "cache_dir", "num_classes"}
)
"""Arguments of `timm.create_model` that would open files or change what a backbone is."""


@dataclass(frozen=True)
class DataConfig:
    """The preprocessing that belongs to the weights and travels with them.

    A picture (or its crop box) is squashed to `size_px` × `size_px`, so that the token grid covers it exactly
    and a map needs no offsets, scaled to [0, 1], and normalised per RGB channel.
    """

    size_px: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    interpolation: str = "bicubic"

    def squash(self, picture: Image.Image, corners: tuple[int, int, int, int] | None = None) -> Image.Image:
        """The picture, or the part of it within (left, top, right, bottom) pixels, as a square of `size_px`."""
        filters = {"bilinear": Image.Resampling.BILINEAR, "lanczos": Image.Resampling.LANCZOS}
        wanted = filters.get(self.interpolation, Image.Resampling.BICUBIC)
        return picture.resize((self.size_px, self.size_px), wanted, corners)

    def pixels(self, picture: Image.Image, box: CropBox | None = None) -> Tensor:
        """An upright RGB picture, or the part of it in `box`, as a (3, S, S) normalised tensor."""
        small = self.squash(picture, box.pixels(*picture.size) if box else None)
        values = torch.from_numpy(np.array(small, np.float32)) / 255
        return ((values - torch.tensor(self.mean)) / torch.tensor(self.std)).permute(2, 0, 1)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> DataConfig:
        return cls(int(row["size_px"]), tuple(row["mean"]), tuple(row["std"]), str(row["interpolation"]))


@dataclass(frozen=True)
class BackboneSpec:
    """Names a timm architecture: `options` go to `timm.create_model` as they are (e.g. `pad_type`, `output_stride`)."""

    name: str
    size_px: int
    options: dict[str, Any] = field(default_factory=dict)


class Backbone(nn.Module):
    """`(B, 3, S, S)` normalised pixels → `(B, h, w, D)` tokens.

    For a CNN the tokens are the last feature map; for a ViT the patch tokens after the final norm, class and
    register tokens dropped (their number is the model's own: DINOv2 with registers has 5, not 1). Where timm norms the
    mean of the tokens (`fc_norm`), `start_backbone` has it norm the tokens, with the same weights.

    Attributes:
        grid: (h, w) of pictures of its own size, and `dim`: D.
        tap: where `with_mid` reads, by the rule of `fgdemo.model.tap`; None reads the last tokens.
        mid_dim: M, of the mid tokens.
    """

    def __init__(self, spec: BackboneSpec, net: nn.Module) -> None:
        super().__init__()
        self.spec = spec
        self.net = net
        self.tap = tap_of(net)
        try:
            tokens, mid = self._probe(spec.size_px)
        except BackboneError:
            if self.tap is None:
                raise
            self.tap = None  # what timm says of its stages is not so
            tokens, mid = self._probe(spec.size_px)
        self.grid: tuple[int, int] = (tokens.shape[1], tokens.shape[2])
        self.dim: int = tokens.shape[3]
        self.mid_dim: int = mid.shape[3]

    def _probe(self, size_px: int) -> tuple[Tensor, Tensor]:
        """Both tokens of a black picture. Raises BackboneError where the architecture does not take that size."""
        weight = next(self.net.parameters())
        try:
            with torch.inference_mode():
                return self.with_mid(torch.zeros(1, 3, size_px, size_px, device=weight.device))
        except (RuntimeError, AssertionError, ValueError, AttributeError) as error:
            raise BackboneError(
                f"The backbone {self.spec.name} cannot read pictures of {size_px} px ({first_line(error)})."
            ) from error

    @property
    def pass_size(self) -> int:
        """How many pictures are best looked at in one pass.

        On a CPU few: the feature maps of more do not fit its caches, and blocks of memory as large as that are cleared
        anew for every layer. MobileNetV2 at 224 px took 0.6 of the time by 4 that it took by 32.
        """
        return 4 if next(self.net.parameters()).device.type == "cpu" else 64

    def require_size(self, size_px: int) -> None:
        """Raise BackboneError where pictures of another side than its own are not taken (most ViTs)."""
        self._probe(size_px)

    def forward(self, pixels: Tensor) -> Tensor:
        features = self.net.forward_features(pixels)  # pyright: ignore[reportCallIssue]
        return as_grid(features, self.net, self.spec.name, pixels)

    def with_mid(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """`forward`, and of the same pass the (B, h, w, M) mid tokens, brought onto the grid of the tokens."""
        if self.tap is None:
            tokens = self(pixels)
            return tokens, tokens
        with kept(self.net, self.tap.module) as found:
            tokens = self(pixels)
        mid = as_grid(found[-1], self.net, self.spec.name, pixels) if found else tokens
        if mid.shape[-1] != self.tap.dim:
            raise BackboneError(f"The backbone {self.spec.name} has no {self.tap.dim} channels at {self.tap.module}.")
        return tokens, onto_grid(mid, (tokens.shape[1], tokens.shape[2]))


def build_backbone(spec: BackboneSpec) -> Backbone:
    """An untrained backbone of exactly this spec, ready for `load_state_dict`.

    Raises:
        BackboneError: no such architecture, or options it does not take.
    """
    _check_size(spec.size_px)
    net = _create(spec.name, spec.options)
    _resize(net, spec.size_px)
    return Backbone(spec, net.eval())


def start_backbone(
    name: str,
    *,
    weights: str = "hub",
    size_px: int | None = None,
    options: Mapping[str, Any] | None = None,
    mean: tuple[float, float, float] | None = None,
    std: tuple[float, float, float] | None = None,
) -> tuple[Backbone, DataConfig]:
    """A backbone with start weights, and the preprocessing they expect.

    Args:
        name: a timm architecture, optionally with its pretrained tag (`resnet18.a1_in1k`).
        weights: `hub` (timm's own, from the Hub or its cache), `none`, or a file (`.safetensors`, `.pth`).
        size_px: side of the input; None takes the weights' own. Position embeddings are interpolated.
        options: further arguments of `timm.create_model`. CNNs whose grid would be coarser than 14 × 14 get
            `output_stride=16` where the architecture has it: same weights, finer maps.
        mean, std: override the weights' normalisation, for files that do not say theirs.

    Raises:
        BackboneError: unknown name (the nearest ones are named), or weights that do not fit.
    """
    if size_px is not None:
        _check_size(size_px)
    options = dict(options or {})
    net = _create(name, options, pretrained=weights == "hub")
    config = resolve_data_config(pretrained_cfg=net.pretrained_cfg, model=net)
    size = size_px or int(config["input_size"][-1])
    if weights not in ("hub", "none"):
        load_weights(net, Path(weights))
    net, options = _norm_tokens(name, net, options)
    _resize(net, size)
    backbone = Backbone(BackboneSpec(name, size, options), net.eval())
    if min(backbone.grid) < MIN_GRID and "output_stride" not in options:
        backbone = _finer(backbone, net) or backbone
    return backbone, DataConfig(
        size_px=size,
        mean=mean or tuple(config["mean"]),
        std=std or tuple(config["std"]),
        interpolation=str(config["interpolation"]),
    )


def _norm_tokens(name: str, net: nn.Module, options: dict[str, Any]) -> tuple[nn.Module, dict[str, Any]]:
    """The same network with its last norm before the pooling, where timm has it behind; or as it is.

    A mean of tokens that were not normed is not what the weights were trained for, and a norm behind the mean would not
    be linear in the tokens.
    """
    norm, after = getattr(net, "norm", None), getattr(net, "fc_norm", None)
    if not isinstance(norm, nn.Identity) or after is None or isinstance(after, nn.Identity):
        return net, options
    state = {
        key.replace("fc_norm.", "norm.", 1) if key.startswith("fc_norm.") else key: value
        for key, value in net.state_dict().items()
    }
    for switch in ("fc_norm", "use_fc_norm"):
        moved = {**options, switch: False}
        try:
            normed = timm.create_model(name.split(".")[0], pretrained=False, num_classes=0, **moved)
            normed.load_state_dict(state)
        except (TypeError, ValueError, KeyError, NotImplementedError, AssertionError, RuntimeError):
            continue
        normed.pretrained_cfg = net.pretrained_cfg
        return normed, moved
    raise BackboneError(f"The backbone {name} norms the mean of its tokens, and cannot be made to norm the tokens.")


def _finer(backbone: Backbone, net: nn.Module) -> Backbone | None:
    """The same network and weights with a smaller stride in its last stage, or None if it has no such switch."""
    spec = backbone.spec
    options = {**spec.options, "output_stride": 16}
    try:
        finer = timm.create_model(spec.name, pretrained=False, num_classes=0, **options)
        finer.load_state_dict(net.state_dict())
    except (TypeError, ValueError, KeyError, NotImplementedError, AssertionError, RuntimeError):
        return None
    return Backbone(BackboneSpec(spec.name, spec.size_px, options), finer.eval())


def _check_size(size_px: int) -> None:
    if size_px not in SIZES_PX:
        raise SettingsError(f"The size {size_px} px cannot be used: choose between 32 and 2048, e.g. 224, 384 or 448.")


def _resize(net: nn.Module, size_px: int) -> None:
    """Position embeddings (interpolated) and windows for another size, in architectures that have such."""
    set_input_size = getattr(net, "set_input_size", None)
    own = resolve_data_config(pretrained_cfg=net.pretrained_cfg, model=net)["input_size"]
    if set_input_size is None or size_px == int(own[-1]):
        return
    try:
        set_input_size(img_size=size_px)
    except (RuntimeError, AssertionError, ValueError, TypeError) as error:
        raise BackboneError(f"This backbone cannot be set to {size_px} px ({first_line(error)}).") from error


def check_name(name: str) -> None:
    """Raises BackboneError where timm has no such architecture; the nearest ones are named."""
    architecture = name.split(".")[0]
    if not timm.is_model(architecture):
        near = difflib.get_close_matches(architecture, timm.list_models(), n=3, cutoff=0.5)
        hint = f" Did you mean {', '.join(near)}?" if near else ""
        raise BackboneError(f"timm has no backbone called “{name}”.{hint}")


def _create(name: str, options: Mapping[str, Any], *, pretrained: bool = False) -> nn.Module:
    check_name(name)
    refused = sorted(REFUSED_OPTIONS & set(options))
    if refused:
        raise BackboneError(f"The option {refused[0]} cannot be given to a backbone.")
    try:
        return timm.create_model(name, pretrained=pretrained, num_classes=0, **options)
    except (NotImplementedError, TypeError, KeyError, AttributeError, AssertionError) as error:
        raise BackboneError(f"The backbone {name} does not take these options ({first_line(error)}).") from error
    except (OSError, RuntimeError, ValueError) as error:
        if not pretrained:
            raise BackboneError(f"The backbone {name} does not take these options ({first_line(error)}).") from error
        raise BackboneError(
            f"The pretrained weights of {name} could not be had from the Hub or its cache ({first_line(error)}). "
            "Give a local file with --weights, or --weights none."
        ) from error


def parse_options(pairs: list[str]) -> dict[str, Any]:
    """`["pad_type=same", "output_stride=16"]` → `{"pad_type": "same", "output_stride": 16}`."""
    options = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise SettingsError(f"The option “{pair}” must look like name=value.")
        try:
            options[key] = read_json(value)
        except BadJsonError:
            options[key] = value
    return options
