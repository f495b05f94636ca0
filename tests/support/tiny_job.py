"""A training of a tiny network: everything is real but the recipe and the gate, which are small. It is also a verb:

python -m tests.support.tiny_job --job ID

A file `hold-N` in the folder of the job keeps it after its epoch N until the file has gone.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from fgdemo.commands.model.finetune import run_finetune
from fgdemo.learn.candidate.fit import fit_classifier
from fgdemo.learn.candidate.trial import NO_CHANGES, GoldPictures, Trial
from fgdemo.learn.data.corpus import Corpus
from fgdemo.learn.train.recipe import Recipe
from fgdemo.learn.train.steps import Lesson
from fgdemo.model.classifier import Classifier
from fgdemo.settings import Settings
from fgdemo.values.errors import FgdemoError
from fgdemo.values.progress import Progress
from fgdemo.values.taxonomy import Taxonomy
from fgdemo.values.training import Check, Epoch, Preset, Verdict

EPOCHS = 3
LONGEST_HOLD_S = 100
"""After this the test that holds it is dead."""


class TinyTrial(Trial):
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
        import torch

        from fgdemo.learn.train.finetune import finetune

        def told(epoch: Epoch) -> None:
            on_epoch(epoch)
            (run_file.parent / "pid").write_text(str(os.getpid()))
            end_s = time.monotonic() + LONGEST_HOLD_S
            while (run_file.parent / f"hold-{epoch.number}").exists() and not stop() and time.monotonic() < end_s:
                time.sleep(0.02)

        dim, kinds = base.embedding_dim, len(corpus.taxonomy.leaves)
        recipe = Recipe(epochs=EPOCHS, train_px=base.data_config.size_px, batch_size=8, lr=1e-4)
        lesson = Lesson(corpus.pictures, corpus.class_index, base.data_config, recipe)
        trained = finetune(
            base.backbone,
            (torch.zeros(dim, kinds), torch.zeros(kinds)),
            lesson,
            run_file=run_file,
            device=device,
            on_epoch=told,
            progress=progress,
            stop=stop,
        )
        fitted = fit_classifier(
            trained.backbone,
            base.data_config,
            corpus.pictures,
            corpus.class_index,
            corpus.taxonomy,
            name=name,
            trained=True,
            parts_per_group=2,
            progress=progress,
            card={
                "seen": dict(zip(corpus.pictures.names, corpus.pictures.labels, strict=True)),
                "checked": int(corpus.checked.sum()),
                "epochs_done": trained.epochs_done,
                "metrics": {"epochs": trained.epochs_done},
            },
        )
        return fitted.classifier

    def judge(
        self,
        before: Classifier,
        after: Classifier,
        gold: GoldPictures,
        taxonomy: Taxonomy,
        old_kinds: Collection[str],
        progress: Progress,
    ) -> Verdict:
        assert set(old_kinds) <= set(taxonomy.leaves)
        pictures = gold(after.data_config)
        right = [self._right(model, pictures.pixels, pictures.labels) for model in (before, after)]
        top1 = [(float(r.mean()), 0.0, 1.0) for r in right]
        fixed, broken = (
            tuple(name for name, a, b in zip(pictures.names, x, y, strict=True) if b and not a)
            for x, y in (right, right[::-1])
        )
        return Verdict(
            "not worse",
            f"Tried on {len(pictures.names)} gold pictures.",
            (Check("accuracy", True, "Tiny."),),
            len(pictures.names),
            top1[0],
            top1[1],
            (0.0, 0.0, 0.0),
            1.0,
            fixed,
            broken,
            loss_limit=0.0,
        )

    def _right(self, model: Classifier, pixels: np.ndarray, labels: tuple[str, ...]) -> np.ndarray:
        from PIL import Image

        probs = np.stack([model.read(Image.fromarray(one)).probs for one in pixels])
        leaves = model.taxonomy.leaves
        return np.array([leaves[row] == label for row, label in zip(probs.argmax(1), labels, strict=True)])


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--job", type=int)
    parser.add_argument("--preset", default="quick")
    parser.add_argument("--recipe", type=Path)
    parser.add_argument("--json", action="store_true")
    try:
        given = parser.parse_args()
        say = partial(print, file=sys.stderr if given.json else sys.stdout, flush=True)
        run_finetune(
            Settings.from_env(), preset=given.preset, recipe=given.recipe, job=given.job, say=say, trial=TinyTrial()
        )
    except FgdemoError as error:
        print(f"fgdemo: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
