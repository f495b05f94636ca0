"""`fit`: make a checkpoint from labelled pictures."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fgdemo.commands.console import Say, bar, quiet, report_scores, report_skipped, settled
from fgdemo.commands.model import fit_options as asks
from fgdemo.commands.model.fit_all_layers import load_teachers, run_file_of, train
from fgdemo.commands.model.fit_options import AllLayers, Asked, Start
from fgdemo.values.errors import DatasetError

if TYPE_CHECKING:
    from fgdemo.learn.candidate.fit import Fitted
    from fgdemo.learn.data.corpus import Corpus
    from fgdemo.learn.data.pictures import Pictures
    from fgdemo.learn.train.distributed import World
    from fgdemo.model.backbone import DataConfig
    from fgdemo.model.classifier import Classifier
    from fgdemo.settings import Settings
    from fgdemo.storage.formats.sources import Source
    from fgdemo.values.taxonomy import Taxonomy


def fit(
    data: asks.Data,
    *,
    out: asks.Out,
    checkpoint: asks.OfCheckpoint = None,
    backbone: asks.Architecture = "resnet18.a1_in1k",
    weights: asks.Weights = "hub",
    option: asks.Options = None,
    size: asks.Side = None,
    mean: asks.Mean = None,
    std: asks.Std = None,
    taxonomy: asks.TaxonomyFile = None,
    parts: asks.Parts = 5,
    val_share: asks.ValShare = 0.2,
    licence: asks.Licences = None,
    seed: asks.Seed = 0,
    device: asks.Device = None,
    epochs: asks.Epochs = 0,
    train_size: asks.TrainSize = None,
    batch_size: asks.BatchSize = 32,
    lr: asks.LearningRate = 3e-4,
    recipe: asks.RecipeFile = None,
    teacher: asks.Teachers = None,
    distil: asks.Distil = 2.0,
    settings: Settings | None = None,
    say: Say = quiet,
) -> dict[str, Any]:
    """Make a checkpoint from labelled pictures.

        from pathlib import Path
        import fgdemo
        print(fgdemo.fit(["my-birds"], checkpoint=Path("start"), out=Path("mine"))["top1"])

    Returns:
        `checkpoint`, `skipped` (files left out), and the figures on held-out pictures, each with its 95 % interval.

    Raises:
        FgdemoError: what is wrong with pictures, weights or options, in a sentence.
    """
    from fgdemo.learn.train.distributed import joined
    from fgdemo.model.devices import choose_device

    start = Start(checkpoint, backbone, weights, option or (), size, mean, std, seed)
    layers = AllLayers(epochs, train_size, batch_size, lr, recipe, teacher or (), distil)
    asked = Asked(data, out, start, layers, taxonomy, parts, val_share, licence or (), seed)
    settings = settled(settings)
    # Under `torchrun` several processes train; the rest is for the first of them, and the others say nothing.
    with joined(choose_device(device or settings.device)) as (world, device):
        return _fit(asked, settings, world, device, say if world.leads else quiet)


def _fit(asked: Asked, settings: Settings, world: World, device: str, say: Say) -> dict[str, Any]:
    """Read, train if asked, fit the head, report, write the checkpoint."""
    from fgdemo.learn.candidate.blend import half_precision
    from fgdemo.learn.candidate.fit import fit_classifier
    from fgdemo.learn.data.embed import embed
    from fgdemo.learn.measure.evaluate import Scores
    from fgdemo.model.checkpoint.folder import require_replaceable
    from fgdemo.model.checkpoint.load import save_classifier

    asked.require_sense(world.size)
    require_replaceable(asked.out)
    source, taxonomy = _read(asked)
    backbone, config = asked.start.load(device)
    corpus, skipped = _decoded(source, taxonomy, config, settings, world, say)
    card = _card(asked, corpus.taxonomy, corpus.pictures, skipped)
    if asked.layers.epochs and not len(corpus.pictures.where("val")):
        raise DatasetError("Training needs held-out pictures: at least two pictures of some class, or a val folder.")
    teachers = load_teachers(asked, config, corpus, device) if asked.layers.epochs else []
    half_precision(backbone)  # it is looked at once, as the checkpoint stores it
    with bar(world.leads) as progress:
        embeddings = embed(backbone, corpus.pictures.pixels, config, progress=progress)
        fitted = fit_classifier(
            backbone,
            config,
            corpus.pictures,
            corpus.class_index,
            corpus.taxonomy,
            name=asked.out.name,
            trained=False,
            card=card,
            parts_per_group=asked.parts,
            seed=asked.seed,
            embeddings=embeddings,
            progress=progress,
        )
    if asked.layers.epochs:
        classifier = train(asked, fitted, corpus, embeddings, teachers, say, world)
    else:
        classifier = _measured(fitted, card, corpus.pictures)
    if not world.leads:
        return {}
    scores = Scores.from_json({key: value for key, value in classifier.card["metrics"].items() if key != "split"})
    report_scores(scores, corpus.taxonomy, say)
    save_classifier(classifier, asked.out)
    if classifier.card.get("epochs_done", 0) == asked.layers.epochs:
        run_file_of(asked.out).unlink(missing_ok=True)
    say(f"Written: {asked.out}")
    return {"checkpoint": str(asked.out), "skipped": len(skipped), **scores.to_json()}


def _read(asked: Asked) -> tuple[Source, Taxonomy]:
    """The listed pictures with a split, and the taxonomy that they are to fit. Raises DatasetError, TaxonomyError."""
    from fgdemo.storage.formats.sources import read_sources, split_off_val
    from fgdemo.values.taxonomy import Taxonomy

    source = read_sources(asked.sources)
    if not source.part("val") and source.part("train"):
        source = split_off_val(source, share=asked.val_share, seed=asked.seed)
    if len(source.labels) < 2:
        raise DatasetError(f"There is only one class ({', '.join(source.labels)}); a classifier needs at least two.")
    if asked.taxonomy:
        return source, Taxonomy.read_csv(asked.taxonomy)
    return source, Taxonomy.grown(source.labels, source.groups)


def _decoded(
    source: Source, taxonomy: Taxonomy, config: DataConfig, settings: Settings, world: World, say: Say
) -> tuple[Corpus, Sequence[tuple[str, str]]]:
    """(what is learned from, of its kinds alone; what is left out). Raises DatasetError, TaxonomyError."""
    import numpy as np

    from fgdemo.learn.candidate.fit import label_indices
    from fgdemo.learn.data.corpus import Corpus
    from fgdemo.learn.data.pictures import decode_all

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
    return Corpus(pictures, class_index, np.zeros(len(class_index), bool), taxonomy), skipped


def _measured(fitted: Fitted, card: dict[str, Any], pictures: Pictures) -> Classifier:
    """The classifier, whose card says how well it does on what it has not learned from."""
    split = "val" if len(pictures.where("val")) else "leave-one-out"
    metrics = {"metrics": {"split": split, **fitted.scores.to_json()}, "calibrated_on": fitted.held_out.source}
    return replace(fitted.classifier, card={**card, **metrics})


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


def _card(asked: Asked, taxonomy: Taxonomy, pictures: Pictures, skipped: Sequence[tuple[str, str]]) -> dict[str, Any]:
    command = ["python", "-m", "fgdemo", *sys.argv[1:]] if sys.argv[1:2] == ["fit"] else []
    return {
        "name": asked.out.name,
        "command": shlex.join(command),
        "parent": asked.start.checkpoint.name if asked.start.checkpoint else None,
        "start_weights": Path(asked.start.weights).name,
        "seed": asked.seed,
        "data": {
            "sources": [one if one.startswith("hf:") else Path(one).name for one in asked.sources],
            "train": len(pictures.where("train")),
            "val": len(pictures.where("val")),
            "skipped": len(skipped),
            "kinds": len(taxonomy.leaves),
        },
        "licences": list(asked.licences),
    }
