"""What `fit` may be asked: its options as they are typed, and what they say together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, BadParameter, Option

from fgdemo.commands.console import RECIPE_HELP
from fgdemo.values.errors import SettingsError

if TYPE_CHECKING:
    from fgdemo.model.backbone import Backbone, DataConfig

LAYERS = "Training all layers first"


def three(text: str) -> tuple[float, float, float]:
    """Three numbers with commas between. Raises SettingsError."""
    try:
        red, green, blue = (float(part) for part in text.split(","))
    except ValueError:
        raise SettingsError(f"“{text}” must be three numbers with commas between, e.g. 0.5,0.5,0.5.") from None
    return red, green, blue


def checked_three(text: str | None) -> str | None:
    """The same text, for an option. Raises BadParameter."""
    try:
        return text and three(text) and text
    except SettingsError as error:
        raise BadParameter(str(error)) from None


Data = Annotated[
    list[str],
    Argument(metavar="DATA", help="class folders, train/val folders, a CSV of path,label, or a Hub data set id"),
]
Out = Annotated[Path, Option(metavar="FOLDER", help="the checkpoint to write")]
OfCheckpoint = Annotated[Path | None, Option(metavar="FOLDER", help="take the backbone of this checkpoint")]
Architecture = Annotated[str, Option(metavar="NAME", help="any timm architecture")]
Weights = Annotated[str, Option(metavar="FILE", help="hub, none, or a .safetensors or .pth file")]
Options = Annotated[list[str] | None, Option(metavar="K=V", help="passed to timm.create_model (repeatable)")]
Side = Annotated[int | None, Option(metavar="PX", help="side of the input (default: the weights' own)")]
Mean = Annotated[
    str | None,
    Option(metavar="R,G,B", help="normalisation, where the weights do not say theirs", callback=checked_three),
]
Std = Annotated[str | None, Option(metavar="R,G,B", help="likewise", callback=checked_three)]
TaxonomyFile = Annotated[Path | None, Option(metavar="CSV", help="id,name,parent,latin,aliases (default: no groups)")]
Parts = Annotated[int, Option(metavar="K", help="parts per group")]
ValShare = Annotated[float, Option(metavar="SHARE", help="split off where there is no val folder")]
Licences = Annotated[list[str] | None, Option(metavar="TEXT", help="a line about data or weights (repeatable)")]
Seed = Annotated[int, Option(help="of every random choice")]
Device = Annotated[str | None, Option(help="auto, cpu, cuda (default: FGDEMO_DEVICE)")]
Epochs = Annotated[int, Option(metavar="N", help="0 leaves the backbone frozen", rich_help_panel=LAYERS)]
TrainSize = Annotated[
    int | None, Option(metavar="PX", help="side of the training pictures (default: --size)", rich_help_panel=LAYERS)
]
BatchSize = Annotated[int, Option(help="pictures a step", rich_help_panel=LAYERS)]
LearningRate = Annotated[float, Option(help="learning rate of the last layers", rich_help_panel=LAYERS)]
RecipeFile = Annotated[Path | None, Option(metavar="FILE", help=RECIPE_HELP, rich_help_panel=LAYERS)]
Teachers = Annotated[
    list[str] | None,
    Option(
        metavar="FILE=TAXON",
        help="weights of the same architecture that know this group well; their embedding is imitated (repeatable)",
        rich_help_panel=LAYERS,
    ),
]
Distil = Annotated[float, Option(metavar="WEIGHT", help="how much that counts", rich_help_panel=LAYERS)]


@dataclass(frozen=True)
class Start:
    """Where the network comes from: a checkpoint, or a timm architecture with weights."""

    checkpoint: Path | None
    backbone: str
    weights: str
    options: Sequence[str]
    size_px: int | None
    mean: str | None
    std: str | None
    seed: int

    def load(self, device: str) -> tuple[Backbone, DataConfig]:
        """Raises CheckpointError, BackboneError."""
        import torch

        from fgdemo.model.backbone import parse_options, start_backbone
        from fgdemo.model.checkpoint.load import load_classifier

        torch.manual_seed(self.seed)  # for --weights none
        if self.checkpoint:
            classifier = load_classifier(self.checkpoint, device)
            return classifier.backbone.to(device), classifier.data_config
        backbone, config = start_backbone(
            self.backbone,
            weights=self.weights,
            size_px=self.size_px,
            options=parse_options(list(self.options)),
            mean=three(self.mean) if self.mean else None,
            std=three(self.std) if self.std else None,
        )
        return backbone.to(device), config


@dataclass(frozen=True)
class AllLayers:
    """How all layers are trained; with no epochs they are not."""

    epochs: int
    train_px: int | None
    batch_size: int
    lr: float
    recipe: Path | None
    teachers: Sequence[str]
    distil: float


@dataclass(frozen=True)
class Asked:
    """Everything that `fit` is asked."""

    sources: Sequence[str]
    out: Path
    start: Start
    layers: AllLayers
    taxonomy: Path | None
    parts: int
    val_share: float
    licences: Sequence[str]
    seed: int

    def require_sense(self, processes: int) -> None:
        """Raises SettingsError."""
        epochs, batch_size = self.layers.epochs, self.layers.batch_size
        if epochs < 0 or self.parts < 1 or not 0 < self.val_share < 1 or batch_size < 2:
            raise SettingsError(
                "--epochs must be 0 or more, --parts 1 or more, --val-share between 0 and 1, --batch-size 2 or more."
            )
        if processes > 1 and not epochs:
            raise SettingsError("Several processes are for training all layers: add --epochs, or start one process.")
