"""The `earmark` command: parses, calls the public API, prints.

Nothing here is imported before it is needed: `earmark --help` loads the table of commands and argparse, and running a
command loads that command alone.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

INTERRUPTED = 130  # 128 + SIGINT, as shells report it
PIPE_CLOSED = 141  # 128 + SIGPIPE: what `cat` gives when `head` has seen enough


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status; `arguments` are the process's own when left out."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a title must not fail for want of a letter in the locale
    verbose = False
    try:
        from earmark.apps.cli.parser import parse

        options = parse(sys.argv[1:] if arguments is None else list(arguments))
        verbose = getattr(options, "verbose", False)
        status = int(options.run(options))
        sys.stdout.flush()
        return status
    except SystemExit as exit_:  # argparse: 0 after --help, 2 after wrong usage
        return exit_.code if isinstance(exit_.code, int) else 2
    except KeyboardInterrupt:
        print("earmark: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that the flush at exit stays silent
        return PIPE_CLOSED
    except Exception as error:
        from earmark.apps.cli.failures import report

        return report(error, verbose=verbose)
