"""`earmark duplicates`: which tracks of the catalog hold the same recording, or parts of one."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from earmark.apps.cli.failures import DONE, INTERRUPTED, NOT_FOUND
from earmark.apps.cli.options import add_catalog, add_csv, add_output, catalog_path, duration
from earmark.apps.cli.output import Output, ProgressLine
from earmark.apps.text import amount, clock, shown_path

if TYPE_CHECKING:
    from earmark.types import Duplicate, DuplicateGroup, Track

SHORTEST_SECONDS = 10.0  # catalog.duplicates.SHORTEST_SECONDS, which is not imported for a page of help
SLIGHT = 0.002  # difference of a speed from 1 that is not worth a word
RELATIONS = {"same": "is the same recording as", "part": "is part of", "overlap": "overlaps"}
COLUMNS = (
    "group", "relation", "speed",
    "first_id", "first_path", "first_start", "first_end",
    "second_id", "second_path", "second_start", "second_end",
)  # fmt: skip


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("folder", nargs="?", metavar="CATALOG", help="the catalog, as --catalog names it")
    add_catalog(parser)
    parser.add_argument(
        "--shortest",
        type=duration,
        default=SHORTEST_SECONDS,
        metavar="SECONDS",
        help=f"least length of what two tracks share, unless it is all of one (default: {SHORTEST_SECONDS:g})",
    )
    add_output(parser)
    add_csv(parser)


def run(options: argparse.Namespace) -> int:
    """Print the groups; exit status 1 when there are none. Ctrl-C prints those of what was found by then."""
    import earmark

    output, is_interrupted = Output.of(options), False
    pairs: list[Duplicate] = []
    line = ProgressLine(output)
    path = Path(options.folder) if options.folder else catalog_path(options)
    with earmark.open(path, create=False, read_only=True) as catalog:

        def progress(done: int, total: int) -> None:
            line.update(f"{done:,} of {amount(total, 'track')}, {amount(len(pairs), 'pair')}", done, total)

        try:
            for pair in catalog.duplicates(shortest=options.shortest, progress=progress):
                pairs.append(pair)
        except KeyboardInterrupt:
            is_interrupted = True
            output.remark("earmark: interrupted; these are the groups of what was found by then")
    groups = earmark.duplicate_groups(pairs)
    show(output, groups)
    if is_interrupted:
        return INTERRUPTED
    return DONE if groups else NOT_FOUND


def show(output: Output, groups: Sequence[DuplicateGroup]) -> None:
    """Print groups in the form that is wanted."""
    from earmark.apps.records import group_record

    for group in groups:
        output.record(group_record(group))
    output.rows(COLUMNS, [row for number, group in enumerate(groups, start=1) for row in rows(number, group)])
    for number, group in enumerate(groups, start=1):
        output.line(heading(number, group))
        for pair in group.pairs:
            output.line(f"  {sentence(pair)}")
            for one in pair.ranges:
                first = f"{clock(one.first_start)} to {clock(one.first_end)}"
                output.line(f"    {first} is {clock(one.second_start)} to {clock(one.second_end)}")
    if groups:
        output.ending(f"{amount(len(groups), 'group')}; `earmark remove` forgets tracks, and leaves their files")
    else:
        output.line("no track holds what another one holds")


def heading(number: int, group: DuplicateGroup) -> str:
    """Return 'group 1: 2 tracks of one recording, and 1 excerpt or overlap'."""
    tracks = amount(len(group.tracks), "track") + (" of one recording" if len(group.tracks) > 1 else "")
    parts = amount(len(group.parts), "excerpt or overlap") if group.parts else ""
    parts = f"{', and ' if len(group.tracks) > 1 else ' with '}{parts}" if parts else ""
    return f"group {number}: {tracks}{parts}"


def sentence(pair: Duplicate) -> str:
    """Return 'A is part of B, at 1.030 of its speed'."""
    speed = f", at {pair.speed:.3f} of its speed" if abs(pair.speed - 1) > SLIGHT else ""
    return f"{name(pair.first)} {RELATIONS[pair.relation]} {name(pair.second)}{speed}"


def name(track: Track) -> str:
    """Return what a track is called, and how long it is."""
    return f"{shown_path(track.path) or track.title or track.id} ({clock(track.seconds)})"


def rows(number: int, group: DuplicateGroup) -> list[tuple[object, ...]]:
    """Return a row for each shared range."""
    return [
        (
            number, pair.relation, round(one.speed, 5),
            pair.first.id, pair.first.path, round(one.first_start, 3), round(one.first_end, 3),
            pair.second.id, pair.second.path, round(one.second_start, 3), round(one.second_end, 3),
        )
        for pair in group.pairs
        for one in pair.ranges
    ]  # fmt: skip
