"""Pictures that visitors left with a suggestion: kept by consent, for a while, and taken back by a receipt.

A receipt is a random text that only its owner knows; the log holds its hash as the suggestion's `answer_key`, so it
goes wherever the log goes. That a picture was removed is an event too: unusable, for the reason `removed`, by `fgdemo`.
"""

import base64
import hashlib
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import sqlalchemy as sa

from fgdemo.storage.database.database import reading, utc_now, writing
from fgdemo.storage.database.schema import image_table
from fgdemo.storage.history.events import EventLog
from fgdemo.storage.history.label_event import FROM_VISITOR, RECEIPT, LabelEvent, is_removed, standing_of
from fgdemo.storage.history.removing import clear_removed, mark_removed
from fgdemo.storage.pictures.originals import ImageStore
from fgdemo.values.errors import PictureError, UnavailableError

BY = "fgdemo"

State = Literal["kept", "used", "removed", "elsewhere"]
"""kept: nobody has accepted it; used: an expert has; elsewhere: a maintainer brought the same picture, too."""


@dataclass(frozen=True)
class LeftPicture:
    """What became of a picture that a visitor left.

    Attributes:
        kept_until: ISO 8601, UTC; None where it is not removed by itself.
    """

    state: State
    kept_until: str | None


class VisitorPictures:
    """The pictures of one workspace that visitors left.

    Args:
        keep_days: after so many days a picture that no expert has accepted is removed.
        most_bytes: so much may those take, all together.
    """

    def __init__(
        self,
        engine: sa.Engine,
        images: ImageStore,
        keep_days: int,
        most_bytes: int | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._most_bytes, self._kept_bytes = most_bytes, 0
        self._lock = threading.Lock()
        self._engine, self._images, self._clock = engine, images, clock
        self._log = EventLog(engine, clock)
        self.keep_days = keep_days

    def reserve_room(self, size_bytes: int) -> None:
        """Count a picture that is about to be kept.

        Counted is what came through this object, and anew on disk once that is too much: what was removed or accepted
        meanwhile takes no room any more.

        Raises:
            UnavailableError: visitors' pictures have no room left.
        """
        if self._most_bytes is None:
            return
        with self._lock:
            if not self._kept_bytes or self._kept_bytes + size_bytes > self._most_bytes:
                self._kept_bytes = sum(self._images.size_bytes(image) for image in self._unaccepted())
            if self._kept_bytes + size_bytes > self._most_bytes:
                raise UnavailableError(
                    "There is no more room for pictures of visitors just now. Send your words without the picture: "
                    "they are kept."
                )
            self._kept_bytes += size_bytes

    def look(self, receipt: str) -> LeftPicture:
        """What became of the picture of this receipt. Raises PictureError if there is no such receipt."""
        return self._look(self._suggestion(receipt))

    def forget(self, receipt: str) -> LeftPicture:
        """Remove the picture and its thumbnail; the words of the suggestion stay.

        A picture that a maintainer brought as well stays. One that an expert has accepted leaves the labelled pictures.

        Raises:
            PictureError: there is no such receipt.
            StorageError: it cannot be removed just now.
        """
        said = self._suggestion(receipt)
        left = self._look(said)
        if left.state in ("kept", "used"):
            self._remove(said.image, "The visitor who had sent the picture has deleted it.")
        return self._look(said)

    def expire(self) -> int:
        """Remove what nobody has accepted in time, and what a crash has left of removed ones; gives how many."""
        before = (self._clock() - timedelta(days=self.keep_days)).isoformat()
        with reading(self._engine) as connection:
            rows = sa.select(image_table.c.id).where(image_table.c.source == FROM_VISITOR)
            left = [image for image in connection.execute(rows).scalars() if image in self._images]
        clear_removed(self._engine, self._images, left)
        removed = 0
        for image, history in self._log.histories(left).items():
            if not is_removed(history) and not _is_accepted(history) and _last_sent(history) < before:
                self._remove(image, f"No expert accepted the picture in {self.keep_days} days, so it was removed.")
                removed += 1
        return removed

    def _unaccepted(self) -> list[str]:
        with reading(self._engine) as connection:
            rows = sa.select(image_table.c.id).where(image_table.c.source == FROM_VISITOR)
            left = list(connection.execute(rows).scalars())
        return [image for image, history in self._log.histories(left).items() if not _is_accepted(history)]

    def _suggestion(self, receipt: str) -> LabelEvent:
        said = self._log.by_answer_key(key_of(receipt))
        if said is None or said.kind != "suggestion":
            raise PictureError("There is no picture with this receipt: copy the whole link once more.")
        return said

    def _look(self, said: LabelEvent) -> LeftPicture:
        history = self._log.history(said.image)
        with reading(self._engine) as connection:
            this_one = sa.select(image_table.c.source).where(image_table.c.id == said.image)
            source = connection.execute(this_one).scalar_one()
        if source != FROM_VISITOR:
            return LeftPicture("elsewhere", None)
        if is_removed(history):
            return LeftPicture("removed", None)
        if _is_accepted(history):
            return LeftPicture("used", None)
        until = datetime.fromisoformat(_last_sent(history)) + timedelta(days=self.keep_days)
        return LeftPicture("kept", until.isoformat())

    def _remove(self, image: str, why: str) -> None:
        with writing(self._engine) as connection:
            mark_removed(connection, [image], BY, why, clock=self._clock)
        clear_removed(self._engine, self._images, [image])


def receipt_of(key: str) -> str:
    """The receipt that belongs to a key, which only who has made the key can know: so a suggestion whose reply was lost
    gives the same receipt when it is sent again."""
    digest = hashlib.sha256(f"receipt of {key}".encode("utf-8", "surrogatepass")).digest()
    return base64.urlsafe_b64encode(digest[:24]).decode()


def new_receipt() -> str:
    return secrets.token_urlsafe(24)


def key_of(receipt: str) -> str:
    """What the log knows of a receipt."""
    return f"{RECEIPT}{hashlib.sha256(receipt.encode('utf-8', 'surrogatepass')).hexdigest()}"


def _is_accepted(history: list[LabelEvent]) -> bool:
    standing = standing_of(history, "train")
    return standing is not None and standing.taxon is not None


def _last_sent(history: list[LabelEvent]) -> str:
    return max((said.created_at or "" for said in history if said.kind == "suggestion"), default="")
