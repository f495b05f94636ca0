"""Train all layers of a backbone on labelled pictures: a loop in named verbs that a later engine can extend."""

from __future__ import annotations

import copy
import math
import time
from collections import Counter
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
from fgdemo.learn.optimizer import make_optimizer
from fgdemo.learn.pictures import Pictures, Progress, no_progress
from fgdemo.learn.recipe import Recipe
from fgdemo.learn.replay import Memory, batches_of
from fgdemo.learn.retention import SoftLabels, retention_loss
from fgdemo.learn.snapshot import resume, save_snapshot
from fgdemo.model.backbone import Backbone, DataConfig
from fgdemo.training import Epoch

Module = TypeVar("Module", bound=nn.Module)


@dataclass(frozen=True)
class Teacher:
    """A frozen backbone that knows the classes `indices` well; `mean` and `std` (D,) of its embeddings of them."""

    backbone: Backbone
    indices: frozenset[int]
    mean: Tensor
    std: Tensor


@dataclass(frozen=True)
class Trained:
    """The backbone with averaged (EMA) weights, on the CPU.

    Attributes:
        epochs_done: how many epochs it was trained, e.g. 3.4 of 10.
        kept_epoch: whose weights these are: the best on val, or the last without val; 0 where no epoch was whole.
        sentence: why the training ended by itself before its time; else it is empty.
    """

    backbone: Backbone
    epochs_done: float
    kept_epoch: int = 0
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
    """Train on the "train" pictures; the averaged (EMA) weights of the epoch that was best on "val" are returned.

    BatchNorm keeps its statistics: fine-tuning sets are small, and weights whose BatchNorm was folded break otherwise.

    Args:
        head: start of the classifier, (D, C) and (C,): the closed-form solution, so that the first steps do not
            tear the features apart (Kumar 2022, LP-FT).
        class_index: (N,) class of each picture.
        checked: (N,) bool: an expert said so, and the label is not smoothed; None: nobody did.
        soft: what the model before says of the (N,) pictures, imitated with the weight `recipe.retention`.
        memory: pictures that no batch is without.
        snapshot: file that holds everything needed to go on after each epoch; an interrupted run resumes from it,
            and a finished one gives its weights at once. The epochs done before are told to `on_epoch` again.
        world: the processes that share each batch. All of them return the same; only the leading one reads and
            writes the snapshot and tells of epochs and progress, and all stop when any is asked to.
        stop: asked after each batch; when true the training ends there, with what there is.

    Raises:
        CheckpointError: the snapshot belongs to another run, is damaged, or cannot be written.
        DatasetError: fewer training pictures than one batch, or a batch of fewer pictures than processes.
        TrainingError: the loss was no number in the first epoch. Later the best epoch is kept, and a sentence.
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
    new = [*student.classifier.parameters(), *student.to_teacher.parameters()]
    optimizer, schedule = make_optimizer(student.backbone.net, new, recipe, recipe.epochs * batches)
    ema = ModelEmaV3(student, decay=recipe.ema_decay, use_warmup=True)
    best = copy.deepcopy(ema.module)
    run = {"student": student, "ema": ema.module, "best": best, "optimizer": optimizer, "schedule": schedule}
    done_before = resume(snapshot, recipe.to_json(), run) if snapshot else []
    history = [Epoch(**row) for row in world.same(done_before, run)]
    if recipe.compiled and device.startswith("cuda") and world.size == 1:
        student.compile()
    for epoch in history:
        on_epoch(epoch)
    epochs_done, sentence = float(len(history)), ""
    while len(history) < recipe.epochs:
        sentence = no_better(history, recipe.patience)
        if sentence:
            break
        number = len(history) + 1
        started = time.monotonic()
        generator = torch.Generator().manual_seed(recipe.seed * 1000 + number - 1)
        losses, batches_done = train_epoch(
            student, ema, pictures.pixels, train, class_index, config, recipe, teachers, optimizer, schedule, generator,
            lambda done, of, number=number: progress(f"epoch {number} of {recipe.epochs}", done, of), stop,
            checked, soft, memory, world,
        )  # fmt: skip
        loss = sum(losses.values())
        if not math.isfinite(loss):
            sentence = "The training diverged: the loss is no number any more. Lower --lr."
            if not history:
                raise TrainingError(sentence)
            break
        epochs_done = number - 1 + batches_done / batches
        if batches_done < batches:
            break
        top1 = val_top1(ema.module, pictures.pixels, val, class_index, config, world) if len(val) else None
        elapsed_s = time.monotonic() - started
        epoch = Epoch(
            "network", number, recipe.epochs, loss, top1, elapsed_s, losses=losses,
            lr=float(optimizer.param_groups[0]["lr"]),
            images_per_s=batches * recipe.batch_size / max(elapsed_s, 1e-9),
        )  # fmt: skip
        history.append(epoch)
        on_epoch(epoch)
        if best_epoch(history) == number:
            best.load_state_dict(ema.module.state_dict())
        if snapshot:
            save_snapshot(snapshot, recipe.to_json(), [asdict(epoch) for epoch in history], run)
        if world.any(stop()):
            break
    kept = best if history else ema.module
    backbone = kept.backbone.to(memory_format=torch.contiguous_format).cpu().eval().requires_grad_(False)
    return Trained(backbone, epochs_done, best_epoch(history), sentence)


def best_epoch(history: Sequence[Epoch]) -> int:
    """The number of the epoch of highest val top-1, the later of equals; the last without val; 0 of none."""
    return max(history, key=lambda epoch: (epoch.val_top1 or 0.0, epoch.number)).number if history else 0


def no_better(history: Sequence[Epoch], patience: int) -> str:
    """A sentence where the last `patience` epochs were no better than one before them; 0: never."""
    waited = len(history) - best_epoch(history)
    return f"The last {waited} epochs were no better on val." if patience and waited >= patience else ""


def mixed_precision(device: torch.device) -> torch.autocast:
    """bf16 on a GPU. Not on a CPU: few have it in hardware, and on one that has it was no faster when measured."""
    return torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda")


def on_device(module: Module, device: str) -> Module:
    """Moved there in the memory layout that convolutions are fastest in."""
    module.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    return module.to(device)


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
) -> tuple[dict[str, float], int]:
    """One pass over the training pictures in a new order; returns the mean losses in nats and the batches done.

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
    terms = ["classes", *["retention"] * (soft is not None), *["teachers"] * (recipe.distil > 0 and bool(teachers))]
    total: Counter[str] = Counter()
    done, micro = 0, recipe.batch_size
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
        losses, micro = backward(student, batch[part], labels[part], targets[part], recipe, teachers, micro, columns)
        world.add_gradients(student, share)
        losses = {name: world.total(losses.get(name, 0.0) * share) for name in terms}
        nn.utils.clip_grad_norm_(student.parameters(), 2.0)
        optimizer.step()
        schedule.step()
        ema.update(student, step=schedule.last_epoch)
        total.update(losses)
        done = step + 1
        progress(done, len(batches))
        if world.any(stop()):
            break
    return {name: value / max(done, 1) for name, value in total.items()}, done


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
) -> tuple[dict[str, float], int]:
    """Gradients of the mean loss of a batch, `micro` pictures at a time; where they do not fit, half as many.

    Returns:
        The terms of the loss in nats, and the number of pictures at a time that did fit.

    Raises:
        TrainingError: not even one picture fits into the memory.
    """
    while True:
        student.zero_grad(set_to_none=True)
        total: Counter[str] = Counter()
        try:
            for start in range(0, len(batch), micro):
                some = slice(start, start + micro)
                terms = batch_losses(student, batch[some], labels[some], targets[some], recipe, teachers, columns)
                share = len(batch[some]) / len(batch)
                (torch.stack(list(terms.values())).sum() * share).backward()
                total.update({name: float(term.detach()) * share for name, term in terms.items()})
            return dict(total), micro
        except torch.OutOfMemoryError as error:
            if micro == 1:
                raise TrainingError(
                    "Not even one picture fits into the GPU's memory: train smaller pictures."
                ) from error
        micro = (micro + 1) // 2  # outside of the handler, which still holds the tensors that did not fit
        torch.cuda.empty_cache()


