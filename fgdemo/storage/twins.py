"""Near-duplicates: frames of one burst, the same photograph scaled or saved again. They must share a split."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image

NEAR_BITS = 10
"""Pictures whose hashes differ in more of the 64 bits are never compared further."""
SAME_BITS = 3
SAME_COSINE, NEAR_COSINE = 0.90, 0.97
"""How alike the embeddings of two pictures are that are taken for one, with hashes that are the same or near."""


def dhash(picture: Image.Image) -> int:
    """Whether each of 8 × 8 places is darker than its right neighbour, as 64 bits (Krawetz 2013)."""
    small = np.asarray(picture.convert("L").resize((9, 8), Image.Resampling.BOX), dtype=np.int16)
    bits = (small[:, 1:] > small[:, :-1]).ravel()
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


class TwinFinder:
    """Finds the group of near-duplicates that a new picture belongs to. Grows as pictures are added.

    Of each picture it holds 8 bytes and its id. The hash is compared with every other one, which takes 0.1 ms among
    100,000 (a pass over 0.8 MB) where looking at the picture takes tens; only near ones have their embeddings read.

    Args:
        vectors: (n, D) embeddings of pictures that were added without one, by their ids.
    """

    def __init__(self, vectors: Callable[[Sequence[str]], np.ndarray]) -> None:
        self._vectors = vectors
        self._hashes = np.zeros(1024, np.uint64)
        self._images: list[str] = []
        self._first: dict[str, str] = {}
        self._fresh: dict[str, np.ndarray] = {}

    def add(self, image: str, hashed: int, twin_of: str | None = None, embedding: np.ndarray | None = None) -> None:
        """Remember a picture, and the first of its group if it is not the first itself.

        Args:
            embedding: (D,) of any length, for a picture that `vectors` does not know until `settle`.
        """
        at = len(self._images)
        if at == len(self._hashes):
            self._hashes = np.concatenate([self._hashes, np.zeros_like(self._hashes)])
        self._hashes[at] = hashed
        self._images.append(image)
        if twin_of is not None:
            self._first[image] = self._first.get(twin_of, twin_of)
        if embedding is not None:
            self._fresh[image] = embedding

    def settle(self) -> None:
        """From now on `vectors` knows all pictures that were added."""
        self._fresh.clear()

    def find(self, hashed: int, embedding: np.ndarray) -> str | None:
        """The first picture of the group of the one that is most like this, if that is a near-duplicate."""
        distance = np.bitwise_count(self._hashes[: len(self._images)] ^ np.uint64(hashed))
        near = np.flatnonzero(distance <= NEAR_BITS)
        if not len(near):
            return None
        images = [self._images[at] for at in near]
        cosine = _unit(self._embeddings(images)) @ _unit(embedding[None].astype(np.float32))[0]
        alike = cosine >= np.where(distance[near] <= SAME_BITS, SAME_COSINE, NEAR_COSINE)
        if not alike.any():
            return None
        twin = images[int(np.where(alike, cosine, -1).argmax())]
        return self._first.get(twin, twin)

    def _embeddings(self, images: Sequence[str]) -> np.ndarray:
        stored = [image for image in images if image not in self._fresh]
        known = dict(zip(stored, self._vectors(stored), strict=True)) if stored else {}
        return np.stack([known[image] if image in known else self._fresh[image] for image in images]).astype(np.float32)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
