"""Does somebody who sees one outlined part, and not its name, call it what the model calls it?

    python benchmarks/parts_by_eye.py draw OUT [--data DIR] [--checkpoint DIR] [--seed N]
    python benchmarks/parts_by_eye.py score OUT ANSWERS

`draw` takes three val pictures of each of ten groups of birds (mostly families) at random, and of each picture one part
that the model finds there, at random, too. It writes them as `01.png` … `30.png` with the part outlined, `names.txt`
with the names to choose from, and `key.csv`, which whoever answers is not to see. `score` reads a CSV `picture,part`
and prints one JSON line: `agreed` [share, low, high] with Wilson's interval, `pictures`, `by_part` {part: [agreed, of]}
and `confused` [[picture, model, reader], …].
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections import defaultdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from PIL import Image
from scipy import ndimage

from fgdemo.model.checkpoint.load import load_classifier
from fgdemo.model.classifier import Classifier
from fgdemo.settings import REPOSITORY
from fgdemo.statistics.proportions import wilson
from fgdemo.values.types import Reading

GROUPS, PER_GROUP = 10, 3
SIDE_PX = 448
SMALLEST = 0.01
"""A part is outlined if it has this share of the picture."""
FAINTEST = 1e-3
"""Parts are drawn by the logarithms of their shares, as on the page; less than this is this."""


def regions(reading: Reading) -> np.ndarray:
    """(S, S) which part each pixel shows as the page draws it: an index into `reading.parts`, or their number."""
    logs = np.log(np.maximum(reading.assignment, FAINTEST))
    scale = SIDE_PX / logs.shape[0]
    fine = [ndimage.zoom(logs[..., k], scale, order=1, grid_mode=True, mode="nearest") for k in range(logs.shape[-1])]
    return np.stack([np.asarray(one, float) for one in fine]).argmax(0)


def pictures_of_groups(classifier: Classifier, data: Path, rng: np.random.Generator) -> list[Path]:
    taxonomy = classifier.taxonomy
    kinds = {folder.name: folder for folder in sorted(data.iterdir()) if folder.is_dir()}
    groups: dict[str, list[Path]] = defaultdict(list)
    for leaf in taxonomy.leaves:
        parent = taxonomy[leaf].parent
        if leaf in kinds and parent is not None and taxonomy[parent].parent is not None:
            groups[parent].extend(sorted(kinds[leaf].iterdir()))
    chosen = rng.choice(sorted(groups), GROUPS, replace=False)
    paths = [sorted(groups[group]) for group in chosen]
    return [some[at] for some in paths for at in rng.choice(len(some), PER_GROUP, replace=False)]


def draw(out: Path, data: Path, checkpoint: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    classifier = load_classifier(checkpoint)
    out.mkdir(parents=True, exist_ok=True)
    rows: list[tuple[str, str, str]] = []
    for path in pictures_of_groups(classifier, data, rng):
        with Image.open(path) as opened:
            picture = opened.convert("RGB")
        reading = classifier.read(picture)
        where = regions(reading)
        found = [k for k in range(len(reading.parts)) if (where == k).mean() >= SMALLEST]
        if not found:
            rows.append((path.name, "", "nothing found"))
            continue
        part = int(rng.choice(found))
        name = f"{len(rows) + 1:02d}.png"
        outlined(picture, where == part).save(out / name)
        rows.append((name, reading.parts[part].name or "", str(path.relative_to(data))))
    with (out / "key.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("picture", "part", "path"), *rows])
    names = sorted({part.name for part in classifier.parts.of_group("bird") if part.name})
    (out / "names.txt").write_text("\n".join(names) + "\n")


def outlined(picture: Image.Image, region: np.ndarray) -> Image.Image:
    """The picture with a line around the region: white within black, to be seen on any ground."""
    pixels = np.asarray(picture.resize((SIDE_PX, SIDE_PX), Image.Resampling.BICUBIC)).copy()
    edge = np.asarray(ndimage.binary_dilation(region, iterations=2), bool) & ~region
    pixels[np.asarray(ndimage.binary_dilation(edge, iterations=1), bool)] = 0
    pixels[edge] = 255
    return Image.fromarray(pixels)


def score(out: Path, answers: Path) -> None:
    with (out / "key.csv").open(newline="") as file:
        key = {row["picture"]: row["part"] for row in csv.DictReader(file)}
    with answers.open(newline="") as file:
        said = {row["picture"]: row["part"].strip() for row in csv.DictReader(file)}
    if said.keys() != key.keys():
        raise SystemExit(f"{answers}: answers for {sorted(key.keys() ^ said.keys())} are missing or not asked for.")
    by_part: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for picture, part in key.items():
        by_part[part][0] += said[picture] == part
        by_part[part][1] += 1
    agreed = sum(right for right, _ in by_part.values())
    low, high = wilson(agreed, len(key))
    line = {
        "agreed": [round(number, 4) for number in (agreed / len(key), low, high)],
        "pictures": len(key),
        "by_part": dict(sorted(by_part.items())),
        "confused": [[picture, part, said[picture]] for picture, part in key.items() if said[picture] != part],
    }
    print(json.dumps(line))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    does = parser.add_subparsers(dest="does", required=True)
    drawn = does.add_parser("draw")
    drawn.add_argument("out", type=Path)
    drawn.add_argument("--data", type=Path, default=REPOSITORY.parent / "shared/data/birds100/val")
    drawn.add_argument("--checkpoint", type=Path, default=REPOSITORY / "checkpoints/field-guide")
    drawn.add_argument("--seed", type=int, default=0)
    scored = does.add_parser("score")
    scored.add_argument("out", type=Path)
    scored.add_argument("answers", type=Path)
    given = parser.parse_args()
    if given.does == "draw":
        draw(given.out, given.data, given.checkpoint, given.seed)
    else:
        score(given.out, given.answers)


if __name__ == "__main__":
    main()
