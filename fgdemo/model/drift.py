"""Carry the sums of a head to features that have moved, for pictures that are not at hand any more.

With e the embeddings of the same pictures by the old and by the new backbone, and φ the old standardised features,

    e_new ≈ e_old + B'φ        B = (Φ'Φ + λI)⁻¹ Φ'(E_new − E_old)        φ_new ≈ M φ_old

so that the sums of pictures never seen again follow: G' = M G M', moment' = M moment (a linear form of learnable drift
compensation, Gomez-Villa 2024). Exact where the drift is linear and the pictures span the features; where they do
not, what they say nothing of is held to have stayed.
"""

from dataclasses import replace

import numpy as np
import scipy.linalg

from fgdemo.model.head import RidgeHead, press

STEPS = (1e-8, 1e-6, 1e-4, 1e-3, 0.01, 0.1, 1.0, 10.0)
"""λ that are tried, as multiples of the mean eigenvalue; the least leave-one-out error decides."""


def drift(old: RidgeHead, old_embeddings: np.ndarray, new: RidgeHead, new_embeddings: np.ndarray) -> np.ndarray:
    """M, (D + 1, D + 1) float64, from the features of `old` to those of `new`.

    Args:
        old_embeddings, new_embeddings: (N, D) of the same pictures.
    """
    features = old.features(old_embeddings)
    moved = (new_embeddings - old_embeddings).astype(np.float64)
    values, vectors = scipy.linalg.eigh(features.T @ features)
    rotated = features @ vectors
    moment = rotated.T @ moved
    unit, weights = max(float(values.mean()), 1e-12), np.ones(len(features))
    penalty = unit * min(STEPS, key=lambda step: press(rotated, moved, weights, values, moment, unit * step))
    slope = (vectors / (np.maximum(values, 0) + penalty)) @ moment
    dim = len(old.mean)
    stayed = np.concatenate([old.scale * np.eye(dim), (old.mean - new.mean).astype(np.float64)[:, None]], 1)
    constant = np.eye(dim + 1)[-1:]
    return np.concatenate([(stayed + slope.T) / new.scale, constant])


def without_members(head: RidgeHead, embeddings: np.ndarray, keys: np.ndarray) -> RidgeHead:
    """The head's sums less those of its pictures that are among these (N, D) `embeddings`, known by (N,) `keys`."""
    columns = head.member_columns()
    _, first = np.unique(keys, return_index=True)  # a copy was counted once
    rows = [row for row in first.tolist() if int(keys[row]) in columns]
    if not rows:
        return head
    features = head.features(embeddings[rows])
    classes = np.array([columns[int(keys[row])] for row in rows])
    moment = head.moment.copy()
    np.subtract.at(moment.T, classes, features)
    counts = head.counts - np.bincount(classes, minlength=len(head.counts))
    stay = ~np.isin(head.members, keys[rows])
    return replace(
        head,
        gram=head.gram - features.T @ features,
        moment=moment,
        counts=np.maximum(counts, 0),
        members=head.members[stay],
        member_classes=head.member_classes[stay],
    )


def with_columns(head: RidgeHead, columns: np.ndarray, classes: int) -> RidgeHead:
    """The same sums with the head's class i in column `columns[i]` of `classes`; the others are empty.

    A class whose column is −1 is gone: its pictures stay in the sums, as pictures of none of the classes.
    """
    moment, counts = np.zeros((len(head.gram), classes)), np.zeros(classes)
    stay = columns >= 0
    moment[:, columns[stay]], counts[columns[stay]] = head.moment[:, stay], head.counts[stay]
    member_columns = columns[head.member_classes].astype(np.int16)
    known = member_columns >= 0
    return replace(
        head, moment=moment, counts=counts, members=head.members[known], member_classes=member_columns[known]
    )


def plus(head: RidgeHead, other: RidgeHead, mapping: np.ndarray) -> RidgeHead:
    """`head` and the sums of `other`, which `mapping` M takes to the features of `head`; λ is `head`'s.

    The members of both are known, so that a picture of `other` that comes back is not counted twice.
    """
    return replace(
        head,
        gram=head.gram + mapping @ other.gram @ mapping.T,
        moment=head.moment + mapping @ other.moment,
        counts=head.counts + other.counts,
        members=np.concatenate([head.members, other.members]),
        member_classes=np.concatenate([head.member_classes, other.member_classes]),
    )
