"""Any timm classifier as it is: predictions are timm's own, evidence is exact where the head is a sum over places.

A head that pools the places by their mean and is linear behind that, also with a LayerNorm between, is one: the norm
divides by one number a picture, so `LN(mean_n z_n) W = Σ_n (z_n − mean_d z_n) γ W / (N σ) + β W`. Whether a network has
such a head is tried, not guessed. All others are explained by Grad-CAM of what lies behind their last grid of tokens,
before its negative part is cut off, so that A less B is as linear as everywhere.

Nothing calibrates such a model: there is no verdict on unknown things and no prediction set.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import numpy as np
import timm.models
import torch
from PIL import Image
from torch import Tensor, nn

from fgdemo.model.backbone import Backbone, DataConfig
from fgdemo.model.calibration import softmax
from fgdemo.values.classification.same_place import LEAST_SURENESS
from fgdemo.values.errors import BackboneError
from fgdemo.values.taxonomy import Taxonomy
from fgdemo.values.types import CropBox, Reading

SURE_PROB = 0.5
"""A kind is given as the answer where it is likelier than all others together; nothing measured that."""
EXACT = 1e-4
"""Evidence may miss the largest logit by that share of it."""


@dataclass(frozen=True)
class TimmHead:
    """What is left of a timm classifier behind a grid of tokens, for one picture. Made by `read_timm`.

    Attributes:
        prefix: (1, P, D) class and register tokens, held fixed; None where there is no sequence.
        is_cut: the last block and the norm are yet to come.
    """

    model: nn.Module
    prefix: Tensor | None
    is_cut: bool = False

    def logits_from_tokens(self, tokens: Tensor) -> Tensor:
        model: Any = self.model
        if self.prefix is None:
            channels_last = getattr(model, "output_fmt", "NCHW") == "NHWC"
            return model.forward_head(tokens if channels_last else tokens.permute(0, 3, 1, 2))
        sequence = torch.cat((self.prefix.expand(len(tokens), -1, -1), tokens.flatten(1, 2)), 1)
        return model.forward_head(model.norm(model.blocks[-1](sequence)) if self.is_cut else sequence)


def read_timm(model: nn.Module, pixels: Tensor) -> tuple[Tensor, TimmHead]:
    """Tokens of one picture and the head behind them, for any timm classifier: `gradcam(head, tokens, target)`.

    A vision transformer is cut before its last block, because a classifier that reads only the class token gets no
    gradient from the patch tokens after it. The model must be in eval mode: dropout or batch statistics would make
    the map depend on chance.

    Args:
        pixels: (1, 3, S, S), normalised as the model expects.

    Returns:
        (1, h, w, D) tokens and the head.

    Raises:
        BackboneError: the model is in train mode, or gives no grid of tokens.
    """
    if model.training:
        raise BackboneError("The model is in train mode; call eval() before asking it for a map.")
    net: Any = model
    with torch.inference_mode():
        if isinstance(model, timm.models.VisionTransformer):
            ((patches, prefix),) = net.forward_intermediates(
                pixels,
                indices=[len(net.blocks) - 2],
                intermediates_only=True,
                output_fmt="NLC",
                return_prefix_tokens=True,
                norm=False,
            )
            rows, columns = net.patch_embed.dynamic_feat_size(pixels.shape[-2:])
            return patches.reshape(1, rows, columns, -1), TimmHead(model, prefix, is_cut=True)
        features = net.forward_features(pixels)
        if not isinstance(features, Tensor) or features.ndim not in (3, 4):
            raise BackboneError("This model gives no grid of tokens, so it cannot be explained.")
        if features.ndim == 3:
            count = int(getattr(model, "num_prefix_tokens", 0))
            side = round((features.shape[1] - count) ** 0.5)
            if side**2 != features.shape[1] - count:
                raise BackboneError("The tokens of this model lie on no grid, so it cannot be explained.")
            return features[:, count:].unflatten(1, (side, side)), TimmHead(model, features[:, :count])
    channels_last = getattr(model, "output_fmt", "NCHW") == "NHWC"
    return features if channels_last else features.permute(0, 2, 3, 1), TimmHead(model, None)


class PooledHead(nn.Module):
    """Mean of the places, a LayerNorm or none, and a linear layer."""

    def __init__(self, norm: nn.LayerNorm | None, linear: nn.Linear) -> None:
        super().__init__()
        self.norm, self.linear = norm, linear

    def logits_from_tokens(self, tokens: Tensor) -> Tensor:
        pooled, norm = tokens.mean((1, 2)), self.norm
        if norm is not None:  # some of timm's norms take only grids
            pooled = nn.functional.layer_norm(pooled, pooled.shape[-1:], norm.weight, norm.bias, norm.eps)
        return self.linear(pooled)

    def evidence(self, tokens: Tensor) -> Tensor:
        """(1, h, w, D) → (h, w, C); with `base` it sums to the logits."""
        places = tokens.shape[1] * tokens.shape[2]
        if self.norm is None:
            return tokens[0] @ self.linear.weight.T / places
        spread = (tokens.mean((1, 2)).var(unbiased=False) + self.norm.eps).sqrt()
        centred = tokens[0] - tokens[0].mean(-1, keepdim=True)
        return centred * self.norm.weight @ self.linear.weight.T / (places * spread)

    @property
    def base(self) -> Tensor:
        """(C,) what the logits are of a picture in which no place says anything."""
        bias = torch.zeros_like(self.linear.weight[:, 0]) if self.linear.bias is None else self.linear.bias
        return bias if self.norm is None else bias + self.linear.weight @ self.norm.bias


class TimmNetwork(nn.Module):
    """A timm classifier and where it lies."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixels: Tensor) -> Tensor:
        return self.model(pixels)

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device


