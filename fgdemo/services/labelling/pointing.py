"""Parts that experts teach: points on pictures, how well the parts are found since, and which picture helps most."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from fgdemo.services.classify.aside import Aside
from fgdemo.storage.history.points import PointLog, seen
from fgdemo.storage.history.roster import Roster
from fgdemo.storage.history.taxa import TaxonStore
from fgdemo.values.annotation import Person
from fgdemo.values.errors import BusyError, PictureError, StorageError
from fgdemo.values.points import ENOUGH, FIRST_GUESSES, MOST_PARTS, GroupLesson, Guess, PlacedPoint
from fgdemo.values.types import PART_COLOURS


class Teacher(Protocol):
    """What learns from points. The real one is `fgdemo.learn.live.part_teacher.PartTeacher`."""

    def group_of(self, image: str) -> str | None:
        """The group whose parts a picture shows, by its label; None where it has none."""
        ...

    def lesson(self, group: str) -> GroupLesson:
        """How far the parts of a group are taught."""
        ...

    def guesses(self, image: str, group: str) -> tuple[Guess, ...]:
        """Where the parts that were taught seem to be. Raises StorageError, PictureError, BusyError."""
        ...

    def is_learning(self) -> bool:
        """Whether points were placed that it has not learned from yet."""
        ...

    def placed(self) -> None:
        """Points were placed: learn from them soon."""
        ...

    def colours(self, group: str, names: Sequence[str]) -> dict[str, str]:
        """The colour that each of these parts wears, or will wear."""
        ...


@dataclass(frozen=True)
class TaughtPart:
    """A part of a group. `found` of `placed` points lay where it was found by what other pictures had taught."""

    name: str
    colour: str
    pictures: int
    found: int
    placed: int


@dataclass(frozen=True)
class Pointed:
    """One picture as points are placed on it.

    Attributes:
        group_name: of what the parts are, e.g. "Bird".
        parts: those of the group, in the order in which they were named.
        points: what was placed on this picture.
        guesses: of parts that have no point here.
        next: the picture to teach by next, or None.
        pictures: with points, of this group.
        is_learning: points were placed that are not learned from yet: ask again soon.
        free_colours: those that no part of the group wears, for parts that are named next.
        said: how far it is, in a sentence.
    """

    image: str
    group_name: str
    parts: tuple[TaughtPart, ...]
    points: tuple[PlacedPoint, ...]
    guesses: tuple[Guess, ...]
    next: str | None
    pictures: int
    is_learning: bool
    free_colours: tuple[str, ...]
    said: str


class Pointing:
    """Safe to use from many threads."""

    def __init__(self, log: PointLog, roster: Roster, taxa: TaxonStore, teacher: Teacher) -> None:
        self._log, self._roster, self._taxa, self._teacher = log, roster, taxa, teacher
        self._guessing = Aside("points", niceness=1)

    def open(self, person: Person, image: str) -> Pointed:
        """A picture with its points, and guesses of the others.

        Raises:
            ForbiddenError: a visitor asks.
            StorageError: the picture is not in the workspace, or it belongs to no group yet.
        """
        group = self._group(person, image)
        lesson, said = self._teacher.lesson(group), self._log.said(image)
        points = seen(said)
        parts = self._parts(group, lesson, points)
        worn = {part.colour for part in parts}
        return Pointed(
            image=image,
            group_name=self._taxa.load()[group].name if group else "",
            parts=parts,
            points=tuple(points.values()),
            guesses=self._guesses(image, group, said, parts),
            next=next((other for other in lesson.next if other != image and other in self._roster), None),
            pictures=lesson.pictures,
            is_learning=self._teacher.is_learning(),
            free_colours=tuple(colour for colour in PART_COLOURS if colour not in worn),
            said=sentence(lesson),
        )

    def place(
        self, person: Person, image: str, points: Sequence[PlacedPoint], key: str, model_version: str | None = None
    ) -> Pointed:
        """Keep points; they are durable when this returns, and are learned from in the background.

        Raises:
            ForbiddenError: a visitor asks, or the picture is gold.
            StorageError: as `open`, or the group would have more parts than can be told apart.
        """
        lesson = self._teacher.lesson(self._group(person, image))
        names = {*lesson.counts, *(point.part for point in points if point.is_seen)}
        if len(names) > MOST_PARTS:
            raise StorageError(f"A group has at most {MOST_PARTS} parts, and this would be number {len(names)}.")
        self._log.place(image, points, person.name, key, model_version)
        self._teacher.placed()
        return self.open(person, image)

    def _group(self, person: Person, image: str) -> str:
        """The group of a picture. Raises as `open`."""
        person.require("expert")
        self._roster.follow()
        if image not in self._roster:
            raise StorageError("This picture is not in the workspace: load the page again.")
        group = self._teacher.group_of(image)
        if group is None:
            raise StorageError("Label the picture first: parts belong to a group of kinds, such as birds.")
        return group

    def _parts(self, group: str, lesson: GroupLesson, points: dict[str, PlacedPoint]) -> tuple[TaughtPart, ...]:
        counts = {**lesson.counts, **{name: max(lesson.counts.get(name, 0), 1) for name in points}}
        names = list(counts)  # in the order in which they were named, so that numbers and colours stay
        colours = self._teacher.colours(group, names)
        return tuple(
            TaughtPart(name, colours.get(name, PART_COLOURS[0]), counts[name], *lesson.found.get(name, (0, 0)))
            for name in names
        )

    def _guesses(
        self, image: str, group: str, said: Mapping[str, PlacedPoint], parts: Sequence[TaughtPart]
    ) -> tuple[Guess, ...]:
        """Of parts that were named here, and of which nothing was said on this picture. Empty where it cannot be read
        now: points can be placed without them."""
        try:
            found = self._guessing.do(self._teacher.guesses, image, group)
        except (PictureError, BusyError, StorageError):
            return ()
        wanted = {part.name for part in parts} - {*said}
        return tuple(one for one in found if one.part in wanted)


def sentence(lesson: GroupLesson) -> str:
    """How far the parts of a group are taught, and what is to be done next."""
    if lesson.trouble:
        return lesson.trouble
    if lesson.unread:
        pictures = "1 picture" if lesson.unread == 1 else f"{lesson.unread:,} pictures"
        return f"{sentence(replace(lesson, unread=0))} {pictures} cannot be read now: what is on them is not learned."
    found, placed = (sum(pair[at] for pair in lesson.found.values()) for at in (0, 1))
    left = ENOUGH - lesson.pictures
    begun = f"Points on {lesson.pictures:,} {'picture' if lesson.pictures == 1 else 'pictures'}."
    if not lesson.pictures:
        return f"Name a part and click where it is. About {ENOUGH} pictures are enough to begin."
    if not placed:
        return f"{begun} From {FIRST_GUESSES} on guesses are drawn; about {ENOUGH} are enough to begin."
    of = "" if lesson.learned in (0, lesson.pictures) else f"Of the first {lesson.learned:,}, "
    share = f"{begun} {of}{found:,} of {placed:,} points are found by what the other pictures teach."
    worst = min(lesson.found, key=lambda name: _share(lesson.found[name]))
    if left > 0:
        return f"{share} {left} more would be enough to begin."
    right, shown = lesson.found[worst]
    return f"{share} Least often the {worst}, {right} of {shown}." if _share(lesson.found[worst]) < 0.7 else share


def _share(pair: tuple[int, int]) -> float:
    return pair[0] / pair[1] if pair[1] else 1.0


def point_of(part: str, x: float | None, y: float | None) -> PlacedPoint:
    """A point as somebody sends it. Raises PictureError."""
    return PlacedPoint(" ".join(part.split()), x, y)
