"""`earmark plays`: what was heard on monitored stations, as a list, a table or a report."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from earmark.apps.cli.commands.monitor import LISTS, moment
from earmark.apps.cli.failures import DONE, NOT_FOUND
from earmark.apps.cli.options import add_catalog, add_output, catalog_path, count, output_file
from earmark.apps.cli.output import Output
from earmark.apps.text import clock
from earmark.errors import OptionError

STATES = ("accepted", "review", "rejected")
COLUMNS = ("play", "station", "start", "length", "track", "prominence", "confidence", "state")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    add_catalog(parser)
    parser.add_argument("--station", metavar="NAME", help="of this station")
    parser.add_argument("--since", type=moment, metavar="TIME", help="that end after TIME, as 2026-11-29T12:00:00Z")
    parser.add_argument("--until", type=moment, metavar="TIME", help="that begin before TIME")
    parser.add_argument("--state", choices=STATES, help="that are in this state (default: all but rejected ones)")
    decisions = parser.add_mutually_exclusive_group()
    for word, state in (("accept", "accepted"), ("reject", "rejected")):
        decisions.add_argument(f"--{word}", type=count, metavar="PLAY", help=f"set the state of a play to {state}")
    parser.add_argument(
        "--report", type=output_file, metavar="FILE.html", help="write a report: plays, airtime and timeline a station"
    )
    add_output(parser)
    lists = parser.add_mutually_exclusive_group()
    for name, what in LISTS.items():
        lists.add_argument(f"--{name}", dest="list", action="store_const", const=name, help=f"print {what}")


def run(options: argparse.Namespace) -> int:
    """Print the plays; exit status 1 when there is none."""
    from dataclasses import replace

    import earmark
    from earmark.apps.monitor.export import FORMATS, named
    from earmark.apps.monitor.records import local, play_record

    output = Output.of(options)
    if options.list and options.json:
        raise OptionError(f"--{options.list} and --json exclude each other: choose one")
    with earmark.open(catalog_path(options), create=False, read_only=True) as catalog:
        if options.accept or options.reject:
            play = catalog.plays.get(options.accept or options.reject)
            catalog.plays.save(replace(play, state="accepted" if options.accept else "rejected"))
            return DONE
        found = catalog.plays.find(
            station=options.station, since=options.since, until=options.until, state=options.state
        )
        plays = [play for play in found if options.state or play.state != "rejected"]
        if options.report:
            from earmark.apps.monitor.report import write_report

            write_report(Path(options.report), plays, since=options.since, until=options.until)
            output.line(f"Wrote {options.report}.")
            return DONE
    if options.list:
        sys.stdout.write(FORMATS[options.list](plays))
    for play in plays if output.json else ():
        output.record(play_record(play))
    if not options.list:
        rows = [
            (
                play.number,
                play.station,
                local(play.start, play.utc_offset)[:19].replace("T", " "),
                clock(play.seconds),
                named(play),
                play.prominence,
                f"{play.confidence:.3f}",
                play.state + (", on air" if play.is_open else ""),
            )
            for play in plays
        ]
        output.table(COLUMNS, rows)
    return DONE if plays else NOT_FOUND
