"""Teach the bundled model the parts of birds from whole photographs with key points and boxes.

    python benchmarks/teach_field_guide.py [--teach DIR] [--checkpoint DIR] [--out DIR]

`--teach` is as `--data` of taught_parts.py. Only the weights of the parts enter the checkpoint, no picture and no
point; no answer changes. What they are worth is what taught_parts.py measures, "unseen" above all: these are ten
species, seabirds and blackbirds mostly. One JSON line last.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from taught_parts import NAMES, looked_at

from fgdemo.learn.live.teaching import with_parts
from fgdemo.model.checkpoint.load import load_classifier, save_classifier
from fgdemo.model.taught.fitting import lesson_of
from fgdemo.settings import REPOSITORY

GROUP = "bird"
FROM = "key points of {pictures} whole photographs of {species} species of Caltech-UCSD Birds-200-2011; weights only"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--teach", type=Path, default=REPOSITORY.parent / "shared" / "data" / "scenes10")
    parser.add_argument("--checkpoint", type=Path, default=REPOSITORY / "checkpoints" / "field-guide")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "checkpoints" / "field-guide")
    options = parser.parse_args()
    classifier = load_classifier(options.checkpoint)
    pictures, old = looked_at(classifier, options.teach, GROUP), classifier.parts.to("cpu")
    views = [view for one in pictures for view in one.views]
    lessons = [lesson_of(view, old.mean, old.projection, number) for number, view in enumerate(views)]
    taught = with_parts(classifier, GROUP, NAMES, lessons, views[::5])
    told = FROM.format(pictures=len(pictures), species=len({one.species for one in pictures}))
    save_classifier(replace(taught, card={**classifier.card, "parts_taught_from": {GROUP: told}}), options.out)
    print(json.dumps({"pictures": len(pictures), "parts": [part.name for part in taught.parts.of_group(GROUP)]}))


if __name__ == "__main__":
    main()
