"""The only place where the parts are put together."""

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from sqlalchemy.engine import Engine

from fgdemo.learn.live.live_classifier import embeddings_of
from fgdemo.learn.live.voters import CheckpointVoters
from fgdemo.model.checkpoint.foreign import is_foreign
from fgdemo.model.checkpoint.load import load_classifier
from fgdemo.model.classifier import Classifier
from fgdemo.model.devices import training_device
from fgdemo.services.classify.suggestions import Suggestions
from fgdemo.services.classify.workbench import Workbench
from fgdemo.services.exchange.exchange import Exchange
from fgdemo.services.exchange.mirroring import Mirroring
from fgdemo.services.exchange.removals import Removals, Seen
from fgdemo.services.exchange.transfers import Transfers
from fgdemo.services.labelling.labelling import Labelling
from fgdemo.services.labelling.pointing import Pointing
from fgdemo.services.operating.housekeeping import Housekeeping, chores
from fgdemo.services.operating.operations import Operations
from fgdemo.services.review import Review
from fgdemo.services.training.trainings import Trainings
from fgdemo.settings import Settings
from fgdemo.storage.database.database import open_database, register_taxa
from fgdemo.storage.disk.free_space import Disk
from fgdemo.storage.embeddings.embeddings import Embeddings
from fgdemo.storage.embeddings.library import Library
from fgdemo.storage.embeddings.rereading import reread
from fgdemo.storage.exchange.incoming import Incoming
from fgdemo.storage.exchange.intake import Intake
from fgdemo.storage.history.events import EventLog
from fgdemo.storage.history.roster import Roster
from fgdemo.storage.people.accounts import Accounts, HubRoles
from fgdemo.storage.pictures.decoding import Decoder, DecodingProcesses
from fgdemo.storage.pictures.originals import ImageStore
from fgdemo.storage.trainings.cloud_jobs import PREFIX
from fgdemo.storage.trainings.models import Models
from fgdemo.storage.visitors.pictures import VisitorPictures
from fgdemo.storage.visitors.remarks import Remarks
from fgdemo.values.errors import CheckpointError, TrainingError
from fgdemo.wiring.learning import start_learning
from fgdemo.wiring.mirrors import open_mirror, restore_if_fresh, restore_seen
from fgdemo.wiring.model_room import ModelRoom

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Services:
    """What the entry points (page, API, command line) work with.

    `stop` ends what these do in the background; `mirroring` goes on while other services take their place.
    """

    workbench: Workbench
    suggestions: Suggestions
    accounts: Accounts
    labelling: Labelling
    review: Review
    pointing: Pointing
    transfers: Transfers
    training: Trainings
    incoming: Incoming
    removals: Removals
    images: ImageStore
    operations: Operations
    settings: Settings
    mirroring: Mirroring = field(default_factory=Mirroring)
    stop: Callable[[], None] = lambda: None

    def is_loaded(self) -> bool:
        """Whether they can be used without waiting, as these can."""
        return True


@dataclass(frozen=True)
class Workspace:
    """The opened workspace on disk."""

    engine: Engine
    events: EventLog
    images: ImageStore
    roster: Roster
    embeddings: Embeddings
    library: Library

    def image_ids(self) -> Sequence[str]:
        """All pictures as of now. Raises StorageError."""
        self.roster.follow()
        return self.roster.image_ids


def open_workspace(
    settings: Settings,
    classifier: Classifier,
    engine: Engine | None = None,
    roster: Roster | None = None,
    images: ImageStore | None = None,
) -> Workspace:
    """Open (or make) the workspace and let it know the classifier's taxa.

    Args:
        engine: of its database, where that is open already.
        roster: of that database, where there is one already; it is as large as the workspace.
        images: its pictures, where they are decoded elsewhere than in this process.

    Raises:
        StorageError: it cannot be opened.
    """
    engine = engine or open_database(settings.database_url)
    register_taxa(engine, classifier.taxonomy)
    images = images or ImageStore(
        settings.home / "pictures", Decoder(settings.max_picture_mp), settings.disk_reserve_bytes
    )
    roster = Roster(engine) if roster is None else roster
    embeddings = embeddings_of(settings.home, classifier)
    library = Library(roster, embeddings, images)
    return Workspace(engine, EventLog(engine), images, roster, embeddings, library)


def open_models(settings: Settings, engine: Engine | None = None) -> Models:
    """The models of this workspace. Raises StorageError."""
    return Models(engine or open_database(settings.database_url), settings.home / "models", settings.checkpoint)


def build_services(settings: Settings, go_live: Callable[[Services], None] = lambda services: None) -> Services:
    """Load the live checkpoint, open the workspace, and begin to learn from it and to back it up in the background.

    A workspace in which nothing was ever said begins with what its mirror holds. A live checkpoint of the workspace
    that is damaged is rolled back, which the Trainings service tells.

    Args:
        go_live: is given new services, of another model, whenever that has gone live.

    Raises:
        CheckpointError: no checkpoint can be used.
        StorageError: the workspace cannot be opened, or it is empty and its mirror cannot be reached.
    """
    engine = open_database(settings.database_url)
    is_restored = restore_if_fresh(settings, engine)
    models = open_models(settings, engine)
    if is_foreign(models.live_folder()):
        from fgdemo.wiring.as_it_is import services_as_it_is

        return services_as_it_is(settings, engine, models.live_folder())
    mirroring = Mirroring(open_mirror(settings, engine))
    classifier, trouble = _load_live(settings, models)
    if is_restored:
        restore_seen(settings, embeddings_of(settings.home, classifier))
    roster = Roster(engine)

    def renew() -> None:
        live = load_classifier(models.live_folder(), settings.device)
        go_live(_services(settings, engine, roster, images, live, training, transfers, mirroring))

    decoder = DecodingProcesses(settings.max_picture_mp)
    decoder.start()
    images = ImageStore(settings.home / "pictures", decoder, settings.disk_reserve_bytes)
    transfers = Transfers(Exchange(settings.home, engine, images), settings.home, swapping=lambda: training.is_swapping)
    training = Trainings(
        engine,
        roster,
        models,
        ModelRoom(settings, engine, roster, images, models, renew),
        settings,
        device=_trains_on(settings),
        trouble=trouble,
        importing=lambda: transfers.is_running,
    )
    training.clear_leftovers()
    services = _services(settings, engine, roster, images, classifier, training, transfers, mirroring)
    mirroring.start()
    return services


