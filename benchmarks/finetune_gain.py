"""What fine-tuning on few labels gains over what else one would do with them.

A folder of class folders, or one of train and val (`--data`; `../shared/data/birds100` unless given), with 5, 10 and
all training pictures a class, drawn by seed; every method starts from the same ImageNet weights (MobileNetV2, 14 × 14
tokens). Half of the held-out pictures of each class, always the same, is for choosing; top-1 is measured on the other
half, which no method sees:

  linear_probe   scikit-learn's logistic regression on frozen features; C is chosen
  plain          all layers and a new linear layer by AdamW (3e-4, new layer 3e-3), one cycle, as many epochs as ours
                 (20), crops and flips as large, BatchNorm as it is; the last epoch, as the schedule means it
  frozen_ridge   our closed-form head on frozen features; λ and readout are chosen
  ours           `train_candidate` from the classifier of frozen_ridge; head, blend and epoch are chosen

Prints one JSON line last: `top1`, {"5" | "10" | "all": {method: [mean, low, high]}}, mean over the seeds with 95 %
limits over the pictures, and with them `recipe`, `pictures` and `seeds`. On two cores it takes many hours: `--keep DIR`
keeps which pictures each method had right, and a later call goes on from there; `--only` runs some of the methods and
`--seeds` some of the draws, so that several calls can share one folder; `--epochs` gives plain and ours fewer passes,
for sizes at which 20 would take too long.
`--small`: six drawn kinds and an untrained tiny network, which shows that it runs and nothing else.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import torch
from plain import train_plainly
from sklearn.linear_model import LogisticRegression

from fgdemo.learn.candidate.blend import choose_on_val
from fgdemo.learn.candidate.candidate import train_candidate
from fgdemo.learn.candidate.fit import fit_classifier, label_indices
from fgdemo.learn.data.corpus import Corpus
from fgdemo.learn.data.embed import embed
from fgdemo.learn.data.pictures import Pictures, decode_all
from fgdemo.learn.train.recipe import Recipe
from fgdemo.model.backbone import Backbone, DataConfig, start_backbone
from fgdemo.model.head import RidgeHead
from fgdemo.specimens import SPECIES, draw_specimen
from fgdemo.statistics.bootstrap import SHARE, mean_interval
from fgdemo.storage.formats.sources import read_source
from fgdemo.values.taxonomy import Taxonomy

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
WEIGHTS = SHARED / "weights" / "mobilenetv2_100_tf2_ptq_in1k.pth"
RECIPE = Recipe(epochs=20, train_px=160)
"""Its `head_lr` was chosen by what the choosing half showed at 5 a class, the rest before the first run; never by the
reported half."""
METHODS = ("linear_probe", "frozen_ridge", "plain", "ours")


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Setting:
    """Decoded pictures with class indices (N,), and rows of them: those to learn from, to choose by, to report on."""

    pictures: Pictures
    labels: np.ndarray
    taxonomy: Taxonomy
    start: Callable[[], tuple[Backbone, DataConfig]]
    train: np.ndarray
    choosing: np.ndarray
    reported: np.ndarray
    device: str

    @property
    def classes(self) -> int:
        return len(self.taxonomy.leaves)

    def with_few(self, a_class: int | None, seed: int) -> Setting:
        """At most so many training pictures of each class; None: all."""
        return replace(self, train=few(self.train, self.labels, a_class, seed))


def few(rows: np.ndarray, labels: np.ndarray, a_class: int | None, seed: int) -> np.ndarray:
    shuffled = np.random.default_rng(seed).permutation(rows)
    return np.sort(np.concatenate([shuffled[labels[shuffled] == label][:a_class] for label in np.unique(labels)]))


def halves(rows: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Every second picture of each class, and the others."""
    shuffled = np.random.default_rng(0).permutation(rows)
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    return np.sort(by_class[::2]), np.sort(by_class[1::2])


