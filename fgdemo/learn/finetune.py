"""Train all layers of a backbone on labelled pictures: a loop in named verbs that a later engine can extend."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from timm.utils.model_ema import ModelEmaV3
from torch import Tensor, nn
from torch.nn import functional

from fgdemo.errors import DatasetError, TrainingError
from fgdemo.learn.augment import mix, normalise, reframe
from fgdemo.learn.distributed import ALONE, World
from fgdemo.learn.embed import embed
from fgdemo.learn.pictures import Pictures, Progress, no_progress
from fgdemo.learn.recipe import Recipe
from fgdemo.learn.replay import Memory, batches_of
from fgdemo.learn.retention import SoftLabels, retention_loss
from fgdemo.learn.snapshot import resume, save_snapshot
from fgdemo.model.backbone import Backbone, DataConfig

Module = TypeVar("Module", bound=nn.Module)


@dataclass(frozen=True)
class Teacher:
    """A frozen backbone that knows the classes `indices` well; `mean` and `std` (D,) of its embeddings of them."""

    backbone: Backbone
    indices: frozenset[int]
    mean: Tensor
    std: Tensor


@dataclass(frozen=True)
class Epoch:
    """What one epoch did. Losses in nats, accuracies in [0, 1]; `val_top1` is None without a val split."""

    number: int
    of: int
    loss: float
    val_top1: float | None
    elapsed_s: float


@dataclass(frozen=True)
class Trained:
    """The backbone with averaged (EMA) weights, on the CPU, and how many epochs it was trained, e.g. 3.4 of 10.

    `sentence` says why it ended early, where the training itself went wrong; else it is empty.
    """

    backbone: Backbone
    epochs_done: float
    sentence: str = ""


def make_teacher(
    backbone: Backbone, indices: frozenset[int], pictures: Pictures, class_index: np.ndarray, config: DataConfig
) -> Teacher:
    """Standardise a teacher's embedding on up to 512 training pictures of the classes it knows.

    Raises:
        DatasetError: there is no training picture of those classes.
    """
    known = [row for row in pictures.where("train") if int(class_index[row]) in indices]
    if len(known) < 2:
        raise DatasetError("A teacher knows no class of the training pictures; check the taxon after --teacher FILE=.")
    some = np.array(known)[:: max(1, len(known) // 512)]
    seen = torch.from_numpy(embed(backbone, pictures.pixels[some], config))
    device = next(backbone.parameters()).device
    return Teacher(backbone, indices, seen.mean(0).to(device), (seen.std(0) + 1e-6).to(device))


class Student(nn.Module):
    """Backbone, mean pooling, a linear classifier, and a linear map to each teacher's embedding."""

    def __init__(self, backbone: Backbone, weight: Tensor, bias: Tensor, teacher_dims: Sequence[int]) -> None:
        super().__init__()
        self.backbone = backbone
        self.classifier = nn.Linear(weight.shape[0], weight.shape[1])
        with torch.no_grad():
            self.classifier.weight.copy_(weight.T)
            self.classifier.bias.copy_(bias)
        self.to_teacher = nn.ModuleList(nn.Linear(backbone.dim, dim) for dim in teacher_dims)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 3, S, S) → logits (B, C), embedding (B, D)."""
        embedding = self.backbone(pixels).mean((1, 2)).float()
        return self.classifier(embedding), embedding


def finetune(
    backbone: Backbone,
    head: tuple[Tensor, Tensor],
    pictures: Pictures,
    class_index: np.ndarray,
    config: DataConfig,
    recipe: Recipe,
    *,
    checked: np.ndarray | None = None,
    teachers: Sequence[Teacher] = (),
    soft: SoftLabels | None = None,
    memory: Memory | None = None,
    snapshot: Path | None = None,
    world: World = ALONE,
    device: str = "cpu",
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
    progress: Progress = no_progress,
    stop: Callable[[], bool] = lambda: False,
) -> Trained:
    """Train on the "train" pictures; the averaged (EMA) weights are returned.

    BatchNorm keeps its statistics: fine-tuning sets are small, and weights whose BatchNorm was folded break otherwise.

    Args:
        head: start of the classifier, (D, C) and (C,): the closed-form solution, so that the first steps do not
            tear the features apart (Kumar 2022, LP-FT).
        class_index: (N,) class of each picture.
        checked: (N,) bool: an expert said so, and the label is not smoothed; None: nobody did.
        soft: what the model before says of the (N,) pictures, imitated with the weight `recipe.retention`.
        memory: pictures that no batch is without.
        snapshot: file that holds everything needed to go on after each epoch; an interrupted run resumes from it,
            and a finished one gives its averaged weights at once. The epochs done before are told to `on_epoch` again.
        world: the processes that share each batch. All of them return the same; only the leading one reads and
            writes the snapshot and tells of epochs and progress, and all stop when any is asked to.
        stop: asked after each batch; when true the training ends there, with the weights averaged so far.

    Raises:
        CheckpointError: the snapshot belongs to another run, is damaged, or cannot be written.
        DatasetError: fewer training pictures than one batch, or a batch of fewer pictures than processes.
        TrainingError: the loss was no number in the first epoch. Later the last whole epoch is kept, and a sentence.
        BackboneError: the backbone does not take pictures of `recipe.train_px`.
    """
    torch.manual_seed(recipe.seed)
    train, val = pictures.where("train"), pictures.where("val")
    batches = len(train) // recipe.batch_size
    if batches == 0:
        raise DatasetError(
            f"{len(train)} training pictures are fewer than one batch of {recipe.batch_size}; lower --batch-size."
        )
    backbone.require_size(recipe.train_px)
    world.require_batch(recipe.batch_size)
    if not world.leads:
        snapshot, on_epoch, progress = None, lambda epoch: None, no_progress
    student = on_device(Student(backbone, *head, [t.backbone.dim for t in teachers]), device)
    for teacher in teachers:
        on_device(teacher.backbone, device).eval().requires_grad_(False)
    optimizer, schedule = make_optimizer(student, recipe, recipe.epochs * batches)
    ema = ModelEmaV3(student, decay=recipe.ema_decay, use_warmup=True)
    run = {"student": student, "ema": ema.module, "optimizer": optimizer, "schedule": schedule}
    done_before = resume(snapshot, recipe.to_json(), run) if snapshot else []
    history = [Epoch(**row) for row in world.same(done_before, run)]
    if recipe.compiled and device.startswith("cuda") and world.size == 1:
        student.compile()
    for epoch in history:
        on_epoch(epoch)
    epochs_done, sentence = float(len(history)), ""
    whole = {key: value.clone() for key, value in ema.module.state_dict().items()}
    for number in range(len(history), recipe.epochs):
        started = time.monotonic()
        generator = torch.Generator().manual_seed(recipe.seed * 1000 + number)
        loss, batches_done = train_epoch(
            student, ema, pictures.pixels, train, class_index, config, recipe, teachers, optimizer, schedule, generator,
            lambda done, of, number=number: progress(f"epoch {number + 1} of {recipe.epochs}", done, of), stop,
            checked, soft, memory, world,
        )  # fmt: skip
        epochs_done = number + batches_done / batches
        if not math.isfinite(loss):
            sentence = "The training diverged: the loss is no number any more. Lower --lr."
            if not history:
                raise TrainingError(sentence)
            ema.module.load_state_dict(whole)
            epochs_done = float(len(history))
            break
        if batches_done < batches:
            break
        top1 = val_top1(ema.module, pictures.pixels, val, class_index, config, world) if len(val) else None
        history.append(Epoch(number + 1, recipe.epochs, loss, top1, time.monotonic() - started))
        on_epoch(history[-1])
        whole = {key: value.clone() for key, value in ema.module.state_dict().items()}
        if snapshot:
            save_snapshot(snapshot, recipe.to_json(), [asdict(epoch) for epoch in history], run)
        if world.any(stop()):
            break
    averaged = ema.module.backbone.to(memory_format=torch.contiguous_format).cpu().eval().requires_grad_(False)
    return Trained(averaged, epochs_done, sentence)


def mixed_precision(device: torch.device) -> torch.autocast:
    """bf16 on a GPU. Not on a CPU: few have it in hardware, and on one that has it was no faster when measured."""
    return torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda")


def on_device(module: Module, device: str) -> Module:
    """Moved there in the memory layout that convolutions are fastest in."""
    module.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    return module.to(device)


def make_optimizer(student: Student, recipe: Recipe, steps: int) -> tuple[torch.optim.Optimizer, Any]:
    """AdamW; biases and norms are not decayed; new layers learn faster; warm-up, then a cosine down to 1 %."""
    body = [p for p in student.backbone.parameters() if p.requires_grad_(True).requires_grad]
    new = [*student.classifier.parameters(), *student.to_teacher.parameters()]
    groups = [
        {"params": [p for p in body if p.ndim > 1], "lr": recipe.lr, "weight_decay": recipe.weight_decay},
        {"params": [p for p in body if p.ndim <= 1], "lr": recipe.lr, "weight_decay": 0.0},
        {"params": new, "lr": recipe.head_lr, "weight_decay": recipe.weight_decay},
    ]
    optimizer = torch.optim.AdamW(groups)
    warm = max(1, round(steps * recipe.warm_up))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda step: (
            (step + 1) / warm
            if step < warm
            else 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warm) / max(1, steps - warm))))
        ),
    )
    return optimizer, schedule


def train_epoch(
    student: Student,
    ema: ModelEmaV3,
    pixels: np.ndarray,
    train: np.ndarray,
    class_index: np.ndarray,
    config: DataConfig,
    recipe: Recipe,
    teachers: Sequence[Teacher],
    optimizer: torch.optim.Optimizer,
    schedule: Any,
    generator: torch.Generator,
    progress: Callable[[int, int], None],
    stop: Callable[[], bool],
    checked: np.ndarray | None = None,
    soft: SoftLabels | None = None,
    memory: Memory | None = None,
    world: World = ALONE,
) -> tuple[float, int]:
    """One pass over the training pictures in a new order; returns the mean loss in nats and the batches done.

    Every process of `world` frames and mixes the whole batch, which is cheap, by the same random numbers, and trains
    on its part.
    """
    device = next(student.parameters()).device
    student.train()
    for module in student.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()
    classes = student.classifier.out_features
    columns = None if soft is None else torch.from_numpy(soft.columns).to(device)
    batches = batches_of(train, recipe.batch_size, memory, generator)
    total, done, micro = 0.0, 0, recipe.batch_size
    for step, chosen in enumerate(batches):
        batch = normalise(torch.from_numpy(pixels[chosen]).to(device), config)
        batch = reframe(batch, recipe.train_px, recipe.framing, generator).contiguous(memory_format=torch.channels_last)
        labels = torch.from_numpy(class_index[chosen]).to(device)
        targets = functional.one_hot(labels, classes).float()
        targets = smoothed(targets, recipe.label_smoothing, None if checked is None else checked[chosen])
        if soft is not None:  # they are mixed as the labels are
            targets = torch.cat([targets, torch.from_numpy(soft.probs[chosen]).to(device)], dim=1)
        batch, targets = mix(batch, targets, mixup=recipe.mixup, cutmix=recipe.cutmix, generator=generator)
        part = world.part(len(batch))
        share = (part.stop - part.start) / len(batch)
        loss, micro = backward(student, batch[part], labels[part], targets[part], recipe, teachers, micro, columns)
        world.add_gradients(student, share)
        loss = world.total(loss * share)
        nn.utils.clip_grad_norm_(student.parameters(), 2.0)
        optimizer.step()
        schedule.step()
        ema.update(student, step=schedule.last_epoch)
        total, done = total + loss, step + 1
        progress(done, len(batches))
        if world.any(stop()):
            break
    return total / max(done, 1), done


def smoothed(targets: Tensor, share: float, checked: np.ndarray | None) -> Tensor:
    """(B, C) targets with `share` spread evenly over all classes (Szegedy 2016), but for (B,) checked labels."""
    spread = torch.full((len(targets), 1), share, device=targets.device)
    if checked is not None:
        spread[torch.from_numpy(checked).to(targets.device)] = 0.0
    return targets * (1 - spread) + spread / targets.shape[1]


def backward(
    student: Student,
    batch: Tensor,
    labels: Tensor,
    targets: Tensor,
    recipe: Recipe,
    teachers: Sequence[Teacher],
    micro: int,
    columns: Tensor | None = None,
) -> tuple[float, int]:
    """Gradients of the mean loss of a batch, `micro` pictures at a time; where they do not fit, half as many.

    Returns:
        The loss in nats, and the number of pictures at a time that did fit.

    Raises:
        TrainingError: not even one picture fits into the memory.
    """
    while True:
        student.zero_grad(set_to_none=True)
        total = 0.0
        try:
            for start in range(0, len(batch), micro):
                some = slice(start, start + micro)
                loss = batch_loss(student, batch[some], labels[some], targets[some], recipe, teachers, columns)
                loss = loss * (len(batch[some]) / len(batch))
                loss.backward()
                total += float(loss.detach())
            return total, micro
        except torch.OutOfMemoryError as error:
            if micro == 1:
                raise TrainingError(
                    "Not even one picture fits into the GPU's memory: train smaller pictures."
                ) from error
        micro = (micro + 1) // 2  # outside of the handler, which still holds the tensors that did not fit
        torch.cuda.empty_cache()


def batch_loss(
    student: Student,
    batch: Tensor,
    labels: Tensor,
    targets: Tensor,
    recipe: Recipe,
    teachers: Sequence[Teacher],
    columns: Tensor | None = None,
) -> Tensor:
    """Cross-entropy, plus the cosine distance to each teacher's embedding of the pictures it knows.

    Args:
        targets: (B, C), and beside them the (B, K) soft labels of the classes `columns`, where there are any.
    """
    classes = student.classifier.out_features
    with mixed_precision(batch.device):
        logits, embedding = student(batch)
        loss = functional.cross_entropy(logits.float(), targets[:, :classes])
        if columns is not None:
            loss = loss + recipe.retention * retention_loss(logits, targets[:, classes:], columns)
        for teacher, to_teacher in zip(teachers, student.to_teacher, strict=True):
            mine = torch.tensor([int(label) in teacher.indices for label in labels], device=batch.device)
            if recipe.distil == 0 or not mine.any():
                continue
            with torch.no_grad():
                seen = teacher.backbone(batch[mine]).mean((1, 2)).float()
                wanted = (seen - teacher.mean) / teacher.std
            distance = 1 - functional.cosine_similarity(to_teacher(embedding[mine]).float(), wanted).mean()
            loss = loss + recipe.distil * distance * mine.float().mean()
    return loss


@torch.inference_mode()
def val_top1(
    student: Student,
    pixels: np.ndarray,
    chosen: np.ndarray,
    class_index: np.ndarray,
    config: DataConfig,
    world: World = ALONE,
) -> float:
    """Top-1 accuracy of the trained classifier at full size, in [0, 1]."""
    student.eval()
    device = next(student.parameters()).device
    right, mine = 0, chosen[world.part(len(chosen))]
    for start in range(0, len(mine), 64):
        some = mine[start : start + 64]
        with mixed_precision(device):
            logits, _ = student(normalise(torch.from_numpy(pixels[some]).to(device), config))
        right += int((logits.argmax(1).cpu().numpy() == class_index[some]).sum())
    return world.total(right) / len(chosen)
