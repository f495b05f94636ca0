"""What the maps cost beside a bare forward pass, and whether they are the library's.

    python benchmarks/explain_cost.py [--checkpoint DIR] [--repeats 15]

One JSON line last. Ratios are of medians over rounds in which the ways take turns on the same picture:
  maps_over_forward      what the page uses, (prediction + Grad-CAM of 3 classes + A versus B + evidence of all parts)
                         / bare forward pass; mean pooling and a linear head make all of it arithmetic on the tokens
  spread_over_forward    prediction + outline of the thing + the class map spread by it / bare forward pass
  outline_over_forward   the outline's own share of that
  pair_over_forward      A versus B spread, when it is asked: a pass forward and half of one back / bare forward pass
  headonly_over_forward  prediction + the same four maps by the grad-cam library over the head only / bare forward pass
  plain_over_forward     the same four maps by plain use of the library on the whole model / bare forward pass
  min_correlation        the lowest correlation of any of our maps, of either way, with the library's of the whole model
"""

from __future__ import annotations

import argparse
import copy
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # runs from a clone, nothing needs to be installed

import numpy as np
import torch
from PIL import Image
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.image import scale_cam_image
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget, FinerWeightedTarget
from torch import Tensor, nn

from fgdemo.explain.drawn import outline
from fgdemo.explain.gradcam import Target, gradcam
from fgdemo.explain.pull import pull
from fgdemo.model.checkpoint.load import load_classifier
from fgdemo.model.classifier import Classifier
from fgdemo.model.network import Network
from fgdemo.settings import REPOSITORY
from fgdemo.specimens import SPECIES, draw_specimen
from fgdemo.values.evidence import FINE, contrast_map, pair_spread, split, spread

TIMED = ("forward", "maps", "spread", "outline", "pair", "headonly", "plain")


class WholeModel(nn.Module):
    """What a user of grad-cam has: a trainable model with a layer to hook. (B, 3, S, S) → (B, C)."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = copy.deepcopy(network).requires_grad_(True)
        self.last = nn.Identity()

    def forward(self, pixels: Tensor) -> Tensor:
        features = self.last(self.network.tokens(pixels).permute(0, 3, 1, 2))
        return self.network.logits_from_tokens(features.permute(0, 2, 3, 1))


def questions(classifier: Classifier, pixels: Tensor) -> list[Target]:
    """The three likeliest classes, and the likeliest against the next."""
    with torch.inference_mode():
        ranked = classifier.network(pixels)[0].argsort(descending=True).tolist()
    return [*ranked[:3], (ranked[0], ranked[1])]


def page_maps(classifier: Classifier, pixels: Tensor, targets: list[Target]) -> list[np.ndarray]:
    """Everything the page shows. Grad-CAM is the positive part of the evidence, measured from a zero token."""
    with torch.inference_mode():
        reading = classifier.read_tokens(classifier.network.tokens(pixels))
    rows, columns, _ = reading.evidence.shape
    from_zero = (reading.bias - classifier.network.bias.cpu().numpy()) / (rows * columns)
    maps = []
    for target in targets:
        if isinstance(target, int):
            maps.append(np.maximum(reading.evidence[..., target] + from_zero[target], 0))
        else:
            a, b = target
            contrast = contrast_map(reading.evidence[..., a], reading.evidence[..., b])
            split(contrast, float(reading.bias[a] - reading.bias[b]), reading.assignment[..., :-1])
            maps.append(np.maximum(contrast + from_zero[a] - from_zero[b], 0))
    return maps


def spread_class_map(classifier: Classifier, pixels: Tensor, picture: Image.Image, target: int) -> np.ndarray:
    with torch.inference_mode():
        reading = classifier.read_tokens(*classifier.network.with_mid(pixels))
    thing = outline(reading, picture)
    evidence = reading.evidence[..., target]
    return evidence if thing is None else spread(evidence, thing)


def spread_pair(classifier: Classifier, pixels: Tensor, contrast: np.ndarray, a: int, b: int) -> np.ndarray:
    moves = pull(classifier.network, pixels[0], a, b)
    return contrast if moves is None else pair_spread(contrast, moves, np.ones((FINE, FINE)))


def headonly_maps(classifier: Classifier, pixels: Tensor, targets: list[Target]) -> list[np.ndarray]:
    with torch.inference_mode():
        tokens = classifier.network.tokens(pixels)
        classifier.network.logits_from_tokens(tokens)
    return [gradcam(classifier.network, tokens, target) for target in targets]


def plain_maps(whole: WholeModel, pixels: Tensor, targets: list[Target]) -> list[np.ndarray]:
    maps = []
    for target in targets:
        question = ClassifierOutputTarget(target) if isinstance(target, int) else FinerWeightedTarget(*_pair(target))
        cam: Any = GradCAM(whole, [whole.last])  # its targets are callables, typed as modules
        maps.append(np.asarray(cam(pixels, [question]))[0])
    return maps


def _pair(target: tuple[int, int]) -> tuple[int, list[int], float]:
    return target[0], [target[1]], 1.0


def agreement(ours: list[np.ndarray], plain: list[np.ndarray]) -> list[float]:
    """Correlations after the library's own rescaling; an empty map must be empty in both."""
    found = []
    for mine, theirs in zip(ours, plain, strict=True):
        scaled = np.asarray(scale_cam_image(scale_cam_image(mine[None], (theirs.shape[1], theirs.shape[0]))))[0]
        if mine.max() == 0 or theirs.max() == 0:
            found.append(1.0 if mine.max() == theirs.max() else 0.0)
        else:
            found.append(float(np.corrcoef(scaled.ravel(), theirs.ravel())[0, 1]))
    return found


