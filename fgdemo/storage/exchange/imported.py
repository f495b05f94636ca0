"""What an import has done until now."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Imported:
    """What an import did: it is filled while the import runs."""

    added: int = 0
    known: int = 0
    answers: int = 0
    twins: int = 0
    splits: Counter[str] = field(default_factory=Counter[str])
    new_kinds: list[str] = field(default_factory=list[str])
    skipped: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    notes: list[str] = field(default_factory=list[str])