@dataclass(frozen=True)
class ForeignClassifier:
    """See `fgdemo.values.types.Classifier`. Made by `fgdemo.model.checkpoint.foreign.load_foreign`."""

    version: str
    taxonomy: Taxonomy
    backbone: Backbone
    """Around the whole timm model, classifier included."""
    data_config: DataConfig

    sure_prob = SURE_PROB
    coverage = None
    closer = None
    least_sureness = LEAST_SURENESS

    @property
    def network(self) -> TimmNetwork:
        return self._network

    @cached_property
    def _network(self) -> TimmNetwork:
        return TimmNetwork(self.backbone.net)

    @property
    def embedding_dim(self) -> int:
        return self.backbone.dim

    @property
    def caveat(self) -> str:
        """What a person is to know of it before trusting it."""
        how = (
            "Its maps are exact: they sum to its logits."
            if self.pooled is not None
            else "Its head is no sum over places, so its maps are Grad-CAM and add up to nothing."
        )
        return (
            f"This is {self.version.partition('@')[0]} as it came. {how} Nothing was calibrated: how sure it is was "
            "not measured, and it never says that something is of no kind it knows."
        )

    @cached_property
    def pooled(self) -> PooledHead | None:
        """The head as a sum over places, if it is one: tried with a picture of noise."""
        size, device = self.data_config.size_px, self.network.device
        noise = torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(0)).to(device)
        model: Any = self.backbone.net
        linear = model.get_classifier()
        if not isinstance(linear, nn.Linear):
            return None
        with torch.inference_mode():
            tokens, told = self.backbone(noise), model(noise)[0]
            for norm in (None, getattr(model, "fc_norm", None), getattr(getattr(model, "head", None), "norm", None)):
                if (norm is not None and not _is_plain(norm, linear)) or tokens.shape[-1] != linear.in_features:
                    continue
                head = PooledHead(norm, linear)
                found = head.evidence(tokens).sum((0, 1)) + head.base
                if float((found - told).abs().max()) <= EXACT * float(told.abs().max()):
                    return head
        return None

    def pixels(self, picture: Image.Image, box: CropBox | None = None) -> Tensor:
        """As `fgdemo.model.classifier.Classifier.pixels`: squashed, where timm's own would cut off the border."""
        return self.data_config.pixels(picture, box)

    @torch.inference_mode()
    def read(self, picture: Image.Image, box: CropBox | None = None) -> Reading:
        batch = self.pixels(picture, box)[None].to(self.network.device)
        pooled, prefix, mid = self.pooled, None, None
        if pooled is not None:
            tokens, mid = self.backbone.with_mid(batch)
            logits, evidence = pooled.logits_from_tokens(tokens)[0], pooled.evidence(tokens)
            base = pooled.base
        else:
            tokens, head = read_timm(self.backbone.net, batch)
            prefix, logits = head.prefix, head.logits_from_tokens(tokens)[0]
            evidence, base = tokens.new_zeros((*tokens.shape[1:3], 0)), torch.zeros_like(logits)
        told = logits.float().cpu().numpy()
        embedding = tokens.mean((1, 2))[0].float().cpu().numpy()
        return Reading(
            logits=told,
            probs=softmax(told.astype(np.float64)),
            evidence=evidence.float().cpu().numpy(),
            bias=base.float().cpu().numpy(),
            assignment=np.ones((*tokens.shape[1:3], 1), np.float32),
            parts=(),
            embedding=embedding / max(float(np.linalg.norm(embedding)), 1e-9),
            unknown_score=None,
            unknown_threshold=1.0,
            tokens=tokens[0].float().cpu().numpy(),
            mid=None if mid is None else mid[0].float().cpu().numpy(),
            prefix=None if prefix is None else prefix[0].float().cpu().numpy(),
        )

    def head_of(self, reading: Reading) -> PooledHead | TimmHead:
        """What turns the tokens of that reading into logits."""
        if self.pooled is not None:
            return self.pooled
        model = self.backbone.net
        prefix = None if reading.prefix is None else torch.from_numpy(reading.prefix)[None].to(self.network.device)
        return TimmHead(model, prefix, isinstance(model, timm.models.VisionTransformer))

    def maps(self, reading: Reading, columns: Sequence[int]) -> np.ndarray:
        """(h, w, M): exact evidence, or Grad-CAM before its negative part is cut off."""
        if self.pooled is not None:
            return reading.evidence[..., list(columns)]
        head = self.head_of(reading)
        with torch.inference_mode(False), torch.enable_grad():
            tokens = torch.from_numpy(cast("np.ndarray", reading.tokens))[None].to(self.network.device).requires_grad_()
            logits = head.logits_from_tokens(tokens)[0]
            slopes = (torch.autograd.grad(logits[column], tokens, retain_graph=True)[0] for column in columns)
            maps = [(slope.mean((1, 2), keepdim=True) * tokens).sum(-1)[0].detach() for slope in slopes]
        return torch.stack(maps, -1).float().cpu().numpy()

    def prediction_set(self, probs: np.ndarray) -> tuple[int, ...]:
        """None: nothing measured how large it has to be."""
        return ()

    def lookalikes(self, leaf: str) -> tuple[str, ...]:
        return ()

    def few(self, leaf: str) -> int | None:
        return None


def _is_plain(norm: Any, linear: nn.Linear) -> bool:
    return isinstance(norm, nn.LayerNorm) and norm.weight is not None and norm.weight.numel() == linear.in_features
