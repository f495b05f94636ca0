"""Settings: built once from the environment, then passed along."""

from __future__ import annotations

import os
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
    mirror: str = ""
    """Where everything is backed up to: a folder, an fsspec URL, `hf://datasets/OWNER/NAME`; empty for nowhere."""

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> Settings:
        """Read the variables that the README lists.

        Raises:
            SettingsError: a value that cannot be used, by its variable's name.
        """
        home = Path(env.get("FGDEMO_HOME") or Path.home() / ".fgdemo").expanduser().resolve()
        return cls(
            home=home,
            checkpoint=Path(env.get("FGDEMO_CHECKPOINT") or REPOSITORY / "checkpoints" / "field-guide").expanduser(),
            database_url=env.get("DATABASE_URL") or f"sqlite:///{home / 'fgdemo.sqlite'}",
            device=env.get("FGDEMO_DEVICE") or "auto",
            max_upload_mb=_positive(env, "FGDEMO_MAX_UPLOAD_MB", 25),
            max_picture_mp=_positive(env, "FGDEMO_MAX_PICTURE_MP", 60),
            mirror=(env.get("FGDEMO_MIRROR") or "").strip(),
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
            "FGDEMO_MIRROR": self.mirror,
        }


def _positive(env: Mapping[str, str], name: str, default: int) -> int:
    text = env.get(name) or str(default)
    if not text.isdecimal() or int(text) < 1:
        raise SettingsError(f"{name} is “{text}”; it must be a whole number of at least 1.")
    return int(text)
