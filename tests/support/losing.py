"""A server that loses the first request of each kind, as the browser sees it."""

from __future__ import annotations

import re
from typing import Literal
from urllib.parse import urlsplit

from playwright.sync_api import Page, Request, Route

How = Literal["abort", "reply", "500", "empty"]
WATCHED = re.compile(
    r"/(gradio_api/(component_server|upload)|fgdemo/|fgdemo-static/\w+/(head/nav|(classify|label|review|train|data)/page)\.js)"
)


class Losing:
    """With `reply` the server does what was asked, and its answer is lost. `lost` are the kinds so far."""

    def __init__(self, page: Page, how: How) -> None:
        self.how, self.lost = how, set[str]()
        page.route(WATCHED, self._handle)

    def missed(self, kinds: str) -> set[str]:
        """Those of the kinds that were never asked."""
        return set(kinds.split()) - self.lost

    def _handle(self, route: Route) -> None:
        kind = kind_of(route.request)
        if kind in self.lost:
            route.continue_()
            return
        self.lost.add(kind)
        if self.how == "reply":
            route.fetch()
        if self.how in ("abort", "reply"):
            route.abort()
        elif self.how == "500":
            route.fulfill(status=500, content_type="text/html", body="<h1>Internal Server Error</h1>")
        else:
            route.fulfill(status=200, body="")


def kind_of(request: Request) -> str:
    """The server function that is asked, or the route: `fgdemo/pictures`, `label/page.js`."""
    path = urlsplit(request.url).path
    if "component_server" in path:
        return (request.post_data_json or {})["fn_name"]
    if path.endswith(".js"):
        return "/".join(path.split("/")[-2:])
    return "/".join(path.strip("/").split("/")[:3] if "/data/" in path else path.strip("/").split("/")[:2])
