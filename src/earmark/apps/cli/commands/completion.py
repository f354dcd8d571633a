"""`earmark completion`: a script for a shell's completion."""

from __future__ import annotations

import argparse

from earmark.apps.cli.failures import DONE

SHELLS = ("bash", "zsh", "tcsh")
EPILOGUE = """\
bash: earmark completion bash > ~/.local/share/bash-completion/completions/earmark
zsh:  earmark completion zsh > "${fpath[1]}/_earmark"
tcsh: earmark completion tcsh > ~/.earmark.tcsh, and `source ~/.earmark.tcsh` in ~/.tcshrc
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("shell", choices=SHELLS, help="the shell that is to complete")
    parser.epilog = EPILOGUE


def run(options: argparse.Namespace) -> int:
    """Print the script."""
    import shtab

    from earmark.apps.cli.parser import build_parser

    print(shtab.complete(build_parser(), shell=options.shell))
    return DONE
