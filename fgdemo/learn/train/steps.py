"""One epoch: batches, their losses and gradients, and the accuracy that it led to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from fgdemo.learn.data.augment import reframe, resize, to_batch
from fgdemo.learn.data.pictures import Pictures
from fgdemo.learn.train.distillation import SoftLabels, retention_loss
from fgdemo.learn.train.distributed import ALONE, World
from fgdemo.learn.train.part_losses import MIRRORED, PartAnchors, part_loss
from fgdemo.learn.train.recipe import Recipe
from fgdemo.learn.train.rehearsal import Memory, batches_of
from fgdemo.learn.train.student import Student, Teacher, mixed_precision
from fgdemo.learn.train.techniques import contrast_loss, mix
from fgdemo.learn.train.train_state import TrainState
from fgdemo.model.backbone import DataConfig
from fgdemo.values.batches import batches
from fgdemo.values.errors import TrainingError


@dataclass(frozen=True)
class Lesson:
    """What a training is made of, the same in every epoch.

    Attributes:
        pictures: N of them; learned from are those of the split "train", "val" is only looked at.
        class_index: (N,) class of each picture.
        teachers: their embeddings are imitated with the weight `recipe.distil`.
        checked: (N,) bool: an expert said so, and the label is not smoothed; None: nobody did.
        soft: what the model before says of the N pictures, imitated with the weight `recipe.retention`.
        memory: pictures that no batch is without.
        anchors: the parts that the maps are to be of; None: no part losses.
        world: the processes that share each batch.
    """

    pictures: Pictures
    class_index: np.ndarray
    config: DataConfig
    recipe: Recipe
    teachers: Sequence[Teacher] = ()
    checked: np.ndarray | None = None
    soft: SoftLabels | None = None
    memory: Memory | None = None
    anchors: PartAnchors | None = None
    world: World = ALONE

    @property
    def terms(self) -> list[str]:
        """Names of the terms of the loss, the same in every process, whatever pictures it has."""
        teaching = self.recipe.distil > 0 and bool(self.teachers)
        return [
            "classes",
            *["retention"] * (self.soft is not None),
            *["contrast"] * (self.recipe.contrast > 0),
            *["parts"] * (self.anchors is not None),
            *["teachers"] * teaching,
        ]

    def batches(self, train: np.ndarray, generator: torch.Generator) -> np.ndarray:
        """(batches, batch size) rows for one epoch."""
        return batches_of(train, self.recipe.batch_size, self.memory, generator)

    def batch(self, chosen: np.ndarray, classes: int, device: torch.device, generator: torch.Generator) -> Batch:
        """These pictures, framed and mixed anew."""
        recipe = self.recipe
        pixels = to_batch(self.pictures.pixels[chosen], self.config, device)
        pixels = reframe(pixels, recipe.train_px, recipe.framing, generator)
        labels = torch.from_numpy(self.class_index[chosen])
        targets = functional.one_hot(labels, classes).float().to(device, non_blocking=True)
        targets = smoothed(targets, recipe.label_smoothing, None if self.checked is None else self.checked[chosen])
        if self.soft is not None:  # they are mixed as the labels are
            targets = torch.cat(
                [targets, torch.from_numpy(self.soft.probs[chosen]).to(device, non_blocking=True)], dim=1
            )
        pixels, targets = mix(
            pixels.contiguous(memory_format=torch.channels_last),
            targets,
            mixup=recipe.mixup,
            cutmix=recipe.cutmix,
            generator=generator,
        )
        return Batch(pixels, labels, targets)


@dataclass(frozen=True)
class Batch:
    """
    Attributes:
        pixels: (B, 3, S, S).
        labels: (B,) class indices before mixing, on the CPU: what is asked of them waits for no GPU.
        targets: (B, C), each row summing to 1, and beside them (B, K) soft labels where there are any.
    """

    pixels: Tensor
    labels: Tensor
    targets: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, some: slice) -> Batch:
        return Batch(self.pixels[some], self.labels[some], self.targets[some])


def train_epoch(
    state: TrainState,
    lesson: Lesson,
    train: np.ndarray,
    generator: torch.Generator,
    *,
    micro: int,
    progress: Callable[[int, int], None],
    stop: Callable[[], bool],
) -> tuple[dict[str, float], int, int]:
    """One pass over the pictures `train` in a new order.

    Every process frames and mixes the whole batch, which is cheap, by the same random numbers, and trains on its part.

    Args:
        micro: how many pictures at a time are tried first, see `backward`.
        progress: told of the batches done, of all; `stop` is asked after each.

    Returns:
        The mean losses in nats, the batches done, and how many pictures at a time did fit.
    """
    student, world = state.student, lesson.world
    device = next(student.parameters()).device
    student.train()
    for module in student.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()
    batches = lesson.batches(train, generator)
    total = {name: torch.zeros((), device=device) for name in lesson.terms}
    done = 0
    for step, chosen in enumerate(batches):
        batch = lesson.batch(chosen, student.classifier.out_features, device, generator)
        part = world.part(len(batch))
        share = (part.stop - part.start) / len(batch)
        losses, micro = backward(student, batch[part], lesson, state.scaler, micro)
        world.add_gradients(student, share)
        state.scaler.unscale_(state.optimizer)
        nn.utils.clip_grad_norm_(student.parameters(), 2.0)
        state.scaler.step(state.optimizer)
        state.scaler.update()
        state.schedule.step()
        state.ema.update(student, step=state.schedule.last_epoch)
        for name, loss in losses.items():
            total[name] += loss * share
        done = step + 1
        progress(done, len(batches))
        if world.any(stop()):
            break
    return {name: world.total(float(value)) / max(done, 1) for name, value in total.items()}, done, micro


def smoothed(targets: Tensor, share: float, checked: np.ndarray | None) -> Tensor:
    """(B, C) targets with `share` spread evenly over all classes (Szegedy 2016), but for (B,) checked labels."""
    spread = torch.full((len(targets), 1), share)
    if checked is not None:
        spread[torch.from_numpy(checked)] = 0.0
    spread = spread.to(targets.device, non_blocking=True)
    return targets * (1 - spread) + spread / targets.shape[1]


def backward(
    student: Student, batch: Batch, lesson: Lesson, scaler: torch.GradScaler, micro: int
) -> tuple[dict[str, Tensor], int]:
    """Gradients of the mean loss of a batch, `micro` pictures at a time; where they do not fit, half as many.

    Returns:
        The terms of the loss in nats, left on the device, so that nobody waits for it; and the number of pictures at a
        time that did fit.

    Raises:
        TrainingError: not even one picture fits into the memory.
    """
    while True:
        student.zero_grad(set_to_none=True)
        total: dict[str, Tensor] = {}
        try:
            for some in batches(batch, micro):
                terms = batch_losses(student, some, lesson)
                share = len(some) / len(batch)
                scaler.scale(torch.stack(list(terms.values())).sum() * share).backward()
                for name, term in terms.items():
                    total[name] = total.get(name, 0.0) + term.detach() * share
            return total, micro
        except torch.OutOfMemoryError as error:
            if micro == 1:
                raise TrainingError(
                    "Not even one picture fits into the GPU's memory: train smaller pictures."
                ) from error
        micro = (min(micro, len(batch)) + 1) // 2  # outside of the handler, which still holds what did not fit
        torch.cuda.empty_cache()


def batch_losses(student: Student, batch: Batch, lesson: Lesson) -> dict[str, Tensor]:
    """The terms of the loss by name, see `Lesson.terms`: cross-entropy; the distance to what the model before says;
    the contrast between kinds, a mixed picture being of the kind it is most of; how compact the parts are; the cosine
    distance to each teacher's embedding of the pictures it knows, left out where it knows none.
    """
    recipe, soft, classes = lesson.recipe, lesson.soft, student.classifier.out_features
    with mixed_precision(batch.pixels.device):
        logits, embedding, tokens = student(batch.pixels)
        losses = {"classes": functional.cross_entropy(logits.float(), batch.targets[:, :classes])}
        if soft is not None:
            columns = torch.from_numpy(soft.columns).to(logits.device)
            losses["retention"] = recipe.retention * retention_loss(logits, batch.targets[:, classes:], columns)
        if recipe.contrast:
            losses["contrast"] = recipe.contrast * contrast_loss(embedding, batch.targets[:, :classes].argmax(1))
        if lesson.anchors is not None:
            mirrored = student.backbone(batch.pixels[MIRRORED].flip(-1))
            losses["parts"] = recipe.parts * part_loss(lesson.anchors, tokens, mirrored, batch.labels)
        for teacher, to_teacher in zip(lesson.teachers, student.to_teacher, strict=True):
            known = [row for row, label in enumerate(batch.labels.tolist()) if label in teacher.indices]
            if recipe.distil == 0 or not known:
                continue
            mine = torch.tensor(known).to(logits.device, non_blocking=True)
            with torch.no_grad():
                seen = teacher.backbone(batch.pixels[mine]).mean((1, 2)).float()
                wanted = (seen - teacher.mean) / teacher.std
            distance = 1 - functional.cosine_similarity(to_teacher(embedding[mine]).float(), wanted).mean()
            distance = recipe.distil * distance * len(known) / len(batch)
            losses["teachers"] = losses["teachers"] + distance if "teachers" in losses else distance
    return losses


@torch.inference_mode()
def val_top1(student: Student, lesson: Lesson, chosen: np.ndarray) -> float:
    """Top-1 accuracy of the trained classifier on these pictures, in [0, 1], seen at the size that it is trained at.

    At another size its features are others (Touvron 2019): with 5 pictures of each of 100 birds a head of 160 px
    features had 0.667 at 160 px and 0.539 at 224, and the epoch would be chosen by that. The last head is fitted anew.
    """
    student.eval()
    device = next(student.parameters()).device
    right, mine = 0, chosen[lesson.world.part(len(chosen))]
    for some in batches(mine, 64):
        pixels = to_batch(lesson.pictures.pixels[some], lesson.config, device)
        with mixed_precision(device):
            logits, _, _ = student(resize(pixels, lesson.recipe.train_px))
        right += int((logits.argmax(1).cpu().numpy() == lesson.class_index[some]).sum())
    return lesson.world.total(right) / len(chosen)
