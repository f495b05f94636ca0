"""`deploy`: this repository as a Hugging Face Space. `audit`: who did what."""

from __future__ import annotations

import argparse
from typing import Any

from fgdemo.commands.console import speaker
from fgdemo.settings import REPOSITORY, Settings
from fgdemo.values.annotation import OWNER
from fgdemo.values.counting import counted
from fgdemo.values.errors import SettingsError


def deploy(arguments: argparse.Namespace, settings: Settings) -> dict[str, Any]:
    """Put what a Space needs there, or with --dry-run into a folder.

    Raises:
        SettingsError: a --variable that is none.
        CheckpointError: what is to be served is no checkpoint.
        StorageError, HubError: see `fgdemo.storage.hub.space`.
    """
    from fgdemo.model.checkpoint.folder import read_checkpoint
    from fgdemo.storage.hub.access import require_name
    from fgdemo.storage.hub.space import publish, space_contents, write_folder

    say = speaker(arguments)
    require_name(arguments.space)
    read_checkpoint(settings.checkpoint)
    contents = space_contents(REPOSITORY, settings.checkpoint, _variables(arguments.variable))
    told = f"{counted(len(contents.files), 'file')}, {contents.size_bytes / 1e6:.1f} MB"
    result: dict[str, Any] = {
        "space": arguments.space,
        "files": sorted(contents.files),
        "size_bytes": contents.size_bytes,
        "variables": dict(contents.variables),
    }
    for name, value in contents.variables.items():
        say(f"Variable {name} = {value}")
    if arguments.dry_run is not None:
        write_folder(contents, arguments.dry_run)
        say(f"Written: {arguments.dry_run}, {told}. Without --dry-run they would become the Space {arguments.space}.")
        return {**result, "folder": str(arguments.dry_run)}
    done = publish(contents, arguments.space, private=arguments.private, hardware=arguments.hardware)
    say(f"{'Created' if done.created else 'Updated'}: {done.url}, {told}. It is built now, which takes minutes.")
    if done.removed:
        say(f"Removed there: {', '.join(done.removed[:10])}{' …' if len(done.removed) > 10 else ''}")
    _note(settings, "deploy", arguments.space)
    return {**result, "url": done.url, "created": done.created, "removed": list(done.removed)}


def audit(arguments: argparse.Namespace, settings: Settings) -> dict[str, Any]:
    """Who did what, newest last."""
    from fgdemo.storage.database.database import open_database
    from fgdemo.storage.people.audit import Audit

    say, entries = speaker(arguments), Audit(open_database(settings.database_url)).newest(arguments.last)
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
