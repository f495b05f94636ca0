"""The values that travel between the floors: frozen, plain, no torch, no gradio, no disk.

Arrays are numpy. Grids are row-major, `(height, width)`. "Evidence" is always in log-odds (nats): the
evidence of all places of a picture plus the bias is the calibrated logit, and the difference between two
logits is the natural logarithm of how many times likelier one taxon is than the other.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from PIL import Image

from fgdemo.values.errors import PictureError
from fgdemo.values.taxonomy import Taxonomy

PART_COLOURS = (
    *("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7"),
    *("#660000", "#CCFFCC", "#6600CC", "#999999", "#00FF87"),
)
"""Part `k` wears colour `k % 12` everywhere: Okabe and Ito's palette, and what is farthest from it to every eye. To the
colour-blind too, the next and the next but one are colours that can be told apart."""


@dataclass(frozen=True)
class CropBox:
    """A rectangle of the upright picture, as fractions of its width and height in [0, 1]."""

    left: float
    top: float
    right: float
    bottom: float

    def __post_init__(self) -> None:
        sides: list[object] = [self.left, self.top, self.right, self.bottom]
        if not all(isinstance(side, (int, float)) and 0.0 <= side <= 1.0 for side in sides):
            raise PictureError("The crop box must lie within the picture: four numbers from 0 to 1.")
        if self.right - self.left < 0.01 or self.bottom - self.top < 0.01:
            raise PictureError("The crop box is too small: draw it around the whole subject.")

    def pixels(self, width: int, height: int) -> tuple[int, int, int, int]:
        """The box in whole pixels (left, top, right, bottom), at least one pixel wide and high."""
        left, top = int(self.left * width), int(self.top * height)
        right, bottom = round(self.right * width), round(self.bottom * height)
        return left, top, max(right, left + 1), max(bottom, top + 1)


@dataclass(frozen=True)
class Part:
    """A part of a kind of thing ("wing"): `id` never changes, `name` is given by a person and may be empty."""

    id: int
    name: str | None
    group: str
    """The taxon (usually a root: bird, dog, …) whose pictures this part occurs in."""

    @property
    def colour(self) -> str:
        return PART_COLOURS[self.id % len(PART_COLOURS)]


@dataclass(frozen=True)
class Reading:
    """What one forward pass reads off one picture, over all C leaf taxa in the order of `Taxonomy.leaves`.

    Attributes:
        logits: (C,) calibrated log-odds; `logits == evidence.sum((0, 1)) + bias` to rounding.
        probs: (C,) softmax of `logits`.
        evidence: (h, w, C) what each place adds to each logit; (h, w, 0) where the head is no sum over places.
        bias: (C,) the part of each logit that belongs to no place.
        assignment: (h, w, K + 1) the share of each place that belongs to each of `parts`, background last;
            sums to 1 over the last axis. Part k's evidence is `assignment[..., k, None] * evidence`.
        parts: the K parts of the group this picture most probably belongs to.
        embedding: (D,) the pooled tokens, of unit length, for finding similar pictures.
        tokens: (h, w, D) what the head reads, for other methods than ours; None where they are not kept.
        mid: (h, w, M) what the same pass knew of each place halfway (`fgdemo.model.tap`); None where it was not kept.
        foreground: (h, w) in [0, 1], how much of each place is the thing, as well as it is known; None: not at all.
        prefix: (P, D) class and register tokens beside them; None where the head reads none.
        unknown_score: in [0, 1]; the share of known pictures that look more familiar than this one.
            High is bad: 0.97 means that only 3 % of known pictures look as strange. None: nothing measured that.
        unknown_threshold: the score above which the picture is called unknown.
    """

    logits: np.ndarray
    probs: np.ndarray
    evidence: np.ndarray
    bias: np.ndarray
    assignment: np.ndarray
    parts: tuple[Part, ...]
    embedding: np.ndarray
    unknown_score: float | None
    unknown_threshold: float
    tokens: np.ndarray | None = None
    mid: np.ndarray | None = None
    foreground: np.ndarray | None = None
    prefix: np.ndarray | None = None


@dataclass(frozen=True)
class Trust:
    """How faithful one map is to the pixels of this picture, by deletion and insertion.

    `score` is insertion AUC − deletion AUC: 1 is best, 0 what random maps average (by symmetry), below 0 misleading.
    """

    score: float
    deletion_auc: float
    insertion_auc: float
    random_score: float
    """How far from 0 random maps of the same smoothness typically land on this picture (root mean square)."""


class Closer(Protocol):
    """How a model answers of a picture of which it has read the whole and a frame in it
    (`fgdemo.values.classification.closer`)."""

    @property
    def weight(self) -> float:
        """What the evidence of either view is multiplied by: a half, and how much surer two views are than one."""
        ...

    @property
    def sure_prob(self) -> float:
        """As `Classifier.sure_prob`, for both views."""
        ...

    def prediction_set(self, probs: np.ndarray) -> tuple[int, ...]:
        """As `Classifier.prediction_set`, for both views."""
        ...

    def both(self, first: Reading, second: Reading, box: CropBox) -> Reading:
        """One reading of the whole picture and of `box` in it, without tokens."""
        ...


class Classifier(Protocol):
    """What the services need of a model. The real one is `fgdemo.model.classifier.Classifier`."""

    @property
    def version(self) -> str:
        """Names the checkpoint: its folder name and the first 8 characters of its weights' hash."""
        ...

    @property
    def taxonomy(self) -> Taxonomy: ...

    @property
    def sure_prob(self) -> float:
        """A taxon is given as the answer when its probability is at least this."""
        ...

    @property
    def coverage(self) -> float | None:
        """The share of known pictures whose prediction set holds the right taxon, e.g. 0.9; None: there is none."""
        ...

    @property
    def caveat(self) -> str:
        """What a person is to know of it before trusting it; empty where it was calibrated."""
        ...

    @property
    def embedding_dim(self) -> int: ...

    @property
    def closer(self) -> Closer | None:
        """None where it takes no closer look, because nothing calibrated that."""
        ...

    @property
    def least_sureness(self) -> float:
        """The same place of another picture is shown from this on: `fgdemo.values.classification.same_place`."""
        ...

    def read(self, picture: Image.Image, box: CropBox | None = None) -> Reading:
        """Read one upright RGB picture (or the part of it in `box`). Safe to call from many threads."""
        ...

    def maps(self, reading: Reading, columns: Sequence[int]) -> np.ndarray:
        """(h, w, M) signed maps of these classes, of a reading of this model."""
        ...

    def prediction_set(self, probs: np.ndarray) -> tuple[int, ...]:
        """Indices into `taxonomy.leaves`, likeliest first, that hold the right one with `coverage`."""
        ...

    def few(self, leaf: str) -> int | None:
        """From how many different pictures it knows this leaf, where those are so few that nothing was measured."""
        ...

    def lookalikes(self, leaf: str) -> tuple[str, ...]:
        """Leaves this leaf is confused with on held-out pictures, most confused first."""
        ...


TrustFunction = Callable[[Image.Image, "CropBox | None", str, str], "dict[str, Trust]"]
"""(picture, box, a, b) → the trust of the maps "class" (of a) and "contrast" (a − b). Slow: tens of forward passes."""
