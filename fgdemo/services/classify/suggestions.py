"""What visitors say when the answer is wrong: kept for the experts, never a label by itself."""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace

from fgdemo.storage.history.events import EventLog, LabelEvent, NewPicture
from fgdemo.storage.history.label_event import FROM_VISITOR
from fgdemo.storage.pictures.images import Encoded
from fgdemo.storage.pictures.originals import THUMBNAIL_PX, ImageStore, image_id_of
from fgdemo.storage.visitors.pictures import LeftPicture, VisitorPictures, key_of, new_receipt, receipt_of
from fgdemo.storage.visitors.remarks import OTHER_KEY, Remark, Remarks
from fgdemo.values.annotation import Person
from fgdemo.values.errors import StorageError, TaxonomyError
from fgdemo.values.limits import LONGEST_COMMENT
from fgdemo.values.taxonomy import Taxonomy
from fgdemo.values.types import CropBox

LONGEST_NEW_NAME = 120
LONGEST_VERSION = 200
SHORTEST_KEY, LONGEST_KEY = 20, 200
"""Of a key, which nobody else may guess: it is also how the receipt is known again."""
_TURNS_TEXT_AROUND = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@dataclass(frozen=True)
class Suggested:
    """What was kept of a suggestion.

    Attributes:
        id: of the event, or of the remark where the picture was not kept.
        receipt: with it the picture can be deleted at any time; None where it was not kept.
        kept_until: ISO 8601, UTC: then the picture is removed, unless an expert has accepted it.
    """

    id: str
    receipt: str | None
    kept_until: str | None


class Suggestions:
    """Takes suggestions in.

    Args:
        events: the log they are appended to; its database knows the taxa of `taxonomy` (`register_taxa`).
        images: where the pictures are kept.
        remarks: where words without a picture are kept.
        pictures: what becomes of the pictures.
        taxonomy: the taxa that may be suggested, groups included.
    """

    def __init__(
        self,
        events: EventLog,
        images: ImageStore,
        remarks: Remarks,
        pictures: VisitorPictures,
        taxonomy: Taxonomy,
    ) -> None:
        self._events, self._images, self._remarks, self._pictures = events, images, remarks, pictures
        self._taxonomy = taxonomy

    @property
    def keep_days(self) -> int:
        """So many days a picture is kept that no expert accepts."""
        return self._pictures.keep_days

    def add(
        self,
        data: Encoded,
        *,
        name: str,
        taxon: str | None,
        new_name: str | None,
        comment: str | None,
        model_version: str,
        keep_picture: bool,
        answered: str | None = None,
        box: CropBox | None = None,
        annotator: str = "visitor",
        key: str | None = None,
    ) -> Suggested:
        """Keep what a person says a picture is, durably, and the picture itself where the person has consented.

        What the file says about its owner (place, time, camera) is never kept.

        Args:
            name: the name of the picture's file.
            taxon: id of a taxon, leaf or group; or None and `new_name` for a kind that the model does not know.
            comment: anything the person wants to say about it, or None.
            model_version: the model whose answer is said to be wrong.
            keep_picture: the person wants the picture to be kept and seen by experts; otherwise only the words stay.
            answered: id of the leaf that the answer named; only needed where the picture is not kept.
            box: the part of the picture that was classified.
            key: made by whoever sends it, and known to nobody else; the same suggestion sent twice counts once.

        Raises:
            PictureError: not a usable picture.
            TaxonomyError: not exactly one of `taxon` and `new_name`, or no such taxon.
            StorageError: the comment or the name is too long, or nothing can be written; nothing was stored.
        """
        if key is not None and not SHORTEST_KEY <= len(key) <= LONGEST_KEY:
            raise StorageError(f"The key must have {SHORTEST_KEY} to {LONGEST_KEY} characters: a UUID, for example.")
        words = self._words_of(answered, taxon, new_name, comment, model_version)
        _, size = self._images.decoder.decode(data, THUMBNAIL_PX, name=name)
        if not keep_picture:
            return Suggested(str(self._remarks.add(words, key_of(key) if key else None)), None, None)
        receipt = receipt_of(key) if key else new_receipt()
        original = self._images.decoder.without_metadata(data, name=name)
        event = LabelEvent(
            image_id_of(original),
            "suggestion",
            annotator,
            words.taxon,
            words.new_name,
            model_version=words.model_version,
            comment=words.comment,
            box=box,
            answer_key=key_of(receipt),
        )
        kept = self._keep(event, NewPicture(original, *size, source=FROM_VISITOR, split=None, name=_file_name(name)))
        return Suggested(str(kept.id), receipt, self._pictures.look(receipt).kept_until)

    def _words_of(
        self, answered: str | None, taxon: str | None, new_name: str | None, comment: str | None, model_version: str
    ) -> Remark:
        """What is said, cleaned. Raises TaxonomyError, StorageError as `add`."""
        new_name = " ".join(clean_text(new_name or "").split()) or None
        comment = clean_text(comment or "").strip() or None
        if (taxon is None) == (new_name is None):
            raise TaxonomyError("Say what it is: choose one of the kinds, or give the name of another. Not both.")
        taxon, answered = (one if one is None else self._taxonomy[one].id for one in (taxon, answered))
        for field, text, longest in (("name", new_name, LONGEST_NEW_NAME), ("comment", comment, LONGEST_COMMENT)):
            if text and len(text) > longest:
                raise StorageError(f"The {field} has {len(text)} characters; at most {longest} can be kept.")
        return Remark(answered, taxon, new_name, comment, clean_text(model_version)[:LONGEST_VERSION])

    def _keep(self, event: LabelEvent, picture: NewPicture) -> LabelEvent:
        """Both, or what was kept of them when they came before."""
        kept = self._known(event)
        if kept is not None:
            return kept
        self._pictures.reserve_room(len(picture.original))
        try:
            return self._events.append_with_picture(event, picture, self._images)
        except StorageError:
            kept = self._known(event)  # the same one may have come twice at once
            if kept is None:
                raise
            return kept

    def _known(self, event: LabelEvent) -> LabelEvent | None:
        """What was kept of this suggestion when it came before. Raises StorageError where its key is another one's."""
        kept = self._events.by_answer_key(event.answer_key or "")
        if kept is not None and replace(kept, id=None, created_at=None) != event:
            raise StorageError(OTHER_KEY)
        return kept

    def look(self, receipt: str) -> LeftPicture:
        """What became of the picture that was left with this receipt. Raises PictureError if there is none."""
        return self._pictures.look(receipt)

    def forget(self, receipt: str) -> LeftPicture:
        """Delete that picture; the words stay. Raises PictureError, StorageError."""
        return self._pictures.forget(receipt)

    def remarks(self, person: Person) -> Iterator[bytes]:
        """What was said without a picture, as CSV lines. Raises ForbiddenError for others than experts."""
        person.require("expert")
        return self._remarks.table()


def clean_text(text: str) -> str:
    """Text without control characters but for line breaks, lone surrogates, and marks that turn its order around."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(
        c for c in text if c in "\n\t" or (unicodedata.category(c) not in ("Cc", "Cs") and c not in _TURNS_TEXT_AROUND)
    )


def _file_name(name: str) -> str:
    """The last part of a file's name as it was sent, for people; it never becomes a path."""
    return clean_text(name.replace("\\", "/").rsplit("/", 1)[-1]).strip()[:200]
