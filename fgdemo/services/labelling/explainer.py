"""Why the learning model says A and not B of a picture of the workspace, and how A and B look elsewhere."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fgdemo.services.classify.aside import Aside
from fgdemo.services.classify.closer import drawn_both
from fgdemo.services.classify.evidence.cards import EvidenceCards, Voters
from fgdemo.services.classify.views import candidates, part_views, worth_comparing
from fgdemo.services.classify.workspace_readings import WorkspaceReadings
from fgdemo.storage.embeddings.embeddings import Embeddings
from fgdemo.storage.history.roster import Roster
from fgdemo.storage.pictures.originals import ImageStore
from fgdemo.values.annotation import Learner
from fgdemo.values.classification.answers import FineMap, PartView, PossibleKind
from fgdemo.values.classification.cards import Cards, View
from fgdemo.values.classification.closer import WHOLE, frames_of
from fgdemo.values.errors import TaxonomyError
from fgdemo.values.evidence import Places, contrast_map, fine_map, pair_spread, part_sums
from fgdemo.values.limits import MODEL_PX
from fgdemo.values.types import Classifier, Closer, CropBox, Part, Reading

CANDIDATES = 8
READINGS_KEPT = 32
REFERENCES = 3
CONSIDERED = 24
"""So many of the nearest pictures by the whole embedding are compared by the part."""
CHECKED_FIRST = 0.05
"""A checked picture is shown before an unchecked one that is nearer by less than this cosine."""
TYPICAL = 8
"""Pictures of each kind over which the deciding parts of a pair are averaged."""


@dataclass(frozen=True)
class Explanation:
    """The maps of one picture: the same fields as in `fgdemo.values.classification.answers.Classification`."""

    image: str
    grid: tuple[int, int]
    candidates: tuple[PossibleKind, ...]
    parts: tuple[PartView, ...]
    asked: str
    rival: str
    box: CropBox | None = None
    """The frame that was looked at too, where a closer look was wished and something stands out."""


@dataclass(frozen=True)
class Reference:
    """A labelled picture of one of the two kinds. `part_map` has h × w shares in [0, 1] of the deciding part."""

    image: str
    checked: bool
    similarity: float
    part_map: tuple[float, ...] | None


@dataclass(frozen=True)
class References:
    """Pictures of A and of B that are most like the one in question in the part that decides between them."""

    part: Part | None
    grid: tuple[int, int]
    a: tuple[Reference, ...]
    b: tuple[Reference, ...]


@dataclass(frozen=True)
class PartWeight:
    """What a part adds for A against B, in log-odds, on average over pictures of A less that over pictures of B."""

    part: Part
    value: float


class Explainer:
    """Reads pictures of the workspace with the head that has learned from every answer so far. Safe for many threads.

    Args:
        live: the classifier with the newest head; called for each question, so it should be cheap.
        learner: whose neighbours are the references; follows the same roster.
        is_taught: whether points have taught it parts since `embeddings` were made, which know nothing of those.
        voters: which pictures have a vote in the newest head, or None to leave cards out.
        places: says on which pixels the evidence of what `live` gives is drawn, or None to draw it as it is.
    """

    def __init__(
        self,
        live: Callable[[], Classifier],
        learner: Learner,
        roster: Roster,
        embeddings: Embeddings,
        images: ImageStore,
        is_taught: Callable[[], bool] = lambda: False,
        places: Callable[[Any], Places] | None = None,
        voters: Voters | None = None,
    ) -> None:
        self._live = live
        self._learner = learner
        self._roster = roster
        self._embeddings = embeddings
        self._is_taught = is_taught
        self._images, self._places = images, places
        self._aside = Aside("explain", niceness=1)
        self._readings = WorkspaceReadings(images, self._aside, READINGS_KEPT)
        self._cards = None if voters is None else EvidenceCards(voters, self._readings, roster)

    def explain(self, image: str, a: str | None = None, b: str | None = None, is_closer: bool = False) -> Explanation:
        """The maps for the likeliest kinds and for A and B, which default to the likeliest and its best rival.

        Args:
            is_closer: of the whole picture and of the frame around the thing. It is only looked at: what is learned
                from an answer is the whole picture.

        Raises:
            StorageError, PictureError: the picture has gone or is damaged.
            TaxonomyError: A or B is not a kind the model tells apart yet, or both are the same.
        """
        return self._explain(self._live(), image, a, b, is_closer)[0]

    def spread(self, image: str, a: str, b: str, is_closer: bool = False) -> FineMap | None:
        """The map of A against B on the pixels that decide; None where nothing tells. A pass and a half more.

        Raises: as `explain`.
        """
        classifier = self._live()
        _check_known(classifier, a, b)
        if self._places is None:
            return None
        views, _, closer = self._views(classifier, image, is_closer)
        maps = [self._aside.do(self._spread, classifier, view, image, box, a, b) for view, box in views]
        drawn = [one for one in maps if one is not None]
        if len(drawn) < len(views):
            return None
        return fine_map(drawn_both(drawn, [box for _, box in views], closer.weight) if closer else drawn[0])

    def cards(self, image: str, a: str, b: str) -> Cards | None:
        """Which places of which labelled pictures spoke for A and for B; None where nothing tells.

        Raises: as `explain`.
        """
        classifier = self._live()
        _check_known(classifier, a, b)
        reading = self._readings.of(image, classifier)
        return None if self._cards is None else self._cards.of([View(reading)], classifier, a, b, {image}, False)

    def references(self, image: str, a: str, b: str) -> References:
        """Labelled pictures of both kinds, checked ones first, nearest by the part that decides between A and B.

        Raises: as `explain`.
        """
        classifier = self._live()
        explanation, reading = self._explain(classifier, image, a, b)
        part_row = _deciding_part(reading, explanation)
        part = None if part_row is None else reading.parts[part_row]
        if part is not None and self._is_taught():
            strips = [self._read_nearest(classifier, image, taxon, part) for taxon in (a, b)]
        else:
            strips = [self._nearest(image, taxon, part_row) for taxon in (a, b)]
        return References(part, explanation.grid, *strips)

    def deciding_parts(self, a: str, b: str, pictures_a: Sequence[str], pictures_b: Sequence[str]) -> list[PartWeight]:
        """Which parts tell A from B, strongest first: the mean evidence for A against B on pictures of A less on B's.

        Raises: as `explain`.
        """
        classifier = self._live()
        _check_known(classifier, a, b)
        leaves = classifier.taxonomy.leaf_index
        sums: dict[int, float] = {}
        parts: dict[int, Part] = {}
        for sign, images in ((1, pictures_a[:TYPICAL]), (-1, pictures_b[:TYPICAL])):
            for image in images:
                reading = self._readings.of(image, classifier)
                contrast = contrast_map(reading.evidence[..., leaves[a]], reading.evidence[..., leaves[b]])
                values = part_sums(contrast, reading.assignment)
                for row, part in enumerate(reading.parts):
                    parts[part.id] = part
                    sums[part.id] = sums.get(part.id, 0.0) + sign * float(values[row]) / len(images)
        return sorted((PartWeight(parts[i], sums[i]) for i in sums), key=lambda one: -abs(one.value))

    def _views(
        self, classifier: Classifier, image: str, is_closer: bool
    ) -> tuple[list[tuple[Reading, CropBox]], Reading, Closer | None]:
        """What is read of a picture and where that lies, what it is together, and how; None where that is the whole."""
        first, closer = self._readings.of(image, classifier), classifier.closer
        frames = frames_of(first.foreground) if is_closer and closer else None
        if frames is None or closer is None:
            return [(first, WHOLE)], first, None
        second = self._readings.of(image, classifier, frames.box)
        return [(first, WHOLE), (second, frames.box)], closer.both(first, second, frames.box), closer

    def _explain(
        self, classifier: Classifier, image: str, a: str | None, b: str | None, is_closer: bool = False
    ) -> tuple[Explanation, Reading]:
        _check_known(classifier, *(taxon for taxon in (a, b) if taxon is not None))
        views, reading, closer = self._views(classifier, image, is_closer)
        ranked = [classifier.taxonomy.leaves[i] for i in map(int, np.argsort(-reading.probs, kind="stable"))]
        a = a or next(leaf for leaf in ranked if leaf != b)
        b = b or worth_comparing(classifier, a, ranked, reading.probs)
        shown = list(dict.fromkeys([*ranked[:CANDIDATES], a, b]))
        rows, columns = reading.evidence.shape[:2]
        maps = candidates(reading, classifier, shown)
        return Explanation(
            image, (rows, columns), maps, part_views(reading), a, b, views[-1][1] if closer else None
        ), reading

    def _spread(
        self, classifier: Classifier, reading: Reading, image: str, box: CropBox, a: str, b: str
    ) -> np.ndarray | None:
        """Of one view, over its box."""
        assert self._places is not None
        places, leaves = self._places(classifier), classifier.taxonomy.leaf_index
        part = None if box == WHOLE else box
        picture, _ = self._images.decoder.decode(self._images.read(image), MODEL_PX, part, name=f"{image[:12]}…")
        thing = places.silhouette(reading, picture)
        moves = None if thing is None else places.pull(picture, a, b)
        if thing is None or moves is None:
            return None
        for_a, for_b = np.moveaxis(classifier.maps(reading, [leaves[a], leaves[b]]), -1, 0)
        return pair_spread(contrast_map(for_a, for_b), moves, thing)

    def _read_nearest(self, classifier: Classifier, image: str, taxon: str, part: Part) -> tuple[Reference, ...]:
        """The nearest by the whole embedding, in which the part is looked for now."""
        near = self._learner.similar_labelled(image, taxon, REFERENCES)
        found: list[Reference] = []
        for other, likeness in near:
            reading = self._readings.of(other, classifier)
            row = next((row for row, one in enumerate(reading.parts) if one.id == part.id), None)
            share = None if row is None else reading.assignment[..., row]
            found.append(self._reference(other, likeness, share))
        return tuple(found)

    def _nearest(self, image: str, taxon: str, part_row: int | None) -> tuple[Reference, ...]:
        roster, embeddings = self._roster, self._embeddings
        near = self._learner.similar_labelled(image, taxon, CONSIDERED)
        if not near:
            return ()
        rows = [embeddings.rows[other] for other, _ in near]
        likeness = np.array([similarity for _, similarity in near])
        places = [embeddings.place(row) for row in rows]
        if part_row is not None and image in embeddings.rows:
            own, _ = embeddings.place(embeddings.rows[image])
            others = np.stack([vectors[part_row] for vectors, _ in places])
            lengths = np.linalg.norm(others, axis=1) * np.linalg.norm(own[part_row])
            likeness = others @ own[part_row] / np.maximum(lengths, 1e-9)
        checked = np.array([roster.checked[roster.row_of[other]] for other, _ in near])
        best = np.argsort(-(likeness + CHECKED_FIRST * checked), kind="stable")[:REFERENCES]
        return tuple(
            self._reference(near[i][0], likeness[i], None if part_row is None else places[i][1][..., part_row])
            for i in map(int, best)
        )

    def _reference(self, image: str, likeness: float, share: np.ndarray | None) -> Reference:
        checked = bool(self._roster.checked[self._roster.row_of[image]])
        part_map = None if share is None else tuple(share.astype(np.float64).ravel().round(3).tolist())
        return Reference(image, checked, round(float(likeness), 4), part_map)


def _check_known(classifier: Classifier, *taxa: str) -> None:
    if any(taxon not in classifier.taxonomy.leaf_index for taxon in taxa):
        raise TaxonomyError("Maps can only be drawn for kinds of which the model has seen a picture.")
    if len(set(taxa)) < len(taxa):
        raise TaxonomyError("Choose two different kinds to compare.")


def _deciding_part(reading: Reading, explanation: Explanation) -> int | None:
    """Row of the part whose evidence for A against B is largest in size; None where there are no parts."""
    if not reading.parts:
        return None
    by_taxon = {one.taxon: np.array(one.evidence) for one in explanation.candidates}
    contrast = contrast_map(by_taxon[explanation.asked], by_taxon[explanation.rival]).reshape(explanation.grid)
    values = part_sums(contrast, reading.assignment[..., : len(reading.parts)])
    return int(np.abs(values).argmax())
