"""The page in a process that can be killed a hundred times: imported and built once, then forked for each life.

Everything behind the socket is real but the classifier: Gradio's routes, the handlers, the store. The socket belongs to
the parent, so that clients find the next life where they left the last.

Reads lines `HOME DATABASE_URL`; starts a server for each, and answers with its process id. The one before must be dead.
"""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import uvicorn
from fastapi import FastAPI

from fgdemo.services.classify.workbench import Workbench
from fgdemo.settings import Settings
from fgdemo.storage.embeddings.library import Library
from fgdemo.storage.people.accounts import Accounts
from fgdemo.web import build_app, launch_options
from tests.support.workspace import open_fake_workspace, removals_of


class Later:
    """One of the services before it is opened: the page is built around it first."""

    def __init__(self) -> None:
        self.opened: Any = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.opened, name)


def open_services(services: Any, home: Path, url: str) -> None:
    workspace = open_fake_workspace(home, url)
    workspace.learner.refresh()
    library = Library(workspace.roster, workspace.embeddings, workspace.images)
    services.accounts.opened = Accounts(workspace.engine)
    services.labelling.opened, services.review.opened = workspace.labelling, workspace.review
    services.pointing.opened = workspace.pointing
    services.images.opened = workspace.images
    services.workbench.opened = Workbench(workspace.classifier, library, lambda *_: {})
    services.suggestions.opened = workspace.suggestions()
    services.removals.opened = removals_of(workspace, home)
    workspace.learner.start()


def main() -> None:
    folder = Path(sys.argv[1])
    names = (
        "workbench",
        "suggestions",
        "accounts",
        "labelling",
        "review",
        "pointing",
        "images",
        "transfers",
        "training",
        "incoming",
        "removals",
        "operations",
        "mirroring",
    )
    settings = Settings(
        home=folder, checkpoint=folder, device="cpu", max_upload_mb=2, max_picture_mp=60, asks_per_minute=100_000
    )
    services: Any = SimpleNamespace(**{name: Later() for name in names}, settings=settings)
    app = gr.mount_gradio_app(
        FastAPI(**launch_options(services)["app_kwargs"]), build_app(services), path="/", ssr_mode=False
    )
    listening = socket.create_server(("127.0.0.1", 0), backlog=100)
    print(listening.getsockname()[1], flush=True)
    child = 0
    for line in sys.stdin:
        if child:
            os.waitpid(child, 0)
        child = os.fork()
        if not child:
            home, url = line.split()
            open_services(services, Path(home), url)
            server = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_keep_alive=60))
            server.run(sockets=[listening])
            os._exit(1)
        print(child, flush=True)


if __name__ == "__main__":
    main()
