"""A classifier as the arrays and the card of a checkpoint, and back."""

from collections.abc import Mapping
from typing import Any, get_args

import numpy as np
import torch
from torch import Tensor

from fgdemo.model.backbone import BackboneSpec, DataConfig, build_backbone
from fgdemo.model.checkpoint.budget import budget_of, require_small_numbers
from fgdemo.model.checkpoint.card_form import require_form
from fgdemo.model.checkpoint.folder import Checkpoint
from fgdemo.model.classifier import Calibration, Classifier
from fgdemo.model.closer.stored import MOST_SCALE, from_card, to_card, unknown_scale
from fgdemo.model.head import Readout, RidgeHead
from fgdemo.model.parts import PartModel
from fgdemo.model.taught.shares import TaughtParts
from fgdemo.values.classification.same_place import LEAST_SURENESS
from fgdemo.values.taxonomy import Taxonomy
from fgdemo.values.types import Part

TAUGHT = ("own", "around", "last", "bias")
"""The arrays of `TaughtParts`, in the order in which it takes them."""
MOST_NORMAL = 1e6
"""A mean or a spread of a channel beyond it makes numbers that no network can read."""


def to_checkpoint(classifier: Classifier) -> Checkpoint:
    """Everything needed to answer and to go on learning; weights as `stored`."""
    spec = classifier.backbone.spec
    told = {name: value for name, value in classifier.card.items() if name != "closer"}
    card = {
        **told,
        **to_card(classifier.both_views),
        "backbone": {"name": spec.name, "size_px": spec.size_px, "options": spec.options},
        "input": classifier.data_config.to_json(),
        "taxonomy": classifier.taxonomy.to_json(),
        "parts": {
            "parts": [{"id": p.id, "name": p.name, "group": p.group} for p in classifier.parts.parts],
            "ground_is_fore": list(classifier.parts.ground_is_fore),
            "ground_groups": list(classifier.parts.ground_groups),
            "ground_temperature": classifier.parts.ground_temperature,
            "temperature": classifier.parts.temperature,
            "taught_groups": [taught.group for taught in classifier.parts.taught],
            "mid_groups": list(classifier.parts.mid_groups),
        },
        "head": {
            "scale": classifier.head.scale,
            "penalty": classifier.head.penalty,
            "readout": classifier.head.readout,
        },
        "calibration": {
            "temperature": classifier.calibration.temperature,
            "coverage": classifier.calibration.coverage,
            "set_prob": classifier.calibration.set_prob,
            "sure_prob": classifier.calibration.sure_prob,
            "lookalikes": {leaf: list(others) for leaf, others in classifier.calibration.lookalikes.items()},
            "few": dict(classifier.calibration.few),
        },
        "same_place": {"least_sureness": classifier.least_sureness},
        "unknown": {
            "logit": classifier.unknown.logit.tolist(),
            "distance": classifier.unknown.distance.tolist(),
            "average": classifier.unknown.average.tolist(),
        },
    }
    arrays = {f"backbone.{k}": stored(v).cpu().numpy() for k, v in classifier.backbone.state_dict().items()}
    upper = np.triu_indices(len(classifier.head.gram))
    arrays |= {
        "head.mean": classifier.head.mean.astype(np.float32),
        "head.gram_upper": classifier.head.gram[upper].astype(np.float32),
        "head.moment": classifier.head.moment.astype(np.float32),
        "head.counts": classifier.head.counts.astype(np.float32),
        "head.members": classifier.head.members,
        "head.member_classes": classifier.head.member_classes,
        "parts.mean": classifier.parts.mean.cpu().numpy(),
        "parts.projection": classifier.parts.projection.cpu().numpy(),
        "parts.ground": classifier.parts.ground.cpu().numpy(),
        "parts.part_projection": classifier.parts.part_projection.cpu().numpy(),
        "parts.prototypes": classifier.parts.prototypes.cpu().numpy(),
        "origin": classifier.origin.astype(np.float32),
    }
    for row, taught in enumerate(classifier.parts.taught):
        arrays |= {f"taught.{row}.{name}": getattr(taught, name).cpu().numpy() for name in TAUGHT}
    if classifier.parts.mid_ground is not None:
        arrays["parts.mid_ground"] = classifier.parts.mid_ground.cpu().numpy()
    return Checkpoint(arrays, card)


