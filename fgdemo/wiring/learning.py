"""What learns from answers around one model, and what that is asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fgdemo.learn.live.gold_doubts import GoldDoubts
from fgdemo.learn.live.live_classifier import LiveClassifier
from fgdemo.learn.live.live_learner import LiveLearner
from fgdemo.learn.live.part_teacher import PartTeacher
from fgdemo.services.labelling.explainer import Explainer
from fgdemo.services.labelling.gold import Gold
from fgdemo.services.labelling.labelling import Labelling
from fgdemo.services.labelling.pointing import Pointing
from fgdemo.services.review import Review
from fgdemo.storage.embeddings.library import Library
from fgdemo.storage.embeddings.looking import Looking
from fgdemo.storage.history.points import PointLog
from fgdemo.storage.history.taxa import TaxonStore

if TYPE_CHECKING:
    import numpy as np

    from fgdemo.model.classifier import Classifier
    from fgdemo.services.training.trainings import Trainings
    from fgdemo.settings import Settings
    from fgdemo.storage.trainings.models import Models
    from fgdemo.wiring.assembly import Workspace


@dataclass(frozen=True)
class Learning:
    """The services over a head that learns in the background; `stop` ends that."""

    library: Library
    labelling: Labelling
    review: Review
    pointing: Pointing
    teacher: PartTeacher
    is_ready: Callable[[], bool]
    stop: Callable[[], None]


def start_learning(
    settings: Settings, classifier: Classifier, workspace: Workspace, models: Models, training: Trainings
) -> Learning:
    """Begin to look at pictures with this model, and to learn from the answers about them."""
    from fgdemo.explain.drawn import places_of

    roster, embeddings, images = workspace.roster, workspace.embeddings, workspace.images
    taxa = TaxonStore(workspace.engine)
    learner = LiveLearner(
        classifier.head, classifier.taxonomy.leaves, classifier.calibration.temperature, roster, embeddings, taxa.load
    )
    learner.start()

    def suspicion() -> np.ndarray | None:
        ranking = learner.ranking()
        return None if ranking is None else ranking.suspicion

    looking = Looking(embeddings, images, roster, classifier.look)
    looking.start()
    points = PointLog(workspace.engine)
    teacher = PartTeacher(classifier, points, roster, taxa, images)
    teacher.start()

    def stop() -> None:
        teacher.stop()
        looking.stop()
        learner.stop()

    doubts = GoldDoubts(settings, roster, models, taxa, embeddings, learner.ranking, classifier.version)
    live = LiveClassifier(classifier, learner, taxa)
    explainer = Explainer(
        lambda: teacher.taught(live()),
        learner,
        roster,
        embeddings,
        images,
        is_taught=lambda: teacher.is_taught,
        voters=learner.voters(classifier.origin),
        places=places_of,
    )
    gold = Gold(roster, doubts, training.is_judging)
    return Learning(
        Library(roster, embeddings, images, suspicion),
        Labelling(workspace.engine, roster, learner, taxa, classifier, explainer, gold),
        Review(workspace.engine, roster, learner, taxa, explainer),
        Pointing(points, roster, taxa, teacher),
        teacher,
        lambda: learner.progress[0] == learner.progress[1],
        stop,
    )
