"""What one answer costs the head: re-label, undo, a new kind, a new picture, beside fitting anew.

The bundled model's 174 kinds and 1,280 channels, 10,000 pictures whose embeddings are drawn at random around one
centre a kind (the cost does not depend on what they show). Prints one JSON line last:

  relabel_ms, undo_ms     median of 200 changes of a picture's kind, and of taking them back
  check_ms                a first check: the kind changes and the weight goes from 1 to 3
  new_class_ms, add_ms    a new kind with its first picture; one more picture
  refit_ms                the ridge head from the sums (factor and solve)
  refit_over_relabel, sklearn_over_relabel     a whole refit, and scikit-learn's LogisticRegression, ÷ a re-label
  error                   largest difference of the logits to those of a fresh fit after all changes
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from sklearn.linear_model import LogisticRegression

from fgdemo.model.checkpoint.load import load_classifier
from fgdemo.model.head import RidgeHead
from fgdemo.model.instant import InstantHead
from fgdemo.settings import Settings

PICTURES, CHANGES, SEED = 10_000, 200, 0


def median_ms(act: Callable[[int], None], times: int) -> float:
    took = []
    for turn in range(times):
        began = time.perf_counter()
        act(turn)
        took.append(time.perf_counter() - began)
    return round(1000 * float(np.median(took)), 3)


def main() -> None:
    classifier = load_classifier(Settings.from_env({}).checkpoint)
    dim, kinds = classifier.embedding_dim, len(classifier.taxonomy.leaves)
    generator = np.random.default_rng(SEED)
    labels = np.arange(PICTURES) % kinds
    centres = generator.normal(size=(kinds, dim))
    embeddings = (centres[labels] + 2 * generator.normal(size=(PICTURES, dim))).astype(np.float32)
    prior = RidgeHead.fit(embeddings, labels, kinds)
    head = InstantHead(prior)
    phi = head.features(embeddings)
    chosen = generator.permutation(PICTURES)
    others = (labels + 1) % kinds

    def relabel(turn: int) -> None:
        row = chosen[turn]
        head.change(phi[row], (int(labels[row]), 1.0), (int(others[row]), 1.0))

    def undo(turn: int) -> None:
        row = chosen[turn]
        head.change(phi[row], (int(others[row]), 1.0), (int(labels[row]), 1.0))

    def check(turn: int) -> None:
        row = chosen[turn]
        head.change(phi[row], (int(labels[row]), 1.0), (int(others[row]), 3.0))

    def new_class(turn: int) -> None:
        row = chosen[CHANGES + turn]
        head.change(phi[row], (int(labels[row]), 1.0), (head.add_class(), 3.0))

    fresh = head.features((centres[labels[:CHANGES]] + generator.normal(size=(CHANGES, dim))).astype(np.float32))

    def add(turn: int) -> None:
        head.change(fresh[turn], (0, 0.0), (int(labels[turn]), 1.0))

    figures = {
        "relabel_ms": median_ms(relabel, CHANGES),
        "undo_ms": median_ms(undo, CHANGES),
        "check_ms": median_ms(check, CHANGES),
        "new_class_ms": median_ms(new_class, 10),
        "add_ms": median_ms(add, CHANGES),
    }
    drifted = phi[:500] @ head.solution
    figures["refit_ms"] = median_ms(lambda _: head.refit(), 3)
    figures["error"] = float(np.abs(drifted - phi[:500] @ head.solution).max())
    began = time.perf_counter()
    prior = RidgeHead.fit(embeddings, labels, kinds)
    prior.solve()
    whole_ms = 1000 * (time.perf_counter() - began)
    began = time.perf_counter()
    LogisticRegression(max_iter=100).fit(embeddings, labels)
    sklearn_ms = 1000 * (time.perf_counter() - began)
    figures["refit_over_relabel"] = round(whole_ms / figures["relabel_ms"])
    figures["sklearn_over_relabel"] = round(sklearn_ms / figures["relabel_ms"])
    print(json.dumps({**figures, "kinds": kinds, "pictures": PICTURES, "dim": dim, "seed": SEED}))


if __name__ == "__main__":
    main()
