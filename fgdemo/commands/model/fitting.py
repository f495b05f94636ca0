"""`fit`: make a checkpoint from labelled pictures."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fgdemo.commands.console import bar, report_scores, report_skipped, speaker
from fgdemo.commands.model.all_layers import load_teachers, run_file_of, train
from fgdemo.settings import Settings
from fgdemo.values.errors import DatasetError, SettingsError

if TYPE_CHECKING:
    from fgdemo.learn.data.pictures import Pictures
    from fgdemo.learn.train.distributed import World
    from fgdemo.model.backbone import Backbone, DataConfig
    from fgdemo.values.taxonomy import Taxonomy


def fit(arguments: argparse.Namespace, settings: Settings) -> dict[str, Any]:
    """Read, train if asked, fit the head, report, write the checkpoint.

    Under `torchrun` several processes train; the rest is for the first of them, and the others say nothing.
    """
    from fgdemo.learn.train.distributed import joined
    from fgdemo.model.devices import choose_device

    with joined(choose_device(arguments.device or settings.device)) as (world, device):
        return _fit(arguments, settings, world, device)


def _fit(arguments: argparse.Namespace, settings: Settings, world: World, device: str) -> dict[str, Any]:
    import numpy as np

    from fgdemo.learn.candidate.blend import half_precision
    from fgdemo.learn.candidate.fit import fit_classifier, label_indices
    from fgdemo.learn.data.corpus import Corpus
    from fgdemo.learn.data.embed import embed
    from fgdemo.learn.data.pictures import decode_all
    from fgdemo.learn.measure.evaluate import Scores
    from fgdemo.model.checkpoint.folder import require_replaceable
    from fgdemo.model.checkpoint.load import save_classifier
    from fgdemo.storage.formats.sources import read_sources, split_off_val
    from fgdemo.values.taxonomy import Taxonomy

    if arguments.epochs < 0 or arguments.parts < 1 or not 0 < arguments.val_share < 1 or arguments.batch_size < 2:
        raise SettingsError(
            "--epochs must be 0 or more, --parts 1 or more, --val-share between 0 and 1, --batch-size 2 or more."
        )
    if world.size > 1 and not arguments.epochs:
        raise SettingsError("Several processes are for training all layers: add --epochs, or start one process.")
    say = speaker(arguments) if world.leads else lambda text: None
    require_replaceable(arguments.out)
    source = read_sources(arguments.data)
    if not source.part("val") and source.part("train"):
        source = split_off_val(source, share=arguments.val_share, seed=arguments.seed)
    if len(source.labels) < 2:
        raise DatasetError(f"There is only one class ({', '.join(source.labels)}); a classifier needs at least two.")
    taxonomy = (
        Taxonomy.read_csv(arguments.taxonomy) if arguments.taxonomy else Taxonomy.grown(source.labels, source.groups)
    )
    backbone, config = _start(arguments, device)
    used = [picture for picture in source.pictures if picture.split != "test"]
    with bar(world.leads) as progress:
        pictures = decode_all(used, config, max_picture_mp=settings.max_picture_mp, progress=progress)
    skipped = (*source.skipped, *pictures.skipped)
    report_skipped(skipped, say, source.notes)
    for sentence in _kinds_held_out(pictures, [p.label for p in source.pictures if p.split == "test"]):
        say(sentence)
    known = label_indices(pictures.labels, taxonomy)  # each class must be in the taxonomy, which may know more
    taxonomy = taxonomy.restrict(taxonomy.leaves[index] for index in sorted(set(known.tolist())))
    class_index = label_indices(pictures.labels, taxonomy)
    card = _card(arguments, taxonomy, pictures, skipped)
    if arguments.epochs and not len(pictures.where("val")):
        raise DatasetError("Training needs held-out pictures: at least two pictures of some class, or a val folder.")
    corpus = Corpus(pictures, class_index, np.zeros(len(class_index), bool), taxonomy)
    teachers = load_teachers(arguments, config, corpus, device) if arguments.epochs else []
    half_precision(backbone)  # it is looked at once, as the checkpoint stores it
    with bar(world.leads) as progress:
        embeddings = embed(backbone, pictures.pixels, config, progress=progress)
        fitted = fit_classifier(
            backbone,
            config,
            pictures,
            class_index,
            taxonomy,
            name=arguments.out.name,
            trained=False,
            card=card,
            parts_per_group=arguments.parts,
            seed=arguments.seed,
            embeddings=embeddings,
            progress=progress,
        )
    if arguments.epochs:
        classifier = train(arguments, fitted, corpus, embeddings, teachers, say, world)
    else:
        split = "val" if len(pictures.where("val")) else "leave-one-out"
        metrics = {"metrics": {"split": split, **fitted.scores.to_json()}, "calibrated_on": fitted.held_out.source}
        classifier = replace(fitted.classifier, card={**card, **metrics})
    if not world.leads:
        return {}
    scores = Scores.from_json({key: value for key, value in classifier.card["metrics"].items() if key != "split"})
    report_scores(scores, taxonomy, say)
    save_classifier(classifier, arguments.out)
    if classifier.card.get("epochs_done", 0) == arguments.epochs:
        run_file_of(arguments.out).unlink(missing_ok=True)
    say(f"Written: {arguments.out}")
    return {"checkpoint": str(arguments.out), "skipped": len(skipped), **scores.to_json()}


def _kinds_held_out(pictures: Pictures, tested: Sequence[str]) -> list[str]:
    """What is to be told of kinds that are held out only.

    Raises:
        DatasetError: fewer than two kinds have pictures to learn from.
    """
    trained = {pictures.labels[row] for row in pictures.where("train")}
    if len(trained) < 2:
        there = f"only of “{next(iter(trained))}”" if trained else "none at all"
        raise DatasetError(f"There must be readable training pictures of at least two classes; there are {there}.")
    told = []
    for split, labels in (("val", [pictures.labels[row] for row in pictures.where("val")]), ("test", tested)):
        for label in sorted(set(labels) - trained):
            told.append(f"“{label}” has pictures in {split} only, so the model learns nothing of it.")
    return told


def _start(arguments: argparse.Namespace, device: str) -> tuple[Backbone, DataConfig]:
    import torch

    from fgdemo.model.backbone import parse_options, start_backbone
    from fgdemo.model.checkpoint.load import load_classifier

    torch.manual_seed(arguments.seed)  # for --weights none
    if arguments.checkpoint:
        classifier = load_classifier(arguments.checkpoint, device)
        return classifier.backbone.to(device), classifier.data_config
    backbone, config = start_backbone(
        arguments.backbone,
        weights=arguments.weights,
        size_px=arguments.size,
        options=parse_options(arguments.option),
        mean=arguments.mean,
        std=arguments.std,
    )
    return backbone.to(device), config


def _card(
    arguments: argparse.Namespace, taxonomy: Taxonomy, pictures: Pictures, skipped: Sequence[tuple[str, str]]
) -> dict[str, Any]:
    command = ["python", "-m", "fgdemo", *sys.argv[1:]] if sys.argv[1:2] == ["fit"] else []
    return {
        "name": arguments.out.name,
        "command": shlex.join(command),
        "parent": arguments.checkpoint.name if arguments.checkpoint else None,
        "start_weights": Path(arguments.weights).name,
        "seed": arguments.seed,
        "data": {
            "sources": [one if one.startswith("hf:") else Path(one).name for one in arguments.data],
            "train": len(pictures.where("train")),
            "val": len(pictures.where("val")),
            "skipped": len(skipped),
            "kinds": len(taxonomy.leaves),
        },
        "licences": arguments.licence,
    }
