"""From the labels that a training was given to pictures: those that are learned from, and the gold ones."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from fgdemo.learn.data.corpus import Corpus
from fgdemo.learn.data.pictures import Pictures, decode_all
from fgdemo.model.backbone import DataConfig
from fgdemo.storage.pictures.originals import ImageStore
from fgdemo.storage.trainings.job_files import GivenLabel
from fgdemo.values.counting import counted
from fgdemo.values.errors import DatasetError, StorageError
from fgdemo.values.labelled import LabelledPicture
from fgdemo.values.progress import Progress, no_progress
from fgdemo.values.taxonomy import Taxonomy

SHOWN_LEFT_OUT = 5


@dataclass(frozen=True)
class GivenPictures:
    """The pictures of a workspace with the labels that were given."""

    images: ImageStore
    labels: Sequence[GivenLabel]
    max_picture_mp: int = 60
    progress: Progress = no_progress

    def classes(self, base: Sequence[str], known: Taxonomy) -> Taxonomy:
        """The leaves of the base, and the kinds that have a training picture; a group is no class."""
        wanted = {*base, *(one.taxon for one in self.labels if one.split == "train")}
        return known.restrict(leaf for leaf in known.leaves if leaf in wanted)

    def corpus(self, config: DataConfig, taxonomy: Taxonomy, say: Callable[[str], None]) -> Corpus:
        """The train and val pictures whose label is a class of `taxonomy`; what is left out is said.

        Raises:
            DatasetError: there are not training pictures of at least two kinds.
        """
        used = self.used(taxonomy, ("train", "val"))
        others = sum(one.split in ("train", "val") for one in self.labels) - len(used)
        if others:
            say(f"Left out: {counted(others, 'label')} of groups, or of kinds without a training picture.")
        pictures = self._decode(used, config)
        if pictures.skipped:
            named = ", ".join(f"{name[:12]}… ({reason})" for name, reason in pictures.skipped[:SHOWN_LEFT_OUT])
            say(f"Left out: {counted(len(pictures.skipped), 'picture')}: {named}")
        if len({pictures.labels[row] for row in pictures.where("train").tolist()}) < 2:
            raise DatasetError(
                "There must be labelled training pictures of at least two kinds: label some, then begin a new training."
            )
        checked = {one.image: one.checked for one in used}
        return Corpus(
            pictures,
            np.array([taxonomy.leaf_index[label] for label in pictures.labels], np.int64),
            np.array([checked[name] for name in pictures.names], np.bool_),
            taxonomy,
        )

    def gold(self, taxonomy: Taxonomy, config: DataConfig) -> Pictures:
        """The gold pictures whose label is a class of `taxonomy`, always in the same order."""
        return self._decode(self.used(taxonomy, ("gold",)), config)

    def used(self, taxonomy: Taxonomy, splits: Sequence[str]) -> list[GivenLabel]:
        """Those of these splits whose label is a class of `taxonomy`."""
        return [one for one in self.labels if one.split in splits and one.taxon in taxonomy.leaf_index]

    def _decode(self, used: Sequence[GivenLabel], config: DataConfig) -> Pictures:
        listed = [
            LabelledPicture(
                one.image, one.taxon, "test" if one.split == "gold" else one.split, partial(self._load, one.image)
            )
            for one in used
        ]
        return decode_all(listed, config, max_picture_mp=self.max_picture_mp, progress=self.progress)

    def _load(self, image: str) -> bytes:
        try:
            return self.images.read(image)
        except StorageError as error:
            raise OSError(str(error)) from error
