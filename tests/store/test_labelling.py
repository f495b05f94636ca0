"""A labelling session without a page: what is asked, what an answer does, and what goes wrong."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import cast

import numpy as np
import pytest

from fgdemo.services.labelling.explainer import Explainer
from fgdemo.services.labelling.labelling import Labelling
from fgdemo.services.labelling.session_words import reason_sentence
from fgdemo.services.review import Shown
from fgdemo.statistics.agreement import cohen_kappa, krippendorff_alpha
from fgdemo.statistics.proportions import wilson
from fgdemo.storage.database.database import utc_now, writing
from fgdemo.storage.database.schema import taxon_table
from fgdemo.storage.history.events import LabelEvent
from fgdemo.storage.history.leases import Leases
from fgdemo.storage.people.audit import Audit
from fgdemo.values.annotation import VISITOR, Kind, Person, Standing, TaxonChance
from fgdemo.values.errors import ForbiddenError, StaleError, StorageError, TaxonomyError
from tests.support.fakes import LEFT, FakeClassifier, FakeCloser
from tests.support.workspace import ADA, BO, coloured, open_fake_workspace, some_pictures


@pytest.fixture
def workspace(tmp_path, database_url):
    opened = open_fake_workspace(tmp_path, database_url)
    opened.take_in(some_pictures(12, 3))
    opened.learner.refresh()
    yield opened
    opened.engine.dispose()


def begin(workspace, person=ADA, order="suspicion", pair=None, goal=None, blind=0.0):
    return workspace.labelling.start(person, order, pair, goal, blind).id


def one(workspace, session, person=ADA):
    return workspace.labelling.next_items(person, session, [], 1)[0]


def say(workspace, session, item, taxon, person=ADA, kind="label", key=None):
    event = LabelEvent(
        item.image,
        cast(Kind, kind),
        person.name,
        taxon=taxon,
        shown_version=item.version,
        session=session,
        reason=item.reason,
        answer_key=key,
        blind=item.blind,
    )
    return workspace.labelling.answer(person, session, event)


def test_wrong_labels_are_asked_first_and_the_reason_names_what_it_looks_like(workspace):
    session = begin(workspace)
    for _ in range(3):
        item = one(workspace, session)
        assert item.given.taxon == "mourning_warbler"
        assert "Nashville Warbler" in item.sentence
        assert item.choices[0].taxon == "nashville_warbler"
        say(workspace, session, item, "nashville_warbler")
    report = workspace.labelling.report(ADA, session)
    assert (report.done, report.corrections, report.agreement.right) == (3, 3, 0)
    workspace.learner.refresh()
    assert one(workspace, session).choices[0].taxon == one(workspace, session).given.taxon


def test_no_picture_is_given_to_two_and_a_page_never_gets_one_twice(workspace):
    sessions = {person: begin(workspace, person) for person in (ADA, BO)}
    held = {person: [] for person in sessions}
    for _ in range(4):
        for person, session in sessions.items():
            have = [item.image for item in held[person]][-3:]
            held[person] += workspace.labelling.next_items(person, session, have, 2)
    images = [item.image for items in held.values() for item in items[-3:]]
    assert len(set(images)) == len(images) == 6


def test_a_stale_answer_is_refused_and_nothing_changes(workspace):
    mine, theirs = begin(workspace), begin(workspace, BO)
    item = one(workspace, mine)
    other = workspace.labelling.item(BO, item.image)
    say(workspace, theirs, other, "eskimo_dog", BO)
    with pytest.raises(StaleError):
        say(workspace, mine, item, "nashville_warbler")
    assert workspace.roster.standing(item.image).taxon == "eskimo_dog"
    again = workspace.labelling.item(ADA, item.image)
    assert (again.given.taxon, again.given.annotator) == ("eskimo_dog", "bo")
    assert say(workspace, mine, again, "nashville_warbler").id


def test_an_answer_that_is_sent_twice_counts_once(workspace):
    session = begin(workspace)
    item = one(workspace, session)
    assert say(workspace, session, item, "lowchen", key="k").id == say(workspace, session, item, "lowchen", key="k").id
    assert len(workspace.events.history(item.image)) == 2


def test_undo_goes_back_any_number_of_steps(workspace):
    session = begin(workspace)
    before = [workspace.roster.standing(image).taxon for image in workspace.roster.image_ids]
    images = []
    for kind, taxon in (("label", "lowchen"), ("unusable", None), ("skip", None), ("none", None), ("label", "dog")):
        item = one(workspace, session)
        images.append(item.image)
        say(workspace, session, item, taxon, kind=kind)
    back = []
    while (undone := workspace.labelling.undo(ADA, session)) is not None:
        back.append(undone[0].image)
    assert back == images[::-1]
    assert [workspace.roster.standing(image).taxon for image in workspace.roster.image_ids] == before
    assert not workspace.roster.checked.any()
    assert workspace.labelling.report(ADA, session).done == 0


def test_an_undo_that_is_asked_again_takes_back_one_answer(workspace):
    session = begin(workspace)
    kept = [say(workspace, session, one(workspace, session), "lowchen") for _ in range(3)]
    first = workspace.labelling.undo(ADA, session, kept[-1].id)
    assert first is not None
    again = workspace.labelling.undo(ADA, session, kept[-1].id)
    assert again is not None
    assert [found[1].id for found in (first, again)] == [kept[-1].id] * 2
    assert again[0].image == kept[-1].image
    assert workspace.labelling.report(ADA, session).done == 2
    assert workspace.labelling.undo(ADA, session, 10**6) is None


def test_nobody_takes_back_what_another_said_and_not_what_was_answered_since(workspace):
    session = begin(workspace)
    kept = say(workspace, session, one(workspace, session), "lowchen")
    with pytest.raises(ForbiddenError):
        workspace.events.undo([kept.id], BO)
    theirs = begin(workspace, BO)
    say(workspace, theirs, workspace.labelling.item(BO, kept.image), "eskimo_dog", BO)
    with pytest.raises(StaleError):
        workspace.labelling.undo(ADA, session)


def test_a_new_kind_in_the_middle_of_a_session_is_learned(workspace):
    session = begin(workspace)
    taxon = workspace.labelling.new_taxon(ADA, "  Sleepy   Sheltie ", "Canis lupus", "dog")
    assert (taxon.name, taxon.parent) == ("Sleepy Sheltie", "dog")
    with pytest.raises(TaxonomyError, match="already"):
        workspace.labelling.new_taxon(ADA, "sleepy sheltie", None, None)
    item = one(workspace, session)
    say(workspace, session, item, taxon.id)
    assert workspace.learner.taxa[-1] == taxon.id
    assert taxon.id in {choice.taxon for choice in workspace.labelling.item(ADA, item.image).choices} | {taxon.id}


def test_a_group_is_a_valid_answer_that_does_not_train(workspace):
    session = begin(workspace)
    item = one(workspace, session)
    say(workspace, session, item, "warbler")
    assert workspace.roster.standing(item.image).taxon == "warbler"
    assert "warbler" not in workspace.learner.taxa


def test_every_tenth_picture_is_a_random_check_and_the_estimate_stands_on_these_alone(workspace):
    session = begin(workspace)
    reasons = []
    for _ in range(20):
        item = one(workspace, session)
        reasons.append(item.reason)
        say(workspace, session, item, item.given.taxon)
    assert [at for at, reason in enumerate(reasons) if reason == "audit"] == [9, 19]
    audit = workspace.labelling.report(ADA, session).audit
    assert (audit.right, audit.n) == (2, 2)
    assert audit.low < 1 == audit.high


def test_a_blind_second_opinion_hides_the_first_and_leads_to_adjudication(workspace):
    first = begin(workspace)
    item = one(workspace, first)
    say(workspace, first, item, "nashville_warbler")
    second = begin(workspace, BO, blind=1.0)
    blind = one(workspace, second, BO)
    assert (blind.image, blind.reason, blind.given) == (item.image, "second", None)
    say(workspace, second, blind, "mourning_warbler", BO)
    standing = workspace.roster.standing(item.image)
    assert standing.disputed
    assert standing.taxon == "nashville_warbler"
    third = begin(workspace, Person("cy", "expert"), "adjudication")
    asked = one(workspace, third, Person("cy", "expert"))
    assert dict(asked.opinions) == {"ada": "Nashville Warbler", "bo": "Mourning Warbler"}
    say(workspace, third, asked, "mourning_warbler", Person("cy", "expert"), kind="adjudication")
    standing = workspace.roster.standing(item.image)
    assert (standing.disputed, standing.taxon) == (False, "mourning_warbler")
    pair = workspace.review.pair(ADA, "nashville_warbler", "mourning_warbler")
    assert pair.agreement.n == 1


def test_gold_is_never_asked_and_only_adjudicated(workspace):
    workspace.take_in([coloured("lowchen", 1, "eskimo_dog", "test")], "2")
    workspace.learner.refresh()
    session, image = begin(workspace), workspace.roster.image_ids[-1]
    gold = workspace.labelling.item(ADA, image)
    with pytest.raises(ForbiddenError, match="gold"):
        say(workspace, session, gold, "lowchen")
    asked = {item.image for item in workspace.labelling.next_items(ADA, session, [], 6)}
    assert image not in asked
    with pytest.raises(ForbiddenError, match="Nobody disputes"):
        say(workspace, session, gold, "lowchen", kind="adjudication")
    maintainer = Person("mo", "maintainer")
    say(workspace, begin(workspace, maintainer), gold, "lowchen", maintainer, kind="adjudication")
    assert workspace.roster.standing(image).taxon == "lowchen"


def test_a_second_opinion_about_gold_is_how_its_label_is_put_in_doubt(workspace):
    workspace.take_in([coloured("lowchen", 1, "", "test")], "2")
    workspace.learner.refresh()
    session, image = begin(workspace, order="new"), workspace.roster.image_ids[-1]
    say(workspace, session, one(workspace, session), "eskimo_dog")  # a slip that Ada did not notice
    item = workspace.labelling.next_items(BO, begin(workspace, BO, blind=1.0), [], 1)[0]
    assert (item.image, item.reason) == (image, "second")
    say(workspace, workspace.labelling.current(BO).id, item, "lowchen", BO)
    assert workspace.roster.standing(image).taxon == "eskimo_dog"
    assert workspace.roster.standing(image).disputed
    cy = Person("cy", "expert")
    third = begin(workspace, cy, "adjudication")
    say(workspace, third, one(workspace, third, cy), "lowchen", cy, kind="adjudication")
    assert workspace.roster.standing(image).taxon == "lowchen"


def test_blind_is_believed_only_where_it_was_dealt_so(workspace):
    workspace.take_in([coloured("lowchen", 1, "eskimo_dog", "test")], "2")
    workspace.learner.refresh()
    session, image = begin(workspace), workspace.roster.image_ids[-1]
    before = workspace.events.history(image)
    gold = replace(workspace.labelling.item(ADA, image), reason="second", blind=True)
    for kind in ("label", "none", "skip"):
        with pytest.raises(ForbiddenError, match="not asked for a second opinion"):
            say(workspace, session, gold, "lowchen" if kind == "label" else None, kind=kind)
    other = one(workspace, session)
    say(workspace, session, replace(other, reason="second", blind=False), "lowchen")
    again, _ = workspace.labelling.undo(ADA, session)  # what an answer called itself is no deal
    with pytest.raises(ForbiddenError, match="not asked for a second opinion"):
        say(workspace, session, replace(again, blind=True), "lowchen")
    assert workspace.events.history(image) == before


def test_a_second_opinion_that_was_dealt_stays_one_after_a_pause_and_after_an_undo(workspace, monkeypatch):
    first = begin(workspace)
    say(workspace, first, one(workspace, first), "nashville_warbler")
    second = begin(workspace, BO, blind=1.0)
    blind = one(workspace, second, BO)
    monkeypatch.setattr(workspace.labelling._leases, "_clock", lambda: utc_now() + timedelta(hours=1))
    workspace.labelling.close(ADA, first)  # which clears away what has ended
    kept = say(workspace, second, blind, "mourning_warbler", BO, key="once")
    assert say(workspace, second, blind, "mourning_warbler", BO, key="once") == kept
    again, _ = workspace.labelling.undo(BO, second)
    assert again.blind
    say(workspace, second, again, "lowchen", BO)
    assert workspace.roster.standing(blind.image).disputed


@pytest.mark.parametrize("party", ["ada", "bo", "ＢＯ"])
def test_no_expert_settles_a_dispute_of_their_own(workspace, party):
    first = begin(workspace)
    item = one(workspace, first)
    say(workspace, first, item, "nashville_warbler")
    second = begin(workspace, BO, blind=1.0)
    say(workspace, second, one(workspace, second, BO), "mourning_warbler", BO)
    person = Person(party, "expert")
    own = begin(workspace, person, "adjudication")
    if party != "ＢＯ":  # nobody can sign in under two forms of one name
        assert workspace.labelling.next_items(person, own, [], 1) == ()
        assert workspace.labelling.report(person, own).left == 0
    disputed = workspace.labelling.item(person, item.image)
    for kind, taxon in (("adjudication", "lowchen"), ("label", "lowchen"), ("unusable", None), ("none", None)):
        with pytest.raises(ForbiddenError, match="one of those who disagree"):
            say(workspace, own, disputed, taxon, person, kind=kind)
    for answer, taxon in (("label", "lowchen"), ("confirm", None), ("unusable", None)):
        with pytest.raises(ForbiddenError, match="one of those who disagree"):
            workspace.review.answer(person, [Shown(item.image, disputed.version)], answer, taxon, "k")
    assert workspace.roster.standing(item.image).disputed
    maintainer = Person(party, "maintainer")
    say(workspace, begin(workspace, maintainer), disputed, "lowchen", maintainer, kind="adjudication")
    assert workspace.roster.standing(item.image).taxon == "lowchen"


def test_it_is_noted_who_takes_a_picture_out_of_gold_on_label_and_who_puts_it_back(workspace):
    workspace.take_in([coloured("lowchen", 1, split="test")], "2")
    workspace.learner.refresh()
    gold = next(image for image in workspace.roster.image_ids if workspace.roster.standing(image).split == "gold")
    maintainer = Person("cy", "maintainer")
    session = begin(workspace, maintainer, "adjudication")
    event = LabelEvent(
        gold,
        "none",
        "cy",
        shown_version=workspace.roster.standing(gold).version,
        session=session,
        reason="adjudication",
        answer_key="k",
    )
    for _ in range(2):  # a reply may be lost
        workspace.labelling.answer(maintainer, session, event)
    entries = [(one.person, one.action, one.about) for one in Audit(workspace.engine).newest()]
    assert entries == [("cy", "gold", "1 picture out of gold: none of these kinds")]
    workspace.labelling.undo(maintainer, session)
    entries = [(one.person, one.action, one.about) for one in Audit(workspace.engine).newest()]
    assert entries[1:] == [("cy", "gold", "1 picture back in gold")]
    assert workspace.roster.standing(gold).taxon == "lowchen"


def test_how_many_are_left_is_not_known_before_the_model_has_read_them(workspace, monkeypatch):
    session = begin(workspace)
    assert workspace.labelling.report(ADA, session).left == 3
    monkeypatch.setattr(workspace.learner, "ranking", lambda: None)  # as after a start
    assert workspace.labelling.report(ADA, session).left is None
    assert {work.left for work in workspace.labelling.works(ADA)} == {0}


def test_a_kind_that_is_retired_without_an_event_is_out_of_use_at_once(workspace):
    workspace.labelling.new_taxon(ADA, "Kestrel", None, None)
    assert "kestrel" in workspace.taxa.load().by_id
    with writing(workspace.engine) as connection:
        here = taxon_table.c.id == "kestrel"
        connection.execute(taxon_table.update().where(here).values(retired=True))
    assert "kestrel" not in workspace.taxa.load().by_id
    with writing(workspace.engine) as connection:
        connection.execute(taxon_table.update().where(here).values(retired=False, name="Common Kestrel"))
    assert workspace.taxa.load()["kestrel"].name == "Common Kestrel"
    assert workspace.taxa.load() is workspace.taxa.load()


def test_who_is_late_with_gold_is_shown_it_again(workspace):
    workspace.take_in([coloured("lowchen", 1, "", "test")], "2")
    workspace.learner.refresh()
    mine, theirs = begin(workspace, order="new"), begin(workspace, BO, order="new")
    item = one(workspace, mine)
    say(workspace, theirs, item, "lowchen", BO)
    with pytest.raises(StaleError):
        say(workspace, mine, item, "eskimo_dog")


@pytest.mark.parametrize(
    ("first", "taxon"), [("label", "lowchen"), ("label", "dog"), ("none", None), ("unusable", None)]
)
def test_gold_without_a_label_is_asked_like_any_other_and_locked_by_its_answer(workspace, first, taxon):
    workspace.take_in([coloured("lowchen", 1, "", "test")], "2")
    workspace.learner.refresh()
    session, image = begin(workspace, order="new"), workspace.roster.image_ids[-1]
    item = one(workspace, session)
    assert item.image == image
    said = say(workspace, session, item, taxon, kind=first)
    shown_again = replace(item, version=said.id)
    for kind in ("label", "none", "unusable"):
        with pytest.raises(ForbiddenError, match="gold"):
            say(workspace, session, shown_again, "eskimo_dog" if kind == "label" else None, kind=kind)
    assert workspace.roster.standing(image).taxon == taxon
    workspace.learner.refresh()
    assert image not in {other.image for other in workspace.labelling.next_items(ADA, session, [], 8)}
    workspace.labelling.undo(ADA, session)  # a slip of the finger
    item = workspace.labelling.item(ADA, image)
    say(workspace, session, item, "lowchen")
    assert workspace.roster.standing(image).taxon == "lowchen"


@pytest.mark.parametrize("split", ["val", "test"])
def test_a_new_kind_may_be_met_first_in_a_picture_that_nothing_learns_from(workspace, split):
    workspace.take_in([coloured("lowchen", 1, "", split)], "2")
    workspace.learner.refresh()
    new = workspace.labelling.new_taxon(ADA, "Puli", None, "dog").id
    session = begin(workspace, order="new")
    say(workspace, session, one(workspace, session), new)
    item = one(workspace, session)
    assert item.choices
    say(workspace, session, item, new)
    workspace.learner.refresh()
    assert new in {taxon for *_, taxa in [workspace.learner.weights_now()] for taxon in taxa}


def test_a_suggestion_about_locked_gold_is_not_dealt(workspace):
    workspace.take_in([coloured("lowchen", 1, "eskimo_dog", "test"), coloured("lowchen", 2, "eskimo_dog")], "2")
    gold, open_one = workspace.roster.image_ids[-2:]
    for image in (gold, open_one):
        workspace.events.append(LabelEvent(image, "suggestion", "visitor", "lowchen"))
    workspace.learner.refresh()
    session = begin(workspace, order="suggestion")
    assert [item.image for item in workspace.labelling.next_items(ADA, session, [], 8)] == [open_one]
    (left,) = [work.left for work in workspace.labelling.works(ADA) if work.order == "suggestion"]
    assert left == 1


def test_an_answer_about_gold_teaches_the_head_nothing(workspace):
    before, _, _ = workspace.learner.weights_now()
    workspace.take_in([coloured("lowchen", 1, "", "test")], "2")
    workspace.learner.refresh()
    session = begin(workspace, order="new")
    say(workspace, session, one(workspace, session), "eskimo_dog")
    np.testing.assert_array_equal(workspace.learner.weights_now()[0], before)


def test_one_pair_only(workspace):
    session = begin(workspace, order="pair", pair=("nashville_warbler", "mourning_warbler"))
    for _ in range(8):
        item = one(workspace, session)
        if item.reason == "pair":
            assert item.given.taxon in ("nashville_warbler", "mourning_warbler")
        say(workspace, session, item, item.given.taxon)


def test_suggestions_of_visitors_wait_in_an_order_of_their_own(workspace):
    image = workspace.roster.image_ids[0]
    workspace.events.append(LabelEvent(image, "suggestion", "visitor", new_name="<b>Yeti</b>", comment="look"))
    workspace.roster.follow()
    session = begin(workspace, order="suggestion")
    item = one(workspace, session)
    assert (item.image, item.suggestions) == (image, (("<b>Yeti</b>", "look"),))
    say(workspace, session, item, item.given.taxon)
    assert workspace.labelling.next_items(ADA, session, [], 1) == ()


def test_roles_and_owners_are_checked_by_the_service_itself(workspace):
    session = begin(workspace)
    for refused in (
        lambda: workspace.labelling.works(VISITOR),
        lambda: workspace.labelling.next_items(BO, session, [], 1),
        lambda: workspace.labelling.undo(BO, session),
        lambda: workspace.review.overview(VISITOR),
        lambda: workspace.review.table(VISITOR),
    ):
        with pytest.raises(ForbiddenError):
            refused()
    with pytest.raises(StorageError):
        begin(workspace, order="pair")
    with pytest.raises(StorageError):
        begin(workspace, goal=0)


def test_a_lease_ends_by_time_and_when_the_clock_jumps_back(workspace):
    now = datetime(2026, 5, 1, 12, tzinfo=timezone.utc)
    leases = Leases(workspace.engine, lambda: now)
    (image,) = workspace.roster.image_ids[:1]
    assert leases.take([image], "ada", 1, 1) == [image]
    assert leases.take([image], "bo", 2, 1) == []
    assert leases.take([image], "bo", 2, 1, {image}) == [image]
    assert leases.held() == {image: {"ada", "bo"}}
    now += timedelta(minutes=6)
    assert leases.held() == {}
    assert leases.take([image], "bo", 2, 1) == [image]
    now -= timedelta(days=1)
    assert leases.take([image], "ada", 1, 1) == [image]


def test_after_lunch_one_is_told_that_another_answered_meanwhile(workspace):
    now = datetime(2026, 5, 1, 12, tzinfo=timezone.utc)
    labelling = Labelling(
        workspace.engine, workspace.roster, workspace.learner, workspace.taxa, workspace.classifier, clock=lambda: now
    )
    mine, theirs = (labelling.start(person, "suspicion", None, None, 0).id for person in (ADA, BO))
    (item,) = labelling.next_items(ADA, mine, [], 1)
    assert item.image not in {one.image for one in labelling.next_items(BO, theirs, [], 3)}
    now += timedelta(minutes=40)
    again = labelling.next_items(BO, theirs, [], 1)[0]
    assert again.image == item.image
    said = LabelEvent(item.image, "label", "bo", taxon="lowchen", shown_version=again.version, session=theirs)
    labelling.answer(BO, theirs, said)
    late = LabelEvent(item.image, "label", "ada", taxon="dog", shown_version=item.version, session=mine)
    with pytest.raises(StaleError, match="meanwhile"):
        labelling.answer(ADA, mine, late)
    shown = labelling.item(ADA, item.image).given
    assert shown is not None
    assert shown.annotator == "bo"
    assert labelling.done(ADA, mine) == 0


def test_what_lies_with_others_does_not_end_the_work(workspace):
    image = workspace.roster.image_ids[0]
    workspace.events.append(LabelEvent(image, "suggestion", "visitor", taxon="lowchen"))
    workspace.roster.follow()
    mine, theirs = begin(workspace, order="suggestion"), begin(workspace, BO, order="suggestion")
    item = one(workspace, mine)
    assert workspace.labelling.next_items(BO, theirs, [], 1) == ()
    assert workspace.labelling.is_waiting(BO, theirs)
    assert not workspace.labelling.is_waiting(ADA, mine)
    say(workspace, mine, item, item.given.taxon)
    assert not workspace.labelling.is_waiting(BO, theirs)


def test_a_session_served_by_two_servers_is_one(workspace, tmp_path):
    other = open_fake_workspace(tmp_path, str(workspace.engine.url.render_as_string(hide_password=False)))
    other.learner.refresh()
    session = begin(workspace)
    first = say(workspace, session, one(workspace, session), "lowchen")
    second = say(other, session, one(other, session), "lowchen")
    assert workspace.labelling.done(ADA, session) == other.labelling.done(ADA, session) == 2
    for server, said in ((workspace, second), (other, first)):
        undone = server.labelling.undo(ADA, session)
        assert undone is not None
        assert undone[1].id == said.id
    report = workspace.labelling.report(ADA, session)
    assert (report.done, report.corrections) == (0, 0)
    other.engine.dispose()


def test_a_page_that_names_pictures_of_its_own_making_gets_nothing_of_it(workspace):
    session = begin(workspace)
    items = workspace.labelling.next_items(ADA, session, ["0" * 64, "' OR 1=1", ""], 2)
    assert len({item.image for item in items}) == 2
    assert set(Leases(workspace.engine).held()) == {item.image for item in items}


def test_nothing_is_asked_before_there_is_an_order_to_ask_in(tmp_path):
    opened = open_fake_workspace(tmp_path)
    opened.take_in(some_pictures(2, 0))
    starting = opened.labelling.starting(ADA)
    assert starting is not None
    assert starting[0] < starting[1]
    with pytest.raises(ForbiddenError):
        opened.labelling.starting(VISITOR)
    session = begin(opened)
    assert opened.labelling.next_items(ADA, session, [], 1) == ()
    assert opened.labelling.is_waiting(ADA, session)
    opened.learner.refresh()
    assert opened.labelling.starting(ADA) is None
    assert opened.learner.progress[0] == opened.learner.progress[1]
    opened.engine.dispose()


def test_a_picture_file_that_was_deleted_is_one_sentence_and_can_be_marked(workspace):
    session = begin(workspace)
    item = one(workspace, session)
    workspace.images.remove(item.image)
    with pytest.raises(StorageError, match="not in the workspace"):
        workspace.labelling.explainer.explain(item.image)
    say(workspace, session, item, None, kind="unusable")
    assert workspace.roster.standing(item.image).kind == "unusable"


def test_two_servers_on_one_database_see_each_other(workspace, tmp_path, database_url):
    other = open_fake_workspace(tmp_path, database_url)
    other.learner.refresh()
    mine, theirs = begin(workspace), begin(other, BO)
    items = [one(workspace, mine), one(other, theirs, BO)]
    assert items[0].image != items[1].image
    say(workspace, mine, items[0], "nashville_warbler")
    say(other, theirs, items[1], "nashville_warbler", BO)
    for server in (workspace, other):
        server.learner.catch_up()
        assert {server.roster.standing(item.image).annotator for item in items} == {"ada", "bo"}
    a, b = (server.learner.weights_now() for server in (workspace, other))
    np.testing.assert_allclose(a[0], b[0], atol=1e-4)
    other.engine.dispose()


def test_many_at_once_lose_nothing(workspace):
    people = [Person(f"expert {n}", "expert") for n in range(4)]
    kept, faults = [], []

    def work(person):
        try:
            session = begin(workspace, person)
            for _ in range(8):
                for item in workspace.labelling.next_items(person, session, [], 1):
                    kept.append(say(workspace, session, item, "lowchen", person).image)
        except Exception as error:  # noqa: BLE001 - told to the test's own thread
            faults.append(error)

    threads = [threading.Thread(target=work, args=(person,)) for person in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert len(set(kept)) == len(kept) == 32
    assert int(workspace.roster.checked.sum()) == 32


# --- agreement ----------------------------------------------------------------------------------------------------


def test_agreement_of_known_answers():
    first, second = "yyyyyyyynn", "yyyyyynnyn"
    assert cohen_kappa(first, second) == pytest.approx((0.7 - 0.62) / (1 - 0.62))
    assert cohen_kappa("aa", "aa") is None
    assert cohen_kappa([], []) is None
    # Krippendorff 2011, example C: three observers, nominal, with missing answers
    a = [None] * 5 + [3, 4, 1, 2, 1, 1, 3, 3, None, 3]
    b = [1, None, 2, 1, 3, 3, 4, 3] + [None] * 7
    c = [None, None, 2, 1, 3, 4, 4, None, 2, 1, 1, 3, 3, None, 4]
    units = [{str(i): v for i, v in enumerate(unit) if v is not None} for unit in zip(a, b, c, strict=True)]
    assert krippendorff_alpha(units) == pytest.approx(0.691, abs=1e-3)
    assert wilson(0, 0) == (0, 1)
    assert wilson(45, 50) == pytest.approx((0.786, 0.957), abs=1e-3)


def test_a_label_that_the_model_holds_for_likeliest_is_not_called_doubtful():
    taxonomy = FakeClassifier().taxonomy
    nashville, mourning = TaxonChance("nashville_warbler", 0.87), TaxonChance("mourning_warbler", 0.12)
    standing = Standing("x", 1, "import", "nashville_warbler", "import", False, False, False, "train")
    right = reason_sentence("suspicion", standing, (nashville, mourning), taxonomy)
    assert right == "Label is rather right, but 12 % for Mourning Warbler"
    wrong = reason_sentence("suspicion", replace(standing, taxon="mourning_warbler"), (nashville, mourning), taxonomy)
    assert wrong == "Label looks doubtful: 87 % for Nashville Warbler"


def test_a_dispute_is_called_what_it_is(workspace):
    """An import is no expert."""
    workspace.take_in([coloured("lowchen", 1, "", "test")], "2")
    standing = workspace.roster.standing(workspace.roster.image_ids[0])
    taxonomy = workspace.taxa.load()
    came, said = (
        reason_sentence("adjudication", replace(standing, checked=one), (), taxonomy) for one in (False, True)
    )
    assert came == "An expert disagrees with the label that the picture came with: yours is the last word"
    assert said == "Experts disagree: yours is the last word"


def test_the_map_of_a_pair_has_the_same_sum_on_the_pixels_that_decide(workspace):
    image, explainer = workspace.roster.image_ids[0], workspace.labelling.explainer
    assert explainer is not None
    told = explainer.explain(image, "nashville_warbler", "mourning_warbler")
    fine = explainer.spread(image, "nashville_warbler", "mourning_warbler")
    assert fine is not None
    for_a, for_b = (next(one for one in told.candidates if one.taxon == taxon) for taxon in (told.asked, told.rival))
    assert sum(fine.values) == pytest.approx(sum(for_a.evidence) - sum(for_b.evidence), abs=1e-3)
    drawn = np.abs(np.reshape(fine.values, fine.grid))
    assert drawn[:, 24:28].sum() > 5 * drawn[:, 28:32].sum()  # the left half is the thing
    with pytest.raises(TaxonomyError, match="two different"):
        explainer.spread(image, "lowchen", "lowchen")
    with pytest.raises(TaxonomyError, match="has seen"):
        explainer.spread(image, "lowchen", "warbler")


def test_a_closer_look_explains_both_views_and_answers_learn_the_whole_picture(workspace):
    image, explainer = workspace.roster.image_ids[0], workspace.labelling.explainer
    assert explainer is not None
    pair = ("nashville_warbler", "mourning_warbler")
    assert explainer.explain(image, *pair, is_closer=True) == explainer.explain(image, *pair), "it takes no closer look"
    workspace.classifier.closer = FakeCloser()
    explainer = Explainer(
        lambda: workspace.classifier,
        workspace.learner,
        workspace.roster,
        workspace.embeddings,
        workspace.images,
        places=lambda _: LEFT,
    )
    whole, closer = (explainer.explain(image, *pair, is_closer=is_closer) for is_closer in (False, True))
    assert whole.box is None
    assert closer.box is not None
    assert closer.grid == (28, 28)
    for_a, for_b = (next(one for one in closer.candidates if one.taxon == taxon) for taxon in pair)
    fine = explainer.spread(image, *pair, is_closer=True)
    assert fine is not None
    rounding = 784 * 1e-5  # the evidence of a flat picture is rounded everywhere alike
    assert sum(fine.values) == pytest.approx(sum(for_a.evidence) - sum(for_b.evidence), abs=rounding)
    assert fine.grid == (84, 84)
