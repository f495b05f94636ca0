"""Evidence cards of a workspace: who is shown what, and pictures that have gone meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fgdemo.services.review import Shown
from fgdemo.values.annotation import Publication
from fgdemo.values.classification.cards import Cards, Side
from fgdemo.values.errors import TaxonomyError
from tests.support.exchanging import MAINTAINER
from tests.support.workspace import FakeWorkspace, open_fake_workspace, some_pictures

A, B = "nashville_warbler", "mourning_warbler"


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[FakeWorkspace]:
    workspace = open_fake_workspace(tmp_path)
    workspace.take_in(some_pictures(6, 1))
    workspace.learner.catch_up()
    yield workspace
    workspace.engine.dispose()


def asked(workspace: FakeWorkspace, image: str) -> Cards:
    assert workspace.labelling.explainer is not None
    found = workspace.labelling.explainer.cards(image, A, B)
    assert found is not None
    return found


def total(side: Side) -> float:
    cards = sum(card.value for card in side.cards)
    return cards + side.same + side.others + side.itself + side.absent + side.start


def test_cards_add_up_and_a_picture_is_no_card_of_itself(workspace: FakeWorkspace) -> None:
    roster = workspace.roster
    image = next(one for one in roster.image_ids if roster.standing(one).taxon == A)
    found = asked(workspace, image)
    assert found.a.cards
    for side in (found.a, found.b):
        assert total(side) == pytest.approx(side.logit, abs=1e-9)
        assert image not in [card.image for card in side.cards]
        assert {roster.standing(card.image).taxon for card in side.cards} <= {side.taxon}
    assert found.a.itself != 0
    assert found.b.itself == 0


def test_a_picture_that_was_removed_meanwhile_is_no_card_and_still_has_its_vote(workspace: FakeWorkspace) -> None:
    roster = workspace.roster
    image = next(one for one in roster.image_ids if roster.standing(one).taxon == A)
    before = asked(workspace, image)
    other = open_fake_again(workspace)
    for card in before.a.cards:
        other.images.remove(card.image)
    after = asked(other, image)
    gone = {card.image for card in before.a.cards}
    assert not gone & {card.image for card in after.a.cards}
    assert after.a.logit - after.b.logit == pytest.approx(before.a.logit - before.b.logit, abs=1e-9)
    for at in roster.image_ids:
        if at not in gone and at != image:
            other.images.remove(at)
    assert asked(other, image).a.cards == ()  # nothing is left to show


def open_fake_again(workspace: FakeWorkspace) -> FakeWorkspace:
    """The same, with nothing read yet."""
    home = Path(str(workspace.engine.url.database)).parent
    again = open_fake_workspace(home)
    again.learner.catch_up()
    return again


def test_unknown_kinds_and_one_kind_alone_are_refused_in_a_sentence(workspace: FakeWorkspace) -> None:
    explainer, image = workspace.labelling.explainer, workspace.roster.image_ids[0]
    assert explainer is not None
    for a, b in ((A, A), (A, "no_such"), ("warbler", B)):
        with pytest.raises(TaxonomyError):
            explainer.cards(image, a, b)
    assert explainer.cards(image, A, "lowchen") is None  # of which no picture is labelled


def test_credit_stands_on_a_card_of_a_published_picture(workspace: FakeWorkspace) -> None:
    roster = workspace.roster
    image = next(one for one in roster.image_ids if roster.standing(one).taxon == A)
    mine = Publication("Mia", "CC0")
    shown = [Shown(one, roster.standing(one).version) for one in roster.image_ids]
    workspace.review.publish(MAINTAINER, shown, mine, "all")
    assert {card.publication for card in asked(workspace, image).a.cards} == {mine}
