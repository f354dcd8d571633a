"""`earmark show`: all that is known of a track."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from earmark.apps.cli.failures import DONE, PARTLY, failure
from earmark.apps.cli.options import add_catalog, add_output, catalog_path
from earmark.apps.cli.output import Output
from earmark.apps.text import clock, shown_path
from earmark.errors import TrackNotFound

if TYPE_CHECKING:
    from earmark.types import Track


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    from earmark.apps.cli.selection import TRACK_HELP

    parser.add_argument("tracks", nargs="+", metavar="TRACK", help=TRACK_HELP)
    add_catalog(parser)
    add_output(parser)


def run(options: argparse.Namespace) -> int:
    """Print each track; one that is not known does not stop the others."""
    from earmark.apps.records import track_record
    from earmark.catalog.tracks import Listing

    output, status = Output.of(options), DONE
    with Listing(catalog_path(options)) as catalog:
        for text in options.tracks:
            try:
                found = catalog.select(text)
            except TrackNotFound as error:
                failure(error, as_json=output.json)
                status = PARTLY
                continue
            for track in found:
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
        "path": shown_path(track.path),
        "length": clock(track.seconds) + ("" if track.complete else " (the file broke off or was damaged)"),
        "added": added,
        **{f"tag {name}": value for name, value in track.tags.items()},
    }
    cells = max(10, *(len(name) for name, value in values.items() if value))
    for name, value in values.items():
        if value:
            output.entry(f"{name:{cells}}", value)
    for chapter in track.chapters:
        words = " - ".join(filter(None, (chapter.artist, chapter.title)))
        output.entry(f"{'part':{cells}}", f"{clock(chapter.start)} {words}")
    output.line()
