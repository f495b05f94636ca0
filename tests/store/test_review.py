"""Review: what a filter shows, what one answer does to many pictures, and what the numbers say."""

from __future__ import annotations

import csv
import io
import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fgdemo.services.review import Filter, Shown, StaleBatchError
from fgdemo.services.review.matrix import look_alikes_together
from fgdemo.statistics.agreement import agreement_of
from fgdemo.storage.history.events import LabelEvent
from fgdemo.storage.people.audit import Audit
from fgdemo.values.annotation import VISITOR, Person
from fgdemo.values.errors import FgdemoError, ForbiddenError, StaleError, StorageError, TaxonomyError
from fgdemo.values.taxonomy import Taxon, Taxonomy
from tests.support.workspace import ADA, BO, FakeWorkspace, coloured, open_fake_workspace, some_pictures

CY = Person("cy", "maintainer")
WRONG = Filter(given="mourning_warbler", suggested="nashville_warbler")


@pytest.fixture
def workspace(tmp_path):
    opened = open_fake_workspace(tmp_path)
    yield filled(opened)
    opened.engine.dispose()


@pytest.fixture
def either(tmp_path, database_url):
    """The same on SQLite and on PostgreSQL, for what asks the database by itself."""
    opened = open_fake_workspace(tmp_path, database_url)
    yield filled(opened)
    opened.engine.dispose()


def filled(opened: FakeWorkspace) -> FakeWorkspace:
    opened.take_in(some_pictures(12, 3))
    opened.take_in([coloured("lowchen", 1, split="test")])  # by itself, or val would be drawn from the others
    opened.learner.refresh()
    return opened


def shown(workspace: FakeWorkspace, wanted: Filter = WRONG) -> list[Shown]:
    return [Shown(tile.image, tile.version) for tile in workspace.review.grid(ADA, wanted).tiles]


def said_by(workspace: FakeWorkspace, name: str) -> list[tuple[str, str | None]]:
    return [(said.kind, said.taxon) for said in workspace.events.since(0) if said.annotator == name]


# --- which pictures -------------------------------------------------------------------------------------------


def test_a_group_holds_all_that_lies_below_it(workspace):
    count = {name: workspace.review.grid(ADA, Filter(given=name)).total for name in ("warbler", "bird", "dog")}
    assert count == {"warbler": 27, "bird": 27, "dog": 13}
    assert workspace.review.grid(ADA, Filter(suggested="warbler", given="mourning_warbler")).total == 15


def test_filters_meet(workspace):
    workspace.review.answer(ADA, shown(workspace)[:2], "label", "nashville_warbler", "k")
    total = lambda **by: workspace.review.grid(ADA, Filter(**by)).total  # noqa: E731
    assert total(state="checked") == total(annotator="ada") == 2
    assert total(annotator="ada", split="val") == total(annotator="nobody") == 0
    assert total(split="gold") == total(split="gold", state="unchecked") == 1
    assert total(state="unchecked") == 37  # gold is locked, so it is not asked about
    assert total(imported="1") == total() == 40
    assert total(state="unlabelled") == total(state="unusable") == 0
    with pytest.raises(StorageError):
        Filter(state="'; DROP TABLE image")  # type: ignore[arg-type]
    with pytest.raises(TaxonomyError):
        total(given="no such kind")


def test_the_most_suspect_come_first_and_a_cell_of_the_matrix_holds_its_pictures(workspace):
    tiles = workspace.review.grid(ADA, Filter(split="train")).tiles
    assert {tile.given for tile in tiles[:3]} == {"mourning_warbler"}
    assert {tile.suggested for tile in tiles[:3]} == {"nashville_warbler"}
    (worst,) = [cell for cell in workspace.review.matrix(ADA).worst if cell.given == "mourning_warbler"]
    assert (worst.suggested, worst.count, worst.of) == ("nashville_warbler", len(shown(workspace)), 15)


def test_the_next_page_follows_the_first_whatever_was_answered_meanwhile(workspace):
    wanted = Filter(state="unchecked")
    first = workspace.review.grid(ADA, wanted, limit=10)
    items = [Shown(tile.image, tile.version) for tile in first.tiles]
    workspace.review.answer(ADA, items, "confirm", None, "k")
    rest = workspace.review.grid(ADA, wanted, first.view, 10, 100)
    images = [tile.image for tile in (*first.tiles, *rest.tiles)]
    assert len(images) == len(set(images)) == first.total == 39
    assert workspace.review.grid(BO, wanted, first.view).total == 29  # somebody else's page is not mine


