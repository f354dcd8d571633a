"""`earmark show`: all that is known of a track."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from earmark.apps.cli.failures import DONE, PARTLY, error_line
from earmark.apps.cli.options import add_catalog, add_output, catalog_path
from earmark.apps.cli.output import Output
from earmark.apps.text import clock
from earmark.errors import TrackNotFound

if TYPE_CHECKING:
    from earmark.types import Track


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("ids", nargs="+", metavar="ID", help="track ids, as `earmark list` prints them")
    add_catalog(parser)
    add_output(parser)


def run(options: argparse.Namespace) -> int:
    """Print each track; an unknown id does not stop the others."""
    from earmark.apps.records import track_record
    from earmark.catalog.tracks import Listing

    output, status = Output.of(options), DONE
    with Listing(catalog_path(options)) as catalog:
        for track_id in options.ids:
            try:
                track = catalog.get(track_id)
            except TrackNotFound as error:
                error_line(str(error))
                status = PARTLY
                continue
            output.record(track_record(track))
            show(output, track)
    return status


def show(output: Output, track: Track) -> None:
    """Print a track as lines of name and value."""
    added = datetime.fromtimestamp(track.added / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%S UTC") if track.added else ""
    values = {
        "id": track.id,
        "title": track.title,
        "artist": track.artist,
        "album": track.album,
        "path": track.path,
        "length": clock(track.seconds) + ("" if track.complete else " (the file broke off or was damaged)"),
        "added": added,
        **{f"tag {name}": value for name, value in track.tags.items()},
    }
    for name, value in values.items():
        if value:
            output.line(f"{name:10} {value}")
    output.line()
