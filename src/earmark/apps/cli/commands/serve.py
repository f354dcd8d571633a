"""`earmark serve`: identification over HTTP, and a page to listen with."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from earmark.apps.cli.failures import DONE
from earmark.apps.cli.options import add_catalog, catalog_path, count, host_name, port
from earmark.apps.cli.output import Output
from earmark.errors import OptionError

SELF_SIGNED = "self-signed"
EXTRA = 'serving needs the extra "server": pip install "earmark[server]"'


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    add_catalog(parser)
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        metavar="ADDRESS",
        help="address to serve at (default: 127.0.0.1, this machine alone; 0.0.0.0 for its network)",
    )
    parser.add_argument("--port", type=port, default=8000, metavar="N", help="port (default: 8000; 0 for a free one)")
    parser.add_argument("--name", action="append", type=host_name, default=[], metavar="HOST",
                        help="host name that requests may come by, as of a proxy; repeat it")  # fmt: skip
    parser.add_argument("--tls", metavar="FILE", help=f"PEM file of a certificate, or {SELF_SIGNED}: browsers give a "
                        "microphone only to pages that come by HTTPS or from this machine")  # fmt: skip
    parser.add_argument("--tls-key", metavar="FILE", help="PEM file of the certificate's key")
    parser.add_argument(
        "--keys", metavar="FILE", help="file of API keys (default: earmark/keys.json in $XDG_CONFIG_HOME)"
    )
    parser.add_argument(
        "--anyone",
        choices=("nothing", "identify", "manage"),
        help="what callers without a key may do (default: manage where this machine alone can call, else nothing)",
    )
    parser.add_argument("--read-only", action="store_true", help="never change the catalog")
    parser.add_argument(
        "--private-streams",
        action="store_true",
        help="follow stations of this machine and its networks too",
    )
    parser.add_argument("--keep-clips", metavar="FOLDER", help="keep 15 s of each play as an Opus file")
    parser.add_argument("--most-clips", type=count, default=1_000, metavar="N", help="clips kept (default: 1000)")
    parser.add_argument("--behind-proxy", action="store_true",
                        help="believe a proxy on this machine which client it asks for")  # fmt: skip
    parser.add_argument("--workers", type=count, metavar="N", help="processes that answer (default: the cores)")
    parser.add_argument(
        "--most-requests", type=count, metavar="N", help="requests a minute of one caller (default: 600)"
    )
    parser.add_argument("--quiet", action="store_true", help="log errors only")


def run(options: argparse.Namespace) -> int:
    """Serve until a signal ends it."""
    try:
        from earmark.apps.server.keys import default_path
        from earmark.apps.server.logs import set_up_logs
        from earmark.apps.server.run import serve
        from earmark.apps.server.settings import Limits, ServerSettings
    except ModuleNotFoundError as error:
        raise OptionError(f"{EXTRA} ({error})") from error

    if bool(options.tls_key) != bool(options.tls and options.tls != SELF_SIGNED):
        raise OptionError(f"--tls-key belongs to --tls FILE; give both, or --tls {SELF_SIGNED} alone")
    keys = Path(options.keys) if options.keys else default_path()
    names, certificate = tuple(options.name), None
    if options.tls == SELF_SIGNED:
        from earmark.apps.server.tls import self_signed

        certificate = self_signed(keys.parent / "tls", names)
    elif options.tls:
        from earmark.apps.server.tls import checked_certificate

        certificate = checked_certificate(Path(options.tls), Path(options.tls_key))
    limits = Limits() if options.most_requests is None else Limits(requests_a_minute=options.most_requests)
    anyone = None if options.anyone is None else options.anyone.replace("nothing", "")
    settings = ServerSettings(
        catalog_path(options),
        keys,
        host=options.host,
        port=options.port,
        names=names,
        anyone=anyone,
        read_only=options.read_only,
        behind_proxy=options.behind_proxy,
        certificate=certificate,
        workers=options.workers,
        private_streams=options.private_streams,
        keep_clips=Path(options.keep_clips) if options.keep_clips else None,
        most_clips=options.most_clips,
        limits=limits,
    )
    set_up_logs(quiet=options.quiet)
    output = Output(quiet=options.quiet)

    def started(port: int) -> None:
        output.remark(f"serving {settings.catalog} at {replace(settings, port=port).address}")
        if elsewhere := replace(settings, port=port).address_elsewhere:
            output.remark(f"other machines of its network reach it at {elsewhere}")
        if not settings.scope_of_anyone:
            output.remark("callers need a key: `earmark serve keys --add NAME` makes one")

    serve(settings, started=started)
    return DONE