def stored(value: Tensor) -> Tensor:
    """A weight as a checkpoint stores it: matrices in half precision where they fit, the few vectors as they are."""
    if value.ndim < 2 or not value.is_floating_point():
        return value
    half = value.half()
    return half if bool(half.isfinite().all()) else value


def from_checkpoint(name: str, found: Checkpoint, device: str) -> Classifier:
    """The inverse of `to_checkpoint`, trusting nothing.

    Raises:
        ValueError, KeyError, TypeError, RuntimeError, FgdemoError: something is missing or does not fit.
    """
    card, arrays = found.card, found.arrays
    require_form(card)
    taxonomy = Taxonomy.from_json(card["taxonomy"])
    for key, array in arrays.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ValueError(f"{key} holds numbers that are not finite")
    spec = BackboneSpec(**card["backbone"])
    require_small_numbers(spec.options)
    with budget_of([array.size for key, array in arrays.items() if key.startswith("backbone.")]):
        backbone = build_backbone(spec)
    weights = {
        key: torch.from_numpy(arrays[f"backbone.{key}"]).to(old.dtype) for key, old in backbone.state_dict().items()
    }
    backbone.load_state_dict(weights)
    _check_fit(found, backbone.dim, backbone.mid_dim, len(taxonomy.leaves))
    marks, scale = card["calibration"], card["unknown"]
    return Classifier(
        version=f"{name}@{card['weights_sha256'][:8]}",
        taxonomy=taxonomy,
        backbone=backbone.requires_grad_(False),
        data_config=DataConfig.from_json(card["input"]),
        head=_head(found),
        parts=_parts(found),
        origin=arrays["origin"].astype(np.float32),
        calibration=Calibration(
            temperature=float(marks["temperature"]),
            coverage=float(marks["coverage"]),
            set_prob=float(marks["set_prob"]),
            sure_prob=float(marks["sure_prob"]),
            lookalikes={leaf: tuple(others) for leaf, others in marks["lookalikes"].items()},
            few={str(leaf): int(number) for leaf, number in marks.get("few", {}).items()},
        ),
        unknown=unknown_scale(scale),
        both_views=from_card(card),
        card=card,
        device=device,
        least_sureness=float((card.get("same_place") or {}).get("least_sureness", LEAST_SURENESS)),
    )


def _check_fit(found: Checkpoint, dim: int, mid_dim: int, leaves: int) -> None:
    """Whether the arrays have the shapes of this backbone and taxonomy, and the scales can be divided by."""
    card, arrays = found.card, found.arrays
    grounds, parts = len(card["parts"]["ground_is_fore"]), len(card["parts"]["parts"])
    dims, part_dims = arrays["parts.projection"].shape[-1], arrays["parts.part_projection"].shape[-1]
    if len(card["parts"]["ground_groups"]) != grounds:
        raise ValueError("ground_is_fore and ground_groups differ in length")
    _check_input(card["input"], card["backbone"]["size_px"])
    if not all(isinstance(is_fore, bool) for is_fore in card["parts"]["ground_is_fore"]):
        raise ValueError("ground_is_fore must be true or false for each ground")
    wanted = {
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
    }
    taught = card["parts"].get("taught_groups", [])
    if len(set(taught)) < len(taught) or not set(taught) <= set(card["parts"]["ground_groups"]):
        raise ValueError("taught_groups are not all different, or not all among ground_groups")
    for row, group in enumerate(taught):
        shares = 1 + sum(part["group"] == group for part in card["parts"]["parts"])
        sizes = ((mid_dim, shares), (mid_dim, shares), (dim, shares), (shares,))
        wanted |= {f"taught.{row}.{name}": size for name, size in zip(TAUGHT, sizes, strict=True)}
    if "parts.mid_ground" in arrays:  # not in checkpoints that knew nothing of mid tokens
        wanted["parts.mid_ground"] = (len(card["parts"]["mid_groups"]), mid_dim + 1)
    for name, shape in wanted.items():
        if arrays[name].shape != shape:
            raise ValueError(f"{name} has the shape {arrays[name].shape}, expected {shape}")
        if arrays[name].dtype.kind != "f":
            raise ValueError(f"{name} has numbers of the type {arrays[name].dtype}, expected float32")
    for number in (
        card["head"]["scale"],
        card["calibration"]["temperature"],
        card["parts"]["temperature"],
        card["parts"]["ground_temperature"],
    ):
        if not 1 / MOST_SCALE < number < MOST_SCALE:
            raise ValueError("scale and temperatures must be positive and of an ordinary size")


