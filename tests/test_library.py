"""The labelled pictures of the workspace and which are nearest."""

from __future__ import annotations

import io

import numpy as np
import pytest
import sqlalchemy as sa
from PIL import Image

from fgdemo.errors import PictureError, StorageError
from fgdemo.storage.database import open_database, reading, register_taxa
from fgdemo.storage.schema import image_table
from fgdemo.storage.events import EventLog, LabelEvent, NewPicture
from fgdemo.storage.library import Library
from fgdemo.storage.originals import ImageStore, image_id_of
from tests.fakes import TAXONOMY

MODEL = "../a model/8f00"


def picture(shade: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (32, 24), (shade, shade, 0)).save(file, "PNG")
    return file.getvalue()


def towards(*values: float) -> np.ndarray:
    return np.array(values, np.float32) / np.linalg.norm(values)


@pytest.fixture
def engine(tmp_path):
    engine = open_database(f"sqlite:///{tmp_path / 'fgdemo.sqlite'}")
    register_taxa(engine, TAXONOMY)
    yield engine
    engine.dispose()


@pytest.fixture
def library(engine, tmp_path):
    return Library(engine, ImageStore(tmp_path / "pictures"), tmp_path / "embeddings")


def add(library, shade, taxon="lowchen", source="dogs64"):
    return library.add(picture(shade), taxon=taxon, split="train", source=source, name=f"{shade}.png")


def test_an_added_picture_has_its_row_its_file_and_one_import_event(library, engine):
    image = add(library, 7)
    assert add(library, 7) == image == image_id_of(picture(7))
    with reading(engine) as connection:
        rows = connection.execute(sa.select(image_table)).all()
    assert [(r.id, r.width_px, r.height_px, r.source, r.split, r.name) for r in rows] == [
        (image, 32, 24, "dogs64", "train", "7.png")
    ]
    assert [(e.kind, e.taxon) for e in EventLog(engine).history(image)] == [("import", "lowchen")]
    assert library.images.read(image) == picture(7)


def test_a_changed_label_of_a_data_set_is_one_more_event(library, engine):
    image = add(library, 7)
    add(library, 7, taxon="eskimo_dog")
    assert [e.taxon for e in EventLog(engine).history(image)] == ["lowchen", "eskimo_dog"]


def test_a_visitors_picture_takes_the_split_of_the_data_set_it_turns_out_to_be_in(library, engine):
    original = picture(9)
    suggestion = LabelEvent(image=image_id_of(original), kind="suggestion", annotator="visitor", taxon="lowchen")
    visitors = NewPicture(original, 32, 24, "visitor", None, "upload.png")
    EventLog(engine).append_with_picture(suggestion, visitors, library.images)
    image = add(library, 9)
    with reading(engine) as connection:
        row = connection.execute(sa.select(image_table).where(image_table.c.id == image)).one()
    assert (row.source, row.split) == ("dogs64", "train")


def test_bad_pictures_and_unknown_taxa_are_refused(library, engine):
    with pytest.raises(PictureError):
        library.add(b"nonsense", taxon="lowchen", split="train", source="s", name="n")
    with pytest.raises(StorageError):
        library.add(picture(1), taxon="no_such", split="train", source="s", name="n")
    assert EventLog(engine).labels() == {}
    assert image_id_of(picture(1)) not in library.images


def test_nearest_first_and_only_of_the_taxon(library):
    near, far, middle = (add(library, shade) for shade in (1, 2, 3))
    other = add(library, 4, taxon="eskimo_dog")
    unseen = add(library, 5)
    assert set(library.without_embedding(MODEL)) == {near, far, middle, other, unseen}
    library.add_embeddings(MODEL, [near, far], np.stack([towards(1, 0.1), towards(-1, 0)]))
    library.add_embeddings(MODEL, [middle, other], np.stack([towards(1, 1), towards(1, 0)]))
    assert library.without_embedding(MODEL) == (unseen,)
    found = library.nearest(towards(1, 0) * 7, "lowchen", MODEL)
    assert [similar.image_id for similar in found] == [near, middle, far]
    assert [similar.similarity for similar in found] == pytest.approx([0.995, 0.7071, -1], abs=1e-3)
    assert not any(similar.checked for similar in found)
    assert [similar.image_id for similar in library.nearest(towards(1, 0), "lowchen", MODEL, limit=1)] == [near]
    assert library.nearest(towards(1, 0), "nashville_warbler", MODEL) == ()
    assert library.nearest(towards(1, 0), "lowchen", "another model") == ()


def test_a_relabelled_picture_moves_to_its_new_taxon(library):
    image = add(library, 1)
    library.add_embeddings(MODEL, [image], towards(1, 0)[None])
    add(library, 1, taxon="eskimo_dog")
    assert library.nearest(towards(1, 0), "lowchen", MODEL) == ()
    assert [similar.image_id for similar in library.nearest(towards(1, 0), "eskimo_dog", MODEL)] == [image]


def test_embeddings_are_read_once_and_again_when_another_process_replaced_them(library, engine, tmp_path, monkeypatch):
    image, second = add(library, 1), add(library, 2)
    library.add_embeddings(MODEL, [image], towards(1, 0)[None])
    library.nearest(towards(1, 0), "lowchen", MODEL)
    with monkeypatch.context() as patch:
        patch.setattr(np, "load", None)
        assert len(library.nearest(towards(1, 0), "lowchen", MODEL)) == 1
    elsewhere = Library(engine, library.images, tmp_path / "embeddings")
    elsewhere.add_embeddings(MODEL, [second], towards(0, 1)[None])
    assert len(library.nearest(towards(1, 0), "lowchen", MODEL)) == 2
    assert [path.parent for path in (tmp_path / "embeddings").rglob("*")] == [tmp_path / "embeddings"]


def test_damaged_embeddings_are_named(library, tmp_path):
    image = add(library, 1)
    library.add_embeddings(MODEL, [image], towards(1, 0)[None])
    (file,) = (tmp_path / "embeddings").iterdir()
    for damage in (file.read_bytes()[:100], b"", b"\x80\x04K*."):  # cut off, empty, a pickle
        file.write_bytes(damage)
        with pytest.raises(StorageError, match="damaged: delete"):
            library.nearest(towards(1, 0), "lowchen", MODEL)
