"""Names of kinds: which names mean the same, the ids made of them, and readable names of well-known folder names."""

import hashlib
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping

_JOINERS = "\u200c\u200d"
"""They shape the letters beside them in Persian and Hindi, and make one emoji of two."""
_UNSEEN = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff\u00ad\u200b\u2060")
_SIGNS = frozenset("#%&@*!?^`§†‡")
"""Punctuation that tells names apart, as every symbol does (♂, +, <): C# is not C."""
_NUMBERED = re.compile(r"\A(?:\d{1,4}\.|0\d{0,3}[_-]|\d{2,4}_|n\d{8}[-_])(?=[^\W\d_])")
"""Before the name of a kind: `001.` of CUB, `01_`, and the synset `n02085620-` of ImageNet and Stanford Dogs."""

_UNPADDED = re.compile(r"\A([1-9]\d{1,3})_")


def exact(text: str) -> str:
    """A name as it is compared and shown: composed (NFC), one blank between words, nothing that cannot be seen or turns
    the text around it. What is no text at all (in names of files) is written as its number."""
    seen = (c for c in unicodedata.normalize("NFC", " ".join(text.split())) if c not in _UNSEEN)
    written = (f"\\x{ord(c):02x}" if unicodedata.category(c) == "Cs" else c for c in seen)
    return " ".join("".join(c for c in written if unicodedata.category(c) != "Cc").split())


def slug(text: str) -> str:
    """A stable id from any name: lower-case letters and digits of any script, joined by underscores.

    Vowel signs and accents that stand on their own belong to their letter, or names in Thai or Hindi would fall into
    one. Symbols become their numbers, and so does a hyphen that ends or begins a word: `grade_a_u2d` is Grade A-.
    """
    folded = _folded(_folded(text))  # folding İ leaves a dot that folds again
    signs = {at: f" u{ord(c):x} " for at, c in enumerate(folded) if _is_sign(folded, at)}
    return "_".join(_words("".join(signs.get(at, c) for at, c in enumerate(folded))))


def unique_id(name: str, taken: Collection[str]) -> str:
    """The slug of a name, and what tells it from others where their slug is the same: “A” and “a” are two kinds."""
    plain = slug(name)
    if plain not in taken:
        return plain
    return f"{plain}_{hashlib.sha256(exact(name).encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"


def display_name(label: str) -> str:
    """A readable name from a label alone: `red_eyed_vireo` becomes “Red Eyed Vireo”; all but folder names stay."""
    name = exact(label)
    if "_" not in name or " " in name or "" in name.split("_"):
        return name
    words = name.split("_")
    return " ".join(word[:1].upper() + word[1:] for word in words) if name.islower() else " ".join(words)


def display_names(labels: Iterable[str]) -> dict[str, str]:
    """A readable name for each label of a source, so that no two names are the same where two labels differ.

    Leading numbers go where every label has one, they count, and the rest tells the labels apart.
    """
    unlike = list(dict.fromkeys(labels))
    bare = {label: _NUMBERED.sub("", exact(label), count=1) for label in unlike}
    numbered = all(bare[label] != exact(label) for label in unlike) and len({*map(slug, bare.values())}) == len(unlike)
    numbered = numbered and _count(unlike)
    names = {label: display_name(bare[label] if numbered else label) for label in unlike}
    written = {label: exact(label) for label in unlike}
    uses = Counter({name: len(own) for name, own in _by_name(names, written).items()})
    return {label: name if uses[name] == 1 else written[label] for label, name in names.items()}


def _count(labels: Collection[str]) -> bool:
    """Whether leading numbers only count: not those of “737_max” and “747_jumbo”, which are neither padded nor in a
    row."""
    numbers = [int(found[1]) for label in labels if (found := _UNPADDED.match(exact(label)))]
    return len(numbers) < len(labels) or max(numbers, default=0) - min(numbers, default=0) < len(numbers)


