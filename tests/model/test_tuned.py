"""Fine-tuning as a protocol: what it holds out, the columns it answers in; the tested pictures teach it nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from fgdemo.learn.data.pictures import Pictures
from fgdemo.learn.study import tuned as tuned_module
from fgdemo.learn.study.tuned import finetuned, own_splits
from fgdemo.learn.train.recipe import Recipe, train_px_of
from fgdemo.model.backbone import start_backbone
from tests.support.tiny import specimen_pictures, tiny_backbone

SHORT = Recipe(epochs=1, train_px=64, lr=1e-3, head_lr=1e-2, ema_decay=0.9)


def test_every_fifth_of_a_kind_is_held_out() -> None:
    splits = own_splits(["a"] * 5 + ["b"] * 4 + ["a"] * 6)
    assert [row for row, split in enumerate(splits) if split == "val"] == [4, 13]


def test_it_is_trained_at_a_size_that_the_backbone_takes() -> None:
    backbone, config = tiny_backbone()
    assert train_px_of(backbone, config, SHORT) == 64
    assert train_px_of(backbone, config, replace(SHORT, train_px=999)) == config.size_px, "not larger than its own"
    vit, of_vit = start_backbone("test_vit", weights="none", size_px=160)
    assert train_px_of(vit, of_vit, replace(SHORT, train_px=50)) == 160, "50 is no multiple of its patches"


def pictures(labels: tuple[str, ...] | None = None) -> Pictures:
    drawn = specimen_pictures(per_class=10)
    kinds = labels or drawn.labels
    return replace(
        drawn,
        splits=tuple("train" if row % 10 < 7 else "val" for row in range(60)),
        labels=kinds,
        keys=np.arange(1, 61).astype(np.uint64),
    )


def test_it_answers_for_the_tested_pictures_in_the_order_of_the_classes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tuned_module, "PRESETS", {"quick": SHORT})
    backbone, config = tiny_backbone()
    weights = {key: value.clone() for key, value in backbone.state_dict().items()}
    given = pictures()
    classes = tuple(sorted(set(given.labels), reverse=True))
    classifier, logits = finetuned(backbone, config, given, classes, "quick", run_file=tmp_path / "a.pt")
    assert logits.shape == (18, 6)
    names = np.array([classifier.taxonomy.match(name) for name in classes])
    truth = np.array(given.labels)[np.array(given.splits) == "val"]
    wanted = np.array([classifier.taxonomy.match(label) for label in truth])
    assert np.mean(wanted == names[logits.argmax(1)]) > 2 / 6  # by chance one in six
    assert all(torch.equal(value, backbone.state_dict()[key]) for key, value in weights.items())
    test = np.flatnonzero(np.array(given.splits) != "train")
    assert not set(classifier.head.members.tolist()) & set(given.keys[test].tolist())
    shuffled = list(given.labels)
    for row in test:
        shuffled[row] = classes[0]
    again = finetuned(backbone, config, pictures(tuple(shuffled)), classes, "quick", run_file=tmp_path / "b.pt")[1]
    np.testing.assert_array_equal(again, logits)
