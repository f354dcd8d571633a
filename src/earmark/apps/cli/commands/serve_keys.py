"""`earmark serve keys`: who may ask a service, and who may change its catalog."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path

from earmark.apps.cli.failures import DONE
from earmark.apps.cli.options import add_output
from earmark.apps.cli.output import Output

SCOPES = ("identify", "manage")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--add", metavar="NAME", help="make a key and print it, once: only its digest is kept")
    what.add_argument("--remove", metavar="NAME", help="forget a key; it stops to work within a second")
    parser.add_argument(
        "--scope",
        choices=SCOPES,
        default="identify",
        help="what a new key allows: to ask, or to change the catalog too (default: identify)",
    )
    parser.add_argument(
        "--keys", metavar="FILE", help="file of API keys (default: earmark/keys.json in $XDG_CONFIG_HOME)"
    )
    add_output(parser)


def run(options: argparse.Namespace) -> int:
    """Make, forget, or list keys."""
    from earmark.apps.server.keys import Keys, default_path

    output, keys = Output.of(options), Keys(Path(options.keys) if options.keys else default_path())
    if options.add:
        made = keys.add(options.add, (options.scope,))
        output.record({"name": options.add, "scopes": [options.scope], "key": made})
        output.line(made)
        output.remark("this key is shown once; whoever has it may " + ("ask" if options.scope == "identify" else "ask, "
                      "and change the catalog"))  # fmt: skip
    elif options.remove:
        keys.remove(options.remove)
    else:
        rows = [(one.name, " ".join(one.scopes), datetime.fromtimestamp(one.created, UTC)) for one in keys.all()]
        for name, scopes, created in rows:
            output.record({"name": name, "scopes": scopes.split(), "created": created.isoformat()})
        output.table(("name", "scopes", "created"), [(name, scopes, f"{made:%Y-%m-%d}") for name, scopes, made in rows])
    return DONE