def test_likeness_orders_the_same_pictures(workspace):
    by_doubt, by_likeness = (
        workspace.review.grid(ADA, Filter(sort=sort)).tiles for sort in ("suspicion", "similarity")
    )
    assert {tile.image for tile in by_likeness} == {tile.image for tile in by_doubt}
    kinds = [tile.suggested for tile in by_likeness]
    assert sum(a != b for a, b in itertools.pairwise(kinds)) <= 4


# --- one answer about many pictures ---------------------------------------------------------------------------


def test_one_answer_one_undo(workspace):
    before = workspace.roster.taxon.copy()
    items = shown(workspace)
    batch, tiles = workspace.review.answer(ADA, items, "label", "nashville_warbler", "k")
    assert [(tile.given, tile.checked) for tile in tiles] == [("nashville_warbler", True)] * 3
    again, _ = workspace.review.answer(ADA, items, "label", "nashville_warbler", "k")  # sent twice
    assert again == batch
    assert said_by(workspace, "ada") == [("label", "nashville_warbler")] * 3
    workspace.review.undo(ADA, batch)
    assert (workspace.roster.taxon == before).all()
    assert not workspace.roster.checked.any()


def test_labels_called_right_are_checked_answers_of_one_batch(workspace):
    items = [item for kind in ("mourning_warbler", "eskimo_dog") for item in shown(workspace, Filter(given=kind))[:5]]
    labels = [workspace.roster.standing(item.image).taxon for item in items]
    assert len(set(labels)) > 1
    batch, tiles = workspace.review.answer(ADA, items, "confirm", None, "k")
    assert said_by(workspace, "ada") == [("label", taxon) for taxon in labels]
    assert all(tile.checked for tile in tiles)
    assert len(workspace.review.undo(ADA, batch)) == 10


def test_a_stale_batch_is_refused_whole_and_says_what_is_stale(workspace):
    items = shown(workspace)
    workspace.events.answer(LabelEvent(items[1].image, "label", "bo", taxon="lowchen", shown_version=items[1].version))
    with pytest.raises(StaleBatchError, match="1 picture changed") as refused:
        workspace.review.answer(ADA, items, "label", "nashville_warbler", "k")
    assert refused.value.images == (items[1].image,)
    assert said_by(workspace, "ada") == []
    (now,) = workspace.review.tiles(ADA, refused.value.images)
    assert now.given == "lowchen"


def test_gold_without_a_label_can_be_given_one_and_is_locked_then(workspace):
    workspace.take_in([coloured("lowchen", 77, "", "test")], "2")
    workspace.learner.refresh()
    bare = shown(workspace, Filter(state="unlabelled"))
    (tile,) = workspace.review.tiles(ADA, [item.image for item in bare])
    assert not tile.locked
    workspace.review.answer(ADA, bare, "label", "lowchen", "k")
    (tile,) = workspace.review.tiles(ADA, [item.image for item in bare])
    assert (tile.given, tile.locked) == ("lowchen", True)


def test_a_maintainer_has_the_last_word_about_gold_and_can_take_it_back(workspace):
    gold = shown(workspace, Filter(split="gold"))
    with pytest.raises(StorageError, match="Only gold pictures"):
        workspace.review.answer(CY, gold + shown(workspace)[:1], "adjudication", "nashville_warbler", "both")
    batch, (tile,) = workspace.review.answer(CY, gold, "adjudication", "nashville_warbler", "k")
    assert (tile.given, tile.checked, tile.locked) == ("nashville_warbler", True, True)
    (tile,) = workspace.review.undo(CY, batch)
    assert (tile.given, tile.checked, tile.locked) == ("lowchen", False, True)


def gold_of(workspace, count=5):
    workspace.take_in([coloured("lowchen", 800 + n, split="test") for n in range(count)], "gold")
    workspace.learner.refresh()
    return [image for image in workspace.roster.image_ids if workspace.roster.standing(image).split == "gold"]


def as_shown(workspace, images):
    return [Shown(image, workspace.roster.standing(image).version) for image in images]


def gold_entries(workspace):
    return [(entry.person, entry.about) for entry in Audit(workspace.engine).newest() if entry.action == "gold"]


