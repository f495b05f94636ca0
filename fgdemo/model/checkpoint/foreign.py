"""A folder in timm's own format, from this disk or the Hub, as a classifier. It trusts nothing that it reads."""

import hashlib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import timm
import torch
from safetensors import SafetensorError
from safetensors.torch import load
from timm.data.config import resolve_data_config
from timm.data.imagenet_info import ImageNetInfo, infer_imagenet_subset
from torch import Tensor, nn

from fgdemo.model.backbone import REFUSED_OPTIONS, SIZES_PX, Backbone, BackboneSpec, DataConfig, check_name
from fgdemo.model.checkpoint.budget import budget_of, require_small_numbers
from fgdemo.model.devices import choose_device
from fgdemo.model.foreign import ForeignClassifier
from fgdemo.storage.disk.strict_json import BadJsonError, read_object
from fgdemo.storage.hub.models import LARGEST_CONFIG_BYTES, timm_folder
from fgdemo.values.errors import BackboneError, CheckpointError
from fgdemo.values.naming import unique_id
from fgdemo.values.taxonomy import Taxon, Taxonomy

TIMM, HUB = "timm:", "hf-hub:"
MOST_KINDS = 100_000


def is_foreign(checkpoint: Path | str) -> bool:
    """Whether it names a classifier of timm and no checkpoint of ours."""
    if str(checkpoint).startswith((TIMM, HUB)):
        return True
    folder = Path(checkpoint)
    return (folder / "config.json").is_file() and not (folder / "card.json").exists()


def load_foreign(checkpoint: Path | str, device: str = "cpu") -> ForeignClassifier:
    """The classifier `timm:NAME`, `hf-hub:OWNER/MODEL`, or of a folder with `config.json` and `model.safetensors`.

    Raises:
        BackboneError: timm has no such architecture, or the model cannot be read.
        CheckpointError: what lies there is incomplete, damaged, or no classifier of timm.
        HubError: the Hub has no such model, or cannot be reached.
    """
    named = str(checkpoint)
    folder = _downloaded(named) if named.startswith((TIMM, HUB)) else Path(checkpoint)
    name = named if named.startswith((TIMM, HUB)) else folder.name
    try:
        config = read_object(_bytes(folder / "config.json", name), LARGEST_CONFIG_BYTES)
    except BadJsonError as error:
        raise CheckpointError(f"{name}: config.json {error}.") from error
    payload = _bytes(folder / "model.safetensors", name)
    try:
        state = load(payload)
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{name}: model.safetensors is no safetensors file; it was not opened.") from error
    try:
        model, data_config = _built(name, config, state)
        backbone = Backbone(BackboneSpec(str(config["architecture"]), data_config.size_px), model)
        kinds = _kinds(config, int(config["num_classes"]))
    except (
        KeyError,
        TypeError,
        ValueError,
        AttributeError,
        RuntimeError,
        AssertionError,
        NotImplementedError,
    ) as error:
        raise CheckpointError(
            f"{name}: config.json describes no classifier that timm can build ({_line(error)})."
        ) from error
    device = "cpu" if device == "zerogpu" else choose_device(device)
    model.to(device)
    version = f"{name}@{hashlib.sha256(payload).hexdigest()[:8]}"
    classifier = ForeignClassifier(version, kinds, backbone, data_config)
    _require_places(classifier, name)
    return classifier


def _downloaded(named: str) -> Path:
    if named.startswith(HUB):
        return timm_folder(named.removeprefix(HUB))
    name = named.removeprefix(TIMM)
    check_name(name)
    config = timm.get_pretrained_cfg(name)
    if config is None or not config.hf_hub_id:
        raise BackboneError(
            f"timm has no weights for {name} on the Hub: choose one of timm.list_models(pretrained=True)."
        )
    return timm_folder(config.hf_hub_id)


