"""`name-parts`, `user`, `token`, `specimens`, `serve`: what is kept and shown."""

from __future__ import annotations

import argparse
import getpass
import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from fgdemo.commands.console import speaker
from fgdemo.learn.train.allocator import one_arena_for_all_threads
from fgdemo.settings import Settings, own_process
from fgdemo.values.errors import SettingsError

if TYPE_CHECKING:
    from fgdemo.wiring.bootstrap import Services


def name_parts(arguments: argparse.Namespace, settings: Settings) -> dict[str, Any]:
    """A person says once what a part is; the name stays with its id. An empty name takes it away."""
    from fgdemo.model.checkpoint.folder import Checkpoint, read_checkpoint, write_checkpoint

    found = read_checkpoint(arguments.checkpoint)
    parts = [dict(part) for part in found.card["parts"]["parts"]]
    for entry in arguments.names:
        part_id, equals, name = entry.partition("=")
        chosen = [part for part in parts if str(part["id"]) == part_id.strip()]
        if not equals or not chosen:
            raise SettingsError(f"“{entry}” must look like 3=wing, with the id of a part from 0 to {len(parts) - 1}.")
        chosen[0]["name"] = name.strip()[:40] or None
    if arguments.names:
        card = {**found.card, "parts": {**found.card["parts"], "parts": parts}}
        write_checkpoint(arguments.checkpoint, Checkpoint(found.arrays, card))
    for part in parts:
        speaker(arguments)(f"{part['id']:3d}  {part['group'] or 'all'}: {part['name'] or '—'}")
    return {"parts": parts}


def specimens(arguments: argparse.Namespace, settings: Settings) -> dict[str, Any]:
    """Draw specimens into class folders."""
    from fgdemo.specimens import write_specimens

    write_specimens(arguments.folder, per_class=arguments.per_class, seed=arguments.seed)
    speaker(arguments)(
        f"Written: {arguments.folder}. Next: python -m fgdemo fit {arguments.folder} --out my-checkpoint"
    )
    return {"folder": str(arguments.folder)}


def serve(arguments: argparse.Namespace, settings: Settings) -> dict[str, Any]:
    """Open the page; returns when it is closed."""
    one_arena_for_all_threads()  # before what is imported here starts threads
    from fgdemo.web.serve import serve as serve_page

    def build(settings: Settings, go_live: Callable[[Services], None]) -> Services:
        from fgdemo.wiring.bootstrap import (
            build_services,  # torch and timm are imported while the page is already there
        )

        return build_services(settings, go_live)

    own_process(settings)
    serve_page(settings, build)
    return {}


def user(arguments: argparse.Namespace, settings: Settings) -> dict[str, Any]:
    """Accounts: add, list, role, password, disable, enable."""
    from fgdemo.storage.database.database import open_database
    from fgdemo.storage.people.accounts import Accounts

    accounts, say = Accounts(open_database(settings.database_url)), speaker(arguments)
    if arguments.action != "list" and not arguments.name:
        raise SettingsError(f"Which account? python -m fgdemo user {arguments.action} NAME")
    if arguments.action == "add":
        made = accounts.add(arguments.name, arguments.role, _password(arguments))
        say(f"{made.name} is {made.role} from now on, and signs in on the page.")
    elif arguments.action == "role":
        accounts.set_role(arguments.name, arguments.role)
    elif arguments.action == "password":
        accounts.set_password(arguments.name, _password(arguments))
    elif arguments.action in ("disable", "enable"):
        accounts.disable(arguments.name, arguments.action == "disable")
    listed = accounts.all()
    if arguments.action == "list":
        for account in listed:
            say(f"{account.name:30s} {account.role}{' (disabled)' if account.disabled else ''}")
        if not listed:
            say("There is no account yet: python -m fgdemo user add NAME --role maintainer")
    return {"accounts": [{"name": a.name, "role": a.role, "disabled": a.disabled} for a in listed]}


def token(arguments: argparse.Namespace, settings: Settings) -> dict[str, Any]:
    """Tokens of programs: add (told this once), list, remove."""
    from fgdemo.storage.database.database import open_database
    from fgdemo.storage.people.tokens import Tokens

    tokens, say = Tokens(open_database(settings.database_url)), speaker(arguments)
    if arguments.action != "list" and not arguments.name:
        raise SettingsError(f"Which token? python -m fgdemo token {arguments.action} NAME")
    made = {}
    if arguments.action == "add":
        made = {"token": tokens.add(arguments.name, arguments.role)}
        say(f"Send it as “Authorization: Bearer …”; it is shown only now:\n{made['token']}")
    elif arguments.action == "remove":
        tokens.remove(arguments.name)
    listed = tokens.all()
    if arguments.action == "list":
        for one in listed:
            say(f"{one.name:30s} {one.role:10s} last used: {one.last_used_at or 'never'}")
        if not listed:
            say("There is no token yet: python -m fgdemo token add NAME --role expert")
    return {**made, "tokens": [asdict(one) for one in listed]}


def _password(arguments: argparse.Namespace) -> str:
    """Never on the command line, where other users of the machine could read it."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    first = getpass.getpass("Password: ")
    if first != getpass.getpass("Once more: "):
        raise SettingsError("The two passwords differ.")
    return first
