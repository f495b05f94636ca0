"""Calibrate a closer look on held-out pictures, made small on a blurred ground so that there is something to look at.

Pictures that people teach with are tight: hardly any is unsure and shows a small thing. So each held-out picture is
also pasted, its edges faded, at a random place of a canvas two to three times as wide, which another picture fills out
of focus. Those for which the rule of `fgdemo.values.classification.closer` holds tell the temperature of both views,
prediction sets, the probability to be sure at, and quantiles of what is unknown.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image, ImageFilter

from fgdemo.learn.measure.evaluate import choose_sure_prob
from fgdemo.model.calibration import conformal_prob, fit_temperature, softmax
from fgdemo.model.classifier import Classifier
from fgdemo.model.closer.two_views import CloserCalibration
from fgdemo.values.batches import batches
from fgdemo.values.classification.closer import frames_of, is_worth
from fgdemo.values.progress import Progress, no_progress
from fgdemo.values.types import CropBox

MOST = 160
"""Pictures that are looked at, drawn at random."""
FEWEST = 40
"""With fewer for which the rule holds nothing is calibrated, and no closer look is taken."""
SHARES = (1 / 3, 1 / 2)
"""The side of a picture on its canvas, as a share of it, is between these."""
OUT_OF_FOCUS = 0.06
"""Standard deviation of the blur, in sides of the canvas."""
FADED = 0.08
"""Of the side of a picture, along its edges."""


@dataclass(frozen=True)
class Looks:
    """What a classifier sees in N pictures: (N, D) pooled tokens, and where they seem to be looked at closer."""

    embeddings: np.ndarray
    boxes: list[CropBox | None]


def calibrated(
    classifier: Classifier,
    pixels: np.ndarray,
    labels: np.ndarray,
    *,
    most: int = MOST,
    seed: int = 0,
    progress: Progress = no_progress,
) -> CloserCalibration | None:
    """From `most` of (N, S, S, 3) held-out pictures with class indices (N,); None where they say too little."""
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(pixels))[:most]
    if len(rows) < FEWEST:
        return None
    linear = classifier.head.linear()
    found: list[tuple[np.ndarray, int]] = []
    for done, some in enumerate(batches(rows.tolist(), 16)):
        small = [zoomed_out(pixels[row], pixels[rng.choice(rows)], rng) for row in some]
        scenes = [*small, *(Image.fromarray(pixels[row]) for row in some)]
        found += both_embedded(classifier, scenes, np.tile(labels[some], 2), linear)
        progress("looking closer", min(16 * (done + 1), len(rows)), len(rows))
    if len(found) < FEWEST:
        return None
    embeddings, right = np.stack([one for one, _ in found]), np.array([label for _, label in found])
    weight, bias = linear
    return fitted(classifier, embeddings @ weight + bias, right)


def fitted(classifier: Classifier, raw: np.ndarray, labels: np.ndarray) -> CloserCalibration:
    """From (N, C) raw logits, each the mean of two views."""
    temperature = fit_temperature(raw.astype(np.float64), labels)
    probs = softmax(raw.astype(np.float64) / temperature)
    return CloserCalibration(
        temperature=temperature,
        set_prob=conformal_prob(probs, labels, classifier.coverage),
        sure_prob=choose_sure_prob(probs, labels, classifier.taxonomy),
        unknown=classifier.unknown,  # pictures made small are strange themselves: by them strangers look familiar
        pictures=len(labels),
    )


def both_embedded(
    classifier: Classifier, scenes: Sequence[Image.Image], labels: np.ndarray, linear: tuple[np.ndarray, np.ndarray]
) -> list[tuple[np.ndarray, int]]:
    """The mean embedding of both views of those scenes for which a closer look is worth it, with their labels.
    `linear`: of the head (`RidgeHead.linear`), which solves it.
    """
    first = look(classifier, [(scene, None) for scene in scenes])
    weight, bias = linear
    probs = softmax((first.embeddings @ weight + bias).astype(np.float64) / classifier.calibration.temperature).max(1)
    chosen = [row for row, box in enumerate(first.boxes) if box is not None and is_worth(float(probs[row]), box)]
    second = look(classifier, [(scenes[row], first.boxes[row]) for row in chosen])
    means = (first.embeddings[chosen] + second.embeddings) / 2
    return [(mean, int(labels[row])) for mean, row in zip(means, chosen, strict=True)]


@torch.inference_mode()
def look(classifier: Classifier, views: Sequence[tuple[Image.Image, CropBox | None]]) -> Looks:
    """Pictures, or the parts of them in their boxes, as the classifier sees them."""
    network, taxonomy = classifier.network, classifier.taxonomy
    embeddings, boxes = [np.empty((0, classifier.embedding_dim), np.float32)], list[CropBox | None]()
    for some in batches(views, classifier.backbone.pass_size):
        batch = torch.stack([classifier.pixels(picture, box) for picture, box in some])
        tokens, mid = network.with_mid(batch.to(classifier.device, memory_format=torch.channels_last))
        for row, leaf in enumerate(network.logits_from_tokens(tokens).argmax(1).tolist()):
            group = classifier.parts.group_of(taxonomy.root(taxonomy.leaves[leaf]))
            frames = frames_of(network.parts.where(tokens[row], mid[row], group).cpu().numpy())
            boxes.append(None if frames is None else frames.box)
        embeddings.append(tokens.mean((1, 2)).float().cpu().numpy())
    return Looks(np.concatenate(embeddings), boxes)


def zoomed_out(pixels: np.ndarray, ground: np.ndarray, rng: np.random.Generator) -> Image.Image:
    """A picture (S, S, 3) at a random place of a canvas that another one fills out of focus; its own pixels stay."""
    side = round(len(pixels) / rng.uniform(*SHARES))
    canvas = Image.fromarray(ground).resize((side, side), Image.Resampling.BICUBIC)
    canvas = canvas.filter(ImageFilter.GaussianBlur(OUT_OF_FOCUS * side))
    return pasted(Image.fromarray(pixels), canvas, rng)[0]


def pasted(picture: Image.Image, canvas: Image.Image, rng: np.random.Generator) -> tuple[Image.Image, CropBox]:
    """The canvas with the picture at a random place, its edges faded, and where that is."""
    (width, height), (across, down) = picture.size, canvas.size
    left, top = int(rng.integers(across - width + 1)), int(rng.integers(down - height + 1))
    edge = round(FADED * min(width, height))
    mask = Image.new("L", picture.size)
    mask.paste(255, (edge, edge, width - edge, height - edge))
    whole = canvas.copy()
    whole.paste(picture, (left, top), mask.filter(ImageFilter.GaussianBlur(edge / 2)))
    return whole, CropBox(left / across, top / down, (left + width) / across, (top + height) / down)
