"""The only place where the parts are put together."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import partial

from sqlalchemy.engine import Engine

from fgdemo.learn.learner import Learner
from fgdemo.model.classifier import Classifier
from fgdemo.services.exchange import Exchange
from fgdemo.services.explainer import Explainer
from fgdemo.services.labelling import Labelling
from fgdemo.services.review import Review
from fgdemo.services.suggestions import Suggestions
from fgdemo.services.training import Training
from fgdemo.services.transfers import Transfers
from fgdemo.services.workbench import Workbench
from fgdemo.settings import Settings
from fgdemo.storage.accounts import Accounts
from fgdemo.storage.database import open_database, register_taxa
from fgdemo.storage.embeddings import Embeddings, LooksShape
from fgdemo.storage.events import EventLog
from fgdemo.storage.incoming import Incoming
from fgdemo.storage.intake import Intake
from fgdemo.storage.library import Library
from fgdemo.storage.originals import ImageStore
from fgdemo.storage.roster import Roster
from fgdemo.storage.taxa import TaxonStore


@dataclass(frozen=True)
class Services:
    """What the entry points (page, API, command line) work with."""

    workbench: Workbench
    suggestions: Suggestions
    accounts: Accounts
    labelling: Labelling
    review: Review
    transfers: Transfers
    incoming: Incoming
    images: ImageStore
    settings: Settings
    training: Training = None  # type: ignore[assignment]  # until there is the service


@dataclass(frozen=True)
class Workspace:
    """The opened workspace on disk."""

    engine: Engine
    events: EventLog
    images: ImageStore
    roster: Roster
    embeddings: Embeddings
    library: Library


def open_workspace(settings: Settings, classifier: Classifier) -> Workspace:
    """Open (or make) the workspace and let it know the classifier's taxa. Raises StorageError."""
    engine = open_database(settings.database_url)
    register_taxa(engine, classifier.taxonomy)
    images, roster = ImageStore(settings.home / "pictures"), Roster(engine)
    parts = classifier.parts
    shape = LooksShape(classifier.embedding_dim, classifier.grid, parts.most_parts, parts.part_projection.shape[1])
    embeddings = Embeddings(settings.home / "embeddings", classifier.version, shape)
    library = Library(roster, embeddings, images)
    return Workspace(engine, EventLog(engine), images, roster, embeddings, library)


def build_services(settings: Settings) -> Services:
    """Load the served checkpoint, open the workspace, and begin to learn from it in the background.

    Raises:
        CheckpointError: the checkpoint cannot be used.
        StorageError: the workspace cannot be opened.
    """
    from fgdemo.explain.faithfulness import trust

    classifier = Classifier.load(settings.checkpoint, settings.device)
    workspace = open_workspace(settings, classifier)
    taxa = TaxonStore(workspace.engine)
    learner = Learner(
        classifier.head,
        classifier.taxonomy.leaves,
        classifier.calibration.temperature,
        workspace.roster,
        workspace.embeddings,
        taxa.load,
    )
    learner.start()
    incoming = Incoming(settings.home / "incoming")
    incoming.remove_forgotten()
    explainer = Explainer(
        LiveClassifier(classifier, learner, taxa), learner, workspace.roster, workspace.embeddings, workspace.images,
        settings.max_picture_mp,
    )  # fmt: skip
    return Services(
        workbench=Workbench(classifier, workspace.library, partial(trust, classifier), settings.max_picture_mp),
        suggestions=Suggestions(workspace.events, workspace.images, classifier.taxonomy, settings.max_picture_mp),
        accounts=Accounts(workspace.engine),
        labelling=Labelling(workspace.engine, workspace.roster, learner, taxa, classifier, explainer),
        review=Review(workspace.engine, workspace.roster, learner, taxa, explainer),
        transfers=Transfers(_exchange(settings, classifier, workspace), settings.home),
        incoming=incoming,
        images=workspace.images,
        settings=settings,
    )


class LiveClassifier:
    """The classifier with the head as it has learned until now, made anew only when that has changed."""

    def __init__(self, classifier: Classifier, learner: Learner, taxa: TaxonStore) -> None:
        self._classifier, self._learner, self._taxa = classifier, learner, taxa
        self._lock = threading.Lock()
        self._made: tuple[int, Classifier] | None = None

    def __call__(self) -> Classifier:
        with self._lock:
            version = self._learner.version
            if self._made is None or self._made[0] != version:
                weight, bias, leaves = self._learner.weights_now()
                taxonomy = self._taxa.load().restrict(leaves)
                order = [leaves.index(leaf) for leaf in taxonomy.leaves if leaf in leaves]
                self._made = version, self._classifier.relearned(weight[:, order].copy(), bias[order], taxonomy)
            return self._made[1]


def open_exchange(settings: Settings, classifier: Classifier) -> Exchange:
    """Imports into the workspace of these settings, and exports from it, without a page. Raises StorageError."""
    return _exchange(settings, classifier, open_workspace(settings, classifier))


def _exchange(settings: Settings, classifier: Classifier, workspace: Workspace) -> Exchange:
    intake = Intake(
        workspace.engine, workspace.images, workspace.roster, workspace.embeddings, classifier.look,
        settings.max_picture_mp,
    )  # fmt: skip
    return Exchange(settings.home, workspace.engine, workspace.images, intake)
