"""Train all layers of a backbone on labelled pictures: epoch after epoch, resumable, the best one kept."""

import hashlib
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from fgdemo.learn.train.run_file import resume, save_run
from fgdemo.learn.train.steps import Lesson, train_epoch, val_top1
from fgdemo.learn.train.student import Student, on_device
from fgdemo.learn.train.train_state import TrainState
from fgdemo.model.backbone import Backbone
from fgdemo.values.errors import DatasetError, TrainingError
from fgdemo.values.progress import Progress, no_progress
from fgdemo.values.training import Epoch


@dataclass(frozen=True)
class Trained:
    """The backbone with averaged (EMA) weights, on the CPU.

    Attributes:
        epochs_done: how many epochs it was trained, e.g. 3.4 of 10.
        history: the epochs that were whole.
        sentence: why the training ended by itself before its time; else it is empty.
    """

    backbone: Backbone
    epochs_done: float
    history: tuple[Epoch, ...] = ()
    sentence: str = ""

    @property
    def kept_epoch(self) -> int:
        """Whose weights these are: the best on val, or the last without val; 0 where no epoch was whole."""
        return best_epoch(self.history)


def finetune(
    backbone: Backbone,
    head: tuple[Tensor, Tensor],
    lesson: Lesson,
    *,
    run_file: Path | None = None,
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
        lesson: of several processes all return the same; only the leading one reads and writes the run file and tells
            of epochs and progress, and all stop when any is asked to.
        run_file: file that holds everything needed to go on after each epoch; an interrupted run resumes from it,
            and a finished one gives its weights at once. The epochs done before are told to `on_epoch` again.
        stop: asked after each batch; when true the training ends there, with what there is.

    Raises:
        CheckpointError: the run file belongs to another run, is damaged, or cannot be written.
        DatasetError: fewer training pictures than one batch, or a batch of fewer pictures than processes.
        TrainingError: the loss was no number in the first epoch. Later the best epoch is kept, and a sentence.
        BackboneError: the backbone does not take pictures of `recipe.train_px`.
    """
    recipe, world = lesson.recipe, lesson.world
    torch.manual_seed(recipe.seed)
    batches = _require_batches(backbone, lesson)
    if not world.leads:
        run_file, on_epoch, progress = None, lambda epoch: None, no_progress
    state = TrainState.begin(_student_of(backbone, head, lesson, device), recipe, recipe.epochs * batches)
    identity = {"recipe": recipe.to_json(), "start": fingerprint(backbone, lesson)} if run_file else {}
    done_before = resume(run_file, identity, state.parts) if run_file else []
    history = [Epoch(**row) for row in world.same(done_before, state.parts)]
    if recipe.compiled and device.startswith("cuda") and world.size == 1:
        state.student.compile()
    for epoch in history:
        on_epoch(epoch)
    epochs_done, sentence = float(len(history)), ""
    for step in _epochs(state, lesson, batches, history, progress, stop):
        epochs_done, sentence = step.epochs_done, step.sentence
        if step.epoch is None:
            break
        history.append(step.epoch)
        on_epoch(step.epoch)
        if best_epoch(history) == step.epoch.number:
            state.best.load_state_dict(state.averaged.state_dict())
        if run_file:
            save_run(run_file, identity, [asdict(epoch) for epoch in history], state.parts)
        if world.any(stop()):
            break
    kept = state.best if history else state.averaged
    trained = kept.backbone.to(memory_format=torch.contiguous_format).cpu().eval().requires_grad_(False)
    return Trained(trained, epochs_done, tuple(history), sentence)


@dataclass(frozen=True)
class _Step:
    """After one pass over the pictures; `epoch` is None where the training ends before it is whole."""

    epochs_done: float
    sentence: str
    epoch: Epoch | None = None


def _epochs(
    state: TrainState,
    lesson: Lesson,
    batches: int,
    history: Sequence[Epoch],
    progress: Progress,
    stop: Callable[[], bool],
) -> Iterator[_Step]:
    """One step an epoch, until the recipe's are done or something ends them. `history` grows meanwhile.

    Raises:
        TrainingError: the loss was no number in the first epoch.
    """
    recipe, micro = lesson.recipe, lesson.recipe.batch_size
    while len(history) < recipe.epochs:
        sentence = no_better(history, recipe.patience)
        if sentence:
            yield _Step(float(len(history)), sentence)
            return
        number, started = len(history) + 1, time.monotonic()
        losses, batches_done, micro = _pass_over(state, lesson, number, micro, progress, stop)
        if not math.isfinite(sum(losses.values())):
            sentence = "The training diverged: the loss is no number any more. Lower --lr."
            if not history:
                raise TrainingError(sentence)
            yield _Step(float(len(history)), sentence)
            return
        done = number - 1 + batches_done / batches
        yield _Step(done, "", _epoch(state, lesson, number, losses, started) if batches_done == batches else None)


def _require_batches(backbone: Backbone, lesson: Lesson) -> int:
    """How many batches an epoch has. Raises DatasetError and BackboneError as `finetune`."""
    recipe, count = lesson.recipe, len(lesson.pictures.where("train"))
    if count < recipe.batch_size:
        raise DatasetError(
            f"{count} training pictures are fewer than one batch of {recipe.batch_size}; lower --batch-size."
        )
    backbone.require_size(recipe.train_px)
    lesson.world.require_batch(recipe.batch_size)
    return count // recipe.batch_size


def _student_of(backbone: Backbone, head: tuple[Tensor, Tensor], lesson: Lesson, device: str) -> Student:
    """On the device, and its teachers too."""
    for teacher in lesson.teachers:
        on_device(teacher.backbone, device).eval().requires_grad_(False)
    return on_device(Student(backbone, *head, [teacher.backbone.dim for teacher in lesson.teachers]), device)


def _pass_over(
    state: TrainState, lesson: Lesson, number: int, micro: int, progress: Progress, stop: Callable[[], bool]
) -> tuple[dict[str, float], int, int]:
    """Epoch `number`, counted from 1; gives what `train_epoch` does. Its random numbers are its own."""
    recipe = lesson.recipe
    generator = torch.Generator().manual_seed(recipe.seed * 1000 + number - 1)
    torch.manual_seed(generator.initial_seed())  # of dropout and drop path, so that a resumed epoch is the same
    return train_epoch(
        state,
        lesson,
        lesson.pictures.where("train"),
        generator,
        micro=micro,
        stop=stop,
        progress=lambda done, of: progress(f"epoch {number} of {recipe.epochs}", done, of),
    )


def _epoch(state: TrainState, lesson: Lesson, number: int, losses: dict[str, float], started: float) -> Epoch:
    """What there is to say of a whole epoch that began at `started` of the monotonic clock."""
    recipe, val = lesson.recipe, lesson.pictures.where("val")
    top1 = val_top1(state.averaged, lesson, val) if len(val) else None
    elapsed_s = time.monotonic() - started
    pictures = len(lesson.pictures.where("train")) // recipe.batch_size * recipe.batch_size
    return Epoch(
        "network",
        number,
        recipe.epochs,
        sum(losses.values()),
        top1,
        elapsed_s,
        losses=losses,
        lr=float(state.optimizer.param_groups[0]["lr"]),
        images_per_s=pictures / max(elapsed_s, 1e-9),
    )


def fingerprint(backbone: Backbone, lesson: Lesson) -> str:
    """Of the start weights, the pictures, their splits and their labels: what is learned, and from where."""
    pictures, digest = lesson.pictures, hashlib.sha256()
    for value in backbone.state_dict().values():
        digest.update(value.cpu().numpy().tobytes())
    digest.update(repr((pictures.names, pictures.splits, lesson.class_index.tolist())).encode())
    return digest.hexdigest()


def best_epoch(history: Sequence[Epoch]) -> int:
    """The number of the epoch of highest val top-1, the later of equals; the last without val; 0 of none."""
    return max(history, key=lambda epoch: (epoch.val_top1 or 0.0, epoch.number)).number if history else 0


def no_better(history: Sequence[Epoch], patience: int) -> str:
    """A sentence where the last `patience` epochs were no better than one before them; 0: never."""
    waited = len(history) - best_epoch(history)
    return f"The last {waited} epochs were no better on val." if patience and waited >= patience else ""
