"""`evaluate`: how good a checkpoint is, and what its features are worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fgdemo.commands.console import Checkpoint, Say, bar, load, percent, quiet, report_skipped, settled
from fgdemo.commands.model import evaluate_options as asks
from fgdemo.commands.model.evaluate_options import Asked, Thoroughness
from fgdemo.commands.model.evaluate_score import score_pictures
from fgdemo.commands.model.fit_options import three
from fgdemo.values.counting import counted
from fgdemo.values.errors import DatasetError

if TYPE_CHECKING:
    from fgdemo.learn.data.pictures import Pictures
    from fgdemo.learn.study.bench import BackboneChoice
    from fgdemo.model.backbone import Backbone, DataConfig
    from fgdemo.model.classifier import Classifier
    from fgdemo.settings import Settings


def evaluate(
    data: asks.Data,
    *,
    checkpoint: Checkpoint = None,
    protocol: asks.OneProtocol = "score",
    unknown: asks.Unknown = None,
    closer: asks.HowClose = "auto",
    report: asks.Report = None,
    seeds: asks.Seeds = 3,
    sessions: asks.Sessions = 5,
    finetune: asks.Finetune = None,
    size: asks.Sides = None,
    backbone: asks.Backbones = None,
    option: asks.Options = None,
    mean: asks.Mean = None,
    std: asks.Std = None,
    settings: Settings | None = None,
    say: Say = quiet,
) -> dict[str, Any]:
    """Measure a checkpoint on labelled pictures.

    It runs one protocol; the result may also become an HTML report.
    """
    from fgdemo.learn.measure.report import html_report
    from fgdemo.storage.disk.outputs import whole_file

    of_bench = (size or (), backbone or (), option or (), mean, std)
    asked = Asked(data, unknown or (), seeds, sessions, finetune, *of_bench, closer=closer)
    settings = settled(settings)
    protocols = {
        "score": score_pictures,
        "protocols": _protocols,
        "lowshot": _low_shot,
        "bench": _bench,
        "continual": _continual,
    }
    classifier = load(checkpoint, settings)
    result = protocols[protocol](classifier, asked, settings, say)
    result = {"checkpoint": classifier.version, "protocol": protocol, **result}
    if report:
        with whole_file(report) as file:
            file.write(html_report(result, classifier.taxonomy).encode())
        say(f"Written: {report}")
    return result


def _read(asked: Asked, config: DataConfig, settings: Settings, say: Say) -> tuple[Pictures, Any, Any]:
    """(pictures, class index of each, class names). The kinds are those of the data, whatever the checkpoint knows."""
    import numpy as np

    from fgdemo.learn.data.pictures import decode_all
    from fgdemo.storage.formats.sources import read_sources, split_off_val

    source = read_sources(asked.sources)
    if not source.part("val") and not source.part("test"):
        source = split_off_val(source, seed=0)
    with bar() as progress:
        pictures = decode_all(source.pictures, config, max_picture_mp=settings.max_picture_mp, progress=progress)
    report_skipped((*source.skipped, *pictures.skipped), say, source.notes)
    train = np.array(pictures.splits) == "train"
    labels = np.array(pictures.labels)
    known = set(labels[train].tolist())
    if len(known) < 2 or not (~train).any():
        raise DatasetError("There must be training pictures of at least two classes, and others to test on.")
    if not set(labels[~train].tolist()) <= known:
        missing = sorted(set(labels[~train].tolist()) - known)
        raise DatasetError(f"There are no training pictures of {', '.join(missing[:5])}; the test needs some.")
    classes = sorted(known)
    return pictures, np.searchsorted(classes, labels), classes


def _split(classifier: Classifier, asked: Asked, settings: Settings, say: Say) -> tuple[Any, Any, Any]:
    """(split of embeddings, pictures, class names) by the checkpoint's backbone."""
    import numpy as np

    from fgdemo.learn.data.embed import embed
    from fgdemo.learn.measure.protocols import FeatureSplit

    pictures, class_index, classes = _read(asked, classifier.data_config, settings, say)
    with bar() as progress:
        embeddings = embed(classifier.network.backbone, pictures.pixels, classifier.data_config, progress=progress)
    train = np.array(pictures.splits) == "train"
    split = FeatureSplit(embeddings[train], class_index[train], embeddings[~train], class_index[~train], len(classes))
    return split, pictures, classes


def _about(split: Any) -> dict[str, Any]:
    return {"classes": split.classes, "train": len(split.train), "test": len(split.test)}


def _protocols(classifier: Classifier, asked: Asked, settings: Settings, say: Say) -> dict[str, Any]:
    from fgdemo.learn.measure.protocols import compare, held_out_kinds

    split, pictures, classes = _split(classifier, asked, settings, say)
    unknown = held_out_kinds(split, seeds=range(asked.seeds))  # before hours of training, if it cannot be
    others = {}
    if preset := asked.finetune:
        backbone, config = classifier.network.backbone, classifier.data_config
        others["fine_tuned"] = lambda split: _finetuned(backbone, config, pictures, classes, preset)[1]
    found = compare(split, others)
    for name, one in sorted(found.items(), key=lambda item: -item[1].top1[0]):
        say(f"{name.replace('_', ' '):>14}: top-1 {percent(one.top1)}")
    say(f"A fifth of the kinds left out: AUROC {unknown['mean_auroc']:.3f}")
    return {**_about(split), "protocols": {name: asdict(one) for name, one in found.items()}, "unknown": unknown}


