"""Teach a classifier the parts of a group from points on its pictures, and say how well they are found.

Each picture is looked at three times: what lies around its points, the same mirrored (there is no left and no right
wing), and the whole of it where that is more. Taught at one size only, parts are found at that size only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from PIL import Image

from fgdemo.model.classifier import Classifier
from fgdemo.model.parts import PartModel
from fgdemo.model.taught.fitting import Lesson, TaughtView, learn, lesson_of, taught_by
from fgdemo.model.taught.shares import TaughtParts
from fgdemo.values.errors import DatasetError
from fgdemo.values.points import MOST_PARTS, GroupLesson, PlacedPoint
from fgdemo.values.types import PART_COLOURS, CropBox, Part

AROUND = 0.25
"""The points are not the whole animal: so much of their extent, on each side, may still be it."""
MARGIN = 0.1
"""Of a box that is known, what is seen around it."""
NEARLY_ALL = 0.8
"""Share of the picture from which on what lies around the points is the whole."""
FOLDS = 12
"""Up to so many pictures each is left out by itself; of more, every twelfth at a time."""
SURELY_NOT = 0.1
"""Foreground below which a place is taken for background where points fill the picture."""


@dataclass(frozen=True)
class TaughtPicture:
    """An upright RGB picture, the points on it, and the box around the thing where somebody drew one."""

    picture: Image.Image
    points: tuple[PlacedPoint, ...]
    box: CropBox | None = None


Points = tuple[PlacedPoint, ...]


@dataclass(frozen=True)
class TaughtGroup:
    """What the points on its pictures have taught of one group.

    Attributes:
        taught: None where there is not enough to begin.
        views: by which the parts are described.
    """

    placed: Mapping[str, Mapping[str, PlacedPoint]]
    lesson: GroupLesson
    names: tuple[str, ...] = ()
    taught: TaughtParts | None = None
    views: tuple[TaughtView, ...] = ()


@dataclass(frozen=True)
class LookedAt:
    """What is kept of a picture with points: what is learned from its views, and the first of them."""

    points: Points
    lessons: tuple[Lesson, ...]
    first: TaughtView


def teach(classifier: Classifier, group: str, taught: Sequence[TaughtPicture]) -> Classifier:
    """`classifier` with the parts of `group` that the points name, instead of those it had. The rest stays as it is.

    Raises:
        DatasetError: the classifier knows no such group, there is no point, or there are more parts than colours.
    """
    old = classifier.parts.to("cpu")
    views = [view for one in taught for view in views_of(classifier, one, group)]
    lessons = [lesson_of(view, old.mean, old.projection, number) for number, view in enumerate(views)]
    names = part_names(group, classifier.parts, taught)
    return with_parts(classifier, group, names, taught_by(lessons, group, names, old.mean, old.projection), views)


def with_parts(
    classifier: Classifier, group: str, names: Sequence[str], taught: TaughtParts, views: Sequence[TaughtView]
) -> Classifier:
    """`classifier` with parts that were taught; they are described by `views`."""
    old = classifier.parts.to("cpu")
    parts = old.with_taught(
        taught,
        _parts_of(old, group, names),
        torch.stack([view.tokens for view in views]),
        torch.stack([view.mid for view in views]),
    )
    return replace(classifier, parts=parts)


def part_names(group: str, parts: PartModel, taught: Sequence[TaughtPicture]) -> tuple[str, ...]:
    """What the points name, in the order in which it was named. Raises DatasetError as `teach`."""
    if group not in parts.ground_groups:
        raise DatasetError(f"The model knows no group “{group}” whose parts could be taught.")
    named = Counter(point.part for one in taught for point in one.points if point.is_seen)
    if not named:
        raise DatasetError("There are no points to learn parts from: place some on about ten pictures.")
    if len(named) > MOST_PARTS:
        raise DatasetError(
            f"The points name {len(named)} parts ({', '.join(sorted(named))}); a group has at most {MOST_PARTS}."
        )
    return tuple(named)


def _parts_of(old: PartModel, group: str, names: Sequence[str]) -> tuple[Part, ...]:
    """Ids stay with names; new ones wear colours that no other part of the group has."""
    known = {part.name: part for part in old.of_group(group) if part.name in names}
    taken = {part.id for part in old.parts}
    worn = {part.colour for part in known.values()}
    found = []
    for name in names:
        part = known.get(name)
        if part is None:
            part = next(
                one
                for one in (Part(number, name, group) for number in range(len(taken) + 2 * len(PART_COLOURS)))
                if one.id not in taken and one.colour not in worn
            )
            taken.add(part.id)
            worn.add(part.colour)
        found.append(part)
    return tuple(found)


@torch.inference_mode()
def views_of(classifier: Classifier, taught: TaughtPicture, group: str) -> list[TaughtView]:
    """The looks at one picture; of one without points, the whole of it."""
    picture, seen = taught.picture, [point for point in taught.points if point.is_seen]
    thing = _sides_of(taught.box) if taught.box else _extent(seen)
    whole = (0.0, 0.0, 1.0, 1.0)
    near = _widened(thing, MARGIN) if taught.box else _widened(thing, 2 * AROUND)
    views = [(near, False), (near, True), (whole, False)]
    if (near[2] - near[0]) * (near[3] - near[1]) > NEARLY_ALL:
        views = [(whole, False), (whole, True)]
    inner = thing if taught.box else _widened(thing, AROUND)
    return [_view(classifier, picture, seen, group, inner, frame, mirrored) for frame, mirrored in views]


def _view(
    classifier: Classifier,
    picture: Image.Image,
    points: Sequence[PlacedPoint],
    group: str,
    inner: tuple[float, float, float, float],
    frame: tuple[float, float, float, float],
    mirrored: bool,
) -> TaughtView:
    """The part of the picture in `frame`; what lies beyond `inner`, both as fractions of the picture, is outside."""
    pixels = classifier.pixels(picture, CropBox(*frame) if frame != (0.0, 0.0, 1.0, 1.0) else None)[None]
    pixels = (pixels.flip(-1) if mirrored else pixels).to(classifier.device, memory_format=torch.channels_last)
    tokens, mid = (one[0].float().cpu() for one in classifier.network.with_mid(pixels))
    left, top, right, bottom = frame
    rows, columns = tokens.shape[:2]
    y = top + (torch.arange(rows) + 0.5) / rows * (bottom - top)
    x = left + (torch.arange(columns) + 0.5) / columns * (right - left)
    x = x.flip(0) if mirrored else x
    beyond = (x < inner[0]) | (x > inner[2]) | ((y < inner[1]) | (y > inner[3]))[:, None]
    if not bool(beyond.any()):
        beyond = classifier.parts.to("cpu").foreground(tokens, group) < SURELY_NOT
    return TaughtView(tokens, mid, [_within(point, frame, mirrored) for point in points], beyond)


def _within(point: PlacedPoint, frame: tuple[float, float, float, float], mirrored: bool) -> PlacedPoint:
    left, top, right, bottom = frame
    x = min(max(((point.x or 0.0) - left) / (right - left), 0.0), 1.0)
    y = min(max(((point.y or 0.0) - top) / (bottom - top), 0.0), 1.0)
    return PlacedPoint(point.part, 1 - x if mirrored else x, y)


def _sides_of(box: CropBox) -> tuple[float, float, float, float]:
    return box.left, box.top, box.right, box.bottom


def _extent(points: Sequence[PlacedPoint]) -> tuple[float, float, float, float]:
    """Around points that are seen; the whole picture where there are too few to have one."""
    if len(points) < 3:
        return (0.0, 0.0, 1.0, 1.0)
    x, y = ([float(getattr(point, side)) for point in points] for side in ("x", "y"))
    return min(x), min(y), max(x), max(y)


def _widened(sides: tuple[float, float, float, float], by: float) -> tuple[float, float, float, float]:
    """By a share of its width and height on each side, within the picture; no side shorter than a twentieth of it."""
    left, top, right, bottom = sides
    wide, high = max(by * (right - left), 0.025), max(by * (bottom - top), 0.025)
    return max(left - wide, 0.0), max(top - high, 0.0), min(right + wide, 1.0), min(bottom + high, 1.0)


def found_left_out(lessons: Sequence[tuple[Lesson, ...]], names: Sequence[str]) -> dict[str, tuple[int, int]]:
    """(found, placed) of each part: whether it is found where people see it, by parts taught without this picture."""
    tally = {name: [0, 0] for name in names}
    for fold in range(min(FOLDS, len(lessons))):
        held = [one for at, one in enumerate(lessons) if at % FOLDS == fold]
        rest = [lesson for at, one in enumerate(lessons) if at % FOLDS != fold for lesson in one]
        if all(part is None for lesson in rest for part in lesson.parts):
            continue
        weight, bias = learn(rest, names)
        for first, *_ in held:
            answers = (first.features @ weight + bias).argmax(-1).tolist()
            for part, answer in zip(first.parts, answers, strict=True):
                if part in tally:
                    tally[part][0] += names[answer] == part if answer < len(names) else False
                    tally[part][1] += 1
    return {name: (right, placed) for name, (right, placed) in tally.items()}


def middle_of(share: torch.Tensor) -> tuple[float, float]:
    """x and y of the middle of the strongest place and of what is around it, weighted by (h, w) shares."""
    rows, columns = share.shape
    row, column = divmod(int(share.argmax()), columns)
    top, left = max(row - 1, 0), max(column - 1, 0)
    near = share[top : row + 2, left : column + 2]
    y = (torch.arange(near.shape[0]) + top + 0.5) / rows
    x = (torch.arange(near.shape[1]) + left + 0.5) / columns
    return float((near.sum(0) * x).sum() / near.sum()), float((near.sum(1) * y).sum() / near.sum())
