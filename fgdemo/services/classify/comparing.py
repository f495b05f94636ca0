"""The same place of a picture in the labelled pictures of A and of B that look most like it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fgdemo.services.classify.maps import check_different, check_pair
from fgdemo.services.classify.readings import Read, Readings
from fgdemo.services.classify.references import nearest_others
from fgdemo.services.classify.waiting_room import WaitingRoom
from fgdemo.services.classify.workspace_readings import WorkspaceReadings
from fgdemo.storage.embeddings.library import Library, Similar
from fgdemo.storage.pictures.decoding import asking_for
from fgdemo.storage.pictures.images import Encoded
from fgdemo.values.classification.same_place import Place, at, has_mid, inside, matches
from fgdemo.values.errors import PictureError, StorageError, TaxonomyError
from fgdemo.values.evidence import contrast_map
from fgdemo.values.types import Classifier, CropBox, Reading

PICTURES = 3
"""Of each kind."""
CONSIDERED = 8
CHECKED_FIRST = 0.05
"""A checked picture is shown before an unchecked one that is nearer by less than this cosine."""
DIGITS = 3
COARSE = (
    "This model keeps nothing of what its network knew halfway, so places are found by its last tokens alone, which "
    "blur where they are."
)
BLIND = "This model keeps no tokens of a picture, so no place of it can be found in another one."


@dataclass(frozen=True)
class ComparedPicture:
    """A labelled picture, and where in it each place of the one in question is.

    Attributes:
        taxon: A or B, as it is labelled; checked: by an expert.
        similarity: cosine of both pictures in [-1, 1], 1 is the same.
        grid: (rows, columns) of its own places.
        there: for each place of the picture in question x, y and sureness, row by row; see `same_place.Place`.
        back: for each of its own places the same in the picture in question.
        credit: whose picture it is and its licence, where it is published.
    """

    image: str
    taxon: str
    checked: bool
    similarity: float
    grid: tuple[int, int]
    there: tuple[float, ...]
    back: tuple[float, ...]
    credit: str = ""


@dataclass(frozen=True)
class Comparison:
    """Labelled pictures of both kinds, most alike first.

    Attributes:
        grid: (rows, columns) of the places of the picture in question; they cover its crop box where it has one.
        least: the same place is shown from this sureness on; below it is not visible there.
        caveat: what a person is to know of this model, or empty.
    """

    a: str
    b: str
    grid: tuple[int, int]
    least: float
    pictures_a: tuple[ComparedPicture, ...]
    pictures_b: tuple[ComparedPicture, ...]
    caveat: str = ""


@dataclass(frozen=True)
class SamePlace:
    """A place in one labelled picture. `is_visible`: whether the same place is to be seen there at all."""

    image_id: str
    taxon: str
    checked: bool
    is_visible: bool
    place: Place


@dataclass(frozen=True)
class PlaceCompared:
    """One place of a picture, and the same place in pictures of A and of B.

    Attributes:
        says: log-odds for A against B of the places within the ring around it, a part of the sum `says_in_all`.
        sentence: that in words.
    """

    says: float
    says_in_all: float
    sentence: str
    a: tuple[SamePlace, ...]
    b: tuple[SamePlace, ...]
    caveat: str


class Comparing:
    """Safe to use from many threads. Reads at most `PICTURES` pictures a kind.

    Args:
        live: the classifier with the parts that are taught now; it should be cheap to ask for.
        readings: of pictures that visitors send.
        library: the labelled pictures of the workspace, and `known`, what was read of them; both None where there are
            none.
        room: where those wait who want an answer.
    """

    def __init__(
        self,
        live: Callable[[], Classifier],
        readings: Readings,
        library: Library | None,
        known: WorkspaceReadings | None,
        room: WaitingRoom,
    ) -> None:
        self._live, self._readings, self._library, self._known = live, readings, library, known
        self._room = room

    def picture(
        self, data: Encoded, *, name: str, box: CropBox | None, a: str, b: str, only_public: bool = True
    ) -> Comparison:
        """A picture that somebody sent, beside pictures of A and of B.

        Args:
            only_public: only such pictures as visitors may see.

        Raises:
            PictureError, TaxonomyError, BusyError: as `Workbench.classify`.
            StorageError: the workspace cannot be read.
        """
        self._check(a, b)
        read = self._readings.of(data, name, box)
        whole = read if box is None else self._readings.recent(read.image_id, None)
        return self._compare(read, None if whole is None else whole.reading.embedding, a, b, only_public)

    def known_picture(self, image: str, a: str, b: str) -> Comparison:
        """A picture of the workspace, for experts.

        Raises:
            TaxonomyError: both kinds are the same. Kinds that experts added since are no leaves of the model.
            PictureError, StorageError, BusyError: as `picture`.
        """
        check_different(a, b)
        if self._known is None:
            raise StorageError("There are no pictures of a workspace here.")
        classifier = self._live()
        with self._room.one(asking_for()):
            reading = self._known.of(image, classifier)
        return self._compare(Read(image, 0, 0, "", reading, classifier), reading.embedding, a, b, False)

    def place(
        self,
        data: Encoded,
        *,
        name: str,
        box: CropBox | None,
        a: str,
        b: str,
        x: float,
        y: float,
        only_public: bool = True,
    ) -> PlaceCompared:
        """One place of a picture that somebody sent: fractions of its crop box, or of the upright picture.

        Raises: as `picture`.
        """
        found = self.picture(data, name=name, box=box, a=a, b=b, only_public=only_public)
        classifier, reading = self._live(), self._readings.of(data, name, box).reading
        leaves = classifier.taxonomy.leaf_index
        contrast = contrast_map(*np.moveaxis(classifier.maps(reading, [leaves[a], leaves[b]]), -1, 0))
        says = inside(contrast, x, y)
        in_all = float(reading.logits[leaves[a]] - reading.logits[leaves[b]])
        names = [classifier.taxonomy[taxon].name for taxon in (a, b)]
        of_a, of_b = (
            tuple(_same_place(one, found, x, y) for one in pictures)
            for pictures in (found.pictures_a, found.pictures_b)
        )
        return PlaceCompared(says, in_all, in_words(says, *names), of_a, of_b, found.caveat)

    def _check(self, a: str, b: str) -> None:
        if not (a and b):
            raise TaxonomyError("Choose two kinds to compare.")
        check_pair(self._live().taxonomy, a, b)

    def _compare(self, read: Read, whole: np.ndarray | None, a: str, b: str, only_public: bool) -> Comparison:
        rows, columns = read.reading.evidence.shape[:2]
        of_a, of_b = (self._beside(read, whole, taxon, only_public) for taxon in (a, b))
        return Comparison(a, b, (rows, columns), self._live().least_sureness, of_a, of_b, _caveat(read.reading))

    def _beside(
        self, read: Read, whole: np.ndarray | None, taxon: str, only_public: bool
    ) -> tuple[ComparedPicture, ...]:
        library, known = self._library, self._known
        if library is None or known is None:
            return ()
        near = nearest_others(library, read, whole, taxon, only_public, CONSIDERED)
        near = sorted(near, key=lambda one: -(one.similarity + CHECKED_FIRST * one.checked))
        credits = library.publications([one.image_id for one in near])
        found: list[ComparedPicture] = []
        for one in near:
            if len(found) == PICTURES:
                break
            try:
                with self._room.one(asking_for()):
                    other = known.of(one.image_id, self._live())
            except (StorageError, PictureError):  # it was removed a moment ago, or is damaged: the next one
                continue
            published = credits.get(one.image_id)
            credit = f"{published.credit}, {published.licence}" if published else ""
            found.append(_compared(one, taxon, read.reading, other, credit))
        return tuple(found)


def in_words(says: float, name_a: str, name_b: str) -> str:
    """What a place says, in a sentence."""
    if abs(says) < 0.005:
        return f"This place says nothing between {name_a} and {name_b}."
    likelier, other = (name_a, name_b) if says > 0 else (name_b, name_a)
    return f"This place speaks for {likelier} and against {other}, by {abs(says):.2f} log-odds."


def _compared(similar: Similar, taxon: str, own: Reading, other: Reading, credit: str) -> ComparedPicture:
    there, back = matches(own, other) or (np.zeros(0), np.zeros(0))
    rows, columns = other.evidence.shape[:2]
    return ComparedPicture(
        image=similar.image_id,
        taxon=taxon,
        checked=similar.checked,
        similarity=round(similar.similarity, 4),
        grid=(rows, columns),
        there=tuple(there.ravel().astype(float).round(DIGITS).tolist()),
        back=tuple(back.ravel().astype(float).round(DIGITS).tolist()),
        credit=credit,
    )


def _same_place(one: ComparedPicture, found: Comparison, x: float, y: float) -> SamePlace:
    if not one.there:
        return SamePlace(one.image, one.taxon, one.checked, False, Place(0.5, 0.5, -1.0))
    place = at(np.reshape(one.there, (*found.grid, 3)), x, y)
    return SamePlace(one.image, one.taxon, one.checked, place.sureness >= found.least, place)


def _caveat(reading: Reading) -> str:
    if reading.tokens is None:
        return BLIND
    return "" if has_mid(reading) else COARSE
