"""A reading made of given numbers."""

from __future__ import annotations

import numpy as np

from fgdemo.values.types import Part, Reading


def reading_of(evidence: np.ndarray, assignment: np.ndarray, bias: np.ndarray) -> Reading:
    """Args: evidence (h, w, C), assignment (h, w, K + 1) with the background last, bias (C,)."""
    logits = (evidence.sum((0, 1), dtype=np.float64) + bias).astype(np.float32)
    probs = np.exp(logits - logits.max())
    return Reading(
        logits=logits,
        probs=probs / probs.sum(),
        evidence=evidence,
        bias=bias,
        assignment=assignment,
        parts=tuple(Part(10 + k, None, "bird") for k in range(assignment.shape[-1] - 1)),
        embedding=np.ones(1, np.float32),
        unknown_score=0.5,
        unknown_threshold=0.95,
    )
