"""A classifier as an ONNX file of pixels → logits. `for_timm` writes it for timm.

It is checked after writing: what was written is read again by the other program's own library, and must say of real
pictures what the classifier says. A file that does not is removed and refused.

Other than in fgdemo, nothing is known there of evidence, parts or unknown things: only the logits travel.
"""

import contextlib
import json
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from fgdemo.model.classifier import Classifier
from fgdemo.model.network import Network
from fgdemo.values.errors import CheckpointError, SettingsError

LARGEST_DIFFERENCE = 1e-2
"""Nats: a hundredth of a nat moves no probability by more than a quarter of a point."""
OPSET = 18


@dataclass(frozen=True)
class Converted:
    """`difference`: the largest between any logit of any picture and the classifier's own, in nats."""

    path: Path
    pictures: int
    difference: float


def _description(classifier: Classifier) -> dict[str, str]:
    """What a user of the ONNX file must know, as its metadata."""
    leaves = classifier.taxonomy.leaves
    return {
        "taxa": json.dumps(list(leaves), ensure_ascii=False),
        "labels": json.dumps([classifier.taxonomy[leaf].name for leaf in leaves], ensure_ascii=False),
        "size_px": str(classifier.data_config.size_px),
        "interpolation": classifier.data_config.interpolation,
        "version": classifier.version,
    }


class PixelsToLogits(nn.Module):
    """(B, 3, S, S) pixels in [0, 1] → (B, C) calibrated logits: the normalisation is inside."""

    mean: Tensor
    std: Tensor

    def __init__(self, network: Network, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", torch.tensor(mean).reshape(3, 1, 1))
        self.register_buffer("std", torch.tensor(std).reshape(3, 1, 1))

    def forward(self, pixels: Tensor) -> Tensor:
        return self.network((pixels - self.mean) / self.std)


def to_onnx(classifier: Classifier, out: Path, pictures: Sequence[Image.Image]) -> Converted:
    """Write `out`, an ONNX file: `pixels` (batch, 3, S, S) in [0, 1] → `logits` (batch, C).

    Its metadata holds `labels` (a JSON list of names), `taxa` (their ids), `size_px` and `interpolation`: a picture is
    squashed to S × S.

    Raises:
        SettingsError: the packages onnx, onnxscript and onnxruntime are not installed.
        CheckpointError: the backbone cannot be exported, or the file says something else.
    """
    onnx, runtime = _onnx_packages()
    model = PixelsToLogits(classifier.network, classifier.data_config.mean, classifier.data_config.std).cpu().eval()
    size = classifier.data_config.size_px
    sample = torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    beside = out.with_name(f".{out.name}.part")
    try:
        with _quiet():
            torch.onnx.export(
                model,
                (sample,),
                str(beside),
                input_names=["pixels"],
                output_names=["logits"],
                dynamo=True,
                dynamic_shapes={"pixels": {0: torch.export.Dim("batch")}},
                external_data=False,
                opset_version=OPSET,
                verbose=False,
            )
        described = onnx.load(str(beside))
        onnx.helper.set_model_props(described, _description(classifier))
        onnx.checker.check_model(described)
        beside.write_bytes(described.SerializeToString())
        session = runtime.InferenceSession(str(beside), providers=["CPUExecutionProvider"])

        def answer(batch: Tensor) -> np.ndarray:
            return session.run(["logits"], {"pixels": batch.numpy()})[0]

        difference = largest_difference(model, answer, [_squashed(classifier, picture) for picture in pictures])
        beside.replace(out)
    except OSError as error:
        raise CheckpointError(f"{out.name} could not be written ({error.strerror}).") from error
    except (RuntimeError, ValueError, torch.onnx.OnnxExporterError) as error:
        raise CheckpointError(
            f"This backbone cannot be written as ONNX ({str(error).splitlines()[0][:160]})."
        ) from error
    finally:
        beside.unlink(missing_ok=True)
        classifier.network.to(classifier.device)
    return Converted(out, len(pictures), difference)


@torch.inference_mode()
def largest_difference(ours: nn.Module, theirs: Callable[[Tensor], np.ndarray], pictures: Sequence[Tensor]) -> float:
    """The largest difference between logits, one picture after the other. Raises CheckpointError if it is too large."""
    largest = 0.0
    device = next(ours.parameters()).device
    for picture in pictures:
        own = ours(picture[None].to(device)).float().cpu().numpy()
        other = theirs(picture[None])
        if other.shape != own.shape or not np.isfinite(other).all():
            raise CheckpointError("The converted model gives no logits of these classes; it was not kept.")
        largest = max(largest, float(np.abs(own - other).max()))
    if largest > LARGEST_DIFFERENCE:
        raise CheckpointError(
            f"The converted model differs from the checkpoint by up to {largest:.3g} nats; it was not kept."
        )
    return largest


def _squashed(classifier: Classifier, picture: Image.Image) -> Tensor:
    """(3, S, S) in [0, 1], before normalisation."""
    return torch.from_numpy(np.array(classifier.data_config.squash(picture), np.float32) / 255).permute(2, 0, 1)


def _onnx_packages() -> tuple[Any, Any]:
    try:
        import onnx
        import onnxruntime
        import onnxscript  # noqa: F401  torch's exporter needs it
    except ImportError as error:
        raise SettingsError(f"ONNX needs more packages: pip install onnx onnxscript onnxruntime ({error}).") from error
    return onnx, onnxruntime


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The exporter prints its progress and warns of its own future."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(StringIO()):
        warnings.simplefilter("ignore")
        level, logger = logging.getLogger("torch.onnx").level, logging.getLogger("torch.onnx")
        logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            logger.setLevel(level)
