"""The smallest change that flips an answer: real cells of a picture of B, put in for cells of this one (Goyal 2019).

Pooling is a mean and the head is linear, so to put cell m of another picture in for cell n moves the answer by exactly

    Δ = (w_B − w_A) · (z_m − z_n) / N

Each cell on the thing may take the cell of the same part there that looks most like it halfway through the network,
where places look as they are. The moves add up, so the fewest cells that flip the answer are the largest moves.
"""

from __future__ import annotations

import numpy as np

from fgdemo.values.classification.cards import Flip, View, flat, regions
from fgdemo.values.classification.votes import VotingHead
from fgdemo.values.types import Reading

MOST_CELLS = 0.5
"""A change of more cells than this share of the picture is another picture."""


def flip(
    head: VotingHead, view: View, others: dict[str, Reading], before: float, columns: tuple[int, int], taxon: str
) -> Flip | None:
    """The change of the fewest cells over some pictures of the other kind; None where none of them flips the answer.

    Args:
        others: readings of pictures of the kind that is not the likelier one of A and B.
        before: A's logit less B's.
        columns: of A and of B in the head; taxon: the kind that it would be then.
    """
    found = [_with(head, view, image, other, before, columns, taxon) for image, other in others.items()]
    return min((one for one in found if one is not None), key=lambda one: len(one.here), default=None)


def _with(
    head: VotingHead, view: View, image: str, other: Reading, before: float, columns: tuple[int, int], taxon: str
) -> Flip | None:
    mine, theirs = view.reading.mid, other.mid
    if mine is None or theirs is None or other.tokens is None:
        return None
    towards = head.direction(*columns) * (-np.sign(before) or 1.0)
    says = head.against_background(view.tokens) @ towards / len(view.tokens)
    offered = head.against_background(flat(other.tokens)) @ towards / len(view.tokens)
    here, there = regions(view.reading), regions(other)
    moves: list[tuple[float, int, int, int | None]] = []
    for part in here.keys() & there.keys():
        alike = _unit(flat(mine)[here[part]]) @ _unit(flat(theirs)[there[part]]).T
        for n, m in zip(here[part].tolist(), there[part][alike.argmax(1)].tolist(), strict=True):
            moves.append((float(offered[m] - says[n]), n, m, part))
    moves = sorted((one for one in moves if one[0] > 0), key=lambda one: -one[0])
    until = np.cumsum([move for move, *_ in moves])
    needed = int(np.searchsorted(until, abs(before), side="right")) + 1
    if needed > min(len(moves), int(MOST_CELLS * len(says))):
        return None
    kept = moves[:needed]
    names = {part.id: part.name or f"part {part.id + 1}" for part in view.reading.parts}
    by_part: dict[str, float] = {}
    for move, _, _, part in kept:
        name = "" if part is None else names[part]
        by_part[name] = by_part.get(name, 0.0) + move
    (rows, columns_here, _), (rows_there, columns_there, _) = view.reading.assignment.shape, other.assignment.shape
    return Flip(
        image=image,
        taxon=taxon,
        here=tuple(n for _, n, _, _ in kept),
        there=tuple(m for _, _, m, _ in kept),
        grid_here=(rows, columns_here),
        grid_there=(rows_there, columns_there),
        parts=tuple(sorted(filter(None, by_part), key=lambda name: -by_part[name])),
        before=before,
        after=before - float(np.sign(before) or 1.0) * float(until[needed - 1]),
    )


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
