"""The part of `fit` that trains all layers first."""

from __future__ import annotations

import argparse
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fgdemo.commands.console import bar, interval, percent
from fgdemo.errors import DatasetError, SettingsError

if TYPE_CHECKING:
    from fgdemo.learn.distributed import World
    from fgdemo.learn.pictures import Pictures
    from fgdemo.learn.student import Teacher
    from fgdemo.model.backbone import Backbone, DataConfig
    from fgdemo.taxonomy import Taxonomy
    from fgdemo.training import Epoch


def train(
    arguments: argparse.Namespace,
    backbone: Backbone,
    config: DataConfig,
    pictures: Pictures,
    class_index: Any,
    taxonomy: Taxonomy,
    card: dict[str, Any],
    device: str,
    say: Callable[[str], None],
    world: World,
) -> Backbone:
    import torch

    from fgdemo.learn.blend import choose_blend
    from fgdemo.learn.embed import embed
    from fgdemo.learn.finetune import finetune
    from fgdemo.learn.recipe import Recipe
    from fgdemo.learn.steps import Lesson
    from fgdemo.model.calibration import fit_temperature
    from fgdemo.model.head import RidgeHead

    recipe = Recipe(
        epochs=arguments.epochs, train_px=arguments.train_size or config.size_px, batch_size=arguments.batch_size,
        lr=arguments.lr, mixup=arguments.mixup, cutmix=arguments.cutmix,
        distil=arguments.distil if arguments.teacher else 0.0, seed=arguments.seed,
    )  # fmt: skip
    train, val = pictures.where("train"), pictures.where("val")
    if not len(val):
        raise DatasetError("Training needs held-out pictures: at least two pictures of some class, or a val folder.")
    with bar(world.leads) as progress:
        embeddings = embed(backbone, pictures.pixels, config, progress=progress)
    head = RidgeHead.fit(embeddings[train], class_index[train], len(taxonomy.leaves))
    weight, bias = head.linear()
    roots = [taxonomy.root(taxonomy.leaves[index]) for index in class_index[val]]
    right = (embeddings[val] @ weight + bias).argmax(1) == class_index[val]
    card["frozen_start"] = {
        root: interval(right[[row for row, other in enumerate(roots) if other == root]]) for root in sorted(set(roots))
    }
    say(f"Frozen start weights and ridge: top-1 {percent(interval(right))} on val")
    epochs: list[dict[str, Any]] = []
    start = {key: value.clone() for key, value in backbone.state_dict().items()}

    def on_epoch(epoch: Epoch) -> None:
        epochs.append(asdict(epoch))
        top1 = "" if epoch.val_top1 is None else f", val top-1 {epoch.val_top1:.1%}"
        left = (epoch.of - epoch.number) * epoch.elapsed_s / 60
        say(f"Epoch {epoch.number} of {epoch.of}: loss {epoch.loss:.3f}{top1}; about {left:.0f} min left")

    seen = embeddings[train]
    if recipe.train_px != config.size_px:  # the trained network starts on what it sees in training
        with bar(world.leads) as progress:
            seen = embed(backbone, pictures.pixels[train], config, size_px=recipe.train_px, progress=progress)
        head = RidgeHead.fit(seen, class_index[train], len(taxonomy.leaves))
        weight, bias = head.linear()
    temperature = fit_temperature(head.leave_one_out(seen, class_index[train]), class_index[train])
    start_of_head = torch.from_numpy(weight / temperature), torch.from_numpy(bias / temperature)
    teachers = _teachers(arguments, pictures, class_index, config, taxonomy, device)
    with bar(world.leads) as progress, _stopped_by_interrupt() as stop:
        trained = finetune(
            backbone, start_of_head, Lesson(pictures, class_index, config, recipe, teachers, world=world),
            snapshot=snapshot_of(arguments.out), device=device, on_epoch=on_epoch, progress=progress, stop=stop,
        )  # fmt: skip
    if not world.leads:
        return trained.backbone
    if trained.sentence:
        say(f"{trained.sentence} The best epoch is kept, which is number {trained.kept_epoch}.")
    elif trained.epochs_done < recipe.epochs:
        say(f"Stopped after {trained.epochs_done:.2f} epochs; the same command goes on from the last whole one.")
    card["recipe"] = {**recipe.to_json(), "teachers": [Path(t.rpartition("=")[0]).name for t in arguments.teacher]}
    card |= {"epochs": epochs, "epochs_done": trained.epochs_done, "kept_epoch": trained.kept_epoch}
    with bar() as progress:
        blend = choose_blend(
            trained.backbone.to(device), start, pictures, class_index, config, len(taxonomy.leaves), progress=progress
        )
    card["blend"] = blend.to_json()
    say(f"Share of the trained weights, chosen on val: {blend.share} {card['blend']['val_top1']}")
    return trained.backbone


@contextmanager
def _stopped_by_interrupt() -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C was pressed; the first asks for a stop, a second stops at once, as it does everywhere else."""
    asked = threading.Event()
    before = signal.getsignal(signal.SIGINT)
    # A shell starts background jobs with Ctrl-C ignored, and that is to stay so.
    if threading.current_thread() is not threading.main_thread() or before in (signal.SIG_IGN, None):
        yield asked.is_set
        return

    def ask(number: int, frame: object) -> None:
        signal.signal(signal.SIGINT, before)
        asked.set()

    signal.signal(signal.SIGINT, ask)
    try:
        yield asked.is_set
    finally:
        signal.signal(signal.SIGINT, before)


def snapshot_of(out: Path) -> Path:
    """Where an interrupted training goes on from."""
    return out.parent / f".{out.name}-training.pt"


def _teachers(
    arguments: argparse.Namespace,
    pictures: Pictures,
    class_index: Any,
    config: DataConfig,
    taxonomy: Taxonomy,
    device: str,
) -> list[Teacher]:
    from fgdemo.learn.student import make_teacher
    from fgdemo.model.backbone import parse_options, start_backbone

    teachers = []
    for entry in arguments.teacher:
        file, equals, group = entry.rpartition("=")
        if not equals:
            raise SettingsError(f"--teacher {entry} must look like FILE=TAXON.")
        backbone, _ = start_backbone(
            arguments.backbone, weights=file, size_px=arguments.size, options=parse_options(arguments.option)
        )
        indices = frozenset(
            index
            for index, leaf in enumerate(taxonomy.leaves)
            if taxonomy[group].id in {t.id for t in taxonomy.path(leaf)}
        )
        teachers.append(make_teacher(backbone.to(device), indices, pictures, class_index, config))
    return teachers
