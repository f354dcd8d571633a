"""The table of commands, and the parser made of it."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

COMMANDS = {  # name: what it does in a line; the module of that name holds its options and its work
    "index": "add files and folders of music to the catalog",
    "identify": "say which known recording a clip comes from, and where in it",
    "compare": "say whether two files hold the same recording, and where they meet",
    "list": "list the tracks of the catalog",
    "show": "show all that is known of a track",
    "update": "change the title, artist, album or other tags of a track",
    "remove": "forget tracks",
    "export": "write the catalog's tracks, and their fingerprints, to a file",
    "merge": "add the tracks of another catalog, without their audio",
    "info": "show figures about the catalog",
    "verify": "read everything again and check it against its checksums",
    "rebuild": "make the index again from the stored fingerprints",
    "plot": "draw a spectrogram with its landmarks, or a match with its diagonal",
    "demo": "index the bundled music and identify noisy clips of it",
    "doctor": "check this installation and the catalog",
    "completion": "print a script that lets a shell complete commands and options",
}

EPILOGUE = """\
exit status: 0 done, or found; 1 nothing found, or done but for some inputs; 2 wrong usage; 3 an input cannot be read;
4 the catalog cannot be used; 130 interrupted. `earmark COMMAND --help` says more.
"""


class CommandParser(argparse.ArgumentParser):
    """A parser whose errors are one line: what happened, and what to do about it."""

    def __init__(self, **settings: Any) -> None:
        settings.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(allow_abbrev=False, **settings)

    def error(self, message: str) -> NoReturn:
        """Print `message` and leave with exit status 2."""
        from earmark.apps.cli.text import printable

        self.exit(2, f"earmark: {printable(message)}; see `{self.prog} --help`\n")


class VersionAction(argparse.Action):
    """Prints the version, which is looked up only when it is asked for."""

    def __init__(self, option_strings: Sequence[str], dest: str, **settings: Any) -> None:
        super().__init__(option_strings, dest=argparse.SUPPRESS, nargs=0, help="print the version and leave")

    def __call__(self, parser: argparse.ArgumentParser, *ignored: Any) -> None:
        """Print and leave."""
        from importlib.metadata import version

        print(f"earmark {version('earmark')}")
        parser.exit(0)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the options that `arguments` give; `.run(options)` is the command. Leaves by SystemExit on wrong usage."""
    name = next((argument for argument in arguments if not argument.startswith("-")), "")
    parser = build_parser([name] if name in COMMANDS else [])
    if not arguments:
        parser.print_help(sys.stderr)
        parser.exit(2)
    if name and name not in COMMANDS:
        parser.error(unknown_command(name))
    return parser.parse_args(arguments)


def build_parser(commands: Sequence[str] = tuple(COMMANDS)) -> CommandParser:
    """Return the parser; only the options of `commands` are in it, because theirs are the modules that get imported."""
    parser = CommandParser(
        prog="earmark",
        description="Says which recording a noisy few seconds of sound come from, and where in it.",
        epilog=EPILOGUE,
    )
    parser.add_argument("--version", action=VersionAction)
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=CommandParser)
    for name, summary in COMMANDS.items():
        command = subparsers.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
        if name in commands:
            module = importlib.import_module(f"earmark.apps.cli.{name}")
            module.configure(command)
            command.set_defaults(run=module.run)
    return parser


def unknown_command(name: str) -> str:
    """Return what to tell somebody who typed `name`."""
    from difflib import get_close_matches

    near = get_close_matches(name, COMMANDS, n=1)
    return f"there is no command {name!r}" + (f"; did you mean `earmark {near[0]}`?" if near else "")
