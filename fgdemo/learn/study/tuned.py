"""Fine-tuning as one protocol among others: learned from the train pictures of a split, tested on the rest."""

import copy
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from fgdemo.learn.candidate.blend import half_precision
from fgdemo.learn.candidate.candidate import train_candidate
from fgdemo.learn.candidate.fit import fit_classifier
from fgdemo.learn.data.corpus import Corpus
from fgdemo.learn.data.embed import embed
from fgdemo.learn.data.pictures import Pictures
from fgdemo.learn.train.recipe import PRESETS, train_px_of
from fgdemo.model.backbone import Backbone, DataConfig
from fgdemo.model.classifier import Classifier
from fgdemo.values.progress import Progress, no_progress
from fgdemo.values.taxonomy import Taxonomy
from fgdemo.values.training import Preset

VAL_EVERY = 5
"""Every fifth train picture of a kind is held out to choose by, so that the pictures of the test choose nothing."""


def finetuned(
    backbone: Backbone,
    config: DataConfig,
    pictures: Pictures,
    classes: Sequence[str],
    preset: Preset,
    *,
    run_file: Path,
    seed: int = 0,
    progress: Progress = no_progress,
) -> tuple[Classifier, np.ndarray]:
    """Train all layers on the "train" pictures, from the closed-form head of the frozen features as they are.

    Args:
        backbone: stays as it is. Where it takes no smaller pictures (most ViTs) it is trained at its own size.
        pictures: of the size that it takes.
        classes: names of the classes; a picture's label is one of them. Nothing else is known, so that it compares with
            the other ways of learning them.

    Returns:
        The classifier, and (M, C) log-odds of the other pictures, a column for each of `classes`.
    """
    taxonomy = Taxonomy.flat(classes)
    leaf_of = taxonomy.match_all(classes)
    columns = [taxonomy.leaf_index[leaf_of[name]] for name in classes]
    column_of = dict(zip(classes, columns, strict=True))
    train = pictures.where("train")
    labels = [taxonomy.leaves[column_of[pictures.labels[row]]] for row in train]
    own = _split_anew(pictures, train, labels)
    class_index = np.array([taxonomy.leaf_index[leaf] for leaf in labels], np.int64)
    start = copy.deepcopy(backbone)
    half_precision(start)
    embeddings = embed(start, own.pixels, config, progress=progress)
    base = fit_classifier(
        start,
        config,
        own,
        class_index,
        taxonomy,
        name="frozen",
        trained=False,
        embeddings=embeddings,
        progress=progress,
    ).classifier
    tuned = train_candidate(
        base,
        Corpus(own, class_index, np.zeros(len(train), bool), taxonomy),
        replace(PRESETS[preset], seed=seed, train_px=train_px_of(backbone, config, PRESETS[preset])),
        name="fine-tuned",
        run_file=run_file,
        embeddings=embeddings,
        device=base.device,
        progress=progress,
    )
    test = np.flatnonzero(np.array(pictures.splits) != "train")
    network = tuned.network
    embeddings = embed(network.backbone, pictures.pixels[test], config, progress=progress)
    logits = embeddings @ network.weight.cpu().numpy() + network.bias.cpu().numpy()
    return tuned, logits[:, columns]


def _split_anew(pictures: Pictures, train: np.ndarray, labels: Sequence[str]) -> Pictures:
    """The train pictures under these labels, some of them held out to choose by."""
    return Pictures(
        pixels=pictures.pixels[train],
        names=tuple(pictures.names[row] for row in train),
        labels=tuple(labels),
        splits=own_splits(labels),
        skipped=(),
        keys=pictures.keys[train] if len(pictures.keys) else pictures.keys,
    )


def own_splits(labels: Sequence[str]) -> tuple[str, ...]:
    """ "train" or "val" for each: every fifth of a kind is val, none of a kind that has fewer."""
    seen: dict[str, int] = {}
    splits = []
    for label in labels:
        seen[label] = seen.get(label, 0) + 1
        splits.append("val" if seen[label] % VAL_EVERY == 0 else "train")
    return tuple(splits)
