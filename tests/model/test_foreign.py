"""Any timm classifier as it is: timm's own predictions, exact evidence where that is possible, Grad-CAM elsewhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file

from fgdemo.explain.gradcam import gradcam
from fgdemo.explain.methods import SENTENCES, method_maps
from fgdemo.model.checkpoint.foreign import is_foreign, load_foreign
from fgdemo.model.checkpoint.load import load_classifier
from fgdemo.services.classify.workbench import Workbench
from fgdemo.specimens import SPECIES, draw_specimen
from fgdemo.storage.pictures.images import jpeg
from fgdemo.values.errors import BackboneError, CheckpointError
from fgdemo.values.methods import METHODS

PICTURE = draw_specimen(SPECIES[0], 3, (150, 100)).picture


def write(folder: Path, name: str, kinds: int = 5, config: dict[str, Any] | None = None, **args: Any) -> Any:
    """A folder in timm's format, with random weights; the model that lies in it."""
    torch.manual_seed(0)
    model = timm.create_model(name, num_classes=kinds, **args).eval()
    folder.mkdir(exist_ok=True)
    save_file({key: value.contiguous() for key, value in model.state_dict().items()}, folder / "model.safetensors")
    told = {
        "architecture": name,
        "num_classes": kinds,
        "model_args": args,
        "label_names": [f"kind {i}" for i in range(kinds)],
    }
    (folder / "config.json").write_text(json.dumps({**told, **(config or {})}))
    return model


@pytest.mark.parametrize(
    ("name", "args", "kind"),
    [
        ("test_resnet", {}, "linear"),
        ("test_convnext", {}, "normed"),
        ("test_vit", {"global_pool": "avg", "fc_norm": True}, "normed"),
        ("test_vit", {}, "other"),  # by its class token
        ("test_mambaout", {}, "other"),  # by two layers
    ],
)
def test_it_says_what_timm_says_and_its_maps_are_what_they_are_called(
    tmp_path: Path, name: str, args: dict[str, Any], kind: str
) -> None:
    model = write(tmp_path, name, **args)
    classifier = load_foreign(tmp_path)
    reading = classifier.read(PICTURE)
    with torch.inference_mode():
        told = model(classifier.pixels(PICTURE)[None])[0].numpy()
    np.testing.assert_allclose(reading.logits, told, atol=1e-5)
    maps = classifier.maps(reading, [1, 2])
    if kind == "other":
        assert reading.tokens is not None
        library = gradcam(classifier.head_of(reading), torch.from_numpy(reading.tokens), 1)
        np.testing.assert_allclose(np.maximum(maps[..., 0], 0), library, atol=1e-5)
    else:
        np.testing.assert_allclose(maps.sum((0, 1)) + reading.bias[[1, 2]], told[[1, 2]], atol=1e-4)
    a, b = classifier.taxonomy.leaves[1:3]
    assert method_maps(classifier, reading, METHODS, a, b, None)[1] == SENTENCES[kind]
    found = Workbench(classifier).classify(jpeg(PICTURE, 150), name="a")
    assert (found.unknown, found.coverage, found.prediction_set) == (None, None, ())
    assert found.is_sum == (kind != "other")
    assert ("exact" in found.caveat, "Grad-CAM" in found.caveat) == (kind != "other", kind == "other")


def test_names_are_imagenets_where_the_config_has_none(tmp_path: Path) -> None:
    write(tmp_path, "test_resnet", 1000, {"label_names": None})
    taxonomy = load_foreign(tmp_path).taxonomy
    assert (len(taxonomy.leaves), taxonomy[taxonomy.leaves[0]].name) == (1000, "tench")


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"architecture": "os.system"}, "no backbone called"),
        ({"num_classes": 1}, "num_classes"),
        ({"model_args": {"checkpoint_path": "/etc/passwd"}}, "checkpoint_path"),
        ({"model_args": {"layers": [10**9]}}, "too large"),
        ({"model_args": {"channels": [2000, 2000, 2000, 2000]}}, "larger|fit"),
        ({"num_classes": 6}, "do not fit"),
        ({"pretrained_cfg": {"input_size": "x"}}, "config.json"),
        ({"pretrained_cfg": {"std": [0, 0, 0]}}, "spreads"),
    ],
)
def test_a_bad_config_gets_a_sentence(tmp_path: Path, config: dict[str, Any], words: str) -> None:
    write(tmp_path, "test_resnet", config=config)
    with pytest.raises((BackboneError, CheckpointError), match=words):
        load_foreign(tmp_path)


def test_pickled_weights_are_never_opened(tmp_path: Path) -> None:
    model = write(tmp_path, "test_resnet")
    (tmp_path / "model.safetensors").unlink()
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match="never opened"):
        load_foreign(tmp_path)
    torch.save(model.state_dict(), tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match="no safetensors file"):
        load_foreign(tmp_path)


def test_what_learns_says_what_to_do(tmp_path: Path) -> None:
    write(tmp_path, "test_resnet")
    assert all(map(is_foreign, (tmp_path, "timm:resnet18", "hf-hub:timm/resnet18.a1_in1k")))
    with pytest.raises(CheckpointError, match="fgdemo fit"):
        load_classifier(tmp_path)
    with pytest.raises(BackboneError, match="Did you mean"):
        load_foreign("timm:resnet19")
