"""`points`: what people placed on pictures of the workspace, from a table and into one."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from typer import Argument, Option

from fgdemo.commands.console import Say, quiet, settled
from fgdemo.commands.data.import_export import tell_left_out
from fgdemo.values.annotation import OWNER, Person
from fgdemo.values.counting import counted
from fgdemo.values.limits import LONGEST_ANNOTATOR

if TYPE_CHECKING:
    from fgdemo.settings import Settings

Action = Literal["import", "export"]


def points(
    action: Annotated[Action, Argument()],
    table: Annotated[Path, Argument(metavar="TABLE", help="columns path, part, x, y in pixels of the upright picture")],
    *,
    annotator: Annotated[str, Option(help="who placed them (import)")] = OWNER.name,
    settings: Settings | None = None,
    say: Say = quiet,
) -> dict[str, Any]:
    """Read or write the points that teach parts, as a table.

    A path is a file beside the table, or the name or the id of a picture of the workspace.
    """
    from fgdemo.services.exchange.point_tables import export_points, import_points
    from fgdemo.storage.database.database import open_database

    engine = open_database(settled(settings).database_url)
    if action == "export":
        report = export_points(engine, table)
        say(f"Written: {table}, {counted(report.points, 'point')} on {counted(report.pictures, 'picture')}.")
    else:
        report = import_points(engine, table, Person(annotator[:LONGEST_ANNOTATOR], "expert"))
        tell_left_out(report.skipped, None, say)
        for note in report.notes:
            say(note)
        say(f"{counted(report.points, 'point')} came in, on {counted(report.pictures, 'picture')}.")
    return {**asdict(report), "skipped": [list(one) for one in report.skipped], "notes": list(report.notes)}
