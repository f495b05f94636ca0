"""Are the parts where the thing is, and are they the same parts when the picture is turned round or cropped?

    python benchmarks/part_quality.py [--checkpoint DIR] [--data DIR] [--limit N]

`--data` holds `val/<class>/*.jpg`, with foreground masks `masks/<same name>.png` (`../shared/data/butterflies10`) or
without. A checkpoint can so be compared with the one it was trained from. One JSON line last; figures are [mean, low,
high] with the bootstrap 95 % interval over pictures:

  covered        share of the picture that is parts and not background
  evidence_on_parts   share of the evidence for the likeliest class against the next, by size, that lies there
  iou            foreground (all parts, up-sampled, above a half) against the mask: intersection over union
  precision, recall   share of the foreground that is mask, and of the mask that is foreground
  iou_middle     iou of an ellipse in the middle, told how large the mask is but nothing else of the picture
                 (these four where there are masks)
  flip           cosine of the part maps of the mirrored picture, mirrored back, to those of the picture; 1 is the same
  flip_same      share of foreground places (by either) whose likeliest part is the same
  crop, crop_same   likewise for the middle 80 % of the picture, against that region of the whole picture's maps
  parts_used     parts that are the likeliest at some place of a picture
  faithfulness   insertion − deletion of the class map, on every fourth picture; random maps average 0
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from fgdemo.explain import faithfulness as measure
from fgdemo.model.checkpoint.load import load_classifier
from fgdemo.model.classifier import Classifier
from fgdemo.settings import REPOSITORY
from fgdemo.statistics.bootstrap import mean_interval
from fgdemo.values.evidence import contrast_map
from fgdemo.values.types import CropBox

CROP = CropBox(0.1, 0.1, 0.9, 0.9)
FAITHFULNESS_EVERY = 4


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def pictures_of(folder: Path, limit: int) -> list[tuple[Path, Path | None]]:
    """(picture, mask), taken evenly; where there are masks, only pictures that have one."""
    masks = {path.stem: path for path in (folder / "masks").glob("*.png")}
    paths = sorted((folder / "val").rglob("*.jpg"))
    pairs = [(path, masks.get(path.stem)) for path in paths if not masks or path.stem in masks]
    rows = np.linspace(0, len(pairs) - 1, min(limit, len(pairs))).round().astype(int)
    return [pairs[row] for row in np.unique(rows)]


@torch.inference_mode()
def read(classifier: Classifier, pixels: Tensor) -> tuple[int, np.ndarray, np.ndarray]:
    """Likeliest class, (h, w) evidence for it, and (h, w) evidence for it against the next."""
    network = classifier.network
    tokens = network.tokens(pixels[None])
    first, second = network.logits_from_tokens(tokens)[0].topk(2).indices.tolist()
    evidence = network.evidence(tokens)[0].cpu().numpy()
    return first, evidence[..., first], contrast_map(evidence[..., first], evidence[..., second])


@torch.inference_mode()
def part_maps(classifier: Classifier, pixels: Tensor, group: str) -> Tensor:
    """(K + 1, h, w) shares of the parts, background last."""
    network = classifier.network
    tokens, mid = network.with_mid(pixels[None].to(network.device))
    return network.assignment(tokens, group, mid)[0].permute(2, 0, 1).cpu()


def iou(foreground: np.ndarray, mask: np.ndarray) -> float:
    return float((foreground & mask).sum() / max((foreground | mask).sum(), 1))


def middle_of(mask: np.ndarray) -> np.ndarray:
    """An ellipse with the picture's proportions in its middle, of the mask's area."""
    y, x = (np.linspace(-1, 1, side) for side in mask.shape)
    distance = np.hypot(y[:, None], x[None])
    return distance <= np.sort(distance, axis=None)[max(int(mask.sum()) - 1, 0)]


def agreement(one: Tensor, other: Tensor) -> tuple[float, float]:
    """(cosine of the part maps without background, share of foreground places with the same likeliest part)."""
    cosine = functional.cosine_similarity(one[:-1].flatten(), other[:-1].flatten(), dim=0)
    either = (one[-1] < 0.5) | (other[-1] < 0.5)
    same = one[:-1].argmax(0) == other[:-1].argmax(0)
    return float(cosine), float(same[either].float().mean()) if bool(either.any()) else 0.0


def cropped(maps: Tensor, box: CropBox, size: tuple[int, int]) -> Tensor:
    """The region `box` of (K, h, w) maps, bilinearly on `size` places."""
    rows, columns = (
        torch.linspace(low, high, 2 * count + 1)[1::2] * 2 - 1
        for low, high, count in ((box.top, box.bottom, size[0]), (box.left, box.right, size[1]))
    )
    grid = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), -1)
    return functional.grid_sample(maps[None], grid[None], align_corners=False, padding_mode="border")[0]


def against_mask(foreground: np.ndarray, mask: np.ndarray) -> dict[str, float]:
    """(h, w) shares of the parts, (H, W) bool."""
    fore = measure.upsampled(foreground, (mask.shape[0], mask.shape[1])) > 0.5
    shared = float((fore & mask).sum())
    return {
        "iou": iou(fore, mask),
        "precision": shared / max(float(fore.sum()), 1.0),
        "recall": shared / max(float(mask.sum()), 1.0),
        "iou_middle": iou(middle_of(mask), mask),
    }


def measure_picture(
    classifier: Classifier, picture: Image.Image, mask: np.ndarray | None, faithful: bool
) -> dict[str, float]:
    network = classifier.network
    pixels = classifier.pixels(picture).to(network.device)
    answer, evidence, against_next = read(classifier, pixels)
    group = classifier.parts.group_of(classifier.taxonomy.root(classifier.taxonomy.leaves[answer]))
    maps = part_maps(classifier, pixels, group)
    foreground, size = 1 - maps[-1].numpy(), np.abs(against_next)
    found = {"covered": float(foreground.mean()), "evidence_on_parts": float((size * foreground).sum() / size.sum())}
    if mask is not None:
        found |= against_mask(foreground, mask)
    flipped = part_maps(classifier, pixels.flip(-1), group).flip(-1)
    found["flip"], found["flip_same"] = agreement(maps, flipped)
    closer = part_maps(classifier, classifier.pixels(picture, CROP), group)
    found["crop"], found["crop_same"] = agreement(cropped(maps, CROP, (closer.shape[1], closer.shape[2])), closer)
    found["parts_used"] = float(len(set(maps.argmax(0).flatten().tolist()) - {len(maps) - 1}))
    if faithful:
        (curves,) = measure.walk(network, pixels, [evidence])
        found["faithfulness"] = measure.faithfulness(curves, answer)
    return found


def mask_of(path: Path, size: tuple[int, int]) -> np.ndarray:
    with Image.open(path) as drawn:
        return np.asarray(drawn.resize(size, Image.Resampling.NEAREST)) > 0


def measured(classifier: Classifier, chosen: Sequence[tuple[Path, Path | None]]) -> dict[str, list[float]]:
    """Each figure as [mean, low, high] over the (picture, mask) files."""
    figures: dict[str, list[float]] = {}
    for place, (path, mask_path) in enumerate(chosen):
        with Image.open(path) as opened:
            picture = opened.convert("RGB")
        mask = mask_of(mask_path, picture.size) if mask_path else None
        found = measure_picture(classifier, picture, mask, place % FAITHFULNESS_EVERY == 0)
        for name, value in found.items():
            figures.setdefault(name, []).append(value)
        if place % 20 == 19:
            say(f"{place + 1} of {len(chosen)}")
    return {name: [round(x, 4) for x in mean_interval(np.array(values))] for name, values in figures.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, default=REPOSITORY / "checkpoints" / "field-guide")
    parser.add_argument("--data", type=Path, default=REPOSITORY.parent / "shared" / "data" / "butterflies10")
    parser.add_argument("--limit", type=int, default=1000, help="pictures, taken evenly")
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    chosen = pictures_of(options.data, options.limit) if options.data.is_dir() else []
    if not chosen:
        sys.exit(f"part_quality: there are no pictures in {options.data}; name a folder with --data.")
    classifier = load_classifier(options.checkpoint, options.device)
    result = measured(classifier, chosen)
    print(json.dumps({**result, "pictures": len(chosen), "checkpoint": classifier.version, "data": options.data.name}))


if __name__ == "__main__":
    main()
