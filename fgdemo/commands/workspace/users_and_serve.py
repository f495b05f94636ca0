"""`name-parts`, `user`, `token`, `specimens`, `serve`: what is kept and shown."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from typer import Argument, Option

from fgdemo.commands.console import Say, quiet, settled
from fgdemo.commands.workspace.demo import serve_demo
from fgdemo.learn.train.allocator import one_arena_for_all_threads
from fgdemo.values.errors import SettingsError

if TYPE_CHECKING:
    from fgdemo.settings import Settings
    from fgdemo.wiring.assembly import Services

Role = Literal["visitor", "expert", "maintainer"]
RoleOption = Annotated[Role, Option(help="what they may do")]
Name = Annotated[str | None, Argument(metavar="NAME")]


def name_parts(
    checkpoint: Annotated[Path, Argument(metavar="FOLDER")],
    names: Annotated[
        list[str] | None, Argument(metavar="ID=NAME", help="e.g. 0=head 3=wing; none: list the parts")
    ] = None,
    *,
    say: Say = quiet,
) -> dict[str, Any]:
    """Give the parts of a checkpoint their names.

    A person says once what a part is; the name stays with its id. An empty name takes it away.
    """
    from fgdemo.model.checkpoint.folder import Checkpoint, read_checkpoint, write_checkpoint

    found = read_checkpoint(checkpoint)
    parts = [dict(part) for part in found.card["parts"]["parts"]]
    for entry in names or []:
        part_id, equals, name = entry.partition("=")
        chosen = [part for part in parts if str(part["id"]) == part_id.strip()]
        if not equals or not chosen:
            raise SettingsError(f"“{entry}” must look like 3=wing, with the id of a part from 0 to {len(parts) - 1}.")
        chosen[0]["name"] = name.strip()[:40] or None
    if names:
        card = {**found.card, "parts": {**found.card["parts"], "parts": parts}}
        write_checkpoint(checkpoint, Checkpoint(found.arrays, card))
    for part in parts:
        say(f"{part['id']:3d}  {part['group'] or 'all'}: {part['name'] or '—'}")
    return {"parts": parts}


def specimens(
    folder: Annotated[Path, Argument(metavar="FOLDER")],
    *,
    per_class: Annotated[int, Option(help="pictures of each class")] = 40,
    seed: Annotated[int, Option(help="other drawings for another number")] = 0,
    say: Say = quiet,
) -> dict[str, Any]:
    """Draw look-alike specimens to try everything without a download."""
    from fgdemo.specimens import write_specimens

    write_specimens(folder, per_class=per_class, seed=seed)
    say(f"Written: {folder}. Next: python -m fgdemo fit {folder} --out my-checkpoint")
    return {"folder": str(folder)}


def serve(
    *,
    demo: Annotated[
        bool, Option("--demo", help="a workspace of drawn birds to try everything in; it goes when the server ends")
    ] = False,
    settings: Settings | None = None,
    say: Say = quiet,
) -> dict[str, Any]:
    """Open the page in a browser (as python app.py does).

    Returns when it is closed.
    """
    one_arena_for_all_threads()  # before what is imported here starts threads
    from fgdemo.settings import own_process
    from fgdemo.web.serve import serve as serve_page

    def build(settings: Settings, go_live: Callable[[Services], None]) -> Services:
        from fgdemo.wiring.assembly import (
            build_services,  # torch and timm are imported while the page is already there
        )

        return build_services(settings, go_live)

    settings = settled(settings)
    if demo:
        serve_demo(settings, say)
    else:
        own_process(settings)
        serve_page(settings, build)
    return {}


def user(
    action: Annotated[Literal["add", "list", "role", "password", "disable", "enable"], Argument(metavar="ACTION")],
    name: Name = None,
    *,
    role: RoleOption = "expert",
    settings: Settings | None = None,
    say: Say = quiet,
) -> dict[str, Any]:
    """Make and change the accounts of experts and maintainers."""
    from fgdemo.storage.database.database import open_database
    from fgdemo.storage.people.accounts import Accounts

    accounts = Accounts(open_database(settled(settings).database_url))
    if action != "list" and not name:
        raise SettingsError(f"Which account? python -m fgdemo user {action} NAME")
    name = name or ""
    if action == "add":
        made = accounts.add(name, role, _password())
        say(f"{made.name} is {made.role} from now on, and signs in on the page.")
    elif action == "role":
        accounts.set_role(name, role)
    elif action == "password":
        accounts.set_password(name, _password())
    elif action in ("disable", "enable"):
        accounts.disable(name, action == "disable")
    listed = accounts.all()
    if action == "list":
        for account in listed:
            say(f"{account.name:30s} {account.role}{' (disabled)' if account.disabled else ''}")
        if not listed:
            say("There is no account yet: python -m fgdemo user add NAME --role maintainer")
    return {"accounts": [{"name": a.name, "role": a.role, "disabled": a.disabled} for a in listed]}


def token(
    action: Annotated[Literal["add", "list", "remove"], Argument(metavar="ACTION")],
    name: Name = None,
    *,
    role: RoleOption = "expert",
    settings: Settings | None = None,
    say: Say = quiet,
) -> dict[str, Any]:
    """Make and remove the tokens of programs, which have a name and a role."""
    from fgdemo.storage.database.database import open_database
    from fgdemo.storage.people.tokens import Tokens

    tokens = Tokens(open_database(settled(settings).database_url))
    if action != "list" and not name:
        raise SettingsError(f"Which token? python -m fgdemo token {action} NAME")
    name, made = name or "", {}
    if action == "add":
        made = {"token": tokens.add(name, role)}
        say(f"Send it as “Authorization: Bearer …”; it is shown only now:\n{made['token']}")
    elif action == "remove":
        tokens.remove(name)
    listed = tokens.all()
    if action == "list":
        for one in listed:
            say(f"{one.name:30s} {one.role:10s} last used: {one.last_used_at or 'never'}")
        if not listed:
            say("There is no token yet: python -m fgdemo token add NAME --role expert")
    return {**made, "tokens": [asdict(one) for one in listed]}


def _password() -> str:
    """Never on the command line, where other users of the machine could read it."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    first = getpass.getpass("Password: ")
    if first != getpass.getpass("Once more: "):
        raise SettingsError("The two passwords differ.")
    return first
