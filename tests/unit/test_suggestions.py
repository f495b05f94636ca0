"""Visitors' suggestions: checked, stored whole or not at all."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import datetime, timezone

import pytest
import sqlalchemy as sa
from PIL import Image

from fgdemo.services.classify.suggestions import Suggestions, clean_text
from fgdemo.storage.database.database import open_database, reading, register_taxa, writing
from fgdemo.storage.history.events import EventLog, standing_of
from fgdemo.storage.pictures.decoding import Decoder
from fgdemo.storage.pictures.originals import ImageStore, image_id_of
from fgdemo.storage.visitors.pictures import VisitorPictures
from fgdemo.storage.visitors.remarks import Remarks
from fgdemo.values.errors import FgdemoError, PictureError, StorageError, TaxonomyError
from fgdemo.values.types import CropBox
from tests.support.fakes import TAXONOMY

NOON = datetime(2030, 1, 2, 12, tzinfo=timezone.utc)


def photo(shade: int = 90) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (32, 24), (shade, shade, 0)).save(file, "JPEG", quality=100)
    return file.getvalue()


@pytest.fixture
def engine(tmp_path):
    engine = open_database(f"sqlite:///{tmp_path / 'fgdemo.sqlite'}")
    register_taxa(engine, TAXONOMY)
    yield engine
    engine.dispose()


@pytest.fixture
def events(engine):
    return EventLog(engine, lambda: NOON)


@pytest.fixture
def pictures(tmp_path):
    return ImageStore(tmp_path / "pictures", Decoder(max_picture_mp=1))


@pytest.fixture
def suggestions(engine, events, pictures):
    left = VisitorPictures(engine, pictures, 90, clock=lambda: NOON)
    return Suggestions(events, pictures, Remarks(engine, lambda: NOON), left, TAXONOMY)


def add(suggestions, data=None, **changes) -> str:
    said = {"name": "a.jpg", "taxon": "lowchen", "new_name": None, "comment": None, "model_version": "m"}
    return suggestions.add(photo() if data is None else data, **{**said, "keep_picture": True, **changes}).id


def test_a_suggestion_is_kept_with_its_picture(suggestions, events, pictures):
    box = CropBox(0.1, 0.2, 0.7, 0.9)
    event_id = add(suggestions, name="../../\N{OWL}.jpg", comment=" bill too\r\nlong\0\u202e ", box=box)
    (kept,) = events.suggestions()
    assert event_id == str(kept.id)
    assert pictures.read(kept.image) == photo()
    assert (kept.taxon, kept.new_name, kept.comment, kept.box) == ("lowchen", None, "bill too\nlong", box)
    assert (kept.annotator, kept.model_version, kept.created_at) == ("visitor", "m", "2030-01-02T12:00:00+00:00")
    assert standing_of(events.history(kept.image), "train") is None


def test_the_same_picture_twice_is_two_events_and_one_file(suggestions, events, tmp_path):
    add(suggestions)
    add(suggestions, taxon="warbler")
    assert [event.taxon for event in events.suggestions()] == ["lowchen", "warbler"]
    assert len([path for path in (tmp_path / "pictures").rglob("*") if path.is_file()]) == 1


def test_a_kind_that_the_model_does_not_know(suggestions, events):
    add(suggestions, taxon=None, new_name="  Great\tBarbet\n ")
    assert [(event.taxon, event.new_name) for event in events.suggestions()] == [(None, "Great Barbet")]


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"taxon": None}, TaxonomyError),
        ({"new_name": "Barbet"}, TaxonomyError),
        ({"taxon": None, "new_name": " \0 "}, TaxonomyError),
        ({"taxon": "no_such"}, TaxonomyError),
        ({"comment": "x" * 2001}, StorageError),
        ({"taxon": None, "new_name": "x" * 121}, StorageError),
        ({"data": b""}, PictureError),
        ({"data": photo()[:300]}, PictureError),
    ],
)
def test_what_cannot_be_kept_changes_nothing(suggestions, events, tmp_path, changes, error):
    with pytest.raises(error) as caught:
        add(suggestions, **changes)
    assert str(caught.value).endswith(".")
    assert events.suggestions() == []
    assert not (tmp_path / "pictures").exists()


def test_a_version_from_anywhere_is_kept_as_harmless_text(suggestions, events):
    add(suggestions, model_version="field\0guide\ud800" + "x" * 100_000)
    (kept,) = events.suggestions()
    assert kept.model_version == "fieldguide" + "x" * 190


def test_the_longest_that_fits(suggestions, events):
    add(suggestions, comment="x" * 2000, taxon=None, new_name="ü" * 120)
    (kept,) = events.suggestions()
    assert (len(kept.comment), len(kept.new_name)) == (2000, 120)


def test_a_full_disk_under_the_database_keeps_neither_event_nor_picture(suggestions, events, pictures, engine):
    with writing(engine) as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    stored = []

    def fill():
        for shade in range(200):
            add(suggestions, photo(shade), comment="x" * 2000)
            stored.append(image_id_of(photo(shade)))

    with pytest.raises(StorageError, match="disk of the workspace is full"):
        fill()
    assert [event.image for event in events.suggestions()] == stored
    assert image_id_of(photo(len(stored))) not in pictures
    with writing(engine) as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1000000")
    assert add(suggestions, photo(len(stored)))


def test_a_full_disk_under_the_pictures_keeps_neither(suggestions, events, tmp_path, monkeypatch):
    def no_space(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("fgdemo.storage.disk.durable.os.fsync", no_space)
    with pytest.raises(FgdemoError, match="disk of the workspace is full"):
        add(suggestions)
    assert events.suggestions() == []
    assert [path for path in (tmp_path / "pictures").rglob("*") if path.is_file()] == []


def test_text_keeps_every_script_and_loses_what_could_harm():
    kept = "Löwchen 狼 \N{OWL}\u200d می‌خواهم\nnext"
    assert clean_text(kept) == kept
    assert clean_text("a\0b\x1b[31m\ud800\u2066c\r") == "ab[31mc\n"


KEY = "3f2b8a1c-0c1e-4a53-9a51-6f3b7d1f6f5e"


@pytest.mark.parametrize("keep_picture", [True, False])
def test_one_whose_reply_was_lost_counts_once_when_it_is_sent_again(engine, suggestions, events, keep_picture):
    def kept() -> int:
        with reading(engine) as connection:
            return len(events.suggestions()) + connection.execute(sa.text("SELECT count(*) FROM remark")).scalar_one()

    said = {"name": "a.jpg", "taxon": "lowchen", "new_name": None, "comment": "why", "model_version": "m"}
    first, again = (suggestions.add(photo(), **said, keep_picture=keep_picture, key=KEY) for _ in range(2))
    assert (first, kept()) == (again, 1), "with the same receipt, too"
    with pytest.raises(StorageError, match="the key of another one"):
        suggestions.add(photo(), **{**said, "comment": "other"}, keep_picture=keep_picture, key=KEY)
    other = suggestions.add(photo(), **said, keep_picture=keep_picture, key=KEY.upper())
    assert (kept(), other.id == first.id) == (2, False)
    if keep_picture:
        assert first.receipt
        assert suggestions.forget(first.receipt).state == "removed"
        assert suggestions.add(photo(), **said, keep_picture=True, key=KEY) == replace(first, kept_until=None)


def test_a_key_that_others_might_guess_is_refused(suggestions):
    for key in ("1", "x" * 201):
        with pytest.raises(StorageError, match="The key must have 20 to 200 characters"):
            add(suggestions, key=key)
