"""The heavy parts behind the Training service: models are loaded, looked through, compared, swapped."""

import threading
from collections.abc import Callable
from dataclasses import replace

from sqlalchemy.engine import Engine

from fgdemo.learn.candidate.trial import Trial
from fgdemo.learn.data.given import GivenPictures
from fgdemo.learn.live.live_classifier import embeddings_of, learned, without_gold
from fgdemo.model.checkpoint.load import load_classifier
from fgdemo.model.classifier import Classifier
from fgdemo.services.classify.views import candidates, part_views, worth_comparing
from fgdemo.services.labelling.explainer import Explanation
from fgdemo.settings import Settings
from fgdemo.storage.embeddings.embeddings import remove_embeddings
from fgdemo.storage.embeddings.looking import look_at_missing
from fgdemo.storage.history.roster import Roster
from fgdemo.storage.history.taxa import TaxonStore
from fgdemo.storage.pictures.originals import ImageStore
from fgdemo.storage.trainings.gold_marks import gold_marks
from fgdemo.storage.trainings.job_files import given_labels
from fgdemo.storage.trainings.models import Models
from fgdemo.values.limits import MODEL_PX
from fgdemo.values.progress import Progress, no_progress
from fgdemo.values.training import Verdict

SHOWN = 8
OPEN_MODELS = 2
"""Pictures are looked at by two models in turn, side by side."""


class ModelRoom:
    """See `fgdemo.services.training.promotion.ModelRoom`, which this is the real one of. Safe for threads.

    Args:
        renew: lets the model that is live by the database be served.
    """

    def __init__(
        self,
        settings: Settings,
        engine: Engine,
        roster: Roster,
        images: ImageStore,
        models: Models,
        renew: Callable[[], None],
        trial: Trial | None = None,
    ) -> None:
        self._settings, self._engine, self._roster = settings, engine, roster
        self._images, self._models = images, models
        self._trial = trial or Trial()
        self._renew = renew
        self._lock = threading.Lock()
        self._opened: dict[tuple[str, int | None], Classifier] = {}
        """By version and, of the live one, the last event that it has learned from."""

    def serve_live(self) -> None:
        self._renew()

    def look_at_all(self, version: str, progress: Progress) -> None:
        self._look(self._load(version), progress)

    def forget(self, version: str) -> None:
        remove_embeddings(self._settings.home / "embeddings", version)

    def compare(self, a: str, b: str) -> Verdict:
        known = TaxonStore(self._engine).load()
        models = [self._load(version) for version in (a, b)]
        prepared = self._as_it_is if self._models.get(b).preset == "head" else self._learned
        before, after = map(prepared, models)
        given = GivenPictures(self._images, given_labels(self._roster), self._settings.max_picture_mp)
        leaves = {*before.taxonomy.leaves, *after.taxonomy.leaves}
        taxonomy = known.restrict(leaf for leaf in known.leaves if leaf in leaves)
        old_kinds = [leaf for leaf in models[0].taxonomy.leaves if leaf in taxonomy.leaf_index]
        verdict = self._trial.judge(
            before, after, lambda config: given.gold(taxonomy, config), taxonomy, old_kinds, no_progress
        )
        return replace(verdict, beside=a, gold=gold_marks(given.labels, known.leaf_index))

    def explain(self, image: str, version: str, label: str | None, candidate: str) -> Explanation:
        with self._lock:
            self._roster.follow()
            is_taught = version == self._models.live and self._models.get(candidate).preset != "head"
            event = self._roster.event if is_taught else None
            classifier = self._opened.pop((version, event), None)
            if classifier is None and event is not None:
                classifier = self._learned(self._load(version))
            classifier = classifier or self._load(version)
            self._opened = {**dict(list(self._opened.items())[1 - OPEN_MODELS :]), (version, event): classifier}
        picture, _ = self._images.decoder.decode(self._images.read(image), MODEL_PX, name=f"{image[:12]}…")
        reading = classifier.read(picture)
        ranked = [classifier.taxonomy.leaves[i] for i in (-reading.probs).argsort(kind="stable")]
        rival = worth_comparing(classifier, ranked[0], ranked, reading.probs)
        asked = [label] if label in classifier.taxonomy.leaf_index else []
        shown = list(dict.fromkeys([*ranked[:SHOWN], rival, *asked]))
        rows, columns = reading.evidence.shape[:2]
        maps = candidates(reading, classifier, shown)
        return Explanation(image, (rows, columns), maps, part_views(reading), ranked[0], rival)

    def _load(self, version: str) -> Classifier:
        return load_classifier(self._models.folder(version), self._settings.device)

    def _learned(self, classifier: Classifier) -> Classifier:
        """A model with all labels in its head."""
        self._look(classifier, no_progress)
        embeddings = embeddings_of(self._settings.home, classifier)
        return learned(classifier, self._roster, embeddings, TaxonStore(self._engine))

    def _as_it_is(self, classifier: Classifier) -> Classifier:
        """A model as visitors have it, but for what it knows of gold pictures."""
        self._look(classifier, no_progress)
        return without_gold(classifier, self._roster, embeddings_of(self._settings.home, classifier))

    def _look(self, classifier: Classifier, progress: Progress) -> None:
        self._roster.follow()
        look_at_missing(
            embeddings_of(self._settings.home, classifier),
            self._images,
            self._roster.image_ids,
            classifier.look,
            progress,
        )