def batch_losses(
    student: Student,
    batch: Tensor,
    labels: Tensor,
    targets: Tensor,
    recipe: Recipe,
    teachers: Sequence[Teacher],
    columns: Tensor | None = None,
) -> dict[str, Tensor]:
    """Cross-entropy ("classes"), and the cosine distance to each teacher's embedding of the pictures it knows.

    Args:
        targets: (B, C), and beside them the (B, K) soft labels of the classes `columns`, where there are any
            ("retention").
    """
    classes = student.classifier.out_features
    with mixed_precision(batch.device):
        logits, embedding = student(batch)
        losses = {"classes": functional.cross_entropy(logits.float(), targets[:, :classes])}
        if columns is not None:
            losses["retention"] = recipe.retention * retention_loss(logits, targets[:, classes:], columns)
        for teacher, to_teacher in zip(teachers, student.to_teacher, strict=True):
            mine = torch.tensor([int(label) in teacher.indices for label in labels], device=batch.device)
            if recipe.distil == 0 or not mine.any():
                continue
            with torch.no_grad():
                seen = teacher.backbone(batch[mine]).mean((1, 2)).float()
                wanted = (seen - teacher.mean) / teacher.std
            distance = 1 - functional.cosine_similarity(to_teacher(embedding[mine]).float(), wanted).mean()
            distance = recipe.distil * distance * mine.float().mean()
            losses["teachers"] = losses["teachers"] + distance if "teachers" in losses else distance
    return losses


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
