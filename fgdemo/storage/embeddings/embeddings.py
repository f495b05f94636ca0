"""What the model saw in every picture of the workspace: append-only record files, one pair a model version.

They can always be computed again, so losing them loses nothing but time. A record that a crash left half-written is
overlooked by readers and cut off by the next writer.
"""

import json
import mmap
import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import numpy as np
from filelock import FileLock, Timeout

from fgdemo.storage.disk.durable import disk_complaint, write_whole
from fgdemo.storage.disk.strict_json import read_object
from fgdemo.storage.pictures.image_ids import ID_BYTES, ImageIds
from fgdemo.values.batches import batches
from fgdemo.values.errors import StorageError

LOCK_TIMEOUT_S = 60
FORGET_FROM = 256
"""So many embeddings at once are a scan of the file, of which nothing need stay in our memory."""
IDS_AT_ONCE = 65_536


@dataclass(frozen=True)
class Looks:
    """What one pass of the model keeps of n pictures.

    Attributes:
        embeddings: (n, D) pooled tokens as they are, not of unit length.
        part_vectors: (n, K, e) what each part looks like; zero for parts that the picture's group has not.
        part_maps: (n, h, w, K) share of each place that belongs to each part, in [0, 1].
    """

    embeddings: np.ndarray
    part_vectors: np.ndarray
    part_maps: np.ndarray


@dataclass(frozen=True)
class LooksShape:
    """The sizes of `Looks` of one model: D, (h, w), K and e."""

    dim: int
    grid: tuple[int, int]
    parts: int
    part_dim: int


