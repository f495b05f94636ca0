"""What the live model has seen in the pictures, in a mirror: so a restored workspace need not be looked at anew.

That costs 40 ms a picture, and a twentieth of the picture's size in the mirror. A file holds the looks of many
pictures, and is named by its sha256; few new ones are not worth a file, and are looked at again.
"""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from fgdemo.storage.embeddings.embeddings import Embeddings, Looks, LooksShape
from fgdemo.storage.mirror.protocol import Destination, GoneError, Sending
from fgdemo.storage.mirror.segments import Damage

LEAST, MOST = 256, 2048
"""So many pictures does one file hold."""
READERS = 4


def looks_folder(model_version: str) -> str:
    """Where a mirror keeps what a model has seen."""
    return f"looks/{quote(model_version, safe='')}"


def looks_to_send(embeddings: Embeddings, sent: int) -> tuple[Sending, int] | None:
    """The next file, and how many rows are sent with it; None while there are too few.

    Args:
        sent: how many rows were sent before.
    """
    count = min(len(embeddings.rows), sent + MOST)
    if count - sent < LEAST:
        return None
    stored = embeddings.stored(sent, count)
    kept = stored[0].any(1)  # those of pictures that were removed are zero
    ids, vectors, part_vectors, part_maps = (one[kept] for one in stored)
    content = save({"ids": ids, "embeddings": vectors, "part_vectors": part_vectors, "part_maps": part_maps})
    name = f"{looks_folder(embeddings.model_version)}/{hashlib.sha256(content).hexdigest()}"
    return Sending(name, content, is_named_by_hash=True), count


def restore_looks(destination: Destination, embeddings: Embeddings, damage: Damage) -> int:
    """Take over what a mirror holds for this model; gives for how many pictures. What does not fit is left out.

    Raises:
        UnavailableError: the mirror cannot be reached.
        StorageError: the embeddings cannot be written.
    """
    names = sorted(destination.names(looks_folder(embeddings.model_version)))
    before = len(embeddings.rows)

    def read(name: str) -> tuple[list[str], Looks] | None:
        try:
            return _looks(name, destination.read(name), embeddings.shape)
        except (GoneError, SafetensorError, ValueError, KeyError, TypeError):
            return None

    with ThreadPoolExecutor(READERS) as pool:
        for name, found in zip(names, pool.map(read, names), strict=True):
            if found is None:
                damage.name(name[:200], "holds no looks of this model")
            else:
                embeddings.append(*found)
    return len(embeddings.rows) - before


def _looks(name: str, content: bytes, shape: LooksShape) -> tuple[list[str], Looks]:
    """Raises ValueError, KeyError or SafetensorError where the file is not what its name says, or of another model."""
    if name.rpartition("/")[2] != hashlib.sha256(content).hexdigest():
        raise ValueError("another hash")
    arrays = load(content)
    ids, n = arrays["ids"], len(arrays["ids"])
    wanted = {
        "ids": ((n, 32), np.uint8),
        "embeddings": ((n, shape.dim), np.float16),
        "part_vectors": ((n, shape.parts, shape.part_dim), np.float16),
        "part_maps": ((n, *shape.grid, shape.parts), np.uint8),
    }
    if any((arrays[key].shape, arrays[key].dtype) != (size, np.dtype(kind)) for key, (size, kind) in wanted.items()):
        raise ValueError("other sizes")
    vectors, parts = arrays["embeddings"].astype(np.float32), arrays["part_vectors"].astype(np.float32)
    if not (np.isfinite(vectors).all() and np.isfinite(parts).all()):
        raise ValueError("not finite")
    looks = Looks(vectors, parts, arrays["part_maps"].astype(np.float32) / 255)
    return [bytes(row).hex() for row in ids], looks
