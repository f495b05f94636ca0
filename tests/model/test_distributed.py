"""Two real processes that share each batch do what one does; only the first writes and speaks."""

from __future__ import annotations

import json
import multiprocessing
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from fgdemo.learn.train.distillation import soft_labels
from fgdemo.learn.train.distributed import ALONE, World, joined
from fgdemo.learn.train.finetune import finetune
from fgdemo.learn.train.recipe import Recipe
from fgdemo.learn.train.rehearsal import Memory
from fgdemo.learn.train.steps import Lesson
from fgdemo.values.errors import DatasetError
from fgdemo.values.training import Epoch
from tests.support.tiny import specimen_pictures, tiny_backbone

ROOT = Path(__file__).parents[2]
PICTURES = specimen_pictures(per_class=8)
LABELS = np.unique(np.array(PICTURES.labels), return_inverse=True)[1]
# A batch of 11 has parts of 5 and 6, which must not weigh the same.
RECIPE = Recipe(
    epochs=2, train_px=64, batch_size=11, lr=1e-3, head_lr=1e-2, ema_decay=0.9, cutmix=0.5, retention=0.5, replay=0.5
)


def train(folder: Path, world: World = ALONE, stop_at: int = 1000) -> None:
    """Leave in `folder` the weights, what was told, and the run_file, each under the number of its process."""
    backbone, config = tiny_backbone(seed=world.rank)  # the first one's weights must win
    torch.manual_seed(5)
    logits = np.random.default_rng(0).normal(size=(len(LABELS), 4)).astype(np.float32)
    soft = soft_labels(logits, np.arange(4), LABELS, np.zeros(len(LABELS), bool))
    memory = Memory(PICTURES.where("train")[:6], 0.5)
    epochs: list[Epoch] = []
    questions = iter(range(1000))
    lesson = Lesson(PICTURES, LABELS, config, RECIPE, soft=soft, memory=memory, world=world)
    trained = finetune(
        backbone,
        (torch.zeros(backbone.dim, 6), torch.zeros(6)),
        lesson,
        run_file=folder / f"run_file-{world.rank}.pt",
        on_epoch=epochs.append,
        stop=lambda: world.rank == 1 and next(questions) >= stop_at,
    )
    told = [[epoch.number, epoch.loss, epoch.val_top1] for epoch in epochs]
    torch.save(trained.backbone.state_dict(), folder / f"weights-{world.rank}.pt")
    (folder / f"told-{world.rank}.json").write_text(json.dumps({"epochs": told, "done": trained.epochs_done}))


def _take_part(rank: int, port: int, folder: Path, stop_at: int) -> None:
    torch.set_num_threads(1)  # the pool of threads is not in a forked process
    here = {
        "TORCHELASTIC_RUN_ID": "test",
        "RANK": rank,
        "LOCAL_RANK": rank,
        "WORLD_SIZE": 2,
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": port,
    }
    os.environ.update({name: str(value) for name, value in here.items()})
    with joined("cpu") as (world, _):
        train(folder, world, stop_at)


def train_in_two(folder: Path, stop_at: int = 1000) -> None:
    """What torchrun does, but forked from here, where everything is imported."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    fork = multiprocessing.get_context("fork")
    both = [fork.Process(target=_take_part, args=(rank, port, folder, stop_at)) for rank in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join(200)
        process.kill()
    assert [process.exitcode for process in both] == [0, 0]


def told(folder: Path, rank: int) -> dict:
    return json.loads((folder / f"told-{rank}.json").read_text())


def weights(folder: Path, rank: int) -> dict[str, torch.Tensor]:
    return torch.load(folder / f"weights-{rank}.pt", weights_only=True)


def test_two_processes_train_to_the_weights_of_one(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    train(one)
    train_in_two(two)
    start = tiny_backbone()[0].state_dict()
    moved = 0.0
    for key, value in weights(one, 0).items():
        torch.testing.assert_close(weights(two, 0)[key], value, rtol=1e-3, atol=1e-4, msg=key)
        torch.testing.assert_close(weights(two, 1)[key], weights(two, 0)[key], rtol=0, atol=0, msg=key)
        moved = max(moved, float((value - start[key]).abs().max()))
    assert moved > 20 * 1e-4  # or the tolerance would forgive anything
    alone, first, second = told(one, 0), told(two, 0), told(two, 1)
    np.testing.assert_allclose(first["epochs"], alone["epochs"], rtol=1e-3)
    assert second["epochs"] == []
    assert second["done"] == first["done"] == 2
    assert sorted(path.name for path in two.glob("run_file*")) == ["run_file-0.pt"]


def test_all_stop_where_one_is_asked_to_and_go_on_from_the_snapshot_of_the_first(tmp_path: Path) -> None:
    whole, part = tmp_path / "whole", tmp_path / "part"
    whole.mkdir()
    part.mkdir()
    train_in_two(part, stop_at=4)  # only the second process is asked: after one batch of the second epoch
    assert told(part, 0)["done"] == told(part, 1)["done"] == pytest.approx(1 + 1 / 3)
    train_in_two(part)
    assert told(part, 0)["done"] == told(part, 1)["done"] == 2
    train(whole)
    for key, value in weights(whole, 0).items():
        torch.testing.assert_close(weights(part, 0)[key], value, rtol=1e-3, atol=1e-4, msg=key)


def test_fit_writes_one_checkpoint_and_says_everything_once(tmp_path: Path) -> None:
    for label, name, pixels in zip(PICTURES.labels, PICTURES.names, PICTURES.pixels, strict=True):
        path = tmp_path / "birds" / label / f"{name.replace('/', '-')}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    fit = f"fit {tmp_path / 'birds'} --out {tmp_path / 'out'} --backbone test_resnet --weights none --size 64"
    more = "--epochs 1 --batch-size 12 --parts 3 --device cpu --json"
    command = f"{sys.executable} -m torch.distributed.run --standalone --nproc-per-node=2 -m fgdemo {fit} {more}"
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command.split(), cwd=ROOT, env=environment, text=True, capture_output=True, timeout=200)
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.strip().splitlines()
    assert json.loads(line)["checkpoint"] == str(tmp_path / "out")
    assert done.stderr.count("Epoch 1 of 1") == 1
    assert done.stderr.count("Written") == 1
    assert json.loads((tmp_path / "out" / "card.json").read_text())["epochs_done"] == 1
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".pt")] == []


def test_parts_are_disjoint_whole_and_as_even_as_can_be() -> None:
    for size in (1, 2, 3, 5):
        for count in (5, 11, 32):
            parts = [list(range(count))[World(rank, size).part(count)] for rank in range(size)]
            assert [row for part in parts for row in part] == list(range(count))
            assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_a_batch_smaller_than_the_processes_is_refused() -> None:
    with pytest.raises(DatasetError, match="cannot be shared by 3 processes"):
        World(0, 3).require_batch(2)
    with joined("cpu") as (world, device):
        assert (world, device) == (ALONE, "cpu")
