"""`earmark prune`: forget tracks whose files are gone."""

from __future__ import annotations

import argparse
from pathlib import Path

from earmark.apps.cli.changes import absent_disk, departure
from earmark.apps.cli.failures import DONE
from earmark.apps.cli.options import add_catalog, add_output, catalog_path
from earmark.apps.cli.output import Output
from earmark.apps.text import amount
from earmark.errors import OptionError

EPILOGUE = """\
A file that was moved is found again by `earmark index` on the folder where it is now: do that first. `earmark list
--missing` shows what would be forgotten.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("folders", nargs="*", metavar="FOLDER", help="only tracks of these folders (default: all)")
    parser.add_argument("--dry-run", action="store_true", help="say what would be forgotten, and forget nothing")
    parser.add_argument("--all", action="store_true", help="even where no file is there, of the catalog or of a disk")
    add_catalog(parser)
    add_output(parser)
    parser.epilog = EPILOGUE


def run(options: argparse.Namespace) -> int:
    """Forget the tracks and name them; refuse when all files are gone, or all of a disk, which may not be mounted."""
    import earmark
    from earmark.apps.records import track_record

    output = Output.of(options)
    with earmark.open(catalog_path(options), create=False, read_only=options.dry_run) as catalog:
        gone = {track.id: track for folder in options.folders or [None] for track in catalog.missing(folder)}
        if gone and len(gone) == len(catalog) and not (options.all or options.dry_run):
            raise OptionError(
                f"none of the files of {amount(len(gone), 'track')} is there: is a disk not mounted? "
                "--all forgets them nevertheless"
            )
        disk = absent_disk(gone.values())
        if disk and not (options.all or options.dry_run):
            there = sum(Path(disk) in Path(track.path).parents for track in gone.values())
            raise OptionError(
                f"{disk} is empty or not there, and with it the files of {amount(there, 'track')}: is a disk not "
                "mounted? --all forgets them nevertheless"
            )
        if gone and not options.dry_run:
            catalog.remove(gone)
    for track in gone.values():
        output.record({"status": "would forget" if options.dry_run else "forgot", "track": track_record(track)})
        output.line(departure(track))
    output.record({"status": "dry run" if options.dry_run else "done", "gone": len(gone)})
    output.line(f"{'would forget' if options.dry_run else 'forgot'} {amount(len(gone), 'track')}")
    if options.dry_run and gone:
        output.remark("files that were moved: `earmark index` on the folder where they are now finds them again")
    return DONE
