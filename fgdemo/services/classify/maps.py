"""Maps as they are drawn on the pixels they speak for, how faithful they are, and those of other methods."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from PIL import Image

from fgdemo.services.classify.measuring import Measuring
from fgdemo.services.classify.readings import Read, Readings
from fgdemo.storage.pictures.decoding import Decoder
from fgdemo.storage.pictures.images import Encoded
from fgdemo.values.classification.answers import FineMap
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

    def spread(self, data: Encoded, *, name: str, box: CropBox | None, a: str, b: str) -> dict[str, FineMap]:
        """The maps "class" (of `a`) and "contrast" (`a` − `b`) as they are drawn; left out where nothing tells where.

        The class map costs arithmetic, the contrast a pass forward and half of one back.

        Raises:
            PictureError, TaxonomyError, BusyError: as for `classify`.
        """
        check_pair(self._classifier.taxonomy, a, b)
        read, places = self._readings.of(data, name, box), self._places
        thing = read.silhouette
        if places is None or thing is None:
            return {}
        picture = self.picture(data, name=name, box=box)
        pull = self._readings.in_turn(lambda: places.pull(picture, a, b))
        for_a, for_b = self._maps(read, (a, b))
        found = {"class": fine_map(spread(for_a, thing))}
        if pull is not None:
            found["contrast"] = fine_map(pair_spread(contrast_map(for_a, for_b), pull, thing))
        return found

    def class_map(self, read: Read, leaf: str) -> FineMap | None:
        """The class map of a picture as it is drawn, or None where nothing tells where the thing is."""
        if read.silhouette is None:
            return None
        return fine_map(spread(self._maps(read, (leaf,))[0], read.silhouette))

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