def _trains_on(settings: Settings) -> str:
    """The device of new trainings: this machine's, or one of Hugging Face."""
    return f"{PREFIX}{settings.jobs}" if settings.jobs else training_device(settings.device)


def _load_live(settings: Settings, models: Models) -> tuple[Classifier, str]:
    """The live model, or the newest one before it that can be used; and what was wrong with the others."""
    trouble = ""
    for _ in range(models.roll_backs):  # counted before, so that this ends even where a roll-back should change nothing
        live = models.live
        try:
            return load_classifier(models.folder(live), settings.device), trouble
        except CheckpointError as error:
            with suppress(TrainingError):  # another server on this database has gone back already
                models.roll_back("fgdemo", live)
            trouble = f"{live} could not be loaded, so {models.live} is live again. {error}"
            log.error(trouble)
    return load_classifier(models.live_folder(), settings.device), trouble


def _services(
    settings: Settings,
    engine: Engine,
    roster: Roster,
    images: ImageStore,
    classifier: Classifier,
    training: Trainings,
    transfers: Transfers,
    mirroring: Mirroring,
) -> Services:
    """All that depends on the model, around that which does not and stays when another one goes live."""
    from fgdemo.explain.drawn import places_of, trust
    from fgdemo.explain.methods import method_maps

    workspace = open_workspace(settings, classifier, engine, roster, images)
    reread(settings.home, workspace.images, workspace.embeddings, workspace.image_ids)
    learning = start_learning(settings, classifier, workspace, open_models(settings, engine), training)
    mirroring.use(workspace.embeddings)
    transfers.use(_exchange(settings, classifier, workspace))
    incoming = Incoming(settings.home / "incoming", settings.disk_reserve_bytes)
    pictures = _of_visitors(settings, workspace)
    seen = Seen(settings.home / "embeddings", workspace.embeddings, learning.is_ready)
    removals = Removals(engine, workspace.images, seen, lambda: transfers.is_running)
    housekeeping = Housekeeping(chores(settings, incoming, pictures, removals.sweep))
    housekeeping.start()

    def stop() -> None:
        learning.stop()
        housekeeping.stop()

    return Services(
        workbench=Workbench(
            classifier,
            learning.library,
            partial(trust, classifier),
            images.decoder,
            settings.most_waiting,
            partial(method_maps, classifier),
            places_of(classifier),
            lambda: learning.teacher.taught(classifier),
            CheckpointVoters(classifier, roster, workspace.embeddings),
        ),
        suggestions=_suggestions(workspace, pictures, classifier),
        accounts=Accounts(workspace.engine, hub_roles=HubRoles(settings.maintainers, settings.experts)),
        labelling=learning.labelling,
        review=learning.review,
        pointing=learning.pointing,
        transfers=transfers,
        training=training,
        incoming=incoming,
        removals=removals,
        images=workspace.images,
        operations=Operations(
            engine, classifier.version, lambda: transfers.is_running, mirroring.lag, Disk(settings.home)
        ),
        settings=settings,
        mirroring=mirroring,
        stop=stop,
    )


def _suggestions(workspace: Workspace, pictures: VisitorPictures, classifier: Classifier) -> Suggestions:
    remarks = Remarks(workspace.engine)
    return Suggestions(workspace.events, workspace.images, remarks, pictures, classifier.taxonomy)


def _of_visitors(settings: Settings, workspace: Workspace) -> VisitorPictures:
    most_bytes = settings.visitor_pictures_mb * 1_000_000
    return VisitorPictures(workspace.engine, workspace.images, settings.keep_suggestions_days, most_bytes)


def open_training(settings: Settings) -> Trainings:
    """The Trainings service without a page: whoever starts next serves what goes live. Raises StorageError."""
    engine = open_database(settings.database_url)
    models, roster = open_models(settings, engine), Roster(engine)
    room = ModelRoom(settings, engine, roster, ImageStore(settings.home / "pictures"), models, renew=lambda: None)
    return Trainings(engine, roster, models, room, settings, device=_trains_on(settings))


def open_exchange(settings: Settings, classifier: Classifier) -> Exchange:
    """Imports into the workspace of these settings, and exports from it, without a page. Raises StorageError."""
    return _exchange(settings, classifier, open_workspace(settings, classifier))


def _exchange(settings: Settings, classifier: Classifier, workspace: Workspace) -> Exchange:
    intake = Intake(workspace.engine, workspace.images, workspace.roster, workspace.embeddings, classifier.look)
    return Exchange(settings.home, workspace.engine, workspace.images, intake)
