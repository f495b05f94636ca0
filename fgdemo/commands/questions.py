"""`evaluate`, `predict`, `explain`: put questions to a checkpoint."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from fgdemo.commands.console import bar, load, picture_bytes, report_scores, report_skipped, speaker
from fgdemo.errors import DatasetError, PictureError, SettingsError
from fgdemo.settings import Settings


def evaluate(arguments: argparse.Namespace, settings: Settings) -> dict[str, Any]:
    """Answers over all classes of the checkpoint, scored against the folder names."""
    import numpy as np

    from fgdemo.learn.embed import embed
    from fgdemo.learn.evaluate import auroc, fpr_at_95, score
    from fgdemo.learn.fit import label_indices
    from fgdemo.learn.pictures import decode_all
    from fgdemo.storage.sources import read_sources, read_unlabelled

    classifier = load(arguments, settings)
    say = speaker(arguments)
    weight, bias = classifier.network.weight.cpu().numpy(), classifier.network.bias.cpu().numpy()

    def look(listed: Sequence[Any]) -> tuple[Any, Any, Any]:
        with bar() as progress:
            pictures = decode_all(
                listed, classifier.data_config, max_picture_mp=settings.max_picture_mp, progress=progress
            )
            if not pictures.names:
                raise DatasetError(f"None of the {len(listed)} pictures could be decoded ({pictures.skipped[0][1]}).")
            embeddings = embed(classifier.network.backbone, pictures.pixels, classifier.data_config, progress=progress)
        return pictures, embeddings, embeddings @ weight + bias

    source = read_sources(arguments.data, fewest_classes=1)
    held_out = [picture for picture in source.pictures if picture.split != "train"]
    if held_out and len(held_out) < len(source.pictures):
        say(f"Measured on the {len(held_out)} pictures of val and test; those to train on are left out.")
    label_indices([picture.label for picture in source.pictures], classifier.taxonomy)
    pictures, embeddings, logits = look(held_out or source.pictures)
    skipped = (*source.skipped, *pictures.skipped)
    report_skipped(skipped, say)
    labels = label_indices(pictures.labels, classifier.taxonomy)
    scores = score(classifier, logits, labels, classifier.distances(embeddings))
    report_scores(scores, classifier.taxonomy, say)
    result = {"checkpoint": classifier.version, "skipped": len(skipped), **scores.to_json()}
    if arguments.unknown:
        others = [picture for location in arguments.unknown for picture in read_unlabelled(location).pictures]
        strangers, strange_embeddings, strange_logits = look(others)
        report_skipped(strangers.skipped, say)
        known, strange = (
            classifier.unknown_scores(logits, embeddings),
            classifier.unknown_scores(strange_logits, strange_embeddings),
        )
        result |= {
            "unknown_n": len(strange),
            "unknown_skipped": len(strangers.skipped),
            "unknown_auroc": auroc(known, strange),
            "unknown_fpr95": fpr_at_95(known, strange),
            "unknown_found": float(np.mean(strange > classifier.unknown.threshold)),
        }
        say(f"Unknown pictures: AUROC {result['unknown_auroc']:.3f}, FPR at 95 % {result['unknown_fpr95']:.3f}")
    return result


def predict(arguments: argparse.Namespace, settings: Settings) -> dict[str, Any]:
    """One line a picture; a bad picture is a sentence in its place and never stops the rest."""
    from fgdemo.services.workbench import Workbench

    classifier = load(arguments, settings)
    workbench = Workbench(classifier, max_picture_mp=settings.max_picture_mp)
    say = speaker(arguments)
    rows = []
    for path in arguments.pictures:
        try:
            found = workbench.classify(picture_bytes(path), name=path.name)
        except PictureError as error:
            rows.append({"picture": str(path), "error": str(error)})
            say(f"{path}: {error}")
            continue
        rows.append(
            {
                "picture": str(path),
                "answer": asdict(found.answer),
                "unknown": asdict(found.unknown),
                "top5": [{"taxon": c.taxon, "name": c.name, "prob": c.prob} for c in found.candidates[:5]],
                "prediction_set": [taxon.taxon for taxon in found.prediction_set],
            }
        )
        say(f"{path}: {found.answer.sentence}")
    return {"checkpoint": classifier.version, "pictures": rows}


def explain(arguments: argparse.Namespace, settings: Settings) -> dict[str, Any]:
    """A PNG sheet: the picture, where A is seen, A versus B, the parts, and the bars that decided."""
    from fgdemo.explain.faithfulness import trust
    from fgdemo.explain.sheet import explain_sheet
    from fgdemo.services.workbench import Workbench
    from fgdemo.storage.images import decode_picture

    classifier = load(arguments, settings)
    workbench = Workbench(classifier, max_picture_mp=settings.max_picture_mp)
    encoded = picture_bytes(arguments.picture)
    found = workbench.classify(encoded, name=arguments.picture.name, asked=arguments.a, rival=arguments.b)
    picture = decode_picture(encoded, name=arguments.picture.name, max_picture_mp=settings.max_picture_mp)
    measured = trust(classifier, picture, None, found.asked, found.rival)
    out = arguments.out or arguments.picture.with_name(f"{arguments.picture.stem}-why.png")
    try:
        explain_sheet(found, picture, measured).save(out)
    except OSError as error:
        raise SettingsError(f"The sheet could not be written to {out} ({error.strerror or error}).") from error
    speaker(arguments)(f"{found.answer.sentence}\nWritten: {out}")
    return {
        "sheet": str(out),
        "answer": asdict(found.answer),
        "asked": found.asked,
        "rival": found.rival,
        "trust": {name: asdict(figure) for name, figure in measured.items()},
    }
