"""What each verb of the command line does. Heavy libraries are imported by the verb that needs them."""

from collections.abc import Callable
from typing import Any

from fgdemo.commands.data.exchange import export, import_pictures
from fgdemo.commands.data.suspects import suspects
from fgdemo.commands.host.deploying import audit, deploy
from fgdemo.commands.model.converting import convert, push
from fgdemo.commands.model.finetune import finetune, models
from fgdemo.commands.model.fitting import fit
from fgdemo.commands.model.measuring import evaluate
from fgdemo.commands.model.questions import explain, predict
from fgdemo.commands.workspace.doctor import doctor
from fgdemo.commands.workspace.keeping import name_parts, serve, specimens, token, user
from fgdemo.commands.workspace.mirror import backup, restore

VERBS: tuple[Callable[..., dict[str, Any]], ...] = (
    fit,
    evaluate,
    suspects,
    predict,
    explain,
    name_parts,
    import_pictures,
    export,
    finetune,
    models,
    user,
    token,
    convert,
    push,
    specimens,
    deploy,
    audit,
    backup,
    restore,
    doctor,
    serve,
)
"""In the order of `--help`."""
