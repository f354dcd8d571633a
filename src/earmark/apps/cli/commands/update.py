"""`earmark update`: change what is said about a track."""

from __future__ import annotations

import argparse

from earmark.apps.cli.failures import DONE
from earmark.apps.cli.options import add_catalog, add_output, assignment, catalog_path
from earmark.apps.cli.output import Output
from earmark.errors import OptionError

FIELDS = ("title", "artist", "album")
EPILOGUE = """\
What is changed here stays when the file gets other tags and is indexed again; --reset goes back to what the file says.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    from earmark.apps.cli.selection import TRACK_HELP

    parser.add_argument("track", metavar="TRACK", help=TRACK_HELP)
    for field in FIELDS:
        parser.add_argument(f"--{field}", metavar="TEXT", help=f"the new {field}")
    parser.add_argument("--new-id", metavar="ID", help="another id, not yet taken")
    parser.add_argument(
        "--tag", action="append", type=assignment, default=[], metavar="NAME=VALUE", help="another tag; may be repeated"
    )
    parser.add_argument(
        "--remove-tag", action="append", default=[], metavar="NAME", help="take a tag away; may be repeated"
    )
    parser.add_argument("--reset", action="store_true", help="first go back to the words of the file")
    add_catalog(parser)
    add_output(parser)
    parser.epilog = EPILOGUE


def run(options: argparse.Namespace) -> int:
    """Change the track and print it."""
    import earmark
    from earmark.apps.cli.commands.show import show
    from earmark.apps.cli.selection import one_track
    from earmark.apps.records import track_record

    output = Output.of(options)
    changes = {field: getattr(options, field) for field in (*FIELDS, "new_id") if getattr(options, field) is not None}
    if not (changes or options.tag or options.remove_tag or options.reset):
        raise OptionError(
            "nothing to change; give --title, --artist, --album, --tag, --remove-tag, --new-id or --reset"
        )
    with earmark.open(catalog_path(options), create=False) as catalog:
        track = one_track(catalog, options.track)
        if options.reset:
            track = catalog.update(track.id, reset=True)
        if options.tag or options.remove_tag:
            unknown = [name for name in options.remove_tag if name not in track.tags]
            if unknown:
                has = ", ".join(track.tags) or "none"
                raise OptionError(f"the track has no tag {unknown[0]!r}; it has {has}")
            kept = {name: text for name, text in track.tags.items() if name not in options.remove_tag}
            changes["tags"] = {**kept, **dict(options.tag)}
        if changes:
            track = catalog.update(track.id, **changes)
    output.record(track_record(track))
    show(output, track)
    return DONE
