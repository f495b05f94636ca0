"""One import or export as it stands, in a person's words."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from fgdemo.values.bidi import isolated
from fgdemo.values.counting import counted
from fgdemo.values.errors import FgdemoError

if TYPE_CHECKING:
    from fgdemo.services.exchange.exchange import Exported, ImportReport
    from fgdemo.storage.exchange.foreseen import Foreseen

SHOWN_LEFT_OUT = 20
SHOWN_NOTES = 5
State = Literal["running", "asking", "done", "cancelled", "failed", "interrupted"]


class CancelledError(FgdemoError):
    """A person has stopped the transfer."""


@dataclass(frozen=True)
class Transfer:
    """One import or export as it stands.

    Attributes:
        about: what is transferred, in a person's words.
        state: asking: an import waits for a yes; interrupted: the server ended in the middle of one, which can go on.
        stage: what is being done now; `done` of `of` of it are done.
        left_s: how many seconds this stage is likely to take still; None where nothing can be said yet.
        sentence: how it ended; empty while it runs.
        left_out: the first (name, reason) of what was left out, `left_out_count` in all, listed in `left_out_file`.
        file: what an export wrote, ready to be downloaded.
        foreseen: what the import that waits for a yes would do; `asked` names it, so that nobody says yes to another.
    """

    kind: Literal["import", "export"]
    about: str
    state: State = "running"
    stage: str = "beginning"
    done: int = 0
    of: int = 0
    elapsed_s: float = 0.0
    left_s: float | None = None
    sentence: str = ""
    left_out: tuple[tuple[str, str], ...] = ()
    left_out_count: int = 0
    left_out_file: Path | None = None
    file: Path | None = None
    foreseen: Foreseen | None = None
    asked: str = ""


def imported(running: Transfer, report: ImportReport) -> Transfer:
    """The end of an import."""
    splits = ", ".join(f"{count:,} {split}" for split, count in sorted(report.splits.items()) if count)
    words = [f"{counted(report.added, 'picture')} came in{f' ({splits})' if splits else ''}"]
    if report.known:
        words.append(f"{report.known:,} {'was' if report.known == 1 else 'were'} here already")
    if report.twins:
        words.append(report.on_twins)
    if report.new_kinds:
        named = ", ".join(map(isolated, report.new_kinds[:8]))
        words.append(f"new kinds: {named}{' …' if len(report.new_kinds) > 8 else ''}")
    sentence = " ".join(["; ".join(words) + ".", *report.notes[:SHOWN_NOTES]])
    return replace(
        running,
        state="done",
        sentence=sentence,
        left_out=report.skipped[:SHOWN_LEFT_OUT],
        left_out_count=len(report.skipped),
        left_out_file=report.skipped_file,
    )


def exported(running: Transfer, done: Exported, out: Path) -> Transfer:
    """The end of an export."""
    return replace(
        running,
        state="done",
        sentence=f"{counted(done.pictures, 'picture')} {'is' if done.pictures == 1 else 'are'} ready.",
        file=out,
    )
