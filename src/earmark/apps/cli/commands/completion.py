"""`earmark completion`: a script for a shell's completion."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from earmark.apps.cli.failures import DONE

SHELLS = ("bash", "zsh", "fish", "tcsh")
FILES = {"bash": "_shtab_compgen_files", "zsh": "_files", "tcsh": "f"}
FOLDERS = {"bash": "_shtab_compgen_dirs", "zsh": "_files -/", "tcsh": "d"}
FILE_NAMES = ("PATH", "FILE", "A", "B", "CLIPS", "PICTURE", "TRACK", "NAME|FILE")  # names that stand for a file in help
FOLDER_NAMES = ("FOLDER", "CATALOG")
EPILOGUE = """\
bash: earmark completion bash > ~/.local/share/bash-completion/completions/earmark
zsh:  earmark completion zsh > "${fpath[1]}/_earmark"
fish: earmark completion fish > ~/.config/fish/completions/earmark.fish
tcsh: earmark completion tcsh > ~/.earmark.tcsh, and `source ~/.earmark.tcsh` in ~/.tcshrc
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("shell", choices=SHELLS, help="the shell that is to complete")
    parser.epilog = EPILOGUE


def run(options: argparse.Namespace) -> int:
    """Print the script."""
    from earmark.apps.cli.parser import build_parser

    parser = build_parser()
    if options.shell == "fish":
        print("\n".join(fish_lines(parser)))
        return DONE
    import shtab

    for command in commands_of(parser).values():
        for action in command._actions:
            if action.metavar in (*FILE_NAMES, *FOLDER_NAMES):
                action.complete = FOLDERS if action.metavar in FOLDER_NAMES else FILES  # type: ignore[attr-defined]
    print(shtab.complete(parser, shell=options.shell))
    return DONE


def commands_of(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """Return the parsers of the commands by name."""
    (found,) = [one for one in parser._actions if isinstance(one, argparse._SubParsersAction)]
    return dict(found.choices)


def fish_lines(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Yield the lines of a script for fish, which shtab does not write."""
    from earmark.apps.cli.overview import COMMANDS

    yield "complete -c earmark -f"
    names = commands_of(parser)
    for name, command in names.items():
        yield f"complete -c earmark -n __fish_use_subcommand -a {name} -d {_quoted(COMMANDS[name])}"
        here = f"-n '__fish_seen_subcommand_from {name}'"
        for action in command._actions:
            flags = [flag for flag in action.option_strings if flag.startswith("--")]
            takes = _fish_values(action)
            if flags:
                long = " ".join(f"-l {flag.removeprefix('--')}" for flag in flags)
                yield f"complete -c earmark {here} {long}{takes} -d {_quoted(action.help or '')}"
            elif not action.option_strings and takes:
                yield f"complete -c earmark {here}{takes.replace(' -r', '')}"


def _fish_values(action: argparse.Action) -> str:
    """Return how fish completes the value of an option or an argument."""
    if action.choices:
        return f" -x -a {_quoted(' '.join(map(str, action.choices)))}"
    if action.nargs == 0:
        return ""
    if action.metavar in FOLDER_NAMES:
        return " -x -a '(__fish_complete_directories)'"
    return " -r -F" if action.metavar in FILE_NAMES else " -x"


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("%%", "%") + "'"
