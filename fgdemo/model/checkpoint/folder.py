"""A model on disk: a folder with `model.safetensors` (numbers) and `card.json` (everything a person may read).

Written beside, fsynced, renamed: a checkpoint folder is either whole or absent. Reading trusts nothing: no pickle
is ever opened, shapes and hash are checked, and each fault is one sentence.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from fgdemo.storage.disk.strict_json import BadJsonError, read_object
from fgdemo.storage.disk.unfinished import held_folder
from fgdemo.values.errors import CheckpointError

FORMAT = 1
WEIGHTS = "model.safetensors"
CARD = "card.json"
REQUIRED = ("format", "backbone", "input", "taxonomy", "parts", "head", "calibration", "unknown", "weights_sha256")
LARGEST_CARD_BYTES = 50_000_000


@dataclass(frozen=True)
class Checkpoint:
    """Arrays by name, and the card: plain JSON values."""

    arrays: Mapping[str, np.ndarray]
    card: Mapping[str, Any]


def write_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    """Replace `folder` by this checkpoint. On any fault the old one stays.

    Raises:
        CheckpointError: no space, no right to write, or `folder` holds something else than a checkpoint.
    """
    folder = folder.absolute()
    require_replaceable(folder)
    payload = save({name: np.ascontiguousarray(array) for name, array in checkpoint.arrays.items()})
    card = {**checkpoint.card, "format": FORMAT, "weights_sha256": hashlib.sha256(payload).hexdigest()}
    try:
        text = json.dumps(card, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    except ValueError as error:
        raise CheckpointError(f"The card of {folder.name} holds a number that is not finite.") from error
    try:
        with held_folder(folder.parent, f".{folder.name}-") as beside:
            beside.chmod(0o755)
            _write(beside / WEIGHTS, payload)
            _write(beside / CARD, text.encode())
            _swap(beside, folder)
    except OSError as error:
        raise CheckpointError(
            f"The checkpoint {folder.name} could not be written ({error.strerror}); what was there is unchanged."
        ) from error


def require_replaceable(folder: Path) -> None:
    """Raise CheckpointError where writing a checkpoint to `folder` would destroy something that is none."""
    try:
        replaceable = not folder.exists() or (folder / CARD).is_file() or not any(folder.iterdir())
    except OSError:
        replaceable = False
    if not replaceable:
        raise CheckpointError(f"{folder.name} is there already and is no checkpoint; name another folder for it.")


def _write(path: Path, payload: bytes) -> None:
    with path.open("wb") as file:
        file.write(payload)
        file.flush()
        os.fsync(file.fileno())


def _swap(beside: Path, folder: Path) -> None:
    """Rename `beside` to `folder`; a folder cannot be replaced in one step, so the old one steps aside first."""
    old = folder.with_name(f".{folder.name}-replaced")
    if old.exists() and not folder.exists():  # a crash between the two renames left only this
        old.replace(folder)
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.replace(old)
    try:
        beside.replace(folder)
    except OSError:
        if old.exists():
            old.replace(folder)
        raise
    descriptor = os.open(folder.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    shutil.rmtree(old, ignore_errors=True)


def read_checkpoint(folder: Path) -> Checkpoint:
    """Read and verify; nothing in the folder can run code.

    Raises:
        CheckpointError: anything missing, truncated, renamed, pickled, or of an unknown version, in one sentence.
    """
    if not folder.is_dir():
        raise CheckpointError(f"There is no checkpoint folder {folder.name}. Make one with `python -m fgdemo fit`.")
    for name in (CARD, WEIGHTS):
        if not (folder / name).is_file():
            others = sorted(p.name for p in folder.iterdir() if p.suffix in {".pth", ".pt", ".bin", ".pkl", ".ckpt"})
            hint = f" It holds {others[0]} instead, which is not opened: pickled files can run code." if others else ""
            raise CheckpointError(f"The checkpoint {folder.name} has no {name}.{hint}")
    card = _read_card(folder)
    payload = _read(folder / WEIGHTS)
    if payload[:2] in (b"PK", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"):
        raise CheckpointError(
            f"{folder.name}/{WEIGHTS} is a pickled file under another name; it was not opened, as it could run code."
        )
    if hashlib.sha256(payload).hexdigest() != card["weights_sha256"]:
        raise CheckpointError(
            f"{folder.name}/{WEIGHTS} is damaged or belongs to another card: its hash is not the one in {CARD}."
        )
    try:
        arrays = load(payload)
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{folder.name}/{WEIGHTS} is not a safetensors file.") from error
    return Checkpoint(arrays, card)


def _read_card(folder: Path) -> dict[str, Any]:
    try:
        card = read_object(_read(folder / CARD), LARGEST_CARD_BYTES)
    except BadJsonError as error:
        raise CheckpointError(f"{folder.name}/{CARD} {error}.") from error
    if card.get("format") != FORMAT:
        told = str(card.get("format"))[:40]
        raise CheckpointError(
            f"{folder.name}/{CARD} has format {told}; this fgdemo reads format {FORMAT}. Update fgdemo."
        )
    missing = [key for key in REQUIRED if key not in card]
    if missing:
        raise CheckpointError(f"{folder.name}/{CARD} lacks {', '.join(missing)}.")
    return card


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path.parent.name}/{path.name} cannot be read ({error.strerror}).") from error
