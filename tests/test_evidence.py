"""Evidence is arithmetic: it sums to the logits over places, parts and both, and so do differences."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fgdemo.explain.evidence import (
    class_map,
    completeness_error,
    contrast,
    contrast_map,
    foreground,
    foreground_share,
    part_evidence,
)
from fgdemo.model.backbone import start_backbone
from fgdemo.model.network import Network
from fgdemo.model.parts import fit_parts
from fgdemo.types import Part, Reading


def reading_of(evidence: np.ndarray, assignment: np.ndarray, bias: np.ndarray) -> Reading:
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


@st.composite
def readings(draw: st.DrawFn) -> Reading:
    rows, columns, parts, classes = (draw(st.integers(low, 6)) for low in (1, 1, 0, 2))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    scores = rng.normal(0, 3, (rows, columns, parts + 1))
    shares = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
    evidence = rng.normal(0, draw(st.sampled_from([1e-3, 1.0, 100.0])), (rows, columns, classes))
    return reading_of(evidence.astype(np.float32), shares.astype(np.float32), rng.normal(0, 1, classes))


@given(readings())
def test_everything_sums_to_the_logits(reading: Reading) -> None:
    size = float(np.abs(reading.evidence).sum())
    np.testing.assert_allclose(part_evidence(reading).sum(0) + reading.bias, reading.logits, atol=1e-5 * (1 + size))
    assert contrast_map(reading, 0, 1).sum() == pytest.approx(
        class_map(reading, 0).sum() - class_map(reading, 1).sum(), abs=1e-5 * (1 + size)
    )
    why = contrast(reading, 0, 1)
    assert sum(bar.difference for bar in why.bars) + why.bias == pytest.approx(
        why.logit_difference, abs=1e-5 * (1 + size)
    )
    back = contrast(reading, 1, 0)
    assert [-bar.difference for bar in back.bars] == pytest.approx([bar.difference for bar in why.bars])


def test_known_answer_two_places_two_parts() -> None:
    # The left place is all wing, the right one half wing, half background.
    assignment = np.array([[[1.0, 0.0, 0.0], [0.5, 0.0, 0.5]]])
    evidence = np.array([[[2.0, 1.0], [-4.0, 6.0]]])
    reading = reading_of(evidence, assignment, np.array([0.25, 0.5]))
    np.testing.assert_allclose(part_evidence(reading), [[0.0, 4.0], [0.0, 0.0], [-2.0, 3.0]])
    why = contrast(reading, 0, 1)
    assert [bar.part.id if bar.part else None for bar in why.bars] == [10, 11, None]
    assert [(bar.for_a, bar.for_b, bar.difference) for bar in why.bars] == [(0, 4, -4), (0, 0, 0), (-2, 3, -5)]
    assert (why.bias, why.logit_difference) == (-0.25, -9.25)
    np.testing.assert_allclose(contrast_map(reading, 0, 1), [[1.0, -10.0]])
    np.testing.assert_allclose(foreground(reading), [[1.0, 0.5]])
    assert foreground_share(reading) == 0.75


def test_evidence_that_does_not_sum_is_noticed() -> None:
    reading = reading_of(np.ones((2, 2, 3)), np.ones((2, 2, 1)), np.zeros(3))
    assert completeness_error(reading) == 0.0
    reading.evidence[0, 0, 1] += 0.01
    assert completeness_error(reading) > 1e-3


@pytest.mark.parametrize("name", ["test_resnet", "test_vit"])
def test_evidence_of_a_network_sums_to_its_logits(name: str) -> None:
    torch.manual_seed(0)
    backbone, config = start_backbone(name, weights="none")
    with torch.inference_mode():
        tokens = backbone(torch.randn(3, 3, config.size_px, config.size_px))
        parts = fit_parts({"bird": tokens}, parts_per_group=3, dims=8)
        origin = tokens.mean((0, 1, 2))
        network = Network(backbone, torch.randn(backbone.dim, 5), torch.randn(5), origin, parts)
        for row in range(3):
            one = tokens[row : row + 1]
            reading = reading_of(
                network.evidence(one)[0].numpy(), network.assignment(one, "bird")[0].numpy(), network.base.numpy()
            )
            logits = network.logits_from_tokens(one)[0].numpy()
            assert np.abs(reading.logits - logits).max() <= 1e-4 * np.abs(logits).max()
            assert np.abs(part_evidence(reading).sum(0) + reading.bias - logits).max() <= 1e-4 * np.abs(logits).max()
