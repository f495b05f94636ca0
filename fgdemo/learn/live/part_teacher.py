"""Parts that points teach: fitted anew in the background whenever points were placed, and how well they are found.

All that it knows is a function of the points, the labels (which say what group a picture belongs to) and the model.
"""

import logging
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from PIL import Image

from fgdemo.learn.live.teaching import (
    LookedAt,
    Points,
    TaughtGroup,
    TaughtPicture,
    found_left_out,
    middle_of,
    part_names,
    views_of,
    with_parts,
)
from fgdemo.model.classifier import Classifier
from fgdemo.model.parts import PartModel
from fgdemo.model.taught.choosing import appearance, in_order
from fgdemo.model.taught.fitting import lesson_of, taught_by
from fgdemo.storage.history.points import PointLog
from fgdemo.storage.history.roster import SPLITS, Roster
from fgdemo.storage.history.taxa import TaxonStore
from fgdemo.storage.pictures.originals import ImageStore
from fgdemo.values.errors import BusyError, DatasetError, FgdemoError, PictureError, StorageError
from fgdemo.values.limits import MODEL_PX
from fgdemo.values.points import ENOUGH, FIRST_GUESSES, GroupLesson, Guess, PlacedPoint
from fgdemo.values.taxonomy import Taxonomy
from fgdemo.values.types import PART_COLOURS

log = logging.getLogger(__name__)

DESCRIBED_BY = 16
"""Pictures by which the parts are described to whoever compares pictures without mid tokens."""
CONSIDERED = 24
"""Pictures without points that are looked at to find the one that would help most."""
LIKELY, SURE = 0.5, 0.8
"""A guess is drawn where the part has at least the first share of a place, and as a doubtful one below the second.
Taught by 10 and 109 whole photographs, of parts that are not seen on 109 others 66 and 48 % had the first share, 25 and
17 % the second; of those that are seen 84 % the first and 57 % the second, and of these 88 % were right."""


