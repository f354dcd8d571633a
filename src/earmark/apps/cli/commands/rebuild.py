"""`earmark rebuild`: make the index again."""

from __future__ import annotations

import argparse

from earmark.apps.cli.failures import DONE
from earmark.apps.cli.options import add_catalog, add_output, catalog_path
from earmark.apps.cli.output import Output
from earmark.apps.text import amount


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--index", metavar="NAME", help="of another kind (default: the catalog's)")
    add_catalog(parser)
    add_output(parser)


def run(options: argparse.Namespace) -> int:
    """Make the index again from the stored fingerprints; no audio is read."""
    import earmark

    output = Output.of(options)
    with earmark.open(catalog_path(options), create=False) as catalog:
        catalog.rebuild(options.index)
        tracks = len(catalog)
    output.record({"rebuilt": str(catalog_path(options)), "tracks": tracks})
    output.line(f"made the index of {amount(tracks, 'track')} again")
    return DONE
