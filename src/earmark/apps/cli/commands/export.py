"""`earmark export`: a copy of the catalog."""

from __future__ import annotations

import argparse

from earmark.apps.cli.failures import DONE
from earmark.apps.cli.options import add_catalog, add_output, catalog_path
from earmark.apps.cli.output import Output


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("target", metavar="FOLDER", help="where the copy goes; nothing may be there yet")
    add_catalog(parser)
    add_output(parser)


def run(options: argparse.Namespace) -> int:
    """Write the copy."""
    from earmark.catalog.tracks import Listing

    output = Output.of(options)
    with Listing(catalog_path(options)) as catalog:
        catalog.export(options.target)
    output.record({"exported": options.target})
    output.line(f"copied to {options.target}; it is a catalog like any other")
    return DONE
