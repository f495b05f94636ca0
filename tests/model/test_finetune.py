"""Training on drawn birds: it learns, goes on where it was interrupted, stops when asked, and mixes honestly."""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fgdemo.learn.data.augment import Framing, normalise, reframe
from fgdemo.learn.train import finetune as finetune_module
from fgdemo.learn.train.finetune import Trained, best_epoch, finetune, no_better
from fgdemo.learn.train.optimizer import NEW_LR, make_optimizer
from fgdemo.learn.train.recipe import Recipe
from fgdemo.learn.train.steps import Batch, Lesson, backward, smoothed
from fgdemo.learn.train.student import Student, Teacher, make_teacher
from fgdemo.learn.train.techniques import mix
from fgdemo.model.backbone import DataConfig
from fgdemo.values.errors import BackboneError, CheckpointError, DatasetError, TrainingError
from fgdemo.values.training import Epoch
from tests.support.tiny import pixel_backbone, specimen_pictures, tiny_backbone

PICTURES = specimen_pictures(per_class=8)
LABELS = np.unique(np.array(PICTURES.labels), return_inverse=True)[1]
RECIPE = Recipe(epochs=2, train_px=64, batch_size=12, lr=1e-3, head_lr=1e-2, ema_decay=0.9)


def train(recipe: Recipe = RECIPE, teachers: Sequence[Teacher] = (), **more) -> Trained:
    backbone, config = tiny_backbone()
    torch.manual_seed(5)
    head = torch.zeros(backbone.dim, 6), torch.zeros(6)
    return finetune(backbone, head, Lesson(PICTURES, LABELS, config, recipe, teachers), **more)


def weights(trained: Trained) -> dict[str, torch.Tensor]:
    return trained.backbone.state_dict()


def assert_same(one: Trained, other: Trained) -> None:
    for key, value in weights(one).items():
        torch.testing.assert_close(weights(other)[key], value, rtol=0, atol=0, msg=key)


def differ(one: Trained, other: Trained) -> bool:
    return any(not torch.equal(value, weights(other)[key]) for key, value in weights(one).items())


@pytest.fixture(scope="module")
def two_epochs() -> Trained:
    return train()


def test_it_learns() -> None:
    rng = np.random.default_rng(0)
    hues = np.array([[200, 40, 40], [40, 200, 40], [40, 40, 200], [200, 200, 40], [40, 200, 200], [200, 40, 200]])
    pixels = hues[LABELS][:, None, None] + rng.integers(-30, 30, (len(LABELS), 64, 64, 3))
    coloured = replace(PICTURES, pixels=pixels.astype(np.uint8))
    backbone, config = tiny_backbone()
    epochs: list[Epoch] = []
    recipe = replace(RECIPE, epochs=8, label_smoothing=0.0, lr=2e-3, ema_decay=0.8)
    head = torch.zeros(backbone.dim, 6), torch.zeros(6)
    finetune(backbone, head, Lesson(coloured, LABELS, config, recipe), on_epoch=epochs.append)
    assert [epoch.number for epoch in epochs] == list(range(1, 9))
    assert epochs[-1].loss < 0.7 * epochs[0].loss
    assert (epochs[-1].val_top1 or 0) > 3 / 6


def test_the_same_seed_gives_the_same_weights_and_another_one_others(two_epochs: Trained) -> None:
    assert_same(two_epochs, train())
    assert differ(two_epochs, train(replace(RECIPE, seed=1)))


def test_batch_norm_keeps_its_statistics(two_epochs: Trained) -> None:
    start = tiny_backbone()[0].state_dict()
    statistics = [key for key in start if key.endswith(("running_mean", "running_var"))]
    assert statistics
    for key in statistics:
        torch.testing.assert_close(weights(two_epochs)[key], start[key], rtol=0, atol=0)
    moved = [key for key in start if start[key].ndim > 1 and not torch.equal(start[key], weights(two_epochs)[key])]
    assert moved


