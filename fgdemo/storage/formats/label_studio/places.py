"""Where the picture is that a task of Label Studio shows: a file beside the tasks, whatever address it has there."""

import base64
import binascii
import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from fgdemo.storage.disk.strict_json import as_object
from fgdemo.values.labelled import PICTURE_ENDINGS, ending_of

_UPLOADED = re.compile(r"[0-9a-f]{8}-(.+)", re.DOTALL)
"""Label Studio puts eight digits before the name of an uploaded file."""
_BUCKETS = ("s3", "s3a", "gs", "azure-blob", "azure", "abfs", "abfss", "wasb", "wasbs", "hdfs", "minio", "r2", "oss")


class Places:
    """Finds the file that a task means. Letters that are written in two forms of Unicode are the same letters.

    Args:
        files: the pictures beside the tasks and in folders below, by their paths from there.
    """

    def __init__(self, files: list[str]) -> None:
        self._paths: dict[str, str] = {}
        self._names: dict[str, set[str]] = defaultdict(set)
        for file in files:
            self._paths.setdefault(_plain(file), file)
            name = _plain(file.rpartition("/")[2])
            for key in {name, _as_uploaded(name)}:
                self._names[key].add(file)
        self._shown_as: dict[str, str] = {}

    def find(self, shown: str) -> tuple[str | None, str]:
        """The file, or None and why. Two addresses are never taken for the same file."""
        if shown[:5].lower() == "data:":
            return None, "is written into the task itself (data:): save it as a file, and name that"
        meant = list(dict.fromkeys(_paths_meant(shown)))
        file, why = self._beside(meant)
        if file is None:
            scheme = shown.partition("://")[0].lower()
            away = f"lies elsewhere ({scheme}), and " if "://" in shown and len(scheme) < 12 else ""
            return None, f"{away}{why}: put the picture beside the tasks"
        address = shown.partition("?X-Amz-")[0].partition("?sig=")[0]
        first = self._shown_as.setdefault(file, address)
        if first != address:
            return None, f"would be the file {file}, which is already {first}: put it beside the tasks in its folder"
        return file, ""

    def _beside(self, meant: list[str]) -> tuple[str | None, str]:
        tails = [path.split("/") for path in meant]
        for length in range(max(map(len, tails), default=0), 0, -1):  # the longest end of a path that is there
            for steps in tails:
                found = self._paths.get("/".join(steps[-length:])) if length <= len(steps) else None
                if found is not None:
                    return found, ""
        for steps in tails:
            uploaded = _UPLOADED.fullmatch(steps[-1])
            for name in (steps[-1], uploaded[1] if uploaded else steps[-1]):
                found = self._names.get(name, set())
                if len(found) == 1:
                    return next(iter(found)), ""
                if found:
                    return None, "is the name of several files below the folder of the tasks"
        return None, "is not there"


def _paths_meant(shown: str) -> Iterator[str]:
    """The paths that an address may mean, the likeliest first, in one form of Unicode, without empty steps."""
    for path in _addressed(shown):
        steps = [step for step in _plain(path).replace("\\", "/").split("/") if step not in ("", ".")]
        if steps and ".." not in steps:
            yield "/".join(steps)


def _addressed(shown: str) -> Iterator[str]:
    yield shown
    scheme, there, rest = shown.partition("://")
    if there and scheme.lower() in _BUCKETS:  # a key is written as it is: %, # and ? belong to it
        yield rest
        yield unquote(rest)
    try:
        url = urlsplit(shown)
        query = parse_qs(url.query)
    except ValueError:
        return
    if url.path.rstrip("/").endswith("local-files"):
        yield from (given for value in query.get("d", []) for given in (value, unquote(value)))
        raw = url.query.partition("d=")[2]
        yield from (raw, unquote(raw))  # a + in the name, and an & behind it
        return
    for value in query.get("fileuri", []):  # the address behind a link that Label Studio signs
        try:
            yield from _addressed(base64.urlsafe_b64decode(value + "=" * (-len(value) % 4)).decode())
        except (binascii.Error, ValueError):
            continue
    yield from (unquote(url.path), url.path, unquote(unquote(url.path)))


def picture_of(task_data: object) -> tuple[str | None, str]:
    """What a task shows: its `image`, or else its only value that looks like the file of a picture; or None and why."""
    data = as_object(task_data)
    if data is None:
        return None, "names no picture"
    named = data.get("image")
    if isinstance(named, str) and named:
        return named, ""
    if isinstance(named, list):
        return None, "shows several pictures at once, and a label belongs to one"
    looks = {key: value for key, value in data.items() if isinstance(value, str) and _is_picture(value)}
    if len(set(looks.values())) > 1:
        return (
            None,
            f"shows several pictures ({', '.join(map(str, list(looks)[:5]))}): call the one that is meant image",
        )
    first = next(iter(looks.values()), None)
    return first, "" if first else "names no picture"


def _is_picture(text: str) -> bool:
    return any(ending_of(path) in PICTURE_ENDINGS for path in _addressed(text))


def pictures_below(folder: Path) -> list[str]:
    """Names of all pictures below a folder; hidden folders and links to folders are not entered."""
    names: list[str] = []
    for root, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        inner = Path(root).relative_to(folder).as_posix()
        prefix = "" if inner == "." else f"{inner}/"
        names += [prefix + name for name in files if ending_of(name) in PICTURE_ENDINGS]
    return sorted(names)


def _plain(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _as_uploaded(name: str) -> str:
    """What Label Studio makes of the name of a file that is uploaded."""
    return re.sub(r"[^-\w.]", "", name.strip().replace(" ", "_"))
