"""The event log: what is appended is kept, in order, through crashes, and nothing is half-stored."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fgdemo.storage.database.database import open_database, register_taxa, writing
from fgdemo.storage.history.events import EventLog, LabelEvent, NewPicture, standing_of
from fgdemo.storage.pictures.originals import ImageStore, image_id_of
from fgdemo.values.errors import ForbiddenError, StaleError, StorageError, UnavailableError
from fgdemo.values.types import CropBox
from tests.support.fakes import TAXONOMY
from tests.support.workspace import ADA, BO

ROOT = Path(__file__).parents[2]
NOON = datetime(2030, 1, 2, 12, tzinfo=timezone.utc)
PICTURE = NewPicture(b"some bytes", 40, 30, "visitor", None, "a.jpg")
IMAGE = image_id_of(PICTURE.original)


class Clock:
    """Every look at it is one second later."""

    def __init__(self) -> None:
        self.now = NOON - timedelta(seconds=1)

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


@pytest.fixture
def engine(database_url):
    engine = open_database(database_url)
    register_taxa(engine, TAXONOMY)
    yield engine
    engine.dispose()


@pytest.fixture
def store(tmp_path):
    return ImageStore(tmp_path / "pictures")


@pytest.fixture
def log(engine, store):
    log = EventLog(engine, Clock())
    log.append_with_picture(imported("eskimo_dog"), PICTURE, store)
    return log


def imported(taxon: str, image: str = IMAGE) -> LabelEvent:
    return LabelEvent(image=image, kind="import", annotator="birds100", taxon=taxon)


def suggested(taxon: str | None = None, **fields) -> LabelEvent:
    return LabelEvent(image=IMAGE, kind="suggestion", annotator="visitor", taxon=taxon, **fields)


fractions = st.floats(0, 0.4)
boxes = st.builds(
    lambda x, y, w, h: CropBox(x, y, x + w + 0.1, y + h + 0.1), fractions, fractions, fractions, fractions
)
texts = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=50)


@given(
    event=st.builds(
        suggested,
        new_name=st.none() | texts,
        comment=st.none() | texts,
        box=st.none() | boxes,
        model_version=st.none() | texts,
        seconds_spent=st.none() | st.floats(0, 1e6),
        shown_version=st.none() | st.integers(0, 2**60),
    )
)
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_appended_is_what_is_read(log, event):
    appended = log.append(event)
    assert replace(appended, id=None, created_at=None) == event
    assert log.history(IMAGE)[-1] == appended


def test_ids_grow_and_the_clock_is_the_one_given(log):
    first, second = log.append(suggested("lowchen")), log.append(suggested("eskimo_dog"))
    assert first.id is not None
    assert second.id == first.id + 1
    assert (first.created_at, second.created_at) == ("2030-01-02T12:00:02+00:00", "2030-01-02T12:00:03+00:00")


def test_the_current_label_is_the_latest_event_that_is_no_suggestion(log):
    for event, now in (
        (suggested("lowchen"), "eskimo_dog"),
        (imported("nashville_warbler"), "nashville_warbler"),
        (suggested("lowchen"), "nashville_warbler"),
    ):
        log.append(event)
        standing = standing_of(log.history(IMAGE), "train")
        assert standing is not None
        assert (standing.taxon, standing.suggested) == (now, True)
    assert [event.taxon for event in log.suggestions()] == ["lowchen", "lowchen"]
    assert [event.taxon for event in log.history(IMAGE)] == ["eskimo_dog", "lowchen", "nashville_warbler", "lowchen"]


@pytest.mark.parametrize("event", [imported("no_such_taxon"), imported("lowchen", image="f" * 64)])
def test_events_about_what_is_not_there_are_refused(log, event):
    before = log.history(IMAGE)
    with pytest.raises(StorageError, match="not in the workspace"):
        log.append(event)
    assert log.history(IMAGE) == before
    assert log.history("f" * 64) == []


def test_an_event_is_checked_when_it_is_made():
    with pytest.raises(StorageError, match="not both"):
        suggested("lowchen", new_name="Barbet")
    with pytest.raises(StorageError, match="kind"):
        LabelEvent(image=IMAGE, kind="guess", annotator="me")  # type: ignore[arg-type]


def test_a_refused_event_leaves_no_picture(log, store):
    picture = replace(PICTURE, original=b"new bytes")
    image = image_id_of(picture.original)
    with pytest.raises(StorageError):
        log.append_with_picture(imported("no_such_taxon", image), picture, store)
    assert image not in store
    with pytest.raises(StorageError):  # and so no event can name it
        log.append(imported("lowchen", image))


def test_a_picture_that_cannot_be_written_leaves_no_event(log, store, monkeypatch):
    def no_space(_):
        raise OSError(28, "No space left on device")

    picture = replace(PICTURE, original=b"new bytes")
    image = image_id_of(picture.original)
    monkeypatch.setattr("fgdemo.storage.disk.durable.os.fsync", no_space)
    with pytest.raises(StorageError, match="full"):
        log.append_with_picture(imported("lowchen", image), picture, store)
    monkeypatch.undo()
    assert log.history(image) == []
    log.append_with_picture(imported("lowchen", image), picture, store)
    assert store.read(image) == b"new bytes"


def test_a_failure_keeps_a_picture_that_others_need(log, store):
    with pytest.raises(StorageError):
        log.append_with_picture(imported("no_such_taxon"), PICTURE, store)
    assert store.read(IMAGE) == PICTURE.original


def test_a_wrong_id_is_refused(log, store):
    with pytest.raises(StorageError, match="do not belong together"):
        log.append_with_picture(imported("lowchen", "a" * 64), replace(PICTURE, original=b"new bytes"), store)
    assert image_id_of(b"new bytes") not in store
    assert log.history("a" * 64) == []


@pytest.mark.parametrize("field", ["comment", "new_name", "annotator", "model_version"])
@pytest.mark.parametrize("text", ["a\0b", "a\ud800b"])
def test_text_that_no_database_keeps_is_one_sentence(log, field, text):
    before = log.history(IMAGE)
    with pytest.raises(StorageError, match="cannot be stored"):
        log.append(replace(suggested(), **{field: text}))
    assert log.history(IMAGE) == before


# --- answers, and taking them back --------------------------------------------------------------------------------


def label(image: str, taxon: str, version: int, key: str | None = None, annotator: str = "ada", **fields) -> LabelEvent:
    return LabelEvent(image, "label", annotator, taxon=taxon, shown_version=version, answer_key=key, **fields)


@pytest.fixture
def images(log, store):
    """Three pictures labelled by import, with their versions."""
    pictures = [replace(PICTURE, original=bytes([number]), split="train") for number in range(3)]
    entries = [(imported("lowchen", image_id_of(picture.original)), picture) for picture in pictures]
    return [(said.image, said.id) for said in log.append_many(entries, store)]


def test_a_batch_is_taken_whole_or_not_at_all(log, images):
    good = [label(image, "eskimo_dog", version, f"k{image[:9]}", batch="b") for image, version in images]
    stale = replace(good[1], shown_version=images[1][1] - 1)
    before = log.since(0)
    for bad in ([good[0], stale], [*good, replace(good[0], answer_key="another")]):
        with pytest.raises(StaleError):
            log.answer_all(bad)
    with pytest.raises(StorageError, match="not in the workspace"):
        log.answer_all([good[0], replace(good[1], taxon="no_such_taxon")])
    assert log.since(0) == before
    kept = log.answer_all([*good, good[0]])
    assert kept == [*log.by_batch("b"), kept[0]]
    assert log.answer_all(good) == kept[:3]
    assert len(log.by_batch("b")) == 3


def test_a_key_of_somebody_else_is_refused(log, images):
    (image, version), (other, _) = images[:2]
    log.answer(label(image, "eskimo_dog", version, "key"))
    for said in (label(image, "owl", version, "key", "bo"), label(other, "owl", version, "key")):
        with pytest.raises(StorageError, match="the key of another"):
            log.answer(said)


def test_a_batch_is_taken_back_whole_or_not_at_all(log, images):
    kept = log.answer_all([label(image, "eskimo_dog", version, batch="b") for image, version in images])
    ids = [said.id or 0 for said in kept]
    newer = log.answer(label(kept[1].image, "owl", ids[1], annotator="bo"))
    before = log.since(0)
    for refused, error in ((ids, StaleError), ([*ids, newer.id], ForbiddenError), ([ids[0], 10**12], StorageError)):
        with pytest.raises(error):
            log.undo(refused, ADA)
    assert log.since(0) == before
    log.undo([newer.id or 0], BO)
    undone = log.undo(ids, ADA)
    assert {said.undoes for said in undone} == set(ids)
    assert log.undo(ids, ADA) == []
    for image, _ in images:
        standing = standing_of(log.history(image), "train")
        assert standing is not None
        assert (standing.taxon, standing.checked) == ("lowchen", False)


def test_two_answers_about_one_picture_are_taken_back_in_one_go(log, images):
    ((image, version), *_) = images
    first = log.answer(label(image, "owl", version))
    second = log.answer(label(image, "bird", first.id or 0))
    assert [said.undoes for said in log.undo([first.id or 0, second.id or 0], ADA)] == [second.id, first.id]


def test_questions_about_more_pictures_than_one_statement_names(log, images, monkeypatch):
    monkeypatch.setattr("fgdemo.storage.history.event_rows.AT_ONCE", 2)
    wanted = [image for image, _ in images]
    assert {image: [said.id for said in history] for image, history in log.histories([*wanted, "f" * 64]).items()} == {
        **{image: [number] for image, number in images},
        "f" * 64: [],
    }
    kept = log.answer_all([label(image, "owl", version) for image, version in images])
    assert len(log.undo([said.id or 0 for said in kept], ADA)) == 3


def test_ids_come_in_order_so_a_follower_misses_nothing(engine, log, database_url):
    """Four connections write at once while one follows; none of them ever sees a later event before an earlier one."""
    finished = threading.Event()
    seen: list[int] = []

    def follow():
        while True:
            last_time = finished.is_set()
            seen.extend(said.id or 0 for said in log.since(seen[-1] if seen else 0, limit=7))
            if last_time and not log.since(seen[-1]):
                return

    def write(who):
        own = open_database(database_url)
        for number in range(25):
            EventLog(own).append(suggested(comment=f"{who} {number}"))
        own.dispose()

    with ThreadPoolExecutor(5) as pool:
        following = pool.submit(follow)
        for writer in [pool.submit(write, who) for who in range(4)]:
            writer.result()
        finished.set()
        following.result()
    assert seen == [said.id for said in log.since(0)]
    assert len(seen) == 101


def test_nobody_gets_a_number_while_an_earlier_one_is_not_committed(engine, log, monkeypatch):
    """The heart of the test above, without chance: a sequence alone would let the second writer through."""
    monkeypatch.setattr("fgdemo.storage.database.dialects.BUSY_TIMEOUT_S", 0)
    impatient = open_database(engine.url.render_as_string(hide_password=False))
    with writing(engine) as connection:
        log._insert(connection, suggested("lowchen"))
        with pytest.raises(UnavailableError, match="Another program"):
            EventLog(impatient).append(suggested("owl"))
    assert [said.taxon for said in log.suggestions()] == ["lowchen"]
    impatient.dispose()


def test_a_clock_that_jumps_back_changes_no_order(engine, log, images):
    ((image, version), *_) = images
    late = EventLog(engine, lambda: NOON + timedelta(days=9)).answer(label(image, "owl", version))
    early = EventLog(engine, lambda: NOON - timedelta(days=9)).answer(label(image, "bird", late.id or 0))
    assert [said.id for said in log.history(image)[1:]] == [late.id, early.id]
    standing = standing_of(log.history(image), "train")
    assert standing is not None
    assert (standing.taxon, standing.version) == ("bird", early.id)


APPEND_FOR_EVER = """
import sys
from pathlib import Path
from fgdemo.storage.database.database import open_database, register_taxa
from fgdemo.storage.history.events import EventLog, LabelEvent, NewPicture
from fgdemo.storage.pictures.originals import ImageStore, image_id_of
from tests.support.fakes import TAXONOMY
home, who = Path(sys.argv[1]), sys.argv[2]
engine = open_database(f"sqlite:///{home / 'fgdemo.sqlite'}")
register_taxa(engine, TAXONOMY)
log, store, number = EventLog(engine), ImageStore(home / "pictures"), 0
while True:
    original = f"{who} {number}".encode() * 100
    image = image_id_of(original)
    event = LabelEvent(image=image, kind="suggestion", annotator=who, taxon="lowchen")
    appended = log.append_with_picture(event, NewPicture(original, 9, 9, "visitor", None, "x"), store)
    print(appended.id, image, flush=True)
    number += 1
