"""A classifier for other programs: an ONNX file of pixels → logits, or weights that timm loads with label names.

Both are checked after writing: what was written is read again by the other program's own library, and must say of real
pictures what the classifier says. A file that does not is removed and refused.

Other than in fgdemo, nothing is known there of evidence, parts or unknown things: only the logits travel.
"""

from __future__ import annotations

import contextlib
import json
import logging
import shutil
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn

from fgdemo.errors import CheckpointError, SettingsError
from fgdemo.model.card import card_markdown
from fgdemo.model.classifier import Classifier
from fgdemo.model.network import Network

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
                model, (sample,), str(beside), input_names=["pixels"], output_names=["logits"], dynamo=True,
                dynamic_shapes={"pixels": {0: torch.export.Dim("batch")}}, external_data=False, opset_version=OPSET,
                verbose=False,
            )  # fmt: skip
        described = onnx.load(str(beside))
        onnx.helper.set_model_props(described, _description(classifier))
        onnx.checker.check_model(described)
        beside.write_bytes(described.SerializeToString())
        session = runtime.InferenceSession(str(beside), providers=["CPUExecutionProvider"])

        def answer(batch: Tensor) -> np.ndarray:
            return session.run(["logits"], {"pixels": batch.numpy()})[0]

        difference = _difference(model, answer, [_squashed(classifier, picture) for picture in pictures])
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


def to_timm(classifier: Classifier, out: Path, pictures: Sequence[Image.Image]) -> Converted:
    """Write the folder `out`: `model.safetensors`, `config.json` with the label names, and the card as README.md.

    `timm.create_model("local-dir:OUT", pretrained=True)` loads it, and so does timm from the Hub once it lies there.

    Raises:
        CheckpointError: the architecture has no linear classifier on mean-pooled tokens, or `out` is there already.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise CheckpointError(f"{out.name} is there already; name another folder for it.")
    model, options = _with_classifier(classifier)
    tensors = [classifier.pixels(picture) for picture in pictures]
    beside = out.with_name(f".{out.name}.part")
    try:
        beside.mkdir(parents=True)
        save_file({key: value.contiguous() for key, value in model.state_dict().items()}, beside / "model.safetensors")
        (beside / "model.safetensors").chmod(0o644)
        config = _timm_config(classifier, options, model.pretrained_cfg)
        (beside / "config.json").write_text(json.dumps(config, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        (beside / "README.md").write_text(card_markdown(classifier.card), encoding="utf-8")
        again: Any = timm.create_model(f"local-dir:{beside}", pretrained=True).eval()
        difference = _difference(classifier.network, lambda batch: again(batch).numpy(), tensors)
        if out.exists():
            out.rmdir()
        beside.rename(out)
    except OSError as error:
        raise CheckpointError(f"{out.name} could not be written ({error.strerror or error}).") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return Converted(out, len(pictures), difference)


def _with_classifier(classifier: Classifier) -> tuple[Any, dict[str, Any]]:
    """The network as timm builds it, with the arguments it takes: one that says the same of noise.

    What lies between tokens and classifier differs: vision transformers norm before or after pooling, some
    convolutional networks have a further layer there, which is none of ours.
    """
    spec, network = classifier.backbone.spec, classifier.network
    noise = torch.rand(2, 3, spec.size_px, spec.size_px, generator=torch.Generator().manual_seed(0)) - 0.5
    for more in ({}, {"fc_norm": False}, {"img_size": spec.size_px}, {"fc_norm": False, "img_size": spec.size_px}):
        options = {**spec.options, "global_pool": "avg", **more}
        try:
            model: Any = timm.create_model(
                spec.name.split(".")[0], pretrained=False, num_classes=len(classifier.taxonomy.leaves), **options
            ).eval()
            missing, foreign = model.load_state_dict(
                {key: value.cpu() for key, value in classifier.backbone.net.state_dict().items()}, strict=False
            )
            linear = model.get_classifier()
            if foreign or len(missing) != 2 or not isinstance(linear, nn.Linear):
                continue
            with torch.no_grad():
                linear.weight.copy_(network.weight.T)
                linear.bias.copy_(network.bias)
            _difference(network, lambda batch, model=model: model(batch).numpy(), list(noise))
        except (TypeError, ValueError, RuntimeError, AssertionError, AttributeError, CheckpointError):
            continue
        return model, options
    raise CheckpointError(
        f"timm's {spec.name} has no linear classifier right on the mean of its tokens, so these weights cannot be "
        "written for it. ONNX can be."
    )


def _timm_config(classifier: Classifier, options: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """What timm reads, and a person: preprocessing and the names of the classes, in their order."""
    leaves, config = classifier.taxonomy.leaves, classifier.data_config
    return {
        "architecture": classifier.backbone.spec.name.split(".")[0],
        "num_classes": len(leaves),
        "num_features": classifier.backbone.dim,
        "global_pool": "avg",
        "model_args": options,
        "label_names": list(leaves),
        "label_descriptions": {leaf: classifier.taxonomy[leaf].name for leaf in leaves},
        "pretrained_cfg": {
            "input_size": [3, config.size_px, config.size_px],
            "interpolation": config.interpolation,
            "crop_pct": 1.0,
            "crop_mode": "squash",
            "mean": list(config.mean),
            "std": list(config.std),
            "num_classes": len(leaves),
            "first_conv": own.get("first_conv"),
            "classifier": own.get("classifier"),
        },
    }


@torch.inference_mode()
def _difference(ours: nn.Module, theirs: Callable[[Tensor], np.ndarray], pictures: Sequence[Tensor]) -> float:
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
