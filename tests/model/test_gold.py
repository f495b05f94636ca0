"""Gold is checked first: what is asked, by whom, when, and how a picture leaves it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fgdemo.learn.live.gold_doubts import by_neighbours, pooled
from fgdemo.services.labelling.gold import Gold
from fgdemo.services.labelling.items import Item
from fgdemo.services.labelling.labelling import Labelling
from fgdemo.storage.history.checks import Checks
from fgdemo.storage.history.label_event import LabelEvent
from fgdemo.storage.history.leases import Leases
from fgdemo.values.annotation import Kind, Person
from fgdemo.values.errors import ForbiddenError
from tests.support.workspace import ADA, BO, FakeWorkspace, coloured, open_fake_workspace, some_pictures

MO = Person("mo", "maintainer")


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[FakeWorkspace]:
    opened = open_fake_workspace(tmp_path)
    gold = [coloured("nashville_warbler", 2000 + n, split="test") for n in range(12)]
    wrong = [coloured("nashville_warbler", 3000 + n, "eskimo_dog", "test") for n in range(3)]
    opened.take_in([*some_pictures(12, 0), *gold, *wrong])
    opened.learner.refresh()
    yield opened
    opened.engine.dispose()


def labelling(workspace: FakeWorkspace, *, judging: bool = False) -> Labelling:
    def doubts() -> np.ndarray | None:
        ranking = workspace.learner.ranking()
        neighbours = by_neighbours(workspace.roster, workspace.embeddings)
        return None if ranking is None else pooled([ranking.suspicion, neighbours])

    gold = Gold(workspace.roster, doubts, lambda: judging)
    return Labelling(
        workspace.engine, workspace.roster, workspace.learner, workspace.taxa, workspace.classifier, gold=gold
    )


def say(work: Labelling, session: int, item: Item, taxon: str | None, kind: Kind = "label") -> LabelEvent:
    return work.answer(
        MO,
        session,
        LabelEvent(
            item.image,
            kind,
            "mo",
            taxon=taxon,
            shown_version=item.version,
            session=session,
            reason=item.reason,
            blind=item.blind,
        ),
    )


def test_gold_that_looks_wrong_is_asked_blind_among_as_many_others(workspace: FakeWorkspace) -> None:
    work = labelling(workspace)
    now = work.gold_now(MO)
    assert (now.labelled, now.looks_wrong, now.disputed) == (15, 3, 0)
    session = work.start(MO, "gold", None, None, 0.0).id
    asked = work.next_items(MO, session, [], 8)
    assert len(asked) == 6
    assert all(item.blind and item.given is None and item.reason == "second" for item in asked)
    labels = [workspace.roster.standing(item.image).taxon for item in asked]
    assert labels.count("eskimo_dog") == 3
    for item in asked:
        say(work, session, item, "nashville_warbler")
    assert work.next_items(MO, session, [], 8) == (), "each once"
    now = work.gold_now(MO)
    assert (now.looks_wrong, now.disputed) == (0, 3), "what differs is settled, and what agrees was looked at"
    assert {workspace.roster.standing(item.image).taxon for item in asked} == {"eskimo_dog", "nashville_warbler"}


def test_it_is_for_maintainers_and_never_between_a_training_and_its_verdict(workspace: FakeWorkspace) -> None:
    work = labelling(workspace)
    assert "gold" in {one.order for one in work.works(MO)}
    assert "gold" not in {one.order for one in work.works(ADA)}
    with pytest.raises(ForbiddenError):
        work.start(ADA, "gold", None, None, 0.0)
    with pytest.raises(ForbiddenError):
        work.gold_now(BO)
    session = work.start(MO, "gold", None, None, 0.0).id
    busy = labelling(workspace, judging=True)
    for refused in (lambda: busy.start(MO, "gold", None, None, 0.0), lambda: busy.next_items(MO, session, [], 1)):
        with pytest.raises(ForbiddenError, match="between a training and its verdict"):
            refused()


def last_word(image: str, person: Person, workspace: FakeWorkspace, session: int, kind: str) -> LabelEvent:
    version = workspace.roster.standing(image).version
    return LabelEvent(image, kind, person.name, shown_version=version, session=session, reason="adjudication")  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["unusable", "none"])
def test_a_picture_that_shows_nothing_leaves_gold_by_a_maintainers_word_and_comes_back(
    workspace: FakeWorkspace, kind: str
) -> None:
    work = labelling(workspace)
    image = workspace.roster.image_ids[int(np.flatnonzero(workspace.roster.split == 3)[0])]
    before = workspace.roster.standing(image)
    assert before.split == "gold"
    theirs = work.start(ADA, "suspicion", None, None, 0.0).id
    with pytest.raises(ForbiddenError):
        work.answer(ADA, theirs, last_word(image, ADA, workspace, theirs, kind))
    session = work.start(MO, "adjudication", None, None, 0.0).id
    work.answer(MO, session, last_word(image, MO, workspace, session, kind))
    now = workspace.roster.standing(image)
    assert (now.kind, now.taxon, now.disputed) == (kind, None, False)
    assert work.gold_now(MO).labelled == 14
    work.undo(MO, session)
    assert workspace.roster.standing(image).taxon == before.taxon
    assert work.gold_now(MO).labelled == 15


def test_no_reading_outvotes_the_others() -> None:
    live, other, silent = np.array([1.0, 0.0, 0.5]), np.array([0.02, 0.9, np.nan]), np.full(3, np.nan)
    np.testing.assert_allclose(pooled([live, other, silent]), [0.5, 0.3, 0.5], atol=1e-9)
    assert np.isnan(pooled([silent, silent])).all()


def test_a_random_check_counts_once_and_by_what_stands(workspace: FakeWorkspace) -> None:
    work, checks = labelling(workspace), Checks(workspace.engine)
    session = work.start(MO, "audit", None, None, 0.0).id

    leases = Leases(workspace.engine)

    def answer(image: str, taxon: str | None, kind: Kind = "label", reason: str = "audit") -> None:
        workspace.roster.follow()
        version = workspace.roster.standing(image).version
        leases.take([image], "mo", session, 1, reasons={image: reason})  # as it was dealt
        work.answer(
            MO, session, LabelEvent(image, kind, "mo", taxon, shown_version=version, session=session, reason=reason)
        )  # type: ignore[arg-type]

    undone, wrong, mended, none = (
        workspace.roster.image_ids[row] for row in np.flatnonzero(workspace.roster.split == 0)[:4]
    )
    given = workspace.roster.standing(undone).taxon
    assert given is not None
    answer(undone, "eskimo_dog")
    work.undo(MO, session)
    assert checks.audited(9) == []
    answer(undone, given)
    assert checks.audited(9) == [(given, given)], "checked again after it was taken back: it counts, and once"
    answer(wrong, "eskimo_dog")
    answer(mended, given)
    answer(mended, "eskimo_dog", reason="suspicion")  # somebody looked again
    answer(none, None, "none")
    assert sorted(checks.audited(9), key=str) == sorted(
        [(given, given), (given, "eskimo_dog"), (given, "eskimo_dog"), (given, None)], key=str
    )


@pytest.mark.parametrize("claimed", ["audit", "suspicion", None])
def test_what_a_random_check_is_the_server_knows(workspace: FakeWorkspace, claimed: str | None) -> None:
    """Nobody counts into the estimate, or stays out of it, by what their answer calls itself."""
    work, checks = labelling(workspace), Checks(workspace.engine)
    session = work.start(ADA, "suspicion", None, None, 0.0).id
    image = workspace.roster.image_ids[int(np.flatnonzero(workspace.roster.split == 0)[0])]

    def answer(item: Item) -> LabelEvent:
        return work.answer(
            ADA,
            session,
            LabelEvent(
                item.image,
                "label",
                "ada",
                "eskimo_dog",
                shown_version=item.version,
                session=session,
                reason=claimed,
            ),
        )

    assert answer(work.item(ADA, image)).reason is None, "it was not dealt at all"
    assert checks.audited(9) == []
    work.close(ADA, session)
    session = work.start(ADA, "audit", None, None, 0.0).id
    (dealt,) = work.next_items(ADA, session, [], 1)
    assert answer(dealt).reason == "audit"
    assert len(checks.audited(9)) == 1


def test_a_second_opinion_stays_blind_whatever_the_answer_calls_itself(workspace: FakeWorkspace) -> None:
    work = labelling(workspace)
    session = work.start(MO, "gold", None, None, 0.0).id
    asked = work.next_items(MO, session, [], 1)[0]
    assert work.item(MO, asked.image).given is None, "nor is it shown again with its label"
    kept = say(work, session, replace(asked, blind=False, reason="suspicion"), "mourning_warbler")
    assert (kept.blind, kept.reason) == (True, "second")
