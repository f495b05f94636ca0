"""A card as a person reads it; a stranger's card cannot become markup."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fgdemo.model.exporting.readme import card_markdown

BUNDLED = json.loads(
    (Path(__file__).resolve().parents[2] / "checkpoints" / "field-guide" / "card.json").read_text(encoding="utf-8")
)


def test_the_bundled_card_says_what_there_is_to_know() -> None:
    text = card_markdown(BUNDLED)
    assert text.startswith("# field\\-guide\n")
    for said in ("174 kinds:", "American Redstart (*Setophaga ruticilla*)", "95 % intervals"):
        assert said in text
    assert re.search(r"\| Top-1: the likeliest kind is right \| \d\d\.\d% \(\d\d\.\d% to \d\d\.\d%\) \|", text)
    assert "Backbone `mobilenetv2_100` at 224 px" in text
    assert "Start weights `mobilenetv2_100_tf2_ptq_in1k.pth`" in text
    assert "- Bird photographs: a subset of Caltech\\-UCSD Birds\\-200\\-2011, for non\\-commercial research" in text
    assert "birds100, dogs64, butterflies10: 8595 train, 2872 val, 0 skipped." in text
    for heading in ("What it knows", "How good it is", "How it was made", "Data", "Terms", "Limits"):
        assert f"\n## {heading}\n" in text


HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "[click](javascript:alert(1))",
    "![x](http://a/b)",
    "a\n\n# Heading",
    "|x|y|",
    "`code` ``` fence",
    "&lt;script&gt;",
    "*b* _i_ ~~s~~",
    "https://evil.example",
    "- item",
    "<!-- x",
    "$$\\href{}$$",
)


@pytest.mark.parametrize("hostile", HOSTILE)
def test_text_of_a_stranger_stays_text(hostile: str) -> None:
    plain = card_markdown(a_card("plain"))
    text = card_markdown(a_card(hostile))
    fenced = re.sub(r"^(`{3,})bash\n.*\n\1$", "", text, flags=re.MULTILINE)
    bare = re.sub(r"`[^`\n]*`", "", fenced)
    assert not re.search(r"(?<!\\)[<>]", bare)
    assert not re.search(r"(?<!\\)[\[\]!~$]", bare)
    assert not re.search(r"(?i)(https?|javascript):", bare)
    assert text.count("\n#") == plain.count("\n#")
    assert len(text.splitlines()) == len(plain.splitlines())


def a_card(text: str) -> dict[str, object]:
    """Every field that a card has, with this text wherever there is text."""
    return {
        "name": text,
        "parent": text,
        "start_weights": text,
        "command": text,
        "licences": [text],
        "device": text,
        "calibrated_on": text,
        "blend": {"trained_share": text},
        "recipe": {text: text, "epochs": text},
        "backbone": {"name": text, "size_px": text},
        "data": {"sources": [text], "train": text},
        "taxonomy": [{"id": "a", "name": text, "latin": text}, {"id": text, "name": None}],
        "metrics": {
            "n": text,
            "split": text,
            "top1": [0.5, 0.4, 0.6],
            "groups": {text: [0.5, 0.4, 0.6]},
            "worst_pairs": [{"a": text, "b": "a", "mistaken": text, "of": text}],
        },
    }


values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(sorted(a_card("x"))), values))
@settings(max_examples=60, deadline=None)
def test_fields_of_any_shape_are_survived(card: dict[str, object]) -> None:
    assert card_markdown(card).startswith("# ")
