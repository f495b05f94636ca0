"""The same place of two pictures: which place of one looks like a place of the other, and how surely it is the same.

    c[n, m] = ½ (u_n · u_m) + ½ (v_n · v_m)                              likeness of place n of A and place m of B
    r[n, m] = 2 c[n, m] / T − ln Σ_n' exp(c[n', m] / T)                  m for n, and n before all others for m
    m(n)    = argmax_m of r, of which a place's four neighbours are a part
    sureness[n] = c[n, m(n)] + 0.1 ln p[n],      p = softmax of r over m, at m(n)

u are mid tokens (`fgdemo.model.tap`) and v last tokens of one pass, of unit length: the former know where, the latter
what. T follows the spread of c in the pair, so that it suits any network. r is the logarithm of a dual softmax (Rocco
et al. 2018; Sun et al. 2021, LoFTR): a nearest neighbour counts as far as it is mutual. Between tokens the highest
place is that of a parabola through the neighbours, and matches of neighbouring places are interpolated where they lie
together. Chosen on one half of `benchmarks/same_place.py`, which reports on the other.

Nothing is seen of a place that is hidden in the other picture: a match is drawn only where its sureness is at least
that which 95 % of true matches reach. The card of a model has that number.
"""

from dataclasses import dataclass

import numpy as np

from fgdemo.values.types import Reading

WARMTH = 0.5
"""T in standard deviations of c."""
BESIDE = 0.3
"""So much of r at a place is that of its four neighbours."""
SHARE = 0.1
"""What ln p weighs in the sureness: of two places that look alike, neither is sure."""
TOGETHER = 2.5
"""Matches of neighbouring places are interpolated where they are no further apart than so many tokens."""

LEAST_SURENESS = 0.15
"""Of models whose card has none of its own."""
RING = 1.5
"""Radius of the ring that is drawn about a place, in tokens."""


@dataclass(frozen=True)
class Place:
    """A place of a picture: fractions of what was read of it, in [0, 1], from its upper left corner."""

    x: float
    y: float
    sureness: float
    """That it is the same place: 1 at most, for the same pixels; high is good."""


def matches(one: Reading, other: Reading) -> tuple[np.ndarray, np.ndarray] | None:
    """(h, w, 3): x, y and sureness of the match in `other` of each place of `one`, and the same the other way.

    None where a reading kept no tokens. Without mid tokens of both the last tokens answer alone.
    """
    c = likeness(one, other)
    if c is None:
        return None
    warmth = max(WARMTH * float(c.std()), 1e-6)
    sides = (_grid(one), _grid(other))
    return _matched(c, warmth, *sides), _matched(c.T, warmth, *sides[::-1])


def likeness(one: Reading, other: Reading) -> np.ndarray | None:
    """(h · w, h' · w') mean cosine of mid and last tokens, in [-1, 1]; None as for `matches`."""
    if one.tokens is None or other.tokens is None:
        return None
    last = _unit(one.tokens) @ _unit(other.tokens).T
    if not has_mid(one) or not has_mid(other) or one.mid is None or other.mid is None:
        return last
    return (_unit(one.mid) @ _unit(other.mid).T + last) / 2


def has_mid(reading: Reading) -> bool:
    """Whether it knows of each place what the network knew halfway, on the grid of its tokens."""
    mid, tokens = reading.mid, reading.tokens
    return mid is not None and tokens is not None and mid.shape[:2] == tokens.shape[:2]


def at(found: np.ndarray, x: float, y: float) -> Place:
    """The match of a place between those of (h, w, 3) matches, which are interpolated where they lie together."""
    rows, columns = found.shape[:2]
    (top, bottom), down = _between(y, rows)
    (left, right), across = _between(x, columns)
    weight = np.array([(1 - down) * (1 - across), (1 - down) * across, down * (1 - across), down * across])
    near = found[[top, top, bottom, bottom], [left, right, left, right]]
    best = near[int(weight.argmax())]
    apart = np.hypot((near[:, 0] - best[0]) * columns, (near[:, 1] - best[1]) * rows)
    weight = weight * (apart <= TOGETHER)
    return Place(*((weight @ near) / weight.sum()).tolist())


def inside(signed_map: np.ndarray, x: float, y: float) -> float:
    """What the places of an (h, w) map say that lie within the ring around a place: a part of the sum of the map."""
    rows, columns = signed_map.shape
    at_row, at_column = np.mgrid[0:rows, 0:columns] + 0.5
    return float(signed_map[np.hypot(at_row - y * rows, at_column - x * columns) <= RING].sum())


def _between(fraction: float, count: int) -> tuple[tuple[int, int], float]:
    """The two places of a line on whose middles a point lies, and how far it is from the first to the second."""
    at_place = min(max(fraction * count - 0.5, 0.0), count - 1.0)
    first = min(int(at_place), max(count - 2, 0))
    return (first, min(first + 1, count - 1)), at_place - first


def _matched(c: np.ndarray, warmth: float, grid: tuple[int, int], other: tuple[int, int]) -> np.ndarray:
    heights = 2 * c / warmth - _log_sum(c / warmth)
    padded = np.pad(heights.reshape(-1, *other), ((0, 0), (1, 1), (1, 1)), mode="edge")
    around = padded[:, :-2, 1:-1] + padded[:, 2:, 1:-1] + padded[:, 1:-1, :-2] + padded[:, 1:-1, 2:]
    heights = (1 - BESIDE) * padded[:, 1:-1, 1:-1] + BESIDE * around / 4
    flat = heights.reshape(len(c), -1)
    best, every = flat.argmax(1), np.arange(len(c))
    share = -np.log(np.exp(flat - flat.max(1, keepdims=True)).sum(1))
    row, column = best // other[1], best % other[1]
    padded = np.pad(heights, ((0, 0), (1, 1), (1, 1)), mode="edge")  # at an edge the parabola has its middle there
    across = _peak(*(padded[every, row + 1, column + step] for step in range(3)))
    down = _peak(*(padded[every, row + step, column + 1] for step in range(3)))
    across[(column == 0) | (column == other[1] - 1)] = 0
    down[(row == 0) | (row == other[0] - 1)] = 0
    x, y = (column + across + 0.5) / other[1], (row + down + 0.5) / other[0]
    return np.stack([x, y, c[every, best] + SHARE * share], -1).reshape(*grid, 3)


def _peak(before: np.ndarray, middle: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Where between −½ and ½ a parabola through three neighbouring values is highest."""
    bend = before - 2 * middle + after
    is_peak = bend < -1e-9
    return np.where(is_peak, np.clip((before - after) / 2 / np.where(is_peak, bend, -1), -0.5, 0.5), 0.0)


def _log_sum(values: np.ndarray) -> np.ndarray:
    """ln Σ exp down each column."""
    largest = values.max(0)
    return largest + np.log(np.exp(values - largest).sum(0))


def _grid(reading: Reading) -> tuple[int, int]:
    assert reading.tokens is not None
    return reading.tokens.shape[0], reading.tokens.shape[1]


def _unit(tokens: np.ndarray) -> np.ndarray:
    """(h, w, D) → (h · w, D) of unit length."""
    flat = tokens.reshape(-1, tokens.shape[-1]).astype(np.float32)
    return flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-9)
