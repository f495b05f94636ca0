"""Which picture to teach next."""

from __future__ import annotations

import torch

from fgdemo.model.taught.choosing import appearance, in_order


def test_the_next_picture_is_alike_to_many_that_are_like_none_yet() -> None:
    generator = torch.Generator().manual_seed(0)
    of_sort = [0] * 10 + [1] * 6 + [2]  # one is like no other: it would teach about itself alone
    appearances = torch.eye(3)[of_sort] + 0.05 * torch.randn(17, 3, generator=generator)
    first, second, third = in_order(appearances, 0)[:3]
    assert (of_sort[first], of_sort[second], of_sort[third]) == (0, 1, 2)
    assert sorted(in_order(appearances, 0)) == list(range(17))
    # Where the first ten are taught, the others of their sort come last.
    assert [of_sort[10 + row] for row in in_order(appearances, 10)[:2]] == [1, 2]
    assert in_order(appearances, 17) == []


def test_what_the_thing_looks_like_leaves_its_background_out() -> None:
    mid = torch.tensor([[[2.0, 0.0], [0.0, 5.0]]])
    assert appearance(mid, torch.tensor([[1.0, 0.0]])).tolist() == [1, 0]
