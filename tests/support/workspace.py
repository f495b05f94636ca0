"""A whole workspace over the fake classifier: real database, real learner, pictures that are plain colours."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from sqlalchemy.engine import Engine

from fgdemo.learn.live.live_learner import LiveLearner
from fgdemo.model.head import RidgeHead
from fgdemo.services.classify.suggestions import Suggestions
from fgdemo.services.exchange.removals import Removals, Seen
from fgdemo.services.labelling.explainer import Explainer
from fgdemo.services.labelling.labelling import Labelling
from fgdemo.services.labelling.pointing import Pointing
from fgdemo.services.review import Review
from fgdemo.storage.database.database import open_database, register_taxa
from fgdemo.storage.embeddings.embeddings import Embeddings, Looks, LooksShape
from fgdemo.storage.exchange.imported import Imported
from fgdemo.storage.exchange.intake import Intake
from fgdemo.storage.history.events import EventLog
from fgdemo.storage.history.points import PointLog
from fgdemo.storage.history.roster import Roster
from fgdemo.storage.history.taxa import TaxonStore
from fgdemo.storage.pictures.decoding import Decoder
from fgdemo.storage.pictures.originals import ImageStore
from fgdemo.storage.visitors.pictures import VisitorPictures
from fgdemo.storage.visitors.remarks import Remarks
from fgdemo.values.annotation import Person
from fgdemo.values.labelled import LabelledPicture, SourceSplit
from fgdemo.values.points import GroupLesson, Guess
from fgdemo.values.types import PART_COLOURS
from tests.support.fakes import COLOURS, LEFT, FakeClassifier

ADA, BO = Person("ada", "expert"), Person("bo", "expert")


@dataclass(frozen=True)
class FakeWorkspace:
    engine: Engine
    classifier: FakeClassifier
    images: ImageStore
    events: EventLog
    roster: Roster
    embeddings: Embeddings
    taxa: TaxonStore
    learner: LiveLearner
    labelling: Labelling
    review: Review
    pointing: Pointing

    def take_in(self, pictures: Sequence[LabelledPicture], run: str = "1", has_splits: bool = True) -> Imported:
        return self.intake().take_in(pictures, run, has_splits=has_splits)

    def intake(self) -> Intake:
        """The fake embedding is one colour, so only pictures that are nearly the same to the eye are twins."""
        return Intake(
            self.engine, self.images, self.roster, self.embeddings, self.look, are_twins=lambda bits, _: bits <= 3
        )

    def suggestions(self, keep_days: int = 90) -> Suggestions:
        pictures = VisitorPictures(self.engine, self.images, keep_days)
        return Suggestions(self.events, self.images, Remarks(self.engine), pictures, self.classifier.taxonomy)

    def look(self, pictures: Sequence[Image.Image]) -> Looks:
        readings = [self.classifier.read(picture) for picture in pictures]
        maps = np.stack([reading.assignment[..., :3] for reading in readings])
        return Looks(np.stack([r.embedding for r in readings]), np.ones((len(readings), 3, 2)), maps)


def removals_of(workspace: FakeWorkspace, home: Path) -> Removals:
    return Removals(workspace.engine, workspace.images, Seen(home / "embeddings", workspace.embeddings))


@dataclass(frozen=True)
class FakeTeacher:
    """Learns at once, and guesses that every part it was ever told of is in the middle."""

    points: PointLog
    roster: Roster
    taxa: TaxonStore

    def group_of(self, image: str) -> str | None:
        taxon = self.roster.standing(image).taxon
        return None if taxon is None else self.taxa.load().root(taxon)

    def lesson(self, group: str) -> GroupLesson:
        placed = {image: points for image, points in self.points.all().items() if self.group_of(image) == group}
        counts = Counter(part for points in placed.values() for part in points)
        found = {part: (count - 1, count) for part, count in counts.items()} if len(placed) > 1 else {}
        others = [image for image in self.roster.image_ids if image not in placed and self.group_of(image) == group]
        return GroupLesson(group, len(placed), counts, found, tuple(others[:3]))

    def guesses(self, image: str, group: str) -> tuple[Guess, ...]:
        lesson = self.lesson(group)
        return tuple(Guess(part, 0.5, 0.5) for part in lesson.found)

    def is_learning(self) -> bool:
        return False

    def placed(self) -> None:
        """It has learned already."""

    def colours(self, group: str, names: Sequence[str]) -> dict[str, str]:
        return dict(zip(names, PART_COLOURS, strict=False))


def open_fake_workspace(home: Path, url: str | None = None, decoder: Decoder | None = None) -> FakeWorkspace:
    """The prior head knows nothing, so all that the learner knows is in the workspace."""
    engine = open_database(url or f"sqlite:///{home / 'fgdemo.sqlite'}")
    classifier = FakeClassifier()
    register_taxa(engine, classifier.taxonomy)
    images = ImageStore(home / "pictures", decoder)
    events, roster, taxa = EventLog(engine), Roster(engine), TaxonStore(engine)
    embeddings = Embeddings(home / "embeddings", classifier.version, LooksShape(4, (14, 14), 3, 2))
    leaves = classifier.taxonomy.leaves
    prior = RidgeHead(
        np.zeros(4, np.float32), 1.0, np.zeros((5, 5)), np.zeros((5, len(leaves))), np.zeros(len(leaves)), 0.01
    )
    learner = LiveLearner(prior, leaves, 0.1, roster, embeddings, taxa.load)
    explainer = Explainer(
        lambda: classifier,
        learner,
        roster,
        embeddings,
        images,
        places=lambda _: LEFT,
        voters=learner.voters(np.zeros(4)),
    )
    labelling = Labelling(engine, roster, learner, taxa, classifier, explainer)
    review = Review(engine, roster, learner, taxa, explainer)
    points = PointLog(engine)
    pointing = Pointing(points, roster, taxa, FakeTeacher(points, roster, taxa))
    return FakeWorkspace(
        engine, classifier, images, events, roster, embeddings, taxa, learner, labelling, review, pointing
    )


def coloured(taxon: str, number: int, label: str | None = None, split: SourceSplit = "train") -> LabelledPicture:
    """A picture that is `taxon` to the eye and carries `label`; each number gives another shade."""
    shade = np.random.default_rng(number).integers(-18, 19, (6, 8, 3)) + np.array(COLOURS[taxon])
    file = io.BytesIO()
    Image.fromarray(np.clip(shade, 0, 255).astype(np.uint8)).resize((160, 120), Image.Resampling.NEAREST).save(
        file, "PNG"
    )
    data = file.getvalue()
    return LabelledPicture(f"{taxon}-{number}.png", taxon if label is None else label, split, lambda: data, len(data))


def some_pictures(per_kind: int = 12, wrong: int = 3) -> list[LabelledPicture]:
    """Nashville and Mourning Warblers and Eskimo Dogs; `wrong` Nashville Warblers carry the label Mourning Warbler."""
    kinds = ("nashville_warbler", "mourning_warbler", "eskimo_dog")
    listed = [coloured(kind, 100 * at + n) for at, kind in enumerate(kinds) for n in range(per_kind)]
    return listed + [coloured("nashville_warbler", 900 + n, "mourning_warbler") for n in range(wrong)]
