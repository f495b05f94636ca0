"""`import` and `export`: into the workspace and out of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from typer import Argument, Option

from fgdemo.commands.console import Say, bar, load_live, quiet, settled
from fgdemo.values.annotation import OWNER
from fgdemo.values.counting import counted

if TYPE_CHECKING:
    from fgdemo.settings import Settings

SHOWN = 20
Format = Literal["imagefolder", "csv", "jsonl", "datasets", "label-studio"]


def import_pictures(
    data: Annotated[
        list[str], Argument(metavar="DATA", help="folders, archives, tables, exports, workspaces, Hub ids")
    ],
    *,
    checkpoint: Annotated[
        Path | None, Option(metavar="FOLDER", help="checkpoint folder (default: the live model)")
    ] = None,
    dry_run: Annotated[bool, Option(help="only say what would happen; nothing is changed")] = False,
    unsorted: Annotated[bool, Option(help="without labels, whatever folders and tables say")] = False,
    settings: Settings | None = None,
    say: Say = quiet,
) -> dict[str, Any]:
    """Put pictures into the workspace, labelled or not.

    They are compared with, put right, and learned from.
    """
    from fgdemo.wiring import assembly as bootstrap

    settings = settled(settings)
    if dry_run:
        return _dry_run(settings, data, unsorted, say)
    exchange = bootstrap.open_exchange(settings, load_live(checkpoint, settings))
    with bar() as progress:
        report = exchange.import_from(OWNER, data, progress, unsorted)
    tell_left_out(report.skipped, report.skipped_file, say)
    for note in report.notes:
        say(note)
    if report.new_kinds:
        say(f"New kinds: {', '.join(report.new_kinds[:SHOWN])}{' …' if len(report.new_kinds) > SHOWN else ''}")
    splits = ", ".join(f"{count} {split}" for split, count in sorted(report.splits.items(), key=lambda s: -s[1]))
    were = "was" if report.known == 1 else "were"
    came_in = f"{counted(report.added, 'picture')} came in{f' ({splits})' if splits else ''}"
    say(f"{came_in}, {report.known} {were} there already.")
    if report.answers != report.added:
        say(f"{report.answers} {'answer is' if report.answers == 1 else 'answers are'} new in their histories.")
    if report.twins:
        say(f"{report.on_twins}.")
    return {
        **asdict(report),
        **{name: list(getattr(report, name)) for name in ("new_kinds", "notes")},
        "left_out": len(report.skipped),
        "skipped": [list(entry) for entry in report.skipped[:SHOWN]],
        "skipped_file": str(report.skipped_file) if report.skipped_file else None,
    }


def _dry_run(settings: Settings, data: list[str], unsorted: bool, say: Say) -> dict[str, Any]:
    """What `import` would do, without a model."""
    from fgdemo.services.exchange.exchange import Exchange
    from fgdemo.storage.database.database import open_database
    from fgdemo.storage.pictures.decoding import Decoder
    from fgdemo.storage.pictures.originals import ImageStore

    images = ImageStore(settings.home / "pictures", Decoder(settings.max_picture_mp))
    exchange = Exchange(settings.home, open_database(settings.database_url), images)
    with bar() as progress:
        told = exchange.foresee(OWNER, data, progress, unsorted)
    part = f"of {told.looked_at:,} that were looked at, " if told.looked_at < told.pictures else ""
    say(f"{counted(told.pictures, 'picture')} found; {part}{told.new:,} new, {told.known:,} here already.")
    for count, words in (
        (told.removed, "were removed here before, and would be there again"),
        (told.twice, "are there twice"),
        (told.unreadable, "cannot be read"),
        (told.unlabelled, "are unsorted"),
    ):
        if count:
            say(f"{count:,} {words}.")
    for title, kinds, count in (
        ("Known kinds", told.kinds, told.kind_count),
        ("New kinds", told.new_kinds, told.new_kind_count),
    ):
        if count:
            say(f"{title}: {', '.join(f'{name} ({n:,})' for name, n in kinds)}{' …' if count > len(kinds) else ''}")
    say(f"Split: {', '.join(f'{count:,} {split}' for split, count in told.splits.items())}")
    for note in told.notes:
        say(note)
    for name, reason in told.left_out:
        say(f"  {name}: {reason}")
    say("Nothing was changed: without --dry-run it is done.")
    return {**asdict(told), "thumbnails": len(told.thumbnails)}


def export(
    out: Annotated[Path, Argument(metavar="OUT", help="a folder, or an archive if it ends in .zip")],
    *,
    format: Annotated[Format, Option(help="what it is written as")],
    push: Annotated[
        str | None, Option(metavar="OWNER/NAME", help="also to a private data set of the Hub (datasets only)")
    ] = None,
    settings: Settings | None = None,
    say: Say = quiet,
) -> dict[str, Any]:
    """Write pictures, labels and histories for other programs, or another fgdemo.

    What stood at OUT stays until all is written.
    """
    from fgdemo.services.exchange.exchange import Exchange
    from fgdemo.storage.database.database import open_database
    from fgdemo.storage.pictures.originals import ImageStore

    settings = settled(settings)
    engine = open_database(settings.database_url)
    exchange = Exchange(settings.home, engine, ImageStore(settings.home / "pictures"))
    with bar() as progress:
        done = exchange.export_to(OWNER, out, format, push, progress)
    tell_left_out(done.skipped, None, say)
    answers = ", ".join(f"{count} {answer}" for answer, count in sorted(done.answers.items(), key=lambda a: -a[1]))
    say(f"Written: {done.out}, {counted(done.pictures, 'picture')}{f' ({answers})' if answers else ''}.")
    if done.events:
        say(f"With them: {counted(done.events, 'event')} of their histories.")
    if done.pushed_to:
        say(f"Pushed to the private data set {done.pushed_to} of the Hugging Face Hub.")
    skipped = [list(entry) for entry in done.skipped[:SHOWN]]
    return {**asdict(done), "out": str(done.out), "left_out": len(done.skipped), "skipped": skipped}


def tell_left_out(skipped: Sequence[tuple[str, str]], file: Path | None, say: Callable[[str], None]) -> None:
    """The reasons with their counts, the first names, and where the rest is."""
    from fgdemo.storage.disk.left_out import by_reason

    if not skipped:
        return
    say(f"Left out: {len(skipped)}.")
    reasons = by_reason(skipped)
    if len(skipped) > SHOWN:
        for reason, count in reasons[:SHOWN]:
            say(f"  {count} × {reason}")
        if len(reasons) > SHOWN:
            say(f"  … and {len(reasons) - SHOWN} more reasons")
        say("The first of them:")
    for name, reason in skipped[:SHOWN]:
        say(f"  {name}: {reason}")
    if file is not None:
        say(f"All of them are listed in {file}")
