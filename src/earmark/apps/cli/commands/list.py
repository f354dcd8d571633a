"""`earmark list`: the tracks of the catalog."""

from __future__ import annotations

import argparse

from earmark.apps.cli.failures import DONE, NOT_FOUND
from earmark.apps.cli.options import add_catalog, add_output, catalog_path
from earmark.apps.cli.output import Output
from earmark.apps.text import clock


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "words", nargs="*", metavar="WORD", help="only tracks whose title, artist, album or path has it"
    )
    add_catalog(parser)
    add_output(parser)


def run(options: argparse.Namespace) -> int:
    """Print a line a track; with words, exit status 1 when none fits."""
    from earmark.apps.records import track_record
    from earmark.catalog.tracks import Listing

    output = Output.of(options)
    with Listing(catalog_path(options)) as catalog:
        tracks = list(catalog.find(" ".join(options.words)) if options.words else catalog.tracks())
    for track in tracks:
        output.record(track_record(track))
    rows = [(track.id, clock(track.seconds), track.artist, track.title, track.path) for track in tracks]
    if output.text:
        output.table(("id", "length", "artist", "title", "path"), rows)
    return NOT_FOUND if options.words and not tracks else DONE
