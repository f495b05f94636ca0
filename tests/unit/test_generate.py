"""The program behind the docs: what is old or dead is found, and figures are written as they were measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.keep import kept
from docs.generate import markdown, results


def test_a_dead_link_is_found_and_a_live_one_is_not(tmp_path: Path) -> None:
    (tmp_path / "b.md").write_text("# Head, *line* & more\n\n## Twice\n\n## Twice\n", encoding="utf-8")
    (tmp_path / "a.md").write_text(
        "[1](b.md) [2](b.md#head-line--more) [3](b.md#twice-1) [4](#here) [5](https://x.y/z)\n\n# Here\n\n"
        '[6](c.md) [7](b.md#nowhere) [8](#there) <img src="no.png">\n\n`[9](code.md)`\n\n```\n[10](code.md)\n```\n',
        encoding="utf-8",
    )
    pages = [tmp_path / "a.md", tmp_path / "b.md"]
    assert list(markdown.dead_links(pages, tmp_path)) == [
        f"a.md: {link}" for link in ("c.md", "b.md#nowhere", "#there", "no.png")
    ]


def test_a_block_is_replaced_and_must_stand_there_once() -> None:
    page = "a\n<!-- generated: x -->\nold\n<!-- end of x -->\nb\n"
    assert markdown.with_block(page, "x", "new\n") == page.replace("old", "new")
    with pytest.raises(ValueError, match="once"):
        markdown.with_block(page, "y", "new\n")


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{a:ci2}", "0.86 [0.84, 0.88]"),
        ("{a:limits3}", "[0.840, 0.880]"),
        ("{b[10][0]:.1%}", "25.0 %"),
        ("{c:all1}", "−1.0, 2.0"),
        ("{f[0.5]:ci2}", "0.30"),
        ("{d:,} of {e}", "1,234 of JSON-MIN"),
    ],
)
def test_figures_are_written_by_their_templates(template: str, text: str) -> None:
    line = {"a": [0.86, 0.84, 0.88], "b": {"10": [0.25]}, "c": [-1, 2], "d": 1234, "e": "JSON-MIN", "f": {"0.5": 0.3}}
    assert results.filled(template, line) == text


def test_a_kept_line_says_what_is_older() -> None:
    held = {"title": "x", "line": {"a": 1, "b": 2}, "commit": "old1", "carried_over": True}
    once = kept(held, {"a": 3}, "new1")
    assert (once["line"], once["commit"], once["older"]) == ({"a": 3, "b": 2}, "new1", {"b": "old1"})
    assert "carried_over" not in once
    twice = kept(once, {"a": 4}, "new2")
    assert twice["older"] == {"b": "old1"}
    assert "older" not in kept(twice, {"a": 5, "b": 6}, "new3")
