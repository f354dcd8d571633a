"""`earmark rebuild`: make the index again."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

from earmark.apps.cli.failures import DONE
from earmark.apps.cli.options import add_catalog, add_output, catalog_path
from earmark.apps.cli.output import Output
from earmark.apps.text import amount

if TYPE_CHECKING:
    from earmark.catalog.backend import RebuildProgress

FIRST_SECONDS = 0.5  # seconds of reading that tell how long the rest takes
EVERY_SECONDS = 10.0  # seconds between two estimates


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
        catalog.rebuild(options.index, progress=Estimate(output).update)
        tracks = len(catalog)
    output.record({"rebuilt": str(catalog_path(options)), "tracks": tracks})
    output.line(f"made the index of {amount(tracks, 'track')} again")
    return DONE


class Estimate:
    """Says how long it takes, as soon as that is known, and then now and again."""

    def __init__(self, output: Output) -> None:
        self._output, self._next = output, time.monotonic() + FIRST_SECONDS

    def update(self, progress: RebuildProgress) -> None:
        """Take how far it is."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + EVERY_SECONDS
        self._output.remark(
            f"{progress.done} of {amount(progress.total, 'track')} read, about {progress.seconds_left:.0f} s left"
        )
