"""A classifier from a checkpoint folder, and into one."""

from dataclasses import replace
from pathlib import Path

from fgdemo.model.checkpoint.folder import read_checkpoint, write_checkpoint
from fgdemo.model.checkpoint.foreign import is_foreign, load_foreign
from fgdemo.model.checkpoint.persistence import from_checkpoint, to_checkpoint
from fgdemo.model.classifier import Classifier
from fgdemo.model.devices import choose_device
from fgdemo.model.foreign import ForeignClassifier
from fgdemo.model.lent_gpu import LENT, LentBackbone
from fgdemo.values.errors import CheckpointError, FgdemoError


def save_classifier(classifier: Classifier, folder: Path) -> None:
    """Write to `folder`, weights in half precision. Raises CheckpointError."""
    write_checkpoint(folder, to_checkpoint(classifier))


def load_any(checkpoint: Path | str, device: str = "cpu") -> Classifier | ForeignClassifier:
    """A checkpoint folder, or any classifier of timm: `timm:NAME`, `hf-hub:OWNER/MODEL`, a folder in timm's format.

    Raises: as `load_classifier` and `fgdemo.model.checkpoint.foreign.load_foreign`.
    """
    return load_foreign(checkpoint, device) if is_foreign(checkpoint) else load_classifier(checkpoint, device)


def load_classifier(folder: Path | str, device: str = "cpu") -> Classifier:
    """Read a checkpoint folder.

    Args:
        device: `auto`, `cpu`, `cuda`, `cuda:1`; `zerogpu`: the backbone on a lent GPU, all else on the CPU.

    Raises:
        CheckpointError: incomplete, damaged, unsafe, or its parts do not fit each other.
        SettingsError: there is no such device here.
    """
    if is_foreign(folder):
        raise CheckpointError(
            f"{folder} is a classifier of timm as it is: it can be served, and asked by predict and explain. To learn "
            "from labels, make a checkpoint of its backbone: python -m fgdemo fit PICTURES --backbone NAME --out OUT."
        )
    folder, device = Path(folder), choose_device(device)
    found = read_checkpoint(folder)
    try:
        classifier = from_checkpoint(folder.name, found, "cpu" if device == LENT else device)
        if device == LENT:
            classifier = replace(classifier, backbone=LentBackbone(classifier.backbone))
        _ = classifier.network  # a head that cannot be solved is found now, not by the first visitor
    except (KeyError, IndexError, TypeError, AttributeError, ValueError, RuntimeError) as error:
        first_line = str(error).strip().split("\n")[0][:160]
        raise CheckpointError(f"The checkpoint {folder.name} does not fit together ({first_line}).") from error
    except FgdemoError as error:
        raise CheckpointError(f"The checkpoint {folder.name} cannot be used: {str(error)[:400]}") from error
    return classifier
