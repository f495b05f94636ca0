"""Which labelled pictures of the workspace are nearest."""

from __future__ import annotations

import numpy as np
import pytest

from fgdemo.storage.embeddings.embeddings import Embeddings, Looks, LooksShape
from fgdemo.storage.embeddings.library import Library
from tests.support.workspace import coloured, open_fake_workspace


@pytest.fixture
def workspace(tmp_path):
    opened = open_fake_workspace(tmp_path)
    yield opened
    opened.engine.dispose()


def test_nearest_first_and_only_of_the_taxon(workspace):
    workspace.take_in([coloured("lowchen", 1), coloured("eskimo_dog", 2, "lowchen"), coloured("eskimo_dog", 3)])
    library = Library(workspace.roster, workspace.embeddings, workspace.images)
    white = workspace.embeddings.vectors([workspace.embeddings.rows[workspace.roster.image_ids[0]]])[0] * 7
    found = library.nearest(white, "lowchen")
    assert len(found) == 2
    assert [one.similarity for one in found] == sorted((one.similarity for one in found), reverse=True)
    assert found[0].image_id == workspace.roster.image_ids[0]
    assert not any(one.checked for one in found)
    assert len(library.nearest(white, "lowchen", limit=1)) == 1
    assert library.nearest(white, "nashville_warbler") == ()


def looks(*shades: float) -> Looks:
    n = len(shades)
    return Looks(np.array(shades)[:, None] * np.ones((n, 4)), np.zeros((n, 3, 2)), np.zeros((n, 14, 14, 3)))


IDS = [f"{number:064x}" for number in range(5)]


def test_embeddings_of_another_process_are_found_and_none_is_kept_twice(tmp_path):
    ours, theirs = (Embeddings(tmp_path, "a model/1", LooksShape(4, (14, 14), 3, 2)) for _ in range(2))
    ours.append(IDS[:2], looks(0.5, 1.5))
    theirs.append(IDS[1:4], looks(9, 2.5, 3.5))
    assert dict(ours.rows) == dict(theirs.rows) == {image: row for row, image in enumerate(IDS[:4])}
    assert ours.vectors([1, 3])[:, 0].tolist() == [1.5, 3.5]
    assert ours.missing(IDS) == [IDS[4]]
    assert all(path.parent == tmp_path for path in tmp_path.rglob("*"))


@pytest.mark.parametrize("ending", [".vectors", ".places"])
def test_a_record_that_a_crash_left_half_written_is_cut_off(tmp_path, ending):
    embeddings = Embeddings(tmp_path, "m", LooksShape(4, (14, 14), 3, 2))
    embeddings.append(IDS[:2], looks(1, 2))
    with (tmp_path / f"m{ending}").open("ab") as file:
        file.write(b"\xff" * 7)
    fresh = Embeddings(tmp_path, "m", LooksShape(4, (14, 14), 3, 2))
    assert len(fresh.rows) == 2
    fresh.append(IDS[2:3], looks(3))
    assert fresh.vectors([0, 1, 2])[:, 0].tolist() == [1, 2, 3]
    assert fresh.place(2)[1].shape == (14, 14, 3)
