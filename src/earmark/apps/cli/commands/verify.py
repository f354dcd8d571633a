"""`earmark verify`: is everything as it was written?"""

from __future__ import annotations

import argparse

from earmark.apps.cli.failures import CATALOG, DONE
from earmark.apps.cli.options import add_catalog, add_output, catalog_path
from earmark.apps.cli.output import Output
from earmark.apps.text import amount

EPILOGUE = (
    "With --repair, `earmark index` reads the files of damaged tracks again; `earmark rebuild` makes an index anew.\n"
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "--repair", action="store_true", help="have damaged tracks read again when they are next indexed"
    )
    add_catalog(parser)
    add_output(parser)
    parser.epilog = EPILOGUE


def run(options: argparse.Namespace) -> int:
    """Print what is damaged; exit status 4 when anything is."""
    import earmark

    output = Output.of(options)
    with earmark.open(catalog_path(options), create=False, read_only=not options.repair) as catalog:
        verification = catalog.verify()
    record = {"tracks": verification.tracks, "ok": verification.ok, "problems": list(verification.problems)}
    output.record(record)
    for problem in verification.problems:
        output.line(f"damaged: {problem}")
    state = "all as written" if verification.ok else amount(len(verification.problems), "problem")
    output.line(f"{amount(verification.tracks, 'track')} checked: {state}")
    return DONE if verification.ok else CATALOG
