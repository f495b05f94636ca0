"""Settings: built once from the environment, then passed along."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from annotated_types import Ge
from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, ValidationError
from pydantic_settings import BaseSettings, EnvSettingsSource, NoDecode, SettingsConfigDict

from fgdemo.values.errors import SettingsError

REPOSITORY = Path(__file__).resolve().parent.parent
_OAUTH = ("OAUTH_CLIENT_ID", "OAUTH_CLIENT_SECRET", "OAUTH_SCOPES", "OPENID_PROVIDER_URL", "SPACE_ID")
"""What Spaces set where the front matter says `hf_oauth: true`. An empty secret would let anybody sign sessions."""
_ON_SPACE = {"FGDEMO_PROXIES": "1", "FGDEMO_FRAME_ANCESTORS": "https://huggingface.co"}
"""Hugging Face has one proxy, and its own website around the page."""


def _fault(text: str) -> ValueError:
    """Printable, whatever bytes an environment holds."""
    return ValueError(text.encode("utf-8", "backslashreplace").decode())


def _digits(value: object) -> object:
    if isinstance(value, str) and not value.isdecimal():
        raise ValueError("no whole number")
    return value


def _expanded(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError:
        raise _fault(f"is “{path}”; there is no such user, so write the whole path.") from None


def _hub_names(value: object) -> object:
    names = [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value
    for one in names if isinstance(names, list) else ():
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", one):
            raise _fault(f"names “{one}”; users and organisations of the Hub are meant, comma between.")
    return names


def _root_path(text: str) -> str:
    """A path begins with a slash and ends with none, however it was written."""
    address, path = re.match(r"(https?://[\w.:\[\]-]+(?=/|$))?(.*)", text, re.ASCII | re.DOTALL).groups()  # type: ignore[union-attr]
    parts = [part for part in path.split("/") if part]
    if any(not re.fullmatch(r"[\w.~-]+", part, re.ASCII) or set(part) == {"."} for part in parts):
        raise _fault(f"is “{text}”; it must be a path as /tools/fgdemo, or https://example.org/tools.")
    return (address or "") + "".join(f"/{part}" for part in parts)


def _origins(text: str) -> str:
    for origin in text.split():
        if not re.fullmatch(r"https?://(\*\.)?[\w.-]+(:\d+)?", origin):
            raise _fault(f"names “{origin}”; websites are written as https://example.org.")
    return " ".join(text.split())


_YES = ("1", "t", "true")
LogStyle = Literal["plain", "json"]
Positive = Annotated[int, Ge(1), BeforeValidator(_digits)]
NotNegative = Annotated[int, Ge(0), BeforeValidator(_digits)]
HubNames = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_hub_names)]
Stripped = Annotated[str, StringConstraints(strip_whitespace=True)]


class Settings(BaseSettings):
    """How this installation runs. Each field is one environment variable: FGDEMO_ and its name, or its alias.

    `description` is the sentence of the documentation's table, `json_schema_extra` the default in its words. A field
    without a description is for no person to set.
    """

    model_config = SettingsConfigDict(
        frozen=True,
        case_sensitive=True,
        env_ignore_empty=True,
        alias_generator=lambda name: f"FGDEMO_{name.upper()}",
        populate_by_name=True,
    )

    home: Annotated[Path, AfterValidator(lambda path: _expanded(path).resolve())] = Field(
        default=Path("~/.fgdemo"),
        description="the workspace: database, pictures, thumbnails; never inside a folder that is served",
    )
    checkpoint: Annotated[Path, AfterValidator(_expanded)] = Field(
        default=REPOSITORY / "checkpoints" / "field-guide",
        description="the checkpoint folder that is served",
        json_schema_extra={"default": "`checkpoints/field-guide`"},
    )
    database_url: str = Field(
        default_factory=lambda given: f"sqlite:///{given['home'] / 'fgdemo.sqlite'}",
        validation_alias="DATABASE_URL",
        description='SQLAlchemy URL; `postgresql+psycopg://…` for a team (`pip install "psycopg[binary]"`)',
        json_schema_extra={"default": "SQLite in the workspace"},
    )
    device: str = Field(
        default="auto", description="`auto`, `cpu`, `cuda` or `cuda:1`; `zerogpu`, which `auto` means on such a Space"
    )
    max_upload_mb: Positive = Field(default=25, description="largest upload, in megabytes")
    max_picture_mp: Positive = Field(default=60, description="largest picture that is decoded, in megapixels")
    maintainers: HubNames = Field(
        default=(),
        description="users and organisations of Hugging Face, comma between, that are maintainers when they sign in "
        "with it",
        json_schema_extra={"default": "nobody"},
    )
    experts: HubNames = Field(
        default=(),
        description="… that are experts; everybody else is a visitor",
        json_schema_extra={"default": "nobody"},
    )
    jobs: Stripped = Field(
        default="",
        description="on a Space, the machine on which Hugging Face Jobs train, e.g. `t4-small`",
        json_schema_extra={"default": "this machine trains"},
    )
    log: LogStyle = Field(
        default="plain",
        description="`plain`: lines for a person, requests only where they failed; `json`: one object a line, each "
        "request with its id, person, route, status and milliseconds",
    )
    mirror: Stripped = Field(
        default="",
        description="where everything is backed up to: a folder, an fsspec URL (`s3://…`), or "
        "`hf://datasets/OWNER/NAME`",
        json_schema_extra={"default": "none"},
    )
    asks_per_minute: Positive = Field(
        default=120, description="how many pictures one visitor may ask about in a minute; experts ten times as many"
    )
    most_waiting: Positive = Field(
        default=64,
        description="how many pictures wait for the model at once, and a quarter more of visitors with few; whoever "
        "comes then is asked to come back",
    )
    keep_suggestions_days: Positive = Field(
        default=90, description="after so many days a visitor's picture that no expert has accepted is removed"
    )
    visitor_pictures_mb: NotNegative = Field(
        default=2000,
        description="how many megabytes the pictures that visitors left may take, all together, until experts accept "
        "them",
    )
    disk_reserve_mb: NotNegative = Field(
        default=1000,
        description="how many megabytes of the disk stay free of pictures, uploads and imports, so that labels go on "
        "being stored",
    )
    root_path: Annotated[Stripped, AfterValidator(_root_path)] = Field(
        default="",
        validation_alias="GRADIO_ROOT_PATH",
        description="the path below which a proxy serves all of this (`/tools/fgdemo`), whether it strips it or keeps "
        "it; or the whole address. The proxy leads from there to the same with a slash at its end",
        json_schema_extra={"default": "none"},
    )
    proxies: NotNegative = Field(
        default=0,
        description="how many proxies stand before the server: so many entries of `X-Forwarded-For` are believed",
        json_schema_extra={"default": "`0`; on a Space `1`"},
    )
    connections_per_address: Positive = Field(
        default=200,
        description="how many connections one address may have open; behind proxies, how many requests; so many of "
        "Gradio's sessions it may use within two minutes",
    )
    frame_ancestors: Annotated[str, AfterValidator(_origins)] = Field(
        default="",
        description="websites that may show the page in a frame",
        json_schema_extra={"default": f"none; on a Space `{_ON_SPACE['FGDEMO_FRAME_ANCESTORS']}`"},
    )
    space: str = Field(default="", validation_alias="SPACE_ID")
    """OWNER/NAME of the Space that this is; empty elsewhere."""
    hub_sign_in: bool = Field(default=False, validation_alias="hub_sign_in")
    """Whether people can sign in with Hugging Face: on a Space with `hf_oauth: true`."""

    @classmethod
    def settings_customise_sources(cls, *_: Any, init_settings: Any, **__: Any) -> tuple[Any, ...]:
        """What is built by hand takes nothing from the environment; `from_env` does."""
        return (init_settings,)

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> Settings:
        """Read the variables; an empty one is the same as none.

        Raises:
            SettingsError: a value that cannot be used, by its variable's name.
        """
        given = {name: value for name, value in env.items() if value}
        if "SPACE_ID" in given:
            given = _ON_SPACE | given
        if given.get("FGDEMO_DEVICE", "auto") == "auto" and given.get("SPACES_ZERO_GPU", "").lower() in _YES:
            given["FGDEMO_DEVICE"] = "zerogpu"
        found: dict[str, Any] = _Variables(cls, given)()
        found["hub_sign_in"] = given.get("SYSTEM") == "spaces" and all(name in given for name in _OAUTH)
        try:
            return cls(**found)
        except ValidationError as error:
            raise SettingsError(cls._what_is_wrong(error)) from None

    @classmethod
    def _what_is_wrong(cls, error: ValidationError) -> str:
        """One sentence about the first fault."""
        fault = error.errors(include_url=False)[0]
        variable = str(fault["loc"][0])
        (field,) = [one for one in cls.model_fields.values() if one.validation_alias == variable]
        least = [limit.ge for limit in field.metadata if isinstance(limit, Ge)]
        if least:
            return f"{variable} is “{fault['input']}”; it must be a whole number of at least {least[0]}."
        if fault["type"] == "literal_error":
            return f"{variable} is “{fault['input']}”; it must be {' or '.join(get_args(field.annotation))}."
        return f"{variable} {fault.get('ctx', {}).get('error', 'holds bytes that are no text; write it anew.')}"

    @classmethod
    def rows(cls) -> Iterator[tuple[str, str, str]]:
        """(variable, default, sentence) of each setting, in Markdown, for the table in the documentation."""
        for field in cls.model_fields.values():
            if field.description:
                shown = field.json_schema_extra
                default = str(shown["default"]) if isinstance(shown, dict) else f"`{field.default}`"
                yield str(field.validation_alias), default, field.description

    @property
    def disk_reserve_bytes(self) -> int:
        return self.disk_reserve_mb * 1_000_000

    def variables(self, env: Mapping[str, str] = os.environ) -> dict[str, str]:
        """The environment in which another process has these settings, wherever it runs."""
        whole = {"checkpoint": self.checkpoint.absolute(), "database_url": _from_anywhere(self.database_url)}
        given = {
            str(field.validation_alias): whole.get(name, getattr(self, name))
            for name, field in type(self).model_fields.items()
            if field.description
        }
        return {**env, **{name: ",".join(v) if isinstance(v, tuple) else str(v) for name, v in given.items()}}


class _Variables(EnvSettingsSource):
    """The variables of this environment, which need not be that of the process."""

    def __init__(self, settings: type[BaseSettings], env: Mapping[str, str]) -> None:
        self._env = env
        super().__init__(settings)

    def _load_env_vars(self) -> Mapping[str, str]:
        return self._env


_NEEDED_TO_START = re.compile(
    "PATH|LD_LIBRARY_PATH|DYLD_LIBRARY_PATH|PYTHONPATH|PYTHONHOME|SYSTEMROOT|TEMP|TMP|TMPDIR|LANG"
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
    kept = {name: value for name, value in env.items() if _NEEDED_TO_START.fullmatch(name)}
    return {**kept, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def own_process(settings: Settings) -> None:
    """Set what has to stand in the environment before Gradio and its server start, in a process that only serves.

    Uploads lie in the workspace, where nobody else's are and they can be cleared; and without a proxy before us nobody
    is believed to be one.
    """
    os.environ["GRADIO_TEMP_DIR"] = str(settings.home / "uploads")
    if not settings.proxies:
        os.environ["FORWARDED_ALLOW_IPS"] = ""