def test_an_interrupted_run_goes_on_to_the_same_weights(two_epochs: Trained, tmp_path: Path) -> None:
    run_file = tmp_path / "run" / "run_file.pt"

    def after_two_batches_of_epoch_two(what: str, done: int, of: int) -> None:
        if what.startswith("epoch 2") and done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(run_file=run_file, progress=after_two_batches_of_epoch_two)
    seen: list[int] = []
    resumed = train(run_file=run_file, on_epoch=lambda epoch: seen.append(epoch.number))
    assert seen == [1, 2]  # the first is told again, so that the record is whole
    assert_same(two_epochs, resumed)


def test_an_epoch_that_is_begun_anew_drops_the_same_paths(tmp_path: Path) -> None:
    def dropping(**more) -> Trained:
        backbone, config = tiny_backbone("test_convnext", drop_path_rate=0.5)
        head = torch.zeros(backbone.dim, 6), torch.zeros(6)
        return finetune(backbone, head, Lesson(PICTURES, LABELS, config, RECIPE), **more)

    def in_epoch_two(what: str, done: int, of: int) -> None:
        if what.startswith("epoch 2"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        dropping(run_file=tmp_path / "run_file.pt", progress=in_epoch_two)
    assert_same(dropping(), dropping(run_file=tmp_path / "run_file.pt"))


def test_a_finished_snapshot_gives_its_weights_at_once(two_epochs: Trained, tmp_path: Path) -> None:
    run_file = tmp_path / "run_file.pt"
    train(run_file=run_file)

    def never(what: str, done: int, of: int) -> None:
        raise AssertionError("there is nothing left to train")

    again = train(run_file=run_file, progress=never)
    assert again.epochs_done == 2
    assert_same(two_epochs, again)
    assert not again.backbone.training
    assert not any(parameter.requires_grad for parameter in again.backbone.parameters())


@pytest.mark.parametrize(("batches", "epochs_done", "snapshots"), [(1, 1 / 3, False), (3, 1.0, True), (4, 4 / 3, True)])
def test_it_stops_when_asked_and_keeps_what_it_has(
    batches: int, epochs_done: float, snapshots: bool, tmp_path: Path
) -> None:
    done: list[int] = []
    trained = train(
        run_file=tmp_path / "run_file.pt",
        progress=lambda what, number, of: done.append(number),
        stop=lambda: len(done) >= batches,
    )
    assert len(done) == batches
    assert trained.epochs_done == pytest.approx(epochs_done)
    assert (tmp_path / "run_file.pt").exists() is snapshots
    start = tiny_backbone()[0].state_dict()
    assert any(not torch.equal(value, start[key]) for key, value in weights(trained).items())
    assert all(torch.isfinite(value).all() for value in weights(trained).values())


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda p: None, "other options"),
        (lambda p: p.write_bytes(p.read_bytes()[:2000]), "damaged or belongs to another network"),
        (lambda p: p.write_bytes(b""), "damaged or belongs to another network"),
        (lambda p: torch.save({"recipe": RECIPE.to_json()}, p), "damaged or belongs to another network"),
    ],
)
def test_a_snapshot_of_another_run_is_refused(
    spoil: Callable[[Path], None], sentence: str, tmp_path: Path, two_epochs: Trained
) -> None:
    run_file = tmp_path / "run_file.pt"
    train(replace(RECIPE, epochs=1), run_file=run_file)
    spoil(run_file)
    with pytest.raises(CheckpointError, match=sentence):
        train(run_file=run_file)


