"""A memory of fixed size of pictures that were learned before, and batches that never are without them.

Pictures are chosen one after the other for each kind by the sum of three figures in [0, 1] (after Pool-Select-Refine,
Li 2026): how reliable the label is, how far the picture is from those chosen already, how unsure the model is of it.
"""

from dataclasses import dataclass

import numpy as np
import torch

from fgdemo.model.calibration import softmax


@dataclass(frozen=True)
class Memory:
    """(M,) rows of the pictures kept, and the least share in [0, 1] of each batch that is drawn from them."""

    rows: np.ndarray
    share: float


def choose_memory(
    embeddings: np.ndarray, class_index: np.ndarray, left_out: np.ndarray, pool: np.ndarray, budget: int
) -> np.ndarray:
    """(min(budget, len(pool)),) rows of `pool`, sorted; each kind has the same number as far as it has pictures.

    Args:
        embeddings: (N, D).
        class_index: (N,) labels.
        left_out: (N, C) leave-one-out log-odds; only the rows of `pool` count.
        pool: rows that may be kept: never those that are chosen by or judged by.
    """
    kinds = np.unique(class_index[pool])
    have = np.array([int((class_index[pool] == kind).sum()) for kind in kinds], np.int64)
    kept: list[np.ndarray] = [np.empty(0, np.int64)]
    for kind, places in zip(kinds, shares(have, budget).tolist(), strict=True):
        rows = pool[class_index[pool] == kind]
        kept.append(rows[_greedy(embeddings[rows], left_out[rows], int(kind), places)])
    return np.sort(np.concatenate(kept))


def shares(have: np.ndarray, budget: int) -> np.ndarray:
    """(K,) places of each kind: all that it has, or as many as any other (one more for the first); sum: the budget."""
    places = np.zeros_like(have)
    left = min(budget, int(have.sum()))
    while left:
        hungry = np.flatnonzero(places < have)
        each = max(1, left // len(hungry))
        given = np.minimum(have[hungry] - places[hungry], each)[:left]
        places[hungry[: len(given)]] += given
        left -= int(given.sum())
    return places


def batches_of(train: np.ndarray, batch_size: int, memory: Memory | None, generator: torch.Generator) -> np.ndarray:
    """(len(train) // batch_size, batch_size) rows for one epoch, each batch sorted.

    Without a memory all of `train` in a new order. With one at least its share of each batch are pictures of the
    memory, again and again, and the rest are the others: so an epoch is as long as before, but not all others are in
    it. A memory that is no smaller a share of `train` than that is left alone.
    """
    count = len(train) // batch_size
    order = train[torch.randperm(len(train), generator=generator).numpy()]
    if memory is None or len(memory.rows) == 0 or len(memory.rows) >= memory.share * len(train):
        return np.sort(order[: count * batch_size].reshape(count, batch_size), axis=1)
    old = int(np.ceil(memory.share * batch_size))
    again = count * old // len(memory.rows) + 1
    kept = [memory.rows[torch.randperm(len(memory.rows), generator=generator).numpy()] for _ in range(again)]
    others = order[~np.isin(order, memory.rows)]
    new = others[: count * (batch_size - old)].reshape(count, batch_size - old)
    return np.sort(np.concatenate([np.concatenate(kept)[: count * old].reshape(count, old), new], axis=1), axis=1)


def _greedy(embeddings: np.ndarray, left_out: np.ndarray, kind: int, places: int) -> np.ndarray:
    """Indices of the chosen among n pictures of one kind.

    The margin counts up to 0 only: all whose label the others confirm are reliable, the sure and the unsure alike.
    """
    if places >= len(embeddings):
        return np.arange(len(embeddings))
    rivals = np.delete(left_out, kind, axis=1)
    margin = left_out[:, kind] - (rivals.max(1) if rivals.shape[1] else 0.0)
    reliable = np.exp(np.minimum(margin, 0.0))
    probs = softmax(left_out)
    unsure = -(probs * np.log(np.maximum(probs, 1e-12))).sum(1) / np.log(max(2, probs.shape[1]))
    unit = embeddings / np.maximum(np.linalg.norm(embeddings, axis=1, keepdims=True), 1e-12)
    far = np.ones(len(unit))
    chosen: list[int] = []
    for _ in range(places):
        score = reliable + unsure + far / max(float(far.max()), 1e-12)
        score[chosen] = -np.inf
        chosen.append(int(score.argmax()))
        far = np.minimum(far, np.maximum(0.0, 1 - unit @ unit[chosen[-1]]) / 2)
    return np.array(chosen, np.int64)
