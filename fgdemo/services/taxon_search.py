"""Find a taxon by what a person types."""

from __future__ import annotations

import re
import unicodedata

from fgdemo.taxonomy import Taxonomy
from fgdemo.types import TaxonHit

LONGEST_QUERY = 100


class TaxonSearch:
    """Searches names, aliases and Latin names; case, accents and punctuation do not matter."""

    def __init__(self, taxonomy: Taxonomy) -> None:
        leaves = set(taxonomy.leaves)
        self._entries = [
            (
                TaxonHit(taxon.id, taxon.name, taxon.latin, taxon.id in leaves),
                [[_fold(taxon.name)], [_fold(alias) for alias in taxon.aliases], [_fold(taxon.latin or "")]],
            )
            for taxon in taxonomy.taxa
        ]

    def find(self, query: str, limit: int = 20) -> tuple[TaxonHit, ...]:
        """The best matches first: the whole name, its beginning, beginnings of words, then anywhere inside.

        Among equals a name comes before an alias, an alias before a Latin name, a leaf before a group, and otherwise
        the alphabet decides. An empty query lists all.
        """
        folded = _fold(query[:LONGEST_QUERY])
        if not folded and query.strip():
            return ()
        ranked = []
        for hit, fields in self._entries:
            ranks = [(_rank(folded, text), order) for order, texts in enumerate(fields) for text in texts if text]
            rank, order = min(ranks, default=(_NO_MATCH, 0))
            if rank < _NO_MATCH:
                ranked.append((rank, order, not hit.is_leaf, _fold(hit.name), hit.taxon, hit))
        return tuple(entry[-1] for entry in sorted(ranked, key=lambda entry: entry[:-1])[: max(0, limit)])


_NO_MATCH = 4


def _rank(query: str, text: str) -> int:
    if text == query:
        return 0
    if text.startswith(query):
        return 1
    words = text.split()
    if all(any(word.startswith(asked) for word in words) for asked in query.split()):
        return 2
    return 3 if query in text else _NO_MATCH


def _fold(text: str) -> str:
    """Lower case without accents; apostrophes vanish and other punctuation separates words."""
    decomposed = unicodedata.normalize("NFKD", re.sub("['’`]", "", text)).casefold()
    return re.sub(r"[\W_]+", " ", "".join(c for c in decomposed if not unicodedata.combining(c))).strip()
