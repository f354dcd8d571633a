"""`earmark remove`: forget tracks."""

from __future__ import annotations

import argparse

from earmark.apps.cli.failures import DONE, PARTLY, error_line
from earmark.apps.cli.options import add_catalog, add_output, catalog_path
from earmark.apps.cli.output import Output
from earmark.apps.text import amount
from earmark.errors import TrackNotFound


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("ids", nargs="+", metavar="ID", help="track ids, as `earmark list` prints them")
    add_catalog(parser)
    add_output(parser)


def run(options: argparse.Namespace) -> int:
    """Remove the tracks that are known; an unknown id does not stop the others."""
    import earmark

    output = Output.of(options)
    known = []
    with earmark.open(catalog_path(options), create=False) as catalog:
        wanted = list(dict.fromkeys(options.ids))
        for track_id in wanted:
            try:
                known.append(catalog.get(track_id).id)
            except TrackNotFound as error:
                error_line(str(error))
        if known:
            catalog.remove(known)
    for track_id in known:
        output.record({"removed": track_id})
    output.line(f"removed {amount(len(known), 'track')}")
    return DONE if len(known) == len(wanted) else PARTLY
