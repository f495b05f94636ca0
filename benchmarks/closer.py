"""A closer look beside the first one: whole scenes, reduced birds, and pictures that need none.

    python benchmarks/closer.py [--data DIR] [--teach DIR] [--pictures DIR] [--checkpoint DIR] [--limit 160] [--draws 3]

`--data` holds whole photographs in folders of species, `boxes.csv` (path, x, y, width, height) and, where they teach,
`points.csv`; species that the model knows are known scenes, the others unknown ones. `--pictures` holds
`<set>/val/<class>/*.jpg`, of which only the half that calibrated nothing is read (`calibrate_closer.py`). Composites
are birds of that half, their edges faded, at a random place of a ground without a bird: the largest part of a
photograph of `--data` beside its box, enlarged. One JSON line last; every figure is [mean, low, high], 95 %.

  box_iou        of the frame with the true box: {"today": foreground of the last tokens, "ours": of the model, parts of
                 birds taught on other photographs, "unseen": on other species}
  top1, false_unknown, forwards
                 {"scenes" (known ones) | "half" | "third" (composites of so much of the side) | "plain":
                 {"glance" | "closer" (as the product does) | "true_box" alone | "five_crops" (mean of corners and
                 middle, 0.8 of the side) | "larger" (256 px)}}; false_unknown: share of known things called unknown
  auroc          of unknown scenes against known ones: {"glance", "closer"}
  less_glance    top-1 of "closer" less that of "glance", paired
  way            of the composites, share of the way from "glance" to "true_box"
  fires          share of pictures that are looked at closer
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import torch
from calibrate_closer import DATA, FIELD_GUIDE, held_out
from closer_boxes import GROUP, box_ious
from PIL import Image

from fgdemo.learn.candidate.two_views import Looks, look, pasted
from fgdemo.learn.measure.evaluate import auroc
from fgdemo.model.calibration import softmax
from fgdemo.model.checkpoint.load import load_classifier
from fgdemo.model.classifier import Classifier
from fgdemo.statistics.bootstrap import mean_interval
from fgdemo.values.classification.closer import is_worth
from fgdemo.values.types import CropBox

ARMS = ("glance", "closer", "true_box", "five_crops", "larger")
LARGER_PX = 256
LARGER_COST = (LARGER_PX / 224) ** 2
FIVE = [
    *(CropBox(left, top, left + 0.8, top + 0.8) for left in (0.0, 0.2) for top in (0.0, 0.2)),
    CropBox(0.1, 0.1, 0.9, 0.9),
]
LEAST_GROUND = 60
"""Pixels of the shorter side of a ground."""


@dataclass(frozen=True)
class Seen:
    """A picture, the class it shows (−1: none that is known), and where it is, if that is known."""

    picture: Image.Image
    label: int
    box: CropBox | None


@dataclass(frozen=True)
class Answers:
    """Of N pictures in one arm: (N, C) raw logits, unknown scores in [0, 1], and their mean passes."""

    raw: np.ndarray
    unknown: np.ndarray
    threshold: np.ndarray
    passes: float


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


class Bench:
    def __init__(self, classifier: Classifier) -> None:
        if classifier.both_views is None:
            sys.exit("closer: this checkpoint takes no closer look; calibrate it first (calibrate_closer.py).")
        self.classifier, self.both = classifier, classifier.both_views
        self.weight, self.bias = classifier.head.linear()

    def raw(self, embeddings: np.ndarray) -> np.ndarray:
        return (embeddings @ self.weight + self.bias).astype(np.float64)

    def answers(self, embeddings: np.ndarray, passes: float) -> Answers:
        """By the calibration of one view."""
        scale, raw = self.classifier.unknown, self.raw(embeddings)
        score = scale(raw.max(1), self.classifier.distances(embeddings))
        return Answers(raw, score, np.full(len(raw), scale.threshold), passes)

    def closer(self, seen: Sequence[Seen], first: Looks) -> tuple[Answers, np.ndarray]:
        """As the product answers, and which were looked at closer."""
        glance = self.answers(first.embeddings, 1.0)
        probs = softmax(glance.raw / self.classifier.calibration.temperature).max(1)
        rows = [row for row, box in enumerate(first.boxes) if box is not None and is_worth(float(probs[row]), box)]
        second = look(self.classifier, [(seen[row].picture, first.boxes[row]) for row in rows])
        means = (first.embeddings[rows] + second.embeddings) / 2
        raw, score, threshold = glance.raw.copy(), glance.unknown.copy(), glance.threshold.copy()
        raw[rows] = self.raw(means)
        score[rows] = self.both.unknown(raw[rows].max(1), self.classifier.distances(means))
        threshold[rows] = self.both.unknown.threshold
        fires = np.zeros(len(seen), bool)
        fires[rows] = True
        return Answers(raw, score, threshold, 1 + float(fires.mean())), fires

    def all(self, seen: Sequence[Seen], arms: Sequence[str]) -> tuple[dict[str, Answers], np.ndarray, Looks]:
        first = look(self.classifier, [(one.picture, None) for one in seen])
        found = {"glance": self.answers(first.embeddings, 1.0)}
        found["closer"], fires = self.closer(seen, first)
        if "true_box" in arms and all(one.box is not None for one in seen):
            true = look(self.classifier, [(one.picture, one.box) for one in seen])
            found["true_box"] = self.answers(true.embeddings, 1.0)
        if "five_crops" in arms:
            five = look(self.classifier, [(one.picture, box) for one in seen for box in FIVE]).embeddings
            found["five_crops"] = self.answers(five.reshape(len(seen), len(FIVE), -1).mean(1), float(len(FIVE)))
        if "larger" in arms:
            found["larger"] = self.answers(self.larger(seen), round(LARGER_COST, 2))
        return found, fires, first

    @torch.inference_mode()
    def larger(self, seen: Sequence[Seen]) -> np.ndarray:
        config = replace(self.classifier.data_config, size_px=LARGER_PX)
        found = []
        for one in seen:
            pixels = config.pixels(one.picture)[None].to(memory_format=torch.channels_last)
            found.append(self.classifier.network.tokens(pixels).mean((1, 2)).float().numpy()[0])
        return np.stack(found)


def figure(values: np.ndarray, span: tuple[float, float] = (0.0, 1.0)) -> list[float]:
    return [round(float(number), 4) for number in mean_interval(values.astype(np.float64), span=span)]


def scenes_of(folder: Path, classifier: Classifier) -> list[Seen]:
    found = []
    with (folder / "boxes.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            with Image.open(folder / row["path"]) as opened:
                picture = opened.convert("RGB")
            left, top, wide, high = (float(row[side]) for side in ("x", "y", "width", "height"))
            width, height = picture.size
            right, bottom = min((left + wide) / width, 1.0), min((top + high) / height, 1.0)
            leaf = classifier.taxonomy.match(row["path"].split("/")[0])
            box = CropBox(max(left / width, 0.0), max(top / height, 0.0), right, bottom)
            found.append(Seen(picture, classifier.taxonomy.leaf_index.get(leaf or "", -1), box))
    return found


def composites(birds: Sequence[tuple[Path, int]], scenes: Sequence[Seen], share: float, seed: int) -> list[Seen]:
    rng = np.random.default_rng(seed)
    grounds = [ground for ground in (beside_box(scene) for scene in scenes) if ground is not None]
    found = []
    for path, label in birds:
        with Image.open(path) as opened:
            bird = opened.convert("RGB")
        side = round(max(bird.size) / share)
        ground = grounds[int(rng.integers(len(grounds)))]
        scale = side / min(ground.size)
        size = (max(side, round(ground.width * scale)), max(side, round(ground.height * scale)))
        left, top = int(rng.integers(size[0] - side + 1)), int(rng.integers(size[1] - side + 1))
        canvas = ground.resize(size, Image.Resampling.BICUBIC).crop((left, top, left + side, top + side))
        found.append(Seen(*_with_label(pasted(bird, canvas, rng), label)))
    return found


def _with_label(made: tuple[Image.Image, CropBox], label: int) -> tuple[Image.Image, int, CropBox]:
    return made[0], label, made[1]


def beside_box(scene: Seen) -> Image.Image | None:
    """The part of a photograph beside its box whose shorter side is longest; None where that is too small."""
    width, height = scene.picture.size
    left, top, right, bottom = scene.box.pixels(width, height) if scene.box else (0, 0, 0, 0)
    parts = [(0, 0, left, height), (right, 0, width, height), (0, 0, width, top), (0, bottom, width, height)]
    best = max(parts, key=lambda part: min(part[2] - part[0], part[3] - part[1]))
    return scene.picture.crop(best) if min(best[2] - best[0], best[3] - best[1]) >= LEAST_GROUND else None


def opened(found: Sequence[tuple[Path, int]]) -> list[Seen]:
    seen = []
    for path, label in found:
        with Image.open(path) as file:
            seen.append(Seen(file.convert("RGB"), label, None))
    return seen


def measured(bench: Bench, options: argparse.Namespace) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    pictures = held_out(options.pictures, bench.classifier, reports=True)
    plain = [pictures[row] for row in np.sort(rng.permutation(len(pictures))[: 2 * options.limit])]
    taxonomy = bench.classifier.taxonomy
    birds = [one for one in pictures if taxonomy.root(taxonomy.leaves[one[1]]) == GROUP]
    birds = [birds[row] for row in rng.permutation(len(birds))[: options.limit]]
    scenes = scenes_of(options.data, bench.classifier)
    known, strange = ([one for one in scenes if (one.label >= 0) is is_known] for is_known in (True, False))
    sets = {
        "scenes": known,
        "half": composites(birds, scenes, 1 / 2, 0),
        "third": composites(birds, scenes, 1 / 3, 1),
        "plain": opened(plain),
    }
    line: dict[str, Any] = {key: {} for key in ("top1", "false_unknown", "forwards", "less_glance", "way", "fires")}
    line["n"] = {**{name: len(seen) for name, seen in sets.items()}, "strange": len(strange)}
    scores: dict[str, np.ndarray] = {}
    for name, seen in sets.items():
        if not seen:
            continue
        found, fires, _ = bench.all(seen, ARMS)
        labels = np.array([one.label for one in seen])
        right = {arm: answers.raw.argmax(1) == labels for arm, answers in found.items()}
        line["top1"][name] = {arm: figure(values) for arm, values in right.items()}
        line["false_unknown"][name] = {arm: figure(one.unknown > one.threshold) for arm, one in found.items()}
        line["forwards"][name] = {arm: round(one.passes, 3) for arm, one in found.items()}
        line["less_glance"][name] = figure(right["closer"].astype(float) - right["glance"], (-1.0, 1.0))
        line["fires"][name] = round(float(fires.mean()), 4)
        if name in ("half", "third"):
            way = {arm: float(right[arm].mean()) for arm in ("glance", "closer", "true_box")}
            line["way"][name] = round((way["closer"] - way["glance"]) / max(way["true_box"] - way["glance"], 1e-9), 3)
        if name == "scenes":
            scores = {arm: found[arm].unknown for arm in ("glance", "closer")}
        say(f"{name}: {json.dumps(line['top1'][name])}, unknown {json.dumps(line['false_unknown'][name])}")
    if strange and scores:
        found, _, _ = bench.all(strange, ())
        line["auroc"] = {arm: round(auroc(one, found[arm].unknown), 4) for arm, one in scores.items()}
    return line


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA / "scenes10")
    parser.add_argument("--teach", type=Path, default=DATA / "scenes10")
    parser.add_argument("--pictures", type=Path, default=DATA)
    parser.add_argument("--checkpoint", type=Path, default=FIELD_GUIDE)
    parser.add_argument("--limit", type=int, default=160, help="composites of each size; twice as many plain ones")
    parser.add_argument("--draws", type=int, default=3, help="of species that are left out of teaching")
    options = parser.parse_args()
    if not (options.data / "boxes.csv").is_file():
        sys.exit(f"closer: {options.data} holds no boxes.csv; name a folder with --data.")
    bench = Bench(load_classifier(options.checkpoint))
    line = measured(bench, options)
    line["box_iou"] = box_ious(bench.classifier, options.data, options.teach, options.draws)
    print(json.dumps({**line, "checkpoint": bench.classifier.version}))


if __name__ == "__main__":
    main()
