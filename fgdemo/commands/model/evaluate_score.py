"""`evaluate --protocol score`: how good a checkpoint is as it stands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fgdemo.commands.console import Say, bar, percent, report_scores, report_skipped
from fgdemo.commands.model.evaluate_options import Asked
from fgdemo.values.counting import counted
from fgdemo.values.errors import DatasetError

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

    from fgdemo.learn.data.pictures import Pictures
    from fgdemo.model.classifier import Classifier
    from fgdemo.settings import Settings
    from fgdemo.values.labelled import LabelledPicture


def score_pictures(classifier: Classifier, asked: Asked, settings: Settings, say: Say) -> dict[str, Any]:
    """Answers over all classes of the checkpoint, scored against the folder names."""
    import numpy as np

    from fgdemo.learn.candidate.fit import label_indices
    from fgdemo.learn.data.embed import embed
    from fgdemo.learn.data.pictures import decode_all
    from fgdemo.learn.measure.detail import detail
    from fgdemo.learn.measure.evaluate import score
    from fgdemo.model.calibration import softmax
    from fgdemo.storage.formats.sources import read_sources, read_unlabelled

    weight, bias = classifier.network.weight.cpu().numpy(), classifier.network.bias.cpu().numpy()

    def look(listed: Sequence[Any]) -> tuple[Any, Any, Any]:
        with bar() as progress:
            pictures = decode_all(
                listed, classifier.data_config, max_picture_mp=settings.max_picture_mp, progress=progress
            )
            if not pictures.names:
                raise DatasetError(f"No picture of {len(listed)} could be decoded ({pictures.skipped[0][1]}).")
            embeddings = embed(classifier.network.backbone, pictures.pixels, classifier.data_config, progress=progress)
        return pictures, embeddings, embeddings @ weight + bias

    source = read_sources(asked.sources, fewest_classes=1)
    held_out = [picture for picture in source.pictures if picture.split != "train"]
    if held_out and len(held_out) < len(source.pictures):
        say(f"Measured on {counted(len(held_out), 'picture')} of val and test; those to train on are left out.")
    label_indices([picture.label for picture in source.pictures], classifier.taxonomy)
    pictures, embeddings, logits = look(held_out or source.pictures)
    skipped = (*source.skipped, *pictures.skipped)
    report_skipped(skipped, say, source.notes)
    labels = label_indices(pictures.labels, classifier.taxonomy)
    distances = classifier.distances(embeddings)
    scores = score(classifier, logits, labels, distances)
    learned = int(np.isin(pictures.keys, classifier.head.members).sum())
    report_scores(scores, classifier.taxonomy, say, "picture" if learned else "held-out picture")
    if learned:
        say(f"It has learned from {learned:,} of them, so these figures flatter it: take pictures it has never seen")
    probs = softmax(logits.astype(np.float64))
    found = detail(probs, labels, classifier.taxonomy, classifier.calibration.set_prob).to_json()
    result = {"skipped": len(skipped), "learned_from": learned, **scores.to_json(), **found}
    say(f"Surest 80 % answered: {percent(found['figures']['selective'])} right")
    result |= _closer(
        classifier, asked, settings, say, held_out or source.pictures, pictures, (logits, labels, distances)
    )
    if asked.unknown:
        others = [picture for location in asked.unknown for picture in read_unlabelled(location).pictures]
        strangers, strange_embeddings, strange_logits = look(others)
        report_skipped(strangers.skipped, say)
        known = classifier.unknown_scores(logits, embeddings)
        strange = classifier.unknown_scores(strange_logits, strange_embeddings)
        figures, told = _against_unknown(known, strange, classifier.unknown.threshold, say)
        result["figures"] |= figures
        result |= {**told, "unknown_skipped": len(strangers.skipped)}
    return result


def _against_unknown(
    known: np.ndarray, strange: np.ndarray, threshold: float, say: Say
) -> tuple[dict[str, Any], dict[str, Any]]:
    """How well unknown pictures are told from known ones by their scores: figures with intervals, and plain ones."""
    import numpy as np

    from fgdemo.learn.measure.detail import unknown_figures

    figures = unknown_figures(known, strange)
    means = {name: figure[0] for name, figure in figures.items()}
    say(f"Unknown pictures: AUROC {means['unknown_auroc']:.3f}, FPR at 95 % {means['unknown_fpr95']:.3f}")
    return figures, {"unknown_n": len(strange), **means, "unknown_found": float(np.mean(strange > threshold))}


def _closer(
    classifier: Classifier,
    asked: Asked,
    settings: Settings,
    say: Say,
    listed: Sequence[LabelledPicture],
    pictures: Pictures,
    first: tuple[Any, Any, Any],
) -> dict[str, Any]:
    """What a closer look makes of (logits, labels, distances) at first sight; nothing where none is taken."""
    from fgdemo.learn.candidate.closer_scores import closer_scores
    from fgdemo.storage.pictures.images import decode_picture

    skipped = {name for name, _ in pictures.skipped}
    kept = [picture for picture in listed if picture.name not in skipped]

    def opened(row: int) -> Image.Image:
        return decode_picture(kept[row].load(), name=kept[row].name, max_picture_mp=settings.max_picture_mp)

    found = None if len(kept) < len(pictures.names) else closer_scores(classifier, *first, opened, asked.closer)
    if found is None:
        return {}
    say(
        f"With a closer look at {found['looked_closer']:,} of them: {percent(found['top1'][0])} right, "
        f"{percent(found['false_alarms'])} called unknown"
    )
    return {"closer": found}
