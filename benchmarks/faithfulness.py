"""How faithful the maps are to pixels, beside the library's methods, random maps and the middle of the picture.

    python benchmarks/faithfulness.py [--checkpoint DIR] [--data DIR] [--limit 210] [--ours] [--walk-every N]

`--data` holds `<set>/val/<class>/*.jpg`, and foreground masks in `<set>/masks/<same name>.png` where there are any.
A is the likeliest class, B the next. One JSON line last; every figure is [mean, low, high] with the bootstrap 95 %
interval over photographs. Definitions: fgdemo/explain/faithfulness.py.
  deletion, insertion    {method: AUC of A's share of probability}; low, respectively high, is good
  pair_deletion, pair_insertion   the same for the share of A among A and B
  faithfulness           {method: insertion − deletion}, pair_faithfulness likewise; random maps average 0
  advantage              {method: faithfulness of the class evidence less that of the method, paired}
  spread_less_plain      {deletion, insertion, mass, pair_deletion, pair_insertion: of the map as it is drawn, less that
                         of the same evidence place by place, paired}
  trust_rank             rank correlation over photographs of the trust of the class map with PixelFlipping (Bach et al.
                         2015): mean logit of A while 32 equal steps of pixels, highest first, take the picture's mean
                         colour, less that for pixels in a random order; both as a share of the fall to a flat picture
  pointing, mass         {method: share of peaks, of positive relevance, on the mask}
  pair_effect            {method: fall of logit A − logit B when the map's strongest tenth is removed / Grad-CAM's}
  randomised_correlation correlation of the evidence with that of the same network with random weights
"evidence" and "contrast" are the maps as the page draws them, "plain" and "plain_contrast" the same place by place.
`--ours` leaves the methods of the library out, but for Grad-CAM where maps are removed. Deletion and insertion take
most of the time: `--walk-every 4` measures them, and what needs them, on every fourth photograph.
Score-CAM (a forward pass for each of its 64 most varying channels) is run on a part of the photographs only.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # runs from a clone, nothing needs to be installed

import numpy as np
import torch
from faithfulness_flipping import flipping, rank_correlation
from faithfulness_maps import maps_of, randomised, scorecam
from PIL import Image
from torch import Tensor

from fgdemo.explain import faithfulness as measure
from fgdemo.model.checkpoint.load import load_classifier
from fgdemo.model.classifier import Classifier
from fgdemo.model.network import Network
from fgdemo.settings import REPOSITORY
from fgdemo.statistics.bootstrap import interval, mean_interval
from fgdemo.values.taxonomy import Taxonomy

SCORECAM_EVERY = 10
RANDOMISED_EVERY = 5
PAIR_METHODS = (
    *("gradcam", "evidence", "plain", "parts", "contrast", "plain_contrast", "contrast_parts"),
    *("finercam", "centre", "random"),
)
OURS = ("evidence", "plain", "contrast", "plain_contrast")
FLIP_EVERY = 4

Figures = dict[str, dict[str, list[float]]]
"""figure → method → one value a photograph."""


@dataclass(frozen=True)
class Photograph:
    path: Path
    mask: Path | None


def photographs(folder: Path, taxonomy: Taxonomy, limit: int) -> list[Photograph]:
    """Validation photographs of classes the model knows, as many of each set; every k-th, so that all take part."""
    sets = [
        (of_set, [path for path in sorted(of_set.glob("val/*/*.jpg")) if taxonomy.match(path.parent.name)])
        for of_set in sorted(folder.iterdir())
    ]
    sets = [(of_set, paths) for of_set, paths in sets if paths]
    if not sets:
        sys.exit(f"faithfulness: {folder} holds no <set>/val/<class>/*.jpg of classes that this model knows.")
    chosen: list[Photograph] = []
    for place, (of_set, paths) in enumerate(sorted(sets, key=lambda found: len(found[1]))):
        count = min(len(paths), (limit - len(chosen)) // (len(sets) - place))
        for row in np.linspace(0, len(paths) - 1, count).round().astype(int):
            mask = of_set / "masks" / f"{paths[row].stem}.png"
            chosen.append(Photograph(paths[row], mask if mask.is_file() else None))
    return chosen


def read(classifier: Classifier, photograph: Photograph) -> tuple[Image.Image, np.ndarray | None]:
    """The picture, and the (S, S) mask squashed as the model squashes pictures."""
    with Image.open(photograph.path) as opened:
        picture = opened.convert("RGB")
    if photograph.mask is None:
        return picture, None
    side = classifier.data_config.size_px
    with Image.open(photograph.mask) as drawn:
        return picture, np.asarray(drawn.resize((side, side), Image.Resampling.NEAREST)) > 0


def measure_photograph(
    classifier: Classifier,
    picture: Image.Image,
    mask: np.ndarray | None,
    options: argparse.Namespace,
    place: int,
    rng: np.random.Generator,
) -> dict[str, dict[str, float]]:
    """figure → method → value, for one photograph."""
    only = OURS if options.ours else None
    network = classifier.network
    pixels = classifier.pixels(picture).to(network.device)
    with torch.inference_mode():
        tokens = network.tokens(pixels[None])
        a, b = network.logits_from_tokens(tokens)[0].argsort(descending=True)[:2].tolist()
    maps = maps_of(classifier, picture, tokens, a, b, rng)
    removed = [name for name in PAIR_METHODS if only is None or name in (*only, "gradcam")]
    drops = measure.removal_drop(network, pixels, [maps[name] for name in removed], a, b)
    maps = {name: grid_map for name, grid_map in maps.items() if only is None or name in only}
    if only is None and place % SCORECAM_EVERY == 0:
        maps["scorecam"] = scorecam(network, pixels, tokens, a)
    found: dict[str, dict[str, float]] = {"pair_drop_nats": dict(zip(removed, drops.tolist(), strict=True))}
    if mask is not None:
        found["pointing"] = {name: float(measure.pointing_game(grid_map, mask)) for name, grid_map in maps.items()}
        found["mass"] = {name: measure.relevance_mass(grid_map, mask) for name, grid_map in maps.items()}
    if place % options.walk_every:
        return found
    # With mean pooling and a linear head Grad-CAM and HiResCAM are one.
    same = "hirescam" in maps and np.allclose(maps["hirescam"], maps["gradcam"], atol=1e-5)
    walked = [name for name in maps if name != "hirescam" or not same]
    curves = dict(zip(walked, measure.walk(network, pixels, [maps[name] for name in walked]), strict=True))
    if same:
        curves["hirescam"] = curves["gradcam"]
    found |= {
        "deletion": {name: measure.deletion_auc(curves[name], a) for name in maps},
        "insertion": {name: measure.insertion_auc(curves[name], a) for name in maps},
        "pair_deletion": {name: measure.deletion_auc(curves[name], a, b) for name in maps},
        "pair_insertion": {name: measure.insertion_auc(curves[name], a, b) for name in maps},
    }
    if place % FLIP_EVERY == 0:
        trust = measure.faithfulness(curves["evidence"], a)
        found["flipped"] = {"trust": trust, "flips": flipping(network, pixels, maps["evidence"], a, rng)}
    return found


def sanity(network: Network, random_network: Network, pixels: Tensor) -> float:
    """Correlation of the two networks' evidence for the class that the real one sees."""
    with torch.inference_mode():
        a = int(network(pixels[None]).argmax())
        maps = [net.evidence(net.tokens(pixels[None]))[0, ..., a].cpu().numpy() for net in (network, random_network)]
    if maps[1].std() == 0:  # nothing comes through at all
        return 0.0
    return float(np.corrcoef(maps[0].ravel(), maps[1].ravel())[0, 1])


