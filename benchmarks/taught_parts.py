"""Is the part that stands under a key point the part that people say it is, in pictures that did not teach?

    python benchmarks/taught_parts.py [--data DIR] [--teach DIR] [--checkpoint DIR] [--draws N]

`--data` holds photographs in folders of species, `points.csv` (path, part, x, y in pixels, as Caltech-UCSD Birds names
its fifteen points) and `boxes.csv` (path, x, y, width, height). Of the points come eleven parts, see `PARTS`. Pictures
are cropped to the box and a tenth around it. `--teach` holds the pictures that teach. Without it `--data` teaches too,
and no picture is tested by what it taught: for "all" in six folds, for 10 and 40 on the pictures that were not drawn.
Then only pictures of the reporting half are tested (by a hash of their path), because the other half chose the penalty,
the views and the features. One JSON line last. `accuracy` and `nmi` (of found and true part over all points), each
{"10" | "40" | "all": so many teaching pictures, "unseen": none of three species that are tested, drawn anew each time,
"clusters": found without points, each called what it is most often, "last": as "all", from the last tokens alone}:
[mean, low, high] with the 95 % bootstrap interval over pictures and draws. A point that is called background counts as
wrong. A part is read off at the point: between the tokens, by the logarithms of the shares, as the page draws them (it
smooths by cubes, this is linear). Beside them:

  at_tokens    accuracy where the token that the point lies in is asked instead
  background   share of points that are called background ("all")
  parts        accuracy of each part ("all")
  fit_s        seconds to fit ten pictures, and all
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from fgdemo.learn.live.teaching import TaughtPicture, views_of
from fgdemo.model.checkpoint.load import load_classifier
from fgdemo.model.classifier import Classifier
from fgdemo.model.parts import fit_parts
from fgdemo.model.taught.fitting import TaughtView, fit_taught
from fgdemo.model.taught.shares import TaughtParts, at_points
from fgdemo.settings import REPOSITORY
from fgdemo.values.points import PlacedPoint
from fgdemo.values.types import CropBox

PARTS = {
    "crown": ("crown", "forehead"),
    "nape": ("nape",),
    "bill": ("beak",),
    "face": ("left eye", "right eye"),
    "throat": ("throat",),
    "breast": ("breast",),
    "belly": ("belly",),
    "back": ("back",),
    "wing": ("left wing", "right wing"),
    "tail": ("tail",),
    "leg": ("left leg", "right leg"),
}
NAMES = tuple(PARTS)
CALLED = {point: name for name, points in PARTS.items() for point in points}
FOLDS = 6
LEFT_OUT = 3
"""Species of which nothing teaches."""
RESAMPLES = 1000
FAINTEST = 1e-3
"""The page gets shares with three digits; it draws the parts by their logarithms, and less than this is this."""


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Looked:
    """A photograph as the classifier saw it: `views` teach, the first of them is tested."""

    path: str
    species: str
    views: list[TaughtView]

    @property
    def reports(self) -> bool:
        return int(hashlib.sha256(self.path.encode()).hexdigest(), 16) % 2 == 1

    @property
    def true(self) -> np.ndarray:
        return np.array([NAMES.index(point.part) for point in self.views[0].points])


@dataclass(frozen=True)
class Found:
    """What was found under the points of one picture in one draw: numbers of parts, `len(NAMES)` for background."""

    path: str
    true: np.ndarray
    found: np.ndarray
    at_tokens: np.ndarray


def rows_of(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def looked_at(classifier: Classifier, folder: Path, group: str) -> list[Looked]:
    points: dict[str, list[tuple[str, float, float]]] = defaultdict(list)
    for row in rows_of(folder / "points.csv"):
        if row["part"] in CALLED:
            points[row["path"]].append((CALLED[row["part"]], float(row["x"]), float(row["y"])))
    found = []
    for row in rows_of(folder / "boxes.csv"):
        with Image.open(folder / row["path"]) as opened:
            picture = opened.convert("RGB")
        width, height = picture.size
        left, top, wide, high = (float(row[side]) for side in ("x", "y", "width", "height"))
        box = CropBox(
            max(left / width, 0.0),
            max(top / height, 0.0),
            min((left + wide) / width, 1.0),
            min((top + high) / height, 1.0),
        )
        placed = tuple(
            PlacedPoint(part, min(max(x / width, 0.0), 1.0), min(max(y / height, 0.0), 1.0))
            for part, x, y in points[row["path"]]
        )
        views = views_of(classifier, TaughtPicture(picture, placed, box), group)
        found.append(Looked(row["path"], row["path"].split("/")[0], views))
        if len(found) % 50 == 0:
            say(f"{len(found)} pictures of {folder.name}")
    return found


def under_points(shares: Tensor, view: TaughtView) -> tuple[np.ndarray, np.ndarray]:
    """(h, w, K + 1) → the numbers of the parts under the points of the view, as drawn and at the tokens."""
    x, y = (torch.tensor([getattr(point, side) for point in view.points]) for side in ("x", "y"))
    rows, columns = shares.shape[:2]
    drawn = at_points(shares.round(decimals=3).clamp_min(FAINTEST).log(), x, y)
    token = shares[(y * rows).long().clamp_max(rows - 1), (x * columns).long().clamp_max(columns - 1)]
    return drawn.argmax(-1).numpy(), token.argmax(-1).numpy()


class Bench:
    def __init__(self, classifier: Classifier, group: str, teach: list[Looked], test: list[Looked], same: bool) -> None:
        self.classifier, self.group, self.same = classifier, group, same
        self.teach = teach
        self.test = [one for one in test if one.reports] if same else test

    def fitted(self, pictures: Sequence[Looked], only_last: bool = False) -> TaughtParts:
        views = [without_mid(view) if only_last else view for one in pictures for view in one.views]
        parts = self.classifier.parts
        return fit_taught(views, self.group, NAMES, parts.mean, parts.projection)

    def found(self, pictures: Sequence[Looked], test: Sequence[Looked], only_last: bool = False) -> list[Found]:
        """What those teach, found in these."""
        taught = self.fitted(pictures, only_last)
        found = []
        for one in test:
            view = without_mid(one.views[0]) if only_last else one.views[0]
            found.append(Found(one.path, one.true, *under_points(taught.shares(view.tokens, view.mid), view)))
        return found

    def drawn(self, count: int, draw: int) -> list[Found]:
        order = np.random.default_rng((count, draw)).permutation(len(self.teach))[:count]
        taught = {self.teach[row].path for row in order} if self.same else set()
        return self.found([self.teach[row] for row in order], [one for one in self.test if one.path not in taught])

    def all(self, only_last: bool = False) -> list[Found]:
        if not self.same:
            return self.found(self.teach, self.test, only_last)
        order = np.random.default_rng(0).permutation(len(self.test))
        found = []
        for rows in np.array_split(order, FOLDS):
            tested = [self.test[row] for row in rows]
            paths = {one.path for one in tested}
            found += self.found([one for one in self.teach if one.path not in paths], tested, only_last)
        return found

    def unseen(self, draw: int) -> list[Found]:
        species = sorted({one.species for one in self.test})
        left_out = set(np.random.default_rng(draw).permutation(species)[:LEFT_OUT].tolist())
        return self.found(
            [one for one in self.teach if one.species not in left_out],
            [one for one in self.test if one.species in left_out],
        )

    def clusters(self) -> list[Found]:
        """Found without points in the pictures that teach; each called what it is most often where it is tested."""
        tokens = torch.stack([one.views[0].tokens for one in self.teach])
        weight = torch.from_numpy(self.classifier.head.linear()[0]).float()
        parts, found = fit_parts({self.group: tokens}, weight), []
        for one in self.test:
            view = one.views[0]
            found.append((one, under_points(parts.assign(view.tokens, self.group), view)))
        count = len(parts.of_group(self.group))
        table = np.zeros((count + 1, len(NAMES)), int)
        for one, (drawn, _) in found:
            np.add.at(table, (drawn, one.true), 1)
        names = np.append(table[:-1].argmax(1), len(NAMES))
        return [Found(one.path, one.true, names[drawn], names[token]) for one, (drawn, token) in found]


def without_mid(view: TaughtView) -> TaughtView:
    return replace(view, mid=torch.ones_like(view.mid[..., :1]))


def nmi(one: np.ndarray, other: np.ndarray) -> float:
    """Mutual information over the mean of both entropies, in [0, 1]; 1 is the same partition."""
    table = np.zeros((one.max() + 1, other.max() + 1))
    np.add.at(table, (one, other), 1)
    joint = table / table.sum()
    entropies = [-float((p[p > 0] * np.log(p[p > 0])).sum()) for p in (joint, joint.sum(0), joint.sum(1))]
    mean = (entropies[1] + entropies[2]) / 2
    return (entropies[1] + entropies[2] - entropies[0]) / mean if mean else 1.0


def figures(draws: Sequence[Sequence[Found]]) -> dict[str, list[float]]:
    """Accuracy, NMI and accuracy at tokens, each [mean, low, high]."""

    def of(pictures: Sequence[Found]) -> tuple[float, float, float]:
        true, found, token = (np.concatenate([getattr(p, n) for p in pictures]) for n in ("true", "found", "at_tokens"))
        return float((true == found).mean()), nmi(true, found), float((true == token).mean())

    generator = np.random.default_rng(0)
    resampled = []
    for draw in draws:
        for _ in range(max(1, RESAMPLES // len(draws))):
            resampled.append(of([draw[row] for row in generator.integers(0, len(draw), len(draw))]))
    means = np.mean([of(draw) for draw in draws], axis=0)
    low, high = np.quantile(resampled, [0.025, 0.975], axis=0)
    names = ("accuracy", "nmi", "at_tokens")
    return {name: [round(float(v[k]), 4) for v in (means, low, high)] for k, name in enumerate(names)}


def measured(bench: Bench, draws: int) -> dict[str, object]:
    every = bench.all()
    found = {
        "10": [bench.drawn(10, draw) for draw in range(draws)],
        "40": [bench.drawn(40, draw) for draw in range(draws)],
        "all": [every],
        "unseen": [bench.unseen(draw) for draw in range(draws)],
        "clusters": [bench.clusters()],
        "last": [bench.all(only_last=True)],
    }
    told = {name: figures(one) for name, one in found.items()}
    say(json.dumps({name: one["accuracy"] for name, one in told.items()}))
    true, told_part = (np.concatenate([getattr(one, name) for one in every]) for name in ("true", "found"))
    seconds = []
    for some in (bench.teach[:10], bench.teach):
        started = time.perf_counter()
        bench.fitted(some)
        seconds.append(round(time.perf_counter() - started, 2))
    return {
        **{key: {name: one[key] for name, one in told.items()} for key in ("accuracy", "nmi", "at_tokens")},
        "background": round(float((told_part == len(NAMES)).mean()), 4),
        "parts": {name: round(float((told_part == k)[true == k].mean()), 3) for k, name in enumerate(NAMES)},
        "fit_s": seconds,
        "draws": draws,
        "teaching_pictures": len(bench.teach),
        "tested_pictures": len(bench.test),
        "tested_points": len(true),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=REPOSITORY.parent / "shared" / "data" / "scenes10")
    parser.add_argument("--teach", type=Path, help="the pictures that teach, if others")
    parser.add_argument("--checkpoint", type=Path, default=REPOSITORY / "checkpoints" / "field-guide")
    parser.add_argument("--group", default="bird", help="the group of the checkpoint whose parts are taught")
    parser.add_argument("--draws", type=int, default=5)
    options = parser.parse_args()
    for folder in [options.data, *([options.teach] if options.teach else [])]:
        if not ((folder / "points.csv").is_file() and (folder / "boxes.csv").is_file()):
            sys.exit(f"taught_parts: {folder} holds no points.csv and boxes.csv; name a folder with --data.")
    classifier = load_classifier(options.checkpoint)
    test = looked_at(classifier, options.data, options.group)
    same = options.teach is None or options.teach.resolve() == options.data.resolve()
    teach = looked_at(classifier, options.teach or options.data, options.group) if not same else test
    bench = Bench(classifier, options.group, teach, test, same)
    print(json.dumps({**measured(bench, max(1, options.draws)), "checkpoint": classifier.version}))


if __name__ == "__main__":
    main()
