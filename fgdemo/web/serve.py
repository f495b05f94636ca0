"""Serving: first the page, then the model, so that nobody looks at a blank screen while libraries are imported."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, cast

from fgdemo.logs import adopt_server_logs
from fgdemo.settings import Settings
from fgdemo.storage.database.sqlite_files import move_over
from fgdemo.values.errors import FgdemoError, UnavailableError
from fgdemo.web.page import build_app, launch_options
from fgdemo.web.stopping import StoppedError, leave, stopped_by_signals

if TYPE_CHECKING:
    from fgdemo.services.operating.demo import Demo
    from fgdemo.wiring.assembly import Services

log = logging.getLogger(__name__)

FOLLOW_S = 5.0
"""So often the database is asked which model is live."""


LENT = "zerogpu"
"""As in `fgdemo.model.lent_gpu`, which imports torch."""


class Serving:
    """The services that answer now: whoever asks before there are any waits, and others may take their place.

    Each question is answered whole by those that were there when it came.
    """

    def __init__(self) -> None:
        self._services: Future[Services] = Future()

    def now(self) -> Services:
        return self._services.result()

    def is_there(self) -> bool:
        """Whether `now` answers without waiting."""
        return self._services.done() and self._services.exception() is None

    def give(self, services: Services) -> None:
        """Let these answer from now on; those before them stop what they did in the background."""
        before, renewed = self._services, Future()
        renewed.set_result(services)
        self._services = renewed
        if before.done():
            before.result().stop()
        else:
            before.set_result(services)  # for those who wait already

    def stop(self) -> None:
        """End what the services do in the background, where there are any, and back up what is new once more."""
        if self.is_there():
            self.now().stop()
            self.now().mirroring.stop()

    def fail(self, error: BaseException) -> None:
        """There will be none: those who wait get this error."""
        if not self._services.done():
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

    def is_loaded(self) -> bool:
        return self._serving.is_there()

    def __getattr__(self, name: str) -> Any:
        return _Awaited(self._serving, name)


def serve(
    settings: Settings,
    load: Callable[[Settings, Callable[[Services], None]], Services],
    *,
    demo: Demo | None = None,
    at_last: Callable[[], None] = lambda: None,
    **options: Any,
) -> None:
    """Show the page at once, load the services meanwhile, and serve until SIGTERM or SIGINT.

    Args:
        load: makes the services; the heavy imports belong inside it. It runs in the calling thread, and is given what
            takes the services of another model when that goes live.
        demo: what is served is one, and says so.
        at_last: done when somebody has stopped the server, after all else.
        options: more arguments for `Blocks.launch`.

    Raises:
        FgdemoError: what `load` raises; the page is closed again.
    """
    serving = Serving()
    awaited = cast("Services", _AwaitedServices(serving, settings))
    app = build_app(awaited)
    if settings.device == LENT:  # it must know all functions that need a GPU, and the weights, before the page is there
        serving.give(load(settings, serving.give))
    try:
        with stopped_by_signals():
            app.launch(**launch_options(awaited, demo), **options, prevent_thread_lock=True)
            adopt_server_logs()
            log.info("The page is there; the model is being loaded.")
            try:
                if settings.device != LENT:
                    serving.give(load(settings, serving.give))
            except BaseException as error:
                stopped = isinstance(error, StoppedError)
                serving.fail(UnavailableError("The server is being stopped.") if stopped else error)
                raise
            log.info("Ready.")
            ended = threading.Event()
            threading.Thread(target=_follow, args=(serving, ended), name="follow", daemon=True).start()
            try:
                app.block_thread()
            finally:
                ended.set()
    except StoppedError:

        def put_away() -> None:
            move_over(settings.database_url)  # first, because a mirror that hangs may take all the time there is
            serving.stop()
            move_over(settings.database_url)
            at_last()

        leave(app, put_away)
    except BaseException:
        app.close()
        raise


def _follow(serving: Serving, ended: threading.Event) -> None:
    """Serve what another process lets go live: a command, or another server on the same database."""
    while not ended.wait(FOLLOW_S):
        try:
            serving.now().training.follow()
        except FgdemoError as error:
            log.warning("which model is live cannot be seen just now: %s", error)
