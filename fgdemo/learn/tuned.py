"""Fine-tuning as one protocol among others: learned from the train pictures of a split, tested on the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from fgdemo.learn.candidate import train_candidate
from fgdemo.learn.corpus import Corpus
from fgdemo.learn.embed import embed
from fgdemo.learn.pictures import Pictures, Progress, no_progress
from fgdemo.learn.recipe import PRESETS, Recipe
from fgdemo.model.classifier import Classifier
from fgdemo.taxonomy import Taxon, Taxonomy, display_name, slug
from fgdemo.training import Preset

VAL_EVERY = 5
"""Every fifth train picture of a kind is held out to choose by, so that the pictures of the test choose nothing."""


def finetuned(
    base: Classifier,
    pictures: Pictures,
    classes: Sequence[str],
    preset: Preset,
    *,
    snapshot: Path,
    seed: int = 0,
    progress: Progress = no_progress,
) -> tuple[Classifier, np.ndarray]:
    """Train `base` on the "train" pictures.

    Args:
        pictures: of the size that the base takes.
        classes: names of the classes; a picture's label is one of them.

    Returns:
        The new classifier, and (M, C) log-odds of the other pictures, a column for each of `classes`.
    """
    taxonomy, leaves = union(base.taxonomy, classes)
    train = pictures.where("train")
    leaf_of = dict(zip(classes, leaves, strict=True))
    labels = [leaf_of[pictures.labels[row]] for row in train]
    corpus = Corpus(
        pictures=Pictures(
            pixels=pictures.pixels[train],
            names=tuple(pictures.names[row] for row in train),
            labels=tuple(labels),
            splits=own_splits(labels),
            skipped=(),
            keys=pictures.keys[train] if len(pictures.keys) else pictures.keys,
        ),
        class_index=np.array([taxonomy.leaf_index[leaf] for leaf in labels], np.int64),
        checked=np.zeros(len(train), bool),
        taxonomy=taxonomy,
    )
    recipe: Recipe = replace(PRESETS[preset], seed=seed)
    tuned = train_candidate(
        base, corpus, recipe, name=f"{base.version}-tuned", snapshot=snapshot, device=base.device, progress=progress
    )
    test = np.flatnonzero(np.array(pictures.splits) != "train")
    network = tuned.network
    embeddings = embed(network.backbone, pictures.pixels[test], tuned.data_config, progress=progress)
    logits = embeddings @ network.weight.cpu().numpy() + network.bias.cpu().numpy()
    columns = [tuned.taxonomy.leaf_index[leaf] for leaf in leaves]
    return tuned, logits[:, columns]


def union(taxonomy: Taxonomy, classes: Sequence[str]) -> tuple[Taxonomy, tuple[str, ...]]:
    """The taxonomy with a root leaf for each class it does not know, and the leaf of each class."""
    leaves = tuple(taxonomy.match(name) or slug(name) for name in classes)
    new = [
        Taxon(leaf, display_name(name))
        for leaf, name in zip(leaves, classes, strict=True)
        if leaf not in taxonomy.leaf_index
    ]
    return Taxonomy((*taxonomy.taxa, *new)), leaves


def own_splits(labels: Sequence[str]) -> tuple[str, ...]:
    """ "train" or "val" for each: every fifth of a kind is val, none of a kind that has fewer."""
    seen: dict[str, int] = {}
    splits = []
    for label in labels:
        seen[label] = seen.get(label, 0) + 1
        splits.append("val" if seen[label] % VAL_EVERY == 0 else "train")
    return tuple(splits)
