"""`earmark monitor`: follow streams, files and microphones, and log what they play."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from earmark.apps.cli.failures import DONE, PARTLY, UNREADABLE, error_line
from earmark.apps.cli.options import add_catalog, add_output, catalog_path, count, duration, probability
from earmark.apps.cli.output import Output
from earmark.apps.text import clock
from earmark.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from earmark import Catalog
    from earmark.apps.monitor.events import MonitorEvent
    from earmark.apps.monitor.monitor import MonitorOptions, Recorder
    from earmark.catalog.plays import Play

LISTS = {"csv": "a table for spreadsheets", "cue": "a cue sheet a station", "audacity": "labels that Audacity imports"}


def moment(text: str) -> float:
    """Return '2026-11-29T12:00:00Z' as seconds since 1970; a time without a zone is local."""
    try:
        return datetime.fromisoformat(text).astimezone().timestamp()
    except (ValueError, OverflowError) as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no time as 2026-11-29T12:00:00Z ({error})") from None


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "sources", nargs="+", metavar="SOURCE",
        help="a file, a URL of radio (HTTP, ICY, HLS), - for standard input, mic or mic:DEVICE, or a TOML file of such",
    )  # fmt: skip
    add_catalog(parser)
    parser.add_argument("--name", action="append", default=[], metavar="NAME", help="name of a source, in their order")
    parser.add_argument("--zone", default="", metavar="ZONE", help="time zone of the sources, as Europe/Berlin")
    parser.add_argument(
        "--start", type=moment, metavar="TIME",
        help="when files and standard input begin, as 2026-11-29T12:00:00Z (default: when a file was changed, less "
        "its length)",
    )  # fmt: skip
    parser.add_argument(
        "--threshold",
        type=probability,
        metavar="P",
        help="accept plays of this confidence (default: the calibrated one)",
    )
    parser.add_argument(
        "--review", type=probability, metavar="P", help="keep less sure plays for review, from this confidence on"
    )
    parser.add_argument(
        "--rejected", type=probability, metavar="P",
        help="log what is not sure enough too, from this confidence on, with level and evidence",
    )  # fmt: skip
    parser.add_argument(
        "--look", type=duration, metavar="SECONDS",
        help="look every SECONDS of sound (default: 5, or 15 while one recording plays beyond doubt; of files 30)",
    )  # fmt: skip
    parser.add_argument("--workers", type=count, metavar="N", help="stations at a time (default: one a core)")
    parser.add_argument("--public", action="store_true", help="refuse URLs that lead to this machine or its networks")
    parser.add_argument(
        "--webhook", metavar="URL", help="send each event of a play there; $EARMARK_WEBHOOK_SECRET signs"
    )
    parser.add_argument("--keep-clips", metavar="FOLDER", help="keep 15 s of each play as an Opus file")
    parser.add_argument("--most-clips", type=count, default=1_000, metavar="N", help="clips kept (default: 1000)")
    parser.add_argument(
        "--keep-sound", type=duration, metavar="HOURS",
        help="keep fingerprints of the last HOURS, so that `earmark rescan` finds tracks that are added later",
    )  # fmt: skip
    parser.add_argument("--evaluate", metavar="TRUTH.csv", help="at the end, score the plays by a table of what played")
    add_output(parser)
    lists = parser.add_mutually_exclusive_group()
    for name, what in LISTS.items():
        lists.add_argument(f"--{name}", dest="list", action="store_const", const=name, help=f"print {what} at the end")


def run(options: argparse.Namespace) -> int:
    """Follow the sources until they end; Ctrl-C ends them, and what plays then is closed."""
    import earmark
    from earmark.apps.monitor.export import FORMATS
    from earmark.apps.monitor.monitor import Monitor
    from earmark.apps.monitor.stations import stations_of

    output = Output.of(options)
    if options.list and (options.json or options.quiet):
        other = "json" if options.json else "quiet"
        raise OptionError(f"--{options.list} and --{other} exclude each other: choose one")
    stations = stations_of(options.sources, options.name, zone=options.zone, start=options.start)
    with earmark.open(catalog_path(options), create=False, read_only=True) as catalog:
        heard: dict[int, Play] = {}
        failed: dict[str, str] = {}
        show = _silent if options.list else _shown(output)
        with (
            _recorders(options, catalog) as recorders,
            Monitor(catalog, stations, options=_options(options), recorders=recorders) as monitor,
        ):
            try:
                for event in monitor.events():
                    _note(event, heard, failed)
                    show(event)
            except KeyboardInterrupt:
                output.remark("earmark: ending; what plays is written")
                monitor.close()
                for event in monitor.events():
                    _note(event, heard, failed)
                    show(event)
        plays = sorted((one for one in heard.values() if one.state != "rejected"), key=lambda one: one.start)
        if options.list:
            print(FORMATS[options.list](plays), end="")
        if options.evaluate:
            _evaluate(output, Path(options.evaluate), catalog, plays)
    for name, reason in failed.items():
        error_line(f"{name}: {reason}")
    return (UNREADABLE if len(failed) == len(stations) else PARTLY) if failed else DONE


def _options(options: argparse.Namespace) -> MonitorOptions:
    from earmark.apps.monitor.monitor import MonitorOptions

    return MonitorOptions(
        threshold=options.threshold,
        review=options.review,
        candidates=options.rejected,
        look_seconds=options.look,
        allows_private=not options.public,
        workers=options.workers,
    )


@contextmanager
def _recorders(options: argparse.Namespace, catalog: Catalog) -> Iterator[list[Recorder]]:
    """Give what keeps clips and sound and sends events, as far as that is asked for."""
    found: list[Recorder] = []
    with ExitStack() as stack:
        if options.keep_clips:
            from earmark.apps.monitor.clips import Clips

            found.append(Clips(Path(options.keep_clips), most=options.most_clips))
        if options.keep_sound:
            from earmark.apps.monitor.kept import KeptSound

            found.append(KeptSound(catalog, hours=options.keep_sound))
        if options.webhook:
            from earmark.apps.monitor.webhook import Webhook
            from earmark.streams.addresses import AddressRule

            rule = AddressRule(allows_private=not options.public)
            secret = os.environ.get("EARMARK_WEBHOOK_SECRET", "")
            webhook = Webhook(catalog.plays, options.webhook, secret=secret, rule=rule)
            webhook.start()
            stack.callback(webhook.close)
            found.append(webhook)
        yield found


def _note(event: MonitorEvent, heard: dict[int, Play], failed: dict[str, str]) -> None:
    if event.kind == "withdrawn" and event.play is not None:
        heard.pop(event.play.number, None)
    elif event.play is not None:
        heard[event.play.number] = event.play
    if event.kind == "ended" and event.detail.get("reason"):
        failed[event.station] = str(event.detail["reason"])


def _shown(output: Output) -> Callable[[MonitorEvent], object]:
    """Return what prints an event in the form that is wanted."""
    from earmark.apps.monitor.records import event_record

    def show(event: MonitorEvent) -> None:
        output.record(event_record(event))
        if line := sentence(event):
            output.line(line)
        sys.stdout.flush()

    return show


def _silent(event: MonitorEvent) -> None:
    """Print nothing: a list follows at the end."""


def sentence(event: MonitorEvent) -> str:
    """Return an event as a line, '' for one that is not told."""
    from earmark.apps.monitor.export import named
    from earmark.apps.monitor.records import local

    play = event.play
    if play is None:
        return _other_sentence(event)
    when = local(play.start, play.utc_offset)[:19].replace("T", " ")
    place = f"from {clock(play.reference_start)} of {clock(play.track.seconds)}"
    sure = f"{play.prominence}, confidence {play.confidence:.3f}"
    if play.state == "review":
        sure += ", for review"
    match event.kind:
        case "first_heard":
            return f"{play.station}: {when}: {named(play)}, {place}, {sure}"
        case "confirmed":
            return f"{play.station}: {when}: {named(play)} is sure now, {sure}"
        case "withdrawn":
            return f"{play.station}: {when}: {named(play)} was a mistake"
        case "known":
            return f"{play.station}: {when}: {named(play)}, as it was known before, {sure}"
        case _:
            return f"{play.station}: {when}: {named(play)} ended after {clock(play.seconds)}, {sure}"


def _other_sentence(event: MonitorEvent) -> str:
    detail = event.detail
    match event.kind:
        case "gap":
            dropped = f", {detail['dropped_seconds']:.1f} s lost" if detail["dropped_seconds"] else ""
            return f"{event.station}: gap: {detail['reason']}{dropped}"
        case "title":
            return f'{event.station}: the stream says "{detail["title"]}"'
        case "candidate":
            name = " - ".join(part for part in (detail["artist"], detail["title"]) if part)
            figures = ", ".join(f"{key} {value:.4g}" for key, value in detail["evidence"].items())
            sure = f"confidence {detail['confidence']:.4f}, {detail['level']} dB"
            return f"{event.station}: not sure: {name}, {sure}, {figures}"
    return ""


def _evaluate(output: Output, table: Path, catalog: Catalog, plays: Sequence[Play]) -> None:
    """Print the scores of plays by a table of what was on air."""
    from earmark.apps.monitor.truth import evaluated, read_truth
    from earmark.evaluation.scenes import report

    rows = evaluated(read_truth(table, catalog), plays)
    output.record({"evaluation": report.record(rows)})
    for row in rows:
        shares = ((name, getattr(row, name)) for name in ("precision", "recall", "f1"))
        figures = [f"{name} {value:.3f}" for name, value in shares if value is not None]
        others = (
            ("pieces a play", row.fragmentation),
            ("s too long", row.over_seconds),
            ("s at borders", row.border_median),
        )
        figures += [f"{value:.2f} {name}" for name, value in others if value is not None]
        output.line(
            f"{row.condition}{f' {row.label}' if row.label else ''}: {', '.join(figures)}, {row.invented} invented"
        )
