"""`name-parts`, `import`, `specimens`, `serve`: what is kept and shown."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from fgdemo.commands.console import bar, load, report_skipped, speaker
from fgdemo.errors import SettingsError
from fgdemo.settings import Settings

if TYPE_CHECKING:
    from fgdemo.bootstrap import Services


def name_parts(arguments: argparse.Namespace, settings: Settings) -> dict[str, Any]:
    """A person says once what a part is; the name stays with its id. An empty name takes it away."""
    from fgdemo.model.checkpoint import Checkpoint, read_checkpoint, write_checkpoint

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


def import_pictures(arguments: argparse.Namespace, settings: Settings) -> dict[str, Any]:
    """Labelled pictures into the workspace, with the embeddings that make "nearest pictures of A" possible."""
    from fgdemo.bootstrap import import_into_library

    say = speaker(arguments)
    with bar() as progress:
        added, skipped = import_into_library(load(arguments, settings), settings, arguments.data, progress)
    report_skipped(skipped, say)
    say(f"{added} pictures are in the workspace.")
    return {"added": added, "skipped": [list(entry) for entry in skipped]}


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
    from fgdemo.ui.serve import serve as serve_page

    def build(settings: Settings) -> Services:
        from fgdemo.bootstrap import build_services  # torch and timm are imported while the page is already there

        return build_services(settings)

    serve_page(settings, build)
    return {}
