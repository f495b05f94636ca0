"""What a candidate is trained on."""

from dataclasses import dataclass

import numpy as np

from fgdemo.learn.data.pictures import Pictures
from fgdemo.values.errors import DatasetError
from fgdemo.values.taxonomy import Taxonomy


@dataclass(frozen=True)
class Corpus:
    """N labelled pictures of the splits "train" and "val".

    Attributes:
        pictures: their labels are taxon ids. Those of any other split (gold) are refused, not passed over.
        class_index: (N,) int64, index into `taxonomy.leaves`.
        checked: (N,) bool: an expert said so.
        taxonomy: its leaves are the classes: the union of the base checkpoint's leaves and the labelled kinds.

    Raises:
        DatasetError: a picture of another split, an index that is no leaf, or arrays of different lengths.
    """

    pictures: Pictures
    class_index: np.ndarray
    checked: np.ndarray
    taxonomy: Taxonomy

    def __post_init__(self) -> None:
        n, classes = len(self.pictures.labels), len(self.taxonomy.leaves)
        if not len(self.class_index) == len(self.checked) == n:
            raise DatasetError(f"{n} pictures have {len(self.class_index)} labels and {len(self.checked)} checks.")
        others = sorted(set(self.pictures.splits) - {"train", "val"})
        if others:
            raise DatasetError(f"Only train and val pictures may be trained on, not those of {', '.join(others)}.")
        if n and not (self.class_index.min() >= 0 and self.class_index.max() < classes):
            raise DatasetError(f"A class index is outside of the {classes} leaves of the taxonomy.")
