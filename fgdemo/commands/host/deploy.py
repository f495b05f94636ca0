"""`deploy`: this repository as a Hugging Face Space. `audit`: who did what."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Option

from fgdemo.commands.console import Say, quiet, settled
from fgdemo.values.annotation import OWNER
from fgdemo.values.counting import counted
from fgdemo.values.errors import SettingsError

if TYPE_CHECKING:
    from fgdemo.settings import Settings


def deploy(
    space: Annotated[str, Argument(metavar="OWNER/NAME")],
    *,
    dry_run: Annotated[
        Path | None, Option(metavar="FOLDER", help="write what it would hold to a folder instead")
    ] = None,
    private: Annotated[bool, Option("--private", help="only its owners see it")] = False,
    variable: Annotated[list[str] | None, Option(metavar="K=V", help="a setting of it (repeatable)")] = None,
    hardware: Annotated[
        str | None, Option(metavar="NAME", help="e.g. zero-a10g, cpu-basic, t4-small (default: as it is)")
    ] = None,
    settings: Settings | None = None,
    say: Say = quiet,
) -> dict[str, Any]:
    """Create or update a Hugging Face Space with this repository and its model.

    Raises:
        SettingsError: a --variable that is none.
        CheckpointError: what is to be served is no checkpoint.
        StorageError, HubError: see `fgdemo.storage.hub.space`.
    """
    from fgdemo.model.checkpoint.folder import read_checkpoint
    from fgdemo.settings import REPOSITORY
    from fgdemo.storage.hub.access import require_name
    from fgdemo.storage.hub.space import publish, space_contents, write_folder

    settings = settled(settings)
    require_name(space)
    read_checkpoint(settings.checkpoint)
    contents = space_contents(REPOSITORY, settings.checkpoint, _variables(variable or []))
    told = f"{counted(len(contents.files), 'file')}, {contents.size_bytes / 1e6:.1f} MB"
    result: dict[str, Any] = {
        "space": space,
        "files": sorted(contents.files),
        "size_bytes": contents.size_bytes,
        "variables": dict(contents.variables),
    }
    for name, value in contents.variables.items():
        say(f"Variable {name} = {value}")
    if dry_run is not None:
        write_folder(contents, dry_run)
        say(f"Written: {dry_run}, {told}. Without --dry-run they would become the Space {space}.")
        return {**result, "folder": str(dry_run)}
    done = publish(contents, space, private=private, hardware=hardware)
    say(f"{'Created' if done.created else 'Updated'}: {done.url}, {told}. It is built now, which takes minutes.")
    if done.removed:
        say(f"Removed there: {', '.join(done.removed[:10])}{' …' if len(done.removed) > 10 else ''}")
    _note(settings, "deploy", space)
    return {**result, "url": done.url, "created": done.created, "removed": list(done.removed)}


def audit(
    *,
    last: Annotated[int, Option(metavar="N", help="how many entries")] = 100,
    settings: Settings | None = None,
    say: Say = quiet,
) -> dict[str, Any]:
    """Say who did what: imports, exports, accounts, trainings, deploys."""
    from fgdemo.storage.database.database import open_database
    from fgdemo.storage.people.audit import Audit

    entries = Audit(open_database(settled(settings).database_url)).newest(last)
    for entry in entries:
        say(f"{entry.at[:19]}  {entry.person:24s} {entry.action:16s} {entry.about}")
    if not entries:
        say("Nobody has done anything yet that is written down.")
    return {"entries": [{"at": e.at, "person": e.person, "action": e.action, "about": e.about} for e in entries]}


def _note(settings: Settings, action: str, about: str) -> None:
    from fgdemo.storage.database.database import open_database
    from fgdemo.storage.people.audit import Audit

    Audit(open_database(settings.database_url)).note(OWNER, action, about)


def _variables(given: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for entry in given:
        name, equals, value = entry.partition("=")
        if not equals or not name.isidentifier() or not name.isascii():
            raise SettingsError(f"--variable {entry} must look like NAME=VALUE.")
        found[name] = value
    return found
