"""What visitors say when the answer is wrong: kept for the experts, never a label by itself."""

from __future__ import annotations

import unicodedata

from fgdemo.errors import StorageError, TaxonomyError
from fgdemo.storage.events import EventLog, LabelEvent, NewPicture
from fgdemo.storage.images import decode_reduced
from fgdemo.storage.originals import THUMBNAIL_PX, ImageStore, image_id_of
from fgdemo.taxonomy import Taxonomy
from fgdemo.types import CropBox

LONGEST_COMMENT = 2000
LONGEST_NEW_NAME = 120
LONGEST_VERSION = 200
_TURNS_TEXT_AROUND = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


class Suggestions:
    """Takes suggestions in.

    Args:
        events: the log they are appended to; its database knows the taxa of `taxonomy` (`register_taxa`).
        images: where the pictures are kept.
        taxonomy: the taxa that may be suggested, groups included.
        max_picture_mp: largest picture that is decoded, in megapixels.
    """

    def __init__(self, events: EventLog, images: ImageStore, taxonomy: Taxonomy, max_picture_mp: int = 60) -> None:
        self._events = events
        self._images = images
        self._taxonomy = taxonomy
        self._max_picture_mp = max_picture_mp

    def add(
        self,
        data: bytes,
        *,
        name: str,
        taxon: str | None,
        new_name: str | None,
        comment: str | None,
        model_version: str,
        box: CropBox | None = None,
        annotator: str = "visitor",
    ) -> str:
        """Keep a picture and what a person says it is; both are durable when this returns. Gives the event's id.

        Args:
            name: the name of the picture's file.
            taxon: id of a taxon, leaf or group; or None and `new_name` for a kind that the model does not know.
            comment: anything the person wants to say about it, or None.
            model_version: the model whose answer is said to be wrong.
            box: the part of the picture that was classified.

        Raises:
            PictureError: not a usable picture.
            TaxonomyError: not exactly one of `taxon` and `new_name`, or no such taxon.
            StorageError: the comment or the name is too long, or nothing can be written; nothing was stored.
        """
        new_name = " ".join(clean_text(new_name or "").split()) or None
        comment = clean_text(comment or "").strip() or None
        if (taxon is None) == (new_name is None):
            raise TaxonomyError("Say what it is: choose one of the kinds, or give the name of another. Not both.")
        if taxon is not None:
            taxon = self._taxonomy[taxon].id
        for field, text, longest in (("name", new_name, LONGEST_NEW_NAME), ("comment", comment, LONGEST_COMMENT)):
            if text and len(text) > longest:
                raise StorageError(f"The {field} has {len(text)} characters; at most {longest} can be kept.")
        _, (width, height) = decode_reduced(data, THUMBNAIL_PX, name=name, max_picture_mp=self._max_picture_mp)
        event = self._events.append_with_picture(
            LabelEvent(
                image=image_id_of(data),
                kind="suggestion",
                annotator=annotator,
                taxon=taxon,
                new_name=new_name,
                model_version=clean_text(model_version)[:LONGEST_VERSION],
                comment=comment,
                box=box,
            ),
            NewPicture(data, width, height, source="visitor", split=None, name=_file_name(name)),
            self._images,
        )
        return str(event.id)


def clean_text(text: str) -> str:
    """Text without control characters but for line breaks, lone surrogates, and marks that turn its order around."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(
        c for c in text if c in "\n\t" or (unicodedata.category(c) not in ("Cc", "Cs") and c not in _TURNS_TEXT_AROUND)
    )


def _file_name(name: str) -> str:
    """The last part of a file's name as it was sent, for people; it never becomes a path."""
    return clean_text(name.replace("\\", "/").rsplit("/", 1)[-1]).strip()[:200]
