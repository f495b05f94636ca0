"""`backup` and `restore`: the workspace to a mirror and back."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Option

from fgdemo.commands.console import Say, bar, quiet, settled
from fgdemo.values.counting import counted
from fgdemo.values.errors import SettingsError, StorageError

if TYPE_CHECKING:
    from fgdemo.settings import Settings

SHOWN = 20
WAIT_S = 600
"""So long is waited for another process that sends."""
Place = Annotated[str | None, Argument(metavar="URL", help="a folder, fsspec URL or hf:// (default: FGDEMO_MIRROR)")]


def backup(url: Place = None, *, settings: Settings | None = None, say: Say = quiet) -> dict[str, Any]:
    """Send all that is new to the mirror."""
    from fgdemo.wiring import mirrors

    mirror = mirrors.open_mirror(_of(url, settled(settings)))
    assert mirror is not None
    with bar() as progress:
        sent = mirror.send(WAIT_S, progress)
    if sent is None:
        raise StorageError("Another process has been sending to the mirror for too long: try again.")
    backed = mirror.state.backed()
    say(
        f"Sent: {counted(sent.events, 'event')}, {counted(sent.pictures, 'picture')}, {counted(sent.models, 'model')}, "
        f"{counted(sent.rows, 'other row')}."
    )
    if sent.missing:
        say(f"Not sent, since not in the workspace: {counted(len(sent.missing), 'picture')}: python -m fgdemo doctor")
    say(
        f"Backed up: {counted(backed.answers, 'answer')}, which is all."
        if not backed.waiting
        else f"Not backed up yet: {counted(backed.waiting, 'answer')}."
    )
    return {**asdict(sent), "missing": sent.missing[:SHOWN], "answers": backed.answers, "waiting": backed.waiting}


def restore(
    url: Place = None,
    *,
    accept_rights: Annotated[
        bool, Option("--accept-rights", help="people and tokens may get a higher role by the mirror")
    ] = False,
    settings: Settings | None = None,
    say: Say = quiet,
) -> dict[str, Any]:
    """Add all that a mirror holds to the workspace.

    Exit code 1 where something was left out.
    """
    from fgdemo.storage.database.database import open_database
    from fgdemo.wiring import mirrors

    settings = _of(url, settled(settings))
    engine = open_database(settings.database_url)
    with bar() as progress:
        found = mirrors.restore_from(settings, engine, settings.mirror, progress, accept_rights)
    if not found.segments:
        raise StorageError("There is no mirror, or an empty one.")
    for where, what in found.faults[:SHOWN]:
        say(f"  {where} {what}")
    if len(found.faults) > SHOWN:
        say(f"  … and {len(found.faults) - SHOWN} more faults")
    say(
        f"Restored: {counted(found.events, 'event')}, {counted(found.pictures, 'picture')}, "
        f"{counted(found.taxa, 'kind or group', 'kinds and groups')}, "
        f"{counted(found.accounts, 'account')}, {counted(found.models, 'model')}."
    )
    if found.raised:
        say("By this mirror:" if found.accepted else "Not taken, as somebody would get more rights by it:")
    for right in found.raised:
        say(f"  {right}")
    if found.raised and not found.accepted:
        say("If that is right: the same again with --accept-rights.")
    return {
        **asdict(found),
        "healthy": not found.faults and (found.accepted or not found.raised),
        "raised": list(found.raised),
        "faults": [list(fault) for fault in found.faults[:SHOWN]],
        "damaged": len(found.faults),
    }


def _of(given: str | None, settings: Settings) -> Settings:
    """The settings with the mirror that the command names. Raises SettingsError where none does."""
    url = given or settings.mirror
    if not url:
        raise SettingsError("Which mirror? Name a folder or URL, or set FGDEMO_MIRROR.")
    return settings.model_copy(update={"mirror": url})
