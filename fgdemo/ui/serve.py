"""Serving: first the page, then the model, so that nobody looks at a blank screen while libraries are imported."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, cast

from fgdemo.settings import Settings
from fgdemo.ui.page import build_app, launch_options

if TYPE_CHECKING:
    from fgdemo.bootstrap import Services


class _Awaited:
    """One of the services, before it exists: whoever asks it something waits until it does."""

    def __init__(self, services: Future[Services], name: str) -> None:
        self._services = services
        self._name = name

    def __getattr__(self, name: str) -> Any:
        return getattr(getattr(self._services.result(), self._name), name)


class _AwaitedServices:
    """All of them, before they exist; what the settings are is known at once."""

    def __init__(self, services: Future[Services], settings: Settings) -> None:
        self._services = services
        self.settings = settings

    def __getattr__(self, name: str) -> Any:
        return _Awaited(self._services, name)


def serve(settings: Settings, load: Callable[[Settings], Services], **options: Any) -> None:
    """Show the page at once, load the services meanwhile, and serve until stopped.

    Args:
        load: makes the services; the heavy imports belong inside it. It runs in the calling thread.
        options: more arguments for `Blocks.launch`.

    Raises:
        FgdemoError: what `load` raises; the page is closed again.
    """
    services: Future[Services] = Future()
    awaited = cast("Services", _AwaitedServices(services, settings))
    app = build_app(awaited)
    app.launch(**launch_options(awaited), **options, prevent_thread_lock=True)
    try:
        services.set_result(load(settings))
    except BaseException as error:
        services.set_exception(error)  # those who wait get an answer, too
        app.close()
        raise
    app.block_thread()
