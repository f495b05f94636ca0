"""Near-duplicates: frames of one burst, the same photograph scaled or saved again. They must share a split."""

from __future__ import annotations

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
    """Finds the first picture that a new one is a near-duplicate of. Grows as pictures are added."""

    def __init__(self) -> None:
        self._hashes = np.zeros(1024, np.uint64)
        self._vectors: list[np.ndarray] = []
        self._images: list[str] = []

    def add(self, image: str, hashed: int, embedding: np.ndarray) -> None:
        """Remember a picture; `embedding` is (D,) of any length."""
        at = len(self._images)
        if at == len(self._hashes):
            self._hashes = np.concatenate([self._hashes, np.zeros_like(self._hashes)])
        self._hashes[at] = hashed
        self._vectors.append((embedding / max(float(np.linalg.norm(embedding)), 1e-12)).astype(np.float16))
        self._images.append(image)

    def find(self, hashed: int, embedding: np.ndarray) -> str | None:
        """The remembered picture that is most like this one, if it is a near-duplicate."""
        count = len(self._images)
        if not count:
            return None
        distance = _bits(self._hashes[:count] ^ np.uint64(hashed))
        near = np.flatnonzero(distance <= NEAR_BITS)
        if not len(near):
            return None
        unit = embedding / max(float(np.linalg.norm(embedding)), 1e-12)
        cosine = np.stack([self._vectors[i] for i in near]).astype(np.float32) @ unit
        alike = cosine >= np.where(distance[near] <= SAME_BITS, SAME_COSINE, NEAR_COSINE)
        if not alike.any():
            return None
        return self._images[near[int(np.where(alike, cosine, -1).argmax())]]


def _bits(numbers: np.ndarray) -> np.ndarray:
    """How many bits are set in each (n,) uint64."""
    return np.unpackbits(numbers.view(np.uint8).reshape(len(numbers), 8), axis=1).sum(1)
