"""Leases and sessions by themselves."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from fgdemo.storage.database.database import open_database, register_taxa
from fgdemo.storage.history.events import EventLog, LabelEvent, NewPicture
from fgdemo.storage.history.leases import LEASE_S, Leases
from fgdemo.storage.history.sessions import Sessions
from fgdemo.storage.pictures.originals import ImageStore, image_id_of
from fgdemo.values.annotation import Accuracy
from fgdemo.values.errors import StaleError, StorageError
from tests.support.fakes import TAXONOMY

NOON = datetime(2026, 5, 1, 12, tzinfo=timezone.utc)


class Clock:
    now = NOON

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def engine(database_url):
    engine = open_database(database_url)
    register_taxa(engine, TAXONOMY)
    yield engine
    engine.dispose()


@pytest.fixture
def leases(engine, clock):
    return Leases(engine, clock)


@pytest.fixture
def images(engine, tmp_path):
    """Four pictures of the workspace."""
    ids = [image_id_of(bytes([number])) for number in range(4)]
    entries = [
        (LabelEvent(image, "import", "me", taxon="owl"), NewPicture(bytes([number]), 1, 1, "x", "train", "x"))
        for number, image in enumerate(ids)
    ]
    EventLog(engine).append_many(entries, ImageStore(tmp_path))
    return ids


def test_each_gets_what_no_other_holds_in_its_order(leases, images):
    assert leases.take(images, "ada", 1, 2) == images[:2]
    assert leases.take(images, "bo", 2, 9) == images[2:]
    assert leases.take([*images, images[0]], "ada", 1, 9) == images[:2]
    assert leases.take(images, "cy", 3, 9, shared=images[:1]) == images[:1]
    assert leases.take([], "dee", 4, 9) == []
    leases.release("ada", [images[1]])
    assert leases.held() == {images[0]: {"ada", "cy"}, images[2]: {"bo"}, images[3]: {"bo"}}
    leases.release("bo")
    assert leases.take(images, "dee", 4, 9) == images[1:]


@pytest.mark.parametrize("began", [NOON, NOON + timedelta(microseconds=1), NOON - timedelta(microseconds=1)])
def test_a_lease_ends_at_its_microsecond(leases, images, clock, began):
    clock.now = began
    leases.take(images[:1], "ada", 1, 1)
    clock.now = began + timedelta(seconds=LEASE_S) - timedelta(microseconds=1)
    assert leases.take(images[:1], "bo", 2, 1) == []
    clock.now += timedelta(microseconds=1)
    assert leases.take(images[:1], "bo", 2, 1) == images[:1]


def test_renewing_is_holding_longer(leases, images, clock):
    leases.take(images[:1], "ada", 1, 1)
    clock.now += timedelta(seconds=LEASE_S - 1)
    leases.take(images[:1], "ada", 1, 1)
    clock.now += timedelta(seconds=LEASE_S - 1)
    assert leases.held() == {images[0]: {"ada"}}


@pytest.mark.parametrize("jump", [timedelta(minutes=2), timedelta(days=400)])
def test_no_lease_outlives_a_clock_that_jumps_back(leases, images, clock, jump):
    leases.take(images, "ada", 1, 9)
    clock.now -= jump
    assert leases.held() == {}
    assert leases.take(images, "bo", 2, 9) == images
    leases.release("cy")  # clears away what has ended
    clock.now += jump
    assert {holder for holders in leases.held().values() for holder in holders} <= {"bo"}


def test_a_session_is_found_again_and_a_new_one_closes_it(engine, clock):
    sessions = Sessions(engine, clock)
    before = Accuracy(0.8, 0.7, 0.9, 50, "val")
    first = sessions.open("ada", "pair", ("owl", "lowchen"), 40, 0.25, before)
    assert sessions.get(first.id) == sessions.current("ada") == first
    clock.now -= timedelta(days=1)  # the newest is the one with the highest number, whatever the clock says
    second = sessions.open("ada", "new")
    assert sessions.current("ada") == second
    assert sessions.get(first.id).closed_at is not None
    other = sessions.open("bo", "new")
    sessions.close(second.id)
    assert sessions.current("ada") is None
    assert sessions.current("bo") == other
    with pytest.raises(StorageError, match="not in the workspace"):
        sessions.get(10**12)


def test_who_has_answered_holds_the_picture_no_more_and_a_refused_answer_changes_nothing(engine, leases, images):
    log = EventLog(engine)
    leases.take(images, "ada", 1, 3)
    leases.take(images[:1], "bo", 2, 1, shared=images[:1])
    stale = LabelEvent(images[1], "label", "ada", taxon="owl", shown_version=0)
    fresh = [LabelEvent(image, "none", "ada", shown_version=log.history(image)[-1].id) for image in images[:2]]
    with pytest.raises(StaleError):
        log.answer_all([fresh[0], stale])
    assert leases.held() == {images[0]: {"ada", "bo"}, images[1]: {"ada"}, images[2]: {"ada"}}
    log.answer_all(fresh)
    assert leases.held() == {images[0]: {"bo"}, images[2]: {"ada"}}
