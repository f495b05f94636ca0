"""Serving: first the page, then the model, so that nobody looks at a blank screen while libraries are imported."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, cast

from fgdemo.settings import Settings
from fgdemo.ui.page import build_app, launch_options

if TYPE_CHECKING:
    from fgdemo.bootstrap import Services


class Serving:
    """The services that answer now: whoever asks before there are any waits, and others may take their place.

    Each question is answered whole by those that were there when it came.
    """

    def __init__(self) -> None:
        self._services: Future[Services] = Future()

    def now(self) -> Services:
        return self._services.result()

    def give(self, services: Services) -> None:
        """Let these answer from now on; those before them stop what they did in the background."""
        before, renewed = self._services, Future()
        renewed.set_result(services)
        self._services = renewed
        if before.done():
            before.result().stop()
        else:
            before.set_result(services)  # for those who wait already

    def fail(self, error: BaseException) -> None:
        """There will be none: those who wait get this error."""
        self._services.set_exception(error)


class _Awaited:
    """One of the services, whichever answers now."""

    def __init__(self, serving: Serving, name: str) -> None:
        self._serving = serving
        self._name = name

    def __getattr__(self, name: str) -> Any:
        return getattr(getattr(self._serving.now(), self._name), name)


class _AwaitedServices:
    """All of them; what the settings are is known at once."""

    def __init__(self, serving: Serving, settings: Settings) -> None:
        self._serving = serving
        self.settings = settings

    def __getattr__(self, name: str) -> Any:
        return _Awaited(self._serving, name)


def serve(settings: Settings, load: Callable[[Settings, Callable[[Services], None]], Services], **options: Any) -> None:
    """Show the page at once, load the services meanwhile, and serve until stopped.

    Args:
        load: makes the services; the heavy imports belong inside it. It runs in the calling thread, and is given what
            takes the services of another model when that goes live.
        options: more arguments for `Blocks.launch`.

    Raises:
        FgdemoError: what `load` raises; the page is closed again.
    """
    serving = Serving()
    awaited = cast("Services", _AwaitedServices(serving, settings))
    app = build_app(awaited)
    app.launch(**launch_options(awaited), **options, prevent_thread_lock=True)
    try:
        serving.give(load(settings, serving.give))
    except BaseException as error:
        serving.fail(error)
        app.close()
        raise
    app.block_thread()
