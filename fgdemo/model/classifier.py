"""A trained model as the rest of the program sees it: pictures in, readings out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from fgdemo.errors import CheckpointError, FgdemoError, SettingsError
from fgdemo.model.backbone import Backbone, BackboneSpec, DataConfig, build_backbone
from fgdemo.model.calibration import prediction_set, softmax
from fgdemo.model.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from fgdemo.model.head import RidgeHead
from fgdemo.model.network import Network
from fgdemo.model.parts import PartModel
from fgdemo.model.unknown import ClassDistances, UnknownScale
from fgdemo.taxonomy import Taxonomy
from fgdemo.types import CropBox, Part, Reading


@dataclass(frozen=True)
class Calibration:
    """What was learned from held-out pictures.

    Attributes:
        temperature: raw ridge logits are divided by it.
        coverage, set_prob: leaves of at least `set_prob` make a set, which holds the right one with `coverage`.
        sure_prob: a taxon is given as the answer from this probability on.
        lookalikes: for each leaf the leaves it is confused with, most confused first.
    """

    temperature: float
    coverage: float
    set_prob: float
    sure_prob: float
    lookalikes: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Classifier:
    """See `fgdemo.types.Classifier`, which this is the real one of. `card` is what a person may read about it."""

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

    @property
    def sure_prob(self) -> float:
        return self.calibration.sure_prob

    @property
    def coverage(self) -> float:
        return self.calibration.coverage

    @property
    def embedding_dim(self) -> int:
        return self.backbone.dim

    @property
    def network(self) -> Network:
        """Backbone, calibrated head and parts on `device`, made once."""
        return self._network

    @cached_property
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
        config = self.data_config
        corners = box.pixels(*picture.size) if box else None
        filters = {"bilinear": Image.Resampling.BILINEAR, "lanczos": Image.Resampling.LANCZOS}
        small = picture.resize(
            (config.size_px, config.size_px), filters.get(config.interpolation, Image.Resampling.BICUBIC), corners
        )
        values = torch.from_numpy(np.array(small, np.float32)) / 255
        return ((values - torch.tensor(config.mean)) / torch.tensor(config.std)).permute(2, 0, 1)

    @torch.inference_mode()
    def read(self, picture: Image.Image, box: CropBox | None = None) -> Reading:
        """One forward pass; everything else is arithmetic on its tokens."""
        batch = self.pixels(picture, box)[None].to(self.device, memory_format=torch.channels_last)
        return self.read_tokens(self.network.tokens(batch))

    @torch.inference_mode()
    def read_tokens(self, tokens: Tensor) -> Reading:
        """(1, h, w, D) tokens → the reading."""
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
            assignment=network.assignment(tokens, group)[0].cpu().numpy(),
            parts=self.parts.of_group(group),
            embedding=embedding / max(float(np.linalg.norm(embedding)), 1e-9),
            unknown_score=float(self.unknown_scores(logits[None], embedding[None])[0]),
            unknown_threshold=self.unknown.threshold,
        )

    @torch.inference_mode()
    def embed(self, pictures: Iterable[Image.Image]) -> np.ndarray:
        """Upright RGB pictures → (n, D) float32 embeddings of unit length, as in `Reading.embedding`."""
        rows = []
        for picture in pictures:
            batch = self.pixels(picture)[None].to(self.device, memory_format=torch.channels_last)
            row = self.network.tokens(batch).mean((1, 2))[0].float().cpu().numpy()
            rows.append(row / max(float(np.linalg.norm(row)), 1e-9))
        return np.stack(rows) if rows else np.empty((0, self.embedding_dim), np.float32)

    def unknown_scores(self, logits: np.ndarray, embeddings: np.ndarray) -> np.ndarray:
        """(N, C) calibrated logits and (N, D) raw embeddings → (N,) scores in [0, 1]; high is strange."""
        return self.unknown(logits.max(1) * self.calibration.temperature, self.distances(embeddings))

    def prediction_set(self, probs: np.ndarray) -> tuple[int, ...]:
        return prediction_set(probs, self.calibration.set_prob)

    def lookalikes(self, leaf: str) -> tuple[str, ...]:
        return tuple(self.calibration.lookalikes.get(leaf, ()))

    # --- on disk ------------------------------------------------------------------------------------------

    def save(self, folder: Path) -> None:
        """Write to `folder`, weights in half precision. Raises CheckpointError."""
        spec = self.backbone.spec
        card = {
            **self.card,
            "backbone": {"name": spec.name, "size_px": spec.size_px, "options": spec.options},
            "input": self.data_config.to_json(),
            "taxonomy": self.taxonomy.to_json(),
            "parts": {
                "parts": [{"id": p.id, "name": p.name, "group": p.group} for p in self.parts.parts],
                "ground_is_fore": list(self.parts.ground_is_fore),
                "ground_groups": list(self.parts.ground_groups),
                "ground_temperature": self.parts.ground_temperature,
                "temperature": self.parts.temperature,
            },
            "head": {"scale": self.head.scale, "penalty": self.head.penalty},
            "calibration": {
                "temperature": self.calibration.temperature,
                "coverage": self.calibration.coverage,
                "set_prob": self.calibration.set_prob,
                "sure_prob": self.calibration.sure_prob,
                "lookalikes": {leaf: list(others) for leaf, others in self.calibration.lookalikes.items()},
            },
            "unknown": {
                "logit": self.unknown.logit.tolist(),
                "distance": self.unknown.distance.tolist(),
                "average": self.unknown.average.tolist(),
            },
        }
        arrays = {f"backbone.{k}": stored(v).cpu().numpy() for k, v in self.backbone.state_dict().items()}
        upper = np.triu_indices(len(self.head.gram))
        arrays |= {
            "head.mean": self.head.mean.astype(np.float32),
            "head.gram_upper": self.head.gram[upper].astype(np.float32),
            "head.moment": self.head.moment.astype(np.float32),
            "head.counts": self.head.counts.astype(np.float32),
            "parts.mean": self.parts.mean.cpu().numpy(),
            "parts.projection": self.parts.projection.cpu().numpy(),
            "parts.ground": self.parts.ground.cpu().numpy(),
            "parts.part_projection": self.parts.part_projection.cpu().numpy(),
            "parts.prototypes": self.parts.prototypes.cpu().numpy(),
            "origin": self.origin.astype(np.float32),
        }
        write_checkpoint(folder, Checkpoint(arrays, card))

    @classmethod
    def load(cls, folder: Path | str, device: str = "cpu") -> Classifier:
        """Read a checkpoint folder.

        Args:
            device: `auto`, `cpu`, `cuda`, `cuda:1`.

        Raises:
            CheckpointError: incomplete, damaged, unsafe, or its parts do not fit each other.
            SettingsError: there is no such device here.
        """
        folder, device = Path(folder), choose_device(device)
        found = read_checkpoint(folder)
        try:
            classifier = _assemble(folder.name, found, device)
            _ = classifier.network  # a head that cannot be solved is found now, not by the first visitor
        except (KeyError, IndexError, TypeError, AttributeError, ValueError, RuntimeError) as error:
            first_line = str(error).strip().split("\n")[0][:160]
            raise CheckpointError(f"The checkpoint {folder.name} does not fit together ({first_line}).") from error
        except FgdemoError as error:
            raise CheckpointError(f"The checkpoint {folder.name} cannot be used: {error}") from error
        return classifier


def choose_device(device: str) -> str:
    """`auto` is the GPU where there is one. Raises SettingsError where the wished one is not there."""
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        kind, index = torch.device(device).type, torch.device(device).index or 0
    except RuntimeError:
        kind, index = "", 0
    if kind not in ("cpu", "cuda"):
        raise SettingsError(f"The device “{device}” is not known here: use auto, cpu, cuda or cuda:1.")
    if kind == "cuda" and index >= torch.cuda.device_count():
        raise SettingsError(f"There is no GPU {device} here. Use auto or cpu.")
    return device


def stored(value: Tensor) -> Tensor:
    """A weight as a checkpoint stores it: matrices in half precision where they fit, the few vectors as they are."""
    if value.ndim < 2 or not value.is_floating_point():
        return value
    half = value.half()
    return half if bool(half.isfinite().all()) else value


def _assemble(name: str, found: Checkpoint, device: str) -> Classifier:
    card, arrays = found.card, found.arrays
    taxonomy = Taxonomy.from_json(card["taxonomy"])
    for key, array in arrays.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ValueError(f"{key} holds numbers that are not finite")
    backbone = build_backbone(BackboneSpec(**card["backbone"]))
    weights = {
        key: torch.from_numpy(arrays[f"backbone.{key}"]).to(old.dtype) for key, old in backbone.state_dict().items()
    }
    backbone.load_state_dict(weights)
    dim, leaves = backbone.dim, len(taxonomy.leaves)
    grounds, parts = len(card["parts"]["ground_is_fore"]), len(card["parts"]["parts"])
    dims, part_dims = arrays["parts.projection"].shape[-1], arrays["parts.part_projection"].shape[-1]
    if len(card["parts"]["ground_groups"]) != grounds:
        raise ValueError("ground_is_fore and ground_groups differ in length")
    if card["input"]["size_px"] != card["backbone"]["size_px"]:
        raise ValueError("the sizes of input and backbone differ")
    _check_shapes(
        arrays,
        {
            "head.mean": (dim,),
            "head.gram_upper": ((dim + 1) * (dim + 2) // 2,),
            "head.moment": (dim + 1, leaves),
            "head.counts": (leaves,),
            "parts.mean": (dim,),
            "parts.projection": (dim, dims),
            "parts.ground": (grounds, dims),
            "parts.part_projection": (dim, part_dims),
            "parts.prototypes": (parts, part_dims),
            "origin": (dim,),
        },
    )
    gram = np.zeros((dim + 1, dim + 1))
    gram[np.triu_indices(dim + 1)] = arrays["head.gram_upper"]
    gram += np.triu(gram, 1).T
    marks, scale = card["calibration"], card["unknown"]
    for number in (
        card["head"]["scale"],
        marks["temperature"],
        card["parts"]["temperature"],
        card["parts"]["ground_temperature"],
    ):
        if not (math.isfinite(number) and number > 0):
            raise ValueError("scale and temperatures must be positive")
    return Classifier(
        version=f"{name}@{card['weights_sha256'][:8]}",
        taxonomy=taxonomy,
        backbone=backbone.requires_grad_(False),
        data_config=DataConfig.from_json(card["input"]),
        head=RidgeHead(
            mean=arrays["head.mean"],
            scale=float(card["head"]["scale"]),
            gram=gram,
            moment=arrays["head.moment"].astype(np.float64),
            counts=arrays["head.counts"].astype(np.float64),
            penalty=float(card["head"]["penalty"]),
        ),
        parts=PartModel(
            mean=torch.from_numpy(arrays["parts.mean"]),
            projection=torch.from_numpy(arrays["parts.projection"]),
            ground=torch.from_numpy(arrays["parts.ground"]),
            ground_is_fore=tuple(card["parts"]["ground_is_fore"]),
            ground_groups=tuple(card["parts"]["ground_groups"]),
            ground_temperature=float(card["parts"]["ground_temperature"]),
            part_projection=torch.from_numpy(arrays["parts.part_projection"]),
            prototypes=torch.from_numpy(arrays["parts.prototypes"]),
            temperature=float(card["parts"]["temperature"]),
            parts=tuple(Part(**part) for part in card["parts"]["parts"]),
        ),
        origin=arrays["origin"],
        calibration=Calibration(
            temperature=float(marks["temperature"]),
            coverage=float(marks["coverage"]),
            set_prob=float(marks["set_prob"]),
            sure_prob=float(marks["sure_prob"]),
            lookalikes={leaf: tuple(others) for leaf, others in marks["lookalikes"].items()},
        ),
        unknown=UnknownScale(*(np.array(scale[key], np.float64) for key in ("logit", "distance", "average"))),
        card=card,
        device=device,
    )


def _check_shapes(arrays: Mapping[str, np.ndarray], wanted: Mapping[str, tuple[int, ...]]) -> None:
    for name, shape in wanted.items():
        if arrays[name].shape != shape:
            raise ValueError(f"{name} has the shape {arrays[name].shape}, expected {shape}")
