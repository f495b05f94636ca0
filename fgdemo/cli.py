"""`python -m fgdemo VERB`: everything the program can do without a browser."""

import inspect
import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Annotated, Any, get_type_hints

import typer
from typer.core import TyperCommand

from fgdemo import __version__, commands

PROGRAM = "python -m fgdemo"
NAMES: dict[Callable[..., Any], str] = {commands.import_pictures: "import"}
SEVERAL = ("--check",)
"""Options that take all words up to the next option."""
FROM_HERE = ("settings", "say")
"""What a verb is given by the command line itself."""
Run = Callable[..., int]
"""Does a verb with its arguments, and says its exit code."""
Json = Annotated[bool, typer.Option("--json", help="print one JSON line on standard output, nothing else")]
WrongUsage: type[Exception] = typer.BadParameter.__mro__[1]
"""Whatever Typer calls the error of which a bad parameter is one; its name lies in no public place."""


class Verb(TyperCommand):
    """A verb, whose options stand in groups in its help, and of which `--check A B` is the same as twice `--check`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, list(self._spread(ctx, args)))

    def _spread(self, ctx: Any, words: Sequence[str]) -> Iterator[str]:
        """The words, with each value behind its option. An option is never taken for the value of another one."""
        valued = {name for one in self.params for name in one.opts if not getattr(one, "is_flag", True)}
        option = ""
        for at, word in enumerate(words):
            if word == "--":
                yield from words[at:]
                return
            is_option = re.match(r"-(?!\d|\.\d).", word) is not None
            if is_option and words[at - 1] in valued and at:
                ctx.fail(f"Option '{words[at - 1]}' requires an argument.")
            if option in SEVERAL and not is_option and words[at - 1] != option:
                yield option
            option = word if is_option else option if option in SEVERAL else ""
            yield word

    def format_options(self, ctx: Any, formatter: Any) -> None:
        groups: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": []}
        for one in self.get_params(ctx):
            if record := one.get_help_record(ctx):
                group = "Arguments" if one.param_type_name == "argument" else "Options"
                groups.setdefault(getattr(one, "rich_help_panel", None) or group, []).append(record)
        for group, records in groups.items():
            if records:
                with formatter.section(group):
                    formatter.write_dl(records)


def _show_version(asked: bool) -> None:
    if asked:
        print(__version__)
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", help="show the version", is_eager=True, callback=_show_version)
    ] = False,
) -> None:
    """Fine-grained classification that shows why."""


def make_command(do: Run) -> Any:
    """The whole command line, which does verbs by `do`. Each of them takes `--json`."""
    app = typer.Typer(
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        subcommand_metavar="VERB",
    )
    app.callback()(_root)
    for verb in commands.VERBS:
        name = NAMES.get(verb, verb.__name__.replace("_", "-"))
        about = (inspect.getdoc(verb) or "").partition("\n")[0]
        app.command(name, cls=Verb, help=about, short_help=about)(_typed(verb, do))
    return typer.main.get_command(app)


def _typed(verb: Callable[..., dict[str, Any]], do: Run) -> Callable[..., int]:
    """`do` with the arguments of the verb, and `--json`. Names that only a type checker knows are not looked up."""
    hints = get_type_hints(verb, localns={"Settings": Any, "Say": Any}, include_extras=True)
    taken = [
        one.replace(kind=one.KEYWORD_ONLY, annotation=hints[name])
        for name, one in inspect.signature(verb).parameters.items()
        if name not in FROM_HERE
    ]
    json_option = inspect.Parameter("json", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Json)

    def command(**given: Any) -> int:
        return do(verb, **given)

    command.__signature__ = inspect.Signature([*taken, json_option])  # type: ignore[attr-defined]
    command.__annotations__ = {one.name: one.annotation for one in (*taken, json_option)}
    return command


def run(verb: Callable[..., dict[str, Any]], *, json: bool, **given: Any) -> int:
    """Do it with the settings of this process, and tell how it went. Returns the exit code."""
    from fgdemo.logs import configure_logs
    from fgdemo.settings import Settings
    from fgdemo.storage.database.sqlite_files import move_over
    from fgdemo.values.errors import FgdemoError

    ours: dict[str, Any] = {"say": partial(print, file=sys.stderr if json else sys.stdout, flush=True)}
    settings = None
    try:
        ours["settings"] = settings = Settings.from_env()
        configure_logs(settings.log)
        taken = inspect.signature(verb).parameters
        result = verb(**given, **{name: one for name, one in ours.items() if name in taken})
    except FgdemoError as error:
        print(f"fgdemo: {error}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, EOFError):  # Ctrl-C, or Ctrl-D where something is asked
        print("\nfgdemo: stopped.", file=sys.stderr)
        return 130
    finally:
        if settings is not None:
            move_over(settings.database_url)
    if json and result:
        print_lines(result)
    return 0 if result.get("healthy", True) else 1


def print_lines(result: dict[str, Any]) -> None:
    """As JSON: each of the `labels` on a line of its own, and the rest on the last one."""
    rest = {name: value for name, value in result.items() if name != "labels"}
    for line in (*result.get("labels", ()), rest):
        text = json.dumps(line, ensure_ascii=False)
        # Only an escape can carry the bytes of a file name that is no text.
        print(text if text == text.encode("utf-8", "replace").decode() else json.dumps(line))


def main(argv: Sequence[str] | None = None, do: Run = run) -> int:
    """Returns the exit code: 0 done, 1 refused with one sentence, 2 a wrong argument, 130 stopped."""
    try:
        return make_command(do).main(None if argv is None else list(argv), PROGRAM, standalone_mode=False) or 0
    except WrongUsage as error:
        ctx = getattr(error, "ctx", None)
        where = ctx.command_path if ctx else PROGRAM
        told = str(error.format_message()).replace("Value error, ", "").rstrip(".")  # type: ignore[attr-defined]
        print(f"fgdemo: {told}. See: {where} --help", file=sys.stderr)
        return 2
