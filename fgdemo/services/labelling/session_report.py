"""How far a session is, and whether enough is labelled: from the answers alone."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from fgdemo.statistics.agreement import Share, share_of
from fgdemo.storage.history.checks import Checks
from fgdemo.storage.history.events import LabelEvent
from fgdemo.storage.history.roster import SPLITS, Roster
from fgdemo.storage.history.sessions import LabellingSession
from fgdemo.values.annotation import Accuracy

PACE_OVER = 20
"""The pace is that of so many last answers."""
LONGEST_PAUSE_S = 60
AUDITED = 200
"""The newest checks of the random draw that the estimate stands on."""
ENOUGH_SHARE = 0.02


@dataclass(frozen=True)
class SessionReport:
    """
    Attributes:
        left: pictures to be asked; None while nobody knows, because the model still reads the workspace.
        per_minute: pictures a minute lately, without long pauses; None before the second answer.
        agreement: how often the answers were the label that was there.
        audit: of pictures drawn at random, how many labels were right when they were checked.
        corrections: answers of this session that changed a label.
        wrong_left: how many labels that nobody has checked may be wrong, (low, high).
        sentence: whether enough is labelled.
    """

    session: LabellingSession
    done: int
    left: int | None
    per_minute: float | None
    agreement: Share | None
    audit: Share | None
    accuracy_before: Accuracy | None
    accuracy_now: Accuracy | None
    corrections: int
    wrong_left: tuple[int, int] | None
    sentence: str


def report_on(
    session: LabellingSession,
    events: Sequence[LabelEvent],
    before: Mapping[int, str | None],
    checks: Checks,
    roster: Roster,
    accuracy: Accuracy | None,
    left: int | None,
    now: datetime,
) -> SessionReport:
    """The report of one session.

    Args:
        events: its answers that stand, oldest first.
        before: the label that was shown with them, by `shown_version`.
    """
    answered = [said for said in events if said.kind in ("label", "adjudication") and not said.blind]
    found = [(before.get(said.shown_version or 0), said.taxon) for said in answered]
    same = [was == given for was, given in found if was is not None]
    audited = [was == given for was, given in checks.audited(AUDITED)]
    audit = share_of(sum(audited), len(audited))
    unchecked = int(((roster.taxon >= 0) & ~roster.checked & (roster.split != SPLITS.index("gold"))).sum())
    wrong = None if audit is None else (int((1 - audit.high) * unchecked), int(np.ceil((1 - audit.low) * unchecked)))
    return SessionReport(
        session=session,
        done=len(events),
        left=left,
        per_minute=_pace(events, now),
        agreement=share_of(sum(same), len(same)),
        audit=audit,
        accuracy_before=session.accuracy_before,
        accuracy_now=accuracy,
        corrections=len(same) - sum(same),
        wrong_left=wrong,
        sentence=_enough(audit, wrong, unchecked),
    )


def _pace(events: Sequence[LabelEvent], now: datetime) -> float | None:
    times = [datetime.fromisoformat(said.created_at) for said in events[-PACE_OVER:] if said.created_at]
    gaps = [min(LONGEST_PAUSE_S, max(0.0, (b - a).total_seconds())) for a, b in itertools.pairwise(times)]
    total = sum(gaps)
    return round(60 * len(gaps) / total, 1) if total > 0 else None


def _enough(audit: Share | None, wrong: tuple[int, int] | None, unchecked: int) -> str:
    if audit is None or wrong is None or audit.n < 10:
        n = 0 if audit is None else audit.n
        return f"Too early to say how good the labels are: {n} of at least 10 random checks."
    if unchecked == 0:
        return "Every label has been checked."
    words = f"Of {unchecked} labels that nobody has checked, {wrong[0]} to {wrong[1]} are probably wrong"
    return f"{words}." if 1 - audit.low > ENOUGH_SHARE else f"{words}: enough is labelled."
