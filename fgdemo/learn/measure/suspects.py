"""Which labels of a data set look wrong, from the pictures themselves and from what a checkpoint knows already."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy.linalg

from fgdemo.learn.data.embed import embed
from fgdemo.learn.data.pictures import decode_all
from fgdemo.learn.measure.suspicion import Candidates, doubts
from fgdemo.model.backbone import Backbone, DataConfig
from fgdemo.model.calibration import fit_temperature, softmax, telling
from fgdemo.model.discriminant import Discriminant
from fgdemo.model.head import RidgeHead
from fgdemo.values.batches import batches
from fgdemo.values.labelled import LabelledPicture
from fgdemo.values.progress import Progress, no_progress
from fgdemo.values.taxonomy import Taxonomy

CHUNK = 1024
CALIBRATED_ON = 4000
PLAIN_SHARE = 0.3
"""λ for sums that a checkpoint has not chosen one for, as a share of their mean eigenvalue."""


@dataclass(frozen=True)
class Seen:
    """What the backbone saw of N labelled pictures.

    Attributes:
        embeddings: (N, D).
        pictures: where they come from.
        keys: (N,) first 8 bytes of the sha256 of each file.
        skipped: (name, reason) of those that could not be decoded.
    """

    embeddings: np.ndarray
    pictures: tuple[LabelledPicture, ...]
    keys: np.ndarray
    skipped: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Suspects:
    """N judged labels, in the order of the pictures.

    Attributes:
        classes: C names, as the data has them.
        given: (N,) index into `classes`.
        suggested: (N,) the likeliest class other than the given one.
        suspicion: (N,) in [0, 1]; 1: surely wrong.
        known: (C,) bool: the checkpoint knew the class.
    """

    classes: tuple[str, ...]
    given: np.ndarray
    suggested: np.ndarray
    suspicion: np.ndarray
    known: np.ndarray


def look_at(
    listed: Sequence[LabelledPicture],
    backbone: Backbone,
    config: DataConfig,
    *,
    max_picture_mp: int = 60,
    progress: Progress = no_progress,
) -> Seen:
    """Decode and embed some pictures at a time, so that memory does not grow with their pixels."""
    embeddings: list[np.ndarray] = []
    kept: list[LabelledPicture] = []
    keys: list[np.ndarray] = []
    skipped: list[tuple[str, str]] = []
    for at in batches(range(len(listed)), CHUNK):
        some = listed[at.start : at.stop]
        pictures = decode_all(some, config, max_picture_mp=max_picture_mp)
        embeddings.append(
            embed(
                backbone,
                pictures.pixels,
                config,
                progress=lambda what, done, _of, start=at.start: progress(what, start + done, len(listed)),
            )
        )
        left_out = {name for name, _ in pictures.skipped}
        kept += [picture for picture in some if picture.name not in left_out]
        keys.append(pictures.keys)
        skipped += pictures.skipped
    progress("looking at pictures", len(listed), len(listed))
    dim = backbone.dim
    return Seen(
        np.concatenate([np.empty((0, dim), np.float32), *embeddings]),
        tuple(kept),
        np.concatenate([np.empty(0, np.uint64), *keys]),
        tuple(skipped),
    )


def find_suspects(
    embeddings: np.ndarray, labels: Sequence[str], keys: np.ndarray, head: RidgeHead, taxonomy: Taxonomy
) -> Suspects:
    """Judge every label by a head that has seen all other pictures, and all that the checkpoint was fitted to.

    A class of the data that is a leaf of the taxonomy goes on from what the checkpoint knows of it; others begin anew.
    The checkpoint's own pictures are counted once, with the label they have here. Copies of a picture under one label
    count once and are judged alike; under two labels, each speaks against the other.

    Args:
        embeddings: (N, D) of the checkpoint's backbone.
        labels: at least two different ones.
        keys: (N,) as in `RidgeHead.members`.
    """
    classes = tuple(sorted(set(labels)))
    index = {label: at for at, label in enumerate(classes)}
    given = np.array([index[label] for label in labels], np.int64)
    _, first, copy_of = np.unique(
        np.stack([keys, given.astype(np.uint64)], 1), axis=0, return_index=True, return_inverse=True
    )
    copy_of = copy_of.ravel()
    sums, known = _joined(embeddings[first], given[first], keys[first], head, taxonomy, classes)
    logits = _leave_one_out(embeddings[first], given[first], sums)
    own = logits[:, : len(classes)]  # what the data has no name for cannot be suggested
    sample = np.flatnonzero(np.isfinite(own[np.arange(len(own)), given[first]]))
    sample = sample[telling(sums.counts[given[first][sample]])]
    sample = sample[:: max(1, len(sample) // CALIBRATED_ON)]
    probs = softmax(own / fit_temperature(own[sample], given[first][sample]))
    candidates = Candidates.empty(len(first), len(classes))
    candidates.take(np.arange(len(first)), probs, given[first])
    odds = doubts(candidates, given[first], np.zeros(len(first), bool), len(classes))
    return Suspects(
        classes, given, candidates.classes[:, 1][copy_of], (1 / (1 + np.exp(-odds.astype(np.float64))))[copy_of], known
    )


def _joined(
    embeddings: np.ndarray,
    given: np.ndarray,
    keys: np.ndarray,
    head: RidgeHead,
    taxonomy: Taxonomy,
    classes: tuple[str, ...],
) -> tuple[RidgeHead, np.ndarray]:
    """The checkpoint's sums with the pictures added; the data's classes come first. And which of them it knew."""
    features = head.features(embeddings)
    column_of = np.full(len(taxonomy.leaves), -1)  # where each class of the checkpoint goes
    known = np.zeros(len(classes), bool)
    leaf_of = taxonomy.match_all(classes)
    for at, label in enumerate(classes):
        leaf = leaf_of.get(label)
        if leaf is not None and column_of[taxonomy.leaf_index[leaf]] < 0:
            column_of[taxonomy.leaf_index[leaf]], known[at] = at, True
    others = column_of < 0
    size = len(classes) + int(others.sum())
    column_of[others] = np.arange(len(classes), size)
    gram, moment, counts = head.gram.copy(), np.zeros((len(head.gram), size)), np.zeros(size)
    moment[:, column_of], counts[column_of] = head.moment, head.counts
    members = head.member_columns()
    for row, key in enumerate(keys.tolist()):
        if key in members:
            at = column_of[members.pop(key)]  # once only: the next may be the same file under another label
            gram -= np.outer(features[row], features[row])
            moment[:, at] -= features[row]
            counts[at] -= 1
    gram += features.T @ features
    np.add.at(moment.T, given, features)
    counts += np.bincount(given, minlength=size)
    unit = float(np.trace(head.gram)) / len(head.gram)
    share = head.penalty / unit if unit > 0 else PLAIN_SHARE
    penalty = share * float(np.trace(gram)) / len(gram)
    return replace(head, gram=gram, moment=moment, counts=counts, penalty=penalty), known


def _leave_one_out(embeddings: np.ndarray, given: np.ndarray, sums: RidgeHead) -> np.ndarray:
    inverse = scipy.linalg.inv(sums.gram + sums.penalty * np.eye(len(sums.gram)))
    solution = inverse @ sums.moment
    readout = Discriminant.of(solution, sums.moment, sums.counts)
    found = []
    for some, labels in zip(batches(embeddings, CHUNK), batches(given, CHUNK), strict=True):
        features = sums.features(some)
        spread = np.einsum("nd,nd->n", features @ inverse, features)
        found.append(readout.leave_one_out(features @ solution, spread, np.ones(len(spread)), labels))
    return np.concatenate(found)
