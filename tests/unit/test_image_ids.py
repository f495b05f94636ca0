"""Ids by row and rows by id, however many came at once and whatever they begin with."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fgdemo.storage.pictures import image_ids
from fgdemo.storage.pictures.image_ids import ImageIds, packed


def ids_of(numbers: range) -> list[str]:
    """Four of five are hashes; each fifth begins like the one before it."""
    found = []
    for number in numbers:
        digest = hashlib.sha256(str(number).encode()).hexdigest()
        found.append(found[-1][:40] + digest[40:] if number % 5 == 4 and found else digest)
    return found


@settings(deadline=None)
@given(pieces=st.lists(st.integers(0, 60), max_size=8))
def test_rows_and_ids_are_each_others_way_back(pieces):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(image_ids, "_LEAST_TAIL", 20)  # so that the order is made anew now and then
        ids, known = ImageIds(), []
        for size in pieces:
            new = ids_of(range(1000 * len(known), 1000 * len(known) + size))
            ids.append(packed(new))
            known += new
        assert list(ids) == known == ids[:]
        assert [ids.row_of[image] for image in known] == list(range(len(known)))
        assert ids.find_all(packed(known)).tolist() == list(range(len(known)))
        strangers = ids_of(range(10**6, 10**6 + 7)) + [image[:20] + "0" * 44 for image in known[:3]]
        assert ids.find_all(packed(strangers)).tolist() == [-1] * len(strangers)
        assert not any(image in ids.row_of for image in [*strangers, "", "x", "ff"])


def test_a_row_that_is_not_there_is_no_other():
    ids = ImageIds()
    ids.append(packed(ids_of(range(3))))
    assert ids[-1] == ids[2]
    for row in (3, -4):
        with pytest.raises(IndexError):
            ids[row]
    with pytest.raises(KeyError):
        ids.row_of["0" * 64]


def test_words_are_the_bytes_of_the_id():
    ids = ImageIds()
    (image,) = ids_of(range(1))
    ids.append(packed([image]))
    assert [int(ids.words(np.array([0]), word)[0]) for word in (0, 1)] == [int(image[:16], 16), int(image[16:32], 16)]
