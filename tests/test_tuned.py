"""Fine-tuning as a protocol: what it holds out, the columns it answers in; the tested pictures teach it nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fgdemo.learn import tuned as tuned_module
from fgdemo.learn.pictures import Pictures
from fgdemo.learn.recipe import Recipe
from fgdemo.learn.tuned import finetuned, own_splits, union
from fgdemo.taxonomy import Taxon, Taxonomy
from tests.tiny import specimen_pictures, tiny_fit

SHORT = Recipe(epochs=1, train_px=64, lr=1e-3, head_lr=1e-2, ema_decay=0.9)


def test_every_fifth_of_a_kind_is_held_out() -> None:
    splits = own_splits(["a"] * 5 + ["b"] * 4 + ["a"] * 6)
    assert [row for row, split in enumerate(splits) if split == "val"] == [4, 13]


def test_classes_are_matched_with_what_is_known_and_the_others_join() -> None:
    known = Taxonomy((Taxon("house_wren", "House Wren"), Taxon("marsh_wren", "Marsh Wren")))
    together, leaves = union(known, ("House Wren", "winter wren"))
    assert leaves == ("house_wren", "winter_wren")
    assert set(together.leaves) == {"house_wren", "marsh_wren", "winter_wren"}


def pictures(labels: tuple[str, ...] | None = None) -> Pictures:
    drawn = specimen_pictures(per_class=10)
    kinds = labels or drawn.labels
    return replace(
        drawn, splits=tuple("train" if row % 10 < 7 else "val" for row in range(60)), labels=kinds,
        keys=np.arange(1, 61).astype(np.uint64),
    )  # fmt: skip


def test_it_answers_for_the_tested_pictures_in_the_order_of_the_classes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tuned_module, "PRESETS", {"quick": SHORT})
    base = tiny_fit().classifier
    given = pictures()
    classes = tuple(sorted(set(given.labels), reverse=True))
    classifier, logits = finetuned(base, given, classes, "quick", snapshot=tmp_path / "a.pt")
    assert logits.shape == (18, 6)
    names = np.array([classifier.taxonomy.match(name) for name in classes])
    truth = np.array(given.labels)[np.array(given.splits) == "val"]
    wanted = np.array([base.taxonomy.match(label) for label in truth])
    assert np.mean(wanted == names[logits.argmax(1)]) > 2 / 6  # by chance one in six
    test = np.flatnonzero(np.array(given.splits) != "train")
    assert not set(classifier.head.members.tolist()) & set(given.keys[test].tolist())
    shuffled = list(given.labels)
    for row in test:
        shuffled[row] = classes[0]
    again = finetuned(base, pictures(tuple(shuffled)), classes, "quick", snapshot=tmp_path / "b.pt")[1]
    np.testing.assert_array_equal(again, logits)
