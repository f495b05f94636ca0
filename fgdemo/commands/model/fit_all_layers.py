"""The part of `fit` that trains all layers, as the Train button does, from frozen features of these pictures."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fgdemo.commands.console import Say, bar, percent
from fgdemo.commands.model.fit_options import Asked
from fgdemo.values.errors import SettingsError

if TYPE_CHECKING:
    from fgdemo.learn.candidate.fit import Fitted
    from fgdemo.learn.data.corpus import Corpus
    from fgdemo.learn.train.distributed import World
    from fgdemo.learn.train.recipe import Recipe
    from fgdemo.learn.train.student import Teacher
    from fgdemo.model.backbone import DataConfig
    from fgdemo.model.classifier import Classifier
    from fgdemo.values.training import Epoch


def train(
    asked: Asked, frozen: Fitted, corpus: Corpus, embeddings: Any, teachers: Sequence[Teacher], say: Say, world: World
) -> Classifier:
    """The card of the classifier says how the training went, and how well `frozen` did."""
    from fgdemo.learn.candidate.candidate import train_candidate
    from fgdemo.learn.train.recipe import Recipe, read_changes

    base, layers = frozen.classifier, asked.layers
    recipe = Recipe(
        epochs=layers.epochs,
        train_px=layers.train_px or base.data_config.size_px,
        batch_size=layers.batch_size,
        lr=layers.lr,
        distil=layers.distil if teachers else 0.0,
        seed=asked.seed,
    )
    if layers.recipe:
        recipe = recipe.changed(read_changes(layers.recipe))
    say(f"Frozen start weights and ridge: top-1 {percent(frozen.scores.top1)} on val")

    def on_epoch(epoch: Epoch) -> None:
        top1 = "" if epoch.val_top1 is None else f", val top-1 {epoch.val_top1:.1%}"
        left = (epoch.of - epoch.number) * epoch.elapsed_s / 60
        say(f"Epoch {epoch.number} of {epoch.of}: loss {epoch.loss:.3f}{top1}; about {left:.0f} min left")

    with bar(world.leads) as progress, _stopped_by_interrupt() as stop:
        trained = train_candidate(
            base,
            corpus,
            recipe,
            name=base.version,
            run_file=run_file_of(asked.out),
            embeddings=embeddings,
            teachers=teachers,
            world=world,
            device=base.device,
            on_epoch=on_epoch,
            progress=progress,
            stop=stop,
        )
    if not world.leads:
        return trained
    return _with_card(trained, frozen, asked, recipe, say)


def _with_card(trained: Classifier, frozen: Fitted, asked: Asked, recipe: Recipe, say: Say) -> Classifier:
    """Tell how the training went, and write it on the card."""
    card = trained.card
    if card["training_ended"]:
        say(f"{card['training_ended']} The best epoch is kept, which is number {card['kept_epoch']}.")
    elif card["epochs_done"] < recipe.epochs:
        say(f"Stopped after {card['epochs_done']:.2f} epochs; the same command goes on from the last whole one.")
    blend = card["blend"]
    say(f"Share of the trained weights, chosen on val: {blend['trained_share']} {blend['val_top1']}")
    names = [Path(entry.rpartition("=")[0]).name for entry in asked.layers.teachers]
    return replace(
        trained,
        card={
            **card,
            **frozen.classifier.card,
            "recipe": {**card["recipe"], "teachers": names},
            "frozen_start": frozen.scores.groups,
        },
    )


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


def run_file_of(out: Path) -> Path:
    """Where an interrupted training goes on from."""
    return out.parent / f".{out.name}-training.pt"


def load_teachers(asked: Asked, config: DataConfig, corpus: Corpus, device: str) -> list[Teacher]:
    from fgdemo.learn.train.student import make_teacher
    from fgdemo.model.backbone import parse_options, start_backbone

    taxonomy, teachers = corpus.taxonomy, []
    for entry in asked.layers.teachers:
        file, equals, group = entry.rpartition("=")
        if not equals:
            raise SettingsError(f"--teacher {entry} must look like FILE=TAXON.")
        backbone, _ = start_backbone(
            asked.start.backbone,
            weights=file,
            size_px=asked.start.size_px,
            options=parse_options(list(asked.start.options)),
        )
        indices = frozenset(
            index
            for index, leaf in enumerate(taxonomy.leaves)
            if taxonomy[group].id in {t.id for t in taxonomy.path(leaf)}
        )
        teachers.append(make_teacher(backbone.to(device), indices, corpus.pictures, corpus.class_index, config))
    return teachers
