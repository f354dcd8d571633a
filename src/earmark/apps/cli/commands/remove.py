"""`earmark remove`: forget tracks."""

from __future__ import annotations

import argparse

from earmark.apps.cli.failures import DONE, PARTLY, failure
from earmark.apps.cli.options import add_catalog, add_output, catalog_path
from earmark.apps.cli.output import Output
from earmark.apps.text import amount
from earmark.errors import TrackNotFound

EPILOGUE = """\
Words that fit several tracks remove none of them; a folder stands for all tracks below it. The audio files stay, and
`earmark index` adds them again.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    from earmark.apps.cli.selection import TRACK_HELP

    parser.add_argument("tracks", nargs="+", metavar="TRACK", help=TRACK_HELP)
    add_catalog(parser)
    add_output(parser)
    parser.epilog = EPILOGUE


def run(options: argparse.Namespace) -> int:
    """Remove the tracks that are known; one that is not does not stop the others."""
    import earmark
    from earmark.apps.cli.selection import named_tracks

    output, status = Output.of(options), DONE
    known: dict[str, None] = {}
    with earmark.open(catalog_path(options), create=False) as catalog:
        for text in options.tracks:
            try:
                known |= dict.fromkeys(track.id for track in named_tracks(catalog, text))
            except TrackNotFound as error:
                failure(error, as_json=output.json)
                status = PARTLY
        if known:
            catalog.remove(known)
    for track_id in known:
        output.record({"removed": track_id})
    output.line(f"removed {amount(len(known), 'track')}")
    return status
