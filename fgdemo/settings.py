"""Settings: built once from the environment, then passed along."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from fgdemo.values.errors import SettingsError

LogStyle = Literal["plain", "json"]

REPOSITORY = Path(__file__).resolve().parent.parent
_OAUTH = ("OAUTH_CLIENT_ID", "OAUTH_CLIENT_SECRET", "OAUTH_SCOPES", "OPENID_PROVIDER_URL", "SPACE_ID")
"""What Spaces set where the front matter says `hf_oauth: true`. An empty secret would let anybody sign sessions."""


@dataclass(frozen=True)
class Settings:
    """How this installation runs. Each field is one environment variable, named in `from_env`."""

    home: Path
    """The workspace: database, pictures, thumbnails. Never inside a folder that is served."""
    checkpoint: Path
    """The checkpoint folder that is served."""
    database_url: str
    """SQLAlchemy URL; SQLite in the workspace by default."""
    device: str
    """`auto`, `cpu`, `cuda` or `cuda:1`; `zerogpu` on a Space that lends a GPU for the length of one function call."""
    max_upload_mb: int
    max_picture_mp: int
    """Largest picture that is decoded, in megapixels."""
    maintainers: tuple[str, ...] = ()
    """Users and organisations of the Hugging Face Hub that are maintainers here when they sign in with it."""
    experts: tuple[str, ...] = ()
    """Those that are experts."""
    jobs: str = ""
    """The kind of machine on which Hugging Face Jobs train, e.g. `t4-small`; empty: this one trains."""
    space: str = ""
    """OWNER/NAME of the Space that this is; empty elsewhere."""
    hub_sign_in: bool = False
    """Whether people can sign in with Hugging Face: on a Space with `hf_oauth: true`."""
    log: LogStyle = "plain"
    """plain: lines for a person, requests only where they went wrong; json: one object a line, each request."""
    mirror: str = ""
    """Where everything is backed up to: a folder, an fsspec URL, `hf://datasets/OWNER/NAME`; empty for nowhere."""
    asks_per_minute: int = 120
    """So many pictures may one visitor ask about in a minute; experts ten times as many."""
    most_waiting: int = 64
    """So many pictures wait for the model at once; whoever comes then is asked to come back."""
    keep_suggestions_days: int = 90
    """After so many days the picture of a suggestion that no expert has accepted is removed."""
    visitor_pictures_mb: int = 2000
    """So much may the pictures that visitors left take, all together."""
    disk_reserve_mb: int = 1000
    """So much of the disk stays free of pictures, uploads and imports: labels go on being stored."""
    proxies: int = 0
    """How many proxies stand before this server: so many entries of X-Forwarded-For are believed."""
    root_path: str = ""
    """Below which path all of this is served, e.g. `/tools/fgdemo`, or the whole address with it; empty for none."""
    frame_ancestors: str = ""
    """Websites, separated by spaces, that may show this page in a frame."""
    connections_per_address: int = 200
    """So many connections, or behind proxies requests, may one address have open at once."""

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> Settings:
        """Read the variables that the README lists.

        Raises:
            SettingsError: a value that cannot be used, by its variable's name.
        """
        device = env.get("FGDEMO_DEVICE") or "auto"
        if device == "auto" and (env.get("SPACES_ZERO_GPU") or "").lower() in ("1", "t", "true"):
            device = "zerogpu"
        on_space = "SPACE_ID" in env  # Hugging Face sets it: one proxy, and their own website around the page
        home = Path(env.get("FGDEMO_HOME") or Path.home() / ".fgdemo").expanduser().resolve()
        return cls(
            home=home,
            checkpoint=Path(env.get("FGDEMO_CHECKPOINT") or REPOSITORY / "checkpoints" / "field-guide").expanduser(),
            database_url=env.get("DATABASE_URL") or f"sqlite:///{home / 'fgdemo.sqlite'}",
            device=device,
            max_upload_mb=_whole(env, "FGDEMO_MAX_UPLOAD_MB", 25),
            max_picture_mp=_whole(env, "FGDEMO_MAX_PICTURE_MP", 60),
            maintainers=_names(env, "FGDEMO_MAINTAINERS"),
            experts=_names(env, "FGDEMO_EXPERTS"),
            jobs=(env.get("FGDEMO_JOBS") or "").strip(),
            space=env.get("SPACE_ID") or "",
            hub_sign_in=env.get("SYSTEM") == "spaces" and all(env.get(name) for name in _OAUTH),
            log=_log_style(env),
            mirror=(env.get("FGDEMO_MIRROR") or "").strip(),
            asks_per_minute=_whole(env, "FGDEMO_ASKS_PER_MINUTE", 120),
            most_waiting=_whole(env, "FGDEMO_MOST_WAITING", 64),
            keep_suggestions_days=_whole(env, "FGDEMO_KEEP_SUGGESTIONS_DAYS", 90),
            visitor_pictures_mb=_whole(env, "FGDEMO_VISITOR_PICTURES_MB", 2000, least=0),
            disk_reserve_mb=_whole(env, "FGDEMO_DISK_RESERVE_MB", 1000, least=0),
            proxies=_whole(env, "FGDEMO_PROXIES", int(on_space), least=0),
            root_path=_root_path(env, "GRADIO_ROOT_PATH"),
            frame_ancestors=_origins(env, "FGDEMO_FRAME_ANCESTORS", "https://huggingface.co" if on_space else ""),
            connections_per_address=_whole(env, "FGDEMO_CONNECTIONS_PER_ADDRESS", 200),
        )

    @property
    def disk_reserve_bytes(self) -> int:
        return self.disk_reserve_mb * 1_000_000

    def variables(self, env: Mapping[str, str] = os.environ) -> dict[str, str]:
        """The environment in which another process has these settings, wherever it runs."""
        return {
            **env,
            "FGDEMO_HOME": str(self.home),
            "FGDEMO_CHECKPOINT": str(self.checkpoint.absolute()),
            "DATABASE_URL": _from_anywhere(self.database_url),
            "FGDEMO_DEVICE": self.device,
            "FGDEMO_MAX_UPLOAD_MB": str(self.max_upload_mb),
            "FGDEMO_MAX_PICTURE_MP": str(self.max_picture_mp),
            "FGDEMO_MAINTAINERS": ",".join(self.maintainers),
            "FGDEMO_EXPERTS": ",".join(self.experts),
            "FGDEMO_LOG": self.log,
            "FGDEMO_JOBS": self.jobs,
            "FGDEMO_MIRROR": self.mirror,
            "FGDEMO_ASKS_PER_MINUTE": str(self.asks_per_minute),
            "FGDEMO_MOST_WAITING": str(self.most_waiting),
            "FGDEMO_KEEP_SUGGESTIONS_DAYS": str(self.keep_suggestions_days),
            "FGDEMO_VISITOR_PICTURES_MB": str(self.visitor_pictures_mb),
            "FGDEMO_DISK_RESERVE_MB": str(self.disk_reserve_mb),
            "FGDEMO_PROXIES": str(self.proxies),
            "FGDEMO_FRAME_ANCESTORS": self.frame_ancestors,
            "GRADIO_ROOT_PATH": self.root_path,
            "FGDEMO_CONNECTIONS_PER_ADDRESS": str(self.connections_per_address),
        }


def _names(env: Mapping[str, str], name: str) -> tuple[str, ...]:
    names = tuple(part.strip() for part in (env.get(name) or "").split(",") if part.strip())
    for one in names:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", one):
            raise SettingsError(f"{name} names “{one}”; users and organisations of the Hub are meant, comma between.")
    return names


_NEEDED_TO_START = (
    "PATH",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "PYTHONPATH",
    "PYTHONHOME",
    "SYSTEMROOT",
    "TEMP",
    "TMP",
    "TMPDIR",
    "LANG",
)


_TRAINING_NAMES = re.compile(
    r"(PATH|HOME|USER|LOGNAME|LANG|LC_\w+|TZ|TMPDIR|TEMP|TMP|SYSTEMROOT|USERPROFILE|APPDATA|LOCALAPPDATA|COMSPEC|PATHEXT"
    r"|LD_LIBRARY_PATH|DYLD_LIBRARY_PATH|PYTHONPATH|PYTHONHASHSEED|PYTHONUTF8|VIRTUAL_ENV|CONDA_PREFIX|XDG_CACHE_HOME"
    r"|SSL_CERT_FILE|SSL_CERT_DIR|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|HTTPS?_PROXY|NO_PROXY|https?_proxy|no_proxy"
    r"|(CUDA|NVIDIA|NCCL|OMP|MKL|OPENBLAS|KMP|PYTORCH|TORCH|TORCHINDUCTOR|ROCR|HIP|HSA)_\w+"
    r"|HF_(HOME|HUB_CACHE|ENDPOINT|HUB_OFFLINE|HUB_DOWNLOAD_TIMEOUT)|HUGGINGFACE_HUB_CACHE|SPACE_ID)"
)
"""What the process of a training needs of this one: where things are, and how the machine is used."""
_NOT_FOR_TRAINING = ("FGDEMO_MIRROR", "FGDEMO_MAINTAINERS", "FGDEMO_EXPERTS")


def training_variables(settings: Settings, env: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment of a training: by a list, so that no secret of this process gets there."""
    given = settings.variables({name: value for name, value in env.items() if _TRAINING_NAMES.fullmatch(name)})
    return {name: value for name, value in given.items() if name not in _NOT_FOR_TRAINING}


