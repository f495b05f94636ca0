"""Pictures for everybody: only a maintainer says which, no import does, and a withdrawal counts at once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from fgdemo.services.classify.references import examples
from fgdemo.services.review import Filter, Shown
from fgdemo.storage.embeddings.library import Library
from fgdemo.storage.history.events import EventLog
from fgdemo.storage.history.label_event import LabelEvent, NewPicture
from fgdemo.storage.history.publications import PublicationLog
from fgdemo.storage.history.roster import Roster
from fgdemo.storage.people.audit import Audit
from fgdemo.storage.pictures.originals import image_id_of
from fgdemo.values.annotation import VISITOR, Person, Publication
from fgdemo.values.errors import ForbiddenError, StaleError, StorageError
from tests.support.exchanging import MAINTAINER, exchange_of
from tests.support.workspace import ADA, FakeWorkspace, coloured, open_fake_workspace, some_pictures

MINE = Publication("Mia Miller", "CC BY 4.0")
OURS = Publication("The museum", "CC0")


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[FakeWorkspace]:
    workspace = open_fake_workspace(tmp_path)
    workspace.take_in(some_pictures(4, 1))
    workspace.roster.follow()
    yield workspace
    workspace.engine.dispose()


def shown(workspace: FakeWorkspace, *rows: int) -> list[Shown]:
    standing = [workspace.roster.standing(workspace.roster.image_ids[row]) for row in rows]
    return [Shown(one.image, one.version) for one in standing]


def public(workspace: FakeWorkspace) -> list[int]:
    workspace.roster.follow()
    afresh = Roster(workspace.engine)
    afresh.follow()
    assert afresh.is_public.tolist() == workspace.roster.is_public.tolist()
    return workspace.roster.is_public.nonzero()[0].tolist()


def test_a_maintainer_publishes_and_withdraws_and_takes_both_back(workspace: FakeWorkspace) -> None:
    review, roster = workspace.review, workspace.roster
    before = [roster.standing(image) for image in roster.image_ids]
    first, tiles = review.publish(MAINTAINER, shown(workspace, 0, 2), MINE, "one")
    assert [tile.published for tile in tiles] == [True, True]
    assert public(workspace) == [0, 2]
    assert roster.publications(roster.image_ids.at([0, 1])) == {roster.image_ids[0]: MINE}
    assert review.publish(MAINTAINER, shown(workspace, 0, 2), MINE, "one")[0] == first  # sent twice
    assert len(EventLog(workspace.engine).by_batch(first)) == 2
    review.publish(MAINTAINER, shown(workspace, 2), OURS, "two")
    with pytest.raises(StaleError):
        review.undo(MAINTAINER, first)
    assert public(workspace) == [0, 2]
    gone, _ = review.publish(MAINTAINER, shown(workspace, 0, 2), None, "three")
    assert (public(workspace), roster.publications(list(roster.image_ids))) == ([], {})
    for _ in range(2):  # twice is once
        review.undo(MAINTAINER, gone)
        assert public(workspace) == [0, 2]
        assert set(roster.publications(list(roster.image_ids)).values()) == {MINE, OURS}
    assert [roster.standing(image) for image in roster.image_ids] == before  # no label, and no version
    kept = [(entry.action, entry.person, entry.about) for entry in Audit(workspace.engine).newest()]
    assert kept[0] == ("publish", "mia", "2 pictures published: Mia Miller, CC BY 4.0")
    assert len(kept) == 4


def test_whoever_is_no_maintainer_publishes_nothing_and_takes_nothing_back(workspace: FakeWorkspace) -> None:
    batch, _ = workspace.review.publish(MAINTAINER, shown(workspace, 0), MINE, "one")
    for person in (ADA, VISITOR, Person("mia", "expert")):
        for publication in (MINE, None):
            with pytest.raises(ForbiddenError):
                workspace.review.publish(person, shown(workspace, 0, 1), publication, "two")
        with pytest.raises(ForbiddenError):
            workspace.review.undo(person, batch)
    assert public(workspace) == [0]


def test_only_the_nearest_published_ones_are_shown_to_visitors(workspace: FakeWorkspace) -> None:
    library = Library(workspace.roster, workspace.embeddings, workspace.images)
    taxon = workspace.roster.taxa[0]
    rows = (workspace.roster.taxon == 0).nonzero()[0].tolist()
    embedding = workspace.embeddings.vectors([0])[0]
    assert library.nearest(embedding, taxon, only_public=True) == ()
    workspace.review.publish(MAINTAINER, shown(workspace, rows[1]), MINE, "one")
    image = workspace.roster.image_ids[rows[1]]
    assert [one.image_id for one in library.nearest(embedding, taxon, only_public=True)] == [image]
    assert len(library.nearest(embedding, taxon)) > 1
    assert library.is_public(image)
    workspace.review.publish(MAINTAINER, shown(workspace, rows[1]), None, "two")
    assert not library.is_public(image)
    assert library.nearest(embedding, taxon, only_public=True) == ()
    assert not library.is_public("0" * 64)


def test_what_loses_its_label_is_shown_to_nobody_any_more(workspace: FakeWorkspace) -> None:
    items = shown(workspace, 0)
    workspace.review.publish(MAINTAINER, items, MINE, "one")
    (batch, _) = workspace.review.answer(ADA, items, "unusable", None, "out")
    assert public(workspace) == []
    workspace.review.undo(ADA, batch)
    assert public(workspace) == [0]


def test_gold_visitors_pictures_bare_ones_and_stale_ones_are_refused_whole(workspace: FakeWorkspace) -> None:
    review, roster = workspace.review, workspace.roster
    left = coloured("lowchen", 700)
    workspace.take_in([coloured("lowchen", 600, ""), coloured("lowchen", 601, split="test")], run="2")
    workspace.events.append_with_picture(
        LabelEvent(image_id_of(left.load()), "label", "ada", taxon="lowchen"),
        NewPicture(left.load(), 160, 120, "visitor", None, "v.png"),
        workspace.images,
    )
    roster.follow()
    standings = [roster.standing(image) for image in roster.image_ids]
    golden = next(row for row, one in enumerate(standings) if one.split == "gold")
    bare = next(row for row, one in enumerate(standings) if one.taxon is None)
    visitors = roster.row_of[image_id_of(left.load())]
    stale = [Shown(one.image, one.version + 1) for one in shown(workspace, 1)]
    strange = [Shown("0" * 64, 0)]
    for wrong, error, words in (
        (shown(workspace, golden), ForbiddenError, "Gold"),
        (shown(workspace, visitors), ForbiddenError, "visitor"),
        (shown(workspace, bare), StorageError, "no|none"),
        (stale, StaleError, "meanwhile"),
        (strange, StorageError, "not in the workspace"),
        (shown(workspace, 0), StorageError, "Choose"),  # twice
        (shown(workspace, *range(len(roster))) * 200, StorageError, "Choose"),
    ):
        with pytest.raises(error, match=words):
            review.publish(MAINTAINER, [*shown(workspace, 0), *wrong], MINE, words)
        assert public(workspace) == []


@pytest.mark.parametrize("credit", ["", "  ", "two\nlines", "x" * 201, "a‮b", " Mia"])
def test_credit_is_one_line_that_says_something(credit: str) -> None:
    with pytest.raises(StorageError):
        Publication(credit, "CC0")
    with pytest.raises(StorageError):
        Publication("Mia", credit and credit * 2)


def test_the_grid_shows_the_published_ones_alone(workspace: FakeWorkspace) -> None:
    workspace.review.publish(MAINTAINER, shown(workspace, 3), MINE, "one")
    found = workspace.review.grid(ADA, Filter(state="published"))
    assert [tile.image for tile in found.tiles] == [workspace.roster.image_ids[3]]


def test_no_import_publishes_or_withdraws_whatever_it_says(workspace: FakeWorkspace, tmp_path: Path) -> None:
    out, home = tmp_path / "out", tmp_path / "other"
    home.mkdir()
    workspace.review.publish(MAINTAINER, shown(workspace, 0, 1), MINE, "one")
    exchange_of(workspace, tmp_path).export_to(MAINTAINER, out, "jsonl")
    other = open_fake_workspace(home)
    report = exchange_of(other, home).import_from(MAINTAINER, [out])
    assert report.skipped == ()
    assert any("published" in note for note in report.notes)
    assert public(other) == []
    history = other.events.history(workspace.roster.image_ids[0])
    assert [(one.kind, one.reason) for one in history] == [("import", None), ("publish", "elsewhere: publish")]
    assert (history[-1].publication, history[-1].annotator) == (MINE, "mia")  # said, and it counts for nothing
    # A forger takes back a withdrawal, and withdraws what is published here.
    for row in (0, 1):
        image = other.roster.row_of[workspace.roster.image_ids[row]]
        other.review.publish(MAINTAINER, shown(other, image), MINE, f"here {row}")
    withdrawn = workspace.roster.image_ids[0]
    other.review.publish(MAINTAINER, [Shown(withdrawn, other.roster.standing(withdrawn).version)], None, "not any more")
    forge(out, [one for one in other.events.history(withdrawn) if one.reason is None], withdrawn)
    exchange_of(other, home).import_from(MAINTAINER, [out])
    assert public(other) == [other.roster.row_of[workspace.roster.image_ids[1]]]
    other.engine.dispose()


def forge(out: Path, history: list[LabelEvent], image: str) -> None:
    """The same events, the last of them taken back; and the other picture withdrawn."""
    lines = [json.loads(line) for line in (out / "workspace.jsonl").read_text().splitlines()]
    forged = []
    for line in lines:
        mine = line["type"] == "event" and line["image"] == image
        if not mine:
            if line.get("kind") == "publish":
                forged.append({**line, "id": 9001, "kind": "withdraw", "publication": None})
            forged.append(line)
        if line["type"] == "picture" and line["image"] == image:
            for said in history:
                told = {"type": "event", "id": said.id, "image": image, "kind": said.kind, "annotator": said.annotator}
                words = {"credit": MINE.credit, "licence": MINE.licence} if said.kind == "publish" else None
                forged.append({**told, "taxon": said.taxon, "created_at": said.created_at, "publication": words})
            undo = {"type": "event", "id": 9000, "image": image, "kind": "undo", "annotator": "mia"}
            forged.append({**undo, "undoes": history[-1].id, "created_at": history[-1].created_at})
    (out / "workspace.jsonl").write_text("".join(json.dumps(line) + "\n" for line in forged))


def test_an_event_of_a_publication_says_whose_picture_it_is(workspace: FakeWorkspace) -> None:
    image = workspace.roster.image_ids[0]
    for kind, publication in (("publish", None), ("withdraw", MINE), ("label", MINE)):
        with pytest.raises(StorageError):
            LabelEvent(image, kind, "mia", taxon="lowchen", publication=publication)  # type: ignore[arg-type]
    log = PublicationLog(workspace.engine)
    said = LabelEvent(image, "withdraw", "mia", answer_key="w")
    log.append([said, LabelEvent(workspace.roster.image_ids[1], "withdraw", "mia", answer_key="x")])
    assert public(workspace) == []  # what never was public may be withdrawn all the same
    with pytest.raises(StorageError, match="Only an answer"):
        workspace.events.undo([workspace.events.history(image)[-1].id or 0], MAINTAINER)


def test_examples_are_of_each_kind_in_turn_and_only_published_ones(workspace: FakeWorkspace) -> None:
    library = Library(workspace.roster, workspace.embeddings, workspace.images)
    assert examples(library) == ()
    workspace.review.publish(MAINTAINER, shown(workspace, 0, 1, 2, 4, 5, 8), MINE, "one")
    rows = [workspace.roster.row_of[one.image_id] for one in examples(library)]
    assert rows == [0, 4, 8, 1, 5, 2]
    assert [workspace.roster.row_of[one.image_id] for one in examples(library, 4)] == rows[:4]
    workspace.review.publish(MAINTAINER, shown(workspace, 4), None, "two")
    found = examples(library)
    assert [workspace.roster.row_of[one.image_id] for one in found] == [0, 5, 8, 1, 2]
    assert {one.publication for one in found} == {MINE}
