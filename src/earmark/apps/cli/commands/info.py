"""`earmark info`: figures about the catalog."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from earmark.apps.cli.failures import DONE
from earmark.apps.cli.options import add_catalog, add_output, catalog_path
from earmark.apps.cli.output import Output
from earmark.apps.text import clock, size


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    add_catalog(parser)
    add_output(parser)


def run(options: argparse.Namespace) -> int:
    """Print the figures, and what is wrong with the catalog."""
    import earmark

    output = Output.of(options)
    with earmark.open(catalog_path(options), create=False, read_only=True) as catalog:
        information = catalog.info()
    output.record(information)
    for name, value in lines(information):
        output.line(f"{name:18} {value}")
    for problem in information["problems"]:
        output.line(f"{'problem':18} {problem}")
    return DONE


def lines(information: Mapping[str, Any]) -> list[tuple[str, object]]:
    """Return names and values as people want them."""
    preset = "".join(f", {name} {value}" for name, value in information["preset"].items())
    figures = [
        ("catalog", information["path"]),
        ("tracks", f"{information['tracks']:,}"),
        ("audio", clock(information["seconds"])),
        ("fingerprinter", f"{information['fingerprinter']}{preset} ({information['spec']})"),
        ("index", f"{information['index']}, {size(information['index_bytes'])}"),
        ("database", size(information["database_bytes"])),
        ("not yet published", f"{information['unpublished_tracks']:,}"),
    ]
    return figures + [(f"index {name}", f"{value:,.6g}") for name, value in information["index_stats"].items()]
