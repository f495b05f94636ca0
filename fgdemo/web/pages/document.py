"""What a browser gets first: the markup of all pages in one document, their styles in one file, and what it loads next.

Gradio answers the questions; its own page, ten times as large as ours, is loaded only for its description of the API.
"""

import hashlib
import json
import posixpath
import re
from collections.abc import Mapping
from functools import cache, partial
from pathlib import Path
from string import Template
from typing import Any

import gradio as gr
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from fgdemo.web.pages.theme import GROUND, GROUND_DARK

STATIC = Path(__file__).parents[1] / "static"
PAGES = ("classify", "label", "review", "train", "data")
STYLES = (
    "shared/reset.css",
    "shared/base.css",
    "classify/page.css",
    "classify/examples.css",
    "closer/closer.css",
    "label/page.css",
    "review/page.css",
    "review/views.css",
    "points/points.css",
    "compare/compare.css",
    "cards/cards.css",
    "data/page.css",
    "train/page.css",
    "train/verdict.css",
)
"""In this order, which decides where two rules weigh the same."""
FIRST_MODULES = ("head/nav.js", "classify/page.js")
FOR_EVER = {"Cache-Control": "public, max-age=31536000, immutable"}
"""The address of each of our files changes with the files."""
_IMPORT = re.compile(r'^(?:import|export|\}) .*from "(\.[^"]+)";$', re.MULTILINE)
_GRADIO = Path(gr.__file__).parent / "templates" / "frontend" / "index.html"
_GRADIO_ASSET = re.compile(r'(?:src|href)="\./(assets/index-[^"]+\.(js|css))"')


class _Kept(StaticFiles):
    """Files that browsers keep."""

    def file_response(self, *args: Any, **named: Any) -> Response:
        response = super().file_response(*args, **named)
        response.headers.update(FOR_EVER)
        return response


def document_routes(options: Mapping[str, Any]) -> list[BaseRoute]:
    """Routes of the document, and of the files below `static/`.

    Args:
        options: what the script of each page is given, by its name.
    """
    static, styles = _static_url(), _styles()

    @cache
    def page_of(app: Any) -> str:
        return _document(static, options, functions_of(app.get_blocks()))

    async def all_styles(request: Request) -> Response:
        return Response(styles, media_type="text/css", headers=FOR_EVER)

    async def document(request: Request) -> HTMLResponse:
        return HTMLResponse(page_of(request.app), headers={"Cache-Control": "no-cache"})

    return [
        Route("/", document, middleware=[Middleware(GZipMiddleware)]),
        Route(f"/{static}/all.css", all_styles),
        Mount(f"/{static}", _Kept(directory=STATIC)),
    ]


def functions_of(blocks: gr.Blocks) -> dict[str, int]:
    """The questions that Gradio answers, each with the id of the component that it asks for beside its name."""
    components = blocks.config["components"]
    return {name: one["id"] for one in components for name in one["props"].get("server_fns") or ()}


def _document(static: str, options: Mapping[str, Any], functions: Mapping[str, int]) -> str:
    pages = (f'<div id="fg-page-{page}">\n{_text(f"{page}/page.html")}</div>' for page in PAGES)
    gradio = {ending: path for path, ending in _GRADIO_ASSET.findall(_GRADIO.read_text(encoding="utf-8"))}
    start = {"options": options, "functions": functions, "gradio": gradio}
    return Template(_text("shared/page.html")).substitute(
        static=static,
        ground=GROUND,
        ground_dark=GROUND_DARK,
        names="|".join(PAGES),
        preloads="\n".join(f'<link rel="modulepreload" href="{static}/{path}">' for path in _modules(FIRST_MODULES)),
        pages="\n".join(pages),
        start=json.dumps(start).replace("<", "\\u003c"),
    )


def _modules(paths: tuple[str, ...]) -> list[str]:
    """These and all that they import, below `static/`."""
    found: dict[str, None] = {}
    waiting = [*paths]
    while waiting:
        path = waiting.pop(0)
        if path not in found:
            found[path] = None
            waiting.extend(map(partial(_beside, path), _IMPORT.findall(_text(path))))
    return list(found)


def _beside(path: str, relative: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), relative))


def _styles() -> str:
    """All of `STYLES` as one file, which lies where their folders do."""
    return "\n".join(_text(path).replace('url("../', 'url("') for path in STYLES)


def _text(path: str) -> str:
    return (STATIC / path).read_text(encoding="utf-8")


def _static_url() -> str:
    """Where `static/` is served, relative to the page. It changes with the files, so that no browser keeps old ones."""
    digest = hashlib.sha256()
    for file in sorted(path for path in STATIC.rglob("*") if path.is_file()):
        digest.update(file.read_bytes())
    return f"fgdemo-static/{digest.hexdigest()[:12]}"
