"""Names that are written from right to left stay in their place in a sentence, and none can look like another."""

from __future__ import annotations

import pytest

from fgdemo.explain import typeset
from fgdemo.services.classify.wording import with_article
from fgdemo.storage.pictures.images import shown_name
from fgdemo.values.bidi import isolated, shown


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Nashville Warbler", "Nashville Warbler"),
        ("Mallard ♂", "Mallard ♂"),
        ("🐦 Rook", "🐦 Rook"),
        ("שחרור", "\u2068שחרור\u2069"),
        ("طائر 12", "\u2068طائر 12\u2069"),
        ("Rook שחור", "\u2068Rook שחור\u2069"),
        ("exe.\u202egpj", "exe.\ufffdgpj"),
        ("a\u2069b\u2067c", "a\ufffdb\ufffdc"),
        ("bell\x07\x1b[31m", "bell\ufffd\ufffd[31m"),
        ("می\u200cخواهم", "\u2068می\u200cخواهم\u2069"),  # a joiner that Persian needs
        ("👩\u200d🔬", "👩\u200d🔬"),
    ],
)
def test_a_name_in_a_sentence(name: str, expected: str) -> None:
    assert isolated(name) == expected
    assert isolated(name).count("\u2068") == isolated(name).count("\u2069")


def test_sentences_keep_their_order() -> None:
    assert with_article("שחרור") == "a \u2068שחרור\u2069"
    assert shown_name("תמונה.jpg") == "“\u2068תמונה.jpg\u2069”"
    assert shown("\u202eabc") == "\ufffdabc"


@pytest.mark.parametrize("has_raqm", [True, False])
def test_the_sheet_sets_no_signs_that_it_cannot_read(has_raqm: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(typeset.features, "check", lambda feature: has_raqm and feature == "raqm")
    text = f"{isolated('שחרור')} or {isolated('עורב')}"
    assert typeset.drawable(text) == (text if has_raqm else "שחרור or עורב")