class PartTeacher:
    """Safe to use from many threads.

    Args:
        classifier: the model that is served, with the parts of its checkpoint.
    """

    def __init__(
        self, classifier: Classifier, points: PointLog, roster: Roster, taxa: TaxonStore, images: ImageStore
    ) -> None:
        self._classifier, self._points, self._roster = classifier, points, roster
        self._taxa, self._images = taxa, images
        self._parts: PartModel | None = None
        self._lessons: Mapping[str, GroupLesson] = {}
        self._seen = 0
        self._looked: dict[str, LookedAt] = {}
        self._groups: dict[str, TaughtGroup] = {}
        self._taught: tuple[Classifier, PartModel, Classifier] | None = None
        self._fitting = threading.Lock()
        self._stop, self._wake = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None

    # --- what the services ask -----------------------------------------------------------------------------

    def taught(self, classifier: Classifier) -> Classifier:
        """This classifier with the parts as they are taught now: itself where no point was placed."""
        parts, known = self._parts, self._taught
        if parts is None:
            return classifier
        if known is None or known[0] is not classifier or known[1] is not parts:
            known = self._taught = (classifier, parts, classifier.with_parts(parts))
        return known[2]

    @property
    def is_taught(self) -> bool:
        """Whether points have taught it other parts than those of the checkpoint."""
        return self._parts is not None

    def group_of(self, image: str) -> str | None:
        """The group whose parts this picture shows, by its label; None where it has none."""
        return self._group_in(self._taxa.load(), image)

    def _group_in(self, taxonomy: Taxonomy, image: str) -> str | None:
        taxon = self._roster.standing(image).taxon
        return None if taxon is None else self._classifier.parts.group_of(taxonomy.root(taxon))

    def lesson(self, group: str) -> GroupLesson:
        """How far the parts of a group are taught: points are counted as of now, the rest is as of the last fit."""
        placed = self._points.all()
        known = self._lessons.get(group) or GroupLesson(group, 0, {}, {}, next=tuple(self._others(group, placed)))
        images = self._by_group(placed).get(group, ())
        counts = Counter(part for image in images for part in placed[image])
        return replace(known, pictures=len(images), counts=counts)

    def is_learning(self) -> bool:
        """Whether points were placed that it has not learned from yet."""
        return self._points.newest() > self._seen

    def guesses(self, image: str, group: str) -> tuple[Guess, ...]:
        """Where the parts that were taught seem to be on a picture.

        Raises:
            StorageError, PictureError, BusyError: the picture cannot be read now.
        """
        parts = self._parts or self._classifier.parts.to("cpu")
        if parts.taught_of(group) is None:
            return ()
        tokens, mid = self._tokens(image)
        shares = parts.assign(tokens, group, mid)
        largest = shares.amax((0, 1)).tolist()
        return tuple(
            Guess(part.name or "", *middle_of(shares[..., k]), is_sure=largest[k] >= SURE)
            for k, part in enumerate(parts.of_group(group))
            if largest[k] >= LIKELY
        )

    def colours(self, group: str, names: Sequence[str]) -> dict[str, str]:
        """The colour that each of these parts wears, or will wear."""
        known = (self._parts or self._classifier.parts).of_group(group)
        worn = {part.name: part.colour for part in known if part.name in names}
        free = iter([colour for colour in PART_COLOURS if colour not in worn.values()])
        return {name: worn[name] if name in worn else next(free, PART_COLOURS[-1]) for name in names}

    # --- learning ------------------------------------------------------------------------------------------

    def placed(self) -> None:
        """Points were placed: learn from them soon."""
        self._wake.set()

    def start(self) -> None:
        """Learn in the background, at first from what was placed before."""
        self._thread = threading.Thread(target=self._run, name="parts", daemon=True)
        self._thread.start()
        self._wake.set()

    def stop(self) -> None:
        """Returns when nothing runs any more."""
        self._stop.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.wait()
            self._wake.clear()
            if self._stop.is_set():
                return
            try:
                self.refresh()
            except FgdemoError as error:
                log.warning("The parts were not taught anew: %s", error)

    def refresh(self) -> None:
        """Learn now from all points that there are. Raises StorageError."""
        with self._fitting:
            newest = self._points.newest()
            if newest <= self._seen:
                return
            self._roster.follow()
            placed = self._points.all()
            self._looked = {image: one for image, one in self._looked.items() if image in placed}
            groups = {
                group: self._taught_by({image: placed[image] for image in images}, group)
                for group, images in self._by_group(placed).items()
            }
            changed = [group for group, now in groups.items() if self._groups.get(group) is not now]
            taught = self._classifier
            for group, now in groups.items():
                if now.taught is not None:
                    taught = with_parts(taught, group, now.names, now.taught, now.views)
            self._groups, self._parts = groups, taught.parts if taught is not self._classifier else None
            before = {group: self._lessons[group].next for group in groups if group in self._lessons}
            self._lessons = {group: now.lesson.with_next(before.get(group, ())) for group, now in groups.items()}
            self._seen = newest
            for group in changed:
                if self._stop.is_set():
                    return
                lesson = self._with_next(group, groups[group].lesson, placed)
                self._lessons = {**self._lessons, group: lesson}

    def _by_group(self, images: Mapping[str, object]) -> dict[str, list[str]]:
        groups: dict[str, list[str]] = {}
        taxonomy = self._taxa.load()  # which asks the database
        for image in images:
            group = self._group_in(taxonomy, image)
            if group is not None and group in self._classifier.parts.ground_groups:
                groups.setdefault(group, []).append(image)
        return groups

    def _taught_by(self, placed: Mapping[str, Mapping[str, PlacedPoint]], group: str) -> TaughtGroup:
        """What these points teach, and how well the parts are found; what is known already where nothing is new."""
        known = self._groups.get(group)
        if known is not None and known.placed == placed and not known.lesson.unread:
            return known
        looked: list[LookedAt] = []
        unread = 0
        for image, points in placed.items():
            one = self._look(image, group, tuple(points.values()))
            unread += one is None
            looked += [] if one is None else [one]
        counts = Counter(point.part for one in looked for point in one.points)
        old = self._classifier.parts.to("cpu")
        if len(looked) < (ENOUGH if old.taught_of(group) else FIRST_GUESSES):
            return TaughtGroup(placed, GroupLesson(group, len(looked), counts, {}, unread=unread))
        try:
            names = part_names(group, old, [_as_taught(one.points) for one in looked])
        except DatasetError as error:
            return TaughtGroup(placed, GroupLesson(group, len(looked), counts, {}, unread=unread, trouble=str(error)))
        lessons = [lesson for one in looked for lesson in one.lessons]
        taught = taught_by(lessons, group, names, old.mean, old.projection)
        found = found_left_out([one.lessons for one in looked], names)
        lesson = GroupLesson(group, len(looked), counts, found, learned=len(looked), unread=unread)
        return TaughtGroup(placed, lesson, names, taught, tuple(one.first for one in looked[:DESCRIBED_BY]))

    def _look(self, image: str, group: str, points: Points) -> LookedAt | None:
        """None where the picture cannot be read now."""
        known = self._looked.get(image)
        if known is not None and known.points == points:
            return known
        try:
            picture = self._picture(image)
        except (PictureError, StorageError, BusyError) as error:
            log.warning("Points on picture %s teach nothing: %s", image[:12], error)
            return None
        model = self._classifier
        views = views_of(model, TaughtPicture(picture, points), group)
        old = model.parts.to("cpu")
        lessons = tuple(lesson_of(view, old.mean, old.projection, at) for at, view in enumerate(views))
        self._looked[image] = LookedAt(points, lessons, views[0])
        return self._looked[image]

    def _with_next(self, group: str, lesson: GroupLesson, placed: Mapping[str, object]) -> GroupLesson:
        """With the pictures of the group that would teach most, see `fgdemo.model.taught.choosing`."""
        parts = self._parts
        others = self._others(group, placed)
        if parts is None or parts.taught_of(group) is None:
            return lesson.with_next(others)
        views = [self._looked[image].first for image in self._by_group(self._looked).get(group, ())]
        taught = [appearance(view.mid, parts.where(view.tokens, view.mid, group)) for view in views]
        read: dict[str, torch.Tensor] = {}
        for image in others:
            if self._stop.is_set():
                break
            try:
                tokens, mid = self._tokens(image)
            except (PictureError, StorageError, BusyError):
                continue
            read[image] = appearance(mid, parts.where(tokens, mid, group))
        order = in_order(torch.stack([*taught, *read.values()]), len(taught)) if read else []
        return lesson.with_next([list(read)[row] for row in order])

    def _others(self, group: str, placed: Mapping[str, object]) -> list[str]:
        """Some train pictures of the group without points, other ones each time, and no two frames of one burst."""
        roster, taxonomy = self._roster, self._taxa.load()
        of_group = [
            number
            for number, taxon in enumerate(roster.taxa)
            if taxon in taxonomy.by_id and self._classifier.parts.group_of(taxonomy.root(taxon)) == group
        ]
        rows = np.flatnonzero(np.isin(roster.taxon, of_group) & (roster.split == SPLITS.index("train")))
        drawn = np.random.default_rng(len(placed)).permutation(rows)[: 8 * CONSIDERED].tolist()
        found = {int(roster.twin[row]): roster.image_ids[row] for row in reversed(drawn)}
        return [image for image in reversed(found.values()) if image not in placed][:CONSIDERED]

    def _tokens(self, image: str) -> tuple[torch.Tensor, torch.Tensor]:
        """(h, w, D) and (h, w, M) of the whole picture."""
        model = self._classifier
        with torch.inference_mode():
            batch = model.pixels(self._picture(image))[None].to(model.device, memory_format=torch.channels_last)
            tokens, mid = model.network.with_mid(batch)
        return tokens[0].float().cpu(), mid[0].float().cpu()

    def _picture(self, image: str) -> Image.Image:
        return self._images.decoder.decode(self._images.read(image), MODEL_PX, name=f"{image[:12]}…")[0]


def _as_taught(points: Points) -> TaughtPicture:
    return TaughtPicture(Image.new("RGB", (1, 1)), points)
