"""A reading as a page draws it: candidates with their maps, parts with their shares."""

from collections.abc import Sequence

import numpy as np

from fgdemo.values.classification.answers import PartView, PossibleKind
from fgdemo.values.evidence import rounded
from fgdemo.values.types import Classifier, Reading

WORTH_COMPARING_PROB = 0.01
"""Below this a second likeliest kind says nothing; a known look-alike is the better rival, or another of its group."""


def candidates(reading: Reading, classifier: Classifier, leaves: Sequence[str]) -> tuple[PossibleKind, ...]:
    """The maps of these leaves, rounded to some four digits; each bias takes up what rounding left of its logit."""
    taxonomy = classifier.taxonomy
    columns = [taxonomy.leaf_index[leaf] for leaf in leaves]
    maps, biases = rounded(classifier.maps(reading, columns), reading.logits[columns])
    return tuple(
        PossibleKind(
            taxon=leaf,
            name=taxonomy[leaf].name,
            latin=taxonomy[leaf].latin,
            prob=float(reading.probs[column]),
            lookalikes=classifier.lookalikes(leaf),
            bias=round(float(bias), 6),
            evidence=tuple(values),
            few=classifier.few(leaf),
        )
        for leaf, column, bias, values in zip(leaves, columns, biases, maps.T.tolist(), strict=True)
    )


def part_views(reading: Reading) -> tuple[PartView, ...]:
    """The foreground parts of a reading."""
    shares = np.reshape(reading.assignment, (-1, reading.assignment.shape[-1])).astype(np.float64).round(3)
    return tuple(
        PartView(part.id, part.name or f"part {part.id + 1}", part.colour, tuple(shares[:, row].tolist()))
        for row, part in enumerate(reading.parts)
    )


def worth_comparing(classifier: Classifier, asked: str, ranked: Sequence[str], probs: np.ndarray) -> str:
    """The leaf to compare `asked` with: the likeliest other, or where none is plausible a look-alike of its group.

    Args:
        ranked: all leaves, likeliest first.
        probs: (C,) over `classifier.taxonomy.leaves`.
    """
    taxonomy = classifier.taxonomy
    others = [leaf for leaf in ranked if leaf != asked]
    if probs[taxonomy.leaf_index[others[0]]] >= WORTH_COMPARING_PROB:
        return others[0]
    groups = {leaf: taxonomy.root(leaf) for leaf in others if taxonomy[leaf].parent is not None}
    group = taxonomy.root(asked) if taxonomy[asked].parent is not None else None
    akin = [*classifier.lookalikes(asked), *others]  # A bird beside a dog would say nothing.
    return next((leaf for leaf in akin if groups.get(leaf) == group), others[0])
