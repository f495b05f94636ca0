"""The drawn birds must keep what they promise, since the tests of explanations take their word for it."""

from __future__ import annotations

import errno
import io
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from fgdemo.specimens import PARTS, SPECIES, Species, differing_part, draw_specimen, taxonomy, write_specimens
from fgdemo.storage.formats.sources import read_source
from fgdemo.values.errors import SettingsError, StorageError
from fgdemo.values.taxonomy import Taxonomy

PAIRS = [(a, b) for a, b in combinations(SPECIES, 2) if differing_part(a, b)]
seeds = st.integers(0, 2**31)


def test_two_groups_of_three_that_cover_every_part() -> None:
    assert [sum(s.group == group for s in SPECIES) for group in dict.fromkeys(s.group for s in SPECIES)] == [3, 3]
    assert {differing_part(a, b) for a, b in PAIRS} == {"wing", "tail", "beak"}
    assert differing_part(SPECIES[0], SPECIES[0]) is None
    assert differing_part(SPECIES[0], SPECIES[3]) is None, "the groups differ in more than a part"
    assert differing_part(SPECIES[1], SPECIES[2]) is None, "these two differ in two parts"
    assert taxonomy().leaves == tuple(species.id for species in SPECIES)


@pytest.mark.parametrize(("a", "b"), PAIRS, ids=lambda species: species.id)
@settings(max_examples=8, deadline=None)
@given(seed=seeds)
def test_species_of_a_group_differ_only_in_the_named_part(a: Species, b: Species, seed: int) -> None:
    one, other = draw_specimen(a, seed), draw_specimen(b, seed)
    changed = np.any(np.asarray(one.picture) != np.asarray(other.picture), axis=2)
    part = differing_part(a, b)
    assert part is not None
    allowed = Image.fromarray(one.masks[part] | other.masks[part]).convert("L").filter(ImageFilter.MaxFilter(5))
    assert changed.sum() > 80, "the difference cannot be seen"
    assert not np.any(changed & ~(np.asarray(allowed) > 0)), "something else differs too"


@settings(max_examples=20, deadline=None)
@given(species=st.sampled_from(SPECIES), seed=seeds, width=st.integers(96, 300), height=st.integers(96, 300))
def test_every_part_is_there_and_in_the_picture(species: Species, seed: int, width: int, height: int) -> None:
    specimen = draw_specimen(species, seed, (width, height))
    assert specimen.picture.size == (width, height)
    assert tuple(specimen.masks) == PARTS
    masks = np.stack(list(specimen.masks.values()))
    assert masks.shape == (len(PARTS), height, width)
    assert masks.sum(0).max() == 1, "masks overlap"
    assert masks.sum((1, 2)).min() >= 4, "a part is hidden"
    edges = np.concatenate([masks[:, 0], masks[:, -1], masks[:, :, 0], masks[:, :, -1]], axis=1)
    assert not edges.any(), "the bird leaves the picture"


def test_the_same_seed_gives_the_same_pixels_and_another_does_not() -> None:
    first, again, other = (draw_specimen(SPECIES[4], seed).picture.tobytes() for seed in (7, 7, 8))
    assert first == again
    assert first != other


def test_marks_lie_where_the_masks_say() -> None:
    """The yellow of a tail band is found inside the tail mask, in a picture that is not square."""
    plain, banded = (draw_specimen(SPECIES[i], 5, (320, 200)) for i in (0, 2))
    changed = np.any(np.asarray(plain.picture) != np.asarray(banded.picture), axis=2)
    rows, columns = np.nonzero(changed)
    tail_rows, tail_columns = np.nonzero(banded.masks["tail"])
    assert tail_rows.min() - 2 <= rows.mean() <= tail_rows.max() + 2
    assert tail_columns.min() - 2 <= columns.mean() <= tail_columns.max() + 2


def test_written_specimens_are_a_source(tmp_path: Path) -> None:
    folder = tmp_path / "birds"
    assert write_specimens(folder, per_class=4, seed=3, size_px=96) == 24
    source = read_source(folder)
    assert source.labels == tuple(sorted(species.id for species in SPECIES))
    assert (len(source.part("train")), len(source.part("val"))) == (18, 6)
    corners = {Image.open(io.BytesIO(p.load())).crop((0, 0, 8, 8)).tobytes() for p in source.pictures}
    assert len(corners) == 24, "two pictures share a scene, so one could be told from the other by heart"
    assert Taxonomy.read_csv(folder / "taxonomy.csv") == taxonomy()
    for picture in source.pictures:
        mask = np.asarray(Image.open(folder / "masks" / Path(picture.name).with_suffix(".png")))
        assert mask.shape == (96, 96)
        assert set(np.unique(mask)) == set(range(len(PARTS) + 1))


def test_a_folder_in_use_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(StorageError, match="not empty"):
        write_specimens(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("per_class", [-1, 0, 3])
def test_too_few_to_hold_one_out_is_refused(tmp_path: Path, per_class: int) -> None:
    with pytest.raises(SettingsError, match="at least 4"):
        write_specimens(tmp_path / "new", per_class)
    assert not (tmp_path / "new").exists()


def test_a_full_disk_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_space(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", no_space)
    with pytest.raises(StorageError, match="No space left"):
        write_specimens(tmp_path / "new", per_class=4)
