"""A checkpoint for other programs says there what it says here."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import timm
import torch
from huggingface_hub import ModelCard, metadata_load
from PIL import Image
from timm.data.config import resolve_data_config
from timm.data.transforms_factory import create_transform

from fgdemo.cli import main
from fgdemo.model.backbone import DataConfig
from fgdemo.model.checkpoint.load import save_classifier
from fgdemo.model.classifier import Classifier
from fgdemo.model.exporting.timm_readme import timm_card
from fgdemo.model.exporting.to_onnx import to_onnx
from fgdemo.model.exporting.to_timm import to_timm
from fgdemo.model.network import Network
from fgdemo.specimens import SPECIES, draw_specimen
from fgdemo.values.errors import CheckpointError
from fgdemo.values.taxonomy import Taxon, Taxonomy
from tests.support.tiny import tiny_backbone, tiny_fit

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
    assert "\n# " in (tmp_path / "birds" / "README.md").read_text(encoding="utf-8")
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
    monkeypatch.setattr("fgdemo.model.exporting.to_onnx.LARGEST_DIFFERENCE", -1.0)
    with pytest.raises(CheckpointError, match="it was not kept"):
        to_onnx(classifier, tmp_path / "birds.onnx", PICTURES)
    with pytest.raises(CheckpointError):
        to_timm(classifier, tmp_path / "birds", PICTURES)
    assert list(tmp_path.iterdir()) == []


def network_of(name: str, size_px: int, **options: Any) -> Any:
    """A classifier, as far as it is converted, whose weights and position embeddings are drawn."""
    backbone, config = tiny_backbone(name, size_px, **options)
    drawn, leaves = torch.Generator().manual_seed(0), tuple("abc")
    with torch.no_grad():
        for parameter in backbone.net.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=drawn))
    weight, zero = torch.randn(backbone.dim, 3, generator=drawn), torch.zeros(backbone.dim)
    network = Network(backbone, weight, torch.ones(3), zero, torch.nn.Identity()).eval()  # type: ignore[arg-type]
    taxonomy = Taxonomy(tuple(Taxon(leaf, leaf.upper()) for leaf in leaves))
    return SimpleNamespace(
        backbone=backbone,
        data_config=config,
        network=network,
        taxonomy=taxonomy,
        card={},
        pixels=lambda picture: _pixels(config, picture),
    )


def _pixels(config: DataConfig, picture: Image.Image) -> torch.Tensor:
    pixels = torch.from_numpy(np.array(config.squash(picture), np.float32) / 255).permute(2, 0, 1)
    return (pixels - torch.tensor(config.mean).reshape(3, 1, 1)) / torch.tensor(config.std).reshape(3, 1, 1)


@pytest.mark.parametrize(
    ("name", "size_px"),
    [
        ("test_vit", 96),  # a class token, position embeddings of another size
        ("test_vit2", 96),  # no class token, pooled before the last norm
        ("test_vit3", 128),  # a pool by attention, registers among the tokens
        ("deit_tiny_distilled_patch16_224", 96),  # a distillation token and two heads
        ("swin_tiny_patch4_window7_224", 96),  # windows that shrink with the picture
    ],
)
def test_timm_takes_transformers_of_any_size(name: str, size_px: int, tmp_path: Path) -> None:
    classifier = network_of(name, size_px)
    written = to_timm(classifier, tmp_path / "birds", PICTURES[:2])
    assert written.difference < 1e-4
    config = json.loads((tmp_path / "birds" / "config.json").read_text(encoding="utf-8"))
    again: Any = timm.create_model(
        config["architecture"],
        num_classes=3,
        checkpoint_path=str(tmp_path / "birds" / "model.safetensors"),
        **config["model_args"],
    ).eval()
    pixels = classifier.pixels(PICTURES[0])[None]
    with torch.inference_mode():
        np.testing.assert_allclose(again(pixels).numpy(), classifier.network(pixels).numpy(), atol=1e-4)


def test_a_network_with_another_head_is_refused_for_timm(tmp_path: Path) -> None:
    classifier = network_of("levit_128s", 224)
    with pytest.raises(CheckpointError, match="has no linear classifier right on the mean of its tokens"):
        to_timm(classifier, tmp_path / "birds", PICTURES)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("licences", "licence"),
    [
        ([], "unknown"),
        (["Apache-2.0"], "apache-2.0"),
        (["Released under the MIT licence"], "mit"),
        (["CC BY-NC 4.0"], "cc-by-nc-4.0"),
        (["Apache-2.0", "CC BY-NC 4.0"], "other"),
        (["ask me"], "other"),
    ],
)
def test_the_card_for_timm_has_front_matter_that_the_hub_reads(
    licences: list[str], licence: str, tmp_path: Path
) -> None:
    card = {
        "name": 'birds: "yes"\n---\nlibrary_name: evil',
        "licences": licences,
        "data": {"sources": ["hf:lab/birds", "garden"], "train": 40, "val": 8},
        "metrics": {"split": "val", "n": 8, "top1": [0.875, 0.5, 1.0], "top5": float("nan")},
        "backbone": {"name": "resnet18.a1_in1k", "size_px": 224},
        "start_weights": "hub",
    }
    (tmp_path / "README.md").write_text(timm_card(card), encoding="utf-8")
    front: Any = metadata_load(tmp_path / "README.md")
    assert front["library_name"] == "timm"
    assert front["pipeline_tag"] == "image-classification"
    assert (front["license"], "license_name" in front) == (licence, licence == "other")
    assert (front["datasets"], front["metrics"]) == (["lab/birds"], ["accuracy"])
    assert front["base_model"] == "timm/resnet18.a1_in1k"
    assert {"timm", "image-classification"} <= set(front["tags"])
    (result,) = front["model-index"][0]["results"]
    assert result["metrics"] == [{"type": "accuracy", "value": 0.875, "name": "Top-1 accuracy"}]
    assert result["dataset"]["name"] == "lab/birds, garden"
    assert ModelCard.load(tmp_path / "README.md").data.to_dict()["license"] == licence


def test_the_verb_converts_a_checkpoint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_classifier(tiny_fit().classifier, tmp_path / "birds")
    PICTURES[0].save(tmp_path / "one.png")
    arguments = ["convert", str(tmp_path / "birds"), str(tmp_path / "timm"), "--format", "timm", "--json"]
    assert main([*arguments, "--check", str(tmp_path / "one.png")]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert (printed["pictures"], printed["classes"]) == (1, 6)
    assert printed["difference"] < 1e-4
    assert main(arguments) == 1
    assert "timm is there already" in capsys.readouterr().err
