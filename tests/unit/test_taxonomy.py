"""The tree of taxa, and the one that the bundled checkpoint is built on."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fgdemo.values.errors import TaxonomyError
from fgdemo.values.naming import display_name, slug
from fgdemo.values.taxonomy import Taxon, Taxonomy

REPOSITORY = Path(__file__).resolve().parents[2]
PHOTOGRAPHS = REPOSITORY.parent / "shared" / "data"
FIELD_GUIDE = REPOSITORY / "checkpoints" / "field-guide.taxonomy.csv"


@st.composite
def forests(draw: st.DrawFn) -> Taxonomy:
    size = draw(st.integers(1, 12))
    parents = [draw(st.one_of(st.none(), st.integers(0, index - 1))) if index else None for index in range(size)]
    taxa = [Taxon(f"t{i}", f"Taxon {i}", None if p is None else f"t{p}") for i, p in enumerate(parents)]
    return Taxonomy(tuple(draw(st.permutations(taxa))))


@given(forests(), st.integers(0, 2**32 - 1))
def test_a_parent_is_exactly_the_sum_of_its_children(taxonomy: Taxonomy, seed: int) -> None:
    probs = np.random.default_rng(seed).dirichlet(np.ones(len(taxonomy.leaves)))
    totals = taxonomy.roll_up(probs)
    for taxon in taxonomy.taxa:
        children = [child.id for child in taxonomy.taxa if child.parent == taxon.id]
        if children:
            assert totals[taxon.id] == pytest.approx(sum(totals[child] for child in children), abs=1e-12)
        else:
            assert totals[taxon.id] == probs[taxonomy.leaf_index[taxon.id]]
    assert sum(totals[t.id] for t in taxonomy.taxa if t.parent is None) == pytest.approx(1.0, abs=1e-12)


@given(forests())
def test_json_round_trip(taxonomy: Taxonomy) -> None:
    assert Taxonomy.from_json(taxonomy.to_json()) == taxonomy


@given(st.text(max_size=30))
def test_slug_is_stable(text: str) -> None:
    assert slug(slug(text)) == slug(text)


def test_restrict_keeps_the_way_to_the_root() -> None:
    taxa = (
        Taxon("bird", "bird"),
        Taxon("gull", "gull", "bird"),
        Taxon("ivory", "Ivory Gull", "gull"),
        Taxon("wren", "Wren", "bird"),
    )
    assert [t.id for t in Taxonomy(taxa).restrict(["ivory"]).taxa] == ["bird", "gull", "ivory"]


@pytest.mark.parametrize(
    ("taxa", "message"),
    [
        ((), "empty"),
        ((Taxon("a", "A"), Taxon("a", "B")), "more than once: a"),
        ((Taxon("a", "A", "b"),), "parent “b”"),
        ((Taxon("a", "A", "b"), Taxon("b", "B", "a")), "cycle"),
    ],
)
def test_an_inconsistent_tree_is_refused(taxa: tuple[Taxon, ...], message: str) -> None:
    with pytest.raises(TaxonomyError, match=message):
        Taxonomy(taxa)


@pytest.mark.parametrize("content", [b"", b"name,parent\nA,\n", b"id\n\xff\n"])
def test_a_table_that_cannot_be_used_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "tree.csv"
    path.write_bytes(content)
    with pytest.raises(TaxonomyError, match=r"tree\.csv"):
        Taxonomy.read_csv(path)


def test_folder_names_find_their_leaf_by_any_name() -> None:
    tree = Taxonomy((Taxon("geococcyx", "Greater Roadrunner", None, "Geococcyx californianus", ("Roadrunner",)),))
    for folder in ("geococcyx", "Greater-Roadrunner", "GEOCOCCYX_CALIFORNIANUS", "roadrunner"):
        assert tree.match(folder) == "geococcyx"
    assert tree.match("road") is None
    assert display_name("red_eyed_vireo") == "Red Eyed Vireo"


# --- the field guide ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def field_guide() -> Taxonomy:
    return Taxonomy.read_csv(FIELD_GUIDE)


def test_field_guide_has_three_kinds_of_animal(field_guide: Taxonomy) -> None:
    leaves = Counter(field_guide.root(leaf) for leaf in field_guide.leaves)
    assert leaves == {"bird": 100, "dog": 64, "butterfly": 10}


def test_field_guide_groups_are_worth_naming(field_guide: Taxonomy) -> None:
    """A group of one says no more than its leaf; group names stand in the middle of a sentence."""
    for taxon, under in zip(field_guide.taxa, field_guide.membership.sum(1), strict=True):
        if taxon.id not in field_guide.leaf_index:
            assert under >= 2, taxon.id
            assert taxon.name[0].islower() or taxon.name.startswith("New World"), taxon.name


def test_field_guide_leaves_are_written_as_names(field_guide: Taxonomy) -> None:
    for leaf in field_guide.leaves:
        taxon = field_guide[leaf]
        assert taxon.name[0].isupper(), taxon.name
        assert "_" not in taxon.name, taxon.name
        if field_guide.root(leaf) != "dog":
            assert taxon.latin, f"{leaf} has no Latin name"
        if taxon.latin:
            assert re.fullmatch(r"[A-Z][a-z]+ [a-z]+( [a-z]+)?", taxon.latin), taxon.latin


def test_no_name_in_the_field_guide_means_two_taxa(field_guide: Taxonomy) -> None:
    claims = Counter(
        text
        for t in field_guide.taxa
        for text in {slug(t.id), slug(t.name), slug(t.latin or ""), *map(slug, t.aliases)} - {""}
    )
    assert [text for text, count in claims.items() if count > 1] == []


@pytest.mark.skipif(not PHOTOGRAPHS.is_dir(), reason="the photographs in ../shared/data are not here")
@pytest.mark.parametrize("name", ["birds100", "dogs64", "butterflies10"])
def test_every_class_folder_is_a_leaf_of_the_field_guide(field_guide: Taxonomy, name: str) -> None:
    for folder in (PHOTOGRAPHS / name / "train").iterdir():
        assert folder.name in field_guide.leaf_index
