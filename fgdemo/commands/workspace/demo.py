"""`serve --demo`: a whole workspace to try everything in, on this machine alone, which goes when the server ends."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from fgdemo.commands.console import Say
from fgdemo.values.errors import SettingsError

if TYPE_CHECKING:
    from fgdemo.services.operating.demo import Demo
    from fgdemo.settings import Settings
    from fgdemo.specimens.collection import Collection
    from fgdemo.wiring.assembly import Services

LOOPBACK = "127.0.0.1"
FIRST = "first-look"
"""The model that is live at first. It has seen few pictures, so that the second one is better."""
SHOWN_OF_EACH = 4
"""So many pictures of each species are published, so that visitors see references."""
CREDIT, LICENCE = "drawn by fgdemo", "CC0 1.0"
PARTS = 4
TRUSTED = 0
"""The trust of maps is not measured, which takes minutes on a slow machine; the verdict says so."""


def require_private(settings: Settings) -> None:
    """Nothing of a demo may leave this machine, and no stranger may reach it.

    Raises:
        SettingsError: a setting would do one of these; by its name.
    """
    refused = {
        "SPACE_ID": bool(settings.space) or settings.hub_sign_in,
        "DATABASE_URL": "database_url" in settings.model_fields_set,
        "FGDEMO_MIRROR": bool(settings.mirror),
        "FGDEMO_JOBS": bool(settings.jobs),
        "GRADIO_ROOT_PATH": bool(settings.root_path),
        "FGDEMO_PROXIES": settings.proxies > 0,
        "FGDEMO_FRAME_ANCESTORS": bool(settings.frame_ancestors),
    }
    named = [name for name, is_set in refused.items() if is_set]
    if named:
        raise SettingsError(
            "In a demo anybody may be a maintainer, so it stays on this machine and nothing of it is kept: start "
            f"without --demo, or unset {' and '.join(named)}."
        )


def demo_settings(settings: Settings, folder: Path) -> Settings:
    """Those of a demo in this folder: nothing of any other workspace is touched."""
    from fgdemo.settings import Settings

    return Settings(
        home=folder / "workspace",
        checkpoint=folder / FIRST,
        device=settings.device,
        log=settings.log,
        disk_reserve_mb=settings.disk_reserve_mb,
    )


def serve_demo(settings: Settings, say: Say) -> None:
    """Serve a demo until the process is stopped. Raises SettingsError where it could be reached from elsewhere."""
    require_private(settings)
    from fgdemo.services.operating.demo import Demo
    from fgdemo.settings import own_process
    from fgdemo.web.serve import serve

    with tempfile.TemporaryDirectory(prefix="fgdemo-demo-", ignore_cleanup_errors=True) as name:
        folder, demo = Path(name), Demo()
        settings = demo_settings(settings, folder)
        own_process(settings)
        serve(
            settings,
            lambda settings, go_live: prepare(settings, folder, demo, go_live, say),
            demo=demo,
            at_last=partial(shutil.rmtree, folder, ignore_errors=True),  # the process ends there and then
            server_name=LOOPBACK,
            share=False,
        )


def prepare(settings: Settings, folder: Path, demo: Demo, go_live: Callable[[Services], None], say: Say) -> Services:
    """Draw, fit, import, train and judge, all by what these verbs do; gives the services of what came of it.

    Args:
        settings: those of the demo.
        folder: everything lies in it.

    Raises:
        FgdemoError: it cannot be written, or the bundled model cannot be read.
    """
    from fgdemo.commands.model.finetune import run_finetune
    from fgdemo.commands.model.fit import fit
    from fgdemo.learn.candidate.trial import Trial
    from fgdemo.specimens.collection import write_collection
    from fgdemo.storage.database.database import open_database
    from fgdemo.storage.people.accounts import Accounts
    from fgdemo.wiring.assembly import build_services

    say(demo.begin(1))
    drawn = write_collection(folder / "specimens", progress=demo.progress)
    say(demo.begin(2))
    fit(
        [str(drawn.beginning)],
        out=settings.checkpoint,
        checkpoint=type(settings).model_fields["checkpoint"].default,
        taxonomy=drawn.taxonomy,
        parts=PARTS,
        licence=[f"Pictures {CREDIT}: {LICENCE}"],
        settings=settings,
    )
    say(demo.begin(3))
    _bring_in(settings, drawn, demo)
    engine = open_database(settings.database_url)
    demo.add_people(Accounts(engine))
    say(demo.begin(4))
    run_finetune(settings, preset="head", trial=Trial(trusted=TRUSTED))
    say(demo.begin(5))
    services = build_services(settings, go_live)
    demo.open(engine, drawn.wrong, teach=_publish(services, drawn))
    say("Prepared. All of it goes when this server ends (Ctrl-C).")
    return services


def _bring_in(settings: Settings, drawn: Collection, demo: Demo) -> None:
    from fgdemo.model.checkpoint.load import load_classifier
    from fgdemo.values.annotation import OWNER
    from fgdemo.wiring.assembly import open_exchange

    exchange = open_exchange(settings, load_classifier(settings.checkpoint, settings.device))
    exchange.import_from(OWNER, [drawn.folder], demo.progress)


def _publish(services: Services, drawn: Collection) -> str:
    """Some pictures whose label is right, and that the first model has not learned from; gives the first of them."""
    from fgdemo.services.review.bulk import Shown
    from fgdemo.storage.pictures.originals import image_id_of
    from fgdemo.values.annotation import OWNER, Publication

    files = [file for kind in sorted((drawn.folder / "train").iterdir()) for file in _some_of(kind, drawn)]
    items = [Shown(tile.image, tile.version) for tile in services.review.tiles(OWNER, [image_id_of(f) for f in files])]
    services.review.publish(OWNER, items, Publication(CREDIT, LICENCE), "demo")
    return items[0].image


def _some_of(kind: Path, drawn: Collection) -> list[Path]:
    from fgdemo.storage.pictures.originals import image_id_of

    return [file for file in sorted(kind.iterdir()) if image_id_of(file) not in drawn.wrong][-SHOWN_OF_EACH:]