def milliseconds(function: Callable[[], Any]) -> float:
    start = time.perf_counter()
    function()
    return 1000 * (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, default=REPOSITORY / "checkpoints" / "field-guide")
    parser.add_argument("--repeats", type=int, default=15)
    options = parser.parse_args()
    classifier = load_classifier(options.checkpoint)
    network = classifier.network
    whole = WholeModel(network)
    times: dict[str, list[float]] = {name: [] for name in TIMED}
    correlations: list[float] = []
    for turn in range(-2, options.repeats):  # two rounds to warm up
        specimen = draw_specimen(SPECIES[turn % len(SPECIES)], seed=turn + 2)
        pixels = classifier.pixels(specimen.picture)[None].contiguous(memory_format=torch.channels_last)
        targets = questions(classifier, pixels)

        def forward(pixels: Tensor = pixels) -> Tensor:
            with torch.inference_mode():
                return network(pixels)

        reading = classifier.read(specimen.picture)
        a, b = targets[-1] if isinstance(targets[-1], tuple) else (0, 1)
        contrast = contrast_map(reading.evidence[..., a], reading.evidence[..., b])
        plain = plain_maps(whole, pixels, targets)
        for way in (page_maps, headonly_maps):
            correlations += agreement(way(classifier, pixels, targets), plain)
        forward()  # what ran before has left the caches cold
        took = {
            "forward": milliseconds(forward),
            "maps": milliseconds(lambda p=pixels, t=targets: page_maps(classifier, p, t)),
            "spread": milliseconds(lambda p=pixels, s=specimen.picture, a=a: spread_class_map(classifier, p, s, a)),
            "outline": milliseconds(lambda r=reading, s=specimen.picture: outline(r, s)),
            "pair": milliseconds(lambda p=pixels, c=contrast, a=a, b=b: spread_pair(classifier, p, c, a, b)),
            "headonly": milliseconds(lambda p=pixels, t=targets: headonly_maps(classifier, p, t)),
            "plain": milliseconds(lambda p=pixels, t=targets: plain_maps(whole, p, t)),
        }
        if turn >= 0:
            for name, value in took.items():
                times[name].append(value)
    median = {name: statistics.median(values) for name, values in times.items()}
    print(
        json.dumps(
            {
                "maps_over_forward": round(median["maps"] / median["forward"], 3),
                "spread_over_forward": round(median["spread"] / median["forward"], 3),
                "outline_over_forward": round(median["outline"] / median["forward"], 3),
                "pair_over_forward": round(median["pair"] / median["forward"], 3),
                "headonly_over_forward": round(median["headonly"] / median["forward"], 3),
                "plain_over_forward": round(median["plain"] / median["forward"], 2),
                "min_correlation": round(min(correlations), 5),
                "forward_ms": round(median["forward"], 1),
                "maps_ms": round(median["maps"], 1),
                "plain_ms": round(median["plain"], 1),
                "repeats": options.repeats,
                "threads": torch.get_num_threads(),
                "model": classifier.version,
            }
        )
    )


if __name__ == "__main__":
    main()
