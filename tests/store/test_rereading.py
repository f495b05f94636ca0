"""A workspace from before colour profiles were applied: what was computed without them is made anew, and no more."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fgdemo.storage.embeddings.embeddings import Embeddings, Looks, LooksShape
from fgdemo.storage.embeddings.rereading import reread
from fgdemo.storage.pictures.originals import ImageStore
from fgdemo.storage.pictures.profiles import matrix_profile

SHAPE = LooksShape(4, (2, 2), 3, 2)
P3 = matrix_profile((0.3127, 0.329, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06), (2.2,))


def encoded(value: int, kind: str, profile: bytes | None = None) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (40, 40), (value, 90, 30)).save(file, kind, icc_profile=profile)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_only_pictures_with_colours_of_their_own_are_made_anew_and_once(tmp_path: Path, kind: str) -> None:
    images, embeddings = ImageStore(tmp_path / "pictures"), Embeddings(tmp_path / "embeddings", "m", SHAPE)
    files = [encoded(10, kind), encoded(20, kind, P3), encoded(30, kind)]
    ids = [images.put(data) for data in files]
    for image in ids:
        images.thumbnail(image)
    values = np.arange(12, dtype=np.float32).reshape(3, 4)
    embeddings.append(ids, Looks(values, np.zeros((3, 3, 2)), np.zeros((3, 2, 2, 3))))
    assert reread(tmp_path, images, embeddings, lambda: ids) == 1
    for known in (embeddings, Embeddings(tmp_path / "embeddings", "m", SHAPE)):
        assert known.missing(ids) == [ids[1]]
        assert np.array_equal(known.vectors([known.rows[ids[0]], known.rows[ids[2]]]), values[[0, 2]])
    assert [images.path(image, "thumbnails").exists() for image in ids] == [True, False, True]
    embeddings.append([ids[1]], Looks(values[:1], np.zeros((1, 3, 2)), np.zeros((1, 2, 2, 3))))
    assert reread(tmp_path, images, embeddings, lambda: ids) == 0
    assert embeddings.missing(ids) == []
