"""Names of kinds stay as they are written, and names that differ are different kinds."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fgdemo.storage.formats.sources import Source, read_for_import, read_sources
from fgdemo.storage.records.inventory import Inventory
from fgdemo.values.labelled import LabelledPicture
from fgdemo.values.naming import NameBook, display_names, exact, slug, unique_id
from fgdemo.values.taxonomy import Taxonomy
from tests.support.workspace import FakeWorkspace, coloured, open_fake_workspace

AWKWARD = (
    "Mallard ♂",
    "Mallard ♀",
    "Mallard",
    "Grade A+",
    "Grade A-",
    "Grade A",
    "Wilson's Warbler",
    "wilson's storm-petrel",
    "<5 mm",
    ">5 mm",
    "5 mm",
    "-5 mm",
    "Quercus × hispanica",
    "Gull, herring (juv.)",
    "C++",
    "C#",
    "C",
    "c",
    "McKay's",
    "A.B",
    "A B",
    "A/B",
    "m²",
    "m2",
    "0.5",
    "0,5",
    "100 %",
    "100",
    "🦉",
    "🦉🦉",
    "دوري",
    "Straße",
    "STRASSE",
)


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[FakeWorkspace]:
    opened = open_fake_workspace(tmp_path / "home")
    yield opened
    opened.engine.dispose()


def test_an_imported_name_stays_as_written_and_is_found_again(workspace: FakeWorkspace) -> None:
    pictures = [coloured("lowchen", number, name) for number, name in enumerate(AWKWARD)]
    report = workspace.take_in(pictures)
    assert report.skipped == []
    names = {taxon.id: taxon.name for taxon in Inventory(workspace.engine).taxa}
    names_of_new = [held.history[0].taxon for held in Inventory(workspace.engine)]
    assert sorted(names[held.history[0].taxon or ""] for held in Inventory(workspace.engine)) == sorted(AWKWARD)
    again = workspace.take_in([coloured("lowchen", 100 + n, name) for n, name in enumerate(AWKWARD)], "2")
    assert again.new_kinds == []
    assert Counter(held.history[0].taxon for held in Inventory(workspace.engine)) == dict.fromkeys(names_of_new, 2)


def test_a_fitted_taxonomy_has_one_kind_for_each_name() -> None:
    taxonomy = Taxonomy.flat(AWKWARD)
    assert [taxon.name for taxon in taxonomy.taxa] == list(AWKWARD)
    meant = taxonomy.match_all(AWKWARD)
    assert [taxonomy[meant[name]].name for name in AWKWARD] == list(AWKWARD)


@given(st.lists(st.text(min_size=1, max_size=8).filter(lambda text: bool(slug(text))), min_size=2, max_size=6))
def test_ids_differ_where_names_differ(names: list[str]) -> None:
    taxonomy = Taxonomy.flat(names)
    meant = taxonomy.match_all(names)
    for one, other in combinations(names, 2):
        assert (meant[one] == meant[other]) == (exact(one) == exact(other))


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (["red_eyed_vireo", "Tree_Swallow", "robin"], ["Red Eyed Vireo", "Tree Swallow", "robin"]),
        (["001.Black_footed_Albatross", "002.Laysan_Albatross"], ["Black footed Albatross", "Laysan Albatross"]),
        (["n02085620-Chihuahua", "n02086240-Shih-Tzu"], ["Chihuahua", "Shih-Tzu"]),
        (["001.Black_footed_Albatross", "robin"], ["001.Black footed Albatross", "robin"]),
        (["3-toed woodpecker", "5-spot burnet"], ["3-toed woodpecker", "5-spot burnet"]),
        (["01_gull", "02_gull"], ["01 Gull", "02 Gull"]),
        (["737_max", "747_jumbo"], ["737 Max", "747 Jumbo"]),
        (["10_gull", "11_tern", "12_auk"], ["gull", "tern", "auk"]),
        (["001_gull", "045_tern", "123_auk"], ["gull", "tern", "auk"]),
        (["a_b", "A_B", "A B"], ["a_b", "A_B", "A B"]),
        (["_odd", "double__under"], ["_odd", "double__under"]),
        (["0.5mm", "1.0mm"], ["0.5mm", "1.0mm"]),
    ],
)
def test_folder_names_become_readable_only_where_nothing_is_lost(labels: list[str], names: list[str]) -> None:
    assert list(display_names(labels).values()) == names


def test_one_name_in_two_unicode_forms_is_one_kind() -> None:
    forms = [unicodedata.normalize(form, "Grünfink ♂") for form in ("NFC", "NFD")]
    assert len(Taxonomy.flat(forms).leaves) == 1


def test_old_ids_stay() -> None:
    known = ("red_eyed_vireo", "Black-footed Albatross", "Wilson's Warbler", "Le Conte's Sparrow", "🦉🦉", "नीलकंठ")
    assert [slug(name) for name in known] == [
        "red_eyed_vireo",
        "black_footed_albatross",
        "wilson_s_warbler",
        "le_conte_s_sparrow",
        "u1f989_u1f989",
        "नीलकंठ",
    ]
    assert unique_id("Robin", {"robin"}) != unique_id("ROBIN", {"robin"})


def test_a_loose_name_counts_only_alone() -> None:
    book = NameBook()
    book.add("geococcyx", ["Greater Roadrunner", "Geococcyx californianus"])
    assert book.meant(["GREATER ROADRUNNER"]) == {"GREATER ROADRUNNER": "geococcyx"}
    assert book.meant(["greater roadrunner", "Greater Roadrunner"]) == {"Greater Roadrunner": "geococcyx"}
    assert book.meant(["GREATER ROADRUNNER", "greater roadrunner"]) == {}
    folders = ["Greater_Roadrunner", "Greater-Roadrunner", "279.Greater_Roadrunner"]
    assert book.meant(folders) == dict.fromkeys(folders, "geococcyx"), "spellings of one name"


def test_labels_that_become_one_kind_are_told(workspace: FakeWorkspace) -> None:
    report = workspace.take_in([coloured("lowchen", n, name) for n, name in enumerate(("Uhu", "Bubo_bubo"))])
    assert report.notes == ["“Bubo_bubo” and “Uhu” are taken for one kind, Eurasian Eagle-Owl."]
    report = workspace.take_in([coloured("lowchen", 9 + n, name) for n, name in enumerate(("Kea", "KEA"))])
    assert report.notes == ["“KEA” and “Kea” are different kinds, though their names are nearly the same."]


def _of_groups(*paths: str) -> tuple[Source, list[LabelledPicture]]:
    """A source in which each path is group/kind."""
    groups = {path.split("/")[1]: (path.split("/")[0],) for path in paths}
    return Source((), tuple(groups), groups=groups), [coloured("lowchen", len(p), p.split("/")[1]) for p in paths]


def test_one_name_below_two_groups_is_two_kinds(workspace: FakeWorkspace) -> None:
    reports = []
    for paths in (("warblers/yellow", "gulls/ring-billed"), ("gulls/yellow", "gulls/herring gull"), ("gulls/yellow",)):
        source, pictures = _of_groups(*paths)
        reports.append(workspace.intake().take_in(pictures, paths[0], has_splits=True, groups=source.groups))
    assert "yellow" in reports[0].new_kinds
    assert "gulls yellow" in reports[1].new_kinds
    told = "“yellow” below gulls is another kind than “yellow” below warblers: it is called “gulls yellow”."
    assert told in reports[1].notes
    assert reports[2].new_kinds == [], "the same again"
    parents = {taxon.name: taxon.parent for taxon in workspace.taxa.load().taxa}
    assert (parents["yellow"], parents["gulls yellow"]) == ("warblers", "gulls")


def test_two_sources_with_one_name_below_two_groups(tmp_path: Path) -> None:
    for path in ("a/warblers/yellow", "a/owls/barn", "b/gulls/yellow", "b/finches/gold"):
        (tmp_path / path).mkdir(parents=True)
        (tmp_path / path / "1.jpg").write_text(path)
    for source in (
        read_sources([tmp_path / "a", tmp_path / "b"]),
        read_for_import([tmp_path / "a", tmp_path / "b"])[0],
    ):
        assert {p.label: source.groups[p.label] for p in source.pictures} == {
            "yellow": ("warblers",),
            "barn": ("owls",),
            "gulls yellow": ("gulls",),
            "gold": ("finches",),
        }
        assert any("two kinds, of which the second is called “gulls yellow”" in note for note in source.notes)


def test_a_label_that_is_no_spelling_of_a_known_name_is_told(workspace: FakeWorkspace) -> None:
    workspace.take_in([coloured("lowchen", 1, "Mallard (male)"), coloured("lowchen", 2, "C")])
    report = workspace.take_in([coloured("lowchen", 3, "Mallard male"), coloured("lowchen", 4, "c")])
    assert report.notes == [
        "Taken for kinds whose names differ in case and punctuation: “Mallard male” for “Mallard (male)”, “c” for “C”."
    ]


def test_numbers_alone_tell_two_kinds_apart() -> None:
    book = NameBook()
    book.add("robin", ["Robin"])
    assert book.meant(["001.Robin"]) == {"001.Robin": "robin"}
    assert book.meant(["001.Robin", "002.Robin"]) == {}


@pytest.mark.parametrize("unseen", ["\u200b", "\u00ad", "\u2060", "\ufeff", "\u202e"])
def test_what_cannot_be_seen_makes_no_other_kind(unseen: str) -> None:
    assert exact(f"Ro{unseen}bin") == "Robin"
    assert slug(f"Ro{unseen}bin") == "robin"
