"""The whole page on a free port, over real services and a workspace in a folder; only the classifier is a fake."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import gradio as gr
import numpy as np
from PIL import Image
from playwright.sync_api import Browser, ConsoleMessage, Page

from fgdemo.services.classify.workbench import Workbench
from fgdemo.services.exchange.exchange import Exchange
from fgdemo.services.exchange.mirroring import Mirroring
from fgdemo.services.exchange.transfers import Transfers
from fgdemo.services.labelling.explainer import Explanation
from fgdemo.services.operating.operations import Operations
from fgdemo.services.training.trainings import Trainings
from fgdemo.settings import Settings
from fgdemo.storage.embeddings.library import Library
from fgdemo.storage.exchange.incoming import Incoming
from fgdemo.storage.history.events import EventLog
from fgdemo.storage.people.accounts import Accounts
from fgdemo.storage.pictures.originals import ImageStore
from fgdemo.storage.trainings.models import Models
from fgdemo.values.errors import TrainingError
from fgdemo.values.methods import TITLES, Method, MethodMap
from fgdemo.values.progress import Progress
from fgdemo.values.training import Verdict
from fgdemo.values.types import CropBox, Reading, Trust
from fgdemo.web import build_app, launch_options
from fgdemo.wiring.assembly import Services
from tests.support.fake_training import FakeTraining
from tests.support.fakes import COLOURS
from tests.support.workspace import FakeWorkspace, open_fake_workspace, removals_of

YELLOW, LIME, BLUE, MAGENTA = (
    COLOURS["nashville_warbler"],
    COLOURS["mourning_warbler"],
    COLOURS["eskimo_dog"],
    (255, 0, 255),
)


@dataclass(frozen=True)
class RunningApp:
    url: str
    events: EventLog
    images: ImageStore
    workspace: FakeWorkspace
    accounts: Accounts
    services: Services
    page: gr.Blocks


def measured_trust(picture: Image.Image, box: CropBox | None, a: str, b: str) -> dict[str, Trust]:
    """One faithful map and one that is not."""
    return {"class": Trust(0.71, 0.2, 0.9, 0.0), "contrast": Trust(-0.04, 0.5, 0.5, 0.04)}


def drawn_methods(
    reading: Reading, methods: Sequence[Method], a: str, b: str, picture: Image.Image | None
) -> tuple[tuple[MethodMap, ...], str]:
    """Ramps from left to right; EigenCAM finds nothing, and HiResCAM is as Grad-CAM."""
    ramp = tuple(float(column) for _ in range(14) for column in range(14))
    return tuple(
        MethodMap(
            method,
            TITLES[method],
            "contrast" if method in ("contrast", "FinerCAM") else "class",
            tuple(0.0 for _ in ramp) if method == "EigenCAM" else ramp,
            "GradCAM" if method == "HiResCAM" and len(methods) > 1 else None,
            Trust(0.5, 0.2, 0.7, 0.1) if picture else None,
        )
        for method in methods
    ), "One of these is another."


def settings_in(home: Path) -> Settings:
    """A workspace in `home`, and no real checkpoint."""
    return Settings(
        home=home,
        checkpoint=home,
        database_url=f"sqlite:///{home / 'fgdemo.sqlite'}",
        device="cpu",
        max_upload_mb=2,
        max_picture_mp=60,
        asks_per_minute=100_000,
    )


class FakeRoom:
    """No model of the workspace can be loaded here."""

    def serve_live(self) -> None:
        """The fake answers, whatever is live."""

    def look_at_all(self, version: str, progress: Progress) -> None:
        progress("looking at pictures", 1, 1)

    def forget(self, version: str) -> None:
        """There is nothing to forget."""

    def compare(self, a: str, b: str) -> Verdict:
        raise TrainingError("Fake models cannot be compared.")

    def explain(self, image: str, version: str, label: str | None, candidate: str) -> Explanation:
        raise TrainingError("Fake models explain nothing.")


def fake_training(workspace: FakeWorkspace, settings: Settings) -> Trainings:
    """Jobs whose process ends at once."""
    models = Models(workspace.engine, settings.home / "models", settings.checkpoint)
    command = (sys.executable, "-c", "")
    return Trainings(workspace.engine, workspace.roster, models, FakeRoom(), settings, device="cpu", command=command)


def services_over(
    settings: Settings,
    workspace: FakeWorkspace,
    training: FakeTraining | None = None,
    mirroring: Mirroring | None = None,
) -> Services:
    """All services over an opened workspace; `stop` ends the learner."""
    library = Library(workspace.roster, workspace.embeddings, workspace.images)
    mirroring = mirroring or Mirroring()
    exchange = Exchange(settings.home, workspace.engine, workspace.images, workspace.intake())
    return Services(
        workbench=Workbench(
            workspace.classifier,
            library,
            measured_trust,
            workspace.images.decoder,
            settings.most_waiting,
            drawn_methods,
            voters=workspace.learner.voters(np.zeros(4)),
        ),
        suggestions=workspace.suggestions(settings.keep_suggestions_days),
        accounts=Accounts(workspace.engine),
        labelling=workspace.labelling,
        review=workspace.review,
        pointing=workspace.pointing,
        transfers=Transfers(exchange, settings.home),
        training=cast("Trainings", training) if training else fake_training(workspace, settings),
        incoming=Incoming(settings.home / "incoming"),
        removals=removals_of(workspace, settings.home),
        images=workspace.images,
        operations=Operations(workspace.engine, workspace.classifier.version, mirror=mirroring.lag),
        settings=settings,
        mirroring=mirroring,
        stop=workspace.learner.stop,
    )


def free_port() -> int:
    """Gradio would take the first one from 7860 on, which another test process may take at the same moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def running_app(
    home: Path, training: FakeTraining | None = None, mirroring: Mirroring | None = None, **changes: Any
) -> Iterator[RunningApp]:
    """Serve the page from `home` until the block ends; `changes` are settings."""
    settings = settings_in(home).model_copy(update=changes)
    workspace = open_fake_workspace(home)
    services = services_over(settings, workspace, training, mirroring)
    app = build_app(services)
    options = launch_options(services)
    _, url, _ = app.launch(**options, server_port=free_port(), prevent_thread_lock=True, quiet=True)
    try:
        yield RunningApp(url, workspace.events, workspace.images, workspace, services.accounts, services, app)
    finally:
        app.close()
        workspace.engine.dispose()


