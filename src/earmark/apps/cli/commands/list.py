"""`earmark list`: the tracks of the catalog."""

from __future__ import annotations

import argparse
import sys

from earmark.apps.cli.failures import DONE, NOT_FOUND
from earmark.apps.cli.options import add_catalog, add_output, catalog_path
from earmark.apps.cli.output import Output
from earmark.apps.text import amount, clock, shown_path
from earmark.errors import TrackNotFound

COLUMNS = ("id", "length", "artist", "title", "path")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "words", nargs="*", metavar="WORD", help="only tracks with these words, in this folder, or with this id"
    )
    parser.add_argument("--missing", action="store_true", help="only tracks whose files are gone")
    add_catalog(parser)
    add_output(parser)


def run(options: argparse.Namespace) -> int:
    """Print a line a track, in the order of paths; where tracks were chosen, exit status 1 when none fits."""
    from earmark.apps.cli.selection import short_ids
    from earmark.apps.records import track_record
    from earmark.catalog.tracks import Listing

    output = Output.of(options)
    nothing = "the catalog is empty; `earmark index` adds music"
    with Listing(catalog_path(options)) as catalog:
        try:
            tracks = list(catalog.select(" ".join(options.words)) if options.words else catalog.tracks())
        except TrackNotFound as error:
            tracks, nothing = [], str(error)
        if options.missing:
            nothing = "no track's file is gone" if tracks else nothing
            gone = {track.id for track in catalog.missing()}
            tracks = [track for track in tracks if track.id in gone]
    tracks.sort(key=lambda track: track.path)
    for track in tracks:
        output.record(track_record(track))
    ids = short_ids(tracks) if sys.stdout.isatty() else [track.id for track in tracks]
    rows = [
        (id, clock(track.seconds), track.artist, track.title, shown_path(track.path))
        for id, track in zip(ids, tracks, strict=True)
    ]
    if output.text and (rows or not sys.stdout.isatty()):
        output.table(COLUMNS, rows)
    seconds = sum(track.seconds for track in tracks)
    output.ending(f"{amount(len(tracks), 'track')}, {clock(seconds)} of audio" if tracks else nothing)
    return NOT_FOUND if (options.words or options.missing) and not tracks else DONE
