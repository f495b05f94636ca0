"""`doctor`: whether everything that a workspace needs is there, and is what it should be."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from fgdemo.commands.console import Say, bar, quiet, settled
from fgdemo.values.counting import counted
from fgdemo.values.errors import CheckpointError, FgdemoError, StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy.engine import Engine

    from fgdemo.settings import Settings
    from fgdemo.storage.checkup import Finding
    from fgdemo.values.progress import Progress

SHOWN = 20
ONE_BY_ONE = 30
"""So many of the newest events are learned one by one, as the page learns them."""
LARGEST_DIFFERENCE = 1e-4
"""Of a weight of the head, relative to the largest."""


def doctor(*, settings: Settings | None = None, say: Say = quiet) -> dict[str, Any]:
    """Check that the workspace is whole; exit code 1 where it is not.

    One line a check; `healthy` is False where one found a fault.
    """
    found = []
    with bar() as progress:
        for finding in _findings(settled(settings), progress):
            found.append(finding)
            say(f"fault  {finding.name}:" if finding.faults else f"ok     {finding.name}: {finding.told}")
            for fault in finding.faults[:SHOWN]:
                say(f"         {fault}")
            if len(finding.faults) > SHOWN:
                say(f"         … and {len(finding.faults) - SHOWN} more")
    healthy = not any(finding.faults for finding in found)
    return {"healthy": healthy, "checks": [asdict(finding) for finding in found]}


def _findings(settings: Settings, progress: Progress) -> Iterator[Finding]:
    from fgdemo.storage import checkup
    from fgdemo.storage.database.dialects import make_engine
    from fgdemo.storage.pictures.originals import ImageStore
    from fgdemo.wiring import mirrors

    engine = make_engine(settings.database_url)
    database = _attempt("database", lambda: checkup.check_database(engine))
    yield database
    if not database.faults:
        images = ImageStore(settings.home / "pictures")
        yield _attempt("events", lambda: checkup.check_events(engine))
        yield _attempt("pictures", lambda: checkup.check_pictures(engine, images, progress))
        yield _attempt("models", lambda: _check_models(settings, engine))
        yield _attempt("head", lambda: _check_head(settings, engine))
        yield _attempt("mirror", lambda: checkup.check_mirror(mirrors.open_mirror(settings, engine)))


def _attempt(name: str, check: Callable[[], Finding]) -> Finding:
    """What the check found, or why it could not be made."""
    from fgdemo.storage.checkup import Finding

    try:
        return check()
    except FgdemoError as error:
        return Finding(name, "", (str(error),))


def _check_models(settings: Settings, engine: Engine) -> Finding:
    """Whether the checkpoint of each model can be read."""
    from fgdemo.model.checkpoint.folder import read_checkpoint
    from fgdemo.storage.checkup import Finding
    from fgdemo.wiring.assembly import open_models

    models, faults = open_models(settings, engine), []
    listed = models.all()
    for model in listed:
        try:
            read_checkpoint(models.folder(model.version))
        except CheckpointError as error:
            faults.append(f"{model.version} ({model.state}): {error}")
    return Finding("models", f"{len(listed)}, each with a whole checkpoint; {models.live} is live", tuple(faults))


def _check_head(settings: Settings, engine: Engine) -> Finding:
    """Whether the head that learns answer by answer is that of a fit of all answers at once."""
    import numpy as np

    from fgdemo.learn.live.live_classifier import embeddings_of
    from fgdemo.learn.live.live_head import LiveHead
    from fgdemo.model.checkpoint.load import load_classifier
    from fgdemo.storage.checkup import Finding
    from fgdemo.storage.history.roster import Roster
    from fgdemo.storage.history.taxa import TaxonStore
    from fgdemo.wiring.assembly import open_models

    classifier = load_classifier(open_models(settings, engine).live_folder(), settings.device)
    embeddings, leaves = embeddings_of(settings.home, classifier), classifier.taxonomy.leaves
    whole = Roster(engine)
    whole.follow()
    steps = Roster(engine, until=max(whole.event - ONE_BY_ONE, 0))
    heads = [LiveHead(classifier.head, leaves, one, embeddings, TaxonStore(engine).load) for one in (whole, steps)]
    for head in heads:
        head.catch_up()
    while steps.event < whole.event:
        steps.until = (steps.until or 0) + 1
        heads[1].catch_up()
    (weight, bias, taxa), (stepped, stepped_bias, others) = (head.linear() for head in heads)
    if sorted(taxa) != sorted(others):
        raise StorageError("The head that learned answer by answer knows other kinds than one fitted at once.")
    order = [others.index(taxon) for taxon in taxa]
    both = np.vstack([weight, bias]), np.vstack([stepped[:, order], stepped_bias[order]])
    difference = float(np.abs(both[0] - both[1]).max() / max(1.0, float(np.abs(both[0]).max())))
    unseen = len(embeddings.missing(whole.image_ids))
    told = f"answer by answer it is that of a whole fit, to {difference:.1e}"
    told += f"; {counted(unseen, 'picture')} still to be looked at" if unseen else ""
    faults = (
        ()
        if difference <= LARGEST_DIFFERENCE
        else (f"The head differs from a whole fit by {difference:.1e} of its largest weight: start the page again.",)
    )
    return Finding("head", told, faults)
