"""`earmark merge`: add the tracks of other catalogs."""

from __future__ import annotations

import argparse
from typing import Any

from earmark.apps.cli.failures import DONE, PARTLY, message_line
from earmark.apps.cli.options import add_catalog, add_output, catalog_path
from earmark.apps.cli.output import Output
from earmark.apps.text import amount, shown_path

EPILOGUE = """\
A catalog that is not there is made, of the same kind as the first of those given.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("others", nargs="+", metavar="FOLDER", help="catalogs whose tracks are to be added")
    add_catalog(parser)
    add_output(parser)
    parser.epilog = EPILOGUE


def run(options: argparse.Namespace) -> int:
    """Add the tracks of each catalog in turn; a recording that is known already keeps its own words."""
    import earmark
    from earmark.apps.records import track_record
    from earmark.catalog.local.durable import is_catalog

    output, status, target = Output.of(options), DONE, catalog_path(options)
    kind = {} if is_catalog(target) else kind_of(options.others[0])
    with earmark.open(target, **kind) as catalog:
        if kind:
            output.remark(f"made {shown_path(str(target))}, of the kind of {shown_path(options.others[0])}")
        for other in options.others:
            report = catalog.merge(other)
            for track in report.added:
                output.record({"status": "added", "from": other, "track": track_record(track)})
            for path, reason in report.failed:
                output.record({"status": "failed", "from": other, "path": path, "reason": reason})
                if not output.json:
                    message_line(f"failed: {shown_path(path)}: {reason}")
                status = PARTLY
            counts = {name: len(getattr(report, name)) for name in ("added", "unchanged", "failed")}
            output.record({"status": "done", "from": other, **counts})
            known = f", {len(report.unchanged):,} known already" if report.unchanged else ""
            output.line(f"{other}: {amount(len(report.added), 'track')} added{known}")
    return status


def kind_of(other: str) -> dict[str, Any]:
    """Return the options that make a catalog of the same kind as another; raises CatalogError without one."""
    import earmark

    with earmark.open(other, create=False, read_only=True) as catalog:
        figures = catalog.info()
    return {"fingerprinter": figures["fingerprinter"], "index": figures["index"], **figures["preset"]}
