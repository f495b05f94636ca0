"""What `evaluate` may be asked: its options as they are typed, and what the protocols are given of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from typer import Argument, Option

from fgdemo.commands.model.fit_options import checked_three
from fgdemo.values.classification.closeness import Closeness
from fgdemo.values.errors import SettingsError

Protocol = Literal["score", "protocols", "lowshot", "bench", "continual"]
Thoroughness = Literal["quick", "standard", "thorough"]
BENCH = "Bench"

Data = Annotated[list[str], Argument(metavar="DATA", help="class folders named like leaf taxa of the checkpoint")]
Unknown = Annotated[list[str] | None, Option(metavar="DIR", help="pictures of other things (repeatable)")]
OneProtocol = Annotated[
    Protocol, Option(help="score: the checkpoint as it is; the others learn from the train pictures")
]
HowClose = Annotated[
    Closeness, Option(help="score: also after a closer look where unsure and the thing is small, always, or never")
]
Report = Annotated[Path | None, Option(metavar="OUT.html", help="also write one HTML page with plots")]
Seeds = Annotated[int, Option(help="draws of lowshot and of kinds left out")]
Sessions = Annotated[int, Option(help="of continual")]
Finetune = Annotated[Thoroughness | None, Option(help="protocols and bench: also train all layers")]
Sides = Annotated[list[int] | None, Option(metavar="PX", help="side of the input (repeatable)", rich_help_panel=BENCH)]
Backbones = Annotated[
    list[str] | None,
    Option(
        metavar="NAME[=FILE]",
        help="timm architecture, with weights from the Hub or a file (repeatable; default: the checkpoint's)",
        rich_help_panel=BENCH,
    ),
]
Options = Annotated[
    list[str] | None, Option(metavar="K=V", help="passed to timm.create_model (repeatable)", rich_help_panel=BENCH)
]
Mean = Annotated[
    str | None, Option(metavar="R,G,B", help="normalisation, as in fit", callback=checked_three, rich_help_panel=BENCH)
]
Std = Annotated[str | None, Option(metavar="R,G,B", help="likewise", callback=checked_three, rich_help_panel=BENCH)]


@dataclass(frozen=True)
class Asked:
    """What a protocol is asked."""

    sources: Sequence[str]
    unknown: Sequence[str]
    seeds: int
    sessions: int
    finetune: Thoroughness | None
    sizes_px: Sequence[int]
    backbones: Sequence[str]
    options: Sequence[str]
    mean: str | None
    std: str | None
    closer: Closeness = "auto"

    def __post_init__(self) -> None:
        if self.seeds < 1 or self.sessions < 2:
            raise SettingsError("--seeds must be 1 or more, --sessions 2 or more.")