def test_a_full_disk_is_a_sentence_and_leaves_no_half_snapshot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(state: object, path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(finetune_module.torch, "save", full)
    with pytest.raises(CheckpointError, match=r"could not be written to run_file.pt \(No space left"):
        train(run_file=tmp_path / "run_file.pt")
    assert list(tmp_path.iterdir()) == []


def test_training_that_cannot_be_is_refused_before_it_starts() -> None:
    with pytest.raises(DatasetError, match="36 training pictures are fewer than one batch of 64"):
        train(replace(RECIPE, batch_size=64))
    vit, config = tiny_backbone("vit_tiny_patch16_224", 64)
    head = torch.zeros(vit.dim, 6), torch.zeros(6)
    with pytest.raises(BackboneError, match="cannot read pictures of 96 px"):
        finetune(vit, head, Lesson(PICTURES, LABELS, config, replace(RECIPE, train_px=96)))


def test_a_loss_that_is_no_number_stops_the_training(tmp_path: Path) -> None:
    backbone, config = tiny_backbone()
    head = torch.full((backbone.dim, 6), torch.nan), torch.zeros(6)
    with pytest.raises(TrainingError, match="diverged"):
        finetune(backbone, head, Lesson(PICTURES, LABELS, config, RECIPE), run_file=tmp_path / "s.pt")
    assert not (tmp_path / "s.pt").exists()


def test_a_loss_that_becomes_no_number_keeps_the_last_whole_epoch() -> None:
    backbone, config = tiny_backbone()
    head = torch.zeros(backbone.dim, 6), torch.zeros(6)

    def spoil(epoch: Epoch) -> None:
        with torch.no_grad():
            next(backbone.parameters()).fill_(torch.nan)  # the network being trained, not the averaged one

    trained = finetune(backbone, head, Lesson(PICTURES, LABELS, config, replace(RECIPE, epochs=3)), on_epoch=spoil)
    assert trained.epochs_done == 1
    assert "diverged" in trained.sentence
    assert_same(trained, train(replace(RECIPE, epochs=3), stop=StopAfter(3)))


class StopAfter:
    """True from the n-th question on."""

    def __init__(self, questions: int) -> None:
        self.left = questions

    def __call__(self) -> bool:
        self.left -= 1
        return self.left <= 0


class Crowded(Student):
    """Runs out of memory with more than three pictures at a time."""

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        if len(pixels) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return super().forward(pixels)


def test_out_of_memory_halves_the_pictures_at_a_time_and_not_the_batch() -> None:
    pixels, labels = torch.randn(8, 3, 64, 64, generator=torch.Generator().manual_seed(0)), torch.arange(8) % 6
    found = []
    for kind, fits in ((Student, 8), (Crowded, 2)):
        backbone = tiny_backbone()[0].requires_grad_(True).eval()
        student = kind(backbone, torch.zeros(backbone.dim, 6), torch.zeros(6), [])
        with torch.no_grad():
            student.classifier.weight.copy_(torch.randn(6, backbone.dim, generator=torch.Generator().manual_seed(1)))
        batch = Batch(pixels, labels, torch.eye(6)[labels])
        lesson, scaler = Lesson(PICTURES, LABELS, tiny_backbone()[1], RECIPE), torch.GradScaler(enabled=False)
        losses, micro = backward(student, batch, lesson, scaler, 8)
        assert micro == fits
        found.append((losses["classes"].item(), [p.grad for p in student.parameters()]))
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-4)
    for whole, pieces in zip(found[0][1], found[1][1], strict=True):
        torch.testing.assert_close(whole, pieces, rtol=1e-3, atol=1e-5)


def test_early_layers_learn_more_slowly() -> None:
    backbone = tiny_backbone()[0]
    before = {key: value.clone() for key, value in backbone.net.named_parameters()}
    head, new = [torch.nn.Parameter(torch.zeros(2))], [torch.nn.Parameter(torch.zeros(2))]
    recipe = replace(RECIPE, layer_decay=0.5, warm_up=0.1)
    optimizer, schedule = make_optimizer(backbone.net, head, recipe, 10, new)
    rate = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    names = list(before)
    parameters = dict(backbone.net.named_parameters())
    assert set(rate) == {id(p) for p in [*parameters.values(), *head, *new]}
    first, last = rate[id(parameters[names[0]])], rate[id(parameters[names[-1]])]
    assert optimizer.param_groups[0]["lr"] == last == RECIPE.lr
    assert first <= RECIPE.lr * 0.5**2
    # A map from nothing at the small rate of a head that starts where it should be would stay nothing.
    assert (rate[id(head[0])], rate[id(new[0])]) == (RECIPE.head_lr, NEW_LR)
    decay = {id(p): group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    assert all((decay[id(p)] > 0) == (p.ndim > 1) for p in parameters.values())
    for _ in range(10):
        optimizer.step()
        schedule.step()
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.01 * RECIPE.lr)