@pytest.mark.parametrize(("answer", "kind"), [("gold_unusable", "unusable"), ("gold_none", "none")])
def test_a_maintainer_takes_pictures_out_of_gold_and_puts_them_back(workspace, answer, kind):
    images = gold_of(workspace)
    before = [workspace.roster.standing(image) for image in images]
    with pytest.raises(ForbiddenError):
        workspace.review.answer(ADA, as_shown(workspace, images), answer, None, "k0")
    for _ in range(2):  # a reply may be lost
        batch, _ = workspace.review.answer(CY, [Shown(one.image, one.version) for one in before], answer, None, "k1")
    now = [workspace.roster.standing(image) for image in images]
    assert {(one.kind, one.taxon, one.split) for one in now} == {(kind, None, "gold")}
    words = {"unusable": "unusable", "none": "none of these kinds"}[kind]
    assert gold_entries(workspace) == [("cy", f"{len(images)} pictures out of gold: {words}")]
    with pytest.raises(StorageError, match="can be taken out of gold"):
        workspace.review.answer(CY, as_shown(workspace, images), answer, None, "k2")
    with pytest.raises(ForbiddenError):
        workspace.review.answer(ADA, as_shown(workspace, images[:2]), "gold_back", None, "k3")
    seen = as_shown(workspace, images[:2])
    for _ in range(2):
        _, tiles = workspace.review.answer(CY, seen, "gold_back", None, "k4")
        assert {(tile.given, tile.checked, tile.locked) for tile in tiles} == {("lowchen", False, True)}
    workspace.review.answer(CY, as_shown(workspace, images[:1]), answer, None, "k5")
    with pytest.raises(StaleBatchError):
        workspace.review.answer(CY, seen[:1], "gold_back", None, "k6")
    assert gold_entries(workspace)[1:] == [("cy", "2 pictures back in gold"), ("cy", f"1 picture out of gold: {words}")]
    assert batch


def test_taking_back_a_batch_puts_it_back_into_gold_and_what_never_was_there_stays_out(workspace):
    images = gold_of(workspace)
    batch, _ = workspace.review.answer(CY, as_shown(workspace, images), "gold_none", None, "k1")
    assert {tile.given for tile in workspace.review.undo(CY, batch)} == {"lowchen"}
    assert gold_entries(workspace)[-1] == ("cy", f"{len(images)} pictures back in gold")
    train = next(image for image in workspace.roster.image_ids if workspace.roster.standing(image).split == "train")
    for answer in ("gold_none", "gold_unusable", "gold_back"):
        with pytest.raises(StorageError):
            workspace.review.answer(CY, as_shown(workspace, [*images[:1], train]), answer, None, answer)
    assert workspace.roster.standing(images[0]).taxon == "lowchen"


def test_what_cannot_be_kept_changes_nothing(workspace):
    items = shown(workspace)
    gold = shown(workspace, Filter(split="gold"))
    workspace.review.answer(BO, items[:1], "unusable", None, "bo")
    out = shown(workspace, Filter(state="unusable"))
    for wrong in (
        (items[1:] + gold, "label", "nashville_warbler"),
        (items[1:] + out, "confirm", None),
        (items[1:], "label", None),
        (items[1:], "label", "no such kind"),
        (items[1:], "none", "lowchen"),
        (items[1:], "adjudication", "lowchen"),
        (gold, "adjudication", "nashville_warbler"),  # by an expert
        (items[1:] + items[1:2], "none", None),
        ([], "none", None),
    ):
        with pytest.raises(FgdemoError):
            workspace.review.answer(ADA, *wrong, "k")
    assert said_by(workspace, "ada") == []


def test_nobody_takes_back_what_somebody_else_said_and_nobody_what_was_answered_since(workspace):
    batch, tiles = workspace.review.answer(ADA, shown(workspace), "label", "nashville_warbler", "k")
    with pytest.raises(ForbiddenError):
        workspace.review.undo(BO, batch)
    workspace.review.answer(BO, [Shown(tiles[0].image, tiles[0].version)], "label", "lowchen", "k")
    with pytest.raises(StaleError):
        workspace.review.undo(ADA, batch)
    assert int(workspace.roster.checked.sum()) == 3


# --- numbers --------------------------------------------------------------------------------------------------


def test_the_matrix_is_the_confusion_in_another_order(workspace):
    found = workspace.review.matrix(ADA)
    names = [kind.taxon for kind in found.kinds]
    ranking = workspace.learner.ranking()
    at = [ranking.taxa.index(name) for name in names]
    table = np.zeros((len(at), len(at)), int)
    for row, column, count in found.cells:
        table[row, column] = count
    assert (table == ranking.confusion[np.ix_(at, at)]).all()
    assert table.sum() == ranking.confusion.sum() == sum(found.n)
    assert workspace.review.matrix(ADA, held_out=True).kinds == ()


@st.composite
def forests(draw: st.DrawFn) -> tuple[Taxonomy, list[str]]:
    parents = draw(st.lists(st.integers(-1, 30), min_size=1, max_size=30))
    taxonomy = Taxonomy(tuple(Taxon(f"t{n}", f"t{n}", f"t{p}" if 0 <= p < n else None) for n, p in enumerate(parents)))
    return taxonomy, draw(st.permutations(taxonomy.leaves))


