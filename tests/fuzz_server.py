"""The whole page in a process of its own over a workspace that is there already; it tells which routes it has."""

from __future__ import annotations

import sys
from pathlib import Path

import gradio as gr
import uvicorn
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse

from tests import browser_app


def main() -> None:
    home = Path(sys.argv[1])
    settings = browser_app.settings_in(home)
    services = browser_app.services_over(settings, browser_app.open_fake_workspace(home))
    services.labelling._learner.refresh()  # type: ignore[attr-defined]
    app = gr.mount_gradio_app(
        FastAPI(**browser_app.launch_options(services)["app_kwargs"]),
        browser_app.build_app(services),
        path="/",
        ssr_mode=False,
        max_file_size=settings.max_upload_mb * 1_000_000,
    )

    async def listed(request: Request) -> JSONResponse:
        inner = [path for route in app.routes for path in _paths(route)]
        return JSONResponse(sorted(set(inner)))

    app.router.routes.insert(0, __import__("starlette.routing", fromlist=["Route"]).Route("/fuzz-routes", listed))
    config = uvicorn.Config(app, port=0, log_level="warning")
    server = uvicorn.Server(config)
    socket = config.bind_socket()
    print(f"http://127.0.0.1:{socket.getsockname()[1]}/", flush=True)
    server.run(sockets=[socket])


def _paths(route: object) -> list[str]:
    inner = getattr(getattr(route, "app", None), "routes", None)
    own = getattr(route, "path", "")
    return [own + path for one in inner for path in _paths(one)] if inner else [own]


if __name__ == "__main__":
    main()
