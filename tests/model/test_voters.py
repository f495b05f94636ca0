"""Which pictures of a workspace the head of a checkpoint has learned from, while more of them come in."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from fgdemo.learn.live.voters import CheckpointVoters
from fgdemo.model.classifier import Classifier
from fgdemo.model.head import RidgeHead
from tests.support.workspace import FakeWorkspace, open_fake_workspace, some_pictures

A, B = "nashville_warbler", "mourning_warbler"


def learned_from(workspace: FakeWorkspace, images: list[str]) -> Any:
    """A classifier whose head was fitted to these pictures, with what it needs of a real one."""
    taxonomy, roster, embeddings = workspace.classifier.taxonomy, workspace.roster, workspace.embeddings
    rows = np.array([roster.row_of[image] for image in images])
    labels = np.array([taxonomy.leaf_index[roster.standing(image).taxon or ""] for image in images])
    head = RidgeHead.fit(
        embeddings.vectors(embeddings.rows_of(roster.image_ids.raw(rows))), labels, len(taxonomy.leaves)
    )
    head = replace(head, members=roster.image_ids.words(rows, 0), member_classes=labels.astype(np.int16))
    needed = {"calibration": SimpleNamespace(temperature=1.0), "origin": np.zeros(4, np.float32)}
    return cast(Classifier, SimpleNamespace(head=head, taxonomy=taxonomy, **needed))


def test_those_it_learned_from_vote_and_pictures_that_come_later_do_not(tmp_path: Path) -> None:
    workspace = open_fake_workspace(tmp_path)
    workspace.take_in(some_pictures(6, 1))
    roster = workspace.roster
    roster.follow()
    known = [image for image in roster.image_ids if roster.standing(image).taxon in (A, B)]
    left_out = known.pop()
    voters = CheckpointVoters(learned_from(workspace, known), roster, workspace.embeddings)

    def voting() -> dict[str, set[str]]:
        found = voters.of((A, B))
        assert found is not None
        for one in found[1].values():
            assert len(one.images) == len(one.vectors) == len(one.weights)
        return {leaf: set(one.images) for leaf, one in found[1].items()}

    expected = {leaf: {image for image in known if roster.standing(image).taxon == leaf} for leaf in (A, B)}
    assert voting() == expected
    assert left_out not in voting()[A] | voting()[B]
    workspace.take_in(some_pictures(9, 2), "2")
    assert len(roster) > len(known) + 1
    assert voting() == expected
    workspace.engine.dispose()


@pytest.mark.parametrize("before", [0, 1])
def test_one_that_comes_in_after_the_first_question_votes(tmp_path: Path, before: int) -> None:
    """The checkpoint came from elsewhere, and its pictures are brought in now."""
    whole = open_fake_workspace(tmp_path / "whole")
    whole.take_in(some_pictures(6, 1))
    whole.roster.follow()
    known = [image for image in whole.roster.image_ids if whole.roster.standing(image).taxon in (A, B)]
    classifier = learned_from(whole, known)
    here = open_fake_workspace(tmp_path / "here")
    voters = CheckpointVoters(classifier, here.roster, here.embeddings)
    for _ in range(before):
        found = voters.of((A, B))
        assert found is not None
        assert [one.images for one in found[1].values()] == [(), ()]
    here.take_in(some_pictures(6, 1))
    found = voters.of((A, B))
    assert found is not None
    assert {image for one in found[1].values() for image in one.images} == set(known)
    for workspace in (whole, here):
        workspace.engine.dispose()
