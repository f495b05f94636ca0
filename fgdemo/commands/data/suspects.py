"""`suspects`: which labels of a data set look wrong."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument

from fgdemo.commands.console import Checkpoint, Say, as_text, bar, load, quiet, report_skipped, settled
from fgdemo.values.annotation import DOUBTFUL
from fgdemo.values.counting import counted
from fgdemo.values.errors import DatasetError

if TYPE_CHECKING:
    from fgdemo.learn.measure.suspects import Suspects
    from fgdemo.settings import Settings
    from fgdemo.values.labelled import LabelledPicture

LISTED, LISTED_CLASSES, LISTED_PAIRS = 30, 15, 15
TOO_FEW = 2
"""Pictures of a kind: one left out, at most one is left to judge it by."""


def suspects(
    data: Annotated[list[str], Argument(metavar="DATA", help="what fit takes, and zip archives")],
    *,
    checkpoint: Checkpoint = None,
    settings: Settings | None = None,
    say: Say = quiet,
) -> dict[str, Any]:
    """List the labels that look wrong, most suspect first.

        import fgdemo
        found = fgdemo.suspects(["my-birds"])
        print(found["labels"][0]["path"], found["summary"]["suspect"])

    Args:
        data: class folders, tables, zip archives or Hub data set ids, with a label for each picture.
        checkpoint: whose features the labels are judged by.
        say: is told the worst, and what was left out.

    Returns:
        `labels`: for each picture `path`, the label `given`, the one `suggested` and its `suspicion` from 0 to 1, most
        suspect first; `summary`: how many of each class, and of each pair of classes, look wrong.

    Raises:
        DatasetError: nothing can be read, or there are not two classes.
        CheckpointError: the checkpoint cannot be used.
    """
    import numpy as np

    from fgdemo.learn.measure.suspects import find_suspects, look_at

    settings = settled(settings)
    listed, skipped = _read(data)
    classifier = load(checkpoint, settings)
    with bar() as progress:
        seen = look_at(
            listed,
            classifier.network.backbone,
            classifier.data_config,
            max_picture_mp=settings.max_picture_mp,
            progress=progress,
        )
    skipped = [(as_text(name), reason) for name, reason in (*skipped, *seen.skipped)]
    report_skipped(skipped, say)
    labels = [picture.label for picture in seen.pictures]
    if len(set(labels)) < 2:
        there = f"only of “{labels[0]}”" if labels else "none at all"
        raise DatasetError(f"Labels are judged against each other, but there are usable pictures {there}.")
    found = find_suspects(seen.embeddings, labels, seen.keys, classifier.head, classifier.taxonomy)
    order = np.argsort(-found.suspicion, kind="stable")
    summary = _summary(found)
    _report(seen.pictures, found, order, summary, say)
    return {
        "labels": [_line(seen.pictures[row], found, int(row)) for row in order],
        "summary": {
            "checkpoint": classifier.version,
            "pictures": len(labels),
            "skipped": [list(entry) for entry in skipped],
            **summary,
        },
    }


def _read(locations: Sequence[str]) -> tuple[list[LabelledPicture], list[tuple[str, str]]]:
    """The labelled pictures, each by a name that leads to it from here, and what is left out."""
    from dataclasses import replace

    from fgdemo.storage.formats.sources import read_for_import

    listed: list[LabelledPicture] = []
    skipped: list[tuple[str, str]] = []
    for location in locations:
        source, _ = read_for_import([location])
        path = Path(location).expanduser()
        base = path.parent if path.is_file() and path.suffix.lower() == ".csv" else path
        name_of = (
            (lambda name, base=base: str(base / name)) if path.exists() else (lambda name, at=location: f"{at}/{name}")
        )
        skipped += source.skipped
        listed += [replace(picture, name=name_of(picture.name)) for picture in source.pictures]
    unlabelled = sum(not picture.label for picture in listed)
    if unlabelled:
        skipped.append((counted(unlabelled, "picture"), "without a label"))
    return [picture for picture in listed if picture.label], skipped


def _line(picture: LabelledPicture, found: Suspects, row: int) -> dict[str, Any]:
    return {
        "path": picture.name,
        "given": found.classes[found.given[row]],
        "suggested": found.classes[found.suggested[row]],
        "suspicion": round(float(found.suspicion[row]), 6),
    }


def _summary(found: Suspects) -> dict[str, Any]:
    """How many labels of each class, and of each pair of classes, look wrong: above `DOUBTFUL`, and on average."""
    import numpy as np

    doubtful = found.suspicion > DOUBTFUL
    classes = []
    for at, name in enumerate(found.classes):
        mine = found.given == at
        classes.append(
            {
                "class": name,
                "pictures": int(mine.sum()),
                "suspect": int((doubtful & mine).sum()),
                "expected_wrong": round(float(found.suspicion[mine].sum()), 2),
                "missing": int((doubtful & (found.suggested == at)).sum()),
                "known_to_checkpoint": bool(found.known[at]),
            }
        )
    pairs = []
    both, counts = np.unique(np.stack([found.given, found.suggested], 1)[doubtful], axis=0, return_counts=True)
    for (given, suggested), count in sorted(zip(both.tolist(), counts.tolist(), strict=True), key=lambda row: -row[1]):
        mine = (found.given == given) & (found.suggested == suggested)
        pairs.append(
            {
                "given": found.classes[given],
                "suggested": found.classes[suggested],
                "suspect": count,
                "expected_wrong": round(float(found.suspicion[mine].sum()), 2),
            }
        )
    classes.sort(key=lambda row: (-row["expected_wrong"], row["class"]))
    return {
        "suspect": int(doubtful.sum()),
        "expected_wrong": round(float(found.suspicion.sum()), 2),
        "classes": classes,
        "pairs": pairs,
    }


def _in_all(found: Suspects, expected_wrong: float) -> str:
    """How many labels are wrong, as far as pictures say; of kinds with two it is what was assumed beforehand."""
    import numpy as np

    counts = np.bincount(found.given, minlength=len(found.classes))
    small = (counts <= TOO_FEW) & ~found.known
    if counts[small].sum() * 2 < len(found.given):
        return f"about {expected_wrong:.0f} are to be expected wrong."
    kinds = f"{small.sum():,} of {counted(len(found.classes), 'kind')}"
    return (
        f"how many are wrong in all nobody can tell, because {kinds} have {TOO_FEW} pictures or fewer: a label is "
        "judged by the other pictures of its kind."
    )


def _report(
    pictures: Sequence[LabelledPicture], found: Suspects, order: Any, summary: dict[str, Any], say: Any
) -> None:
    say(
        f"{summary['suspect']} of {len(pictures)} labels look wrong (suspicion above {DOUBTFUL}); "
        + _in_all(found, summary["expected_wrong"])
    )
    doubtful = [row for row in order if found.suspicion[row] > DOUBTFUL]
    for row in doubtful[:LISTED]:
        given, suggested = found.classes[found.given[row]], found.classes[found.suggested[row]]
        name = as_text(pictures[row].name)
        say(f"  {found.suspicion[row]:.3f}  {name}: given “{given}”, looks like “{suggested}”")
    if len(doubtful) > LISTED:
        say(f"  … and {len(doubtful) - LISTED} more: --json lists all")
    if summary["pairs"]:
        say("Pairs of classes with the most suspect labels:")
        for pair in summary["pairs"][:LISTED_PAIRS]:
            say(f"  {pair['suspect']:4d}  given “{pair['given']}”, looks like “{pair['suggested']}”")
        say("Classes with the most suspect labels:")
        for row in [row for row in summary["classes"] if row["suspect"]][:LISTED_CLASSES]:
            say(f"  {row['suspect']:4d} of {row['pictures']}: “{row['class']}”")
