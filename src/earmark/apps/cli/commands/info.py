"""`earmark info`: figures about the catalog."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from earmark.apps.cli.failures import DONE
from earmark.apps.cli.options import add_catalog, add_output, catalog_path
from earmark.apps.cli.output import Output
from earmark.apps.text import amount, lasting, percent, shown_path, size
from earmark.fingerprints import shown

NAME_CELLS = 18  # least width of the column of names


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
    figures = [*lines(information), *(details(information) if output.verbose else ())]
    figures += [("problem", problem) for problem in information["problems"]]
    cells = max(NAME_CELLS, *(len(name) for name, _ in figures))
    for name, value in figures:
        output.entry(f"{name:{cells}}", value)
    return DONE


def lines(information: Mapping[str, Any]) -> list[tuple[str, object]]:
    """Return names and values as people want them."""
    taken, seconds = information["index_bytes"] + information["database_bytes"], information["seconds"]
    an_hour = f", {size(taken / seconds * 3600)} an hour of audio" if seconds else ""
    return [
        ("catalog", shown_path(information["path"])),
        ("tracks", f"{information['tracks']:,}"),
        ("audio", lasting(seconds)),
        ("fingerprints", shown(information["fingerprinter"])),
        ("on disk", f"{size(taken)}{an_hour}"),
        *trust(information),
    ]


def trust(information: Mapping[str, Any]) -> list[tuple[str, object]]:
    """Return how many clips of sound that the catalog does not hold are given a name, where that was counted."""
    rates = information["expected_false_rates"].items()
    if not rates:
        return []
    shares = [f"{percent(rate)} of {seconds} s" for seconds, rate in rates]
    return [("false answers", f"at most {', '.join(shares).replace(' of ', ' of unknown clips of ', 1)}")]


def details(information: Mapping[str, Any]) -> list[tuple[str, object]]:
    """Return what --verbose adds."""
    preset = "".join(f", {name} {value}" for name, value in information["preset"].items())
    calibrated = "" if information["calibrated"] else ", not calibrated for this catalog"
    figures: list[tuple[str, object]] = [
        ("spec", f"{information['spec']}{preset}"),
        ("index", f"{information['index']}, {size(information['index_bytes'])}"),
        ("database", f"{size(information['database_bytes'])}, SQLite {information['sqlite']}"),
        ("threshold", f"{information['threshold']}{calibrated}"),
        ("not yet in index", amount(information["unpublished_tracks"], "track")),
    ]
    return figures + [
        (f"index {name.replace('_', ' ')}", f"{value:,.6g}") for name, value in information["index_stats"].items()
    ]
