"""The whole page in a process of its own, over a workspace that is there already. Says its address, and its routes."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from fgdemo.ui import build_app, launch_options
from tests.browser_app import services_over, settings_in
from tests.workspace import open_fake_workspace


def main() -> None:
    home = Path(sys.argv[1])
    workspace = open_fake_workspace(home)
    workspace.learner.refresh()
    services = services_over(settings_in(home), workspace)
    page = build_app(services)
    app, url, _ = page.launch(**launch_options(services), prevent_thread_lock=True, quiet=True)
    print(
        json.dumps({"url": url, "paths": sorted({path for route in app.routes for path in paths(route)})}), flush=True
    )
    page.block_thread()


def paths(route: object, prefix: str = "") -> list[str]:
    """Of a route, or of all below it."""
    own = prefix + getattr(route, "path", "")
    below = getattr(route, "app", None) or getattr(route, "original_router", None)
    inner = getattr(below, "routes", None)
    return [path for one in inner for path in paths(one, own)] if inner else [own]


if __name__ == "__main__":
    main()
