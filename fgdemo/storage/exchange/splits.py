"""Which pictures of an import are held out, where its source does not say, or says nothing of val."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from fgdemo.storage.pictures.originals import image_id_of
from fgdemo.values.labelled import LabelledPicture, SourceSplit

EVERY = 10
VAL: Mapping[int, SourceSplit] = {5: "val"}
VAL_AND_GOLD: Mapping[int, SourceSplit] = {**VAL, 0: "test"}
"""Where there are no splits each tenth picture of a class becomes val and each tenth gold, by its place among ten. The
pictures without a label are such a class too, because who labels them wants to train on them."""
FEWEST = 10
"""Classes with fewer pictures are counted on through, from 1, so that each loses one picture in three at most."""
ALL_TRAIN = 2
"""Classes with so few pictures only train."""
IMPORT_ORDER: Mapping[str, int] = {"test": 0, "val": 1, "train": 2}
"""Pictures that their source holds out come first, so that a training picture that is the twin of one joins it."""
DRAWN_ORDER: Mapping[str, int] = {"test": 0, "val": 1, "train": 1}
"""Of drawn ones the first of a group decides, or every group of near-duplicates with a held-out picture would be held
out: of bursts of ten pictures nine tenths."""
NO_ORDER: Mapping[str, int] = {"test": 0, "val": 0, "train": 0}


def in_import_order(pictures: Sequence[LabelledPicture], has_splits: bool) -> list[LabelledPicture]:
    """What its source holds out first, then by name. Pictures of another workspace keep their order, the first of a
    group leading.

    Of a source with train and test alone, val is drawn: without it nothing could be trained.
    """
    own, order = [picture for picture in pictures if picture.origin is None], IMPORT_ORDER
    if not has_splits:
        own, order = _drawn([replace(picture, split="train") for picture in own], VAL_AND_GOLD), NO_ORDER
    elif {picture.split for picture in own} == {"train", "test"}:
        own, order = _drawn(own, VAL), DRAWN_ORDER
    return sorted(
        [*own, *(picture for picture in pictures if picture.origin)],
        key=lambda p: (1, p.origin.twin_of is not None, "") if p.origin else (0, order[p.split], p.name),
    )


def _drawn(pictures: Sequence[LabelledPicture], held_out: Mapping[int, SourceSplit]) -> list[LabelledPicture]:
    """Stratified: of ten train pictures of a class, or of small ones together, those at these places are held out."""
    sizes = Counter(_label(picture) for picture in pictures if picture.split == "train")
    seen: Counter[str | None] = Counter({None: 1})
    drawn: list[LabelledPicture] = []
    for picture in sorted(pictures, key=lambda p: (_label(p), image_id_of(p.name.encode("utf-8", "surrogatepass")))):
        label = _label(picture)
        if picture.split == "train" and sizes[label] > ALL_TRAIN:
            stratum = label if sizes[label] >= FEWEST else None
            picture = replace(picture, split=held_out.get(seen[stratum] % EVERY, "train"))
            seen[stratum] += 1
        drawn.append(picture)
    return drawn


def _label(picture: LabelledPicture) -> str:
    """The first label it was given, in the words of its source; empty where there is none."""
    given = (said.label for said in picture.said if isinstance(said.label, str))
    return picture.label or next(given, "")