def _bytes(path: Path, name: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        hint = " Pickled weights are never opened: they can run code." if path.suffix == ".safetensors" else ""
        raise CheckpointError(f"{name} has no {path.name} that can be read.{hint}") from error


def _built(name: str, config: Mapping[str, Any], state: Mapping[str, Tensor]) -> tuple[nn.Module, DataConfig]:
    """The network with its weights, in eval mode. Raises what a bad config may raise, too."""
    architecture, count, options = str(config["architecture"]), config["num_classes"], config.get("model_args") or {}
    check_name(architecture)
    if not isinstance(count, int) or not 1 < count <= MOST_KINDS:
        raise BackboneError(f"{name} tells no kinds apart: its num_classes must be from 2 to {MOST_KINDS}.")
    refused = sorted((REFUSED_OPTIONS - {"num_classes"}) & set(options))
    if refused:
        raise BackboneError(f"{name}: the option {refused[0]} cannot be given to a model.")
    require_small_numbers(options)
    own = config.get("pretrained_cfg") or {}
    pool = own.get("global_pool", config.get("global_pool"))
    pooling = {"global_pool": pool} if isinstance(pool, str) and pool else {}
    with budget_of([value.numel() for value in state.values()]):
        model: Any = timm.create_model(architecture, pretrained=False, **{**pooling, **options, "num_classes": count})
    wanted = model.state_dict()
    wrong = [
        key
        for key in {*wanted, *state}
        if key not in state or key not in wanted or state[key].shape != wanted[key].shape
    ]
    if wrong:
        raise CheckpointError(f"{name}: the weights do not fit {architecture}, first in {sorted(wrong)[0][:80]}.")
    if any(value.is_floating_point() and not bool(value.isfinite().all()) for value in state.values()):
        raise CheckpointError(f"{name}: the weights hold numbers that are not finite.")
    model.load_state_dict({key: value.to(wanted[key].dtype) for key, value in state.items()})
    told = resolve_data_config({}, pretrained_cfg={**model.pretrained_cfg, **own})
    size, mean, std = int(told["input_size"][-1]), tuple(map(float, told["mean"])), tuple(map(float, told["std"]))
    if size not in SIZES_PX or len(mean) != 3 or len(std) != 3 or min(std) <= 0 or int(told["input_size"][0]) != 3:
        raise CheckpointError(f"{name}: its input must be RGB of 32 to 2048 px, with three means and spreads.")
    return model.eval().requires_grad_(False), DataConfig(size, mean, std, str(told["interpolation"]))


def _kinds(config: Mapping[str, Any], count: int) -> Taxonomy:
    """Names from the config, or ImageNet's where as many; in the order of the classes."""
    own = config.get("pretrained_cfg") or {}
    labels = config.get("label_names") or own.get("label_names")
    described = config.get("label_descriptions") or own.get("label_descriptions") or {}
    subset = infer_imagenet_subset({"num_classes": count})
    if isinstance(labels, list) and len(labels) == count and all(isinstance(label, str) and label for label in labels):
        names = [str(described.get(label) or label) if isinstance(described, dict) else label for label in labels]
    elif subset is not None:
        imagenet = ImageNetInfo(subset)  # which reads its lists anew
        names = [imagenet.index_to_description(place) for place in range(count)]
    else:
        names = [f"class {place}" for place in range(count)]
    heads = [name.split(",")[0].strip()[:200] or f"class {place}" for place, name in enumerate(names)]
    often = Counter(heads)
    taxa: dict[str, Taxon] = {}
    for place, (name, head) in enumerate(zip(names, heads, strict=True)):
        shown = head if often[head] == 1 else f"{head} ({place})"
        one = Taxon(unique_id(shown, taxa), shown, aliases=tuple(part.strip()[:200] for part in name.split(",")[1:]))
        taxa[one.id] = one
    return Taxonomy(tuple(taxa.values()))


def _require_places(classifier: ForeignClassifier, name: str) -> None:
    """Raises BackboneError where what it answers does not come from places of the picture."""
    if classifier.pooled is not None:
        return
    from PIL import Image

    noise = torch.randint(0, 256, (64, 64, 3), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    reading = classifier.read(Image.fromarray(noise.numpy()))
    if not abs(classifier.maps(reading, [int(reading.probs.argmax())])).max() > 0:
        raise BackboneError(f"{name} cannot be explained: its answer does not come from the tokens of its places.")


def _line(error: BaseException) -> str:
    return str(error).strip().split("\n")[0][:160] or type(error).__name__
