"""Are evidence cards the answer: do they add up, are they on the thing, and does a reader who sees only them agree?

    python benchmarks/cards.py [--checkpoint DIR] [--data DIR] [--reader WEIGHTS] [--half choose|report]

`--data` holds `<set>/{train,val}/<class>/*.jpg`, which the checkpoint has learned from and has not, and foreground
masks in `<set>/masks/<id>.png` where there are any. Val photographs of some kinds of each set (`KINDS`), by a fixed
seed; A is the likeliest kind, B the next. Their reporting half, by a hash of the name, is measured. The cards are those
of the page (`fgdemo.values.classification.cards`): of the eight pictures of a kind with the largest votes, with the
default foreground. One JSON line last:

  sum_error      largest |cards + all that follows them − logit|, of A less B, against the network's own logits
  refit_error    largest |A less B without a card's picture − the same by a head fitted without it|
  inside_mask    [mean, low, high] share of the places of a card that is inside the true mask (butterflies; a place of
                 14 × 14 counts by how much of it is), over photographs
  cards_needed   [mean, low, high] cards of A until their parts hold 70 % of what all parts say for A
  reader_agrees  [share, low, high] how often the reader picks A. The reader is another backbone (ImageNet weights that
                 know none of these kinds). It sees both kinds' cards, shuffled: a crop of the picture and one of a
                 labelled picture; it takes the kind whose crops are more alike on average (cosine). Chance is 0.5
  told_apart     {"same": [share, …], "other": […]}: reader_agrees where A and B are of one group, and where not
  share_of_votes [mean, low, high] how much of all votes for A the shown cards are
  photographs    how many
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import timm
import torch
from PIL import Image
from torch import Tensor, nn

from fgdemo.learn.live.voters import voting_head
from fgdemo.model.checkpoint.load import load_classifier
from fgdemo.model.classifier import Classifier
from fgdemo.settings import REPOSITORY
from fgdemo.statistics.bootstrap import mean_interval
from fgdemo.statistics.proportions import wilson
from fgdemo.values.classification.cards import Pair, View, Voting, chosen, crop_of, flat, pairs, part_totals
from fgdemo.values.classification.votes import VotingHead
from fgdemo.values.types import CropBox, Reading

KINDS = {"birds100": 5, "dogs64": 2, "butterflies10": 10}
PER_KIND = {"birds100": 5, "dogs64": 5, "butterflies10": 4}
READ = 8
REFITS = 12
READER_PX = 128


@dataclass
class Workspace:
    """Pictures as the model reads them, each once."""

    classifier: Classifier
    head: VotingHead
    folders: dict[str, Path]
    embeddings: dict[Path, np.ndarray] = field(default_factory=dict)
    readings: dict[Path, Reading] = field(default_factory=dict)

    def reading(self, path: Path) -> Reading:
        if path not in self.readings:
            with Image.open(path) as opened:
                self.readings[path] = self.classifier.read(opened.convert("RGB"))
        return self.readings[path]

    def voting(self, leaf: str) -> Voting:
        """All training pictures of a kind."""
        paths = sorted(self.folders[leaf].glob("*.jpg"))
        for path in (path for path in paths if path not in self.embeddings):
            with Image.open(path) as opened, torch.inference_mode():
                pixels = self.classifier.pixels(opened.convert("RGB"))
                self.embeddings[path] = self.classifier.network.tokens(pixels[None]).mean((1, 2))[0].float().numpy()
        vectors = np.stack([self.embeddings[path] for path in paths])
        return Voting(self.head.leaves.index(leaf), tuple(map(str, paths)), vectors, np.ones(len(paths)))


@dataclass(frozen=True)
class Shown:
    """The cards of one kind, and what follows them, each computed by itself."""

    cards: list[Pair]
    totals: dict[int | None, float]
    voting: Voting
    votes: float
    said: float
    total: float


def cards_of(space: Workspace, reading: Reading, leaf: str) -> Shown:
    head, voting = space.head, space.voting(leaf)
    assert reading.tokens is not None
    embedding = flat(reading.tokens).mean(0)
    tally = head.split(embedding, voting.column, voting.vectors, voting.weights)
    best = [voting.images[at] for at in np.argsort(-tally.votes, kind="stable")[:READ]]
    others = {image: space.reading(Path(image)) for image in best}
    totals = part_totals(head, View(reading), voting)
    kept = chosen(pairs(head, View(reading), voting, others), totals, {image: at for at, image in enumerate(best)})
    shown = {one.image for one in kept}
    seen = head.metric(head.against_background(flat(reading.tokens)))
    said = sum(one.value for one in kept)
    whole = 0.0  # all that the pictures of the cards say, place by place
    for image in shown:
        tokens = others[image].tokens
        assert tokens is not None
        there = head.against_background(flat(tokens))
        whole += float((head.share(voting.column, 1.0) / (len(seen) * len(there)) * seen @ there.T).sum())
    rest = float(tally.votes[[image not in shown for image in voting.images]].sum())
    total = said + (whole - said) + rest + tally.absent + tally.start + tally.common
    return Shown(kept, totals, voting, float(tally.votes.sum()), said, total)


def refitted(space: Workspace, reading: Reading, shown: Shown, image: str, pair: tuple[str, str]) -> float:
    """|A less B without the picture, by downdate − by a fit without it|."""
    head, voting = space.head, shown.voting
    assert reading.tokens is not None
    embedding, other = flat(reading.tokens).mean(0), voting.vectors[voting.images.index(image)]
    known, phi = space.classifier.head, head.features(other[None])[0]
    gram = known.gram - np.outer(phi, phi) + known.penalty * np.eye(len(phi))
    moment, counts = head.moment.copy(), head.counts.copy()
    moment[:, voting.column] -= phi
    counts[voting.column] -= 1
    inverse = np.linalg.inv(gram)
    never = VotingHead(
        *(head.leaves, head.mean, head.scale, head.origin, inverse, inverse @ moment, moment, counts),
        temperature=head.temperature,
        readout=head.readout,
    ).logits(embedding)
    left = head.without(embedding, other, voting.column, 1.0)
    a, b = (head.leaves.index(leaf) for leaf in pair)
    return abs(float((left[a] - left[b]) - (never[a] - never[b])))


def inside(mask: Path, places: np.ndarray, grid: tuple[int, int]) -> float:
    """Mean share of these places that is inside the mask."""
    with Image.open(mask) as drawn:
        is_inside = np.asarray(drawn.convert("L")) > 0
    rows, columns = grid
    share = Image.fromarray(is_inside.astype(np.uint8) * 255).resize((columns, rows), Image.Resampling.BOX)
    return float((np.asarray(share) / 255).ravel()[places].mean())


class Reader:
    """A backbone that knows none of the kinds, and compares crops."""

    def __init__(self, weights: Path) -> None:
        self.network: nn.Module = timm.create_model("mobilenetv2_100", num_classes=1000, pad_type="same")
        self.network.load_state_dict(torch.load(weights, weights_only=True))
        self.network.reset_classifier(0)  # type: ignore[operator]
        self.network.eval().float()

    def alike(self, picture: Path, here: CropBox, other: Path, there: CropBox) -> float:
        """Cosine of two crops."""
        batch = torch.stack([self._pixels(picture, here), self._pixels(other, there)])
        with torch.inference_mode():
            first, second = nn.functional.normalize(self.network(batch))
        return float(first @ second)

    def _pixels(self, path: Path, box: CropBox) -> Tensor:
        with Image.open(path) as opened:
            picture = opened.convert("RGB")
        crop = picture.crop(box.pixels(*picture.size)).resize((READER_PX, READER_PX), Image.Resampling.BICUBIC)
        return (torch.from_numpy(np.asarray(crop).copy()).permute(2, 0, 1) / 255 - 0.5) / 0.5


def reads(reader: Reader, space: Workspace, path: Path, sides: list[Shown], rng: np.random.Generator) -> bool:
    """Whether the reader picks the first of both sides; they come to it in any order."""
    grid = space.reading(path).assignment.shape[:2]
    scores: dict[int, float] = {}
    for at in rng.permutation(len(sides)).tolist():
        alike = [
            reader.alike(
                path,
                crop_of(card.here, grid),
                Path(card.image),
                crop_of(card.there, space.reading(Path(card.image)).assignment.shape[:2]),
            )
            for card in sides[at].cards
        ]
        scores[at] = float(np.mean(alike)) if alike else -1.0
    return scores[0] > scores[1]


def photographs(data: Path, folders: dict[str, Path], half: str) -> list[Path]:
    rng = np.random.default_rng(0)
    found: list[Path] = []
    for name, kinds in KINDS.items():
        known = sorted(folder.name for folder in (data / name / "val").iterdir() if folder.is_dir())
        trained = {folder.name for folder in folders.values()}
        for kind in rng.choice([one for one in known if one in trained], kinds, replace=False):
            paths = sorted((data / name / "val" / kind).glob("*.jpg"))
            mine = [
                path
                for path in paths
                if (hashlib.sha256(path.name.encode()).digest()[0] % 2 == 0) == (half == "report")
            ]
            found += mine[: PER_KIND[name]]
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, default=REPOSITORY / "checkpoints" / "field-guide")
    parser.add_argument("--data", type=Path, default=REPOSITORY.parent / "shared" / "data")
    parser.add_argument("--reader", type=Path)
    parser.add_argument("--half", choices=("choose", "report"), default="report")
    given = parser.parse_args()
    classifier = load_classifier(given.checkpoint)
    folders = {}
    for folder in sorted(given.data.glob("*/train/*")):
        taxon = classifier.taxonomy.match(folder.name)
        if taxon is not None:
            folders[taxon if isinstance(taxon, str) else taxon.id] = folder
    space = Workspace(classifier, voting_head(classifier), folders)
    reader = Reader(given.reader or given.data / "weights" / "mobilenetv2_100_tf2_ptq_in1k.pth")
    print(json.dumps(measured(space, photographs(given.data, folders, given.half), reader)))
    return 0


def measured(space: Workspace, paths: list[Path], reader: Reader) -> dict[str, object]:
    leaves, taxonomy, rng = space.classifier.taxonomy.leaves, space.classifier.taxonomy, np.random.default_rng(1)
    sums, refits = list[float](), list[float]()
    masks, needed, shares = list[float](), list[float](), list[float]()
    agreed = list[tuple[bool, bool]]()
    for at, path in enumerate(paths):
        reading = space.reading(path)
        ranked = [leaves[i] for i in np.argsort(-reading.logits).tolist() if leaves[i] in space.folders]
        a, b = ranked[:2]
        sides = [cards_of(space, reading, leaf) for leaf in (a, b)]
        index = taxonomy.leaf_index
        sums.append(abs(sides[0].total - sides[1].total - float(reading.logits[index[a]] - reading.logits[index[b]])))
        if len(refits) < REFITS and sides[0].cards:
            refits.append(refitted(space, reading, sides[0], sides[0].cards[0].image, (a, b)))
        mask = path.parents[2] / "masks" / f"{path.stem}.png"
        if mask.is_file() and sides[0].cards:
            grid = (reading.assignment.shape[0], reading.assignment.shape[1])
            masks.append(float(np.mean([inside(mask, card.here, grid) for card in sides[0].cards])))
        needed.append(float(len(sides[0].cards)))
        shares.append(sides[0].said / max(sides[0].votes, 1e-9))
        same = taxonomy[a].parent == taxonomy[b].parent
        agreed.append((reads(reader, space, path, sides, rng), same))
        print(
            f"{at + 1}/{len(paths)} {path.parent.name}: {len(sides[0].cards)} cards, reader {agreed[-1][0]}",
            file=sys.stderr,
        )
    return {
        "sum_error": max(sums),
        "refit_error": max(refits),
        "inside_mask": spread(masks),
        "cards_needed": spread(needed),
        "reader_agrees": share([right for right, _ in agreed]),
        "told_apart": {
            name: share([right for right, same in agreed if same == is_same])
            for name, is_same in (("same", True), ("other", False))
        },
        "share_of_votes": spread(shares),
        "photographs": len(paths),
    }


def spread(values: list[float]) -> list[float]:
    return [round(float(one), 4) for one in mean_interval(np.array(values))] if values else []


def share(right: list[bool]) -> list[float]:
    low, high = wilson(sum(right), len(right))
    return [round(one, 4) for one in (sum(right) / max(len(right), 1), low, high)]


if __name__ == "__main__":
    sys.exit(main())
