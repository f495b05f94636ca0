"""What the page, the API and the command line get of one picture: the answer in words, and the maps that say why."""

from dataclasses import dataclass
from typing import Literal

from fgdemo.values.annotation import Publication
from fgdemo.values.types import CropBox


@dataclass(frozen=True)
class Answer:
    """The answer at the deepest level the model is sure of, in words."""

    kind: Literal["leaf", "group", "unsure", "unknown"]
    """leaf: sure of a leaf taxon; group: sure only of a higher taxon; unsure: not even that; unknown: probably none."""
    taxon: str | None
    name: str
    latin: str | None
    prob: float
    sentence: str


@dataclass(frozen=True)
class TaxonProb:
    taxon: str
    name: str
    latin: str | None
    prob: float


@dataclass(frozen=True)
class TaxonHit:
    """A taxon that a search found."""

    taxon: str
    name: str
    latin: str | None
    is_leaf: bool


@dataclass(frozen=True)
class PossibleKind:
    """One leaf taxon as a possible answer, with its map: enough to draw any A-versus-B without the server."""

    taxon: str
    name: str
    latin: str | None
    prob: float
    lookalikes: tuple[str, ...]
    """Taxon ids it is often confused with."""
    bias: float
    """Its logit in a picture of nothing but average background: where the sum starts. It is no base rate."""
    evidence: tuple[float, ...]
    """h × w numbers, row by row, in log-odds; with `bias` they sum to this taxon's logit."""
    few: int | None = None
    """From how many pictures the model knows it, where those are so few that how sure it is of it was not measured."""


@dataclass(frozen=True)
class FineMap:
    """A map on a finer grid than the evidence's own, to be drawn: its sum is that of the evidence."""

    grid: tuple[int, int]
    values: tuple[float, ...]
    """Row by row, in log-odds; to some four digits of the largest."""


@dataclass(frozen=True)
class UnknownVerdict:
    score: float
    threshold: float
    is_unknown: bool
    sentence: str


@dataclass(frozen=True)
class PartView:
    id: int
    name: str
    """The name an expert gave, or "part 3"."""
    colour: str
    share: tuple[float, ...]
    """h × w numbers in [0, 1]: how much of each place belongs to this part."""


@dataclass(frozen=True)
class Neighbour:
    """A labelled picture of the workspace that looks like this one."""

    image_id: str
    taxon: str
    thumbnail: str
    """A `data:` URL of a small JPEG."""
    similarity: float
    """Cosine in [-1, 1], 1 is the same."""
    checked: bool
    """True if an expert confirmed the label."""
    publication: Publication | None = None
    """Whose picture it is and its licence, where it is published; visitors are shown no other."""


@dataclass(frozen=True)
class Example:
    """A published picture to begin with. What it shows is not told: that is the question."""

    image_id: str
    publication: Publication


@dataclass(frozen=True)
class CloserLook:
    """Where in the picture the thing is, and what a second look at it has changed."""

    box: CropBox
    """The frame around the thing, of which the model sees more when it reads that alone."""
    is_worth: bool
    """Whether it is taken unasked: the first answer is unsure, and the frame is small."""
    is_taken: bool
    """Whether the answer and its maps are of both views, the whole picture and the frame."""
    first: Answer
    """The answer at first sight, of the whole picture alone."""
    first_prob: float
    """What the answer's taxon had at first sight; where it names none, the likeliest leaf that it is closest to."""
    others: tuple[CropBox, ...]
    """Frames around other things in the picture, nearly as large: the answer is about the one in `box`."""


@dataclass(frozen=True)
class Classification:
    """Everything the Classify page shows for one picture; the same value is what the API returns."""

    image_id: str
    """sha256 of the uploaded bytes."""
    width_px: int
    height_px: int
    box: CropBox | None
    display: str
    """`data:` URL of the upright picture the model saw, at most 1280 pixels on its longer side."""
    model_version: str
    kinds_known: int
    answer: Answer
    path: tuple[TaxonProb, ...]
    """From the root through the answer to its likeliest leaf; a parent's probability is the sum over its children."""
    candidates: tuple[PossibleKind, ...]
    """Likeliest first, at most 8, plus any taxa that were asked for by id."""
    prediction_set: tuple[TaxonProb, ...]
    coverage: float | None
    unknown: UnknownVerdict | None
    """None, like the coverage, where nothing calibrates the model."""
    grid: tuple[int, int]
    """(rows, columns) of every map; the maps cover `box` (or the whole picture) exactly."""
    parts: tuple[PartView, ...]
    """Foreground parts; what they leave of 1 at a place is background."""
    asked: str
    """A: the taxon the maps are about."""
    rival: str
    """B: the taxon A is compared with."""
    elapsed_ms: float
    spread: FineMap | None = None
    """The class map of `asked` as it is drawn; None where nothing tells where in the picture the thing is."""
    caveat: str = ""
    """What to know of a model that came as it is: what its maps are, and that nothing calibrates it."""
    closer: CloserLook | None = None
    """None where no closer look can be taken: nothing calibrated it, no thing is seen, or a part was asked about."""
    is_sum: bool = True
    """False where the maps are Grad-CAM, in no unit, and add up to nothing: the head is no sum over places."""