class Embeddings:
    """The looks of one model version, by picture. Rows are in the order in which they were added; safe for threads
    and, through a lock file, for several processes.

    Args:
        folder: where the files are.
    """

    def __init__(self, folder: Path, model_version: str, shape: LooksShape) -> None:
        self.shape, self.model_version = shape, model_version
        name = quote(model_version, safe="")
        self._folder = folder
        self._vectors = folder / f"{name}.vectors"
        self._places = folder / f"{name}.places"
        self._lock_file = folder / f"{name}.lock"
        self._shape_file = folder / f"{name}.shape"
        self._vector_type = np.dtype([("id", "V32"), ("embedding", "<f2", (shape.dim,))])
        self._place_type = np.dtype(
            [("vectors", "<f2", (shape.parts, shape.part_dim)), ("maps", "u1", (*shape.grid, shape.parts))]
        )
        self._lock = threading.Lock()
        self._ids = ImageIds()
        self._vector_map: Any = np.empty(0, self._vector_type)
        self._place_map: Any = np.empty(0, self._place_type)

    @property
    def rows(self) -> Mapping[str, int]:
        """The row of each picture id; read anew where another process has added some."""
        count = self._count()
        if count != len(self._vector_map):
            with self._lock:
                self._read(count)
        return self._ids.row_of

    def rows_of(self, raw: np.ndarray) -> np.ndarray:
        """(n,) int64 rows of (n, 32) `packed` ids, −1 where the model has not looked at a picture."""
        _ = self.rows
        return self._ids.find_all(raw)

    def vectors(self, rows: np.ndarray | Sequence[int]) -> np.ndarray:
        """(n, D) float32 embeddings of these rows."""
        vectors = self._vector_map["embedding"][np.asarray(rows, dtype=np.int64)].astype(np.float32)
        if len(vectors) >= FORGET_FROM:
            _forget(self._vector_map)
        return vectors

    def place(self, row: int) -> tuple[np.ndarray, np.ndarray]:
        """(K, e) and (h, w, K) of one picture, see `Looks`."""
        record = self._place_map[row]
        return record["vectors"].astype(np.float32), record["maps"].astype(np.float32) / 255

    def stored(self, start: int, stop: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Rows from `start` to `stop` as they are stored: (n, 32) uint8 packed ids, (n, D) and (n, K, e) float16, and
        (n, h, w, K) uint8 of 255; see `Looks`."""
        vectors, places = self._vector_map[start:stop], self._place_map[start:stop]
        ids = np.ascontiguousarray(vectors["id"]).view(np.uint8).reshape(-1, ID_BYTES)
        fields = (vectors["embedding"], places["vectors"], places["maps"])
        return (ids, *(np.ascontiguousarray(one) for one in fields))  # type: ignore[return-value]

    def missing(self, images: Sequence[str]) -> list[str]:
        """Those of these pictures that the model has not looked at."""
        known = self.rows
        return [image for image in images if image not in known]

    def append(self, images: Sequence[str], looks: Looks) -> None:
        """Keep the looks of these pictures; those that are there already are passed over.

        Raises:
            StorageError: the files cannot be written; what was there still is.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            if not self._shape_file.exists():
                write_whole(self._shape_file, json.dumps(asdict(self.shape)).encode(), durable=False)
            with FileLock(self._lock_file, timeout=LOCK_TIMEOUT_S):
                known = self.rows
                new = [at for at, image in enumerate(images) if image not in known]
                vectors = np.zeros(len(new), self._vector_type)
                vectors["id"] = np.array([bytes.fromhex(images[at]) for at in new], dtype="V32")
                vectors["embedding"] = looks.embeddings[new]
                places = np.zeros(len(new), self._place_type)
                places["vectors"] = looks.part_vectors[new]
                places["maps"] = np.rint(255 * np.clip(looks.part_maps[new], 0, 1))
                count = len(self._vector_map)
                _append(self._places, count, places)  # first, so that no row of vectors is without its place
                _append(self._vectors, count, vectors)
                _ = self.rows
        except Timeout as error:
            raise StorageError("Another program has been writing embeddings for too long: try again.") from error
        except OSError as error:
            raise StorageError(disk_complaint(error)) from error

    def forget(self, images: Sequence[str]) -> None:
        """Write the files without the looks of these pictures. Rows change, so only before others hold any.

        Raises:
            OSError: they cannot be written; what was there still is.
        """
        gone = [row for row in map(self.rows.get, images) if row is not None]
        if not gone:
            return
        with FileLock(self._lock_file, timeout=LOCK_TIMEOUT_S):
            kept = np.setdiff1d(np.arange(len(self._vector_map)), gone)
            for path, records in ((self._vectors, self._vector_map), (self._places, self._place_map)):
                shorter = path.with_suffix(f"{path.suffix}.new")
                with shorter.open("wb") as file:
                    for some in batches(kept, FORGET_FROM):
                        file.write(records[some].tobytes())
                    file.flush()
                    os.fsync(file.fileno())
                shorter.replace(path)
            self._read(self._count())

    def erase(self, images: Sequence[str]) -> int:
        """Write zeros over what was seen in these pictures, and over their ids; gives of how many. Rows stay what they
        are, so others may hold some: they find zeros there.

        Raises:
            StorageError: the files cannot be written.
        """
        rows = [row for row in map(self.rows.get, images) if row is not None]
        if not rows:
            return 0
        try:
            with FileLock(self._lock_file, timeout=LOCK_TIMEOUT_S):
                for path, size in (
                    (self._vectors, self._vector_type.itemsize),
                    (self._places, self._place_type.itemsize),
                ):
                    if size:
                        _blank(path, rows, size)
        except Timeout as error:
            raise StorageError("Another program has been writing embeddings for too long: try again.") from error
        except OSError as error:
            raise StorageError(disk_complaint(error)) from error
        with self._lock:
            ids = ImageIds()
            ids.append(np.ascontiguousarray(self._vector_map["id"]).view(np.uint8).reshape(-1, ID_BYTES))
            self._ids = ids
        return len(rows)

    def _count(self) -> int:
        """Whole records that both files hold."""
        try:
            vectors = self._vectors.stat().st_size // self._vector_type.itemsize
            places = self._places.stat().st_size // max(self._place_type.itemsize, 1)
        except FileNotFoundError:
            return 0
        return min(vectors, places) if self._place_type.itemsize else vectors

    def _read(self, count: int) -> None:
        """Map the files, and learn the ids that are new. Old records never change, so rows stay what they are."""
        if count < len(self._vector_map):  # deleted under us: all of it is to be computed again
            self._ids = ImageIds()
        if count == 0:
            self._vector_map, self._place_map = np.empty(0, self._vector_type), np.empty(0, self._place_type)
            return
        vectors = np.memmap(self._vectors, self._vector_type, "r", shape=(count,))
        places: Any = np.empty(count, self._place_type)
        if self._place_type.itemsize:
            places = np.memmap(self._places, self._place_type, "r", shape=(count,))
        new: list[np.ndarray] = []
        for start in range(len(self._ids), count, IDS_AT_ONCE):
            new.append(np.ascontiguousarray(vectors["id"][start : start + IDS_AT_ONCE]))
            _forget(vectors)
        self._vector_map, self._place_map = vectors, places
        if new:
            self._ids.append(np.concatenate(new).view(np.uint8).reshape(-1, ID_BYTES))


def erase_of_others(folder: Path, live: str, images: Sequence[str]) -> None:
    """Erase what models that are not live have seen in these pictures. Files that no shape describes are removed, as an
    older fgdemo wrote them: what was seen can be seen again.

    Raises:
        StorageError: the files cannot be written.
    """
    for vectors in folder.glob("*.vectors") if images else ():
        version = unquote(vectors.stem)
        if version == live:
            continue
        try:
            told = read_object(vectors.with_suffix(".shape").read_bytes())
            grid = (int(told["grid"][0]), int(told["grid"][1]))
            shape = LooksShape(int(told["dim"]), grid, int(told["parts"]), int(told["part_dim"]))
        except (OSError, ValueError, KeyError, TypeError, IndexError):
            remove_embeddings(folder, version)
            continue
        Embeddings(folder, version, shape).erase(images)


def remove_embeddings(folder: Path, model_version: str) -> None:
    """Forget what a model has seen; nothing happens where that is nothing."""
    for ending in ("vectors", "places", "shape", "lock"):
        (folder / f"{quote(model_version, safe='')}.{ending}").unlink(missing_ok=True)


def _forget(mapped: Any) -> None:
    """Pages of a mapped file that were read stay in the system's cache, but count no longer as ours."""
    if isinstance(mapped, np.memmap) and hasattr(mmap, "MADV_DONTNEED"):
        mapped._mmap.madvise(mmap.MADV_DONTNEED)  # type: ignore[attr-defined]


def _blank(path: Path, rows: Sequence[int], size: int) -> None:
    with path.open("r+b") as file:
        for row in rows:
            file.seek(row * size)
            file.write(bytes(size))
        file.flush()
        os.fsync(file.fileno())


def _append(path: Path, count: int, records: np.ndarray) -> None:
    """Write records after the first `count`; what a crash left behind them is cut off."""
    with path.open("ab") as file:
        file.truncate(count * records.dtype.itemsize)
        file.write(records.tobytes())
        file.flush()
        os.fsync(file.fileno())
