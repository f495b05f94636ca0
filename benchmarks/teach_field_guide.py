"""Teach the bundled model the parts of birds, dogs and butterflies.

    python benchmarks/teach_field_guide.py [--teach DIR] [--pictures DIR] [--checkpoint DIR] [--out DIR]

Whole photographs with key points and boxes teach birds (`--teach`, as `--data` of taught_parts.py), and so do points of
our own on pictures of other families; dogs and butterflies are taught by our own. Those lie beside the checkpoint in
`field-guide.points.csv`: the SHA-256 of a picture, a part, and x and y as fractions of the picture. The pictures are
looked for below `--pictures`; only weights of parts enter the checkpoint, and no answer changes. One JSON line last:
of each group how many pictures taught, and of each part [found, placed] on our own pictures that were left out.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import sys
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from PIL import Image
from taught_parts import looked_at

from fgdemo.learn.live.teaching import TaughtPicture, found_left_out, views_of, with_parts
from fgdemo.model.checkpoint.load import load_classifier, save_classifier
from fgdemo.model.taught.fitting import lesson_of, taught_by
from fgdemo.settings import REPOSITORY
from fgdemo.values.points import PlacedPoint

DATA = REPOSITORY.parent / "shared" / "data"
POINTS = REPOSITORY / "checkpoints" / "field-guide.points.csv"
CALLED = {"eye": "face"}
"""Of birds: a place of the grid is larger than an eye."""
NOT_FOUND = {"dog": {"tail"}}
"""Of ten tails none was found by what the other pictures teach: it is background."""
DESCRIBED_BY = 60
FROM = {
    "scenes": "key points of {scenes} whole photographs of ten species of Caltech-UCSD Birds-200-2011, and ",
    "own": "{points} points of ours on {pictures} pictures (field-guide.points.csv); weights only",
}


def own_points() -> dict[str, list[PlacedPoint]]:
    found: dict[str, list[PlacedPoint]] = defaultdict(list)
    with POINTS.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            found[row["picture"]].append(PlacedPoint(row["part"], float(row["x"]), float(row["y"])))
    return found


def files_of(pictures: Path, wanted: set[str]) -> dict[str, Path]:
    """The file of each picture, by its hash."""
    found = {}
    for path in sorted(pictures.glob("*/train/*/*.jpg")):
        name = hashlib.sha256(path.read_bytes()).hexdigest()
        if name in wanted:
            found[name] = path
    missing = len(wanted) - len(found)
    if missing:
        sys.exit(f"teach_field_guide: {missing} of {len(wanted)} pictures with points are not below {pictures}.")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--teach", type=Path, default=DATA / "scenes10")
    parser.add_argument("--pictures", type=Path, default=DATA)
    parser.add_argument("--checkpoint", type=Path, default=REPOSITORY / "checkpoints" / "field-guide")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "checkpoints" / "field-guide")
    options = parser.parse_args()
    classifier = load_classifier(options.checkpoint)
    taxonomy, points = classifier.taxonomy, own_points()
    files = files_of(options.pictures, set(points))
    groups: dict[str, list[str]] = defaultdict(list)
    for name, path in files.items():
        leaf = taxonomy.match(path.parent.name)
        groups[classifier.parts.group_of(taxonomy.root(leaf or ""))].append(name)
    told, line = {}, {}
    for group, names in sorted(groups.items()):
        old = classifier.parts.to("cpu")
        called = CALLED if group == "bird" else {}
        looks = []
        for name in names:
            kept = [point for point in points[name] if point.part not in NOT_FOUND.get(group, ())]
            placed = [replace(point, part=called.get(point.part, point.part)) for point in kept]
            with Image.open(files[name]) as opened:
                taught = TaughtPicture(opened.convert("RGB"), tuple(placed))
            looks.append(views_of(classifier, taught, group))
        scenes = looked_at(classifier, options.teach, group) if group == "bird" else []
        own = [[lesson_of(view, old.mean, old.projection, at) for at, view in enumerate(one)] for one in looks]
        views = [view for one in looks for view in one] + [view for scene in scenes for view in scene.views]
        others = [
            lesson_of(view, old.mean, old.projection, at)
            for at, view in enumerate(view for scene in scenes for view in scene.views)
        ]
        parts = tuple(dict.fromkeys(point.part for view in views for point in view.points if point.is_seen))
        lessons = [lesson for one in own for lesson in one] + others
        fitted = taught_by(lessons, group, parts, old.mean, old.projection)
        step = max(1, len(views) // DESCRIBED_BY)
        classifier = with_parts(classifier, group, parts, fitted, views[::step])
        number = sum(len(points[name]) for name in names)
        words = (FROM["scenes"] if scenes else "") + FROM["own"]
        told[group] = words.format(scenes=len(scenes), points=number, pictures=len(names))
        line[group] = {
            "own": len(names),
            "scenes": len(scenes),
            "left_out": found_left_out(list(map(tuple, own)), parts),
        }
        print(f"{group}: {told[group]}", file=sys.stderr, flush=True)
    save_classifier(replace(classifier, card={**classifier.card, "parts_taught_from": told}), options.out)
    print(json.dumps(line))


if __name__ == "__main__":
    main()
