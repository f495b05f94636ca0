"""What is left of birds when dogs have been learned: three sessions, of which only the newest pictures are at hand.

Sessions: the first 50 kinds of ../shared/data/birds100, the other 50, then dogs64; start weights from ImageNet. After
each session a fifth of its training pictures are held out to choose by; the `val` pictures are never trained on and
are what is measured. Methods:

  ours         `train_candidate` from the classifier before: soft labels of it, a memory of `--memory` pictures a kind
               (a fifth of them to choose by), the sums of all other pictures carried to the new features, blend
  ours_bare    the same without memory and soft labels: the sums carried and the blend alone
  naive        the network and a new linear classifier trained on the newest pictures, as a plain script does
  ridge        frozen features and the closed-form head, which adds every session to its sums

Prints one JSON line last, {method: value} each:

  final_accuracy   mean over the sessions, after the last, of top-1 among all kinds seen; high is good
  forgetting       mean over the earlier sessions of their best accuracy less the last one (Chaudhry 2018); low is good
  auac             area under the error in % after 0, 1, 2, 5, 10 pictures a kind seen again, their number scaled to
                   [0, 1] (Inamdar 2026); low is good. The head learns them, the network stays
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import torch
from forgetting_methods import Course, Learned, Linear, Method, Session, naive, ours, ridge

from fgdemo.learn.data.embed import embed
from fgdemo.learn.data.pictures import decode_all
from fgdemo.learn.study.continual import SHOTS, auac, forgetting
from fgdemo.learn.train.recipe import Recipe
from fgdemo.model.backbone import DataConfig, start_backbone
from fgdemo.storage.formats.sources import read_source

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


def measure(method: Method, course: Course, seed: int) -> dict[str, float]:
    count = len(course.sessions)
    accuracy = np.zeros((count, count))
    learned = None
    for number, learned in enumerate(method(course)):
        learned.backbone.eval()
        for before in range(number + 1):
            session = course.sessions[before]
            test = session.rows("test")
            seen = embed(learned.backbone, session.pictures.pixels[test], course.config)
            accuracy[number, before] = right(seen, session.class_index[test], learned.linear, course.seen(number))
        print(f"  {np.round(accuracy[number], 3).tolist()}", file=sys.stderr, flush=True)
    assert learned is not None
    return {
        "final_accuracy": float(accuracy[-1].mean()),
        "forgetting": forgetting(accuracy),
        "auac": mean_auac(learned, course, seed),
    }


def right(seen: np.ndarray, labels: np.ndarray, linear: Linear, classes: int) -> float:
    return float(((seen @ linear[0] + linear[1])[:, :classes].argmax(1) == labels).mean())


def mean_auac(learned: Learned, course: Course, seed: int) -> float:
    """Mean over the sessions; each is reminded of its own training pictures, from the end of the course again."""
    areas, generator, classes = [], np.random.default_rng(seed), len(course.classes)
    for session in course.sessions:
        seen = embed(learned.backbone, session.pictures.pixels, course.config)
        labels, test = session.class_index, session.rows("test")
        order = generator.permutation(session.rows("train"))
        errors = []
        for shots in SHOTS:
            rows = [row for kind in np.unique(labels) for row in order[labels[order] == kind][:shots]]
            linear = learned.reminded(seen[rows], labels[rows]) if rows else learned.linear
            errors.append(100 * (1 - right(seen[test], labels[test], linear, classes)))
        areas.append(auac(errors, SHOTS))
    return float(np.mean(areas))


def read_sessions(
    kinds: int | None, each: int | None, config: DataConfig, seed: int
) -> tuple[list[Session], list[str]]:
    """The three sessions; `kinds` of each and `each` training pictures of a kind, or all."""
    sessions, classes = [], []
    for folder, part in (("birds100", slice(0, 50)), ("birds100", slice(50, None)), ("dogs64", slice(None))):
        source, generator = read_source(SHARED / folder), np.random.default_rng(seed)
        names = list(source.labels[part])[:kinds]
        chosen = []
        for name in names:
            train = [p for p in source.pictures if p.label == name and p.split == "train"]
            test = [p for p in source.pictures if p.label == name and p.split == "val"]
            train = [train[i] for i in generator.permutation(len(train))[:each]]
            held = max(1, len(train) // 5)
            chosen += [replace(p, split="val" if i < held else "train") for i, p in enumerate(train)]
            chosen += [replace(p, split="test") for p in test[: None if each is None else max(4, each)]]
        pictures = decode_all(chosen, config)
        index = {name: len(classes) + at for at, name in enumerate(names)}
        classes += names
        sessions.append(Session(pictures, np.array([index[label] for label in pictures.labels])))
    return sessions, classes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--each", type=int, metavar="N", help="training pictures a kind (default: all)")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--size", type=int, default=160, help="side of the training pictures")
    parser.add_argument("--memory", type=int, default=20, help="pictures a kind that ours keeps")
    parser.add_argument("--replay", type=float, default=0.5)
    parser.add_argument("--retention", type=float, default=0.5)
    parser.add_argument("--lr", type=float, default=3e-4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--methods", nargs="+", default=["ours", "ours_bare", "naive", "ridge"])
    parser.add_argument("--small", action="store_true", help="5 kinds a session, 10 pictures a kind, 2 epochs")
    arguments = parser.parse_args()
    kinds = 5 if arguments.small else None
    if arguments.small:
        arguments.each, arguments.epochs, arguments.size, arguments.memory = 10, 2, 96, 5
    torch.manual_seed(arguments.seed)
    backbone, config = start_backbone(
        "mobilenetv2_100",
        weights=str(SHARED / "weights" / "mobilenetv2_100_tf2_ptq_in1k.pth"),
        size_px=128 if arguments.small else 224,
        options={"pad_type": "same"},
        mean=(0.5, 0.5, 0.5),
        std=(0.5, 0.5, 0.5),
    )
    sessions, classes = read_sessions(kinds, arguments.each, config, arguments.seed)
    recipe = Recipe(
        epochs=arguments.epochs,
        train_px=arguments.size,
        lr=arguments.lr,
        seed=arguments.seed,
        retention=arguments.retention,
        replay=arguments.replay,
        memory=10**6,
    )
    start = backbone.to(arguments.device).eval()
    course = Course(sessions, classes, start, config, recipe, arguments.device)
    bare = replace(recipe, retention=0.0, replay=0.0)
    methods: dict[str, Method] = {
        "ours": partial(ours, memory_each=arguments.memory),
        "ours_bare": lambda course: ours(replace(course, recipe=bare), memory_each=0),
        "naive": naive,
        "ridge": ridge,
    }
    found: dict[str, dict[str, float]] = {}
    for name in arguments.methods:
        print(name, file=sys.stderr, flush=True)
        found[name] = measure(methods[name], course, arguments.seed)
    keys = ("final_accuracy", "forgetting", "auac")
    figures = {key: {name: round(values[key], 4) for name, values in found.items()} for key in keys}
    print(json.dumps({**figures, **{k: v for k, v in vars(arguments).items() if k != "methods"}}))


if __name__ == "__main__":
    main()