def signed_in(browser: Browser, app: RunningApp, name: str, **options: Any) -> Page:
    """An empty page in a context of its own, of somebody whose password is "long enough"."""
    context = browser.new_context(**{"viewport": {"width": 1440, "height": 900}, **options})
    context.set_default_timeout(60_000)
    token = app.accounts.sign_in(name, "long enough")
    context.add_cookies([{"name": "fgdemo_sign_in", "value": token, "url": app.url}])
    return context.new_page()


CLOSED = "/monitoring/summary"
"""Gradio's list of endpoints asks for it, and does without: it is not served to anybody."""


def complaints_of(page: Page) -> list[str]:
    """Filled with every error on the console and every script that fails, from now on."""
    complaints: list[str] = []

    def hear(line: ConsoleMessage) -> None:
        if line.type == "error" and not line.location["url"].endswith(CLOSED):
            complaints.append(line.text)

    page.on("console", hear)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    return complaints


def picture(
    path: Path, left: tuple[int, int, int], right: tuple[int, int, int], size: tuple[int, int] = (600, 400)
) -> Path:
    """A picture of two halves, with something dark in the upper left so that maps are not flat."""
    image = Image.new("RGB", size, left)
    image.paste(right, (size[0] // 2, 0, *size))
    image.paste((40, 40, 20), (size[0] // 8, size[1] // 8, size[0] // 5, size[1] // 4))
    image.save(path)
    return path
