"""Make a classifier: frozen or freshly trained features, the closed-form head, calibration, unknown scale, parts."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from fgdemo.learn.candidate.blend import choose_on_val, half_precision
from fgdemo.learn.candidate.mid_ground import with_mid_ground
from fgdemo.learn.candidate.same_places import shown_from
from fgdemo.learn.candidate.two_views import calibrated
from fgdemo.learn.data.embed import embed, token_batches
from fgdemo.learn.data.held_out import HeldOut, held_out_of
from fgdemo.learn.data.pictures import Pictures
from fgdemo.learn.measure.evaluate import Scores, choose_sure_prob, score
from fgdemo.model.backbone import Backbone, DataConfig
from fgdemo.model.calibration import conformal_prob, fit_temperature, shared_probs, softmax
from fgdemo.model.classifier import Calibration, Classifier
from fgdemo.model.head import RidgeHead
from fgdemo.model.parts import PartModel, fit_parts
from fgdemo.model.unknown import UnknownScale
from fgdemo.values.errors import DatasetError
from fgdemo.values.progress import Progress, no_progress
from fgdemo.values.taxonomy import Taxonomy

COVERAGE = 0.95


@dataclass(frozen=True)
class Fitted:
    """A classifier and how well it does. `scores` is of the val split, or leave-one-out where there is none."""

    classifier: Classifier
    scores: Scores
    held_out: HeldOut


def label_indices(labels: Sequence[str], taxonomy: Taxonomy) -> np.ndarray:
    """(N,) class index of every label.

    Raises:
        DatasetError: a label that is no leaf of the taxonomy.
    """
    leaf_of = taxonomy.match_all(labels)
    unknown = sorted(set(labels) - set(leaf_of))
    if unknown:
        raise DatasetError(
            f"These class names are not in the taxonomy: {', '.join(unknown[:5])}{' …' if len(unknown) > 5 else ''}."
        )
    index = {label: taxonomy.leaf_index[leaf] for label, leaf in leaf_of.items()}
    return np.array([index[label] for label in labels], dtype=np.int64)


def fit_classifier(
    backbone: Backbone,
    config: DataConfig,
    pictures: Pictures,
    class_index: np.ndarray,
    taxonomy: Taxonomy,
    *,
    name: str,
    trained: bool,
    card: Mapping[str, Any] | None = None,
    parts_per_group: int = 5,
    seed: int = 0,
    also: Callable[[RidgeHead, np.ndarray], RidgeHead] = lambda head, embeddings: head,
    embeddings: np.ndarray | None = None,
    places: tuple[PartModel, np.ndarray] | None = None,
    progress: Progress = no_progress,
) -> Fitted:
    """Fit everything but the backbone, from the "train" pictures.

    Args:
        trained: whether the backbone has been trained on these pictures. Then leave-one-out of the head alone would
            flatter, and λ, temperature, sets and thresholds are taken from the "val" pictures instead.
        also: given the head of the training pictures and the (N, D) embeddings of all, adds what else it is to know.
        embeddings: (N, D) of all pictures by this backbone with weights as a checkpoint stores them, if at hand.
        places: parts and the origin of evidence for this backbone, where they are to be kept.

    Raises:
        DatasetError: nothing to learn from, or a trained backbone without val pictures.
    """
    train, val = _train_and_val(pictures, class_index, trained)
    device = next(backbone.parameters()).device
    half_precision(backbone)
    if embeddings is None:
        embeddings = embed(backbone, pictures.pixels, config, progress=progress)
    head = RidgeHead.fit(embeddings[train], class_index[train], len(taxonomy.leaves))
    if len(pictures.keys):
        head = replace(head, members=pictures.keys[train], member_classes=class_index[train].astype(np.int16))
    head = also(head, embeddings)
    if trained:
        head = choose_on_val(head, embeddings, class_index, val).head
    held_out = held_out_of(head, pictures, embeddings, class_index, trained)
    telling = held_out.telling
    parts, origin = places or fit_places(
        backbone, config, pictures, class_index, taxonomy, head.linear()[0], parts_per_group, seed, progress
    )
    classifier = Classifier(
        version=name,
        taxonomy=taxonomy,
        backbone=backbone,
        data_config=config,
        head=head,
        parts=parts,
        origin=origin,
        calibration=calibrate(held_out, taxonomy),
        unknown=UnknownScale.fit(telling.logits.max(1), telling.distances),
        card=card or {},
        device=str(device),
    )
    classifier = _completed(classifier, pictures, class_index, seed, progress)
    return Fitted(classifier, _scores(classifier, held_out, embeddings[val], class_index[val]), held_out)


def _completed(
    classifier: Classifier, pictures: Pictures, class_index: np.ndarray, seed: int, progress: Progress
) -> Classifier:
    """With what it learns by reading its pictures again: how to answer by two views, and which places are the same."""
    val = pictures.where("val")
    closer = calibrated(classifier, pictures.pixels[val], class_index[val], seed=seed, progress=progress)
    least = shown_from(classifier, pictures, class_index, seed)
    return replace(classifier, both_views=closer, least_sureness=least)


def _train_and_val(pictures: Pictures, class_index: np.ndarray, trained: bool) -> tuple[np.ndarray, np.ndarray]:
    """Rows of both. Raises DatasetError as `fit_classifier`."""
    train, val = pictures.where("train"), pictures.where("val")
    if len(set(class_index[train])) < 2:
        raise DatasetError("There must be training pictures of at least two classes.")
    if trained and not len(val):
        raise DatasetError("A trained backbone needs val pictures to be calibrated on.")
    return train, val


def _scores(classifier: Classifier, held_out: HeldOut, embeddings: np.ndarray, labels: np.ndarray) -> Scores:
    """On the val pictures with these (V, D) embeddings; where there are none, on what the head has not learned from."""
    telling = held_out.telling
    logits, distances = telling.logits, telling.distances
    if len(labels):
        weight, bias = classifier.head.linear()
        logits, distances = embeddings @ weight + bias, classifier.distances(embeddings)
    else:
        labels = telling.labels
    return score(classifier, logits / classifier.calibration.temperature, labels, distances)


def calibrate(held_out: HeldOut, taxonomy: Taxonomy) -> Calibration:
    """Temperature, prediction sets, the probability to be sure at, and look-alikes: what a picture is taken for says
    something also where it tells nothing else."""
    telling = held_out.telling
    temperature = fit_temperature(telling.logits, telling.labels)
    probs = softmax(telling.logits / temperature)
    return Calibration(
        temperature=temperature,
        coverage=COVERAGE,
        set_prob=conformal_prob(probs, telling.labels, COVERAGE),
        sure_prob=choose_sure_prob(probs, telling.labels, taxonomy),
        lookalikes=find_lookalikes(softmax(held_out.logits / temperature), held_out.labels, taxonomy),
        few={taxonomy.leaves[kind]: number for kind, number in held_out.few.items()},
    )


def find_lookalikes(
    probs: np.ndarray, labels: np.ndarray, taxonomy: Taxonomy, most: int = 5
) -> dict[str, tuple[str, ...]]:
    """Leaves that share probability on held-out pictures: at least 2 % on average, either way."""
    leaves = taxonomy.leaves
    shared = shared_probs(probs, labels)
    found = {}
    for row, leaf in enumerate(leaves):
        near = [int(column) for column in np.argsort(-shared[row])[:most] if shared[row, column] >= 0.02]
        if near:
            found[leaf] = tuple(leaves[column] for column in near)
    return found


def fit_places(
    backbone: Backbone,
    config: DataConfig,
    pictures: Pictures,
    class_index: np.ndarray,
    taxonomy: Taxonomy,
    weight: np.ndarray,
    parts_per_group: int,
    seed: int,
    progress: Progress = no_progress,
    besides: Collection[str] = (),
) -> tuple[PartModel, np.ndarray]:
    """Parts of every group of taxa by the (D, C) weight of the head, and the origin of evidence: the mean background
    token (D,). Groups that are named in `besides` are left out."""
    groups = np.array([taxonomy.group(leaf) for leaf in taxonomy.leaves])
    generator = np.random.default_rng(seed)
    train = pictures.where("train")
    samples, rows = {}, {}
    for group in sorted(set(groups[class_index[train]]) - set(besides)):
        chosen = np.sort(generator.permutation(train[groups[class_index[train]] == group])[:400])
        batches = token_batches(backbone, pictures.pixels[chosen], config, progress=progress)
        samples[str(group)] = torch.cat([tokens.float().cpu() for tokens in batches])
        rows[str(group)] = chosen
    parts = fit_parts(samples, torch.from_numpy(weight).float(), parts_per_group=parts_per_group, seed=seed)
    parts = with_mid_ground(parts, backbone, config, pictures.pixels, rows)
    background = []
    for group, tokens in samples.items():
        mask = parts.foreground(tokens, group) < 0.5
        places = tokens[mask] if mask.any() else tokens.flatten(0, 2)  # a grid too coarse to tell
        background.append(places.mean(0).numpy())
    return parts, np.mean(background, axis=0).astype(np.float32)
