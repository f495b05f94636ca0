"""Markdown: tables, marks, blocks, and where links lead."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

NOTE = "<!-- Made by `python -m docs.generate` from {source}. Do not edit: change the source and run it again. -->\n"
_FENCE = re.compile(r"^ *(```|~~~).*?^ *\1", re.MULTILINE | re.DOTALL)
_LINK = re.compile(
    r"\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)|^\[[^\]]+\]:\s*(\S+)|(?:src|href)=\"([^\"]+)\"", re.MULTILINE
)
_OUTSIDE = re.compile(r"^(?:[a-z][a-z0-9+.-]*:|//)", re.IGNORECASE)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cell(text) for text in line)} |\n" for line in lines)


def cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def mark(text: str) -> str:
    """As code, where there is anything."""
    return f"`{text}`" if text else ""


def with_block(text: str, name: str, content: str) -> str:
    """The page with this between its two comments. Raises ValueError where they are missing."""
    begin, end = f"<!-- generated: {name} -->\n", f"<!-- end of {name} -->"
    if text.count(begin) != 1 or text.count(end) != 1:
        raise ValueError(f"“{begin.strip()}” … “{end}” must stand there once")
    before, _, rest = text.partition(begin)
    return before + begin + content + end + rest.partition(end)[2]


def anchors(text: str) -> set[str]:
    """What `#…` may name in a page, as GitHub makes it of headings."""
    seen: Counter[str] = Counter()
    found = set(re.findall(r"<a (?:id|name)=\"([^\"]+)\"", text))
    for heading in re.findall(r"^#{1,6} +(.+?)(?: +#+)?$", _FENCE.sub("", text), re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return found


def dead_links(pages: Iterable[Path], root: Path) -> Iterator[str]:
    """Relative links to files that are not there, and to headings that no page has; `page: link` each."""
    for page in pages:
        text = page.read_text(encoding="utf-8")
        shown = re.sub(r"`[^`\n]*`", "", _FENCE.sub("", text))
        for link in (next(filter(None, found)) for found in _LINK.findall(shown)):
            if _OUTSIDE.match(link):
                continue
            path, _, anchor = link.partition("#")
            target = page if not path else (page.parent / path).resolve()
            if target.suffix == ".md" and anchor and target.exists():
                whole = anchor in anchors(target.read_text(encoding="utf-8"))
            else:
                whole = target.exists() and target.is_relative_to(root)
            if not whole:
                yield f"{page.relative_to(root)}: {link}"
