"""How to train: one frozen value, saved in the card, and those that are offered by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from fgdemo.learn.data.augment import Framing
from fgdemo.model.backbone import Backbone, DataConfig
from fgdemo.storage.disk.strict_json import BadJsonError, read_object
from fgdemo.values.errors import BackboneError, TrainingError
from fgdemo.values.training import LENGTHS, Preset

REMOVED: Mapping[str, Any] = {"checked_weight": 1.0, "class_balance": 0.0, "pair_batches": False, "part_crops": 0.0}
"""Switches of stored recipes that are no more, and the value that left each one off."""


@dataclass(frozen=True)
class Recipe:
    """How to train. Saved in the card, so that the same call makes the same checkpoint."""

    epochs: int
    """0: the head alone is fitted."""
    train_px: int
    """Side of the training pictures. Smaller than the backbone's own is faster and often no worse (Touvron 2019)."""
    batch_size: int = 32
    lr: float = 3e-4
    head_lr: float = 3e-5
    """Of the classifier, which starts at the closed-form solution."""
    layer_decay: float = 0.9
    """Each layer's learning rate ÷ that of the layer behind it, in (0, 1]; `lr` is that of the last."""
    weight_decay: float = 0.02
    warm_up: float = 0.1
    """Share of all steps in which the learning rate climbs; then it falls as a cosine."""
    ema_decay: float = 0.998
    patience: int = 0
    """The training ends after so many epochs that were no better on val; 0: never. The best is kept in any case."""
    label_smoothing: float = 0.1
    mixup: float = 0.0
    cutmix: float = 0.0
    contrast: float = 0.0
    """Weight of the supervised contrastive term (Khosla 2020)."""
    parts: float = 0.0
    """Weight of the terms that make part maps compact (Aniraj 2024)."""
    distil: float = 0.0
    """Weight of the distance to the teachers' embeddings (Romero 2015); 0 where there is no teacher."""
    retention: float = 0.0
    """Weight of agreeing with the model before on the kinds it knows (Li & Hoiem 2016)."""
    replay: float = 0.0
    """Least share of each batch that is pictures the model before has learned, out of a memory; in [0, 1)."""
    memory: int = 2000
    """Pictures in that memory."""
    compiled: bool = False
    """torch.compile, on one GPU: some minutes at the start, then faster epochs."""
    framing: Framing = field(default_factory=Framing)
    seed: int = 0

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Recipe:
        """Raises TrainingError where a field is unknown, missing or no more, or a value is not of its kind."""
        gone = sorted(name for name in REMOVED if values.get(name, REMOVED[name]) != REMOVED[name])
        if gone:
            raise TrainingError(
                f"The recipe asks for “{gone[0]}”, which is no more: no figure spoke for it. Leave it out."
            )
        values = {name: value for name, value in values.items() if name not in REMOVED}
        try:
            recipe = cls(**{**values, "framing": Framing(**values.get("framing", {}))})
        except TypeError as error:
            raise TrainingError(f"This is no recipe of training ({error}).") from error
        for of, one in (("", recipe), ("framing ", recipe.framing)):
            for field_ in fields(one):
                value = getattr(one, field_.name)
                kind = getattr(field_.type, "__name__", field_.type)  # its name, as modules that annotate later have it
                if not _is_of_kind(value, kind):
                    raise TrainingError(f"In the recipe {of}“{field_.name}” is {value!r}, which is no {kind}.")
        return recipe

    def changed(self, values: Mapping[str, Any]) -> Recipe:
        """With these fields instead. Raises TrainingError as `from_json`."""
        framing = values.get("framing", {})
        if not isinstance(framing, Mapping):
            raise TrainingError("In the recipe “framing” is a group of fields.")
        return Recipe.from_json({**self.to_json(), **values, "framing": {**asdict(self.framing), **framing}})


def _is_of_kind(value: Any, kind: object) -> bool:
    """Whether it is a number, whole or not and not below 0, or true or false, as the field says."""
    if kind not in ("int", "float"):
        return kind != "bool" or isinstance(value, bool)
    numbers = int if kind == "int" else int | float
    return isinstance(value, numbers) and not isinstance(value, bool) and 0 <= value < float("inf")


LARGEST_RECIPE_BYTES = 1_000_000


def read_changes(path: Path) -> dict[str, Any]:
    """The fields of a recipe in a JSON file. Raises TrainingError where it cannot be read or is none."""
    try:
        return read_object(path.read_bytes(), LARGEST_RECIPE_BYTES)
    except OSError as error:
        raise TrainingError(f"The recipe {path.name} cannot be read ({error.strerror}).") from error
    except BadJsonError as error:
        told = f'The recipe {path.name} {error}; it is a JSON object such as {{"replay": 0.5}}.'
        raise TrainingError(told) from error


PRESETS: Mapping[Preset, Recipe] = {
    name: Recipe(epochs=length.epochs, train_px=length.train_px) for name, length in LENGTHS.items()
}
"""One recipe at three lengths. Top-1 on held-out pictures of 100 birds, 5 pictures a kind, 20 epochs at 160 px, three
seeds: a plain loop 0.648, frozen features 0.696, this recipe 0.763 (`benchmarks/finetune_gain.py`). On training
pictures of 50 of them, one seed, CutMix took it from 0.817 to 0.750. `head_lr` is small because Adam's steps tear the
closed-form head apart: on frozen features its held-out top-1 went from 0.694 to 0.389 in 20 epochs at 3e-4, to 0.588 at
1e-4, and stayed at 1e-5.
"""


def train_px_of(backbone: Backbone, config: DataConfig, recipe: Recipe) -> int:
    """The recipe's size where the backbone takes it and is not made for a smaller one; else the backbone's own."""
    wanted = min(recipe.train_px, config.size_px)
    try:
        backbone.require_size(wanted)
    except BackboneError:
        return config.size_px
    return wanted