def _from_anywhere(database_url: str) -> str:
    """The URL with the whole path of an SQLite file."""
    scheme, slashes, path = database_url.partition(":///")
    if not scheme.startswith("sqlite") or not path or path.startswith(":memory:"):
        return database_url
    return f"{scheme}{slashes}{Path(path).absolute()}"


def bare_variables(env: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment of a process that handles what strangers send: no secrets, one thread."""
    kept = {name: env[name] for name in _NEEDED_TO_START if name in env}
    return {**kept, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def own_process(settings: Settings) -> None:
    """Set what has to stand in the environment before Gradio and its server start, in a process that only serves.

    Uploads lie in the workspace, where nobody else's are and they can be cleared; and without a proxy before us nobody
    is believed to be one.
    """
    os.environ["GRADIO_TEMP_DIR"] = str(settings.home / "uploads")
    if not settings.proxies:
        os.environ["FORWARDED_ALLOW_IPS"] = ""


def _whole(env: Mapping[str, str], name: str, default: int, least: int = 1) -> int:
    text = env.get(name) or str(default)
    if not text.isdecimal() or int(text) < least:
        raise SettingsError(f"{name} is “{text}”; it must be a whole number of at least {least}.")
    return int(text)


def _log_style(env: Mapping[str, str]) -> LogStyle:
    style = env.get("FGDEMO_LOG") or "plain"
    if style not in get_args(LogStyle):
        raise SettingsError(f"FGDEMO_LOG is “{style}”; it must be {' or '.join(get_args(LogStyle))}.")
    return style  # type: ignore[return-value]


def _root_path(env: Mapping[str, str], name: str) -> str:
    """A path begins with a slash and ends with none, however it was written."""
    text = (env.get(name) or "").strip()
    address, path = re.match(r"(https?://[\w.:\[\]-]+(?=/|$))?(.*)", text, re.ASCII | re.DOTALL).groups()  # type: ignore[union-attr]
    parts = [part for part in path.split("/") if part]
    if any(not re.fullmatch(r"[\w.~-]+", part, re.ASCII) or set(part) == {"."} for part in parts):
        raise SettingsError(f"{name} is “{text}”; it must be a path as /tools/fgdemo, or https://example.org/tools.")
    return (address or "") + "".join(f"/{part}" for part in parts)


def _origins(env: Mapping[str, str], name: str, default: str) -> str:
    origins = (env.get(name) or default).split()
    for origin in origins:
        if not re.fullmatch(r"https?://(\*\.)?[\w.-]+(:\d+)?", origin):
            raise SettingsError(f"{name} names “{origin}”; websites are written as https://example.org.")
    return " ".join(origins)
