"""The routes that the page, the API and MCP need. Gradio brings many more, and each release others: they are 404."""

import functools
import re
from dataclasses import dataclass

READ = frozenset({"GET", "HEAD"})
FOLLOW = frozenset({"GET"})
"""A stream, which has no end that a HEAD could wait for."""
SEND = frozenset({"POST"})

LONGEST_ID = 64
ID = re.compile(rf"[A-Za-z0-9_-]{{1,{LONGEST_ID}}}")
"""Sessions and events: what Gradio's page and its clients make are letters and digits, some with dashes between."""

_PLACES = {
    "id": ID.pattern,
    "name": r"[a-z_]{1,64}",
    "file": r"[^\0]{1,4096}",
    "upload": r"(?:/(?!/)|[A-Za-z]:)[^\0]{1,4096}",
}


@dataclass(frozen=True)
class Route:
    """One route that is served.

    Attributes:
        path: as it is asked for, with `{id}`, `{name}`, `{file}` (any path) or `{upload}` (an absolute path on the
            server, so no address of anything else).
        why: who needs it.
    """

    methods: frozenset[str]
    path: str
    why: str

    @functools.cached_property
    def _pattern(self) -> re.Pattern[str]:
        pattern = re.escape(self.path).replace(r"\{", "{").replace(r"\}", "}")
        for name, form in _PLACES.items():
            pattern = pattern.replace(f"{{{name}}}", form)
        return re.compile(pattern if "{file}" in self.path else f"{pattern}/?")

    def matches(self, path: str) -> bool:
        return self._pattern.fullmatch(path) is not None


ROUTES = (
    Route(READ, "/", "the page"),
    Route(READ, "/config", "the page, gradio_client"),
    Route(READ, "/theme.css", "the page"),
    Route(READ, "/assets/{file}", "the page"),
    Route(READ, "/static/{file}", "the page"),
    Route(READ, "/fgdemo-static/{file}", "the page"),
    Route(READ, "/favicon.ico", "browsers"),
    Route(READ, "/manifest.json", "browsers"),
    Route(READ, "/pwa_icon", "the manifest"),
    Route(READ, "/robots.txt", "search engines"),
    Route(READ, "/login/huggingface", "signing in with Hugging Face"),
    Route(READ, "/login/callback", "signing in with Hugging Face"),
    Route(READ, "/logout", "signing in with Hugging Face"),
    Route(READ, "/healthz", "what restarts the server"),
    Route(READ, "/metrics", "what watches the server"),
    Route(READ | {"POST", "PUT"}, "/fgdemo/{file}", "our own routes, which know their methods"),
    Route(READ, "/gradio_api/startup-events", "Gradio, when it starts"),
    Route(FOLLOW, "/gradio_api/heartbeat/{id}", "the page, gradio_client"),
    Route(SEND, "/gradio_api/component_server", "the page"),
    Route(SEND, "/gradio_api/upload", "the page, the API"),
    Route(READ, "/gradio_api/file={upload}", "the API: the sheet of explain"),
    Route(READ, "/gradio_api/info", "gradio_client, and the page's API button"),
    Route(SEND, "/gradio_api/queue/join", "gradio_client, MCP"),
    Route(FOLLOW, "/gradio_api/queue/data", "gradio_client, MCP"),
    Route(SEND, "/gradio_api/cancel", "gradio_client"),
    Route(SEND, "/gradio_api/reset", "gradio_client"),
    Route(SEND, "/gradio_api/call/{name}", "the API"),
    Route(SEND, "/gradio_api/call/v2/{name}", "the API"),
    Route(FOLLOW, "/gradio_api/call/{name}/{id}", "the API"),
    Route(FOLLOW, "/gradio_api/call/v2/{name}/{id}", "the API"),
    Route(READ | SEND, "/gradio_api/mcp", "agents: questions by POST, a page for people by GET"),
    Route(READ | SEND, "/gradio_api/mcp/http", "agents: its older address"),
    Route(READ, "/gradio_api/mcp/schema", "agents, through Hugging Face's own server"),
)

JSON_BODIES = (
    "/gradio_api/component_server",
    "/gradio_api/queue/join",
    "/gradio_api/call/",
    "/gradio_api/cancel",
    "/gradio_api/reset",
)
"""Where a body is one JSON object, in which ids may stand."""
STREAM = "/gradio_api/mcp"
"""Here a GET for events would stay open for ever; agents do without it."""
JOINS = ("/gradio_api/queue/join", "/gradio_api/call/")
"""Where a question is left whose answer is collected later."""


def methods_of(path: str) -> frozenset[str]:
    """What may be done at a path; empty where there is nothing."""
    return frozenset().union(*(route.methods for route in ROUTES if route.matches(path)))