@settings(deadline=None, max_examples=50)
@given(forests(), st.randoms(use_true_random=False))
def test_groups_stay_whole_however_kinds_are_confused(forest, random):
    taxonomy, leaves = forest
    n = len(leaves)
    counts = np.array([[random.choice((0, 0, 0, 1, 9)) for _ in range(n)] for _ in range(n)])
    order, bands = look_alikes_together(leaves, counts + counts.T, taxonomy)
    assert sorted(order.tolist()) == list(range(n))
    placed = [leaves[index] for index in order]
    for band in bands:
        inside = {leaf for leaf in leaves if band.taxon in {step.id for step in taxonomy.path(leaf)}}
        assert set(placed[band.first : band.last]) == inside


def test_look_alikes_stand_side_by_side():
    taxonomy = Taxonomy.flat(["a", "b", "c", "d"])
    together = np.array([[0, 0, 9, 0], [0, 0, 0, 9], [9, 0, 0, 1], [0, 9, 1, 0]])
    order, bands = look_alikes_together(["a", "b", "c", "d"], together, taxonomy)
    assert order.tolist() in ([0, 2, 3, 1], [1, 3, 2, 0])
    assert bands == ()


def test_a_kind_and_a_pair_by_themselves(workspace):
    kind = workspace.review.kind(ADA, "mourning_warbler")
    assert (kind.kind.n, kind.kind.left_out.right, kind.kind.left_out.n) == (15, 12, 15)
    doubtful = workspace.review.grid(ADA, Filter(given="mourning_warbler", state="suspect"))
    assert kind.kind.suspects == doubtful.total > 0
    assert [(cell.suggested, cell.count) for cell in kind.taken_for] == [("nashville_warbler", 3)]
    assert (kind.rival, kind.taken, kind.splits) == ("nashville_warbler", (), {"train": 15})
    assert {tile.image for tile in kind.odd} == {item.image for item in shown(workspace)}
    assert not {tile.image for tile in kind.odd} & {tile.image for tile in kind.typical}
    pair = workspace.review.pair(ADA, "nashville_warbler", "mourning_warbler")
    assert (pair.a_as_b, pair.b_as_a, pair.agreement.n) == (0, 3, 0)
    assert workspace.review.deciding_parts(ADA, "nashville_warbler", "mourning_warbler")
    assert workspace.review.kind(ADA, "eurasian_eagle_owl").kind.n == 0
    with pytest.raises(TaxonomyError):
        workspace.review.pair(ADA, "nashville_warbler", "no such kind")


def test_the_table_is_that_of_the_filter_and_no_formula(workspace):
    workspace.take_in([replace(coloured("lowchen", 77), name="=HYPERLINK(1)")], "2")
    all_rows, some = (
        list(csv.DictReader(io.StringIO(b"".join(workspace.review.table(ADA, wanted)).decode())))
        for wanted in (None, WRONG)
    )
    assert [len(all_rows), len(some)] == [41, 3]
    assert {(row["label_name"], row["suggested_name"]) for row in some} == {("Mourning Warbler", "Nashville Warbler")}
    doubts = [float(row["suspicion"]) for row in some]
    assert doubts == sorted(doubts, reverse=True)
    assert 0 < doubts[-1] <= 1
    assert "'=HYPERLINK(1)" in {row["name"] for row in all_rows}


# --- who said what --------------------------------------------------------------------------------------------


def second(workspace: FakeWorkspace, image: str, first: str, then: str) -> None:
    """Ada answers, and Bo gives a blind second opinion."""
    for annotator, taxon, blind in (("ada", first, False), ("bo", then, True)):
        version = workspace.roster.standing(image).version
        reason = "second" if blind else None
        said = LabelEvent(
            image, "label", annotator, taxon=taxon, shown_version=version, blind=blind, reason=reason, seconds_spent=2.0
        )
        workspace.events.answer(said)
        workspace.roster.follow()


def test_agreement_by_hand():
    units = [{"a": "x", "b": "x"}] * 6 + [{"a": "x", "b": "y"}] * 2 + [{"a": "y", "b": "y"}] * 2 + [{"a": "x"}]
    found = agreement_of(units)
    assert (found.n, found.same) == (10, 8)
    assert found.kappa == pytest.approx((0.8 - 0.56) / 0.44)
    # 14 x and 6 y: expected disagreement 2 · 14 · 6 / 19, observed 2 · 2.
    assert found.alpha == pytest.approx(1 - 4 / (168 / 19))


