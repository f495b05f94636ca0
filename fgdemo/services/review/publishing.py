"""Labelled pictures for everybody: a maintainer publishes them with credit and licence, and withdraws them."""

import uuid
from collections.abc import Callable, Sequence

from fgdemo.services.review.bulk import Shown
from fgdemo.storage.history.events import EventLog, LabelEvent, Note
from fgdemo.storage.history.label_event import counts_here, publication_of, standing_of
from fgdemo.storage.history.publications import PublicationLog
from fgdemo.values.annotation import Person, Publication
from fgdemo.values.counting import counted
from fgdemo.values.errors import StaleError, StorageError
from fgdemo.values.limits import LARGEST_BATCH


class Publishing:
    """What maintainers decide of what visitors see. Safe to use from many threads.

    Args:
        noted: writes a sentence into the record of who did what.
    """

    def __init__(self, log: EventLog, publications: PublicationLog, noted: Callable[[Person, str], Note]) -> None:
        self._log, self._publications, self._noted = log, publications, noted

    def set(self, person: Person, items: Sequence[Shown], publication: Publication | None, key: str) -> str:
        """Publish pictures, or with None withdraw them: all or none; durable when this returns. Gives the name of the
        batch, by which it can be taken back.

        Args:
            key: made by whoever asks; the same sent twice counts once.

        Raises:
            ForbiddenError: the person is no maintainer; or a picture is gold, or was left by a visitor.
            StaleError: a picture that is to be published has another label than it was shown with.
            StorageError: no label, no such picture, too many, or nothing can be written.
        """
        person.require("maintainer")
        if not 1 <= len({item.image for item in items}) == len(items) <= LARGEST_BATCH:
            raise StorageError(f"Choose 1 to {LARGEST_BATCH} pictures.")
        batch = str(uuid.uuid5(uuid.NAMESPACE_OID, f"publish/{person.name}/{key}"))
        events = [self._event(person, item.image, item.version, publication, batch) for item in items]
        what = "withdrawn" if publication is None else f"published: {publication.credit}, {publication.licence}"
        self._publications.append(events, self._noted(person, f"{counted(len(items), 'picture')} {what}"))
        return batch

    def undo(self, person: Person, batch: str) -> list[str]:
        """What a batch published or withdrew becomes what it was before; gives its pictures. Twice does it once.

        Raises:
            ForbiddenError: the person is no maintainer.
            StaleError: somebody has published or withdrawn one of them since; nothing was changed.
        """
        person.require("maintainer")
        back = str(uuid.uuid5(uuid.NAMESPACE_OID, f"back/{batch}"))
        done = self._log.by_batch(batch)
        histories = self._log.histories([said.image for said in done])
        events: list[LabelEvent] = []
        for said in done:
            history = histories[said.image]
            newest = max(one.id or 0 for one in history if counts_here(one.kind, one.reason))
            if newest == said.id:
                before = publication_of([one for one in history if (one.id or 0) < newest])
                standing = standing_of(history, "train")
                version = 0 if standing is None else standing.version
                events.append(self._event(person, said.image, version, before, back))
            elif not any(one.batch == back for one in history):
                raise StaleError("Somebody has published or withdrawn one of these since: nothing was taken back.")
        if events:
            self._publications.append(events, self._noted(person, f"{counted(len(events), 'picture')} as before"))
        return [said.image for said in done]

    def _event(
        self, person: Person, image: str, version: int, publication: Publication | None, batch: str
    ) -> LabelEvent:
        return LabelEvent(
            image,
            "withdraw" if publication is None else "publish",
            person.name,
            publication=publication,
            shown_version=version,
            batch=batch,
            answer_key=f"{batch}/{image}",
        )
