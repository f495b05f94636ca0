"""Settings: built once from the environment, then passed along."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fgdemo.errors import SettingsError

REPOSITORY = Path(__file__).resolve().parent.parent


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
    """`auto`, `cpu`, `cuda` or `cuda:1`."""
    max_upload_mb: int
    max_picture_mp: int
    """Largest picture that is decoded, in megapixels."""
    asks_per_minute: int = 120
    """So many pictures may one visitor ask about in a minute; experts ten times as many."""
    most_waiting: int = 64
    """So many pictures wait for the model at once; whoever comes then is asked to come back."""
    keep_suggestions_days: int = 90
    """After so many days the picture of a suggestion that no expert has accepted is removed."""
    proxies: int = 0
    """How many proxies stand before this server: so many entries of X-Forwarded-For are believed."""
    frame_ancestors: str = ""
    """Websites, separated by spaces, that may show this page in a frame."""

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> Settings:
        """Read the variables that the README lists.

        Raises:
            SettingsError: a value that cannot be used, by its variable's name.
        """
        on_space = "SPACE_ID" in env  # Hugging Face sets it: one proxy, and their own website around the page
        home = Path(env.get("FGDEMO_HOME") or Path.home() / ".fgdemo").expanduser().resolve()
        return cls(
            home=home,
            checkpoint=Path(env.get("FGDEMO_CHECKPOINT") or REPOSITORY / "checkpoints" / "field-guide").expanduser(),
            database_url=env.get("DATABASE_URL") or f"sqlite:///{home / 'fgdemo.sqlite'}",
            device=env.get("FGDEMO_DEVICE") or "auto",
            max_upload_mb=_whole(env, "FGDEMO_MAX_UPLOAD_MB", 25),
            max_picture_mp=_whole(env, "FGDEMO_MAX_PICTURE_MP", 60),
            asks_per_minute=_whole(env, "FGDEMO_ASKS_PER_MINUTE", 120),
            most_waiting=_whole(env, "FGDEMO_MOST_WAITING", 64),
            keep_suggestions_days=_whole(env, "FGDEMO_KEEP_SUGGESTIONS_DAYS", 90),
            proxies=_whole(env, "FGDEMO_PROXIES", int(on_space), least=0),
            frame_ancestors=_origins(env, "FGDEMO_FRAME_ANCESTORS", "https://huggingface.co" if on_space else ""),
        )

    def variables(self, env: Mapping[str, str] = os.environ) -> dict[str, str]:
        """The environment in which another process has these settings."""
        return {
            **env,
            "FGDEMO_HOME": str(self.home),
            "FGDEMO_CHECKPOINT": str(self.checkpoint),
            "DATABASE_URL": self.database_url,
            "FGDEMO_DEVICE": self.device,
            "FGDEMO_MAX_UPLOAD_MB": str(self.max_upload_mb),
            "FGDEMO_MAX_PICTURE_MP": str(self.max_picture_mp),
            "FGDEMO_ASKS_PER_MINUTE": str(self.asks_per_minute),
            "FGDEMO_MOST_WAITING": str(self.most_waiting),
            "FGDEMO_KEEP_SUGGESTIONS_DAYS": str(self.keep_suggestions_days),
            "FGDEMO_PROXIES": str(self.proxies),
            "FGDEMO_FRAME_ANCESTORS": self.frame_ancestors,
        }


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


def _origins(env: Mapping[str, str], name: str, default: str) -> str:
    origins = (env.get(name) or default).split()
    for origin in origins:
        if not re.fullmatch(r"https?://(\*\.)?[\w.-]+(:\d+)?", origin):
            raise SettingsError(f"{name} names “{origin}”; websites are written as https://example.org.")
    return " ".join(origins)