def told(number: int, val_top1: float | None) -> Epoch:
    return Epoch("network", number, 9, 1.0, val_top1, 1.0)


def test_the_best_epoch_known_answers() -> None:
    history = [told(1, 0.5), told(2, 0.7), told(3, 0.7), told(4, 0.6)]
    assert best_epoch(history) == 3
    assert best_epoch([told(1, None), told(2, None)]) == 2
    assert best_epoch([]) == 0
    assert no_better(history, 1) == "The last 1 epochs were no better on val."
    assert no_better(history, 2) == no_better(history, 0) == no_better([], 3) == ""


def test_the_best_epoch_is_kept_and_patience_ends_the_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scores = iter([0.2, 0.9, 0.3, 0.4, 0.95])
    monkeypatch.setattr(finetune_module, "val_top1", lambda *arguments: next(scores))
    recipe, epochs = replace(RECIPE, epochs=6, patience=2), []
    trained = train(recipe, run_file=tmp_path / "s.pt", on_epoch=epochs.append)
    assert (trained.kept_epoch, trained.epochs_done, len(epochs)) == (2, 4, 4)
    assert "no better" in trained.sentence
    assert_same(trained, train(recipe, run_file=tmp_path / "s.pt"))  # nothing is left to train
    scores = iter([0.2, 0.9])
    assert_same(trained, train(recipe, stop=StopAfter(7)))  # asked after each of three batches, and after an epoch
    assert all(epoch.losses == {"classes": epoch.loss} for epoch in epochs)
    assert [epoch.lr for epoch in epochs[1:]] == sorted((epoch.lr for epoch in epochs[1:]), reverse=True)
    assert 0 < epochs[-1].lr < RECIPE.lr


def test_checked_labels_are_not_smoothed() -> None:
    soft = smoothed(torch.eye(4)[:2], 0.2, np.array([True, False]))
    torch.testing.assert_close(soft, torch.tensor([[1.0, 0, 0, 0], [0.05, 0.85, 0.05, 0.05]]))
    torch.testing.assert_close(smoothed(torch.eye(4)[:1], 0.2, None)[0, 0], torch.tensor(0.85))


def test_a_teacher_changes_what_is_learned(two_epochs: Trained) -> None:
    teacher_backbone, config = tiny_backbone(seed=9)
    teacher = make_teacher(teacher_backbone, frozenset({0, 1, 2}), PICTURES, LABELS, config)
    before = {key: value.clone() for key, value in teacher_backbone.state_dict().items()}
    taught = train(replace(RECIPE, distil=2.0), teachers=[teacher])
    assert differ(two_epochs, taught)
    for key, value in teacher_backbone.state_dict().items():
        assert torch.equal(value, before[key])
    with pytest.raises(DatasetError, match="knows no class of the training pictures"):
        make_teacher(teacher_backbone, frozenset({17}), PICTURES, LABELS, config)


