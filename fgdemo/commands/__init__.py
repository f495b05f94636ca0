"""What each verb of the command line does. Heavy libraries are imported by the verb that needs them."""

from fgdemo.commands.console import Verb
from fgdemo.commands.converting import convert, push
from fgdemo.commands.deploying import audit, deploy
from fgdemo.commands.doctor import doctor
from fgdemo.commands.exchange import export, import_pictures
from fgdemo.commands.finetune import finetune, models
from fgdemo.commands.fitting import fit
from fgdemo.commands.measuring import evaluate
from fgdemo.commands.mirror import backup, restore
from fgdemo.commands.questions import explain, predict
from fgdemo.commands.suspects import suspects
from fgdemo.commands.workspace import name_parts, serve, specimens, token, user

__all__ = [
    "Verb",
    "audit",
    "backup",
    "convert",
    "deploy",
    "doctor",
    "evaluate",
    "explain",
    "export",
    "finetune",
    "fit",
    "import_pictures",
    "models",
    "name_parts",
    "predict",
    "push",
    "restore",
    "serve",
    "specimens",
    "suspects",
    "token",
    "user",
]
