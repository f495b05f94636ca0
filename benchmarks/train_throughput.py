"""How much of the time training spends on anything but the network: our loop beside two others, in the same run.

  ours        `train_epoch`, as `finetune` runs it: framing and light by the batch, clipping, averaged weights
  synthetic   the same network, loss and optimizer on one batch of random tensors that already lies on the device
  plain       the same on a torchvision ImageFolder through a DataLoader (RandomResizedCrop, flip, ColorJitter), with a
              worker for each core: what most scripts do

They take turns, some batches each in every round, so that a busy machine is as hard on one as on the others; the
first round is not counted. Of `--data` (by default ../shared/data/birds100/train) the first `--pictures` are used.
Prints one JSON line last:

  over_synthetic, over_plain_loop   our pictures/s over theirs, median of the rounds
  images_per_s                      ours; `synthetic_per_s` and `plain_per_s` are the others'
  decode_s                          what ours spends once, before the first epoch, to decode all the pictures
  memory_gib                        GPU memory at its highest, or resident memory on a CPU
  gpu_busy                          mean over our loop's batches, in [0, 1]; null without a GPU or without pynvml
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

from fgdemo.learn.data.pictures import Pictures, decode_all
from fgdemo.learn.train.recipe import Recipe
from fgdemo.learn.train.steps import Lesson, train_epoch
from fgdemo.learn.train.student import Student, mixed_precision, on_device
from fgdemo.learn.train.train_state import TrainState
from fgdemo.model.backbone import Backbone, DataConfig, start_backbone
from fgdemo.storage.formats.sources import read_source

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


def begin(backbone: Backbone, classes: int, device: str, recipe: Recipe) -> TrainState:
    """A network that is trained, in our layout, with BatchNorm as our loop has it, and its optimizer."""
    student = on_device(Student(backbone, torch.zeros(backbone.dim, classes), torch.zeros(classes), []), device)
    state = TrainState.begin(student, recipe, 1_000_000)
    student.train()
    for module in student.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()
    if recipe.compiled and device.startswith("cuda"):
        student.compile()
    return state


def step(state: TrainState, batch: Tensor, labels: Tensor) -> float:
    """Forward, backward, update, and the loss read, without which nothing can be reported."""
    state.optimizer.zero_grad(set_to_none=True)
    with mixed_precision(batch.device):
        loss = functional.cross_entropy(state.student(batch)[0].float(), labels, label_smoothing=0.1)
    loss.backward()
    state.optimizer.step()
    return float(loss.detach())


def ours(
    backbone: Backbone,
    pictures: Pictures,
    labels: np.ndarray,
    config: DataConfig,
    recipe: Recipe,
    device: str,
    busy: list[float],
) -> Callable[[int], None]:
    state, lesson = begin(backbone, int(labels.max()) + 1, device, recipe), Lesson(pictures, labels, config, recipe)
    rows, generator = np.arange(len(labels)), torch.Generator().manual_seed(0)

    def run(batches: int) -> None:
        left = batches

        def progress(done: int, of: int) -> None:
            nonlocal left
            left -= 1
            busy.extend(gpu_busy(device))

        while left > 0:
            train_epoch(
                state, lesson, rows, generator, micro=recipe.batch_size, progress=progress, stop=lambda: left <= 0
            )

    return run


def synthetic(backbone: Backbone, classes: int, recipe: Recipe, device: str) -> Callable[[int], None]:
    state = begin(backbone, classes, device, recipe)
    batch = torch.randn(recipe.batch_size, 3, recipe.train_px, recipe.train_px, device=device)
    batch = batch.contiguous(memory_format=torch.channels_last)
    labels = torch.arange(recipe.batch_size, device=device) % classes

    def run(batches: int) -> None:
        for _ in range(batches):
            step(state, batch, labels)

    return run


def plain(
    backbone: Backbone, folder: Path, classes: int, config: DataConfig, recipe: Recipe, device: str
) -> Callable[[int], None]:
    state = begin(backbone, classes, device, recipe)
    ready = transforms.Compose(
        [
            transforms.RandomResizedCrop(recipe.train_px, scale=(0.3, 1.0)),
            transforms.RandomHorizontalFlip(),
            transforms.ColorJitter(0.25, 0.25),
            transforms.ToTensor(),
            transforms.Normalize(config.mean, config.std),
        ]
    )
    workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    loader: DataLoader = DataLoader(
        datasets.ImageFolder(str(folder), ready),
        recipe.batch_size,
        shuffle=True,
        drop_last=True,
        num_workers=workers,
        persistent_workers=True,
        pin_memory=device.startswith("cuda"),
    )

    def endless() -> Iterator[tuple[Tensor, Tensor]]:
        while True:
            yield from loader

    batches_of = endless()

    def run(batches: int) -> None:
        for _ in range(batches):
            batch, labels = next(batches_of)
            step(state, batch.to(device, non_blocking=True), labels.to(device, non_blocking=True) % classes)

    return run


def gpu_busy(device: str) -> list[float]:
    if not device.startswith("cuda"):
        return []
    try:
        return [torch.cuda.utilization() / 100]
    except (ModuleNotFoundError, RuntimeError):
        return []


def drawn(folder: Path, classes: int = 4, each: int = 40, size_px: int = 224) -> Path:
    """A folder of random JPEG files, where there are no photographs."""
    from PIL import Image

    generator = np.random.default_rng(0)
    for kind in range(classes):
        (folder / f"kind {kind}").mkdir(parents=True)
        for number in range(each):
            coarse = generator.integers(0, 256, (28, 28, 3)).astype(np.uint8)
            Image.fromarray(coarse).resize((size_px, size_px)).save(folder / f"kind {kind}" / f"{number}.jpg")
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=SHARED / "birds100" / "train", help="a folder of class folders")
    parser.add_argument("--pictures", type=int, default=640)
    parser.add_argument("--model", default="mobilenetv2_100")
    parser.add_argument("--size", type=int, default=160, help="side of the training pictures")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--batches", type=int, default=5, help="of each loop in a round")
    parser.add_argument("--compile", action="store_true", help="torch.compile, on a GPU")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--small", action="store_true", help="a tiny network on drawn pictures: does it run at all")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        if arguments.small:
            arguments.model, arguments.size, arguments.rounds, arguments.batches = "test_resnet", 64, 3, 2
        use_drawn = arguments.small or not arguments.data.is_dir()
        folder = drawn(Path(scratch) / "drawn") if use_drawn else arguments.data
        print(json.dumps(measure(arguments, folder, "drawn" if use_drawn else folder.parent.name)))


def measure(arguments: argparse.Namespace, folder: Path, data: str) -> dict[str, Any]:
    device, recipe = (
        arguments.device,
        Recipe(epochs=1, train_px=arguments.size, batch_size=arguments.batch_size, compiled=arguments.compile),
    )

    def fresh() -> tuple[Backbone, DataConfig]:
        return start_backbone(arguments.model, weights="none", size_px=max(arguments.size, 64))

    backbone, config = fresh()
    listed = read_source(folder).pictures[: arguments.pictures]
    began = time.perf_counter()
    pictures = decode_all(listed, config)
    decode_s = time.perf_counter() - began
    labels = np.unique(np.array(pictures.labels), return_inverse=True)[1]
    classes, busy = int(labels.max()) + 1, []
    loops = {
        "ours": ours(backbone, pictures, labels, config, recipe, device, busy),
        "synthetic": synthetic(fresh()[0], classes, recipe, device),
        "plain": plain(fresh()[0], folder, classes, config, recipe, device),
    }
    speed: dict[str, list[float]] = {name: [] for name in loops}
    for turn in range(arguments.rounds + 1):
        for name, loop in loops.items():
            began = time.perf_counter()
            loop(arguments.batches)
            if turn:
                speed[name].append(arguments.batches * recipe.batch_size / (time.perf_counter() - began))
        print(f"round {turn} of {arguments.rounds}", file=sys.stderr, flush=True)
    rates = {name: np.array(found) for name, found in speed.items()}
    on_gpu = device.startswith("cuda")
    memory = torch.cuda.max_memory_allocated() if on_gpu else 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "over_synthetic": round(float(np.median(rates["ours"] / rates["synthetic"])), 3),
        "over_plain_loop": round(float(np.median(rates["ours"] / rates["plain"])), 3),
        "images_per_s": round(float(np.median(rates["ours"])), 1),
        "synthetic_per_s": round(float(np.median(rates["synthetic"])), 1),
        "plain_per_s": round(float(np.median(rates["plain"])), 1),
        "device": torch.cuda.get_device_name() if on_gpu else f"cpu, {torch.get_num_threads()} threads",
        "model": arguments.model,
        "size_px": recipe.train_px,
        "batch": recipe.batch_size,
        "compiled": recipe.compiled and on_gpu,
        "memory_gib": round(memory / 2**30, 2),
        "gpu_busy": round(float(np.mean(busy)), 3) if busy else None,
        "decode_s": round(decode_s, 2),
        "pictures": len(pictures.names),
        "data": data,
        "rounds": arguments.rounds,
    }


if __name__ == "__main__":
    main()
