"""What visitors say without leaving their picture: words only, about an answer and not about any picture."""

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime

import sqlalchemy as sa

from fgdemo.storage.database.database import reading, utc_now, writing
from fgdemo.storage.database.schema import remark_table
from fgdemo.storage.disk.left_out import harmless
from fgdemo.values.errors import StorageError

OTHER_KEY = "This suggestion carries the key of another one: load the page again."
COLUMNS = ("id", "created_at", "answered", "taxon", "new_name", "comment", "model_version")


@dataclass(frozen=True)
class Remark:
    """A visitor's words.

    Attributes:
        answered: id of the leaf that the model had found likeliest, where the page said so.
        taxon: id of the taxon that it is said to be; or None and `new_name`.
    """

    answered: str | None
    taxon: str | None
    new_name: str | None
    comment: str | None
    model_version: str | None


class Remarks:
    """The remarks of one database; they are only ever added."""

    def __init__(self, engine: sa.Engine, clock: Callable[[], datetime] = utc_now) -> None:
        self._engine, self._clock = engine, clock

    def add(self, remark: Remark, key_hash: str | None = None) -> int:
        """Durable when this returns; gives its id, and one that is sent again with its key that of the first.

        Raises:
            StorageError: another remark has this key, or nothing can be written.
        """
        row = {**asdict(remark), "created_at": self._clock().isoformat(), "key_hash": key_hash}
        with writing(self._engine) as connection:
            query = sa.select(remark_table).where(remark_table.c.key_hash == key_hash)
            known = connection.execute(query).mappings().first() if key_hash else None
            if known is not None:
                if any(known[name] != value for name, value in asdict(remark).items()):
                    raise StorageError(OTHER_KEY)
                return known["id"]
            insert = remark_table.insert().values(row).returning(remark_table.c.id)
            return connection.execute(insert).scalar_one()

    def table(self) -> Iterator[bytes]:
        """All of them as CSV lines in UTF-8, oldest first. Raises StorageError."""
        with reading(self._engine) as connection:
            rows = connection.execute(sa.select(remark_table).order_by(remark_table.c.id)).mappings().all()
        yield _line(COLUMNS)
        for row in rows:
            yield _line([harmless(str(row[name] if row[name] is not None else "")) for name in COLUMNS])


def _line(cells: tuple[str, ...] | list[str]) -> bytes:
    file = io.StringIO()
    csv.writer(file).writerow(cells)
    return file.getvalue().encode("utf-8")