def photographs(folder: Path, weights: str, device: str) -> Setting:
    def start() -> tuple[Backbone, DataConfig]:
        backbone, config = start_backbone(
            "mobilenetv2_100",
            weights=weights,
            options={"pad_type": "same"},
            mean=(0.5, 0.5, 0.5),
            std=(0.5, 0.5, 0.5),
        )
        return backbone.to(device), config

    pictures = decode_all(read_source(folder).pictures, start()[1])
    if not len(pictures.where("val")):  # a plain folder of class folders: a quarter of each class is held out
        kinds = np.array(pictures.labels)
        held = {row for kind in np.unique(kinds) for row in np.flatnonzero(kinds == kind)[::4].tolist()}
        pictures = replace(pictures, splits=tuple("val" if i in held else "train" for i in range(len(kinds))))
    return setting(pictures, start, device)


def drawings() -> Setting:
    def start() -> tuple[Backbone, DataConfig]:
        torch.manual_seed(0)
        return start_backbone("test_resnet", weights="none", size_px=64)

    drawn = [(s, i) for s in SPECIES for i in range(16)]
    pixels = [np.asarray(draw_specimen(s, 1000 * SPECIES.index(s) + i, 64).picture) for s, i in drawn]
    names, labels = tuple(f"{s.id}/{i}" for s, i in drawn), tuple(s.id for s, _ in drawn)
    splits = tuple("train" if i < 8 else "val" for _, i in drawn)
    keys = np.arange(1, len(drawn) + 1).astype(np.uint64)
    return setting(Pictures(np.stack(pixels), names, labels, splits, (), keys), start, "cpu")


def setting(pictures: Pictures, start: Callable[[], tuple[Backbone, DataConfig]], device: str) -> Setting:
    taxonomy = Taxonomy.flat(sorted(set(pictures.labels)))
    labels = label_indices(pictures.labels, taxonomy)
    return Setting(
        pictures, labels, taxonomy, start, pictures.where("train"), *halves(pictures.where("val"), labels), device
    )


def linear_probe(task: Setting, embeddings: np.ndarray) -> np.ndarray:
    """(R,) which of the reported pictures are right."""
    scale = np.sqrt((embeddings[task.train] ** 2).sum(1).mean())
    fitted = [
        LogisticRegression(C=c, max_iter=300).fit(embeddings[task.train] / scale, task.labels[task.train])
        for c in (1.0, 10.0, 100.0)
    ]
    best = max(fitted, key=lambda one: one.score(embeddings[task.choosing] / scale, task.labels[task.choosing]))
    return best.predict(embeddings[task.reported] / scale) == task.labels[task.reported]


def frozen_ridge(task: Setting, embeddings: np.ndarray) -> np.ndarray:
    head = RidgeHead.fit(embeddings[task.train], task.labels[task.train], task.classes)
    weight, bias = choose_on_val(head, embeddings, task.labels, task.choosing).head.linear()
    return (embeddings[task.reported] @ weight + bias).argmax(1) == task.labels[task.reported]


def plain(task: Setting, seed: int, epochs: int, side_px: int) -> np.ndarray:
    torch.manual_seed(seed)
    backbone, config = task.start()
    classifier = train_plainly(
        backbone,
        config,
        task.pictures.pixels[task.train],
        task.labels[task.train],
        task.classes,
        epochs=epochs,
        side_px=side_px,
        seed=seed,
        device=task.device,
    )
    embeddings = torch.from_numpy(embed(backbone, task.pictures.pixels[task.reported], config))
    return classifier(embeddings).argmax(1).numpy() == task.labels[task.reported]


