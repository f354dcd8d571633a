"""The parsers of the commands; a command's module, with its options, is imported when that command is asked for."""

from __future__ import annotations

import argparse
import importlib
import os

from earmark.apps.cli.overview import COMMANDS, DESCRIPTION

TYPE_CHECKING = False  # typing's own, without its import, which is a fifth of a bare Python's start
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, NoReturn


MEANT = {  # words that people type, and the commands that they mean
    **dict.fromkeys(("add", "import", "scan", "fingerprint", "create", "new"), "index"),
    **dict.fromkeys(
        ("search", "recognize", "recognise", "match", "query", "find", "lookup", "id", "which"), "identify"
    ),
    **dict.fromkeys(("delete", "rm", "forget", "del"), "remove"),
    **dict.fromkeys(("clean", "cleanup", "gc", "vacuum"), "prune"),
    **dict.fromkeys(("edit", "rename", "tag", "set"), "update"),
    **dict.fromkeys(("ls", "tracks", "dir"), "list"),
    **dict.fromkeys(("stats", "status", "stat"), "info"),
    **dict.fromkeys(("diff",), "compare"),
    **dict.fromkeys(("dupes", "dedupe", "duplicate"), "duplicates"),
    **dict.fromkeys(("check", "fsck", "validate"), "verify"),
    **dict.fromkeys(("backup", "copy", "save", "dump"), "export"),
    **dict.fromkeys(("benchmark", "bench", "measure", "eval"), "evaluate"),
    **dict.fromkeys(("draw", "spectrogram", "show-spectrogram"), "plot"),
}


class HelpFormatter(argparse.HelpFormatter):
    """Help whose paragraphs are as wide as the terminal; lines that are set in, as of a list, stay lines."""

    def start_section(self, heading: str | None) -> None:
        """Begin a group of options, whose title may be a sentence."""
        import textwrap

        super().start_section(textwrap.fill(heading, self._width - 1) if heading else heading)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        import re
        import textwrap

        filled = []
        for paragraph in text.strip("\n").split("\n\n"):
            prose, _, listed = paragraph.partition("\n  ")
            filled += textwrap.wrap(prose, width)
            for line in listed.splitlines() if listed else ():
                name = re.match(r" *\S+ {2,}|", line)
                below = " " * max(2 + len(name[0].lstrip()) if name else 0, 4)
                filled += textwrap.wrap(line.strip(), width, initial_indent="  ", subsequent_indent=below)
            filled.append("")
        return "\n".join(filled[:-1])


class CommandParser(argparse.ArgumentParser):
    """A parser whose errors are one line: what happened, and what to do about it."""

    def __init__(self, **settings: Any) -> None:
        settings.setdefault("formatter_class", HelpFormatter)
        super().__init__(allow_abbrev=False, **settings)

    wants_json = False  # whether errors are printed as JSON too
    given: Sequence[str] = ()  # what stands behind the command

    def error(self, message: str) -> NoReturn:
        """Print `message` and leave with exit status 2."""
        from earmark.apps.cli.failures import error_line

        said = self._nearest(message)
        text = f"{said}{'' if said.endswith('?') else ';'} see `{self.prog} --help`"
        if self.wants_json:
            import json

            from earmark.apps.cli.failures import error_record

            print(json.dumps(error_record("usage", text)), flush=True)
        error_line(text)
        self.exit(2)

    def _nearest(self, message: str) -> str:
        """Return what argparse says, and for an option that there is not the one that was meant, it may be."""
        for name in self.given:
            if name.startswith("-") and len(name) > 1 and os.path.lexists(name):  # as a shell's * gives it
                return f"{name!r} is taken for an option; give the file as ./{name}"
        unknown = message.removeprefix("unrecognized arguments: ").split()
        if len(unknown) == len(message.split()) or not unknown[0].startswith("-"):
            return message
        from difflib import get_close_matches

        known = [name for action in self._actions for name in action.option_strings]
        near = get_close_matches(unknown[0].partition("=")[0], known, n=1, cutoff=0.7)
        return f"{message}; did you mean {near[0]}?" if near else message


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the options of a command, given its name and its arguments; `.run(options)` is its work.

    Leaves by SystemExit: with 0 after --help, with 2 after wrong usage.
    """
    name, *rest = arguments
    if rest and f"{name} {rest[0]}" in COMMANDS:
        name, rest = f"{name} {rest[0]}", rest[1:]
    if name not in COMMANDS:
        parser = CommandParser(prog="earmark")
        parser.wants_json = "--json" in rest
        parser.error(unknown_command(name))
    parser = CommandParser(prog=f"earmark {name}")
    parser.wants_json = "--json" in rest
    parser.given = rest
    fill(parser, name)
    return parser.parse_args(rest)


def build_parser() -> CommandParser:
    """Return the parser of everything, for completion and documentation."""
    parser = CommandParser(prog="earmark", description=DESCRIPTION)
    parser.add_argument("--version", action="store_true", help="print the version")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=CommandParser)
    for name, summary in COMMANDS.items():
        if " " not in name:  # a shell completes one word
            fill(subparsers.add_parser(name, help=summary), name)
    return parser


def fill(parser: argparse.ArgumentParser, name: str) -> None:
    """Give a parser the description, the options and the work of a command."""
    summary = COMMANDS[name]
    parser.description = f"{summary[0].upper()}{summary[1:]}."
    module = importlib.import_module(f"earmark.apps.cli.commands.{name.replace(' ', '_')}")
    module.configure(parser)
    parser.set_defaults(run=module.run)


def unknown_command(name: str) -> str:
    """Return what to tell somebody who typed `name` for a command."""
    from difflib import get_close_matches

    if name.startswith("-"):
        return f"the command comes first, its options behind it, not {name!r}"
    near = [MEANT[name]] if name in MEANT else get_close_matches(name.lower(), COMMANDS, n=1, cutoff=0.6)
    meant = (
        f"did you mean `earmark {near[0]}`?"
        if near
        else f"there are {', '.join(one for one in COMMANDS if ' ' not in one)}"
    )
    return f"there is no command {name!r}; {meant}"
