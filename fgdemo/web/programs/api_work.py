"""Endpoints for programs with a token: label as an expert, export as a maintainer. The docstrings are the API docs.

Without `from __future__ import annotations`: Gradio reads the types as they stand. `person` is who asks; it is no part
of the API, and its rights were checked before.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from fgdemo.services.labelling.items import Item
from fgdemo.storage.exchange.export import ExportFormat
from fgdemo.values.annotation import AnswerKind, Order, Person, Reason
from fgdemo.values.errors import StaleError, StorageError, UnavailableError
from fgdemo.values.limits import MOST_ITEMS
from fgdemo.web.http.payloads import WHOLE, Key, OptionalComment, OptionalText, Seconds, Text, Whole
from fgdemo.web.pages.data import as_reply
from fgdemo.web.pages.label import Said, said_in, sources

if TYPE_CHECKING:
    from fgdemo.services.exchange.transfers import Transfer, Transfers
    from fgdemo.services.labelling.labelling import Labelling
    from fgdemo.storage.history.sessions import LabellingSession

Count = Annotated[int, Field(ge=1, le=MOST_ITEMS), WHOLE]
Held = Annotated[list[Text], Field(max_length=MOST_ITEMS)]
Pair = Annotated[list[Text], Field(max_length=2)]


@dataclass(frozen=True)
class AskedItem(Item):
    """An item and where its picture is, relative to the page; to be fetched with the same token."""

    picture: str


@dataclass(frozen=True)
class NextItems:
    """What to label next.

    Attributes:
        session: to be named by the answers.
        waiting: nothing can be asked now, but there is more to do: it lies with others. Ask again later.
    """

    session: int
    items: tuple[AskedItem, ...]
    waiting: bool


@dataclass(frozen=True)
class Answered:
    """What became of an answer.

    Attributes:
        saved: id of the event, once it is safely stored; null where it was not.
        stale: the item as it stands now, where somebody else was faster.
        sentence: what happened, in words.
    """

    saved: int | None
    stale: AskedItem | None
    sentence: str


@dataclass(frozen=True)
class Export:
    """An export as it stands.

    Attributes:
        state: running, done, cancelled or failed.
        stage: what is being done now; `done` of `of` of it are done.
        download: where the file is when it is done, relative to the page; to be fetched with the same token.
    """

    state: str
    stage: str
    done: int
    of: int
    sentence: str
    size_bytes: int | None
    download: str | None


class LabellingQuestions:
    """For experts."""

    def __init__(self, labelling: "Labelling") -> None:
        self._labelling = labelling

    def __iter__(self) -> Iterator[Callable[..., Any]]:
        yield from (self.next_items, self.answer)

    def next_items(
        self,
        person: Person,
        count: Count = 1,
        have: Held | None = None,
        order: Order = "suspicion",
        pair: Pair | None = None,
    ) -> NextItems:
        """Get the next pictures to label; they are kept for this token for some minutes. For experts.

        Parameters:
            count: how many more, from 1 to 8.
            have: ids of pictures that were given before and are not answered yet: they stay with this token.
            order: what to work on: suspicion, pair, uncertain, typical, new, suggestion, adjudication or audit.
            pair: for the order pair: the ids of the two kinds.
        Returns:
            The session, the pictures (with what stands there, what it may be, why it is asked), and whether there is
            more to do later.
        """
        starting = self._labelling.starting(person)
        if starting is not None:
            raise UnavailableError(
                f"The model has learned from {starting[0]} of {starting[1]} pictures: ask again soon."
            )
        session = _session(self._labelling, person, order, pair or [])
        found = self._labelling.next_items(person, session.id, have or [], count)
        waiting = not found and self._labelling.is_waiting(person, session.id)
        return NextItems(session.id, tuple(_asked(item) for item in found), waiting)

    def answer(
        self,
        person: Person,
        session: Whole,
        image: Text,
        kind: AnswerKind,
        shown_version: Whole,
        key: Key,
        taxon: OptionalText = None,
        reason: Reason | None = None,
        blind: bool = False,
        seconds: Seconds = 0.0,
        comment: OptionalComment = None,
        model_version: OptionalText = None,
    ) -> Answered:
        """Answer about a picture. Sent twice with the same key, it counts once, so it may be sent again after a fault.

        Parameters:
            session: from next_items.
            image: id of the picture.
            kind: label, unsure, skip, unusable, none (not one of these kinds) or adjudication.
            shown_version: “version” of the item as it was shown; if something newer was said, the answer is refused.
            key: any text that no other answer has, a UUID for example.
            taxon: id of the taxon, for label and adjudication.
            reason: “reason” of the item. The server keeps the reason for which it gave the picture out; of what is
                said here only “adjudication” counts.
            blind: “blind” of the item; refused where the server asked for no blind second opinion.
            seconds: how long it took; 0 where that is not known.
            comment: at most 2000 characters.
            model_version: the model that was asked, if one was.
        Returns:
            The event's id once it is durable, or the item as it stands now where somebody was faster.
        """
        said = Said(
            session=session,
            image=image,
            kind=kind,
            shown_version=shown_version,
            key=key,
            taxon=taxon,
            reason=reason,
            blind=blind,
            seconds=seconds,
            comment=comment,
            model_version=model_version,
        )
        try:
            return Answered(self._labelling.answer(person, session, said_in(person, said)).id, None, "Saved.")
        except StaleError as error:
            return Answered(None, _asked(self._labelling.item(person, image)), str(error))


class ExportQuestions:
    """For maintainers."""

    def __init__(self, transfers: "Transfers") -> None:
        self._transfers = transfers

    def __iter__(self) -> Iterator[Callable[..., Any]]:
        yield from (self.start_export, self.export_state)

    def start_export(self, person: Person, format: ExportFormat) -> Export:
        """Begin to write pictures, labels and histories as one file. For maintainers.

        Parameters:
            format: imagefolder, csv, jsonl, datasets or label-studio.
        Returns:
            The export as it stands; ask for it with export_state.
        """
        return _export(self._transfers.begin_export(person, format))

    def export_state(self, person: Person) -> Export:
        """Say how far the export is, and where its file is once it is done. For maintainers.

        Returns:
            The newest export as it stands.
        """
        now = self._transfers.now(person)
        if now is None or now.kind != "export":
            raise StorageError("There is no export: begin one with start_export.")
        return _export(now)


def _session(labelling: "Labelling", person: Person, order: Order, pair: list[str]) -> "LabellingSession":
    """The open session of this person where it has this plan, or a new one."""
    two = (pair[0], pair[1]) if len(pair) == 2 else None
    current = labelling.current(person)
    if current is not None and (current.order, current.pair) == (order, two):
        return current
    return labelling.start(person, order, two, None, 0.0)


def _asked(item: Item) -> AskedItem:
    return AskedItem(**vars(item), picture=sources(item.image)["src"])


def _export(transfer: "Transfer") -> Export:
    size_bytes = as_reply(transfer)["transfer"]["size_bytes"]
    download = "fgdemo/data/export" if size_bytes is not None else None
    return Export(transfer.state, transfer.stage, transfer.done, transfer.of, transfer.sentence, size_bytes, download)
