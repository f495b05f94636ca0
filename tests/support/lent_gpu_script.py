"""Run by `test_lent_gpu` in a process that takes the stand-in for the package `spaces`: prints one JSON line."""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np

from fgdemo.model.checkpoint.load import load_classifier
from fgdemo.model.classifier import Classifier
from fgdemo.model.devices import choose_device
from fgdemo.settings import Settings
from fgdemo.specimens import SPECIES, draw_specimen


def main() -> None:
    first, second = (Path(name) for name in sys.argv[1:3])
    device = choose_device(Settings.from_env().device)
    picture = draw_specimen(SPECIES[0], 7, 96).picture
    lent, plain = load_classifier(first, device), load_classifier(first, "cpu")
    answers: dict[str, Any] = {"device": device}

    def differ(one: Classifier, other: Classifier) -> float:
        mine, theirs = one.read(picture), other.read(picture)
        return float(max(np.abs(mine.logits - theirs.logits).max(), np.abs(mine.evidence - theirs.evidence).max()))

    answers["first"] = [differ(lent, plain) for _ in range(3)]
    answers["look"] = float(np.abs(lent.look([picture] * 3).embeddings - plain.look([picture] * 3).embeddings).max())

    def later() -> None:  # a model that goes live while the page is served is loaded in a thread
        answers["second"] = differ(load_classifier(second, device), load_classifier(second, "cpu"))
        answers["first again"] = differ(lent, plain)

    thread = threading.Thread(target=later)
    thread.start()
    thread.join()
    other = load_classifier(second, "cpu").read(picture)
    answers["distinct"] = float(np.abs(other.logits - plain.read(picture).logits).max())
    print(json.dumps(answers))


if __name__ == "__main__":
    main()
