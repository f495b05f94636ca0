"""What it takes to let a model go live: the heavy parts, and where too little is proven, a maintainer's word."""

from typing import Protocol

from fgdemo.services.labelling.explainer import Explanation
from fgdemo.storage.trainings.models import Word
from fgdemo.values.annotation import Person
from fgdemo.values.errors import TrainingError
from fgdemo.values.progress import Progress
from fgdemo.values.training import Verdict, points


class ModelRoom(Protocol):
    """The heavy parts; the real one is `fgdemo.wiring.model_room.ModelRoom`."""

    def serve_live(self) -> None:
        """Let the model that is live by the database answer from now on; running requests finish on the old one."""
        ...

    def look_at_all(self, version: str, progress: Progress) -> None:
        """Have a model look at all pictures of the workspace that it has not seen."""
        ...

    def forget(self, version: str) -> None:
        """Remove what a model has seen."""
        ...

    def compare(self, a: str, b: str) -> Verdict:
        """b beside a on the gold pictures, each with all labels in its head; as they are where b is a head alone.
        Minutes."""
        ...

    def explain(self, image: str, version: str, label: str | None, candidate: str) -> Explanation:
        """The maps of a picture by one model, that of `label` among them: the live one with all that it has learned by
        key, unless `candidate`, which it stands beside, is a head alone; the others as they are."""
        ...


def word_on(person: Person, version: str, verdict: Verdict, accept_loss: float | None) -> Word | None:
    """What a maintainer takes upon themself by letting it go live; None where its verdict needs no word.

    Raises:
        TrainingError: it may not go live, or not on this word.
    """
    if verdict.may_go_live:
        return None
    refused = f"{version} cannot go live in place of {verdict.beside}: {verdict.sentence}"
    if not verdict.may_go_live_on_word:
        raise TrainingError(refused)
    if accept_loss is None:
        raise TrainingError(f"{refused} It may on the word of a maintainer who knows that {verdict.open_loss}.")
    if not 0 <= accept_loss <= 1:
        raise TrainingError("The loss that you accept lies between 0 and 100 points.")
    if round(accept_loss, 3) < round(verdict.loss_limit or 0.0, 3):
        raise TrainingError(f"You accept a loss of up to {points(accept_loss)}, but {verdict.open_loss}.")
    checks = ", ".join(check.name for check in verdict.checks if not check.passed)
    return Word(
        person,
        f"live on their word in place of {verdict.beside}, accepting a loss of up to {points(accept_loss)}: "
        f"{verdict.open_loss}; not proven: {checks}",
    )
