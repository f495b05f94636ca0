"""Gradio's Blocks, closed: it fetches nothing, keeps nothing of a session, and logs nothing that was sent."""

import asyncio
import logging
import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import gradio as gr
from gradio.route_utils import CustomCORSMiddleware
from gradio.routes import App

from fgdemo.settings import Settings
from fgdemo.web.entrance.uncollected import Uncollected
from fgdemo.web.http.connections import limit_connections
from fgdemo.web.programs.agents import serve_tools
from fgdemo.web.programs.endpoints import Endpoint

log = logging.getLogger(__name__)

MISTAKEN = "This does not fit the question: see the API's description."
SESSIONS = 1000
"""So many of Gradio's own sessions are remembered, 60 kB each, and of one address so many as `Gate` lets in. Ours keep
nothing in them, so that none is missed."""
SWEEP_EVERY_S = 10.0
MOST_PATHS = 2000
"""Of files, in lists that Gradio never shortens; the files themselves are cleared by `Housekeeping`."""


class PageBlocks(gr.Blocks):
    """The page and its API.

    Args:
        settings: of this server.
        options: arguments of `gr.Blocks`.
    """

    def __init__(self, settings: Settings, **options: Any) -> None:
        self._settings = settings
        self.endpoints: list[Endpoint] = []
        super().__init__(**options)
        # Figures of every call, with pandas after each, for a page that is not served here.
        self._queue.ANALYTICS_MAX_EVENTS, self._queue.ANAYLTICS_CACHE_FREQUENCY = 1, sys.maxsize

    @property
    def expects_oauth(self) -> bool:
        """Gradio serves its sign-in with Hugging Face (`/login/huggingface`) without its button: our head has one."""
        return self._settings.hub_sign_in

    def launch(self, *args: Any, **options: Any) -> Any:
        """As Gradio's; as soon as it returns, connections have limits."""
        launched = super().launch(*args, **options)
        if self.mcp_server_obj is not None:
            serve_tools(self.mcp_server_obj.mcp_server, self.endpoints, self.mcp_server_obj.tool_prefix)
        limit_connections(self.server, self._settings)
        logging.getLogger("mcp").setLevel(logging.CRITICAL)  # it writes down what strangers send
        logging.getLogger().addFilter(_is_not_of_mcp)
        return launched

    async def process_api(self, block_fn: Any, inputs: list[Any], state: Any = None, *more: Any, **named: Any) -> Any:
        """Every question of the API passes here, however it came.

        What Gradio itself stumbles over is the mistake of whoever asked: one sentence to them, and one line in the log.
        No session is handed on, because Gradio would keep in it all that was sent.
        """
        try:
            if any(_is_address(file) for file in _files(inputs)):
                raise gr.Error("Send the picture itself: nothing is fetched from an address.", print_exception=False)
            return await super().process_api(block_fn, inputs, None, *more, **named)
        except gr.Error as error:
            if error.print_exception:  # with its traceback, in which may stand what was sent
                log.warning("%s: %s", block_fn.api_name, type(error).__name__)
                error.print_exception = False
            raise
        except Exception as error:
            log.warning("%s was sent what it does not take: %s", block_fn.api_name, type(error).__name__)
            raise gr.Error(MISTAKEN, print_exception=False) from error


def _is_not_of_mcp(record: logging.LogRecord) -> bool:
    """Some of what it writes down goes to the root logger."""
    return f"{os.sep}mcp{os.sep}" not in record.pathname


def _files(value: Any) -> Iterator[dict[str, Any]]:
    """Everything within a value that Gradio would take for a file, at any depth."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            if "path" in one:
                yield one
            waiting.extend(one.values())
        elif isinstance(one, (list, tuple)):
            waiting.extend(one)


def _is_address(file: dict[str, Any]) -> bool:
    return "://" in str(file["path"])


def closing(uncollected: Uncollected) -> Any:
    """The page's `lifespan`: no other website may read its answers, and what nobody collects is dropped."""

    @asynccontextmanager
    async def lifespan(app: App) -> AsyncIterator[None]:
        # Gradio lets any website read any answer, with the cookies of whoever looks at it.
        app.user_middleware = [one for one in app.user_middleware if one.cls is not CustomCORSMiddleware]
        app.middleware_stack = app.build_middleware_stack()
        sweeping = asyncio.create_task(_sweep(app, uncollected))
        try:
            yield
        finally:
            sweeping.cancel()

    return lifespan


async def _sweep(app: App, uncollected: Uncollected) -> None:
    while True:
        await asyncio.sleep(SWEEP_EVERY_S)
        blocks = app.get_blocks()
        uncollected.sweep(blocks._queue)
        for paths in (*blocks.temp_file_sets, *(block.temp_files for block in blocks.blocks.values())):
            if len(paths) > MOST_PATHS:
                paths.clear()
