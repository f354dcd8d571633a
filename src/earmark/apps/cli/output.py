"""Where results and remarks go: results to stdout, as text or JSON; remarks to stderr."""

from __future__ import annotations

import argparse
import contextlib
import csv
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from earmark.apps.cli.failures import message_line
from earmark.errors import OptionError
from earmark.text import escaped

MOST_REMARKS = 20  # lines of one kind after which the rest is counted
PROGRESS_SECONDS = 1.0  # least time between two lines of progress


@dataclass(frozen=True, slots=True)
class Output:
    """How much to print, and in which form."""

    json: bool = False
    quiet: bool = False
    verbose: bool = False
    as_table: bool = False  # print results as comma-separated values

    @classmethod
    def of(cls, options: argparse.Namespace) -> Output:
        """Return the output that --json, --csv, --quiet and --verbose ask for; raises OptionError for both forms."""
        as_table = getattr(options, "as_table", False)
        if as_table and options.json:
            raise OptionError("--json and --csv are two forms of the same results: give one")
        return cls(json=options.json, quiet=options.quiet, verbose=options.verbose, as_table=as_table)

    @property
    def text(self) -> bool:
        """Whether results are wanted as text for people."""
        return not self.json and not self.as_table and not self.quiet

    @property
    def interactive(self) -> bool:
        """Whether somebody watches: progress is drawn only then."""
        return not self.quiet and sys.stderr.isatty()

    def record(self, values: Mapping[str, Any]) -> None:
        """Print a JSON object in one line of ASCII, when JSON is wanted."""
        if self.json:
            sys.stdout.write(f"{json.dumps(values)}\n")  # at once, so that an interrupt cannot part a line from its end

    def line(self, text: object = "") -> None:
        """Print a line of results, when text is wanted; on a terminal in lines that fit."""
        if self.text:
            from earmark.apps.cli.terminal import fitted

            for line in fitted(escaped(text), sys.stdout):
                print(line)

    def entry(self, name: str, value: object) -> None:
        """Print a name, padded as it comes, and a value behind it; on a terminal in lines that fit."""
        if not self.text or not sys.stdout.isatty():
            self.line(f"{name} {value}")
            return
        from earmark.apps.cli.table import wrapped
        from earmark.apps.cli.terminal import width_of

        for line in wrapped(f"{name} ", escaped(value), width_of(sys.stdout.fileno())):
            print(line)

    def rows(self, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Print a header and rows of comma-separated values, when a table is wanted."""
        if self.as_table:
            writer = csv.writer(sys.stdout, lineterminator="\n")
            writer.writerow(columns)
            writer.writerows([[escaped(cell) for cell in row] for row in rows])

    def remark(self, text: object) -> None:
        """Print a line to stderr, unless --quiet."""
        if not self.quiet:
            message_line(text)

    def remarks(self, lines: Sequence[str]) -> None:
        """Print lines to stderr, unless --quiet; of many only the first, unless --verbose."""
        shown = lines if self.verbose else lines[:MOST_REMARKS]
        for line in shown:
            self.remark(line)
        if len(lines) > len(shown):
            self.remark(f"… and {len(lines) - len(shown):,} more; --verbose lists all")

    def ending(self, text: str) -> None:
        """Print a line that sums up a list, for people alone: what reads a pipe gets none."""
        if sys.stdout.isatty():
            self.line(text)

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Print a table, when text is wanted: drawn on a terminal, else one row a line with tabs between."""
        if not self.text:
            return
        cells = [[escaped(cell) for cell in row] for row in rows]
        if not sys.stdout.isatty():
            for row in cells:
                print("\t".join(row))
            return
        from earmark.apps.cli.table import draw
        from earmark.apps.cli.terminal import width_of

        for line in draw(columns, cells, width_of(sys.stdout.fileno())):
            print(line)


class ProgressLine:
    """A line on stderr that says how far the work is, written at most once a second and when a stage begins or ends."""

    def __init__(self, output: Output) -> None:
        self._interactive, self._stage, self._written = output.interactive, "", 0.0

    def update(self, text: str, done: int, total: int, *, stage: str = "-") -> None:
        """Write `text` over the line before, when somebody watches."""
        now = time.monotonic()
        is_new = stage != self._stage
        if not self._interactive or (not is_new and done < total and now - self._written < PROGRESS_SECONDS):
            return
        self._stage, self._written = stage, now
        with contextlib.suppress(OSError):
            print(f"{text} ", end="\n" if done == total else "\r", file=sys.stderr, flush=True)
