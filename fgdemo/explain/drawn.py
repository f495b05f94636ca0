"""The maps of a picture as they are drawn: on the fine grid where the picture tells where, else as they are."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Protocol

import numpy as np
from PIL import Image
from torch import Tensor

from fgdemo.explain.faithfulness import PixelNet, trust_of
from fgdemo.explain.pull import pull
from fgdemo.explain.silhouette import silhouette
from fgdemo.values.evidence import Places, contrast_map, pair_spread, spread
from fgdemo.values.taxonomy import Taxonomy
from fgdemo.values.types import CropBox, Reading, Trust


class Drawable(Protocol):
    """What is asked of `fgdemo.model.classifier.Classifier`."""

    @property
    def taxonomy(self) -> Taxonomy: ...

    @property
    def network(self) -> PixelNet: ...

    def read(self, picture: Image.Image, box: CropBox | None = None) -> Reading: ...

    def maps(self, reading: Reading, columns: Sequence[int]) -> np.ndarray: ...

    def pixels(self, picture: Image.Image, box: CropBox | None = None) -> Tensor: ...


def places_of(classifier: Drawable) -> Places:
    """What says where the maps of this model are drawn."""
    return Places(outline, partial(_pull, classifier))


def outline(reading: Reading, picture: Image.Image) -> np.ndarray | None:
    """See `fgdemo.explain.silhouette.silhouette`. None too where the model knows no foreground."""
    return None if reading.foreground is None else silhouette(reading.foreground, picture)


def drawn_maps(
    classifier: Drawable, reading: Reading, picture: Image.Image, a: str, b: str
) -> tuple[np.ndarray, np.ndarray]:
    """(H, W) map of `a`, and of `a` against `b`. `picture` is what was read, in its crop box.

    Raises:
        TaxonomyError: `a` or `b` is no leaf of the classifier's taxonomy.
    """
    for_a, for_b = np.moveaxis(classifier.maps(reading, [leaf_index(classifier, leaf) for leaf in (a, b)]), -1, 0)
    contrast = contrast_map(for_a, for_b)
    thing = outline(reading, picture)
    if thing is None:
        return for_a, contrast
    moves = _pull(classifier, picture, a, b)
    return spread(for_a, thing), contrast if moves is None else pair_spread(contrast, moves, thing)


def trust(classifier: Drawable, picture: Image.Image, box: CropBox | None, a: str, b: str) -> dict[str, Trust]:
    """Trust of the maps "class" (for `a`) and "contrast" (`a` against `b`) of one picture, as they are drawn.

    Some sixty forward passes in batches of 8; the same picture always gets the same figures. `Trust.random_score` is
    how far random maps as smooth as these typically land from 0 on this picture (root mean square).

    Raises:
        TaxonomyError: `a` or `b` is no leaf of the classifier's taxonomy.
    """
    shown = picture.crop(box.pixels(*picture.size)) if box else picture
    index_a, index_b = (leaf_index(classifier, leaf) for leaf in (a, b))
    for_a, contrast = drawn_maps(classifier, classifier.read(shown), shown, a, b)
    pixels = classifier.pixels(shown).to(classifier.network.device)
    questions = [(for_a, index_a, None), (contrast, index_a, index_b)]
    return dict(zip(("class", "contrast"), trust_of(classifier.network, pixels, questions), strict=True))


def leaf_index(classifier: Drawable, leaf: str) -> int:
    """The column of a leaf. Raises TaxonomyError where the model knows none of that id."""
    return classifier.taxonomy.leaf_index[classifier.taxonomy[leaf].id]


def _pull(classifier: Drawable, picture: Image.Image, a: str, b: str) -> np.ndarray | None:
    pixels = classifier.pixels(picture).to(classifier.network.device)
    return pull(classifier.network, pixels, leaf_index(classifier, a), leaf_index(classifier, b))
