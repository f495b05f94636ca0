"""Readings of pictures of the workspace: read once, bounded, and never by a model that is not asked for."""

import io
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image

from fgdemo.services.classify.aside import Aside
from fgdemo.services.classify.workspace_readings import WorkspaceReadings
from fgdemo.storage.pictures.originals import ImageStore
from fgdemo.values.errors import StorageError
from tests.support.fakes import FakeClassifier


@pytest.fixture
def images(tmp_path):
    return ImageStore(tmp_path / "pictures")


def kept(images: ImageStore, number: int) -> str:
    file = io.BytesIO()
    Image.new("RGB", (40, 30), (number, 100, 50)).save(file, "PNG")
    return images.put(file.getvalue())


def readings(images: ImageStore, **limits: int) -> WorkspaceReadings:
    return WorkspaceReadings(images, Aside("test", niceness=1), **limits)


def test_a_picture_is_read_once_however_many_ask(images):
    classifier, known, image = FakeClassifier(), readings(images), kept(images, 1)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: known.of(image, classifier), range(24)))
    assert classifier.reads == 1
    assert all(one is found[0] for one in found)


def test_the_least_recently_used_are_forgotten(images):
    classifier, known = FakeClassifier(), readings(images, most=2)
    first, second, third = (kept(images, number) for number in range(3))
    for image in (first, second, first, third):
        known.of(image, classifier)
    assert classifier.reads == 3
    known.of(first, classifier)
    assert classifier.reads == 3
    known.of(second, classifier)
    assert classifier.reads == 4


def test_their_bytes_are_bounded_and_the_newest_is_kept(images):
    classifier, known = FakeClassifier(), readings(images, most_bytes=1)
    first, second = kept(images, 1), kept(images, 2)
    known.of(first, classifier)
    known.of(first, classifier)
    assert classifier.reads == 1
    for image in (second, first):
        known.of(image, classifier)
    assert classifier.reads == 3


def test_another_model_reads_anew(images):
    old, new, known, image = FakeClassifier(), FakeClassifier(), readings(images), kept(images, 1)
    known.of(image, old)
    known.of(image, new)
    known.of(image, old)
    assert (old.reads, new.reads) == (2, 1)


def test_a_picture_that_has_gone_is_said_to_have(images):
    classifier, known = FakeClassifier(), readings(images)
    with pytest.raises(StorageError):
        known.of("0" * 64, classifier)
    assert classifier.reads == 0
