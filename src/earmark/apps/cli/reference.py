"""The page docs/cli.md, made from the parsers: `python -m earmark.apps.cli.reference > docs/cli.md`."""

from __future__ import annotations

import argparse

from earmark.apps.cli.overview import COMMANDS, DESCRIPTION, STATUSES
from earmark.apps.cli.parser import CommandParser, fill

HEAD = f"""\
# The command line

{DESCRIPTION} This page is made by `python -m earmark.apps.cli.reference`.

Results go to stdout, remarks and progress to stderr; a progress bar is drawn only on a terminal. With `--json`, every
line of stdout is one JSON object. `earmark completion` prints a script for bash, zsh, fish or tcsh.
"""


def reference() -> str:
    """Return the page, in Markdown."""
    statuses = ["| status | means |", "|---|---|", *(f"| {status} | {text} |" for status, text in STATUSES.items())]
    tables = {"Exit status": statuses, "Reasons": reasons(), "Effects of `evaluate`": effects()}
    parts = [HEAD, *(f"## {name}\n\n" + "\n".join(rows) + "\n" for name, rows in tables.items())]
    parts += map(section, COMMANDS)
    return "\n".join(parts)


def reasons() -> list[str]:
    """Return the rows of a table of what `identify` and `index` say of a file without a result."""
    from earmark.apps.cli.commands.identify import REASONS
    from earmark.errors import MediaError

    texts = MediaError.MEANINGS | {name: text for name, text in REASONS.items() if name not in MediaError.CODES}
    rows = [f"| `{name}` | {text} |" for name, text in texts.items()]
    return ["What stands before the colon where a file could not be used, and as `reason` and `code` in JSON.", "",
            "| reason | means |", "|---|---|", *rows]  # fmt: skip


def effects() -> list[str]:
    """Return the rows of a table of what `evaluate --effects` takes."""
    from earmark.evaluation.queries import EFFECTS, MOST_PERCENT

    named = [f"`{name}`" for name in EFFECTS]
    played = [f"`{name}+N`, `{name}-N`" for name in ("speed", "tempo", "pitch")]
    return [f"{', '.join([*named, *played])}; N is a number of per cent, up to {MOST_PERCENT}."]


def section(name: str) -> str:
    """Return the part about one command."""
    parser = CommandParser(prog=f"earmark {name}", add_help=False)
    fill(parser, name)
    actions = parser._actions
    synopsis = " ".join(["earmark", name, *(f"[{spelling(action)}]" for action in actions if action.option_strings)])
    synopsis += "".join(f" {operand(action)}" for action in actions if not action.option_strings)
    rows = [f"| `{spelling(action)}` | {cell(action.help)} |" for action in actions]
    table = ["| | |", "|---|---|", *rows] if rows else []
    epilogue = ["", "```text", parser.epilog.rstrip(), "```"] if parser.epilog else []
    return "\n".join(
        [f"## {name}", "", parser.description or "", "", "```text", synopsis, "```", "", *table, *epilogue, ""]
    )


def spelling(action: argparse.Action) -> str:
    """Return '--limit N', '--json' or 'FILE'."""
    if not action.option_strings:
        return name_of(action)
    return action.option_strings[-1] + ("" if action.nargs == 0 else f" {name_of(action)}")


def operand(action: argparse.Action) -> str:
    """Return 'FILE...' for what may be repeated."""
    name = name_of(action)
    return {"+": f"{name}...", "*": f"[{name}...]", "?": f"[{name}]"}.get(str(action.nargs), name)


def name_of(action: argparse.Action) -> str:
    """Return what stands for an action's value."""
    if action.metavar is None and action.choices is not None:
        return "{" + ",".join(map(str, action.choices)) + "}"
    return str(action.metavar or action.dest.upper())


def cell(text: str | None) -> str:
    """Return text that may stand in a table."""
    return (text or "").replace("%%", "%").replace("|", r"\|")


if __name__ == "__main__":
    print(reference(), end="")
