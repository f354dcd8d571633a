"""`earmark rebuild`: make the index again."""

from __future__ import annotations

import argparse

from earmark.apps.cli.failures import DONE
from earmark.apps.cli.options import add_catalog, add_output, catalog_path
from earmark.apps.cli.output import Output


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    add_catalog(parser)
    add_output(parser)


def run(options: argparse.Namespace) -> int:
    """Make the index again from the stored fingerprints; no audio is read."""
    import earmark

    output = Output.of(options)
    with earmark.open(catalog_path(options), create=False) as catalog:
        catalog.rebuild()
        tracks = sum(1 for _ in catalog.tracks())
    output.record({"rebuilt": str(catalog_path(options)), "tracks": tracks})
    output.line(f"made the index of {tracks:,} tracks again")
    return DONE
