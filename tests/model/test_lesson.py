"""What a lesson makes of its recipe: the rows of each batch, and their pictures and targets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from fgdemo.learn.data.augment import Framing
from fgdemo.learn.data.pictures import Pictures
from fgdemo.learn.train.distillation import SoftLabels
from fgdemo.learn.train.recipe import Recipe
from fgdemo.learn.train.rehearsal import Memory
from fgdemo.learn.train.steps import Batch, Lesson
from fgdemo.model.backbone import DataConfig

KINDS, EACH, SIZE_PX = 6, 4, 32
LABELS = np.repeat(np.arange(KINDS), EACH)
TRAIN = np.arange(len(LABELS))
COLOURS = np.array([[0, 0, 0], [255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0], [0, 255, 255]], np.uint8)
CONFIG = DataConfig(SIZE_PX, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
STILL = Framing(max_aspect=1.0, max_turn_deg=0.0, light=0.0)
RECIPE = Recipe(epochs=1, train_px=SIZE_PX, batch_size=4, label_smoothing=0.0, framing=STILL)


def lesson(recipe: Recipe = RECIPE, pixels: np.ndarray | None = None, **more: Any) -> Lesson:
    """Of pictures that are nothing but the colour of their kind, unless others are given."""
    plain = np.broadcast_to(COLOURS[LABELS][:, None, None], (len(LABELS), SIZE_PX, SIZE_PX, 3))
    pictures = Pictures(
        pixels=plain.copy() if pixels is None else pixels,
        names=tuple(map(str, TRAIN)),
        labels=tuple(map(str, LABELS)),
        splits=("train",) * len(LABELS),
        skipped=(),
    )
    return Lesson(pictures, LABELS, CONFIG, recipe, **more)


def batch_of(lesson: Lesson, *rows: int) -> Batch:
    return lesson.batch(np.array(rows), KINDS, torch.device("cpu"), torch.Generator().manual_seed(0))


def batches_of(lesson: Lesson) -> np.ndarray:
    return lesson.batches(TRAIN, torch.Generator().manual_seed(0))


# --- targets ------------------------------------------------------------------------------------------------------


def test_the_targets_of_a_picture_sum_to_one() -> None:
    batch = batch_of(lesson(replace(RECIPE, label_smoothing=0.1)), 3, 17, 8)
    torch.testing.assert_close(batch.targets.sum(1), torch.ones(3))
    assert batch.labels.tolist() == LABELS[[3, 17, 8]].tolist()


def test_the_label_of_a_checked_picture_is_certain_and_the_others_are_smoothed() -> None:
    smoothing = replace(RECIPE, label_smoothing=0.3)
    batch = batch_of(lesson(smoothing, checked=TRAIN == 5), 5, 6)
    torch.testing.assert_close(
        batch.targets, torch.tensor([[0, 1.0, 0, 0, 0, 0], [0.05, 0.75, 0.05, 0.05, 0.05, 0.05]])
    )
    torch.testing.assert_close(batch_of(lesson(smoothing), 5).targets, batch.targets[1:])


def test_what_the_model_before_says_stands_beside_the_targets() -> None:
    said = np.random.default_rng(0).random((len(LABELS), 2), np.float32)
    batch = batch_of(lesson(soft=SoftLabels(said, np.array([0, 1]))), 20, 2)
    torch.testing.assert_close(batch.targets, torch.cat([torch.eye(6)[[5, 0]], torch.from_numpy(said[[20, 2]])], 1))


@pytest.mark.parametrize("how", ["mixup", "cutmix"])
def test_targets_and_soft_labels_are_mixed_as_the_pictures_are(how: str) -> None:
    soft = SoftLabels(np.eye(KINDS, dtype=np.float32)[LABELS], np.arange(KINDS))
    batch = batch_of(lesson(replace(RECIPE, **{how: 1.0}), soft=soft), *range(0, len(LABELS), 2))
    targets = batch.targets[:, :KINDS]
    assert (targets.amax(1) < 0.99).any()
    colours = torch.from_numpy(COLOURS / 127.5 - 1).float()
    torch.testing.assert_close(batch.pixels.mean((2, 3)), targets @ colours, rtol=0, atol=1e-4)
    torch.testing.assert_close(batch.targets[:, KINDS:], targets)
    pasted = bool((batch.pixels.std((2, 3)) > 0.01).any())
    assert pasted is (how == "cutmix")


# --- batches ------------------------------------------------------------------------------------------------------


def test_an_epoch_is_every_picture_once_in_a_new_order() -> None:
    batches = batches_of(lesson())
    assert batches.shape == (6, 4)
    assert sorted(batches.ravel()) == TRAIN.tolist()
    assert batches.ravel().tolist() != TRAIN.tolist()


def test_no_batch_is_without_its_share_of_the_memory() -> None:
    memory = Memory(np.array([0, 1, 2, 9]), share=0.5)
    batches = batches_of(lesson(memory=memory))
    assert batches.shape == (6, 4)
    assert np.isin(batches, memory.rows).sum(1).tolist() == [2] * 6
    others = batches[~np.isin(batches, memory.rows)]
    assert len(set(others.tolist())) == len(others) == 12
