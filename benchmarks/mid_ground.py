"""Give a checkpoint what tells the thing from its background by mid tokens, as a fit of today does.

    python benchmarks/mid_ground.py [--checkpoint DIR] [--data DIR]

`--data` holds `<set>/train/<class>/*.jpg`; 100 pictures of each group are looked at, as far as the model knows their
kinds. The checkpoint is written in place; all else in it stays as it is. One JSON line last: the groups.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # runs from a clone, nothing needs to be installed

import numpy as np
from PIL import Image

from fgdemo.learn.candidate.mid_ground import ENOUGH, with_mid_ground
from fgdemo.model.checkpoint.load import load_classifier, save_classifier
from fgdemo.settings import REPOSITORY


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, default=REPOSITORY / "checkpoints" / "field-guide")
    parser.add_argument("--data", type=Path, default=REPOSITORY.parent / "shared" / "data")
    options = parser.parse_args()
    classifier = load_classifier(options.checkpoint)
    by_group: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(options.data.glob("*/train/*/*.jpg")):
        leaf = classifier.taxonomy.match(path.parent.name)
        if leaf is not None:
            by_group[classifier.parts.group_of(classifier.taxonomy.root(leaf))].append(path)
    if not by_group:
        sys.exit(f"mid_ground: {options.data} holds no <set>/train/<class>/*.jpg of classes that this model knows.")
    pixels, rows = [], {}
    for group, paths in by_group.items():
        chosen = [paths[at] for at in np.unique(np.linspace(0, len(paths) - 1, ENOUGH).round().astype(int))]
        rows[group] = np.arange(len(pixels), len(pixels) + len(chosen))
        for path in chosen:
            with Image.open(path) as picture:
                pixels.append(np.asarray(classifier.data_config.squash(picture.convert("RGB"))))
    parts = with_mid_ground(classifier.parts, classifier.backbone, classifier.data_config, np.stack(pixels), rows)
    save_classifier(replace(classifier, parts=parts), options.checkpoint)
    print(json.dumps({"groups": list(parts.mid_groups), "pictures": len(pixels)}))


if __name__ == "__main__":
    main()
