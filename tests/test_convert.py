"""A checkpoint for other programs says there what it says here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from timm.data.config import resolve_data_config
from timm.data.transforms_factory import create_transform
from tiny import tiny_fit

from fgdemo.cli import main
from fgdemo.errors import CheckpointError
from fgdemo.model.classifier import Classifier
from fgdemo.model.convert import to_onnx, to_timm
from fgdemo.specimens import SPECIES, draw_specimen

PICTURES = [draw_specimen(species, seed).picture for seed, species in enumerate(SPECIES)]


@pytest.fixture(scope="module", params=["test_resnet", "test_vit"])
def classifier(request: pytest.FixtureRequest) -> Classifier:
    return tiny_fit(request.param).classifier


def ours(classifier: Classifier, picture: Image.Image) -> np.ndarray:
    with torch.inference_mode():
        return classifier.network(classifier.pixels(picture)[None]).numpy()


def test_onnx_gives_the_same_logits_and_says_what_they_are(classifier: Classifier, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    written = to_onnx(classifier, tmp_path / "birds.onnx", PICTURES)
    assert written.pictures == 6
    assert written.difference < 1e-3
    assert [path.name for path in tmp_path.iterdir()] == ["birds.onnx"]
    session = onnxruntime.InferenceSession(str(tmp_path / "birds.onnx"), providers=["CPUExecutionProvider"])
    described = session.get_modelmeta().custom_metadata_map
    assert json.loads(described["taxa"]) == list(classifier.taxonomy.leaves)
    size, how = int(described["size_px"]), Image.Resampling[described["interpolation"].upper()]
    batch = np.stack([np.asarray(picture.resize((size, size), how), np.float32) / 255 for picture in PICTURES])
    (logits,) = session.run(None, {"pixels": batch.transpose(0, 3, 1, 2)})  # any number of pictures at once
    np.testing.assert_allclose(logits, np.concatenate([ours(classifier, p) for p in PICTURES]), atol=1e-3)


def test_timm_loads_it_with_label_names(classifier: Classifier, tmp_path: Path) -> None:
    written = to_timm(classifier, tmp_path / "birds", PICTURES)
    assert (tmp_path / "birds" / "README.md").read_text(encoding="utf-8").startswith("# ")
    assert written.difference < 1e-4
    assert [path.name for path in tmp_path.iterdir()] == ["birds"]
    model: Any = timm.create_model(f"local-dir:{tmp_path / 'birds'}", pretrained=True).eval()
    assert model.pretrained_cfg["label_names"] == list(classifier.taxonomy.leaves)
    with torch.inference_mode():
        for picture in PICTURES:
            theirs = model(classifier.pixels(picture)[None]).numpy()
            np.testing.assert_allclose(theirs, ours(classifier, picture), atol=1e-4)
    with pytest.raises(CheckpointError, match="there already"):
        to_timm(classifier, tmp_path / "birds", PICTURES)


def test_timm_prepares_pictures_as_the_checkpoint_does(tmp_path: Path) -> None:
    classifier = tiny_fit().classifier
    to_timm(classifier, tmp_path / "birds", PICTURES)
    model = timm.create_model(f"local-dir:{tmp_path / 'birds'}", pretrained=True)
    prepare: Any = create_transform(**resolve_data_config(model=model))
    wide = PICTURES[0].resize((200, 100))
    np.testing.assert_allclose(prepare(wide).numpy(), classifier.pixels(wide).numpy(), atol=0.02)


def test_a_file_that_says_something_else_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnxruntime")
    classifier = tiny_fit().classifier
    monkeypatch.setattr("fgdemo.model.convert.LARGEST_DIFFERENCE", -1.0)
    with pytest.raises(CheckpointError, match="it was not kept"):
        to_onnx(classifier, tmp_path / "birds.onnx", PICTURES)
    with pytest.raises(CheckpointError):
        to_timm(classifier, tmp_path / "birds", PICTURES)
    assert list(tmp_path.iterdir()) == []


def test_a_network_with_another_head_is_refused_for_timm(tmp_path: Path) -> None:
    classifier = tiny_fit("test_byobnet").classifier
    bias = classifier.network.bias.clone()
    with torch.no_grad():
        classifier.network.backbone.net.add_module("head", torch.nn.Linear(1, 1))  # weights that timm's has no room for
        with pytest.raises(CheckpointError, match="has no linear classifier right on the mean of its tokens"):
            to_timm(classifier, tmp_path / "birds", PICTURES)
    assert torch.equal(bias, classifier.network.bias)
    assert list(tmp_path.iterdir()) == []


def test_the_verb_converts_a_checkpoint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tiny_fit().classifier.save(tmp_path / "birds")
    PICTURES[0].save(tmp_path / "one.png")
    arguments = ["convert", str(tmp_path / "birds"), str(tmp_path / "timm"), "--format", "timm", "--json"]
    assert main([*arguments, "--check", str(tmp_path / "one.png")]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert (printed["pictures"], printed["classes"]) == (1, 6)
    assert printed["difference"] < 1e-4
    assert main(arguments) == 1
    assert "timm is there already" in capsys.readouterr().err
