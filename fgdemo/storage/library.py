"""The labelled pictures of a workspace, and which of them look most like a given one."""

from __future__ import annotations

import io
import threading
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

import numpy as np
from sqlalchemy.engine import Engine

from fgdemo.errors import StorageError
from fgdemo.storage.database import utc_now
from fgdemo.storage.events import EventLog, LabelEvent, NewPicture
from fgdemo.storage.images import decode_reduced
from fgdemo.storage.originals import THUMBNAIL_PX, ImageStore, image_id_of, write_durably


@dataclass(frozen=True)
class Similar:
    """A labelled picture and how much it looks like the one asked about."""

    image_id: str
    similarity: float
    """Cosine in [-1, 1], 1 is the same."""
    checked: bool
    """True if an expert gave or confirmed the label, False if the picture came with it."""


@dataclass(frozen=True)
class _Embeddings:
    """What one embedding file holds: `vectors` is (n, D) float16 of unit length, `rows` the row of each image id."""

    stamp: tuple[int, int]
    rows: dict[str, int]
    vectors: np.ndarray


class Library:
    """Labelled pictures with one embedding each per model version.

    The embeddings of a model version are one file, read once and again only when it was replaced; they can always be
    computed again, so losing the file loses nothing but time.

    Args:
        engine: the open database.
        images: where the originals are.
        folder: where the embedding files are.
    """

    def __init__(
        self, engine: Engine, images: ImageStore, folder: Path, clock: Callable[[], datetime] = utc_now
    ) -> None:
        self.images = images
        self._events = EventLog(engine, clock)
        self._folder = folder
        self._lock = threading.Lock()
        self._loaded: dict[str, _Embeddings] = {}

    def add(self, data: bytes, *, taxon: str, split: str | None, source: str, name: str) -> str:
        """Take in a picture with the label it came with; adding the same once more changes nothing. Gives its id.

        Raises:
            PictureError: not a usable picture.
            StorageError: the taxon is unknown to the database (`register_taxa`), or nothing can be written.
        """
        _, (width, height) = decode_reduced(data, THUMBNAIL_PX, name=name)
        image_id = image_id_of(data)
        said = [known for known in self._events.history(image_id) if known.kind != "suggestion"]
        if not said or (said[-1].kind == "import" and said[-1].taxon != taxon):
            self._events.append_with_picture(
                LabelEvent(image=image_id, kind="import", annotator=source, taxon=taxon),
                NewPicture(data, width, height, source, split, name),
                self.images,
            )
        return image_id

    def without_embedding(self, model_version: str) -> tuple[str, ...]:
        """Ids of the labelled pictures that `nearest` cannot find yet with this model."""
        known = self._embeddings(model_version)
        return tuple(image for image in self._events.labels() if known is None or image not in known.rows)

    def add_embeddings(self, model_version: str, image_ids: Sequence[str], embeddings: np.ndarray) -> None:
        """Keep the embeddings, (n, D) of unit length, of these pictures beside those already kept for this model.

        Raises:
            StorageError: the file cannot be written; the old one still stands.
        """
        with self._lock:
            known = self._embeddings(model_version)
            merged = {image: known.vectors[row] for image, row in known.rows.items()} if known else {}
            merged.update(zip(image_ids, embeddings.astype(np.float16), strict=True))
            file = io.BytesIO()
            np.savez(file, ids=np.array(list(merged), dtype="S64"), vectors=np.stack(list(merged.values())))
            write_durably(self._path(model_version), file.getvalue())

    def nearest(self, embedding: np.ndarray, taxon: str, model_version: str, limit: int = 4) -> tuple[Similar, ...]:
        """The pictures labelled as this taxon whose embeddings are nearest to `embedding` (D,), nearest first."""
        labels = self._events.labels(taxon)
        known = self._embeddings(model_version)
        found = [image for image in labels if known is not None and image in known.rows]
        if known is None or not found:
            return ()
        vectors = known.vectors[[known.rows[image] for image in found]].astype(np.float32)
        similarities = np.clip(vectors @ (embedding / np.linalg.norm(embedding)), -1.0, 1.0)
        return tuple(
            Similar(found[i], float(similarities[i]), labels[found[i]].kind != "import")
            for i in np.argsort(-similarities, kind="stable")[:limit]
        )

    def _path(self, model_version: str) -> Path:
        return self._folder / f"{quote(model_version, safe='')}.npz"

    def _embeddings(self, model_version: str) -> _Embeddings | None:
        """The embedding file, read again only if it has changed; None if there is none."""
        path = self._path(model_version)
        try:
            found = path.stat()
            stamp = (found.st_mtime_ns, found.st_ino)
            loaded = self._loaded.get(model_version)
            if loaded is None or loaded.stamp != stamp:
                with np.load(path, allow_pickle=False) as file:
                    ids, vectors = file["ids"].tolist(), file["vectors"]
                loaded = _Embeddings(stamp, {image.decode("ascii"): row for row, image in enumerate(ids)}, vectors)
                self._loaded = {model_version: loaded}  # One model is served at a time; the former's may go.
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise StorageError(
                f"The embeddings of model {model_version} in the workspace are damaged: delete that file, "
                "and they are computed again."
            ) from error
        return loaded
