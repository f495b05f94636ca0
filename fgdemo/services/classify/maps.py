"""Maps as they are drawn on the pixels they speak for, how faithful they are, and those of other methods."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from PIL import Image

from fgdemo.services.classify.closer import Looked, look
from fgdemo.services.classify.measuring import Measuring
from fgdemo.services.classify.readings import Read, Readings
from fgdemo.storage.pictures.decoding import Decoder
from fgdemo.storage.pictures.images import Encoded
from fgdemo.values.classification.answers import FineMap
from fgdemo.values.classification.closeness import Closeness
from fgdemo.values.classification.closer import WHOLE
from fgdemo.values.errors import BackboneError, TaxonomyError
from fgdemo.values.evidence import Places, contrast_map, fine_map, pair_spread, spread
from fgdemo.values.limits import MODEL_PX
from fgdemo.values.methods import Method, MethodMaps, MethodsFunction
from fgdemo.values.taxonomy import Taxonomy
from fgdemo.values.types import Classifier, CropBox, Trust, TrustFunction

FINE_METHODS: dict[Method, str] = {"evidence": "class", "contrast": "contrast"}
"""Those that are drawn on the finer grid, and what `Maps.spread` calls them."""


class Maps:
    """Answers questions about maps; safe to use from many threads.

    Args:
        classifier: the model that is served.
        readings: pictures as it reads them.
        decoder: decodes what visitors send.
        measuring: where measurements take turns.
        trust, methods, places: see `Workbench`.
    """

    def __init__(
        self,
        classifier: Classifier,
        readings: Readings,
        decoder: Decoder,
        measuring: Measuring,
        trust: TrustFunction | None,
        methods: MethodsFunction | None,
        places: Places | None,
    ) -> None:
        self._classifier, self._readings, self._decoder, self._measuring = classifier, readings, decoder, measuring
        self._trust, self._methods, self._places = trust, methods, places

    def spread(
        self, data: Encoded, *, name: str, box: CropBox | None, a: str, b: str, closer: Closeness = "never"
    ) -> dict[str, FineMap]:
        """The maps "class" (of `a`) and "contrast" (`a` − `b`) as they are drawn; left out where nothing tells where.

        The class map costs arithmetic, the contrast a pass forward and half of one back for each view.

        Args:
            closer: as it was answered (`Workbench.classify`).

        Raises:
            PictureError, TaxonomyError, BusyError: as for `classify`.
        """
        check_pair(self._classifier.taxonomy, a, b)
        looked, places = look(self._readings, data, name, box, closer), self._places
        if places is None or all(read.silhouette is None for read, _, _ in looked.views()):
            return {}
        found, contrasts = {"class": self._as_travels(self._class_maps(looked, a), looked)}, list[np.ndarray | None]()
        for read, where, _ in looked.views():
            picture = self.picture(data, name=name, box=box if where == WHOLE else where)
            contrasts.append(self._contrast(read, places, picture, a, b))
        drawn = [one for one in contrasts if one is not None]
        if len(drawn) == len(contrasts):
            found["contrast"] = self._as_travels(drawn, looked)
        return found

    def class_map(self, looked: Looked, leaf: str) -> FineMap | None:
        """The class map of a picture as it is drawn, or None where nothing tells where the thing is."""
        if all(read.silhouette is None for read, _, _ in looked.views()):
            return None
        return self._as_travels(self._class_maps(looked, leaf), looked)

    def _class_maps(self, looked: Looked, leaf: str) -> list[np.ndarray]:
        """Of each view; as it is where nothing tells where in it the thing is."""
        reads = [read for read, _, _ in looked.views()]
        maps = [self._maps(read, (leaf,))[0] for read in reads]
        return [
            one if read.silhouette is None else spread(one, read.silhouette)
            for one, read in zip(maps, reads, strict=True)
        ]

    def _contrast(self, read: Read, places: Places, picture: Image.Image, a: str, b: str) -> np.ndarray | None:
        """Of one view; None where nothing tells which places decide."""
        contrast, thing = contrast_map(*self._maps(read, (a, b))), read.silhouette
        if thing is None:
            return contrast
        pull = self._readings.in_turn(lambda: places.pull(picture, a, b))
        return None if pull is None else pair_spread(contrast, pull, thing)

    def _as_travels(self, maps: list[np.ndarray], looked: Looked) -> FineMap:
        return fine_map(looked.drawn(maps))

    def _maps(self, read: Read, leaves: Sequence[str]) -> list[np.ndarray]:
        columns = [self._classifier.taxonomy.leaf_index[leaf] for leaf in leaves]
        return list(np.moveaxis(self._classifier.maps(read.reading, columns), -1, 0))

    def picture(self, data: Encoded, *, name: str, box: CropBox | None = None) -> Image.Image:
        """What the model sees, in `box`. Raises PictureError, BusyError."""
        return self._decoder.decode(data, MODEL_PX, box, name=name)[0]

    def trust(self, data: Encoded, *, name: str, box: CropBox | None, a: str, b: str) -> dict[str, Trust]:
        """How faithful the maps "class" (of `a`) and "contrast" (`a` − `b`) are to this picture's pixels.

        Slow, so it is asked for after the answer. Empty where nothing measures it.

        Raises:
            PictureError, TaxonomyError: as for `classify`.
            BusyError: too many wait to have theirs measured.
        """
        check_pair(self._classifier.taxonomy, a, b)
        measure = self._trust
        if measure is None:
            return {}
        return self._measuring.do(lambda: measure(self.picture(data, name=name, box=box), None, a, b))

    def methods(
        self,
        data: Encoded,
        *,
        name: str,
        box: CropBox | None,
        a: str,
        b: str,
        methods: Sequence[Method],
        measure: bool = False,
    ) -> MethodMaps:
        """The maps of other methods beside the exact evidence, all of the pass that answered for this picture.

        Args:
            measure: also how faithful each is, which takes seconds a map.

        Raises:
            PictureError, TaxonomyError, BusyError: as for `trust`.
            BackboneError: this model keeps nothing that they could be run on.
        """
        check_pair(self._classifier.taxonomy, a, b)
        draw = self._methods
        if draw is None:
            raise BackboneError("No other methods are run here.")
        reading = self._readings.of(data, name, box).reading
        if measure:
            drawn = self._measuring.do(lambda: draw(reading, methods, a, b, self.picture(data, name=name, box=box)))
        else:
            drawn = self._readings.in_turn(lambda: draw(reading, methods, a, b, None))
        grid = (reading.evidence.shape[0], reading.evidence.shape[1])
        fine = self.spread(data, name=name, box=box, a=a, b=b) if FINE_METHODS.keys() & set(methods) else {}
        maps = tuple(replace(one, spread=fine.get(FINE_METHODS.get(one.method, ""))) for one in drawn[0])
        return MethodMaps(self._classifier.version, grid, a, b, drawn[1], maps)


def check_pair(taxonomy: Taxonomy, a: str, b: str) -> None:
    """Raises TaxonomyError where `a` and `b` are no two kinds that can be compared."""
    check_leaves(taxonomy, a, b)
    check_different(a, b)


def check_leaves(taxonomy: Taxonomy, *taxa: str | None) -> None:
    """Raises TaxonomyError where one is unknown or no leaf; None may be anything."""
    for taxon in filter(None, taxa):
        if taxonomy[taxon].id not in taxonomy.leaf_index:
            raise TaxonomyError(f"“{taxonomy[taxon].name}” is a group of kinds: ask about one of the kinds in it.")


def check_different(asked: str, rival: str) -> None:
    """Raises TaxonomyError where both are the same."""
    if asked == rival:
        raise TaxonomyError("Choose two different kinds to compare: what tells a kind from itself is nothing.")
