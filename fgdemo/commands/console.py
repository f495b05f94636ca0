"""What the verbs share: arguments, settings, loading, sentences for a person, progress bars."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Option

from fgdemo.values.counting import counted
from fgdemo.values.errors import PictureError

if TYPE_CHECKING:
    from fgdemo.learn.measure.evaluate import Scores
    from fgdemo.model.classifier import Classifier
    from fgdemo.model.foreign import ForeignClassifier
    from fgdemo.settings import Settings
    from fgdemo.values.progress import Progress
    from fgdemo.values.taxonomy import Taxonomy
    from fgdemo.values.training import Interval

RECIPE_HELP = "JSON with fields of the recipe (fgdemo/learn/train/recipe.py) that are to be otherwise"
Say = Callable[[str], None]
"""Takes a sentence for a person."""
Checkpoint = Annotated[Path | None, Option(metavar="FOLDER", help="checkpoint folder (default: FGDEMO_CHECKPOINT)")]
AnyClassifier = Annotated[
    Path | None,
    Option(metavar="FOLDER", help="checkpoint folder, timm:NAME or hf-hub:OWNER/MODEL (default: FGDEMO_CHECKPOINT)"),
]


def quiet(text: str) -> None:
    """Nobody listens."""


def settled(settings: Settings | None) -> Settings:
    """These settings, or those that are set outside. Raises SettingsError."""
    from fgdemo.settings import Settings

    return settings or Settings.from_env()


def load(checkpoint: Path | None = None, settings: Settings | None = None) -> Classifier:
    """A trained model, to put questions to.

        import fgdemo
        from PIL import Image
        print(fgdemo.load().read(Image.open("bird.jpg").convert("RGB")).probs)

    Args:
        checkpoint: its folder; the one that the settings name where there is none.

    Raises:
        CheckpointError: it is incomplete, damaged or unsafe.
    """
    from fgdemo.model.checkpoint.load import load_classifier

    settings = settled(settings)
    return load_classifier(checkpoint or settings.checkpoint, settings.device)


def load_any(checkpoint: Path | None, settings: Settings) -> Classifier | ForeignClassifier:
    """As `load`; also a classifier of timm as it is, which can only be asked."""
    from fgdemo.model.checkpoint import load

    return load.load_any(checkpoint or settings.checkpoint, settings.device)


def load_live(checkpoint: Path | None, settings: Settings) -> Classifier:
    """The model that the workspace is looked at with, unless another one is asked for."""
    from fgdemo.model.checkpoint.load import load_classifier
    from fgdemo.wiring.assembly import open_models

    return load_classifier(checkpoint or open_models(settings).live_folder(), settings.device)


def as_text(name: str) -> str:
    """Of a file, whatever bytes its name holds."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def picture_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise PictureError(f"{path} cannot be read ({error.strerror}).") from error


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
