"""The whole page in a process of its own, over a workspace that is there already. Says its address, and its routes.

With more arguments than the workspace: a file, and hosts. Each time the process looks for one of them, or connects to
it, its name is added to the file.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from fgdemo.learn.train.allocator import one_arena_for_all_threads


def main() -> None:
    one_arena_for_all_threads()  # before the imports, as the command that serves
    from fgdemo.storage.pictures.decoding import DecodingProcesses
    from fgdemo.web import build_app, launch_options
    from tests.support.browser_app import services_over, settings_in
    from tests.support.workspace import open_fake_workspace

    home = Path(sys.argv[1])
    if len(sys.argv) > 2:
        watch(Path(sys.argv[2]), tuple(sys.argv[3:]))
    settings = settings_in(home)
    decoder = DecodingProcesses(settings.max_picture_mp)
    decoder.start()
    workspace = open_fake_workspace(home, decoder=decoder)
    workspace.learner.refresh()
    services = services_over(settings, workspace)
    page = build_app(services)
    app, url, _ = page.launch(**launch_options(services), prevent_thread_lock=True, quiet=True)
    print(
        json.dumps({"url": url, "paths": sorted({path for route in app.routes for path in paths(route)})}), flush=True
    )
    page.block_thread()


def watch(noted: Path, hosts: tuple[str, ...]) -> None:
    """Note every host of these that is looked for from now on, whoever does it and in whatever way."""
    file = os.open(noted, os.O_CREAT | os.O_WRONLY | os.O_APPEND)

    def hook(event: str, given: tuple[object, ...]) -> None:
        if event not in ("socket.getaddrinfo", "socket.connect"):
            return
        told = given[0] if event == "socket.getaddrinfo" else given[1]
        told = told[0] if isinstance(told, tuple) else told
        host = told.decode("ascii", "replace") if isinstance(told, bytes) else str(told)
        if host in hosts:
            os.write(file, f"{host}\n".encode())

    sys.addaudithook(hook)


def paths(route: object, prefix: str = "") -> list[str]:
    """Of a route, or of all below it."""
    own = prefix + getattr(route, "path", "")
    below = getattr(route, "app", None) or getattr(route, "original_router", None)
    inner = getattr(below, "routes", None)
    return [path for one in inner for path in paths(one, own)] if inner else [own]


if __name__ == "__main__":
    main()
