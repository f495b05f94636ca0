"""`imports` and `remove`: what was brought in, and taking it out again."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Option

from fgdemo.commands.console import Say, quiet, settled
from fgdemo.values.annotation import OWNER
from fgdemo.values.counting import counted

if TYPE_CHECKING:
    from fgdemo.services.exchange.removals import Removals
    from fgdemo.settings import Settings
    from fgdemo.storage.exchange.taking_back import TakingBack

SHOWN = 20


def imports(
    run: Annotated[str | None, Argument(metavar="RUN", help="one import by its name; none lists all")] = None,
    *,
    take_back: Annotated[bool, Option(help="take it back: its pictures are removed, its labels undone")] = False,
    even_labelled: Annotated[bool, Option(help="also pictures that people have labelled since")] = False,
    settings: Settings | None = None,
    say: Say = quiet,
) -> dict[str, Any]:
    """List what was brought in, and take an import back.

    With RUN alone it says what taking it back would do. What people said stays as history.
    """
    removals = _removals(settled(settings))
    if run is None:
        found = removals.imports(OWNER)
        for one in found:
            gone = "" if one.there == one.pictures else f", {one.there:,} of them still there"
            by = f" by {one.person}: {one.about}" if one.person else ""
            say(f"{one.run}  {counted(one.pictures, 'picture')}{gone}{by}")
        if not found:
            say("Nothing was ever brought in.")
        return {"imports": [asdict(one) for one in found]}
    told = removals.about(OWNER, run)
    is_done = take_back and (even_labelled or not told.labelled)
    if is_done:
        told = removals.take_back(OWNER, run, told.labelled)
    for sentence in _sentences(told, is_done):
        say(sentence)
    if take_back and not is_done:
        say("Nothing was taken back. With --even-labelled these go, too.")
    elif not is_done:
        say("To do it, add --take-back.")
    return {**asdict(told), "people": list(told.people), "is_taken_back": is_done}


def remove(
    pictures: Annotated[list[str], Argument(metavar="PICTURE", help="ids of pictures, or names that only one has")],
    *,
    why: Annotated[str, Option(metavar="TEXT", help="the reason, which stays in their histories")] = "",
    yes: Annotated[bool, Option(help="do it; else it is only said what would be removed")] = False,
    settings: Settings | None = None,
    say: Say = quiet,
) -> dict[str, Any]:
    """Remove pictures for good: file, thumbnail and what models have seen in them.

    What was said about them stays as a stub.
    """
    settings = settled(settings)
    ids = _removals(settings).find(OWNER, pictures)
    for name, image in list(ids.items())[:SHOWN]:
        say(f"{name}  {image}" if name != image else image)
    if not yes:
        say(f"{counted(len(ids), 'picture')} would be removed for good. To do it, add --yes.")
        return {"removed": 0, "images": list(ids.values())}
    gone = _removals(settings).remove(OWNER, list(ids.values()), why)
    say(f"Removed for good: {counted(len(gone), 'picture')}. What models have seen in them goes while a server runs.")
    return {"removed": len(gone), "images": gone}


def _sentences(told: TakingBack, is_done: bool) -> list[str]:
    gold = f", {told.gold:,} of them gold" if told.gold else ""
    were = "would be" if not is_done else "was" if told.pictures == 1 else "were"
    found = [f"{counted(told.pictures, 'picture')} {were} removed{gold}."]
    if told.relabelled:
        found.append(f"Of {counted(told.relabelled, 'picture')} that other imports brought, only its label goes.")
    if told.labelled:
        who = ", ".join(told.people[:3]) + (" …" if len(told.people) > 3 else "")
        has = "has" if told.labelled == 1 else "have"
        found.append(f"{told.labelled:,} of these {has} been labelled since, by {who}: that stays as history.")
    return found


def _removals(settings: Settings) -> Removals:
    from fgdemo.services.exchange.removals import Removals
    from fgdemo.storage.database.database import open_database
    from fgdemo.storage.pictures.originals import ImageStore

    return Removals(open_database(settings.database_url), ImageStore(settings.home / "pictures"))
