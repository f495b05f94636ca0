"""Is the same place of another picture the same place?

    python benchmarks/same_place.py [--data DIR] [--checkpoint DIR] [--pairs N] [--write]

`--data` holds whole photographs in folders of species, `points.csv` (path, part, x, y in pixels) and `boxes.csv` (path,
x, y, width, height). Two photographs of one species make a pair; of each key point that is seen in both, is the place
that is found in the second within a tenth of the longer side of its box (PCK@0.1)? Photographs are read whole. Those of
the choosing half (by a hash of their path) have chosen how places are matched, and the sureness from which a match is
drawn; only those of the other half are reported. `--write` puts that sureness into the card of the checkpoint. One JSON
line last. `pck` {"ours", "last" and "mid": the token whose last or mid token is most alike, "position": the same place
of the picture, "warp": each photograph beside itself, turned, scaled and moved, "random_network": the same network with
random weights}: [mean, low, high] with the 95 % bootstrap interval over pairs. Beside them:

  least_sureness   5 % quantile of the sureness of true matches, on the choosing half. No match was fitted to anything,
                   so each is as good as left out
  drawn            of true matches, wrong ones, and points that are hidden in the second photograph (neither they nor
                   what corresponds to them on the other side of the body is seen): the share that is drawn
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # runs from a clone, nothing needs to be installed

import numpy as np
import torch
from PIL import Image

from fgdemo.model.backbone import build_backbone
from fgdemo.model.checkpoint.load import load_classifier
from fgdemo.model.classifier import Classifier
from fgdemo.settings import REPOSITORY
from fgdemo.statistics.bootstrap import SHARE, interval
from fgdemo.values.classification.same_place import Place, at, matches
from fgdemo.values.types import Reading

NEAR = 0.1
RANDOM_PAIRS = 60
WARPS_PER_SIDE = 5
TURN_DEG, SCALE, MOVE = 15.0, 0.15, 0.08
Point = tuple[float, float]
Find = Callable[["Looked", "Looked"], Callable[[Point], Place]]


@dataclass(frozen=True)
class Looked:
    """A photograph as it was read. Points are fractions of it; box: left, top, width, height in pixels."""

    path: str
    size: tuple[int, int]
    box: tuple[float, float, float, float]
    points: dict[str, Point]
    reading: Reading

    @property
    def species(self) -> str:
        return self.path.split("/")[0]

    @property
    def reports(self) -> bool:
        return int(hashlib.sha256(self.path.encode()).hexdigest(), 16) % 2 == 1

    def is_near(self, one: Point, other: Point) -> bool:
        away = np.hypot((one[0] - other[0]) * self.size[0], (one[1] - other[1]) * self.size[1])
        return bool(away <= NEAR * max(self.box[2:]))


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def looked_at(classifier: Classifier, folder: Path) -> list[Looked]:
    points: dict[str, dict[str, tuple[float, float]]] = defaultdict(dict)
    for row in rows_of(folder / "points.csv"):
        points[row["path"]][row["part"]] = (float(row["x"]), float(row["y"]))
    found = []
    for row in rows_of(folder / "boxes.csv"):
        picture = opened(folder / row["path"])
        width, height = picture.size
        placed = {name: (x / width, y / height) for name, (x, y) in points[row["path"]].items()}
        box = (float(row["x"]), float(row["y"]), float(row["width"]), float(row["height"]))
        found.append(Looked(row["path"], (width, height), box, placed, classifier.read(picture)))
        if len(found) % 50 == 0:
            say(f"{len(found)} photographs")
    return found


def opened(path: Path) -> Image.Image:
    with Image.open(path) as file:
        return file.convert("RGB")


def pairs_of(looked: Sequence[Looked], most: int) -> list[tuple[Looked, Looked]]:
    pairs = [(a, b) for a in looked for b in looked if a is not b and a.species == b.species]
    order = np.random.default_rng(0).permutation(len(pairs))[:most]
    return [pairs[row] for row in order]


# --- ways to find a place --------------------------------------------------------------------------------------------


def ours(a: Looked, b: Looked) -> Callable[[Point], Place]:
    found = matches(a.reading, b.reading)
    assert found is not None
    return lambda point: at(found[0], *point)


def most_alike(kept: str) -> Find:
    """By one kind of tokens, from middle to middle."""

    def find(a: Looked, b: Looked) -> Callable[[Point], Place]:
        one, other = (unit(getattr(looked.reading, kept)) for looked in (a, b))
        rows, columns = one.shape[:2]

        def place(point: Point) -> Place:
            token = one[min(int(point[1] * rows), rows - 1), min(int(point[0] * columns), columns - 1)]
            row, column = divmod(int((other @ token).argmax()), other.shape[1])
            return Place((column + 0.5) / other.shape[1], (row + 0.5) / other.shape[0], 0.0)

        return place

    return find


def same_position(a: Looked, b: Looked) -> Callable[[Point], Place]:
    return lambda point: Place(*point, 0.0)


def unit(tokens: np.ndarray) -> np.ndarray:
    return tokens / np.maximum(np.linalg.norm(tokens, axis=-1, keepdims=True), 1e-9)


# --- figures ---------------------------------------------------------------------------------------------------------


def right(find: Find, pairs: Sequence[tuple[Looked, Looked]]) -> list[tuple[int, int]]:
    """Of each pair: how many points are found, and how many there are."""
    found = []
    for a, b in pairs:
        place = find(a, b)
        shared = [(point, b.points[name]) for name, point in a.points.items() if name in b.points]
        hits = sum(b.is_near((one.x, one.y), true) for one, true in ((place(p), t) for p, t in shared))
        found.append((hits, len(shared)))
    return found


def figure(counted: Sequence[tuple[int, int]]) -> list[float]:
    hits, of = np.array([c for c in counted if c[1]], np.float64).T
    told = interval(lambda weights: (weights @ hits) / (weights @ of), len(of), span=SHARE)
    return [round(float(value), 4) for value in told]


def sureness(pairs: Sequence[tuple[Looked, Looked]]) -> dict[str, list[float]]:
    """Of true and wrong matches, and of points that are hidden in the second photograph."""
    told: dict[str, list[float]] = {"true": [], "wrong": [], "hidden": []}
    for a, b in pairs:
        place = ours(a, b)
        for name, point in a.points.items():
            found = place(point)
            if name in b.points:
                told["true" if b.is_near((found.x, found.y), b.points[name]) else "wrong"].append(found.sureness)
            elif other_side(name) not in b.points:
                told["hidden"].append(found.sureness)
    return told


def other_side(name: str) -> str:
    swapped = {"left": "right", "right": "left"}
    return " ".join(swapped.get(word, word) for word in name.split())


def warped(classifier: Classifier, folder: Path, looked: Sequence[Looked]) -> list[tuple[int, int]]:
    """Each photograph beside itself, turned, scaled and moved: points on a grid in its box that both show."""
    generator, found = np.random.default_rng(0), []
    for one in looked:
        width, height = one.size
        turn = np.deg2rad(generator.uniform(-TURN_DEG, TURN_DEG))
        scale = generator.uniform(1 - SCALE, 1 + SCALE)
        move = generator.uniform(-MOVE, MOVE, 2) * (width, height)
        middle = np.array([width, height]) / 2
        forth = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        back = np.linalg.inv(forth)
        start = middle - back @ (middle + move)  # p ↦ back (p − middle − move) + middle
        data = (back[0, 0], back[0, 1], start[0], back[1, 0], back[1, 1], start[1])
        picture = opened(folder / one.path)
        grey = tuple(int(value) for value in np.asarray(picture).mean((0, 1)))
        other = picture.transform(picture.size, Image.Transform.AFFINE, data, Image.Resampling.BICUBIC, fillcolor=grey)
        steps = (np.arange(WARPS_PER_SIDE) + 0.5) / WARPS_PER_SIDE
        spots = [(one.box[0] + x * one.box[2], one.box[1] + y * one.box[3]) for x in steps for y in steps]
        went = {str(k): forth @ (np.array(spot) - middle) + middle + move for k, spot in enumerate(spots)}
        stays = {name: (x / width, y / height) for name, (x, y) in went.items() if 0 <= x < width and 0 <= y < height}
        first = replace(one, points={str(k): (x / width, y / height) for k, (x, y) in enumerate(spots)})
        box = (0.0, 0.0, one.box[2] * scale, one.box[3] * scale)
        second = Looked(one.path, one.size, box, stays, classifier.read(other))
        found += right(ours, [(first, second)])
    return found


def with_random_weights(classifier: Classifier) -> Classifier:
    torch.manual_seed(0)
    return replace(classifier, backbone=build_backbone(classifier.backbone.spec))


def write(checkpoint: Path, least: float, data: Path) -> None:
    path = checkpoint / "card.json"
    card = json.loads(path.read_text(encoding="utf-8"))
    card["same_place"] = {"least_sureness": least}
    card["same_place_from"] = f"true matches of key points on half of the photographs of {data.name}; numbers only"
    path.write_text(json.dumps(card, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=REPOSITORY.parent / "shared" / "data" / "scenes10")
    parser.add_argument("--checkpoint", type=Path, default=REPOSITORY / "checkpoints" / "field-guide")
    parser.add_argument("--pairs", type=int, default=600)
    parser.add_argument("--write", action="store_true", help="put least_sureness into the card of the checkpoint")
    options = parser.parse_args()
    if not ((options.data / "points.csv").is_file() and (options.data / "boxes.csv").is_file()):
        sys.exit(f"same_place: {options.data} holds no points.csv and boxes.csv; name a folder with --data.")
    classifier = load_classifier(options.checkpoint)
    looked = looked_at(classifier, options.data)
    chooses, reports = ([one for one in looked if one.reports == side] for side in (False, True))
    chosen = sureness(pairs_of(chooses, options.pairs))
    least = round(float(np.quantile(chosen["true"], 0.05)), 3)
    pairs = pairs_of(reports, options.pairs)
    ways: dict[str, Find] = {
        "ours": ours,
        "last": most_alike("tokens"),
        "mid": most_alike("mid"),
        "position": same_position,
    }
    pck = {name: figure(right(find, pairs)) for name, find in ways.items()}
    say(json.dumps(pck))
    pck["warp"] = figure(warped(classifier, options.data, reports))
    random, some = with_random_weights(classifier), pairs[:RANDOM_PAIRS]
    again = {one.path: one for pair in some for one in pair}
    read = {path: replace(one, reading=random.read(opened(options.data / path))) for path, one in sorted(again.items())}
    pck["random_network"] = figure(right(ours, [(read[a.path], read[b.path]) for a, b in some]))
    told = sureness(pairs)
    drawn = {name: round(float((np.array(values) >= least).mean()), 4) for name, values in told.items()}
    if options.write:
        write(options.checkpoint, least, options.data)
    line = {
        "pck": pck,
        "least_sureness": least,
        "drawn": drawn,
        "pairs": len(pairs),
        "points": sum(of for _, of in right(same_position, pairs)),
        "photographs": len(reports),
        "checkpoint": classifier.version,
    }
    print(json.dumps(line))


if __name__ == "__main__":
    main()