def _low_shot(classifier: Classifier, asked: Asked, settings: Settings, say: Say) -> dict[str, Any]:
    from fgdemo.learn.measure.protocols import low_shot

    split, _, _ = _split(classifier, asked, settings, say)
    found = low_shot(split, seeds=range(asked.seeds))
    for name, curve in found.items():
        shown = ", ".join(f"{size}: {row[0]:.1%}" for size, row in zip(curve.shots, curve.top1, strict=True))
        say(f"{name.replace('_', ' '):>14}: {shown}")
    return {**_about(split), "low_shot": {name: curve.to_json() for name, curve in found.items()}}


def _continual(classifier: Classifier, asked: Asked, settings: Settings, say: Say) -> dict[str, Any]:
    from fgdemo.learn.study.continual import LEARNERS, draw_sessions, take_course

    split, _, _ = _split(classifier, asked, settings, say)
    sessions = draw_sessions(split, asked.sessions)
    untested = split.classes - sum(map(len, sessions))
    if untested:
        say(f"{untested} {'kind' if untested == 1 else 'kinds'} without a picture to test on are left out.")
    found = {name: take_course(split, sessions, make(split.classes)) for name, make in LEARNERS.items()}
    for name, course in found.items():
        say(
            f"{name:>14}: {course.final_accuracy:.1%} right at the end, forgetting {course.forgetting:.1%}, "
            f"AUAC {course.auac:.1f}"
        )
    courses = {name: course.to_json() for name, course in found.items()}
    return {**_about(split), "sessions": asked.sessions, "courses": courses}


def _bench(classifier: Classifier, asked: Asked, settings: Settings, say: Say) -> dict[str, Any]:
    from fgdemo.learn.study.bench import recommend

    found: list[BackboneChoice] = []
    about: dict[str, Any] = {}
    for size_px in asked.sizes_px or [classifier.data_config.size_px]:
        for backbone, config in _backbones(classifier, asked, size_px):
            pictures, class_index, classes = _read(asked, config, settings, say)
            found += _cells(backbone, config, pictures, class_index, classes, asked)
            about = {"classes": len(classes), "train": len(pictures.where("train"))}
            say(f"{found[-1].cell.name}: {percent(found[-1].cell.top1)}, {found[-1].cell.picture_s * 1000:.0f} ms")
    cells, chosen = recommend(found)
    test = len(found[0].right)
    open_loss = (
        f" A loss of up to {chosen.loss_limit:.1%} against the best is not excluded by {counted(test, 'picture')}."
    )
    say(f"Recommended: {chosen.name}.{open_loss if chosen.loss_limit else ''}")
    return {
        **about,
        "test": test,
        "device": classifier.device,
        "cells": [{"name": cell.name, **cell.to_json()} for cell in cells],
        "recommended": chosen.name,
    }


def _backbones(classifier: Classifier, asked: Asked, size_px: int) -> list[tuple[Backbone, DataConfig]]:
    """Those asked for, or the checkpoint's own."""
    from dataclasses import replace

    from fgdemo.model.backbone import parse_options, start_backbone

    if not asked.backbones:
        classifier.backbone.require_size(size_px)
        return [(classifier.network.backbone, replace(classifier.data_config, size_px=size_px))]
    found = []
    for given in asked.backbones:
        name, _, weights = given.partition("=")
        backbone, config = start_backbone(
            name,
            weights=weights or "hub",
            size_px=size_px,
            options=parse_options(list(asked.options)),
            mean=three(asked.mean) if asked.mean else None,
            std=three(asked.std) if asked.std else None,
        )
        found.append((backbone.to(classifier.device), config))
    return found


def _cells(
    backbone: Backbone, config: DataConfig, pictures: Pictures, class_index: Any, classes: Sequence[str], asked: Asked
) -> list[BackboneChoice]:
    from fgdemo.learn.study.bench import candidate, frozen

    with bar() as progress:
        cells = [frozen(backbone, config, pictures, class_index, len(classes), progress)]
    if asked.finetune:
        tuned, scores = _finetuned(backbone, config, pictures, classes, asked.finetune)
        test = [row for row, split in enumerate(pictures.splits) if split != "train"]
        right = scores.argmax(1) == class_index[test]
        cells.append(candidate(tuned.network.backbone, config, pictures, right, "fine-tuned"))
    return cells


def _finetuned(
    backbone: Backbone, config: DataConfig, pictures: Pictures, classes: Sequence[str], preset: Thoroughness
) -> tuple[Classifier, Any]:
    """(all layers trained on the train pictures, the scores of the others)."""
    import tempfile

    from fgdemo.learn.study.tuned import finetuned

    with bar() as progress, tempfile.TemporaryDirectory() as folder:
        return finetuned(
            backbone, config, pictures, classes, preset, run_file=Path(folder) / "run_file", progress=progress
        )
