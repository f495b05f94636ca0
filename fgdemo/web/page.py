"""The page around the tabs: its head, its looks, and how it is served."""

from __future__ import annotations

import hashlib
from functools import partial
from typing import TYPE_CHECKING, Any

import gradio as gr
from starlette.middleware import Middleware
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from fgdemo.web.entrance.blocks import SESSIONS, PageBlocks, closing
from fgdemo.web.entrance.entrance import Gate
from fgdemo.web.entrance.uncollected import Uncollected
from fgdemo.web.http.guard import Guard
from fgdemo.web.http.metrics import Metrics
from fgdemo.web.http.observed import Observed
from fgdemo.web.http.sub_path import SubPath
from fgdemo.web.http.visitors import spending
from fgdemo.web.pages.classify import classify_tab
from fgdemo.web.pages.data import data_page
from fgdemo.web.pages.data_files import file_routes
from fgdemo.web.pages.label import label_page
from fgdemo.web.pages.mounting import STATIC, mounted
from fgdemo.web.pages.pictures import routes
from fgdemo.web.pages.review import review_page
from fgdemo.web.pages.theme import GROUND, GROUND_DARK, theme
from fgdemo.web.pages.train import train_page
from fgdemo.web.programs.api import add_api
from fgdemo.web.programs.health import figures_of, health_routes

if TYPE_CHECKING:
    from fgdemo.wiring.bootstrap import Services

THREADS_BESIDE = 40

HEADER = """
<header class="fg-top">
  <span class="fg-mark">fg<b>demo</b></span>
  <nav aria-label="Pages">
    <a href="#classify">Classify</a><a href="#label">Label</a><a href="#review">Review</a>
    <a href="#train" hidden>Train</a><a href="#data" hidden>Data</a>
  </nav>
  <span class="fg-trouble" role="status" hidden><span></span> <button type="button">Try now</button></span>
  <span class="fg-mirror" role="status" hidden></span>
  <span class="fg-model" role="status">loading the model…</span>
  <button type="button" data-do="person" disabled>Sign in</button>
  <button type="button" data-do="api" disabled>API</button>
  <dialog class="fg-dialog" aria-label="Sign in"></dialog>
</header>
"""
HEAD = """
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="theme-color" content="{ground}" media="(prefers-color-scheme: light)">
<meta name="theme-color" content="{ground_dark}" media="(prefers-color-scheme: dark)">
<link rel="icon" type="image/svg+xml" href="{static}/favicon.svg">
<link rel="stylesheet" href="{static}/shared/base.css">
<link rel="stylesheet" href="{static}/classify/page.css">
<link rel="stylesheet" href="{static}/label/page.css">
<link rel="stylesheet" href="{static}/review/page.css">
<link rel="stylesheet" href="{static}/review/views.css">
<link rel="stylesheet" href="{static}/data/page.css">
<link rel="stylesheet" href="{static}/train/page.css">
<link rel="stylesheet" href="{static}/train/verdict.css">
<link rel="modulepreload" href="{static}/shared/nav.js">
<link rel="modulepreload" href="{static}/classify/page.js">
"""


def build_app(services: Services) -> gr.Blocks:
    """The whole page and its API, ready for `launch(**launch_options(services))`."""
    with PageBlocks(services.settings, title="fgdemo", analytics_enabled=False, fill_width=True) as app:
        mounted("nav", static_url(), script="shared/nav.js", markup=HEADER)
        spend = spending(services.settings, services.accounts)
        classify_tab(services.workbench, services.suggestions, services.settings, spend, static_url())
        label_page(services.labelling, services.review, services.accounts, static_url())
        review_page(services.review, services.labelling, services.accounts, static_url())
        train_page(services.training, services.review, services.accounts, services.labelling, static_url())
        data_page(services.transfers, services.incoming, services.accounts, static_url())
        app.endpoints = add_api(services, spend)
    return app


def launch_options(services: Services) -> dict[str, Any]:
    """Arguments for `Blocks.launch`: our looks, no traces of visitors, no tracebacks, an API and an MCP server."""
    metrics, uncollected = Metrics(partial(figures_of, services)), Uncollected()
    return {
        "theme": theme(),
        "head": HEAD.format(static=static_url(), ground=GROUND, ground_dark=GROUND_DARK),
        "app_kwargs": {
            "routes": [
                Mount(f"/{static_url()}", StaticFiles(directory=STATIC)),
                *routes(
                    services.accounts,
                    services.images,
                    services.review,
                    services.suggestions,
                    services.mirroring,
                    services.settings.hub_sign_in,
                    framed=bool(services.settings.frame_ancestors),
                    proxies=services.settings.proxies,
                ),
                *file_routes(services.transfers, services.incoming, services.accounts),
                *health_routes(services, metrics),
            ],
            "middleware": [
                Middleware(SubPath, root_path=services.settings.root_path),
                Middleware(Observed, metrics=metrics),
                Middleware(Guard, settings=services.settings),
                Middleware(Gate, settings=services.settings, uncollected=uncollected),
            ],
            "lifespan": closing(uncollected),
        },
        "favicon_path": STATIC / "favicon.svg",
        "footer_links": ["api"],  # hidden by our CSS, and opened from our head
        # Whoever waits for the model holds a thread; the others need some, too.
        "max_threads": services.settings.most_waiting + THREADS_BESIDE,
        "max_file_size": services.settings.max_upload_mb * 1_000_000,
        "mcp_server": True,
        "pwa": False,
        "root_path": services.settings.root_path,
        "run_history": False,
        "show_error": False,
        "ssr_mode": False,
        "state_session_capacity": SESSIONS,
    }


def static_url() -> str:
    """Where `static/` is served, relative to the page. It changes with the files, so that no browser keeps old ones."""
    digest = hashlib.sha256()
    for file in sorted(path for path in STATIC.rglob("*") if path.is_file()):
        digest.update(file.read_bytes())
    return f"fgdemo-static/{digest.hexdigest()[:12]}"
