"""JSON of strangers: limits first, one sentence each, and nothing that JSON does not know."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from fgdemo.learn.train.recipe import read_changes
from fgdemo.storage.disk.strict_json import BadJsonError, read_json, read_object
from fgdemo.values.errors import FgdemoError

BAD = {
    '{"a": ' * 5000 + "1" + "}" * 5000: "nested more than 64 deep",
    "[" * 100_000: "nested more than 64 deep",
    '{"a": 1e999}': "1e999, which is too large",
    '{"a": -1e999}': "too large",
    '{"a": NaN}': "NaN is no JSON number",
    '{"a": -Infinity}': "-Infinity",
    '{"a": ' + "9" * 5000 + "}": "a number of 5000 digits",
    '{"a": 1, "a": 2}': "names “a” twice",
    '{"a": }': "not valid JSON (Expecting value in line 1)",
    "": "not valid JSON",
    '"' + '\\"' * 500_000: "not valid JSON",
    "[" * 65 + '"' + '\\"' * 500_000: "deep",
}


@pytest.mark.parametrize("text", BAD, ids=lambda text: text[:12])
@pytest.mark.parametrize("kind", [str, bytes])
def test_what_is_no_usable_json_is_told_in_a_sentence(text: str, kind: type) -> None:
    with pytest.raises(BadJsonError, match=re.escape(BAD[text])):
        read_json(text.encode() if kind is bytes else text)


def test_what_is_json_is_read() -> None:
    value = {"a": [1, -2.5, 1e300, True, None, '}[\\"{' * 200], "ü": {str(n): [[]] for n in range(100)}}
    assert read_object(json.dumps(value)) == value
    assert read_object(b"\xef\xbb\xbf" + json.dumps(value, ensure_ascii=False).encode()) == value
    assert read_object(json.dumps(value).encode("utf-16")) == value
    for text, said in (
        (b"\xff\xfe\xff", "not text"),
        (b"[1]", "must hold one JSON object"),
        (b'{"a": "%s"}' % (b"x" * 99), "larger"),
    ):
        with pytest.raises(BadJsonError, match=said):
            read_object(text, 50)


def test_a_recipe_is_read_by_it(tmp_path: Path) -> None:
    for text in BAD:
        (tmp_path / "recipe.json").write_text(text)
        with pytest.raises(FgdemoError, match=r"The recipe recipe\.json"):
            read_changes(tmp_path / "recipe.json")
