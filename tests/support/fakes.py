"""A classifier without a network: it names the colour of the picture. Exact, fast and the same every time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from fgdemo.values.classification.closer import both
from fgdemo.values.evidence import FINE, Places
from fgdemo.values.taxonomy import Taxon, Taxonomy
from fgdemo.values.types import Closer, CropBox, Part, Reading

TAXONOMY = Taxonomy(
    (
        Taxon("bird", "bird"),
        Taxon("warbler", "warbler", "bird", aliases=("wood-warbler",)),
        Taxon("nashville_warbler", "Nashville Warbler", "warbler", "Leiothlypis ruficapilla"),
        Taxon("mourning_warbler", "Mourning Warbler", "warbler", "Geothlypis philadelphia"),
        Taxon("owl", "owl", "bird"),
        Taxon("eurasian_eagle_owl", "Eurasian Eagle-Owl", "owl", "Bubo bubo", aliases=("Uhu",)),
        Taxon("dog", "dog"),
        Taxon("spitz", "Spitz", "dog"),
        Taxon("eskimo_dog", "Eskimo Dog", "spitz"),
        Taxon("lowchen", "Löwchen", "dog"),
    )
)
COLOURS = {
    "nashville_warbler": (255, 220, 0),
    "mourning_warbler": (220, 255, 0),
    "eurasian_eagle_owl": (130, 70, 20),
    "eskimo_dog": (60, 100, 255),
    "lowchen": (255, 255, 255),
}
"""The colour of each leaf; a picture midway between two is midway between their logits. Magenta is far from all."""
PARTS = (Part(0, "crown", "bird"), Part(1, "breast", "bird"), Part(2, None, "bird"))


LEFT = Places(
    silhouette=lambda reading, picture: (
        np.repeat(np.arange(FINE) < FINE // 2, FINE).reshape(FINE, FINE).T.astype(float)
    ),
    pull=lambda picture, a, b: np.ones((14, 14)),
)
"""Whatever is asked: the thing is the left half, and all of it decides."""


class FakeCloser:
    """Implements `fgdemo.values.types.Closer`: a sharper temperature, and no unknown scale of its own."""

    sure_prob, weight = 0.7, 0.75

    def prediction_set(self, probs: np.ndarray) -> tuple[int, ...]:
        return (int(probs.argmax()),)

    def both(self, first: Reading, second: Reading, box: CropBox) -> Reading:
        logits = self.weight * (first.logits + second.logits)
        probs = np.exp(logits - logits.max())
        return both(
            first,
            second,
            box,
            weight=self.weight,
            probs=probs / probs.sum(),
            unknown=(second.unknown_score or 0.0, 0.97),
            shares=[first.assignment, second.assignment],
            parts=first.parts,
        )


class FakeClassifier:
    """Implements `fgdemo.values.types.Classifier`; `logits` fall with the squared distance to each colour, which is
    linear in the mean colour but for a constant, so the evidence of the 14 × 14 places is exact. With a `closer` the
    thing is what is not as in the corner."""

    version = "fake-00000000"
    taxonomy = TAXONOMY
    sure_prob = 0.6
    coverage = 0.9
    caveat = ""
    closer: Closer | None = None
    embedding_dim = 4
    least_sureness = 0.3

    def __init__(self) -> None:
        self.reads = 0

    def read(self, picture: Image.Image, box: CropBox | None = None) -> Reading:
        self.reads += 1
        pixels = box.pixels(*picture.size) if box else None
        tokens = np.asarray(picture.resize((14, 14), Image.Resampling.BOX, box=pixels), dtype=np.float64) / 255
        colours = np.array([COLOURS[leaf] for leaf in self.taxonomy.leaves]) / 255
        evidence = 2 * 40 * tokens @ colours.T / 196
        bias = -40 * (colours**2).sum(1)
        logits = evidence.sum((0, 1)) + bias
        probs = np.exp(logits - logits.max())
        distance = float(((tokens.mean((0, 1)) - colours) ** 2).sum(1).min())
        embedding = np.append(tokens.mean((0, 1)), 0.1)
        length = np.linalg.norm(embedding)
        kept = np.concatenate([tokens, np.full((14, 14, 1), 0.1)], axis=2) / length  # their mean is the embedding
        rows = np.clip(1 - np.abs(np.linspace(0, 1, 14)[:, None] - np.array([0.0, 0.5, 1.0])) * 2, 0, 1) * 0.75
        shares = np.append(rows, 1 - rows.sum(1, keepdims=True), axis=1)
        return Reading(
            logits,
            probs / probs.sum(),
            evidence,
            bias,
            np.repeat(shares[:, None], 14, axis=1),
            PARTS,
            embedding / length,
            min(1.0, 2 * distance),
            0.97,
            tokens=kept,
            mid=tokens,
            foreground=(np.abs(tokens - tokens[0, 0]).sum(-1) > 0.025).astype(np.float32) if self.closer else None,
        )

    def maps(self, reading: Reading, columns: Sequence[int]) -> np.ndarray:
        return reading.evidence[..., columns]

    def prediction_set(self, probs: np.ndarray) -> tuple[int, ...]:
        order = np.argsort(-probs)
        return tuple(int(i) for i in order[: int(np.searchsorted(np.cumsum(probs[order]), self.coverage)) + 1])

    def few(self, leaf: str) -> int | None:
        return None

    def lookalikes(self, leaf: str) -> tuple[str, ...]:
        pair = ("nashville_warbler", "mourning_warbler")
        return tuple(other for other in pair if other != leaf) if leaf in pair else ()
