"""What an import says of its answers that only a workspace itself can know: kept as words, it counts for nothing.

A random check is one that this server has dealt at random, or the estimate that stands on them is not unbiased. That a
picture was removed for good is said by the program alone, here or at a mirror of this workspace. What visitors may see
is decided by a maintainer of this workspace.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from fgdemo.storage.history.label_event import PUBLISHING, REMOVED
from fgdemo.values.labelled import LabelledPicture, SourceEvent

ELSEWHERE = "elsewhere: "
"""Begins the `reason` of an answer that was given for this reason in another workspace."""
_AUDIT = "audit"
_MEANS = {
    _AUDIT: "given to random checks of another workspace came in, but count into no estimate here",
    REMOVED: "that the picture was removed for good came in without that: only this workspace says so itself",
    "publish": "that the picture is published came in without that: a maintainer of this workspace decides it",
    "future": "of a time that is still to come came in as said now",
}
SKEW = timedelta(days=1)
"""So far may another machine's clock be ahead."""


def believed(pictures: Iterable[LabelledPicture], now: datetime) -> tuple[list[LabelledPicture], list[str]]:
    """The same pictures with what is believed of their answers, and a sentence on each thing that is not."""
    ignored: Counter[str] = Counter()
    latest = (now + SKEW).isoformat()
    kept = [replace(one, said=tuple(_believed(said, latest, ignored) for said in one.said)) for one in pictures]
    notes = [f"{count:,} {'answer' if count == 1 else 'answers'} {_MEANS[what]}." for what, count in ignored.items()]
    return kept, notes


def _believed(one: SourceEvent, latest: str, ignored: Counter[str]) -> SourceEvent:
    if one.reason in (_AUDIT, REMOVED):
        ignored[one.reason] += 1
        one = replace(one, reason=f"{ELSEWHERE}{one.reason}")
    if one.kind in PUBLISHING and one.reason is None:
        ignored["publish"] += 1
        one = replace(one, reason=f"{ELSEWHERE}{one.kind}")
    if one.at is not None and one.at > latest:
        ignored["future"] += 1
        one = replace(one, at=None)
    return one
