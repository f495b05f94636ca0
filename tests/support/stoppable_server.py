"""`python -m tests.support.stoppable_server HOME [loading]`: the page as `fgdemo serve` shows it, with a fake
classifier.

Everything else is what runs in earnest, signals and the way out included. With `loading` the model never comes.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from fgdemo.logs import configure_logs
from fgdemo.settings import Settings
from fgdemo.web.serve import serve

if TYPE_CHECKING:
    from fgdemo.wiring.assembly import Services


def load(settings: Settings, go_live: Callable[[Services], None]) -> Services:
    if sys.argv[2:] == ["loading"]:
        threading.Event().wait()
    from tests.support.browser_app import services_over
    from tests.support.workspace import open_fake_workspace

    workspace = open_fake_workspace(settings.home, settings.database_url)
    workspace.learner.refresh()
    workspace.learner.start()
    return services_over(settings, workspace)


if __name__ == "__main__":
    configure_logs("json")
    serve(Settings.from_env({"FGDEMO_HOME": str(Path(sys.argv[1]))}), load, quiet=True)
