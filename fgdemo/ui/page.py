"""The page around the tabs: its head, its looks, and how it is served."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from fgdemo.settings import Settings
from fgdemo.ui.api import add_api
from fgdemo.ui.classify import classify_tab
from fgdemo.ui.theme import GROUND, GROUND_DARK, theme

if TYPE_CHECKING:
    from fgdemo.services.suggestions import Suggestions
    from fgdemo.services.workbench import Workbench

STATIC = Path(__file__).parent / "static"
CLEAR_UPLOADS_S = 3600

HEADER = """
<header class="fg-top">
  <span class="fg-mark">fg<b>demo</b></span>
  <span class="fg-model" role="status">loading the model…</span>
  <button type="button">API</button>
</header>
"""
OPEN_API_DOCS = """
element.querySelector("button").addEventListener("click", () => document.querySelector("footer .show-api").click());
"""
HEAD = """
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="theme-color" content="{ground}" media="(prefers-color-scheme: light)">
<meta name="theme-color" content="{ground_dark}" media="(prefers-color-scheme: dark)">
<link rel="stylesheet" href="{static}/base.css">
<link rel="stylesheet" href="{static}/classify.css">
<link rel="modulepreload" href="{static}/classify.js">
"""


def build_app(workbench: Workbench, suggestions: Suggestions, settings: Settings) -> gr.Blocks:
    """The whole page and its API, ready for `launch(**launch_options(settings))`."""
    with gr.Blocks(
        title="fgdemo",
        analytics_enabled=False,
        fill_width=True,
        delete_cache=(CLEAR_UPLOADS_S, CLEAR_UPLOADS_S),
    ) as app:
        gr.HTML(html_template=HEADER, js_on_load=OPEN_API_DOCS, apply_default_css=False)
        classify_tab(workbench, suggestions, settings, static_url())
        add_api(workbench, suggestions)
    return app


def launch_options(settings: Settings) -> dict[str, Any]:
    """Arguments for `Blocks.launch`: our looks, no traces of visitors, no tracebacks, an API and an MCP server."""
    return {
        "theme": theme(),
        "head": HEAD.format(static=static_url(), ground=GROUND, ground_dark=GROUND_DARK),
        "app_kwargs": {"routes": [Mount(f"/{static_url()}", StaticFiles(directory=STATIC))]},
        "favicon_path": STATIC / "favicon.svg",
        "footer_links": ["api"],  # hidden by our CSS, and opened from our head
        "max_file_size": settings.max_upload_mb * 1_000_000,
        "mcp_server": True,
        "pwa": False,
        "run_history": False,
        "show_error": False,
        "ssr_mode": False,
    }


def static_url() -> str:
    """Where `static/` is served, relative to the page. It changes with the files, so that no browser keeps old ones."""
    digest = hashlib.sha256()
    for file in sorted(path for path in STATIC.rglob("*") if path.is_file()):
        digest.update(file.read_bytes())
    return f"fgdemo-static/{digest.hexdigest()[:12]}"
