"""What the verbs share: loading, speaking to a person, progress bars."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fgdemo.settings import Settings
from fgdemo.values.counting import counted
from fgdemo.values.errors import PictureError

if TYPE_CHECKING:
    from fgdemo.learn.measure.evaluate import Scores
    from fgdemo.model.classifier import Classifier
    from fgdemo.values.progress import Progress
    from fgdemo.values.taxonomy import Taxonomy
    from fgdemo.values.training import Interval

Verb = Callable[[argparse.Namespace, Settings], dict[str, Any]]


def load(arguments: argparse.Namespace, settings: Settings) -> Classifier:
    from fgdemo.model.checkpoint.load import load_classifier

    return load_classifier(arguments.checkpoint or settings.checkpoint, settings.device)


def load_live(arguments: argparse.Namespace, settings: Settings) -> Classifier:
    """The model that the workspace is looked at with, unless another one is asked for."""
    from fgdemo.model.checkpoint.load import load_classifier
    from fgdemo.wiring.bootstrap import open_models

    return load_classifier(arguments.checkpoint or open_models(settings).live_folder(), settings.device)


def picture_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise PictureError(f"{path} cannot be read ({error.strerror}).") from error


def speaker(arguments: argparse.Namespace) -> Callable[[str], None]:
    """Where sentences for a person go: standard output, or standard error beside a JSON line."""
    return lambda text: print(text, file=sys.stderr if arguments.json else sys.stdout, flush=True)


@contextmanager
def bar(shown: bool = True) -> Iterator[Progress]:
    """A progress bar with an estimate on standard error, one for each thing that is being done."""
    from tqdm import tqdm

    bars: dict[str, Any] = {}

    def progress(what: str, done: int, of: int) -> None:
        if what not in bars:
            bars[what] = tqdm(total=of, desc=what, leave=False, disable=None if shown else True, file=sys.stderr)
        bars[what].update(done - bars[what].n)

    try:
        yield progress
    finally:
        for bar in bars.values():
            bar.close()


def report_skipped(skipped: Sequence[tuple[str, str]], say: Callable[[str], None], notes: Sequence[str] = ()) -> None:
    for note in notes:
        say(note)
    if skipped:
        say(f"Left out {counted(len(skipped), 'file')}:")
        for name, reason in skipped[:20]:
            say(f"  {name}: {reason}")
        if len(skipped) > 20:
            say(f"  … and {len(skipped) - 20} more")


def report_scores(
    scores: Scores, taxonomy: Taxonomy, say: Callable[[str], None], noun: str = "held-out picture"
) -> None:
    say(f"Top-1 {percent(scores.top1)}, top-5 {percent(scores.top5)} on {counted(scores.n, noun)}")
    if len(scores.groups) > 1:
        groups: Mapping[str, Interval] = scores.groups
        say("  " + ", ".join(f"{taxonomy[root].name} {percent(interval)}" for root, interval in groups.items()))
    say(
        f"Calibration error {scores.ece:.3f}; {scores.coverage:.1%} of prediction sets hold the right one "
        f"({scores.set_size:.1f} kinds)"
    )
    if scores.answered_right is None:
        say("It is never sure enough to answer, not even with a group: more pictures a kind would help most")
    else:
        say(
            f"Answers given at the level it is sure of: {scores.answered_right:.1%} right, "
            f"{scores.answered_leaf:.1%} down to the kind"
        )
    if scores.worst_pairs:
        say("Most often taken for each other:")
        for pair in scores.worst_pairs:
            say(f"  {pair.mistaken:3d} of {pair.of}: {taxonomy[pair.a].name} / {taxonomy[pair.b].name}")


def percent(interval: Interval) -> str:
    mean, low, high = interval
    return f"{mean:.1%} [{low:.1%}, {high:.1%}]"
