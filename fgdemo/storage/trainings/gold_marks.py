"""By which gold labels a verdict was made: so it is known when they have changed, whatever clocks and numbers say.

One mark stands for each labelled gold picture: the beginning of its id, and that of its kind's hash. A label that was
changed and changed back leaves the marks as they were, and so does a workspace that a mirror has restored.
"""

import hashlib
from collections.abc import Collection, Iterable

from fgdemo.storage.trainings.job_files import GivenLabel

DIGITS = 8


def gold_marks(labels: Iterable[GivenLabel], kinds: Collection[str]) -> tuple[str, ...]:
    """Of the gold pictures among these whose label is one of `kinds`, sorted: a retired kind judges nothing."""
    gold = [one for one in labels if one.split == "gold" and one.taxon in kinds]
    hashes = {taxon: hashlib.sha256(taxon.encode()).hexdigest()[:DIGITS] for taxon in {one.taxon for one in gold}}
    return tuple(sorted(one.image[:DIGITS] + hashes[one.taxon] for one in gold))


def changed_labels(before: Iterable[str], now: Iterable[str]) -> int:
    """How many gold pictures have another label now, came in, or went out."""
    return len({mark[:DIGITS] for mark in set(before) ^ set(now)})
