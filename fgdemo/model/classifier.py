"""A trained model as the rest of the program sees it: pictures in, readings out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from fgdemo.model.backbone import Backbone, DataConfig
from fgdemo.model.calibration import prediction_set, softmax
from fgdemo.model.closer.two_views import CloserCalibration, TwoViews
from fgdemo.model.head import RidgeHead
from fgdemo.model.network import Network
from fgdemo.model.parts import PartModel
from fgdemo.model.unknown import ClassDistances, UnknownScale
from fgdemo.storage.embeddings.embeddings import Looks
from fgdemo.values.classification.same_place import LEAST_SURENESS
from fgdemo.values.taxonomy import Taxonomy
from fgdemo.values.types import CropBox, Reading


@dataclass(frozen=True)
class Calibration:
    """What was learned from held-out pictures.

    Attributes:
        temperature: raw ridge logits are divided by it.
        coverage, set_prob: leaves of at least `set_prob` make a set, which holds the right one with `coverage`.
        sure_prob: a taxon is given as the answer from this probability on.
        lookalikes: for each leaf the leaves it is confused with, most confused first.
        few: leaves that are known from one or two different pictures, and from how many: they say nothing about the
            others, and how sure it is of them was not measured.
    """

    temperature: float
    coverage: float
    set_prob: float
    sure_prob: float
    lookalikes: Mapping[str, tuple[str, ...]]
    few: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Classifier:
    """See `fgdemo.values.types.Classifier`, which this is the real one of. `card` is what a person may read about
    it."""

    version: str
    taxonomy: Taxonomy
    backbone: Backbone
    data_config: DataConfig
    head: RidgeHead
    parts: PartModel
    origin: np.ndarray
    calibration: Calibration
    unknown: UnknownScale
    card: Mapping[str, Any]
    device: str = "cpu"
    both_views: CloserCalibration | None = None
    """What was learned of a second view of the same picture; None where nothing was."""
    least_sureness: float = LEAST_SURENESS

    @property
    def closer(self) -> TwoViews | None:
        """How it answers after a closer look; None where that was not calibrated."""
        return None if self.both_views is None else TwoViews(self, self.both_views)

    @property
    def sure_prob(self) -> float:
        return self.calibration.sure_prob

    @property
    def coverage(self) -> float:
        return self.calibration.coverage

    @property
    def caveat(self) -> str:
        """Nothing: it was calibrated."""
        return ""

    @property
    def embedding_dim(self) -> int:
        return self.backbone.dim

    @property
    def grid(self) -> tuple[int, int]:
        """(rows, columns) of the tokens."""
        return self._grid

    @cached_property
    def _grid(self) -> tuple[int, int]:
        size = self.data_config.size_px
        with torch.inference_mode():
            tokens = self.network.tokens(torch.zeros(1, 3, size, size, device=self.device))
        return tokens.shape[1], tokens.shape[2]

    @property
    def network(self) -> Network:
        """Backbone, calibrated head and parts on `device`, made once."""
        return self._network

    @cached_property
    @torch.inference_mode(False)  # whoever asks first may be in it, and gradients are taken through the head later
    def _network(self) -> Network:
        weight, bias = self.head.linear()
        t = self.calibration.temperature
        network = Network(
            self.backbone,
            torch.from_numpy(weight / t),
            torch.from_numpy(bias / t),
            torch.from_numpy(self.origin),
            self.parts.to(self.device),
        )
        network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        return network.to(self.device).eval().requires_grad_(False)

    @cached_property
    def distances(self) -> ClassDistances:
        return ClassDistances.of(self.head)

    def pixels(self, picture: Image.Image, box: CropBox | None = None) -> Tensor:
        """An upright RGB picture, or the part of it in `box`, as a (3, S, S) normalised tensor."""
        return self.data_config.pixels(picture, box)

    @torch.inference_mode()
    def read(self, picture: Image.Image, box: CropBox | None = None) -> Reading:
        """One forward pass; everything else is arithmetic on its tokens."""
        batch = self.pixels(picture, box)[None].to(self.device, memory_format=torch.channels_last)
        return self.read_tokens(*self.network.with_mid(batch))

    @torch.inference_mode()
    def read_tokens(self, tokens: Tensor, mid: Tensor | None = None) -> Reading:
        """(1, h, w, D) tokens and (1, h, w, M) mid tokens of the same pass → the reading."""
        network = self.network
        logits = network.logits_from_tokens(tokens)[0].cpu().numpy()
        probs = softmax(logits.astype(np.float64))
        group = self.parts.group_of(self.taxonomy.root(self.taxonomy.leaves[int(probs.argmax())]))
        embedding = tokens.mean((1, 2))[0].float().cpu().numpy()
        return Reading(
            logits=logits,
            probs=probs,
            evidence=network.evidence(tokens)[0].cpu().numpy(),
            bias=network.base.cpu().numpy(),
            assignment=network.assignment(tokens, group, mid)[0].cpu().numpy(),
            foreground=network.parts.where(tokens, mid, group)[0].cpu().numpy(),
            parts=self.parts.of_group(group),
            tokens=tokens[0].float().cpu().numpy(),
            mid=None if mid is None else mid[0].float().cpu().numpy(),
            embedding=embedding / max(float(np.linalg.norm(embedding)), 1e-9),
            unknown_score=float(self.unknown_scores(logits[None], embedding[None])[0]),
            unknown_threshold=self.unknown.threshold,
        )

    @torch.inference_mode()
    def look(self, pictures: Sequence[Image.Image]) -> Looks:
        """Upright RGB pictures → what the workspace keeps of each: embedding, parts, where they are."""
        network, most = self.network, self.parts.most_parts
        batch = torch.stack([self.pixels(picture) for picture in pictures])
        batch = batch.to(self.device, memory_format=torch.channels_last)
        passes = [network.with_mid(part) for part in batch.split(self.backbone.pass_size)]
        tokens, mids = (torch.cat([one[i].float() for one in passes]) for i in (0, 1))
        leaves = network.logits_from_tokens(tokens).argmax(1).tolist()
        vectors = torch.zeros(len(pictures), most, self.parts.part_projection.shape[1])
        maps = torch.zeros(*tokens.shape[:-1], most)
        for row, leaf in enumerate(leaves):
            group = self.parts.group_of(self.taxonomy.root(self.taxonomy.leaves[leaf]))
            shares, described = network.parts.describe(tokens[row], group, mids[row])
            maps[row, ..., : shares.shape[-1]], vectors[row, : len(described)] = shares.cpu(), described.cpu()
        return Looks(tokens.mean((1, 2)).cpu().numpy(), vectors.numpy(), maps.numpy())

    def relearned(self, weight: np.ndarray, bias: np.ndarray, taxonomy: Taxonomy) -> Classifier:
        """The same backbone, parts and calibration with another linear head, over the leaves of `taxonomy`.

        Args:
            weight: (D, C), and `bias`: (C,), from raw embeddings to calibrated log-odds.
        """
        other = replace(self, taxonomy=taxonomy)
        network = Network(
            self.backbone,
            torch.from_numpy(weight),
            torch.from_numpy(bias),
            torch.from_numpy(self.origin),
            self.network.parts,
        )
        vars(other)["_network"] = network.to(self.device).eval().requires_grad_(False)  # instead of solving `head`
        return other

    def with_parts(self, parts: PartModel) -> Classifier:
        """The same answers, shared out among other parts."""
        other, known = replace(self, parts=parts), self.network
        network = Network(self.backbone, known.weight, known.bias, known.origin, parts.to(self.device))
        vars(other)["_network"] = network.eval().requires_grad_(False)  # the head need not be solved again
        return other

    def maps(self, reading: Reading, columns: Sequence[int]) -> np.ndarray:
        """(h, w, M) of its evidence."""
        return reading.evidence[..., columns]

    def head_of(self, reading: Reading) -> Network:
        """What turns the tokens of that reading into logits: the same for all."""
        return self.network

    def unknown_scores(self, logits: np.ndarray, embeddings: np.ndarray) -> np.ndarray:
        """(N, C) calibrated logits and (N, D) raw embeddings → (N,) scores in [0, 1]; high is strange."""
        return self.unknown(logits.max(1) * self.calibration.temperature, self.distances(embeddings))

    def prediction_set(self, probs: np.ndarray) -> tuple[int, ...]:
        return prediction_set(probs, self.calibration.set_prob)

    def lookalikes(self, leaf: str) -> tuple[str, ...]:
        known = self.taxonomy.leaf_index
        return tuple(other for other in self.calibration.lookalikes.get(leaf, ()) if other in known)

    def few(self, leaf: str) -> int | None:
        return self.calibration.few.get(leaf)