def test_the_annotators(either):
    workspace = either
    pictures = [item.image for item in shown(workspace, Filter(split="train"))][:6]
    for image in pictures[:4]:
        second(workspace, image, "nashville_warbler", "nashville_warbler")
    second(workspace, pictures[4], "nashville_warbler", "mourning_warbler")
    second(workspace, pictures[5], "mourning_warbler", "mourning_warbler")
    found = workspace.review.annotators(ADA)
    people = {one.name: one for one in found.people}
    assert set(people) == {"ada", "bo"}
    assert (people["ada"].labels, people["ada"].agreement.n, people["ada"].agreement.same) == (6, 6, 5)
    assert people["ada"].corrections.n == 6
    assert people["ada"].per_minute == 30
    assert people["bo"].per_minute is None  # how fast others work is not an expert's business
    assert {one.name: one.per_minute for one in workspace.review.annotators(CY).people} == {"ada": 30, "bo": 30}
    assert found.overall.n == 6
    assert [(pair.a, pair.b, pair.agreement.same) for pair in found.pairs] == [("ada", "bo", 5)]
    assert [(pair.a, pair.b, pair.differ) for pair in found.kinds] == [("mourning_warbler", "nashville_warbler", 1)]
    pair = workspace.review.pair(ADA, "nashville_warbler", "mourning_warbler")
    assert pair.agreement == found.overall
    assert workspace.review.kind(ADA, "lowchen").agreement.n == 0


def test_what_was_taken_back_counts_for_nothing(either):
    workspace = either
    image = shown(workspace)[0].image
    second(workspace, image, "nashville_warbler", "mourning_warbler")
    (blind,) = [said for said in workspace.events.history(image) if said.blind]
    workspace.events.undo([blind.id], BO)
    found = workspace.review.annotators(CY)
    assert found.overall.n == 0
    assert {one.name: one.labels for one in found.people} == {"ada": 1}


def test_a_blind_opinion_is_hidden_from_those_who_have_not_given_theirs(workspace):
    image = shown(workspace)[0].image
    second(workspace, image, "nashville_warbler", "mourning_warbler")
    dee = Person("dee", "expert")
    assert [said.annotator for said in workspace.review.history(dee, image)] == ["import", "ada"]
    assert [said.annotator for said in workspace.review.history(BO, image)] == ["import", "ada", "bo"]
    assert len(workspace.review.history(CY, image)) == 3
    workspace.events.answer(
        LabelEvent(image, "adjudication", "cy", taxon="lowchen", shown_version=workspace.roster.standing(image).version)
    )
    assert len(workspace.review.history(dee, image)) == 4


def test_nobody_looks_up_what_they_are_asked_for_a_second_opinion_about(workspace):
    (item,) = shown(workspace)[:1]
    workspace.review.answer(ADA, [item], "label", "nashville_warbler", "k")
    session = workspace.labelling.start(BO, "suspicion", None, None, 1.0).id
    (asked,) = workspace.labelling.next_items(BO, session, [], 1)
    assert (asked.image, asked.reason) == (item.image, "second")
    checked = Filter(state="checked")
    assert workspace.review.grid(BO, checked).total == 0
    assert workspace.review.tiles(BO, [item.image]) == ()
    assert b"".join(workspace.review.table(BO, checked)).count(b"\n") == 1
    with pytest.raises(ForbiddenError, match="second opinion"):
        workspace.review.history(BO, item.image)
    assert workspace.review.grid(ADA, checked).total == 1


def test_every_question_needs_an_expert(workspace):
    review, item = workspace.review, shown(workspace)[0]
    for question in (
        lambda: review.overview(VISITOR),
        lambda: review.grid(VISITOR, Filter()),
        lambda: review.table(VISITOR),
        lambda: review.kinds(VISITOR),
        lambda: review.matrix(VISITOR),
        lambda: review.kind(VISITOR, "lowchen"),
        lambda: review.pair(VISITOR, "lowchen", "eskimo_dog"),
        lambda: review.deciding_parts(VISITOR, "lowchen", "eskimo_dog"),
        lambda: review.explain(VISITOR, item.image, None, None),
        lambda: review.spread(VISITOR, item.image, "lowchen", "eskimo_dog"),
        lambda: review.annotators(VISITOR),
        lambda: review.history(VISITOR, item.image),
        lambda: review.tiles(VISITOR, [item.image]),
        lambda: review.answer(VISITOR, [item], "none", None, "k"),
        lambda: review.undo(VISITOR, "x"),
    ):
        with pytest.raises(ForbiddenError):
            question()
    assert said_by(workspace, "visitor") == []
