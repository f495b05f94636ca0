"""May a candidate go live? It is put beside the live model on gold pictures that nobody trains on.

The conditions, and why they are what they are: `fgdemo.learn.gate.conditions`.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from fgdemo.explain.faithfulness import faithfulness, walk
from fgdemo.learn.gate.compared import MORE_GOLD, Compared, advice, answers_of, check_accuracy, in_points, outcome_of
from fgdemo.learn.gate.conditions import (
    calibration_error,
    check_calibration,
    check_forgetting,
    check_kinds,
    check_maps,
    mcnemar,
    on_known,
)
from fgdemo.model.calibration import softmax
from fgdemo.model.classifier import Classifier
from fgdemo.statistics.proportions import change_interval, share_interval
from fgdemo.storage.pictures.images import decode_picture
from fgdemo.values.batches import batches
from fgdemo.values.progress import Progress, no_progress
from fgdemo.values.taxonomy import Taxonomy
from fgdemo.values.training import Check, Interval, KindChange, Outcome, PairChange, Verdict, gold_pictures, points

BATCH = 32
MOST_PAIRS = 20


@dataclass(frozen=True)
class Judged:
    """What one model says of N gold pictures.

    Attributes:
        probs: (N, C), columns are the leaves of the union of the taxonomies; a kind that the model does not know
            has 0. A row is all 0 where its answer is no leaf of the union: that is wrong, whatever the picture shows.
        trust: (M,) trust of the class map of its own answer in [−1, 1], high is good, for M of the pictures spread
            evenly over them (the same for each model); None where it was not measured.
    """

    probs: np.ndarray
    trust: np.ndarray | None = None


Gold = bytes | Image.Image | np.ndarray
"""An encoded picture, an upright RGB picture, or one as (H, W, 3) uint8."""


def judged(
    classifier: Classifier,
    pictures: Sequence[Gold],
    taxonomy: Taxonomy,
    trusted: int = 24,
    progress: Progress = no_progress,
) -> Judged:
    """Let a classifier answer gold pictures, with its own preprocessing, and measure some of its maps.

    Args:
        taxonomy: the union; its leaves are the columns.
        trusted: for how many pictures the trust of the class map is measured; 0 for none.

    Raises:
        PictureError: an encoded picture cannot be decoded.
    """
    places = np.array([taxonomy.leaf_index.get(leaf, -1) for leaf in classifier.taxonomy.leaves])
    probs = np.zeros((len(pictures), len(taxonomy.leaves)))
    network = classifier.network
    for at in batches(range(len(pictures)), BATCH):
        batch = torch.stack([classifier.pixels(_picture(pictures[row])) for row in at])
        with torch.inference_mode():
            own = softmax(network(batch.to(network.device)).double().cpu().numpy())
        rows = np.zeros((len(own), len(taxonomy.leaves)))
        rows[:, places[places >= 0]] = own[:, places >= 0]
        probs[at.start : at.stop] = rows * (places[own.argmax(1)] >= 0)[:, None]
        progress("answering gold pictures", at.stop, len(pictures))
    measured = []
    chosen = np.unique(np.linspace(0, len(pictures) - 1, min(trusted, len(pictures))).round().astype(int))
    for done, row in enumerate(chosen, start=1):
        measured.append(_map_trust(classifier, _picture(pictures[row])))
        progress("testing maps", done, len(chosen))
    return Judged(probs, np.array(measured) if measured else None)


def _picture(picture: Gold) -> Image.Image:
    if isinstance(picture, bytes):
        return decode_picture(picture, name="a gold picture")
    return Image.fromarray(picture) if isinstance(picture, np.ndarray) else picture


def _map_trust(classifier: Classifier, picture: Image.Image) -> float:
    """Insertion − deletion of the evidence for the answer, place by place: the plain map."""
    network = classifier.network
    pixels = classifier.pixels(picture).to(network.device)
    answer, evidence = network.answer_map(pixels)
    (curves,) = walk(network, pixels, [evidence])
    return faithfulness(curves, answer)


def judge(
    before: Judged,
    after: Judged,
    class_index: np.ndarray,
    images: Sequence[str],
    taxonomy: Taxonomy,
    *,
    old_kinds: Collection[str],
    seed: int = 0,
) -> Verdict:
    """The live model (before) and the candidate (after) on the same N gold pictures.

    Args:
        class_index: (N,) what they show, an index into `taxonomy.leaves`.
        images: N image ids, in the same order.
        old_kinds: the leaves that the live model knows, without what it was taught by key.
    """
    n = len(class_index)
    if n == 0:
        return _nothing_to_judge_by()
    answers = [answers_of(model.probs) for model in (before, after)]
    known = [taxonomy.leaf_index[kind] for kind in old_kinds if kind in taxonomy.leaf_index]
    found = Compared.of(before.probs, after.probs, class_index, known)
    was, now = found.was, found.now
    broken, fixed = was & ~now, now & ~was
    difference = change_interval(was, now)
    outcome = outcome_of(n, difference, found.loss)
    kinds = _kinds(class_index, was, now, taxonomy)
    checks = (
        check_accuracy(found, difference, outcome),
        check_kinds(found, [taxonomy[leaf].name for leaf in taxonomy.leaves]),
        check_forgetting(found, seed),
        check_calibration(before.probs, after.probs, class_index, seed),
        check_maps(before.trust, after.trust, seed),
    )
    sentence, remarks = _sentence(found, outcome, difference, checks, kinds, taxonomy), on_known(found)
    maps = None
    if before.trust is not None and after.trust is not None:
        maps = float(before.trust.mean()), float(after.trust.mean())
    return Verdict(
        outcome=outcome,
        sentence=sentence if remarks in sentence else f"{sentence} {remarks}",
        checks=checks,
        n=n,
        before=share_interval(was),
        after=share_interval(now),
        difference=difference,
        p_value=mcnemar(int(broken.sum()), int(fixed.sum())),
        fixed=tuple(image for image, is_fixed in zip(images, fixed.tolist(), strict=True) if is_fixed),
        broken=tuple(image for image, is_broken in zip(images, broken.tolist(), strict=True) if is_broken),
        kinds=kinds,
        pairs=_pairs(class_index, answers[0], answers[1], taxonomy),
        ece=(calibration_error(before.probs, class_index), calibration_error(after.probs, class_index)),
        maps=maps,
        loss_limit=found.loss,
    )


def _nothing_to_judge_by() -> Verdict:
    none = (0.0, 0.0, 0.0)
    sentence = f"There are no gold pictures to judge by. {MORE_GOLD}"
    check = Check("accuracy", False, sentence, open=True)
    return Verdict("unproven", sentence, (check,), 0, none, none, none, 1.0, loss_limit=1.0)


# --- what changed, and the sentence -----------------------------------------------------------------------------


def _kinds(class_index: np.ndarray, was: np.ndarray, now: np.ndarray, taxonomy: Taxonomy) -> tuple[KindChange, ...]:
    size = len(taxonomy.leaves)
    totals, before, after = (np.bincount(class_index[rows], minlength=size) for rows in (slice(None), was, now))
    order = np.argsort(-np.abs(after - before), kind="stable")
    return tuple(
        KindChange(taxonomy.leaves[kind], int(totals[kind]), int(before[kind]), int(after[kind]))
        for kind in order
        if after[kind] != before[kind]
    )


def _pairs(
    class_index: np.ndarray, before: np.ndarray, after: np.ndarray, taxonomy: Taxonomy
) -> tuple[PairChange, ...]:
    """Pairs that are taken for each other more or less often than before."""
    size = len(taxonomy.leaves)
    totals = np.bincount(class_index, minlength=size)
    taken: dict[tuple[int, int], list[int]] = {}
    for place, answers in enumerate((before, after)):
        for label, answer in zip(class_index.tolist(), answers.tolist(), strict=True):
            if answer >= 0 and answer != label:
                taken.setdefault((min(label, answer), max(label, answer)), [0, 0])[place] += 1
    changed = sorted(
        (pair for pair in taken.items() if pair[1][0] != pair[1][1]), key=lambda p: -abs(p[1][1] - p[1][0])
    )
    return tuple(
        PairChange(taxonomy.leaves[a], taxonomy.leaves[b], int(totals[a] + totals[b]), was, now)
        for (a, b), (was, now) in changed[:MOST_PAIRS]
    )


def _sentence(
    found: Compared,
    outcome: Outcome,
    difference: Interval,
    checks: Sequence[Check],
    kinds: Sequence[KindChange],
    taxonomy: Taxonomy,
) -> str:
    words = {"better": "Better by", "worse": "Worse:", "not worse": "Not worse:", "unproven": "Unproven:"}
    told = points(difference[0]) if outcome == "unproven" else in_points(difference)
    clauses = [f"{words[outcome]} {told} on {gold_pictures(len(found.now))}"]
    if checks[1].passed:
        clauses.append("no kind worse" if all(kind.after > kind.before for kind in kinds) else "no kind clearly worse")
    if kinds:
        of_most = found.class_index == taxonomy.leaf_index[kinds[0].taxon]
        fixed, broken = of_most & found.now & ~found.was, of_most & found.was & ~found.now
        clauses.append(f"{taxonomy[kinds[0].taxon].name}: {fixed.sum()} fixed, {broken.sum()} broken")
    more = [advice(found)] if outcome == "unproven" else []
    more += [check.sentence for check in checks[1:] if not check.passed]
    return " ".join((f"{'; '.join(clauses)}.", *more))
