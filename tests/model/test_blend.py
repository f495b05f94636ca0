"""How far the way from the start weights to the trained ones is gone, and that the network is left there."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from fgdemo.learn.candidate.blend import Blend, choose_blend
from fgdemo.learn.data.embed import embed
from fgdemo.learn.data.pictures import Pictures
from fgdemo.model.backbone import Backbone, DataConfig
from tests.support.tiny import pixel_backbone

CONFIG = DataConfig(64, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
LABELS = np.tile(np.arange(4), 12)


def pictures() -> Pictures:
    """Four kinds: red or not, green or not. Only who sees both colours tells them apart."""
    shades = np.array([[60, 60, 128], [60, 190, 128], [190, 60, 128], [190, 190, 128]])[LABELS]
    shades = shades + np.random.default_rng(0).integers(-20, 21, shades.shape)
    return Pictures(
        pixels=np.repeat(shades, 64, 0).reshape(len(LABELS), 8, 8, 3).astype(np.uint8),
        names=tuple(map(str, range(len(LABELS)))),
        labels=tuple(map(str, LABELS)),
        splits=("train",) * 32 + ("val",) * 16,
        skipped=(),
    )


def gain(backbone: Backbone) -> torch.Tensor:
    return next(backbone.parameters())


def chosen(
    start: Sequence[float],
    trained: Sequence[float],
    shares: Sequence[float],
    seen: dict[float, np.ndarray] | None = None,
) -> tuple[Backbone, Blend]:
    """The shares tried between networks that see so much of red, green and blue."""
    backbone = pixel_backbone(trained)
    before = {key: value.clone() for key, value in pixel_backbone(start).state_dict().items()}
    return backbone, choose_blend(backbone, before, pictures(), LABELS, CONFIG, 4, shares=shares, seen=seen)


@pytest.mark.parametrize(
    ("start", "trained", "shares", "best"),
    [
        ((1, 0, 0), (0, 1, 0), [0.0, 0.5, 1.0], 0.5),
        ((1, 1, 0), (1, 0, 0), [0, 1], 0),
        ((1, 0, 0), (1, 1, 0), [0, 1], 1),
    ],
    ids=["between", "start", "trained"],
)
def test_the_share_of_the_least_brier_score_is_chosen_and_the_network_left_there(
    start: Sequence[float], trained: Sequence[float], shares: Sequence[float], best: float
) -> None:
    backbone, blend = chosen(start, trained, shares)
    brier = {share: one.brier for share, one in blend.tried.items()}
    assert list(brier) == shares
    assert blend.share == best == min(brier, key=lambda share: brier[share])
    assert sorted(brier.values())[1] > brier[best] + 0.1
    np.testing.assert_array_equal(embed(backbone, pictures().pixels, CONFIG), blend.embeddings)
    torch.testing.assert_close(
        gain(backbone), torch.lerp(torch.tensor(start).float(), torch.tensor(trained).float(), best)
    )


def test_of_equals_the_one_nearest_to_the_start_is_chosen() -> None:
    assert chosen((1, 1, 0), (1, 1, 0), [1.0, 0.5, 0.0])[1].share == 0.0


def test_what_is_at_hand_is_not_looked_at_again() -> None:
    known = np.random.default_rng(0).normal(size=(len(LABELS), 3)).astype(np.float32)
    backbone, blend = chosen((1, 0, 0), (0, 1, 0), [0.0], {0.0: known})
    assert blend.embeddings is known
    torch.testing.assert_close(gain(backbone), torch.tensor([1.0, 0.0, 0.0]))
