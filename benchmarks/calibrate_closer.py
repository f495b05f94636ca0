"""Calibrate the closer look of the bundled model, on one half of the val pictures by a hash of their path.

    python benchmarks/calibrate_closer.py [--pictures DIR] [--checkpoint DIR] [--out DIR] [--most N]

`--pictures` holds `<set>/val/<class>/*.jpg`. The other half of them reports, in `closer.py`. No weight changes; what is
learned of both views stands in the card. One JSON line last: the temperature, and of how many pictures it is.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from PIL import Image

from fgdemo.learn.candidate.two_views import calibrated
from fgdemo.model.checkpoint.load import load_classifier, save_classifier
from fgdemo.model.classifier import Classifier
from fgdemo.settings import REPOSITORY

DATA = REPOSITORY.parent / "shared" / "data"
FIELD_GUIDE = REPOSITORY / "checkpoints" / "field-guide"


def held_out(folder: Path, classifier: Classifier, *, reports: bool) -> list[tuple[Path, int]]:
    """Val pictures of one half with their class indices; the half that `reports` has calibrated nothing."""
    found = []
    for path in sorted(folder.glob("*/val/*/*.jpg")):
        digest = hashlib.sha256(path.relative_to(folder).as_posix().encode()).digest()
        leaf = classifier.taxonomy.match(path.parent.name)
        if leaf in classifier.taxonomy.leaf_index and digest[-1] % 2 == int(reports):
            found.append((path, classifier.taxonomy.leaf_index[leaf]))
    return found


def squashed(paths: Sequence[Path], classifier: Classifier) -> np.ndarray:
    """(N, S, S, 3)."""
    found = []
    for path in paths:
        with Image.open(path) as opened:
            found.append(np.asarray(classifier.data_config.squash(opened.convert("RGB"))))
    return np.stack(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=Path, default=DATA)
    parser.add_argument("--checkpoint", type=Path, default=FIELD_GUIDE)
    parser.add_argument("--out", type=Path, default=FIELD_GUIDE)
    parser.add_argument("--most", type=int, default=400)
    options = parser.parse_args()
    classifier = load_classifier(options.checkpoint)
    found = held_out(options.pictures, classifier, reports=False)
    if not found:
        sys.exit(f"calibrate_closer: {options.pictures} holds no <set>/val/<class>/*.jpg of classes that are known.")
    rows = np.random.default_rng(0).permutation(len(found))[: options.most]
    chosen = [found[row] for row in rows]
    closer = calibrated(
        classifier,
        squashed([path for path, _ in chosen], classifier),
        np.array([label for _, label in chosen]),
        most=options.most,
    )
    if closer is None:
        sys.exit("calibrate_closer: there are too few pictures in which a closer look is worth it.")
    save_classifier(replace(classifier, both_views=closer), options.out)
    print(json.dumps({"temperature": closer.temperature, "pictures": closer.pictures, "sure_prob": closer.sure_prob}))


if __name__ == "__main__":
    main()