def _check_input(told: Mapping[str, Any], size_px: int) -> None:
    """Whether pictures can be normalised so."""
    if told["size_px"] != size_px:
        raise ValueError("the sizes of input and backbone differ")
    for name, least in (("mean", -MOST_NORMAL), ("std", 1 / MOST_NORMAL)):
        numbers = told[name]
        if (
            not isinstance(numbers, list | tuple)
            or len(numbers) != 3
            or any(
                isinstance(x, bool) or not isinstance(x, int | float) or not least <= x <= MOST_NORMAL for x in numbers
            )
        ):
            raise ValueError(f"the {name} of the input must be three numbers of an ordinary size")


def _head(found: Checkpoint) -> RidgeHead:
    card, arrays = found.card["head"], found.arrays
    size = len(arrays["head.mean"]) + 1
    members = {}
    if "head.members" in arrays:  # not in checkpoints made before pictures could be taken out again
        members = {"members": arrays["head.members"], "member_classes": arrays["head.member_classes"]}
        if (
            arrays["head.members"].shape != arrays["head.member_classes"].shape
            or len(arrays["head.members"].shape) != 1
        ):
            raise ValueError("head.members and head.member_classes differ in length")
        if len(arrays["head.members"]) and not (
            0 <= arrays["head.member_classes"].min() <= arrays["head.member_classes"].max() < len(arrays["head.counts"])
        ):
            raise ValueError("head.member_classes names a class that is not there")
    readout = card.get("readout", "ridge")  # all were, before there was another
    if readout not in get_args(Readout):
        raise ValueError("the readout of the head is not known")
    gram = np.zeros((size, size))
    gram[np.triu_indices(size)] = arrays["head.gram_upper"]
    gram += np.triu(gram, 1).T
    return RidgeHead(
        mean=arrays["head.mean"].astype(np.float32),
        scale=float(card["scale"]),
        gram=gram,
        moment=arrays["head.moment"].astype(np.float64),
        counts=arrays["head.counts"].astype(np.float64),
        penalty=float(card["penalty"]),
        readout=readout,
        **members,
    )


def _parts(found: Checkpoint) -> PartModel:
    card, arrays = found.card["parts"], found.arrays
    return PartModel(
        mean=torch.from_numpy(arrays["parts.mean"]).float(),
        projection=torch.from_numpy(arrays["parts.projection"]).float(),
        ground=torch.from_numpy(arrays["parts.ground"]).float(),
        ground_is_fore=tuple(card["ground_is_fore"]),
        ground_groups=tuple(card["ground_groups"]),
        ground_temperature=float(card["ground_temperature"]),
        part_projection=torch.from_numpy(arrays["parts.part_projection"]).float(),
        prototypes=torch.from_numpy(arrays["parts.prototypes"]).float(),
        temperature=float(card["temperature"]),
        parts=tuple(Part(**part) for part in card["parts"]),
        taught=tuple(
            TaughtParts(group, *(torch.from_numpy(arrays[f"taught.{row}.{name}"]).float() for name in TAUGHT))
            for row, group in enumerate(card.get("taught_groups", ()))  # older cards have none
        ),
        mid_ground=torch.from_numpy(arrays["parts.mid_ground"]).float() if "parts.mid_ground" in arrays else None,
        mid_groups=tuple(card.get("mid_groups", ())),
    )