def summary(figures: Figures, correlations: list[float]) -> dict[str, dict[str, list[float]] | list[float]]:
    """Means and intervals of every figure, and of what follows from them photograph by photograph."""
    derived: Figures = {}
    for prefix, ours in (("", "evidence"), ("pair_", "contrast")):
        of = {
            name: np.array(figures[f"{prefix}insertion"][name]) - np.array(figures[f"{prefix}deletion"][name])
            for name in figures[f"{prefix}insertion"]
        }
        derived[f"{prefix}faithfulness"] = {name: scores.tolist() for name, scores in of.items()}
        derived[f"{prefix}advantage"] = {
            name: (of[ours] - scores).tolist() for name, scores in of.items() if len(scores) == len(of[ours])
        }
    found: dict[str, dict[str, list[float]] | list[float]] = {
        figure: {name: _rounded(mean_interval(np.array(values))) for name, values in methods.items()}
        for figure, methods in (figures | derived).items()
    }
    drops = {name: np.array(values) for name, values in figures["pair_drop_nats"].items()}
    found["pair_effect"] = {
        name: _rounded(measure.pair_effect(values, drops["gradcam"])) for name, values in drops.items()
    }
    found["spread_less_plain"] = {
        figure: _rounded(mean_interval(np.array(figures[figure][drawn]) - np.array(figures[figure][plain])))
        for figure, drawn, plain in (
            *((figure, "evidence", "plain") for figure in ("deletion", "insertion", "mass") if figure in figures),
            *((figure, "contrast", "plain_contrast") for figure in ("pair_deletion", "pair_insertion")),
        )
    }
    trust, flips = (np.array(figures["flipped"][name]) for name in ("trust", "flips"))
    found["trust_rank"] = _rounded(interval(lambda weights: rank_correlation(trust, flips, weights), len(trust)))
    found["randomised_correlation"] = _rounded(mean_interval(np.array(correlations)))
    return found


def _rounded(values: tuple[float, float, float]) -> list[float]:
    return [round(value, 4) for value in values]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, default=REPOSITORY / "checkpoints" / "field-guide")
    parser.add_argument("--data", type=Path, default=REPOSITORY.parent / "shared" / "data")
    parser.add_argument("--limit", type=int, default=210, help="photographs, taken evenly from the sets")
    parser.add_argument("--ours", action="store_true", help="without the methods of the library")
    parser.add_argument("--walk-every", type=int, default=1, metavar="N", help="remove and insert on every N-th only")
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    if not options.data.is_dir():
        sys.exit(f"faithfulness: there is no folder {options.data}; name the photographs with --data.")
    classifier = load_classifier(options.checkpoint, options.device)
    random_network = randomised(classifier.network)
    chosen = photographs(options.data, classifier.taxonomy, options.limit)
    rng = np.random.default_rng(0)
    figures: Figures = {}
    correlations: list[float] = []
    for place, photograph in enumerate(chosen):
        picture, mask = read(classifier, photograph)
        for figure, methods in measure_photograph(classifier, picture, mask, options, place, rng).items():
            for name, value in methods.items():
                figures.setdefault(figure, {}).setdefault(name, []).append(value)
        if place % RANDOMISED_EVERY == 0:
            pixels = classifier.pixels(picture).to(classifier.network.device)
            correlations.append(sanity(classifier.network, random_network, pixels))
        print(f"\r{place + 1}/{len(chosen)}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    counts = {
        "photographs": len(chosen),
        "walked": len(figures["deletion"]["evidence"]),
        "with_mask": sum(photograph.mask is not None for photograph in chosen),
    }
    print(json.dumps({**summary(figures, correlations), **counts, "model": classifier.version}))


if __name__ == "__main__":
    main()
