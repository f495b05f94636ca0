"""The values of labelling that travel between the floors: who says what about which picture, and why it is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, get_args

from fgdemo.values.errors import ForbiddenError, StorageError

if TYPE_CHECKING:
    import numpy as np

Role = Literal["visitor", "expert", "maintainer"]
"""Each may do all that those before it may."""


@dataclass(frozen=True)
class Person:
    """Who is asking. Somebody who has not signed in is a visitor."""

    name: str
    role: Role

    def require(self, role: Role) -> None:
        """Raises ForbiddenError if this person may not do what needs `role`."""
        roles = get_args(Role)
        if roles.index(self.role) < roles.index(role):
            who = "Experts and maintainers" if role == "expert" else "Maintainers"
            raise ForbiddenError(f"{who} may do this. Sign in first.")


VISITOR = Person("visitor", "visitor")
OWNER = Person("owner", "maintainer")
"""Whoever runs commands on this machine, who may read the workspace's files anyway."""

Kind = Literal[
    "import",
    "suggestion",
    "label",
    "unsure",
    "skip",
    "unusable",
    "none",
    "adjudication",
    "undo",
    "point",
    "publish",
    "withdraw",
]
"""What a label event says.

- import: the label a picture came with, or with no taxon that it came without one;
- suggestion: what a visitor says it is, which is no label until an expert agrees;
- label: an expert's answer, a leaf or (a valid coarser answer) a group;
- unsure, skip: looked at, no answer; the label stays what it was;
- unusable: cannot be labelled at all; none: not one of these classes. Both take the picture out of training;
- adjudication: the last word where experts disagree, and the only way to change what was said of a gold picture;
- undo: takes back the event that `undoes` names;
- point: where a part is seen, or that it is not; the newest of a picture and a part counts, and no label follows;
- publish: from then on visitors may see the picture; withdraw: not any more. The newest of both counts.
"""

AnswerKind = Literal["label", "unsure", "skip", "unusable", "none", "adjudication"]
"""Those that somebody may answer who is shown a picture."""

DECIDING: tuple[Kind, ...] = ("import", "label", "unusable", "none", "adjudication")
"""The kinds that say what is true of a picture from then on."""

OUT: tuple[Kind, ...] = ("unusable", "none")
"""The kinds that take a picture out of training."""
Split = Literal["train", "val", "test", "gold"]
"""gold never trains and is locked once it has a label; a source's own `test` pictures come in as gold."""

Reason = Literal["suspicion", "pair", "uncertain", "typical", "new", "audit", "suggestion", "adjudication", "second"]
"""Why a picture is asked. All but the last two orders of work; audit: a random draw, for an unbiased estimate;
second: a blind second opinion."""

Order = Literal["suspicion", "pair", "uncertain", "typical", "new", "suggestion", "adjudication", "audit", "gold"]
"""gold: gold labels that look wrong, and as many others; for maintainers, and asked as blind second opinions."""


@dataclass(frozen=True)
class Standing:
    """What is true of a picture now: a fold over its events.

    Attributes:
        version: id of the newest event that could change this; an answer must name the one it was shown at.
        kind: import, label, unusable, none or adjudication.
        taxon: id of a leaf or a group; None where it has no label.
        checked: a person said so; False for the label it came with.
        disputed: a blind second opinion differs, and nobody has adjudicated since.
        suggested: a visitor's suggestion waits for an expert.
    """

    image: str
    version: int
    kind: Kind
    taxon: str | None
    annotator: str
    checked: bool
    disputed: bool
    suggested: bool
    split: Split

    @property
    def is_locked(self) -> bool:
        """Whether only adjudication changes it from now on: gold that somebody has said something about."""
        return self.split == "gold" and (self.taxon is not None or self.kind in OUT)


DOUBTFUL = 0.35
"""Above this suspicion a label looks wrong: in `suspects`, and on every page. A check costs a key, and a wrong label
that is not asked stays, so it lies below one half: see `fgdemo.learn.measure.suspicion` for what it finds."""


LONGEST_CREDIT = 200
LONGEST_LICENCE = 100


