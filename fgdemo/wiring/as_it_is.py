"""Services around a classifier of timm as it is: it is asked, and nothing is learned."""

from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy.engine import Engine

from fgdemo.model.checkpoint.foreign import load_foreign
from fgdemo.services.classify.workbench import Workbench
from fgdemo.services.exchange.mirroring import Mirroring
from fgdemo.services.operating.operations import Operations
from fgdemo.settings import Settings
from fgdemo.storage.disk.free_space import Disk
from fgdemo.storage.exchange.incoming import Incoming
from fgdemo.storage.people.accounts import Accounts, HubRoles
from fgdemo.storage.pictures.decoding import DecodingProcesses
from fgdemo.storage.pictures.originals import ImageStore
from fgdemo.values.errors import CheckpointError
from fgdemo.wiring.assembly import Services


class OnlyAsked:
    """Stands for every service that keeps or learns something: whatever is asked of it gets this sentence."""

    def __init__(self, name: str) -> None:
        self._sentence = (
            f"{name} is served as it came, so there is nothing to label, to review or to train here. Make a checkpoint "
            "from labelled pictures (python -m fgdemo fit PICTURES --out FOLDER) and serve that (FGDEMO_CHECKPOINT)."
        )

    def follow(self) -> None:
        """No other model goes live."""

    def __getattr__(self, name: str) -> Any:
        raise CheckpointError(self._sentence)


def services_as_it_is(settings: Settings, engine: Engine, checkpoint: Path) -> Services:
    """Classify and its API, for what `checkpoint` names.

    Raises: as `load_foreign`.
    """
    from fgdemo.explain.drawn import trust
    from fgdemo.explain.methods import method_maps

    classifier = load_foreign(checkpoint, settings.device)
    decoder = DecodingProcesses(settings.max_picture_mp)
    decoder.start()
    silent: Any = OnlyAsked(str(checkpoint))
    mirroring = Mirroring()
    return Services(
        workbench=Workbench(
            classifier,
            None,
            partial(trust, classifier),
            decoder,
            settings.most_waiting,
            partial(method_maps, classifier),
        ),
        suggestions=silent,
        accounts=Accounts(engine, hub_roles=HubRoles(settings.maintainers, settings.experts)),
        labelling=silent,
        review=silent,
        pointing=silent,
        transfers=silent,
        training=silent,
        incoming=Incoming(settings.home / "incoming", settings.disk_reserve_bytes),
        removals=silent,
        images=ImageStore(settings.home / "pictures", decoder, settings.disk_reserve_bytes),
        operations=Operations(engine, classifier.version, lambda: False, mirroring.lag, Disk(settings.home)),
        settings=settings,
        mirroring=mirroring,
    )
