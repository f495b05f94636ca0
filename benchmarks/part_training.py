"""Do the part losses make the parts better, and what do they cost in accuracy?

    python benchmarks/part_training.py [--weights 0 0.1 0.5] [--data DIR] [--start FILE] [--epochs 6] [--limit N]

`--data` is as for part_quality.py (`../shared/data/butterflies10`). A classifier of frozen ImageNet features is fitted
to its train pictures, then all layers are trained by the quick recipe with each weight of the part losses; a fifth of
the train pictures is what the training chooses by. All are measured on `val`. Prints one JSON line last: for "before"
and each weight the figures of part_quality.py and `top1`, each [mean, low, high].
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import torch
from part_quality import measured, pictures_of, say

from fgdemo.learn.candidate.candidate import train_candidate
from fgdemo.learn.candidate.fit import fit_classifier, label_indices
from fgdemo.learn.data.corpus import Corpus
from fgdemo.learn.data.embed import embed
from fgdemo.learn.data.pictures import Pictures, decode_all
from fgdemo.learn.train.recipe import PRESETS
from fgdemo.model.backbone import start_backbone
from fgdemo.model.classifier import Classifier
from fgdemo.statistics.proportions import share_interval
from fgdemo.storage.formats.sources import read_source
from fgdemo.values.taxonomy import Taxonomy

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


def given(pictures: Pictures) -> Pictures:
    """The train pictures, every fifth of a kind to choose by."""
    rows = pictures.where("train")
    labels = np.array(pictures.labels)[rows]
    held = {row for kind in np.unique(labels) for row in np.flatnonzero(labels == kind)[::5].tolist()}
    return Pictures(
        pixels=pictures.pixels[rows],
        names=tuple(pictures.names[row] for row in rows),
        labels=tuple(labels.tolist()),
        splits=tuple("val" if row in held else "train" for row in range(len(rows))),
        skipped=(),
        keys=pictures.keys[rows],
    )


def top1(classifier: Classifier, pictures: Pictures) -> list[float]:
    rows = pictures.where("val")
    weight, bias = classifier.head.linear()
    scores = embed(classifier.backbone, pictures.pixels[rows], classifier.data_config) @ weight + bias
    right = scores.argmax(1) == label_indices(np.array(pictures.labels)[rows].tolist(), classifier.taxonomy)
    return [round(value, 4) for value in share_interval(right)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=SHARED / "butterflies10")
    parser.add_argument("--start", default=str(SHARED / "weights" / "mobilenetv2_100_tf2_ptq_in1k.pth"))
    parser.add_argument("--weights", type=float, nargs="+", default=[0.0, 0.1, 0.5], help="of the part losses")
    parser.add_argument("--epochs", type=int, default=PRESETS["quick"].epochs)
    parser.add_argument("--limit", type=int, default=1000, help="pictures that are measured, taken evenly")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args()
    masked = pictures_of(options.data, options.limit)
    backbone, config = start_backbone(
        "mobilenetv2_100",
        weights=options.start,
        options={"pad_type": "same"},
        mean=(0.5, 0.5, 0.5),
        std=(0.5, 0.5, 0.5),
    )
    whole = decode_all(read_source(options.data).pictures, config)
    pictures = given(whole)
    taxonomy = Taxonomy.flat(sorted(set(whole.labels)))
    labels = label_indices(pictures.labels, taxonomy)
    base = fit_classifier(
        backbone.to(options.device), config, pictures, labels, taxonomy, name="before", trained=False
    ).classifier
    corpus = Corpus(pictures, labels, np.zeros(len(labels), bool), taxonomy)
    figures = {"before": {**measured(base, masked), "top1": top1(base, whole)}}
    say(f"before: {figures['before']}")
    for weight in options.weights:
        recipe = replace(PRESETS["quick"], epochs=options.epochs, parts=weight)
        with tempfile.TemporaryDirectory() as folder:
            trained = train_candidate(
                base,
                corpus,
                recipe,
                name=f"parts {weight}",
                run_file=Path(folder) / "run_file.pt",
                device=options.device,
                on_epoch=lambda epoch: say(f"  epoch {epoch.number}: {epoch.losses}"),
            )
        figures[str(weight)] = {**measured(trained, masked), "top1": top1(trained, whole)}
        say(f"{weight}: blend {trained.card['blend']['trained_share']}, {figures[str(weight)]}")
    print(json.dumps({**figures, "pictures": len(masked), "epochs": options.epochs, "data": options.data.name}))


if __name__ == "__main__":
    main()