CONFIG = DataConfig(64, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


def test_the_loop_asks_nothing_of_a_backbone_but_tokens() -> None:
    head = torch.zeros(3, 6), torch.zeros(6)
    trained = finetune(pixel_backbone(), head, Lesson(PICTURES, LABELS, CONFIG, RECIPE))
    assert trained.backbone.grid == (1, 1)


def test_what_is_given_back_is_the_average_of_the_weights_after_each_step_and_the_first_fade() -> None:
    backbone, seen = pixel_backbone(), list[torch.Tensor]()
    head = torch.randn(3, 6, generator=torch.Generator().manual_seed(0)), torch.zeros(6)
    recipe = replace(RECIPE, epochs=1, batch_size=9, lr=0.1, ema_decay=0.5)
    trained = finetune(
        backbone,
        head,
        Lesson(PICTURES, LABELS, CONFIG, recipe),
        progress=lambda what, done, of: seen.append(next(backbone.parameters()).detach().clone()),
    )
    average = torch.zeros(3)
    for weights, kept in zip(seen, (0.0, 1 - 2 ** (-2 / 3), 0.5, 0.5), strict=True):  # 1 − n^(−2/3), at most a half
        average = kept * average + (1 - kept) * weights
    assert (seen[0] - seen[-1]).abs().max() > 0.1
    torch.testing.assert_close(next(trained.backbone.parameters()), average)


# --- framing and mixing -------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.4, 1.0]), st.sampled_from([0.0, 0.4, 1.0]))
def test_mixed_targets_stay_distributions(seed: int, mixup: float, cutmix: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    batch = torch.rand(5, 3, 16, 16, generator=generator)
    targets = torch.eye(5)
    mixed, soft = mix(batch, targets, mixup=mixup, cutmix=cutmix, generator=generator)
    assert mixed.shape == batch.shape
    assert (soft >= 0).all()
    torch.testing.assert_close(soft.sum(1), torch.ones(5))
    assert mixed.min() >= 0
    assert mixed.max() <= 1
    if mixup == cutmix == 0:
        assert torch.equal(mixed, batch)
        assert torch.equal(soft, targets)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_the_share_of_cutmix_is_the_pasted_area(seed: int) -> None:
    shades = torch.arange(4.0)[:, None, None, None].expand(4, 3, 20, 20)
    generator = torch.Generator().manual_seed(seed)
    mixed, soft = mix(shades, torch.eye(4), mixup=0, cutmix=1.0, generator=generator)
    for row in range(4):
        areas = torch.tensor([(mixed[row, 0] == shade).float().mean() for shade in range(4)])
        torch.testing.assert_close(soft[row], areas)


def test_the_share_of_mixup_is_the_weight_of_the_pixels() -> None:
    shades = torch.eye(4)[:, :3, None, None].expand(4, 3, 2, 2).clone()
    mixed, soft = mix(shades, torch.eye(4), mixup=1.0, cutmix=0, generator=torch.Generator().manual_seed(4))
    torch.testing.assert_close(mixed[:, :, 0, 0], soft[:, :3])


def test_framing_keeps_shape_and_range_flips_and_is_seeded() -> None:
    ramp = torch.linspace(-1, 1, 32).expand(64, 3, 32, 32).contiguous()
    framing = Framing(light=0.0)
    framed = reframe(ramp, 24, framing, torch.Generator().manual_seed(0))
    assert framed.shape == (64, 3, 24, 24)
    assert framed.min() >= -1.001
    assert framed.max() <= 1.001
    rising = (framed[..., -1].mean((1, 2)) > framed[..., 0].mean((1, 2))).float().mean()
    assert 0.25 < rising < 0.75
    assert torch.equal(framed, reframe(ramp, 24, framing, torch.Generator().manual_seed(0)))
    assert not torch.equal(framed, reframe(ramp, 24, framing, torch.Generator().manual_seed(1)))


def test_no_framing_at_all_is_the_picture() -> None:
    batch = torch.rand(16, 3, 32, 32)
    still = Framing(min_scale=0.9, max_scale=1.0, max_aspect=1.0, max_turn_deg=0.0, light=0.0)
    framed = reframe(batch, 32, still, torch.Generator().manual_seed(0))
    flipped = batch.flip(-1)
    near = torch.minimum((framed - batch).abs().mean((1, 2, 3)), (framed - flipped).abs().mean((1, 2, 3)))
    assert (near < 0.35).all()


def test_normalise_known_answer() -> None:
    pixels = torch.zeros(1, 2, 2, 3, dtype=torch.uint8)
    pixels[0, 0, 1] = torch.tensor([255, 0, 51])
    out = normalise(pixels, DataConfig(2, (0.5, 0.4, 0.2), (0.5, 0.2, 0.1)))
    torch.testing.assert_close(out[0, :, 0, 1], torch.tensor([1.0, -2.0, 0.0]))
    torch.testing.assert_close(out[0, :, 1, 0], torch.tensor([-1.0, -2.0, -2.0]))
