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
UNBROKEN = 120  # characters a line of what is piped on
CANNOT_WRITE = 74  # EX_IOERR of sysexits.h


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status; `arguments` are the process's own when left out."""
    _open_standard_streams()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a title must not fail when the locale lacks a letter
    try:
        status = run(sys.argv[1:] if arguments is None else list(arguments))
        if status == CANNOT_WRITE:
            _drop_output()
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        from earmark.apps.cli.failures import interrupted

        return interrupted()
    except BrokenPipeError:
        _drop_output()
        return PIPE_CLOSED
    except OSError as error:  # of the last flush: the disk is full, or standard output is closed
        from earmark.apps.cli.failures import report

        _drop_output()
        return report(error)


def _open_standard_streams() -> None:
    """Give each standard stream that is closed a file, or a catalog's would take its number and get what it gets.

    Reading and writing the first two fails as it did; of messages, the exit status says enough.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, (os.O_WRONLY, os.O_RDONLY, os.O_WRONLY)[number])
    sys.stdin = sys.stdin or open(0, closefd=False)  # noqa: SIM115 - open as long as the process
    sys.stdout = sys.stdout or open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", closefd=False)  # noqa: SIM115


def _drop_output() -> None:
    """Let what is still to be written to standard output go, so that the flush at exit stays silent."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit status; what goes wrong is reported in a line."""
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        from earmark.apps.cli.overview import overview
        from earmark.apps.cli.terminal import width_of

        stream = sys.stdout if arguments else sys.stderr
        print(overview(width_of(stream.fileno()) if stream.isatty() else UNBROKEN), end="", file=stream)
        return 0 if arguments else 2
    if arguments[0] == "--version":
        from importlib.metadata import version

        print(f"earmark {version('earmark')}")
        return 0
    from earmark.apps.cli.failures import interrupted, report, terminations_as_interrupts
    from earmark.apps.cli.parser import parse

    verbose, as_json = False, "--json" in arguments
    try:
        options = parse(arguments)
        verbose = getattr(options, "verbose", False)
        with terminations_as_interrupts():
            return int(options.run(options))
    except SystemExit as leaving:  # argparse: 0 after --help, 2 after wrong usage
        return leaving.code if isinstance(leaving.code, int) else 2
    except KeyboardInterrupt:
        return interrupted(as_json=as_json)
    except BrokenPipeError:
        raise
    except Exception as error:
        return report(error, verbose=verbose, as_json=as_json)
