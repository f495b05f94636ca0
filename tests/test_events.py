"""The event log: what is appended is kept, in order, through crashes, and nothing is half-stored."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fgdemo.errors import StorageError
from fgdemo.storage.database import open_database, register_taxa
from fgdemo.storage.events import EventLog, LabelEvent, NewPicture
from fgdemo.storage.originals import ImageStore, image_id_of
from fgdemo.types import CropBox
from tests.fakes import TAXONOMY

ROOT = Path(__file__).parents[1]
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
texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=50)


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


def test_the_current_label_is_the_latest_event_that_is_no_suggestion(log, store):
    other = replace(PICTURE, original=b"other bytes")
    log.append_with_picture(imported("lowchen", image_id_of(other.original)), other, store)
    assert log.labels()[IMAGE].taxon == "eskimo_dog"
    log.append(imported("nashville_warbler"))
    log.append(suggested("lowchen"))
    assert {image: label.taxon for image, label in log.labels().items()} == {
        IMAGE: "nashville_warbler",
        image_id_of(other.original): "lowchen",
    }
    assert list(log.labels("nashville_warbler")) == [IMAGE]
    assert log.labels("eskimo_dog") == {}
    assert [event.taxon for event in log.suggestions()] == ["lowchen"]
    assert [event.taxon for event in log.history(IMAGE)] == ["eskimo_dog", "nashville_warbler", "lowchen"]


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
    monkeypatch.setattr("fgdemo.storage.originals.os.fsync", no_space)
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


APPEND_FOR_EVER = """
import sys
from pathlib import Path
from fgdemo.storage.database import open_database, register_taxa
from fgdemo.storage.events import EventLog, LabelEvent, NewPicture
from fgdemo.storage.originals import ImageStore, image_id_of
from tests.fakes import TAXONOMY
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
