"""A classifier as weights that timm loads with the names of its kinds: `timm.create_model("local-dir:OUT", …)`.

They are checked after writing: what was written is loaded again by timm, and must say of real pictures what the
classifier says. Only the logits travel: nothing is known there of evidence, parts or unknown things.
"""

import json
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import timm
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn

from fgdemo.model.backbone import BackboneSpec
from fgdemo.model.classifier import Classifier
from fgdemo.model.exporting.timm_readme import timm_card
from fgdemo.model.exporting.to_onnx import Converted, largest_difference
from fgdemo.values.errors import CheckpointError

FILES = ("model.safetensors", "config.json", "README.md")
_POOLS_AFTER_NORM: tuple[Mapping[str, Any], ...] = (
    {},
    {"fc_norm": False},
    {"fc_norm": False, "pool_include_prefix": False},
    {"use_fc_norm": False, "use_post_transformer_norm": True},
)
"""How the classes of timm are told to norm each token and then pool, which is how tokens are read here."""
_DISTILLED = re.compile(r"deit(3?)_(\w+?)_distilled_(patch\d+_\d+)")


def to_timm(classifier: Classifier, out: Path, pictures: Sequence[Image.Image]) -> Converted:
    """Write the folder `out`: `model.safetensors`, `config.json` with the label names, and the card as README.md.

    `timm.create_model("local-dir:OUT", pretrained=True)` loads it, and so does timm from the Hub once it lies there.

    Raises:
        CheckpointError: the architecture has no linear classifier on mean-pooled tokens, or `out` is there already.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise CheckpointError(f"{out.name} is there already; name another folder for it.")
    model, architecture, options = _with_classifier(classifier)
    tensors = [classifier.pixels(picture) for picture in pictures]
    beside = out.with_name(f".{out.name}.part")
    try:
        beside.mkdir(parents=True)
        save_file({key: value.contiguous() for key, value in model.state_dict().items()}, beside / "model.safetensors")
        (beside / "model.safetensors").chmod(0o644)
        config = _config(classifier, architecture, options, model.pretrained_cfg)
        (beside / "config.json").write_text(json.dumps(config, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        (beside / "README.md").write_text(timm_card(classifier.card), encoding="utf-8")
        again: Any = timm.create_model(f"local-dir:{beside}", pretrained=True).eval()
        difference = largest_difference(classifier.network, lambda batch: again(batch).numpy(), tensors)
        if out.exists():
            out.rmdir()
        beside.rename(out)
    except OSError as error:
        raise CheckpointError(f"{out.name} could not be written ({error.strerror or error}).") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return Converted(out, len(pictures), difference)


def _with_classifier(classifier: Classifier) -> tuple[Any, str, dict[str, Any]]:
    """The network as timm builds it, its architecture, and the arguments it takes: one that says the same of noise.

    What lies between tokens and classifier differs: vision transformers norm before or after pooling, some
    convolutional networks have a further layer there, which is none of ours.
    """
    spec, network = classifier.backbone.spec, classifier.network
    noise = torch.rand(2, 3, spec.size_px, spec.size_px, generator=torch.Generator().manual_seed(0)) - 0.5
    state = {key: value.cpu() for key, value in classifier.backbone.net.state_dict().items()}
    architecture = _DISTILLED.sub(r"deit\1_\2_\3", spec.name.split(".")[0])
    for options in _options(spec, architecture, classifier.backbone.net):
        try:
            model: Any = timm.create_model(
                architecture, pretrained=False, num_classes=len(classifier.taxonomy.leaves), **options
            ).eval()
            if not isinstance(linear := model.get_classifier(), nn.Linear):
                continue
            named = {_key_there(key, model.state_dict()): value for key, value in state.items()}
            missing, _ = model.load_state_dict(named, strict=False)  # what is left over is not used, or noise says so
            if len(missing) != 2:
                continue
            with torch.no_grad():
                linear.weight.copy_(network.weight.T)
                linear.bias.copy_(network.bias)
            largest_difference(network, lambda batch, model=model: model(batch).numpy(), list(noise))
        except (TypeError, ValueError, RuntimeError, AssertionError, AttributeError, CheckpointError):
            continue
        return model, architecture, options
    raise CheckpointError(
        f"timm's {spec.name} has no linear classifier right on the mean of its tokens, so these weights cannot be "
        "written for it. ONNX can be."
    )


def _options(spec: BackboneSpec, architecture: str, net: nn.Module) -> Iterator[dict[str, Any]]:
    """Arguments under which timm may build the same network with a classifier on the mean of its tokens."""
    own = {**spec.options, "global_pool": "avg"}
    if architecture != spec.name.split(".")[0]:
        own["reg_tokens"] = 1  # the distillation token of DeiT, which is one more token beside the patches
    sizes: list[dict[str, Any]] = [{}, {"img_size": spec.size_px}]
    windows = [
        stage.blocks[0].window_size
        for stage in getattr(net, "layers", ())
        if hasattr(stage, "blocks") and hasattr(stage.blocks[0], "window_size")
    ]
    sizes += [{"img_size": spec.size_px, "window_size": windows[0]}] if windows else []
    for size in sizes:
        for norm in _POOLS_AFTER_NORM:
            yield {**own, **size, **norm}


def _key_there(key: str, there: Mapping[str, Tensor]) -> str:
    """What a tensor is called where every token is normed, and where the distillation token is a register."""
    for ours, theirs in (("fc_norm.", "norm."), ("dist_token", "reg_token")):
        if key not in there and key.startswith(ours) and key.replace(ours, theirs) in there:
            return key.replace(ours, theirs)
    return key


def _config(
    classifier: Classifier, architecture: str, options: dict[str, Any], own: Mapping[str, Any]
) -> dict[str, Any]:
    """What timm reads, and a person: preprocessing and the names of the classes, in their order."""
    leaves, config = classifier.taxonomy.leaves, classifier.data_config
    return {
        "architecture": architecture,
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
