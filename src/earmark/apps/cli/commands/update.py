"""`earmark update`: change what is said about a track."""

from __future__ import annotations

import argparse

from earmark.apps.cli.failures import DONE, USAGE, error_line
from earmark.apps.cli.options import add_catalog, add_output, assignment, catalog_path
from earmark.apps.cli.output import Output

FIELDS = ("title", "artist", "album")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("id", metavar="ID", help="track id, as `earmark list` prints it")
    for field in FIELDS:
        parser.add_argument(f"--{field}", metavar="TEXT", help=f"the new {field}")
    parser.add_argument("--new-id", metavar="ID", help="another id, not yet taken")
    parser.add_argument(
        "--tag", action="append", type=assignment, default=[], metavar="NAME=VALUE", help="another tag; may be repeated"
    )
    add_catalog(parser)
    add_output(parser)


def run(options: argparse.Namespace) -> int:
    """Change the track and print it."""
    import earmark
    from earmark.apps.cli.commands.show import show
    from earmark.apps.records import track_record

    output = Output.of(options)
    changes = {field: getattr(options, field) for field in (*FIELDS, "new_id") if getattr(options, field) is not None}
    if not changes and not options.tag:
        error_line("nothing to change; give --title, --artist, --album, --tag or --new-id")
        return USAGE
    with earmark.open(catalog_path(options), create=False) as catalog:
        if options.tag:
            changes["tags"] = {**catalog.get(options.id).tags, **dict(options.tag)}
        track = catalog.update(options.id, **changes)
    output.record(track_record(track))
    show(output, track)
    return DONE
