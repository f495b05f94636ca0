"""What is trained on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fgdemo.learn.pictures import Pictures
from fgdemo.taxonomy import Taxonomy


@dataclass(frozen=True)
class Corpus:
    """Labelled pictures.

    Attributes:
        pictures: N of them; `labels` are taxon ids, `splits` train or val.
        class_index: (N,) int64, index into `taxonomy.leaves`.
        checked: (N,) bool: an expert said so.
        taxonomy: its leaves are the classes: those of the base checkpoint and the labelled kinds.
    """

    pictures: Pictures
    class_index: np.ndarray
    checked: np.ndarray
    taxonomy: Taxonomy
