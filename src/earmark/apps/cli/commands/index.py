"""`earmark index`: add files and folders of music to the catalog."""

from __future__ import annotations

import argparse
import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from earmark.apps.cli.changes import absent_disk, departures, moves
from earmark.apps.cli.failures import DONE, INTERRUPTED, PARTLY, message_line
from earmark.apps.cli.options import add_catalog, add_longest, add_output, add_stream, catalog_path, count
from earmark.apps.cli.output import Output
from earmark.apps.cli.settings import add_settings, settings_of
from earmark.apps.text import amount, clock, cut, lasting, shown_path
from earmark.fingerprints import DEFAULT, DESCRIPTIONS, SHOWN
from earmark.text import escaped

if TYPE_CHECKING:
    from earmark import Progress
    from earmark.types import AddReport, Track

BAR_CELLS = 20  # characters of the bar
FIRST_ESTIMATE_SECONDS = 3.0  # seconds of work that tell how long the rest takes
COUNTED = ("added", "updated", "unchanged", "failed", "skipped", "moved", "duplicates", "missing")
SAID = {name: name for name in ("changed", "unchanged", "failed")} | {"skipped": "passed over", "missing": "gone"}
LONGEST_SECONDS = 86_400  # ExtractLimits.longest_seconds, which is not imported for a page of help
KINDS = "\n".join(f"  {name:11}{description}" for name, description in zip(SHOWN, DESCRIPTIONS.values(), strict=True))
EPILOGUE = f"""\
Run it again and only what is new or changed is done; Ctrl-C keeps what is done. What lies beside the music and is no
audio is passed over; a cue sheet beside a file, and its chapters, give names to its parts.

Fingerprinters:
{KINDS}

The index is both, auto, linear, lsh, hashcode, pq or hnsw for vectors, postings for landmarks. All options of a new
catalog are written in it: leave them out afterwards.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("paths", nargs="+", metavar="PATH", help="audio or video files, and folders with such in them")
    add_catalog(parser)
    parser.add_argument("--workers", type=count, metavar="N", help="files to decode at a time (default: one a core)")
    add_longest(parser, LONGEST_SECONDS)
    add_stream(parser)
    parser.add_argument(
        "--exclude",
        action="append",
        default=[],
        metavar="PATTERN",
        help="pass over what has such a name in the folders, as '*.wav'; with a / such a path; may be repeated",
    )
    parser.add_argument("--follow-links", action="store_true", help="go into folders that are links")
    parser.add_argument("--dry-run", action="store_true", help="say what would be read, and read nothing")
    made = parser.add_argument_group("how a new catalog is made")
    made.add_argument(
        "--fingerprinter", metavar="NAME", help=f"how sound becomes features: {' or '.join(SHOWN)} (default: {DEFAULT})"
    )
    add_settings(made)
    made.add_argument(
        "--index", metavar="NAME", help="what looks features up (default: both, auto without peaks; postings)"
    )
    add_output(parser)
    parser.epilog = EPILOGUE


def run(options: argparse.Namespace) -> int:
    """Add the files and say what became of them; exit status 1 when some failed."""
    import earmark

    output = Output.of(options)
    if options.dry_run:
        return rehearse(output, options)
    kind = {"fingerprinter": options.fingerprinter, "index": options.index, **settings_of(options)}
    limits = earmark.ExtractLimits(longest_seconds=options.longest or LONGEST_SECONDS, stream=options.stream)
    began = time.perf_counter()
    if (nothing := nothing_to_add(options)) is not None:
        for path, reason in () if output.json else nothing.failed:
            message_line(f"failed: {shown_path(path)}: {reason}")
        show(output, nothing, time.perf_counter() - began)
        output.remark("there is nothing to add, so no catalog was made")
        return PARTLY if nothing.failed else DONE
    with earmark.open(catalog_path(options), limits=limits, **kind) as catalog, watching(output) as progress:
        report = catalog.add(
            options.paths,
            workers=options.workers,
            progress=progress,
            exclude=options.exclude,
            follow_links=options.follow_links,
        )
    show(output, report, time.perf_counter() - began)
    if report.interrupted:
        output.remark("earmark: interrupted; what was added is kept: run the same command again to go on")
        return INTERRUPTED
    return PARTLY if report.failed else DONE


def nothing_to_add(options: argparse.Namespace) -> AddReport | None:
    """Return why an empty catalog would be made; None where there is one, or something to add."""
    from earmark.catalog.local.durable import is_catalog
    from earmark.catalog.preview import preview
    from earmark.types import AddReport

    if is_catalog(catalog_path(options)):
        return None
    found = preview(catalog_path(options), options.paths, exclude=options.exclude, follow_links=options.follow_links)
    return None if found.new else AddReport(failed=tuple(found.failed), skipped=tuple(found.skipped))


def rehearse(output: Output, options: argparse.Namespace) -> int:
    """Print what a run would do."""
    from earmark.catalog.preview import preview

    found = preview(catalog_path(options), options.paths, exclude=options.exclude, follow_links=options.follow_links)
    for status, paths in (("new", found.new), ("changed", found.changed)):
        for path in paths:
            output.record({"status": status, "path": path})
            output.line(f"{status}: {shown_path(path)}")
    for status, reasons in (("skipped", found.skipped), ("failed", found.failed)):
        for path, reason in reasons:
            output.record({"status": status, "path": path, "reason": reason})
    for track in found.missing:
        output.record({"status": "missing", "path": track.path})
        output.line(f"gone: {shown_path(track.path)}")
    for path, reason in found.failed:
        message_line(f"failed: {shown_path(path)}: {reason}")
    if output.verbose:
        output.remarks([f"passed over: {shown_path(path)}: {reason}" for path, reason in found.skipped])
    counts = {
        name: len(getattr(found, name)) for name in ("new", "changed", "unchanged", "skipped", "failed", "missing")
    }
    output.record({"status": "dry run", **counts})
    rest = "".join(f", {count:,} {SAID[name]}" for name, count in counts.items() if count and name != "new")
    output.line(f"would read {amount(counts['new'], 'new file')}{rest}")
    return PARTLY if found.failed else DONE


@contextlib.contextmanager
def watching(output: Output) -> Iterator[Callable[[Progress], None]]:
    """Give what is to be called after each file: failures are told as they happen, all files with --verbose."""

    def tell(progress: Progress) -> None:
        if output.verbose:
            message_line(line(progress))
        elif progress.outcome == "failed" and not output.json:
            message_line(f"failed: {shown_path(progress.path)}: {progress.reason}")

    if output.interactive and not output.verbose:
        with bar() as advance:

            def tell_and_advance(progress: Progress) -> None:
                tell(progress)
                advance(progress)

            yield tell_and_advance
    else:
        yield tell


def line(progress: Progress) -> str:
    """Return what became of one file."""
    reason = f": {progress.reason}" if progress.reason else ""
    return f"{progress.done}/{progress.total} {progress.outcome} {shown_path(progress.path)}{reason}"


@contextlib.contextmanager
def bar() -> Iterator[Callable[[Progress], None]]:
    """Draw a progress bar: files, how many times faster than the music plays, and the time that is left."""
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    columns = (BarColumn(BAR_CELLS), TextColumn("{task.description}", markup=False))
    began = time.perf_counter()
    with Bar(*columns, console=console, transient=True) as drawing:
        task = drawing.add_task("looking for files", total=None)

        def advance(progress: Progress) -> None:
            seconds = time.perf_counter() - began
            text = progress_text(progress, seconds)
            text = cut(f"{text}  {escaped(Path(progress.path).name)}", max(console.width - BAR_CELLS - 2, 1))
            drawing.update(task, total=progress.total, completed=progress.done, description=text)

        yield advance


def progress_text(progress: Progress, seconds: float) -> str:
    """Return '120 of 4,000 files, 410 × real time, 2 h 10 min left'."""
    parts = [f"{progress.done:,} of {amount(progress.total, 'file')}"]
    if progress.seconds_done:
        parts.append(f"{progress.seconds_done / max(seconds, 1e-3):,.0f} × real time")
    if progress.done < progress.total and seconds > FIRST_ESTIMATE_SECONDS:
        parts.append(f"{lasting(seconds / progress.done * (progress.total - progress.done))} left")
    return ", ".join(parts)


def show(output: Output, report: AddReport, elapsed: float) -> None:
    """Print what became of all files; failures have been told."""
    if output.json:
        for record in records(report):
            output.record(record)
    output.remarks(moves(report.moved))
    output.remarks([
        f"replaced: {shown_path(before.path)}: {replacement(before, now)}" for before, now in report.replaced
    ])  # fmt: skip
    output.remarks([
        f"duplicate: {shown_path(path)} has the content of {shown_path(other)}" for path, other in report.duplicates
    ])  # fmt: skip
    output.remarks([
        f"incomplete: {shown_path(track.path)}: it breaks off or has damaged parts; {clock(track.seconds)} were read"
        for track in (*report.added, *report.updated) if not track.complete
    ])  # fmt: skip
    if output.verbose:
        output.remarks([f"passed over: {shown_path(path)}: {reason}" for path, reason in report.skipped])
    output.remarks(departures(report.missing, each=output.verbose))
    if report.missing:
        output.remark(advice(report))
    seconds = sum(track.seconds for track in (*report.added, *report.updated))
    counts = {name: len(getattr(report, name)) for name in COUNTED}
    ending = "interrupted" if report.interrupted else "done"
    output.record({"status": ending, **counts, "seconds": seconds, "elapsed": elapsed})
    output.line(summary(counts, seconds, elapsed, duplicates=len(report.duplicates)))


def advice(report: AddReport) -> str:
    """Return what to do about tracks whose files are gone."""
    count = amount(len(report.missing), "track") + " without a file"
    given = {Path(path).absolute() for path, _ in report.failed if not os.path.lexists(path)}
    is_absent = any(not given.isdisjoint(Path(track.path).parents) for track in report.missing)
    if is_absent or absent_disk(report.missing):
        return f"{count}: is a disk not mounted? If they were moved, index the folder where they are now"
    return f"{count}; `earmark prune` forgets such tracks"


def records(report: AddReport) -> Iterator[dict[str, Any]]:
    """Yield the objects of --json."""
    from earmark.apps.records import track_record

    for status, tracks in (("added", report.added), ("updated", report.updated)):
        yield from ({"status": status, "track": track_record(track)} for track in tracks)
    moved = {now: before for before, now in report.moved}
    duplicates = dict(report.duplicates)
    for path in report.unchanged:
        more = {"moved_from": moved[path]} if path in moved else {}
        more |= {"duplicate_of": duplicates[path]} if path in duplicates else {}
        yield {"status": "unchanged", "path": path, **more}
    for status, reasons in (("skipped", report.skipped), ("failed", report.failed)):
        yield from ({"status": status, "path": path, "reason": reason} for path, reason in reasons)
    yield from ({"status": "missing", "track": track_record(track)} for track in report.missing)


def replacement(before: Track, now: Track) -> str:
    """Return how what a file holds differs from what it held."""
    if now.path != before.path:
        return f"it was {before.title!r} and has the content of {shown_path(now.path)} now"
    if now.title != before.title:
        return f"it was {before.title!r} and is {now.title!r} now"
    if abs(now.seconds - before.seconds) >= 1:
        return f"it lasted {clock(before.seconds)} and lasts {clock(now.seconds)} now"
    return "its tags or its sound changed"


def summary(counts: dict[str, int], seconds: float, elapsed: float, *, duplicates: int = 0) -> str:
    """Return one line about a run; duplicates are told apart from the rest of what is unchanged."""
    counts = {**counts, "unchanged": counts["unchanged"] - duplicates}
    parts = [amount(counts["added"], "track") + " added"]
    parts += [f"{counts[name]:,} {name}" for name in ("updated", "unchanged") if counts[name]]
    parts += [amount(duplicates, "duplicate")] if duplicates else []
    parts += [f"{counts['failed']:,} failed"] if counts["failed"] else []
    parts += [f"{counts['skipped']:,} passed over"] if counts["skipped"] else []
    audio = f"; {clock(seconds)} of audio in {elapsed:.1f} s" if seconds else ""
    return ", ".join(parts) + audio
