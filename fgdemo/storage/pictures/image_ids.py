"""The ids of very many pictures: 32 bytes each in one array, found by bisection. A million take 60 MB, not 250."""

from collections.abc import Iterator, Mapping, Sequence
from typing import overload

import numpy as np

ID_BYTES = 32
_LEAST_TAIL = 4096
_TAIL_SHARE = 16


def packed(images: Sequence[str]) -> np.ndarray:
    """(n, 32) uint8 of n ids of 64 hexadecimal digits each. Raises ValueError where one is none."""
    return np.frombuffer(bytes.fromhex("".join(images)), np.uint8).reshape(len(images), ID_BYTES)


class ImageIds(Sequence[str]):
    """Ids by row, and rows by id. Grows at the end only.

    Any number of threads may read while one appends: what they read is published in one step.
    """

    def __init__(self) -> None:
        self._raw = np.zeros((1024, ID_BYTES), np.uint8)
        self._count = 0
        # Rows in the order of their first eight bytes, and those that came since that order was made.
        none = np.empty(0, np.uint64), np.empty(0, np.int32)
        self._index: tuple[np.ndarray, np.ndarray, dict[bytes, int]] = (*none, {})
        self.row_of: Mapping[str, int] = _Rows(self)

    def __len__(self) -> int:
        return self._count

    def __contains__(self, image: object) -> bool:
        return isinstance(image, str) and self.find(image) >= 0

    def __iter__(self) -> Iterator[str]:
        for row in range(self._count):
            yield self._raw[row].tobytes().hex()

    @overload
    def __getitem__(self, row: int) -> str: ...
    @overload
    def __getitem__(self, row: slice) -> list[str]: ...
    def __getitem__(self, row: int | slice) -> str | list[str]:
        if isinstance(row, slice):
            return self.at(np.arange(self._count)[row])
        if not -self._count <= row < self._count:
            raise IndexError("there is no such row")
        return self._raw[row % self._count].tobytes().hex()

    def at(self, rows: np.ndarray | Sequence[int]) -> list[str]:
        """The ids of these rows."""
        return [raw.tobytes().hex() for raw in self._raw[np.asarray(rows, np.int64)]]

    def raw(self, rows: np.ndarray) -> np.ndarray:
        """(len(rows), 32) `packed` ids of these rows."""
        return self._raw[rows]

    def words(self, rows: np.ndarray, word: int) -> np.ndarray:
        """(len(rows),) uint64: the `word`-th eight bytes of these ids. As good as drawn at random."""
        return self._raw[rows, 8 * word : 8 * word + 8].copy().view(">u8")[:, 0].astype(np.uint64)

    def find(self, image: str) -> int:
        """The row of an id, −1 where it is not known."""
        try:
            raw = bytes.fromhex(image)
        except ValueError:
            return -1
        keys, rows, tail = self._index
        row = tail.get(raw)
        if row is not None:
            return row
        if len(raw) != ID_BYTES:
            return -1
        key = np.uint64(int.from_bytes(raw[:8], "big"))
        at = int(np.searchsorted(keys, key))
        while at < len(keys) and keys[at] == key:  # ids that begin alike can be made on purpose
            if self._raw[rows[at]].tobytes() == raw:
                return int(rows[at])
            at += 1
        return -1

    def find_all(self, raw: np.ndarray) -> np.ndarray:
        """(n,) int64 rows of (n, 32) `packed` ids, −1 where one is not known."""
        keys, rows, tail = self._index
        found = np.full(len(raw), -1, np.int64)
        if len(keys):
            wanted = np.ascontiguousarray(raw[:, :8]).view(">u8")[:, 0].astype(np.uint64)
            at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
            same = (self._raw[rows[at]] == raw).all(1)
            found[same] = rows[at][same]
            for n in np.flatnonzero(~same & (keys[at] == wanted)):
                found[n] = self.find(raw[n].tobytes().hex())
        if tail:
            for n in np.flatnonzero(found < 0):
                found[n] = tail.get(raw[n].tobytes(), -1)
        return found

    def append(self, raw: np.ndarray) -> None:
        """Add (n, 32) `packed` ids, none of which is there yet or comes twice, as the next n rows."""
        end = self._count + len(raw)
        if end > len(self._raw):
            grown = np.zeros((max(end, 2 * len(self._raw)), ID_BYTES), np.uint8)
            grown[: self._count] = self._raw[: self._count]
            self._raw = grown
        start = self._count
        self._raw[start:end] = raw
        self._count = end
        _, rows, tail = self._index
        if len(tail) + len(raw) <= max(_LEAST_TAIL, len(rows) // _TAIL_SHARE):
            tail.update((one.tobytes(), start + n) for n, one in enumerate(raw))
        else:
            keys = np.ascontiguousarray(self._raw[:end, :8]).view(">u8")[:, 0].astype(np.uint64)
            rows = np.argsort(keys, kind="stable").astype(np.int32)
            self._index = keys[rows], rows, {}


class _Rows(Mapping[str, int]):
    """`ImageIds` the other way round."""

    def __init__(self, ids: ImageIds) -> None:
        self._ids = ids

    def __len__(self) -> int:
        return len(self._ids)

    def __iter__(self) -> Iterator[str]:
        return iter(self._ids)

    def __contains__(self, image: object) -> bool:
        return image in self._ids

    def __getitem__(self, image: str) -> int:
        row = self._ids.find(image)
        if row < 0:
            raise KeyError(image)
        return row
