"""Near-duplicates: frames of one burst, the same photograph scaled or saved again. They must share a split.

The thresholds were chosen on 3,000 photographs of birds, dogs and butterflies with the embeddings of the field-guide
checkpoint (`benchmarks/twins.py`). Of twins that were made of 200 of them these are found: saved again as JPEG of
quality 90 or 50, scaled to twice or a half, darker, of less contrast, cropped by 2 to 5 %, all; JPEG of quality 20,
99 %; cropped by 5 % at a corner, scaled to a third, or lighter, 97 to 98 %; lighter, cropped, scaled and JPEG of
quality 60 at once, 81 %. The mean is 98 %; with 10 bits and cosines of 0.90 and 0.97 it was 71 %. Of 4,498,500 pairs
of different files 22 are joined (were 8): to the eye 21 of them are one photograph in two cuts, and one shows two
butterflies pinned alike. Half of them lay on both sides of train and val. Without the hash a cosine of 0.93 would join
44.
"""

from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image

NEAR_BITS = 20
"""Pictures whose hashes differ in more of the 64 bits are never compared further."""
SAME_BITS = 8
"""Hashes of different pictures rarely differ in so few."""
SAME_COSINE, NEAR_COSINE = 0.60, 0.93
"""How alike the embeddings of two pictures are that are taken for one, with hashes that are the same or near."""


def dhash(picture: Image.Image) -> int:
    """Whether each of 8 × 8 places is darker than its right neighbour, as 64 bits (Krawetz 2013)."""
    small = np.asarray(picture.convert("L").resize((9, 8), Image.Resampling.BOX), dtype=np.int16)
    bits = (small[:, 1:] > small[:, :-1]).ravel()
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def alike(bits: np.ndarray, cosine: np.ndarray) -> np.ndarray:
    """(n,) bool: whether two pictures are near-duplicates, by how many bits of their hashes differ and their cosine."""
    return (bits <= NEAR_BITS) & (cosine >= np.where(bits <= SAME_BITS, SAME_COSINE, NEAR_COSINE))


AreTwins = Callable[[np.ndarray, np.ndarray], np.ndarray]


class TwinFinder:
    """Finds the group of near-duplicates that a new picture belongs to. Grows as pictures are added.

    Of each picture it holds 8 bytes and its id. Among 100,000 the hash is compared with every other one in 0.1 ms, a
    pass over 0.8 MB, and the embeddings of a few hundred near ones are read in 3 ms; looking at a picture takes tens.

    Args:
        vectors: (n, D) embeddings of pictures that were added without one, by their ids.
        are_twins: see `alike`; where embeddings say less than those of a trained model, another rule is needed.
    """

    def __init__(self, vectors: Callable[[Sequence[str]], np.ndarray], are_twins: AreTwins = alike) -> None:
        self._vectors, self._are_twins = vectors, are_twins
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
        cosine = _unit(self._embeddings(images, len(embedding))) @ _unit(embedding[None].astype(np.float32))[0]
        twins = self._are_twins(distance[near], cosine)
        if not twins.any():
            return None
        twin = images[int(np.where(twins, cosine, -1).argmax())]
        return self._first.get(twin, twin)

    def _embeddings(self, images: Sequence[str], dim: int) -> np.ndarray:
        found = np.empty((len(images), dim), np.float32)
        stored = [at for at, image in enumerate(images) if image not in self._fresh]
        if stored:
            found[stored] = self._vectors([images[at] for at in stored])
        for at, image in enumerate(images):
            if image in self._fresh:
                found[at] = self._fresh[image]
        return found


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
