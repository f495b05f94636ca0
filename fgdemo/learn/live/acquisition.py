"""In which order pictures are asked. Arrays in, rows out."""

import numpy as np
from scipy.cluster.vq import kmeans2, vq

LARGEST_SAMPLE = 20_000
PICTURES_A_CLUSTER = 25
MOST_CLUSTERS = 100


def by_score(rows: np.ndarray, scores: np.ndarray, twins: np.ndarray) -> np.ndarray:
    """`rows` with the highest of their scores first; of a group of near-duplicates all but one come last.

    Args:
        scores: (n,) one for each of `rows`.
        twins: what group each row of the roster belongs to.
    """
    order = rows[np.argsort(-scores, kind="stable")]
    _, first = np.unique(twins[order], return_index=True)
    is_first = np.zeros(len(order), bool)
    is_first[first] = True
    return np.concatenate([order[is_first], order[~is_first]])


def typical(vectors: np.ndarray, labelled: np.ndarray, seed: int = 0) -> np.ndarray:
    """Order of the unlabelled among (n, D) vectors: what is typical of groups that nobody labelled comes first.

    After TypiClust (Hacohen et al. 2022): clusters without labels first, larger ones first, in turn; within a cluster
    the one nearest to its centre first.

    Args:
        labelled: (n,) bool.

    Returns:
        Indices into `vectors`.
    """
    open_rows = np.flatnonzero(~labelled)
    if not len(open_rows):
        return open_rows
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    generator = np.random.default_rng(seed)
    sample = unit[np.sort(generator.permutation(len(unit))[:LARGEST_SAMPLE])].astype(np.float64)
    clusters = int(np.clip(len(unit) // PICTURES_A_CLUSTER, 1, MOST_CLUSTERS))
    centres, _ = kmeans2(sample, clusters, minit="points", iter=8, rng=generator, missing="warn")
    owner, distance = vq(unit, centres)
    has = np.bincount(owner[labelled], minlength=clusters)
    size = np.bincount(owner, minlength=clusters)
    turn = np.empty(len(open_rows))
    for cluster in range(clusters):
        mine = np.flatnonzero(owner[open_rows] == cluster)
        turn[mine[np.argsort(distance[open_rows[mine]], kind="stable")]] = np.arange(len(mine)) + has[cluster]
    return open_rows[np.lexsort((-size[owner[open_rows]], turn))]
