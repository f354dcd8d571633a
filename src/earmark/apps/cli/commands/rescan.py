"""`earmark rescan`: look up tracks that were added lately in what monitored stations played before."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

from earmark.apps.cli.commands.monitor import sentence
from earmark.apps.cli.failures import DONE, NOT_FOUND
from earmark.apps.cli.options import add_catalog, add_output, catalog_path, duration, probability
from earmark.apps.cli.output import Output, ProgressLine
from earmark.apps.text import amount

if TYPE_CHECKING:
    from earmark.catalog.plays import HeardSound


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    add_catalog(parser)
    parser.add_argument("--station", metavar="NAME", help="of this station alone")
    parser.add_argument("--hours", type=duration, metavar="N", help="of the last N hours (default: all that is kept)")
    parser.add_argument(
        "--threshold",
        type=probability,
        metavar="P",
        help="accept from this confidence on (default: the calibrated one)",
    )
    add_output(parser)


def run(options: argparse.Namespace) -> int:
    """Print the plays that are found; exit status 1 when there is none."""
    import earmark
    from earmark.apps.monitor.kept import rescan
    from earmark.apps.monitor.monitor import MonitorOptions
    from earmark.apps.monitor.records import event_record

    output, found, pieces = Output.of(options), 0, 0
    line = ProgressLine(output)

    def progress(heard: HeardSound) -> None:
        nonlocal pieces
        pieces += 1
        line.update(f"{heard.station}: {amount(pieces, 'piece')}", pieces, 0)

    with earmark.open(catalog_path(options), create=False, read_only=True) as catalog:
        thresholds = MonitorOptions(threshold=options.threshold).thresholds(catalog.threshold)
        since = None if options.hours is None else time.time() - 3_600 * options.hours
        for event in rescan(catalog, thresholds, station=options.station, since=since, progress=progress):
            if event.kind == "closed":
                found += 1
                output.record(event_record(event))
                output.line(sentence(event))
    return DONE if found else NOT_FOUND