"""


@pytest.mark.skipif(os.name == "nt", reason="kill -9 is a Unix signal")
def test_what_was_acknowledged_survives_kill_9(tmp_path):
    """Two processes write to one workspace; both are killed in the middle of it."""
    started = [
        subprocess.Popen([sys.executable, "-c", APPEND_FOR_EVER, str(tmp_path), who], cwd=ROOT, stdout=subprocess.PIPE)
        for who in ("ann", "ben")
    ]
    acknowledged = []
    for process in started:
        assert process.stdout is not None
        acknowledged += [process.stdout.readline().split() for _ in range(20)]
    for process in started:
        process.send_signal(signal.SIGKILL)
    for process in started:
        assert process.stdout is not None
        acknowledged += [
            line.split() for line in process.stdout.read().splitlines(keepends=True) if line.endswith(b"\n")
        ]
        process.wait(timeout=60)
        process.stdout.close()
    log = EventLog(open_database(f"sqlite:///{tmp_path / 'fgdemo.sqlite'}"))
    kept = {(event.id, event.image) for event in log.suggestions()}
    store = ImageStore(tmp_path / "pictures")
    assert len(acknowledged) >= 40
    assert {(int(number), image.decode()) for number, image in acknowledged} <= kept
    assert all(image_id_of(store.read(image)) == image for _, image in kept)
