"""What each verb of the command line does. Heavy libraries are imported by the verb that needs them."""

from collections.abc import Callable
from typing import Any

from fgdemo.commands.data.import_export import export, import_pictures
from fgdemo.commands.data.points import points
from fgdemo.commands.data.suspects import suspects
from fgdemo.commands.data.taking_out import imports, remove
from fgdemo.commands.host.deploy import audit, deploy
from fgdemo.commands.model.convert import convert, push
from fgdemo.commands.model.evaluate import evaluate
from fgdemo.commands.model.finetune import finetune, models
from fgdemo.commands.model.fit import fit
from fgdemo.commands.model.predict_explain import explain, predict
from fgdemo.commands.model.teach_parts import teach_parts
from fgdemo.commands.workspace.doctor import doctor
from fgdemo.commands.workspace.mirror import backup, restore
from fgdemo.commands.workspace.users_and_serve import name_parts, serve, specimens, token, user

VERBS: tuple[Callable[..., dict[str, Any]], ...] = (
    fit,
    evaluate,
    suspects,
    predict,
    explain,
    name_parts,
    teach_parts,
    import_pictures,
    imports,
    remove,
    export,
    points,
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
