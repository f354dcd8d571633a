"""`earmark merge`: add the tracks of another catalog."""

from __future__ import annotations

import argparse

from earmark.apps.cli.failures import DONE
from earmark.apps.cli.options import add_catalog, add_output, catalog_path
from earmark.apps.cli.output import Output
from earmark.apps.cli.text import amount


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("others", nargs="+", metavar="FOLDER", help="catalogs whose tracks are to be added")
    add_catalog(parser)
    add_output(parser)


def run(options: argparse.Namespace) -> int:
    """Add the tracks of each catalog in turn; those that are known already stay as they are."""
    import earmark

    output = Output.of(options)
    with earmark.open(catalog_path(options)) as catalog:
        for other in options.others:
            count = catalog.merge(other)
            output.record({"merged": other, "added": count})
            output.line(f"{other}: added {amount(count, 'track')}")
    return DONE
