"""Does the outline of the thing stay on the thing?

    python benchmarks/outlines.py [--data DIR] [--masks DIR] [--checkpoint DIR] [--choosing]

`--data` holds whole photographs with `boxes.csv` and `points.csv`, as for taught_parts.py, and `--masks` pictures with
foreground masks (`<split>/<class>/*.jpg`, `masks/<same name>.png`). The outline grows from a seed, by colours
(`fgdemo/explain/silhouette.py`). Seeds: "last" by the last tokens, "mid" by mid tokens, "taught" by parts that points
taught, "both" the mean of the log-odds of these two, as `fgdemo.model.parts.PartModel.where` has it.

Which seed is taken was chosen on half of the photographs (by a hash of their path) and on train pictures with masks
(`--choosing` measures those); the figures are of the other half and of val. Parts are taught anew from the points of
the half that is not measured, and from our own. One JSON line last, every figure [mean, low, high] with the bootstrap
95 % interval over pictures:

  outside        {seed: share of the outlined area that lies outside the true box}; low is good
  outside_small  the same, of boxes under a quarter of the picture
  box_iou        {seed: IoU of the box around the largest piece of the outline with the true one}; box_iou_small
  map_outside    {seed: share of the class map, as it is drawn, that lies outside the box}
  mask_iou, mask_precision   {seed: outline against the mask}
  less_taught    {figure: "both" less "taught", paired}
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import torch
from PIL import Image
from scipy.ndimage import find_objects, label
from taught_parts import looked_at
from teach_field_guide import CALLED, DATA, files_of, own_points

from fgdemo.explain.silhouette import silhouette
from fgdemo.learn.live.teaching import TaughtPicture, views_of
from fgdemo.model.checkpoint.load import load_classifier
from fgdemo.model.classifier import Classifier
from fgdemo.model.parts import PartModel
from fgdemo.model.taught.fitting import TaughtView, fit_taught
from fgdemo.settings import REPOSITORY
from fgdemo.statistics.bootstrap import mean_interval
from fgdemo.values.evidence import FINE, spread

BIRD, MASKED = "bird", "butterfly"
SMALL = 0.25
SIDE_PX = 224
SEEDS = ("last", "mid", "taught", "both")

Found = dict[str, dict[str, list[float]]]
"""figure → seed → one value a picture."""


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Seeded:
    """A picture with the four seeds of its outline, and the (h, w) evidence for its likeliest class."""

    picture: Image.Image
    seeds: dict[str, np.ndarray]
    evidence: np.ndarray


def read(path: Path) -> Image.Image:
    with Image.open(path) as opened:
        return opened.convert("RGB")


@torch.inference_mode()
def seeded(classifier: Classifier, parts: PartModel, path: Path, group: str) -> Seeded:
    """`parts`: what tells where the thing is."""
    picture, network = read(path), classifier.network
    tokens, mid = network.with_mid(classifier.pixels(picture)[None])
    answer = int(network.logits_from_tokens(tokens)[0].argmax())
    found = {
        "last": parts.foreground(tokens, group),
        "mid": replace(parts, taught=()).where(tokens, mid, group),
        "taught": replace(parts, mid_ground=None).where(tokens, mid, group),
        "both": parts.where(tokens, mid, group),
    }
    seeds = {name: seed[0].numpy() for name, seed in found.items()}
    return Seeded(picture, seeds, network.evidence(tokens)[0, ..., answer].numpy())


def box_of(mask: np.ndarray) -> np.ndarray:
    """The box around the largest piece, as a mask."""
    pieces = np.zeros(mask.shape, np.int32)
    label(mask, output=pieces)
    around = np.zeros_like(mask)
    if pieces.any():
        around[find_objects(pieces)[int(np.bincount(pieces.ravel())[1:].argmax())]] = True
    return around


def iou(one: np.ndarray, other: np.ndarray) -> float:
    return float((one & other).sum() / max((one | other).sum(), 1))


def on_scene(one: Seeded, box: tuple[float, ...]) -> Found:
    """`box`: left, top, width and height in pixels."""
    (width, height), (left, top, wide, high) = one.picture.size, box
    x, y = ((np.arange(FINE) + 0.5) / FINE * side for side in (width, height))
    true = ((y >= top) & (y <= top + high))[:, None] & ((x >= left) & (x <= left + wide))
    found: Found = {}
    for name, seed in one.seeds.items():
        share = silhouette(seed, one.picture)
        thing = np.full((FINE, FINE), 0.5) if share is None else share
        outline, drawn = thing > 0.5, np.maximum(spread(one.evidence, thing), 0)
        figures = {
            "outside": float((outline & ~true).sum() / max(outline.sum(), 1)),
            "box_iou": iou(box_of(outline), true),
            "map_outside": float((drawn * ~true).sum() / max(drawn.sum(), 1e-9)),
        }
        if true.mean() < SMALL:
            figures |= {f"{key}_small": figures[key] for key in ("outside", "box_iou")}
        for key, value in figures.items():
            found.setdefault(key, {})[name] = [value]
    return found


def on_mask(one: Seeded, path: Path) -> Found:
    with Image.open(path) as drawn:
        mask = np.asarray(drawn.resize((SIDE_PX, SIDE_PX), Image.Resampling.NEAREST)) > 0
    found: Found = {"mask_iou": {}, "mask_precision": {}}
    for name, seed in one.seeds.items():
        share = silhouette(seed, one.picture)
        thing = np.zeros((FINE, FINE)) if share is None else share
        fine = Image.fromarray(thing.astype(np.float32)).resize((SIDE_PX, SIDE_PX), Image.Resampling.BICUBIC)
        outline = np.asarray(fine) > 0.5
        found["mask_iou"][name] = [iou(outline, mask)]
        found["mask_precision"][name] = [float((outline & mask).sum() / max(outline.sum(), 1))]
    return found


def our_views(classifier: Classifier, files: dict[str, Path]) -> list[TaughtView]:
    """Those of our own birds."""
    views: list[TaughtView] = []
    for name, points in own_points().items():
        leaf = classifier.taxonomy.match(files[name].parent.name)
        if leaf and classifier.parts.group_of(classifier.taxonomy.root(leaf)) == BIRD:
            placed = tuple(replace(point, part=CALLED.get(point.part, point.part)) for point in points)
            views += views_of(classifier, TaughtPicture(read(files[name]), placed), BIRD)
    return views


def scenes(classifier: Classifier, folder: Path, files: dict[str, Path], choosing: bool) -> list[Found]:
    looked = looked_at(classifier, folder, BIRD)
    views = [view for one in looked if one.reports == choosing for view in one.views] + our_views(classifier, files)
    names = tuple(dict.fromkeys(point.part for view in views for point in view.points if point.is_seen))
    parts = classifier.parts
    taught = fit_taught(views, BIRD, names, parts.mean, parts.projection)
    parts = replace(parts, taught=(taught,))
    with (folder / "boxes.csv").open(encoding="utf-8", newline="") as file:
        boxes = {r["path"]: tuple(float(r[k]) for k in ("x", "y", "width", "height")) for r in csv.DictReader(file)}
    measured = [one.path for one in looked if one.reports != choosing]
    return [on_scene(seeded(classifier, parts, folder / path, BIRD), boxes[path]) for path in measured]


def masked(classifier: Classifier, folder: Path, files: dict[str, Path], choosing: bool) -> list[Found]:
    taught, found = set(files.values()), []
    for path in sorted(folder.glob("train/*/*.jpg" if choosing else "val/*/*.jpg")):
        mask = folder / "masks" / f"{path.stem}.png"
        if mask.is_file() and path not in taught:
            found.append(on_mask(seeded(classifier, classifier.parts, path, MASKED), mask))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA / "scenes10")
    parser.add_argument("--masks", type=Path, default=DATA / "butterflies10")
    parser.add_argument("--checkpoint", type=Path, default=REPOSITORY / "checkpoints" / "field-guide")
    parser.add_argument("--choosing", action="store_true", help="measure the pictures that chose")
    options = parser.parse_args()
    if not ((options.data / "boxes.csv").is_file() and (options.masks / "masks").is_dir()):
        sys.exit(f"outlines: {options.data} holds no boxes.csv, or {options.masks} no masks; see --help.")
    classifier = load_classifier(options.checkpoint)
    files = files_of(DATA, set(own_points()))
    of_scenes = scenes(classifier, options.data, files, options.choosing)
    say(f"{len(of_scenes)} photographs")
    of_masks = masked(classifier, options.masks, files, options.choosing)
    values: Found = {}
    for found in [*of_scenes, *of_masks]:
        for figure, seeds in found.items():
            for name, one in seeds.items():
                values.setdefault(figure, {}).setdefault(name, []).extend(one)
    line: dict[str, object] = {
        figure: {name: _interval(np.array(seeds[name])) for name in SEEDS} for figure, seeds in values.items()
    }
    line["less_taught"] = {
        figure: _interval(np.array(seeds["both"]) - np.array(seeds["taught"])) for figure, seeds in values.items()
    }
    print(json.dumps({**line, "scenes": len(of_scenes), "masks": len(of_masks), "model": classifier.version}))


def _interval(values: np.ndarray) -> list[float]:
    return [round(value, 4) for value in mean_interval(values)]


if __name__ == "__main__":
    main()