def ours(task: Setting, recipe: Recipe) -> np.ndarray:
    rows = np.concatenate([task.train, task.choosing])
    given = Pictures(
        pixels=task.pictures.pixels[rows],
        names=tuple(task.pictures.names[i] for i in rows),
        labels=tuple(task.taxonomy.leaves[task.labels[i]] for i in rows),
        splits=("train",) * len(task.train) + ("val",) * len(task.choosing),
        skipped=(),
        keys=task.pictures.keys[rows],
    )
    backbone, config = task.start()
    labels = task.labels[rows]
    base = fit_classifier(backbone, config, given, labels, task.taxonomy, name="frozen", trained=False).classifier
    corpus = Corpus(given, labels, np.zeros(len(rows), bool), task.taxonomy)
    with tempfile.TemporaryDirectory() as folder:
        candidate = train_candidate(
            base,
            corpus,
            recipe,
            name="ours",
            run_file=Path(folder) / "run_file.pt",
            device=task.device,
            on_epoch=lambda epoch: say(f"    epoch {epoch.number}: loss {epoch.loss:.3f}, top-1 {epoch.val_top1}"),
        )
    say(f"    kept epoch {candidate.card['kept_epoch']}, blend {candidate.card['blend']}")
    weight, bias = candidate.head.linear()
    embeddings = embed(candidate.backbone, task.pictures.pixels[task.reported], config)
    return (embeddings @ weight + bias).argmax(1) == task.labels[task.reported]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=SHARED / "birds100", metavar="DIR")
    parser.add_argument("--weights", default=str(WEIGHTS), help="a file of start weights, or “hub”")
    parser.add_argument("--sizes", nargs="+", default=["5", "10", "all"], help="training pictures a class")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], metavar="SEED")
    parser.add_argument("--epochs", type=int, default=RECIPE.epochs, help="of plain and of ours")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--only", nargs="+", choices=METHODS, default=list(METHODS), metavar="METHOD")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="results are kept here, and taken from here")
    parser.add_argument("--small", action="store_true", help="drawings and a tiny network: whether it runs")
    arguments = parser.parse_args()
    whole = drawings() if arguments.small else photographs(arguments.data, arguments.weights, arguments.device)
    recipe = replace(RECIPE, epochs=2, train_px=64) if arguments.small else replace(RECIPE, epochs=arguments.epochs)
    backbone, config = whole.start()
    frozen = cache(lambda: embed(backbone, whole.pictures.pixels, config))
    say(f"{len(whole.train)} to train, {len(whole.choosing)} to choose by, {len(whole.reported)} to report on")
    top1: dict[str, dict[str, list[float]]] = {}
    for size in arguments.sizes:
        right: dict[str, list[np.ndarray]] = {}
        for seed in arguments.seeds:
            task = whole.with_few(None if size == "all" else int(size), seed)
            methods: dict[str, Callable[[], np.ndarray]] = {
                "linear_probe": lambda task=task: linear_probe(task, frozen()),
                "frozen_ridge": lambda task=task: frozen_ridge(task, frozen()),
                "plain": lambda task=task, seed=seed: plain(task, seed, recipe.epochs, recipe.train_px),
                "ours": lambda task=task, seed=seed: ours(task, replace(recipe, seed=seed)),
            }
            for name in arguments.only:
                began = time.monotonic()
                kept = arguments.keep and arguments.keep / f"{size}-{seed}-{name}.npy"
                right.setdefault(name, []).append(np.load(kept) if kept and kept.exists() else methods[name]())
                if kept:
                    arguments.keep.mkdir(parents=True, exist_ok=True)
                    np.save(kept, right[name][-1])
                took_s, mean = time.monotonic() - began, right[name][-1].mean()
                say(f"{size} a class, seed {seed}, {name}: {mean:.4f} ({took_s:.0f} s)")
        top1[size] = {
            name: [round(value, 4) for value in mean_interval(np.mean(rows, axis=0), span=SHARE)]
            for name, rows in right.items()
        }
    print(
        json.dumps(
            {"top1": top1, "recipe": recipe.to_json(), "pictures": len(whole.reported), "seeds": arguments.seeds}
        )
    )


if __name__ == "__main__":
    main()
