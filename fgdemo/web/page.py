"""All pages and the API as one app, and how it is served."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import gradio as gr
from starlette.middleware import Middleware

from fgdemo.services.classify.waiting_room import places
from fgdemo.web.entrance.blocks import SESSIONS, PageBlocks, closing
from fgdemo.web.entrance.entrance import Gate
from fgdemo.web.entrance.uncollected import Uncollected
from fgdemo.web.http.guard import Guard
from fgdemo.web.http.metrics import Metrics
from fgdemo.web.http.observed import Observed
from fgdemo.web.http.sub_path import SubPath
from fgdemo.web.http.visitors import spending
from fgdemo.web.pages.classify import classify_tab, options
from fgdemo.web.pages.comparing import comparing_page
from fgdemo.web.pages.data import data_page
from fgdemo.web.pages.data_files import file_routes
from fgdemo.web.pages.demo import demo_routes
from fgdemo.web.pages.document import STATIC, document_routes
from fgdemo.web.pages.label import label_page
from fgdemo.web.pages.pictures import routes
from fgdemo.web.pages.points import points_page
from fgdemo.web.pages.removing import removing_page
from fgdemo.web.pages.review import review_page
from fgdemo.web.pages.theme import theme
from fgdemo.web.pages.train import train_page
from fgdemo.web.programs.api import add_api
from fgdemo.web.programs.health import figures_of, health_routes

if TYPE_CHECKING:
    from fgdemo.services.operating.demo import Demo
    from fgdemo.wiring.assembly import Services

THREADS_BESIDE = 40


def build_app(services: Services) -> gr.Blocks:
    """The whole page and its API, ready for `launch(**launch_options(services))`."""
    with PageBlocks(services.settings, title="fgdemo", analytics_enabled=False, fill_width=True) as app:
        spend = spending(services.settings, services.accounts)
        classify_tab(services.workbench, services.suggestions, spend)
        comparing_page(services.workbench, services.accounts, spend)
        label_page(services.labelling, services.review, services.accounts)
        points_page(services.pointing, services.accounts)
        review_page(services.review, services.labelling, services.accounts)
        train_page(services.training, services.review, services.accounts, services.labelling)
        data_page(services.transfers, services.incoming, services.accounts)
        removing_page(services.removals, services.accounts)
        app.endpoints = add_api(services, spend)
    return app


def launch_options(services: Services, demo: Demo | None = None) -> dict[str, Any]:
    """Arguments for `Blocks.launch`: our looks, no traces of visitors, no tracebacks, an API and an MCP server.

    Args:
        demo: what is served is one: its page says so, and one can be whoever one likes.
    """
    metrics, uncollected = Metrics(partial(figures_of, services)), Uncollected()
    return {
        "theme": theme(),
        "app_kwargs": {
            "routes": [
                *document_routes({"classify": options(services.settings)} | ({} if demo is None else {"demo": {}})),
                *([] if demo is None else demo_routes(demo, services.accounts)),
                *routes(
                    services.accounts,
                    services.images,
                    services.review,
                    services.suggestions,
                    services.mirroring,
                    lambda image: services.workbench.is_public(image),
                    spending(services.settings, services.accounts),
                    services.settings.hub_sign_in,
                    framed=bool(services.settings.frame_ancestors),
                    proxies=services.settings.proxies,
                ),
                *file_routes(services.transfers, services.incoming, services.accounts),
                *health_routes(services, metrics),
            ],
            "middleware": [
                Middleware(SubPath, root_path=services.settings.root_path, proxies=services.settings.proxies),
                Middleware(Observed, metrics=metrics),
                Middleware(Guard, settings=services.settings),
                Middleware(Gate, settings=services.settings, uncollected=uncollected),
            ],
            "lifespan": closing(uncollected),
        },
        "favicon_path": STATIC / "favicon.svg",
        "footer_links": ["api"],  # opened from our head
        # Whoever waits for the model holds a thread; the others need some, too.
        "max_threads": places(services.settings.most_waiting) + THREADS_BESIDE,
        "max_file_size": services.settings.max_upload_mb * 1_000_000,
        "mcp_server": True,
        "pwa": False,
        "root_path": services.settings.root_path,
        "run_history": False,
        "show_error": False,
        "ssr_mode": False,
        "state_session_capacity": SESSIONS,
    }
