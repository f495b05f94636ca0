"""What a person types finds a kind, in whatever script and with whatever signs its name is written."""

from __future__ import annotations

import pytest

from fgdemo.services.classify.taxon_search import TaxonSearch
from fgdemo.values.taxonomy import Taxon, Taxonomy

NAMES = (
    "Mallard ♂",
    "Mallard ♀",
    "C++",
    "C#",
    "🐦\u200d⬛ Rook",
    "👩🏽\u200d🔬 Owl",
    "❤️ Heart",
    "Straße",
    "İstanbul",
    "Diyarbakır",
    "Ｆｕｌｌ",
    "Cafe\u0301",
    "Smew (young)",
    "שחרור",
    "Red-winged Blackbird",
)
SEARCH = TaxonSearch(Taxonomy(tuple(Taxon(f"t{at}", name) for at, name in enumerate(NAMES))))


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("♂", ["Mallard ♂"]),
        ("mallard ♀", ["Mallard ♀"]),
        ("mallard", ["Mallard ♂", "Mallard ♀"]),
        ("c++", ["C++"]),
        ("c#", ["C#"]),
        ("+", ["C++"]),
        ("(", ["Smew (young)"]),
        ("🐦", ["🐦\u200d⬛ Rook"]),
        ("👩", ["👩🏽\u200d🔬 Owl"]),
        ("👩🏿", ["👩🏽\u200d🔬 Owl"]),
        ("❤", ["❤️ Heart"]),
        ("❤️", ["❤️ Heart"]),
        ("strasse", ["Straße"]),
        ("STRASSE", ["Straße"]),
        ("istanbul", ["İstanbul"]),
        ("ISTANBUL", ["İstanbul"]),
        ("diyarbakir", ["Diyarbakır"]),
        ("full", ["Ｆｕｌｌ"]),
        ("ｓｔｒ", ["Straße"]),
        ("cafe", ["Cafe\u0301"]),
        ("café", ["Cafe\u0301"]),
        ("שח", ["שחרור"]),
        ("red winged", ["Red-winged Blackbird"]),
        ("!!!", []),
    ],
)
def test_what_a_query_finds_first(query: str, first: list[str]) -> None:
    assert [hit.name for hit in SEARCH.find(query)][: max(1, len(first))] == first
