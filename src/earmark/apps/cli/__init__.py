"""The `earmark` command: parses, calls the public API, prints.

Nothing is imported before it is needed: `earmark --help` loads the table of commands, and a command loads itself alone.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # typing's own, without its import, which is a fifth of a bare Python's start
if TYPE_CHECKING:
    from collections.abc import Sequence

PIPE_CLOSED = 141  # 128 + SIGPIPE: what `cat` gives when `head` has seen enough


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status; `arguments` are the process's own when left out."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a title must not fail when the locale lacks a letter
    try:
        status = run(sys.argv[1:] if arguments is None else list(arguments))
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        from earmark.apps.cli.failures import INTERRUPTED

        print("earmark: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that the flush at exit stays silent
        return PIPE_CLOSED


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit status; what goes wrong is reported in a line."""
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        from earmark.apps.cli.overview import overview

        print(overview(), end="", file=sys.stdout if arguments else sys.stderr)
        return 0 if arguments else 2
    if arguments[0] == "--version":
        from importlib.metadata import version

        print(f"earmark {version('earmark')}")
        return 0
    from earmark.apps.cli.parser import parse

    verbose = False
    try:
        options = parse(arguments)
        verbose = getattr(options, "verbose", False)
        return int(options.run(options))
    except SystemExit as leaving:  # argparse: 0 after --help, 2 after wrong usage
        return leaving.code if isinstance(leaving.code, int) else 2
    except BrokenPipeError:
        raise
    except Exception as error:
        from earmark.apps.cli.failures import report

        return report(error, verbose=verbose)
