"""How well near-duplicates are told from different pictures: what the thresholds of `fgdemo/storage/pictures/twins.py`
stand on.

Photographs of ../shared/data (or --data), looked at by the bundled checkpoint. Of some of them true twins are made:
scaled, saved again as JPEG, cropped, lighter and darker. Prints one JSON line last:

  found          for each way to make a twin, the share that is found with the thresholds as they are
  joined         pairs of the set's own pictures that are taken for near-duplicates, of `pairs`; the sets do hold some
  joined_across  those among them with two different labels: wrong, but for a wrong label
  cells          [bits, cosine, found, joined] for other thresholds, found being the mean over all ways
  find_ms        CPU time to compare a picture with 100,000 others
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from PIL import Image, ImageEnhance

from fgdemo.model.checkpoint.load import load_classifier
from fgdemo.model.classifier import Classifier
from fgdemo.settings import REPOSITORY, Settings
from fgdemo.storage.formats.sources import read_sources
from fgdemo.storage.pictures.images import decode_picture
from fgdemo.storage.pictures.twins import TwinFinder, alike, dhash

Change = Callable[[Image.Image], Image.Image]
SEED, BATCH, MANY = 0, 32, 100_000
SETS = ("birds100", "dogs64", "butterflies10")


def saved(quality: int) -> Change:
    def change(picture: Image.Image) -> Image.Image:
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=quality)
        return Image.open(io.BytesIO(file.getvalue())).convert("RGB")

    return change


def scaled(share: float) -> Change:
    return lambda p: p.resize(
        (max(8, round(p.width * share)), max(8, round(p.height * share))), Image.Resampling.LANCZOS
    )


def cropped(left: float, top: float, right: float, bottom: float) -> Change:
    """Cut off shares of the width and the height."""
    return lambda p: p.crop(
        (round(left * p.width), round(top * p.height), round((1 - right) * p.width), round((1 - bottom) * p.height))
    )


def lit(share: float) -> Change:
    return lambda p: ImageEnhance.Brightness(p).enhance(share)


def all_at_once(picture: Image.Image) -> Image.Image:
    return saved(60)(scaled(0.7)(cropped(0, 0, 0.03, 0.03)(lit(1.15)(picture))))


CHANGES: dict[str, Change] = {
    "scaled to 0.5": scaled(0.5),
    "scaled to 0.3": scaled(0.3),
    "scaled to 2": scaled(2),
    "JPEG 90": saved(90),
    "JPEG 50": saved(50),
    "JPEG 20": saved(20),
    "cropped 2 %": cropped(0.01, 0.01, 0.01, 0.01),
    "cropped 5 %": cropped(0.025, 0.025, 0.025, 0.025),
    "cropped 3 % left": cropped(0.03, 0, 0, 0),
    "cropped 3 % above": cropped(0, 0.03, 0, 0),
    "cropped 5 % at a corner": cropped(0, 0, 0.05, 0.05),
    "darker 0.7": lit(0.7),
    "lighter 1.4": lit(1.4),
    "all at once": all_at_once,
}


def looked_at(classifier: Classifier, pictures: list[Image.Image]) -> tuple[np.ndarray, np.ndarray]:
    """(n, D) unit embeddings and (n,) hashes."""
    looks = [classifier.look(pictures[at : at + BATCH]).embeddings for at in range(0, len(pictures), BATCH)]
    vectors = np.concatenate(looks).astype(np.float32)
    hashes = np.array([dhash(picture) for picture in pictures], np.uint64)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True), hashes


def find_ms(dim: int) -> float:
    generator = np.random.default_rng(SEED)
    vectors = generator.standard_normal((MANY, dim), np.float32).astype(np.float16)
    hashes = generator.integers(0, 2**63, MANY, dtype=np.uint64) * np.uint64(2)
    finder = TwinFinder(lambda images: vectors[[int(image) for image in images]])
    for row in range(MANY):
        finder.add(str(row), int(hashes[row]))
    began = time.process_time()
    for row in range(200):
        finder.find(int(hashes[row]), vectors[row].astype(np.float32))
    return round(1000 * (time.process_time() - began) / 200, 3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=REPOSITORY.parent / "shared" / "data")
    parser.add_argument("--pictures", type=int, default=3000)
    parser.add_argument("--twins", type=int, default=200, help="pictures of which twins are made")
    arguments = parser.parse_args()
    classifier = load_classifier(Settings.from_env({}).checkpoint)
    source = read_sources([arguments.data / name for name in SETS if (arguments.data / name).is_dir()])
    generator = np.random.default_rng(SEED)
    listed = [source.pictures[at] for at in generator.permutation(len(source.pictures))[: arguments.pictures]]
    vectors, hashes, chosen = [], [], []
    for start in range(0, len(listed), BATCH):
        pictures = [decode_picture(picture.load()) for picture in listed[start : start + BATCH]]
        chosen += pictures[: max(0, arguments.twins - len(chosen))]
        part = looked_at(classifier, pictures)
        vectors.append(part[0])
        hashes.append(part[1])
        print(f"\r{start + len(pictures)} of {len(listed)} pictures", end="", file=sys.stderr)
    own, own_hashes = np.concatenate(vectors), np.concatenate(hashes)
    apart, close = np.triu_indices(len(own), 1)
    bits, cosine = np.bitwise_count(own_hashes[apart] ^ own_hashes[close]), (own @ own.T)[apart, close]
    joined = alike(bits, cosine)
    labels = np.array([picture.label for picture in listed])
    ways = {}
    for name, change in CHANGES.items():
        print(f"\n{name}", end="", file=sys.stderr)
        made, made_hashes = looked_at(classifier, [change(picture) for picture in chosen])
        few = len(chosen)
        ways[name] = np.bitwise_count(made_hashes ^ own_hashes[:few]), (made * own[:few]).sum(1)
    cells = [
        [
            most,
            least,
            round(float(np.mean([((b <= most) & (c >= least)).mean() for b, c in ways.values()])), 4),
            int(((bits <= most) & (cosine >= least)).sum()),
        ]
        for most in (3, 6, 10, 16, 20, 24)
        for least in (0.85, 0.9, 0.93, 0.95, 0.97)
    ]
    result = {
        "found": {name: round(float(alike(b, c).mean()), 4) for name, (b, c) in ways.items()},
        "joined": int(joined.sum()),
        "joined_across": int((joined & (labels[apart] != labels[close])).sum()),
        "pairs": len(bits),
        "cells": cells,
        "find_ms": find_ms(classifier.embedding_dim),
    }
    print(file=sys.stderr)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
