"""Part maps on planted tokens."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fgdemo.model.parts import fit_parts, foreground_line, loudness

DIM = 12
WEIGHT = torch.eye(DIM)
"""Of a classifier with a class for each direction."""


def planted(n: int = 12, rows: int = 8, columns: int = 6, seed: int = 0) -> tuple[torch.Tensor, np.ndarray]:
    """(n, rows, columns, DIM) tokens: background about e_0, in the middle a thing whose upper half is about e_1 and
    whose lower half is about e_2; and the plan (rows, columns) of 0, 1, 2."""
    plan = np.zeros((rows, columns), int)
    plan[2:4, 1:5], plan[4:6, 1:5] = 1, 2
    noise = np.random.default_rng(seed).normal(size=(n, rows, columns, DIM)) * 0.05
    return torch.from_numpy(np.eye(DIM)[plan] + noise).float() * 9, plan


def test_planted_parts_are_found() -> None:
    tokens, plan = planted()
    parts = fit_parts({"bird": tokens}, WEIGHT, parts_per_group=2, dims=4)
    shares = parts.assign(tokens, "bird").numpy()
    assert shares.shape == (12, 8, 6, 3)
    assert (shares[..., 2][:, plan == 0] > 0.9).mean() > 0.95
    upper, lower = shares[:, plan == 1].reshape(-1, 3), shares[:, plan == 2].reshape(-1, 3)
    first = int(upper[0, :2].argmax())
    assert (upper[:, first] > 0.9).all()
    assert (lower[:, 1 - first] > 0.9).all()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.floats(0.01, 100))
def test_shares_sum_to_one_for_any_tokens(seed: int, scale: float) -> None:
    parts = fit_parts({"a": planted()[0], "b": planted(seed=1)[0]}, WEIGHT, parts_per_group=3, dims=5)
    tokens = torch.randn(2, 3, 5, DIM, generator=torch.Generator().manual_seed(seed)) * scale
    for group in ("a", "b"):
        shares = parts.assign(tokens, group)
        assert shares.shape == (2, 3, 5, 4)
        assert (shares >= 0).all()
        torch.testing.assert_close(shares.sum(-1), torch.ones(2, 3, 5))
    # The length of a token is nothing it belongs to a part by.
    torch.testing.assert_close(parts.assign(tokens, "a"), parts.assign(tokens * 3, "a"), atol=1e-4, rtol=1e-3)


def test_parts_are_places_of_the_thing_whatever_its_colour() -> None:
    """Each picture's thing has a colour of its own, stronger than what tells its upper half from its lower."""
    tokens, plan = planted(n=16)
    colours = torch.eye(DIM)[6 + torch.arange(16) % 4] * 20
    tokens = tokens + colours[:, None, None] * torch.from_numpy(plan > 0).float()[None, :, :, None]
    shares = fit_parts({"bird": tokens}, WEIGHT, parts_per_group=2).assign(tokens, "bird").numpy()
    upper, lower = (shares[:, plan == half, :2].mean((0, 1)) for half in (1, 2))
    assert upper.argmax() != lower.argmax()
    assert min(upper.max(), lower.max()) > 0.8


def test_each_group_has_parts_of_its_own() -> None:
    parts = fit_parts({"bird": planted()[0], "dog": planted(seed=2)[0]}, WEIGHT, parts_per_group=2)
    assert [part.id for part in parts.parts] == [0, 1, 2, 3]
    assert [part.id for part in parts.of_group("dog")] == [2, 3]
    assert parts.group_of("dog") == "dog"
    assert len(parts.prototypes) == 4


def test_one_set_of_parts_for_a_flat_taxonomy() -> None:
    parts = fit_parts({"": planted()[0]}, WEIGHT, parts_per_group=2)
    assert parts.group_of("any_leaf") == ""
    assert len(parts.of_group(parts.group_of("any_leaf"))) == 2


def test_a_group_without_parts_is_all_background() -> None:
    parts = fit_parts({"bird": planted()[0]}, WEIGHT, parts_per_group=2)
    shares = parts.assign(planted()[0], parts.group_of("dog"))
    assert shares.shape[-1] == 1
    assert (shares == 1).all()


def test_what_says_most_about_the_kinds_is_foreground() -> None:
    tokens, plan = planted()
    for row in range(12):  # wherever it is, but for the border
        tokens[row] = torch.roll(tokens[row], shifts=(row % 3 - 1, 0), dims=(0, 1))
    fore = fit_parts({"": tokens}, WEIGHT).foreground(tokens, "").numpy() > 0.5
    for row in range(12):
        np.testing.assert_array_equal(fore[row], np.roll(plan > 0, (row % 3 - 1, 0), (0, 1)))


def test_what_is_loud_along_the_border_too_is_background() -> None:
    """A net behind the thing, in some pictures, about which the classifier has learned a lot."""
    tokens, plan = planted()
    thing = torch.from_numpy(plan > 0)
    net = ~thing & (torch.arange(6) % 2 == 0)
    tokens[::3, net] += 20 * torch.eye(DIM)[9]
    loud = torch.from_numpy(loudness(tokens, WEIGHT))
    assert float(loud[::3, net].mean()) > float(loud[:, thing].mean())
    fore = fit_parts({"": tokens}, WEIGHT).foreground(tokens, "")
    assert float(fore[:, ~thing].mean()) < 0.1
    assert float(fore[:, thing].mean()) > 0.8


@pytest.mark.parametrize("shape", [(3, 2, 2, 4), (1, 3, 3, 4), (2, 1, 1, 4)])
def test_grids_too_coarse_to_tell_are_all_foreground(shape: tuple[int, ...]) -> None:
    tokens = torch.from_numpy(np.random.default_rng(0).normal(size=shape)).float()
    parts = fit_parts({"": tokens}, torch.eye(4), parts_per_group=2)
    fore = parts.foreground(tokens, "")
    assert fore.shape == shape[:3]
    assert torch.isfinite(parts.assign(tokens, "")).all()
    assert bool((fore == 1).all()) == (shape[1] < 3 or shape[0] == 1)


def test_identical_tokens_do_not_stop_the_fit() -> None:
    tokens = torch.ones(3, 6, 6, 4)
    shares = fit_parts({"": tokens}, torch.eye(4), parts_per_group=2).assign(tokens, "")
    assert torch.isfinite(shares).all()
    torch.testing.assert_close(shares.sum(-1), torch.ones(3, 6, 6))


def test_the_share_of_the_thing_is_the_logistic_of_the_line() -> None:
    tokens = planted(seed=3)[0] + torch.randn(12, 8, 6, DIM, generator=torch.Generator().manual_seed(1)) * 3
    parts = fit_parts({"a": tokens, "b": planted()[0]}, WEIGHT, parts_per_group=2)
    places = (torch.nn.functional.normalize(tokens, dim=-1) - parts.mean) @ parts.projection
    line = foreground_line(places.numpy(), loudness(tokens, WEIGHT))
    assert line is not None
    log_odds = torch.from_numpy(places.numpy() @ line[0] - line[1]).float()
    torch.testing.assert_close(parts.foreground(tokens, "a"), torch.sigmoid(log_odds), atol=1e-3, rtol=1e-3)
    assert 0.2 < float((log_odds > 0).float().mean()) < 0.5
