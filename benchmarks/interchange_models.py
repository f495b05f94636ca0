"""Models for other programs, in `interchange.py`: timm and ONNX Runtime beside fgdemo on the same pictures."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from interchange_truth import KINDS, PICTURES, Score
from PIL import Image

from fgdemo.learn.candidate.fit import fit_classifier, label_indices
from fgdemo.learn.data.pictures import Pictures
from fgdemo.model.classifier import Classifier
from fgdemo.model.exporting.to_onnx import to_onnx
from fgdemo.model.exporting.to_timm import to_timm
from fgdemo.specimens import SPECIES, draw_specimen
from fgdemo.values.taxonomy import Taxon, Taxonomy
from tests.support.tiny import tiny_backbone

SIZE_PX = 64


def timm_there(root: Path) -> Score:
    """A vision transformer of another size than its own, loaded by timm, which prepares the pictures by itself."""
    import timm
    import torch
    from timm.data.config import resolve_data_config
    from timm.data.transforms_factory import create_transform

    classifier = _classifier("test_vit")
    to_timm(classifier, root / "timm", _pictures()[:4])
    model: Any = timm.create_model(f"local-dir:{root / 'timm'}", pretrained=True).eval()
    prepare: Any = create_transform(**resolve_data_config(model=model))
    described, names = model.pretrained_cfg["label_descriptions"], model.pretrained_cfg["label_names"]
    with torch.inference_mode():
        said = [described[names[int(model(prepare(picture)[None]).argmax())]] for picture in _pictures()]
    return _score(classifier, said)


def onnx_there(root: Path) -> Score:
    import onnxruntime

    classifier = _classifier("test_resnet")
    to_onnx(classifier, root / "birds.onnx", _pictures()[:4])
    session = onnxruntime.InferenceSession(str(root / "birds.onnx"), providers=["CPUExecutionProvider"])
    about = session.get_modelmeta().custom_metadata_map
    names, size = json.loads(about["labels"]), int(about["size_px"])
    how = Image.Resampling[about["interpolation"].upper()]
    batch = np.stack([np.asarray(picture.resize((size, size), how), np.float32) / 255 for picture in _pictures()])
    (logits,) = session.run(None, {"pixels": batch.transpose(0, 3, 1, 2)})
    return _score(classifier, [names[at] for at in np.asarray(logits).argmax(1)])


def _score(classifier: Classifier, said: list[str]) -> Score:
    """Right is what the other program calls by the name of the kind that fgdemo gives."""
    leaves = classifier.taxonomy.leaves
    ours = [leaves[int(np.argmax(classifier.read(picture).logits))] for picture in _pictures()]
    right = sum(classifier.taxonomy[leaf].name == name for leaf, name in zip(ours, said, strict=True))
    return Score(len(said), right, None, len(said) - right)


def _pictures() -> list[Image.Image]:
    return [draw_specimen(SPECIES[n % len(SPECIES)], 4000 + n, (72, 64)).picture for n in range(PICTURES)]


def _classifier(backbone: str) -> Classifier:
    kinds = [Taxon(f"k{number}", name) for number, name in enumerate(KINDS)]
    pixels = [np.asarray(picture.resize((SIZE_PX, SIZE_PX))) for picture in _pictures() + _pictures()]
    labels = tuple(kinds[number % len(kinds)].id for number in range(len(pixels)))
    splits = tuple("val" if number >= PICTURES else "train" for number in range(len(pixels)))
    listed = Pictures(np.stack(pixels), tuple(map(str, range(len(pixels)))), labels, splits, ())
    network, config = tiny_backbone(backbone, SIZE_PX)
    taxonomy = Taxonomy(tuple(kinds))
    fitted = fit_classifier(
        network,
        config,
        listed,
        label_indices(labels, taxonomy),
        taxonomy,
        name="birds",
        trained=False,
        parts_per_group=2,
    )
    return fitted.classifier