class NameBook:
    """Finds which taxon a name means. What is added first comes first."""

    def __init__(self) -> None:
        self._exact: dict[str, str] = {}
        self._loose: dict[str, str] = {}
        self._doubtful: set[str] = set()

    def add(self, taxon_id: str, names: Iterable[str]) -> None:
        """One taxon by its id and its names, the most important first."""
        for name in filter(None, names):
            for form in (exact(name), _form(name)):
                self._exact.setdefault(form, taxon_id)
            if self._loose.setdefault(slug(name), taxon_id) != taxon_id:
                self._doubtful.add(slug(name))
        if "_" in taxon_id:
            self._exact.setdefault(taxon_id, taxon_id)
        if taxon_id in self._doubtful:  # an id is what only its owner is called
            self._doubtful.discard(taxon_id)
            self._loose[taxon_id] = taxon_id
        self._loose.setdefault(taxon_id, taxon_id)

    def exactly(self, label: str) -> str | None:
        """The taxon of this very name; hyphens, underscores and leading numbers of folder names do not matter."""
        return self._by_forms(exact(label)) or self._by_forms(_NUMBERED.sub("", exact(label), count=1))

    def _by_forms(self, name: str) -> str | None:
        forms = (name, _form(name), name.lower() if "_" in name else "")
        return next((self._exact[form] for form in forms if form and form in self._exact), None)

    def loosely(self, label: str) -> str | None:
        """The taxon whose name differs in case and punctuation at most; None where several do."""
        for form in (slug(label), slug(_NUMBERED.sub("", exact(label), count=1))):
            if form in self._loose:
                return None if form in self._doubtful else self._loose[form]
        return None

    def meant(self, labels: Iterable[str]) -> dict[str, str]:
        """The taxon of each label that means one. A loose name counts only where no other label means the same taxon,
        so that two labels that are no spelling of one name never become one kind: neither “001.Robin” and “002.Robin”.
        """
        unlike = sorted(set(labels))
        found = {label: taxon for label in unlike if (taxon := self.exactly(label)) is not None}
        numbered: defaultdict[str, set[str]] = defaultdict(set)
        for label, taxon in found.items():
            if self._by_forms(exact(label)) is None:
                numbered[taxon].add(exact(label))
        found = {
            label: taxon
            for label, taxon in found.items()
            if len(numbered[taxon]) < 2 or exact(label) not in numbered[taxon]
        }
        taken = set(found.values())
        loose: defaultdict[str, list[str]] = defaultdict(list)
        for label in unlike:
            taxon = None if label in found else self.loosely(label)
            if taxon is not None and taxon not in taken:
                loose[taxon].append(label)
        for taxon, some in loose.items():
            if len({exact(label) for label in some}) == 1:
                found |= dict.fromkeys(some, taxon)
        return found


def joined(meant: Mapping[str, str]) -> dict[str, list[str]]:
    """Of labels and their taxa, the taxa that several labels of different writing mean."""
    found: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for label, taxon in sorted(meant.items()):
        found[taxon].setdefault(exact(label), label)
    return {taxon: list(labels.values()) for taxon, labels in found.items() if len(labels) > 1}


def alike(names: Iterable[str]) -> list[list[str]]:
    """Names that are easily taken for each other, since they differ in case and punctuation only."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for name in sorted({exact(name) for name in names}):
        found[slug(name)].append(name)
    return [some for some in found.values() if len(some) > 1]


def _by_name(names: Mapping[str, str], written: Mapping[str, str]) -> dict[str, set[str]]:
    found: defaultdict[str, set[str]] = defaultdict(set)
    for label, name in names.items():
        found[name].add(written[label])
    return found


def _form(name: str) -> str:
    """The name with blanks for hyphens and underscores within it: Black_footed is Black-footed."""
    return re.sub(r"(?<=[^\W_])[-_](?=[^\W_])", " ", exact(name))


def _is_sign(text: str, at: int) -> bool:
    c = text[at]
    if unicodedata.category(c) == "Pd":
        before, after = text[at - 1 : at] or " ", text[at + 1 : at + 2] or " "
        return (before.isalnum() and after.isspace()) or (before.isspace() and after.isalnum())
    return c in _SIGNS or unicodedata.category(c) in ("So", "Sm", "Sc")


def _folded(text: str) -> str:
    plain = "".join(c for c in text if c not in _JOINERS and c not in _UNSEEN)
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", plain).casefold())


def _words(text: str) -> list[str]:
    """Runs of letters, digits, the marks on them and the joiners between them."""
    marked = (c if c.isalnum() or unicodedata.category(c)[0] == "M" or c in _JOINERS else " " for c in text)
    return [word for word in "".join(marked).split() if any(map(str.isalnum, word))]
