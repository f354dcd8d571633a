"""`earmark merge`: add the tracks of other catalogs."""

from __future__ import annotations

import argparse
from typing import Any

from earmark.apps.cli.failures import DONE, PARTLY, message_line
from earmark.apps.cli.options import add_catalog, add_output, catalog_path
from earmark.apps.cli.output import Output
from earmark.apps.text import amount, shown_path


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("others", nargs="+", metavar="FOLDER", help="catalogs whose tracks are to be added")
    add_catalog(parser)
    add_output(parser)


def run(options: argparse.Namespace) -> int:
    """Add the tracks of each catalog in turn; one that is absent is made as the first of them was.

    A recording that is known already keeps its own words.
    """
    import earmark
    from earmark.apps.records import track_record

    output, status = Output.of(options), DONE
    target, kind = catalog_path(options), dict[str, Any]()
    if not target.exists():
        with earmark.open(options.others[0], create=False, read_only=True) as first:
            made = first.info()
        kind = {"fingerprinter": made["fingerprinter"], "index": made["index"], **made["preset"]}
    with earmark.open(target, create=bool(kind), **kind) as catalog:
        for other in options.others:
            report = catalog.merge(other)
            for track in report.added:
                output.record({"status": "added", "from": other, "track": track_record(track)})
            for path, reason in report.failed:
                output.record({"status": "failed", "from": other, "path": path, "reason": reason})
                if not output.json:
                    message_line(f"failed: {shown_path(path)}: {reason}")
                status = PARTLY
            known = f", {len(report.unchanged):,} known already" if report.unchanged else ""
            output.line(f"{other}: {amount(len(report.added), 'track')} added{known}")
    return status
