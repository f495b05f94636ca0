"""`python -m fgdemo VERB`: everything the program can do without a browser."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from fgdemo import __version__, commands
from fgdemo.logs import configure_logs
from fgdemo.settings import Settings
from fgdemo.storage.database.sqlite_files import move_over
from fgdemo.values.errors import FgdemoError
from fgdemo.values.training import Preset

RECIPE_HELP = "JSON with fields of the recipe (fgdemo/learn/train/recipe.py) that are to be otherwise"


def build_parser() -> argparse.ArgumentParser:
    """The whole command line. Each verb sets `run`, which returns the values that `--json` prints as one line."""
    parser = argparse.ArgumentParser(prog="python -m fgdemo", description="Fine-grained classification that shows why.")
    parser.add_argument("--version", action="version", version=__version__)
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)

    def verb(name: str, run: commands.Verb, about: str) -> argparse.ArgumentParser:
        sub = verbs.add_parser(name, help=about, description=about)
        sub.add_argument("--json", action="store_true", help="print one JSON line on standard output, nothing else")
        sub.set_defaults(run=run)
        return sub

    _fit_arguments(verb("fit", commands.fit, "make a checkpoint from labelled pictures"))
    evaluate = verb("evaluate", commands.evaluate, "measure a checkpoint on labelled pictures")
    _evaluate_arguments(evaluate)
    suspects = verb("suspects", commands.suspects, "list the labels that look wrong, most suspect first")
    suspects.add_argument("data", nargs="+", help="what fit takes, and zip archives")
    predict = verb("predict", commands.predict, "say what is in pictures")
    predict.add_argument("pictures", nargs="+", type=Path)
    explain = verb("explain", commands.explain, "write a PNG sheet that shows why it says A and not B")
    explain.add_argument("picture", type=Path)
    explain.add_argument("--out", type=Path, help="the PNG to write (default: beside the picture, -why.png)")
    explain.add_argument("--a", metavar="TAXON", help="the taxon asked about (default: the likeliest)")
    explain.add_argument("--b", metavar="TAXON", help="its rival (default: the second likeliest)")
    names = verb("name-parts", commands.name_parts, "give the parts of a checkpoint their names")
    names.add_argument("checkpoint", type=Path, metavar="FOLDER")
    names.add_argument("names", nargs="*", metavar="ID=NAME", help="e.g. 0=head 3=wing; none: list the parts")
    imported = verb("import", commands.import_pictures, "put pictures into the workspace, labelled or not")
    imported.add_argument("data", nargs="+", help="folders, archives, tables, exports, workspaces, Hub ids")
    export = verb(
        "export", commands.export, "write pictures, labels and histories for other programs, or another fgdemo"
    )
    export.add_argument("out", type=Path, metavar="OUT", help="a folder, or an archive if it ends in .zip")
    export.add_argument("--format", choices=("imagefolder", "csv", "jsonl", "datasets", "label-studio"), required=True)
    export.add_argument("--push", metavar="OWNER/NAME", help="also to a private data set of the Hub (datasets only)")
    finetune = verb("finetune", commands.finetune, "train the live model on the labels of the workspace, and judge it")
    finetune.add_argument("--preset", choices=get_args(Preset), default="quick", help="how thorough (default: quick)")
    finetune.add_argument("--recipe", type=Path, metavar="FILE", help=RECIPE_HELP)
    finetune.add_argument("--job", type=int, metavar="ID", help="run, or go on with, a training that was asked for")
    finetune.add_argument("--snapshot", metavar="OWNER/NAME", help="what a Hugging Face Job runs: train on a data set")
    models = verb(
        "models", commands.models, "list the models of the workspace; judge one anew, let one go live, or go back"
    )
    models.add_argument(
        "action", nargs="?", choices=("list", "compare", "promote", "rollback", "delete"), default="list"
    )
    models.add_argument("version", nargs="?", metavar="VERSION")
    models.add_argument(
        "--accept-loss",
        type=float,
        metavar="POINTS",
        help="promote: your word for a model that is not proven to be no worse, if at most this loss is open",
    )
    user = verb("user", commands.user, "make and change the accounts of experts and maintainers")
    user.add_argument("action", choices=("add", "list", "role", "password", "disable", "enable"))
    user.add_argument("name", nargs="?")
    user.add_argument("--role", choices=("visitor", "expert", "maintainer"), default="expert")
    token = verb("token", commands.token, "make and remove the tokens of programs, which have a name and a role")
    token.add_argument("action", choices=("add", "list", "remove"))
    token.add_argument("name", nargs="?")
    token.add_argument("--role", choices=("visitor", "expert", "maintainer"), default="expert")
    convert = verb("convert", commands.convert, "write a checkpoint as ONNX, or for timm, and check it against itself")
    convert.add_argument("checkpoint", metavar="CHECKPOINT", help="a folder, or a version that `models` lists")
    convert.add_argument("out", type=Path, metavar="OUT", help="an .onnx file, or a folder for timm")
    convert.add_argument("--format", choices=("onnx", "timm"), required=True)
    push = verb("push", commands.push, "put a model on the Hugging Face Hub, for timm; private, and only if confirmed")
    push.add_argument("checkpoint", metavar="MODEL", help="a folder, or a version that `models` lists")
    push.add_argument("name", metavar="OWNER/NAME")
    push.add_argument("--public", action="store_true", help="everybody sees it (a model that is there stays as it is)")
    push.add_argument("--yes", action="store_true", help="do not ask")
    for sub in (convert, push):
        sub.add_argument(
            "--check",
            type=Path,
            nargs="+",
            default=[],
            metavar="PICTURE",
            help="compare on these (default: gold and val pictures of the workspace for its models, else drawn birds)",
        )
    specimens = verb("specimens", commands.specimens, "draw look-alike specimens to try everything without a download")
    specimens.add_argument("folder", type=Path)
    specimens.add_argument("--per-class", type=int, default=40)
    specimens.add_argument("--seed", type=int, default=0)
    deploy = verb("deploy", commands.deploy, "create or update a Hugging Face Space with this repository and its model")
    deploy.add_argument("space", metavar="OWNER/NAME")
    deploy.add_argument("--dry-run", type=Path, metavar="FOLDER", help="write what it would hold to a folder instead")
    deploy.add_argument("--private", action="store_true", help="only its owners see it")
    deploy.add_argument("--variable", action="append", default=[], metavar="K=V", help="a setting of it (repeatable)")
    deploy.add_argument("--hardware", metavar="NAME", help="e.g. zero-a10g, cpu-basic, t4-small (default: as it is)")
    audit = verb("audit", commands.audit, "say who did what: imports, exports, accounts, trainings, deploys")
    audit.add_argument("--last", type=int, default=100, metavar="N", help="how many entries (default 100)")
    for name, run, about in (
        ("backup", commands.backup, "send all that is new to the mirror"),
        ("restore", commands.restore, "add all that a mirror holds to the workspace"),
    ):
        sub = verb(name, run, about)
        sub.add_argument("url", nargs="?", metavar="URL", help="a folder, fsspec URL or hf:// (default: FGDEMO_MIRROR)")
        if name == "restore":
            sub.add_argument(
                "--accept-rights", action="store_true", help="people and tokens may get a higher role by the mirror"
            )
    verb("doctor", commands.doctor, "check that the workspace is whole; exit code 1 where it is not")
    verb("serve", commands.serve, "open the page in a browser (as python app.py does)")
    for sub in (evaluate, suspects, predict, explain, imported):
        default = "the live model" if sub is imported else "FGDEMO_CHECKPOINT"
        sub.add_argument("--checkpoint", type=Path, help=f"checkpoint folder (default: {default})")
    return parser


def _evaluate_arguments(evaluate: argparse.ArgumentParser) -> None:
    evaluate.add_argument("data", nargs="+", help="class folders named like leaf taxa of the checkpoint")
    evaluate.add_argument("--unknown", action="append", default=[], metavar="DIR", help="pictures of other things")
    evaluate.add_argument(
        "--protocol",
        choices=("score", "protocols", "lowshot", "bench", "continual"),
        default="score",
        help="score: the checkpoint as it is (default); the others learn from the train pictures",
    )
    evaluate.add_argument("--report", type=Path, metavar="OUT.html", help="also write one HTML page with plots")
    evaluate.add_argument("--seeds", type=int, default=3, help="draws of lowshot and of kinds left out (default 3)")
    evaluate.add_argument("--sessions", type=int, default=5, help="of continual (default 5)")
    evaluate.add_argument(
        "--finetune", choices=("quick", "standard", "thorough"), help="protocols and bench: also train all layers"
    )
    bench = evaluate.add_argument_group("bench")
    bench.add_argument("--size", type=int, action="append", metavar="PX", help="side of the input (repeatable)")
    bench.add_argument(
        "--backbone",
        action="append",
        metavar="NAME[=FILE]",
        help="timm architecture, with weights from the Hub or a file (repeatable; default: the checkpoint's)",
    )
    bench.add_argument("--option", action="append", default=[], metavar="K=V", help="passed to timm.create_model")
    bench.add_argument("--mean", type=_three, metavar="R,G,B", help="normalisation, as in fit")
    bench.add_argument("--std", type=_three, metavar="R,G,B")


def _fit_arguments(fit: argparse.ArgumentParser) -> None:
    fit.add_argument(
        "data", nargs="+", help="class folders, train/val folders, a CSV of path,label, or a Hub data set id"
    )
    fit.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="the checkpoint to write")
    fit.add_argument("--checkpoint", type=Path, metavar="FOLDER", help="take the backbone of this checkpoint")
    fit.add_argument("--backbone", default="resnet18.a1_in1k", metavar="NAME", help="any timm architecture")
    fit.add_argument("--weights", default="hub", metavar="FILE", help="hub, none, or a .safetensors or .pth file")
    fit.add_argument("--option", action="append", default=[], metavar="K=V", help="passed to timm.create_model")
    fit.add_argument("--size", type=int, metavar="PX", help="side of the input (default: the weights' own)")
    fit.add_argument("--mean", type=_three, metavar="R,G,B", help="normalisation, where the weights do not say theirs")
    fit.add_argument("--std", type=_three, metavar="R,G,B")
    fit.add_argument("--taxonomy", type=Path, metavar="CSV", help="id,name,parent,latin,aliases (default: no groups)")
    fit.add_argument("--parts", type=int, default=5, metavar="K", help="parts per group (default 5)")
    fit.add_argument(
        "--val-share", type=float, default=0.2, help="split off where there is no val folder (default 0.2)"
    )
    fit.add_argument("--licence", action="append", default=[], metavar="TEXT", help="a line about data or weights")
    fit.add_argument("--seed", type=int, default=0)
    fit.add_argument("--device", default=None, help="auto, cpu, cuda (default: FGDEMO_DEVICE)")
    training = fit.add_argument_group("training all layers first")
    training.add_argument("--epochs", type=int, default=0, metavar="N", help="0 leaves the backbone frozen (default)")
    training.add_argument(
        "--train-size", type=int, metavar="PX", help="side of the training pictures (default: --size)"
    )
    training.add_argument("--batch-size", type=int, default=32)
    training.add_argument("--lr", type=float, default=3e-4)
    training.add_argument("--recipe", type=Path, metavar="FILE", help=RECIPE_HELP)
    training.add_argument(
        "--teacher",
        action="append",
        default=[],
        metavar="FILE=TAXON",
        help="weights of the same architecture that know this group well; their embedding is imitated",
    )
    training.add_argument(
        "--distil", type=float, default=2.0, metavar="WEIGHT", help="how much that counts (default 2)"
    )


def _three(text: str) -> tuple[float, float, float]:
    try:
        red, green, blue = (float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError("three numbers with commas between, e.g. 0.5,0.5,0.5") from None
    return red, green, blue


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit code: 0 done, 1 refused with one sentence, 130 stopped (argparse exits with 2 by itself)."""
    arguments = build_parser().parse_args(argv)
    settings = None
    try:
        settings = Settings.from_env()
        configure_logs(settings.log)
        result = arguments.run(arguments, settings)
    except FgdemoError as error:
        print(f"fgdemo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nfgdemo: stopped.", file=sys.stderr)
        return 130
    finally:
        if settings is not None:
            move_over(settings.database_url)
    if arguments.json and result:
        print(json.dumps(result, ensure_ascii=False))
    return 0 if result.get("healthy", True) else 1
