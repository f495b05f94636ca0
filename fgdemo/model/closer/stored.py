"""What was learned of two views, as the field `closer` of a card, and back; older cards have none."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from fgdemo.model.closer.two_views import CloserCalibration
from fgdemo.model.unknown import RANKS, UnknownScale

SCALES = ("logit", "distance", "average")
MOST_SCALE = 1e12
"""A temperature beyond it, or below its inverse, leaves nothing of the logits."""


def to_card(closer: CloserCalibration | None) -> dict[str, Any]:
    """The field, or nothing."""
    if closer is None:
        return {}
    return {
        "closer": {
            "temperature": closer.temperature,
            "set_prob": closer.set_prob,
            "sure_prob": closer.sure_prob,
            "pictures": closer.pictures,
            "unknown": {name: getattr(closer.unknown, name).tolist() for name in SCALES},
        }
    }


def from_card(card: Mapping[str, Any]) -> CloserCalibration | None:
    """The inverse, of a card of the right form (`card_form`). Raises ValueError."""
    told = card.get("closer")
    if told is None:
        return None
    if not 1 / MOST_SCALE < told["temperature"] < MOST_SCALE:
        raise ValueError("the temperature of two views must be positive and of an ordinary size")
    return CloserCalibration(
        temperature=float(told["temperature"]),
        set_prob=float(told["set_prob"]),
        sure_prob=float(told["sure_prob"]),
        unknown=unknown_scale(told["unknown"]),
        pictures=int(told["pictures"]),
    )


def unknown_scale(told: Mapping[str, Any]) -> UnknownScale:
    """Quantiles of the scores of unknown things. Raises ValueError."""
    return UnknownScale(*(_points(told, name) for name in SCALES))


def _points(scale: Mapping[str, Any], name: str) -> np.ndarray:
    try:
        points = np.array(scale[name], np.float64)
    except (TypeError, ValueError):
        points = np.empty(0)
    if points.shape != RANKS.shape or not np.isfinite(points).all():
        raise ValueError(f"the scale {name} of what is unknown must be a list of {len(RANKS)} numbers")
    return points