@dataclass(frozen=True)
class Publication:
    """What a maintainer says when a labelled picture is published; it stands under the picture wherever it is shown.

    Attributes:
        credit: who made or owns it ("Mia Miller, Museum of Natural History").
        licence: on which terms it is shown ("CC BY 4.0").

    Raises:
        StorageError: one of them is empty, too long, or no single line.
    """

    credit: str
    licence: str

    def __post_init__(self) -> None:
        for what, text, longest in (
            ("Whose picture it is", self.credit, LONGEST_CREDIT),
            ("The licence", self.licence, LONGEST_LICENCE),
        ):
            if not text.strip() or text != " ".join(text.split()) or len(text) > longest or not text.isprintable():
                raise StorageError(f"{what} is said in one line of 1 to {longest} characters.")


@dataclass(frozen=True)
class TaxonChance:
    taxon: str
    prob: float
    """Calibrated, in [0, 1]."""


@dataclass(frozen=True)
class Ranking:
    """Which pictures to ask next: one consistent picture of the workspace, made in the background, never changed.

    All arrays have one entry for each of the first n rows of the roster. Rows that are not ranked hold nan or −1.

    Attributes:
        taxa: the C leaves the learner tells apart, in the order of its columns.
        suspicion: (n,) in [0, 1]; how likely the given leaf is wrong, from leave-one-out; high is suspect.
        suggested: (n,) index into `taxa` of the likeliest leaf by leave-one-out (for unlabelled: by prediction).
        suggested_prob: (n,) its probability.
        given_prob: (n,) probability of the given leaf by leave-one-out.
        rival: (n,) index into `taxa` of the likeliest leaf other than `suggested`.
        uncertainty: (n,) in [0, 1]; 1 − margin between `suggested` and `rival`; high is uncertain.
        orders: for each order but "pair", "suggestion" and "adjudication": rows, best asked first. Unusable, locked and
            unembedded rows are left out; checked rows are only in "audit", a random permutation fixed for good.
        confusion: (C, C) pictures of the given leaf (row) taken for another (column), by leave-one-out on train.
        val_confusion: (C, C) the same on val pictures.
        event: id of the newest event that it has seen.
    """

    taxa: tuple[str, ...]
    suspicion: np.ndarray
    suggested: np.ndarray
    suggested_prob: np.ndarray
    given_prob: np.ndarray
    rival: np.ndarray
    uncertainty: np.ndarray
    orders: Mapping[str, np.ndarray]
    confusion: np.ndarray
    val_confusion: np.ndarray
    event: int


@dataclass(frozen=True)
class Accuracy:
    """Top-1 accuracy of the learner with a 95 % interval.

    Attributes:
        on: "val" where the workspace has labelled val pictures, else "train" by leave-one-out.
    """

    mean: float
    low: float
    high: float
    n: int
    on: Literal["val", "train"]


class Learner(Protocol):
    """What the services need of the model that learns from every answer. The real one is
    `fgdemo.learn.live.live_learner`.

    Safe to use from many threads.
    """

    @property
    def taxa(self) -> tuple[str, ...]:
        """Leaves it tells apart now; grows when a new kind gets its first picture."""
        ...

    @property
    def progress(self) -> tuple[int, int]:
        """(done, of) pictures learned from while it starts; equal once it is ready."""
        ...

    def catch_up(self) -> None:
        """Learn from all events that have been committed until now; milliseconds an event."""
        ...

    def chances(self, image: str) -> tuple[TaxonChance, ...] | None:
        """Likeliest first, all that have 0.1 %, at least 5 and at most 9; a train picture as if it had never been seen.

        None where the picture has no embedding yet.
        """
        ...

    def ranking(self) -> Ranking | None:
        """The newest one, or None while there is none yet."""
        ...

    def accuracy(self) -> Accuracy | None:
        """Held-out accuracy as of the newest ranking; None where nothing is labelled."""
        ...

    def similar_labelled(self, image: str, taxon: str, limit: int) -> tuple[tuple[str, float], ...]:
        """(image, cosine) of the pictures labelled as this leaf now whose embeddings are nearest, nearest first.

        Without the picture itself, and without doubtful ones as long as there are others.
        """
        ...

    def similarity_order(self, images: tuple[str, ...]) -> tuple[str, ...]:
        """The same pictures in an order in which neighbours look alike, for a grid."""
        ...
