"""`earmark repeats`: what recurs in and across files that are in no catalog, as jingles and adverts do."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from earmark.apps.cli.failures import DONE, NOT_FOUND, PARTLY, UNREADABLE, error_line
from earmark.apps.cli.options import add_csv, add_output, duration
from earmark.apps.cli.output import Output, ProgressLine
from earmark.apps.text import amount, clock, shown_path
from earmark.errors import OptionError

if TYPE_CHECKING:
    from earmark.types import Repeat

SHORTEST_SECONDS = 2.0  # apps.repeats.SHORTEST_SECONDS, which is not imported for a page of help
COLUMNS = ("item", "path", "start", "end")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "files",
        nargs="+",
        metavar="FILE",
        help="audio or video files, or folders with such in them, as the episodes of a programme",
    )
    parser.add_argument(
        "--shortest",
        type=duration,
        default=SHORTEST_SECONDS,
        metavar="SECONDS",
        help=f"least length of what recurs (default: {SHORTEST_SECONDS:g})",
    )
    add_output(parser)
    add_csv(parser)


def run(options: argparse.Namespace) -> int:
    """Print each item with its places; exit status 1 when there is none, or some files could not be used."""
    import earmark
    from earmark.catalog.scan import scan

    output = Output.of(options)
    line = ProgressLine(output)

    def progress(stage: str, done: int, total: int) -> None:
        line.update(f"{stage} {done} of {amount(total, 'file')}", done, total, stage=stage)

    found = scan(options.files)
    if not found.files and not found.failed:
        raise OptionError(f"{options.files[0]} is a folder without audio files; name another")
    report = earmark.repeats(found.files, shortest=options.shortest, progress=progress) if found.files else None
    failed = (*found.failed, *(report.failed if report else ()))
    for path, reason in failed:
        if not output.json:
            error_line(f"{shown_path(path)}: {reason}; passed over")
        output.record({"status": "failed", "path": path, "reason": reason})
    items = report.items if report else ()
    show(output, items)
    if len(failed) == len(found.files) + len(found.failed):
        return UNREADABLE
    return PARTLY if failed else DONE if items else NOT_FOUND


def show(output: Output, items: Sequence[Repeat]) -> None:
    """Print items in the form that is wanted."""
    from earmark.apps.records import repeat_record

    for number, item in enumerate(items, start=1):
        output.record(repeat_record(number, item))
    places = [(number, place) for number, item in enumerate(items, start=1) for place in item.places]
    rows = [(number, one.track.path, round(one.start, 3), round(one.end, 3)) for number, one in places]
    output.rows(COLUMNS, rows)
    for number, item in enumerate(items, start=1):
        output.line(f"item {number}: {clock(item.seconds)} at {amount(len(item.places), 'place')}")
        for place in item.places:
            output.line(f"  {shown_path(place.track.path)}: {clock(place.start)} to {clock(place.end)}")
    if not items:
        output.line("nothing recurs")
