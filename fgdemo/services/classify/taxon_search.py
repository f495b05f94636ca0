"""Find a taxon by what a person types."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from fgdemo.values.classification.answers import TaxonHit
from fgdemo.values.taxonomy import Taxonomy

LONGEST_QUERY = 100
_SKIN_TONES = range(0x1F3FB, 0x1F400)
_ONE_PIECE = str.maketrans({"ı": "i", "ł": "l", "ø": "o", "đ": "d", "ħ": "h", "æ": "ae", "œ": "oe"})
"""Letters with a mark that Unicode does not take off."""


@dataclass(frozen=True)
class _Folded:
    """A text as it is compared: its words, and with its signs as it is written."""

    words: str
    written: str

    @classmethod
    def of(cls, text: str) -> _Folded:
        """Lower case without accents, variation selectors, joiners and skin tones; apostrophes vanish."""
        decomposed = unicodedata.normalize("NFKD", re.sub("['’`]", "", text)).casefold().translate(_ONE_PIECE)
        kept = "".join(c for c in decomposed if _counts(c))
        words = "".join(c if c.isalnum() or unicodedata.category(c) == "Mc" else " " for c in kept)
        return cls(" ".join(words.split()), "".join(kept.split()))

    @property
    def symbols(self) -> set[str]:
        """♂, + and emoji tell names apart where commas and hyphens do not."""
        return {c for c in self.written if unicodedata.category(c).startswith("S")}


def _counts(character: str) -> bool:
    return unicodedata.category(character) not in ("Mn", "Me", "Cf") and ord(character) not in _SKIN_TONES


class TaxonSearch:
    """Searches names, aliases and Latin names. Case, accents and punctuation do not matter; symbols do.

    A query of signs alone, such as `(`, finds what has them.
    """

    def __init__(self, taxonomy: Taxonomy) -> None:
        leaves = set(taxonomy.leaves)
        self._entries = [
            (
                TaxonHit(taxon.id, taxon.name, taxon.latin, taxon.id in leaves),
                [
                    [_Folded.of(taxon.name)],
                    [_Folded.of(alias) for alias in taxon.aliases],
                    [_Folded.of(taxon.latin or "")],
                ],
            )
            for taxon in taxonomy.taxa
        ]

    def find(self, query: str, limit: int = 20) -> tuple[TaxonHit, ...]:
        """The best matches first: the whole name, its beginning, beginnings of words, then anywhere inside.

        Among equals a name comes before an alias, an alias before a Latin name, a leaf before a group, and otherwise
        the alphabet decides. An empty query lists all.
        """
        asked = _Folded.of(query[:LONGEST_QUERY])
        ranked: list[tuple[tuple[int, bool, int, bool, str, str], TaxonHit]] = []
        for hit, fields in self._entries:
            ranks = [
                (*_rank(asked, text), order) for order, texts in enumerate(fields) for text in texts if text.written
            ]
            rank, written, order = min(ranks, default=(_NO_MATCH, True, 0))
            if rank < _NO_MATCH:
                ranked.append(((rank, written, order, not hit.is_leaf, _Folded.of(hit.name).words, hit.taxon), hit))
        return tuple(hit for _, hit in sorted(ranked, key=lambda entry: entry[0])[: max(0, limit)])


_NO_MATCH = 4


def _rank(asked: _Folded, text: _Folded) -> tuple[int, bool]:
    """How well it matches, best first, and whether the signs of the query are missing."""
    is_written_so = asked.written in text.written
    if not asked.symbols <= text.symbols:
        return _NO_MATCH, True
    if not asked.words and asked.written:
        return (3 if is_written_so else _NO_MATCH), False
    return _rank_of_words(asked.words, text.words), not is_written_so


def _rank_of_words(query: str, text: str) -> int:
    if text == query:
        return 0
    if text.startswith(query):
        return 1
    words = text.split()
    if all(any(word.startswith(asked) for word in words) for asked in query.split()):
        return 2
    return 3 if query in text else _NO_MATCH
