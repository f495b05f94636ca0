"""What a small GPU needs, shown on a CPU: half precision with scaled gradients, fewer pictures at a time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from fgdemo.learn.data.embed import embed
from fgdemo.learn.train import finetune as finetune_module
from fgdemo.learn.train import student as student_module
from fgdemo.learn.train.finetune import finetune
from fgdemo.learn.train.recipe import Recipe
from fgdemo.learn.train.steps import Lesson
from fgdemo.learn.train.student import Student, loss_scaler, mixed_precision
from fgdemo.model.backbone import Backbone
from fgdemo.values.errors import BackboneError, CheckpointError
from fgdemo.values.training import Epoch
from tests.support.tiny import specimen_pictures, tiny_backbone

PICTURES = specimen_pictures(per_class=8)
LABELS = np.unique(np.array(PICTURES.labels), return_inverse=True)[1]
RECIPE = Recipe(epochs=2, train_px=64, batch_size=12, lr=1e-3, head_lr=1e-2, ema_decay=0.9)


@pytest.fixture
def fp16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(student_module, "half_type", lambda device: torch.float16)


def train(**more) -> tuple[list[Epoch], dict[str, Tensor]]:
    backbone, config = tiny_backbone()
    torch.manual_seed(5)
    epochs: list[Epoch] = []
    head = torch.zeros(backbone.dim, 6), torch.zeros(6)
    trained = finetune(backbone, head, Lesson(PICTURES, LABELS, config, RECIPE), on_epoch=epochs.append, **more)
    return epochs, trained.backbone.state_dict()


def test_fp16_with_scaled_gradients_comes_to_nearly_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, weights = train()
    monkeypatch.setattr(student_module, "half_type", lambda device: torch.float16)
    half, others = train()
    assert half[-1].loss != whole[-1].loss, "it was something else"
    assert half[-1].loss == pytest.approx(whole[-1].loss, rel=0.02)
    start = tiny_backbone()[0].state_dict()
    for key, value in weights.items():
        if value.ndim > 1:
            moved = (value - start[key]).flatten()
            cosine = torch.nn.functional.cosine_similarity(moved, (others[key] - start[key]).flatten(), 0)
            assert cosine > 0.8, key


@pytest.mark.usefixtures("fp16")
def test_the_scale_of_the_gradients_goes_on_after_an_interruption(tmp_path: Path) -> None:
    def second(what: str, done: int, of: int) -> None:
        if what.startswith("epoch 2"):
            raise KeyboardInterrupt

    run_file = tmp_path / "training.pt"
    with pytest.raises(KeyboardInterrupt):
        train(run_file=run_file, progress=second)
    state = torch.load(run_file, weights_only=True)
    assert state["scaler"]["scale"] == 2.0**16
    resumed = train(run_file=run_file)
    undisturbed = train()
    for key, value in undisturbed[1].items():
        torch.testing.assert_close(resumed[1][key], value, rtol=0, atol=0, msg=key)


def test_a_cpu_and_a_gpu_with_bf16_scale_nothing() -> None:
    assert not loss_scaler(torch.device("cpu")).is_enabled()
    with mixed_precision(torch.device("cpu")):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32


class Crowded(Student):
    """Runs out of memory with more than three pictures at a time."""

    tried: list[int]

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        if torch.is_grad_enabled():
            self.tried.append(len(pixels))
            if len(pixels) > 3:
                raise torch.OutOfMemoryError("CUDA out of memory")
        return super().forward(pixels)


def test_it_runs_out_of_memory_once_and_not_in_every_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    Crowded.tried = []
    monkeypatch.setattr(finetune_module, "Student", Crowded)
    epochs, _ = train()
    assert len(epochs) == 2
    assert [count for count in Crowded.tried if count > 3] == [12, 6]


def crowded(monkeypatch: pytest.MonkeyPatch, most: int) -> list[int]:
    """From now on no network takes more than so many pictures at a time; how many were tried."""
    tried: list[int] = []
    real = Backbone.forward

    def forward(self: Backbone, pixels: Tensor) -> Tensor:
        tried.append(len(pixels))
        if len(pixels) > most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(self, pixels)

    monkeypatch.setattr(Backbone, "pass_size", 12)
    monkeypatch.setattr(Backbone, "forward", forward)
    return tried


def test_looking_halves_the_pictures_at_a_time_where_they_do_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    backbone, config = tiny_backbone()
    wanted = embed(backbone, PICTURES.pixels[:14], config)
    tried = crowded(monkeypatch, most=3)
    seen = embed(backbone, PICTURES.pixels[:14], config)
    assert tried == [12, 6, 3, 3, 3, 3, 2]
    np.testing.assert_allclose(seen, wanted, rtol=1e-4, atol=1e-5)


def test_where_not_even_one_picture_fits_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    backbone, config = tiny_backbone()
    crowded(monkeypatch, most=0)
    with pytest.raises(BackboneError, match="Not even one picture fits"):
        embed(backbone, PICTURES.pixels[:3], config)


@pytest.mark.parametrize("change", ["labels", "pictures", "weights"])
def test_a_snapshot_of_other_data_or_weights_is_refused(tmp_path: Path, change: str) -> None:
    run_file = tmp_path / "training.pt"
    train(run_file=run_file)
    backbone, config = tiny_backbone(seed=1 if change == "weights" else 0)
    labels = LABELS[::-1].copy() if change == "labels" else LABELS
    pictures = replace(PICTURES, names=("new", *PICTURES.names[1:])) if change == "pictures" else PICTURES
    head = torch.zeros(backbone.dim, 6), torch.zeros(6)
    with pytest.raises(CheckpointError, match="other options, start weights or pictures"):
        finetune(backbone, head, Lesson(pictures, labels, config, RECIPE), run_file=run_file)
