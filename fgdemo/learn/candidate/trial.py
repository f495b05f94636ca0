"""A candidate is trained, and stands beside the model that is live: what a job and the Training page ask for."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from fgdemo.learn.data.corpus import Corpus
from fgdemo.learn.data.pictures import Pictures
from fgdemo.model.backbone import DataConfig
from fgdemo.model.classifier import Classifier
from fgdemo.values.progress import Progress
from fgdemo.values.taxonomy import Taxonomy
from fgdemo.values.training import Epoch, Preset, Verdict

NO_CHANGES: Mapping[str, Any] = MappingProxyType({})
GoldPictures = Callable[[DataConfig], Pictures]
"""The gold pictures as a model takes them in, always the same ones in the same order."""


@dataclass(frozen=True)
class Trial:
    """The two heavy steps of a job: trains by the recipe of the preset, and judges by the gate.

    Attributes:
        trusted: for how many gold pictures the trust of the maps is measured, at some twenty passes each.
    """

    trusted: int = 24

    def train(
        self,
        base: Classifier,
        corpus: Corpus,
        preset: Preset,
        *,
        name: str,
        run_file: Path,
        device: str,
        on_epoch: Callable[[Epoch], None],
        progress: Progress,
        stop: Callable[[], bool],
        say: Callable[[str], None],
        changes: Mapping[str, Any] = NO_CHANGES,
    ) -> Classifier:
        """See `fgdemo.learn.candidate.candidate.train_candidate`; the pictures are as large as the base takes them.

        Args:
            changes: fields of the recipe that are not as the preset has them.
        """
        from fgdemo.learn.candidate.candidate import train_candidate
        from fgdemo.learn.train.recipe import PRESETS, train_px_of

        recipe = PRESETS[preset].changed(changes)
        train_px = train_px_of(base.backbone, base.data_config, recipe)
        if recipe.epochs and train_px != recipe.train_px:
            say(f"It learns from pictures of {train_px} px, the network's own size, and not of {recipe.train_px} px.")
        return train_candidate(
            base,
            corpus,
            replace(recipe, train_px=train_px),
            name=name,
            run_file=run_file,
            device=device,
            on_epoch=on_epoch,
            progress=progress,
            stop=stop,
        )

    def judge(
        self,
        before: Classifier,
        after: Classifier,
        gold: GoldPictures,
        taxonomy: Taxonomy,
        old_kinds: Collection[str],
        progress: Progress,
    ) -> Verdict:
        """See `fgdemo.learn.gate.gate.judge`."""
        from fgdemo.learn.candidate.fit import label_indices
        from fgdemo.learn.gate.gate import judge, judged

        pictures = gold(before.data_config)
        found = judged(before, list(pictures.pixels), taxonomy, self.trusted, progress)
        if after.data_config != before.data_config:
            pictures = gold(after.data_config)
        return judge(
            found,
            judged(after, list(pictures.pixels), taxonomy, self.trusted, progress),
            label_indices(pictures.labels, taxonomy),
            pictures.names,
            taxonomy,
            old_kinds=old_kinds,
        )
