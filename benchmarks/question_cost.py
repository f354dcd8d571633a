"""What a question of a catalog costs, part by part, and how often it is answered: for one catalog after another.

    python benchmarks/question_cost.py CATALOG... --clips CLIPS --corpus MUSIC [--only noise0@5,neg@5] [--count 60]
                                       [--json FILE]

Clips are fingerprinted first, which is not counted. Times are of the processor: the search of each channel, the votes,
what is read of the store and unpacked, and the rest, which is comparing. The first question, which has everything to
read, is told apart; so are opening and memory, for which each catalog is opened in a process of its own.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import soxr

import earmark
from earmark.audio.decode import load
from earmark.catalog import identify
from earmark.fingerprints.protocol import Fingerprinter
from earmark.index.channels import ChannelsSnapshot
from earmark.match import look
from earmark.types import Answer, Fingerprint

RATE = 16_000  # Hz of the clips
PARTS = ("vectors", "landmarks", "votes", "reading", "unpacking")  # parts of a question; the rest is comparing


@dataclass(frozen=True)
class Question:
    """A clip and where it is from: the path of its recording, empty for what no catalog holds."""

    cell: str
    path: str
    fingerprint: Fingerprint


@dataclass
class Clock:
    """Seconds of the processor in each part of the questions so far."""

    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    def timed(self, part: str, work: Callable[..., Any]) -> Callable[..., Any]:
        """Return what does the same work, counted."""

        def counted(*arguments: Any, **options: Any) -> Any:
            began = time.process_time()
            try:
                return work(*arguments, **options)
            finally:
                self.seconds[part] += time.process_time() - began

        return counted


@contextmanager
def watched(catalog: earmark.Catalog) -> Iterator[Clock]:
    """Give a clock that counts what the questions of a catalog take."""
    clock, search = Clock(), ChannelsSnapshot.search

    def by_channel(self: ChannelsSnapshot, channel: str, *arguments: Any, **options: Any) -> Any:
        return clock.timed(channel, search)(self, channel, *arguments, **options)

    matching: Any = look
    identifying: Any = identify
    vote, unpacked, read = matching.vote, identifying.unpacked, catalog._store.fingerprints
    changed: tuple[tuple[Any, str, Any, Any], ...] = (
        (ChannelsSnapshot, "search", by_channel, search),
        (matching, "vote", clock.timed("votes", vote), vote),
        (identifying, "unpacked", clock.timed("unpacking", unpacked), unpacked),
        (catalog._store, "fingerprints", clock.timed("reading", read), read),
    )
    for place, name, counted, _ in changed:
        setattr(place, name, counted)
    try:
        yield clock
    finally:
        for place, name, _, plain in changed:
            setattr(place, name, plain)


def questions(options: argparse.Namespace, maker: Fingerprinter) -> list[Question]:
    """Return the first clips of each condition, fingerprinted."""
    with (options.corpus / "music.csv").open(newline="") as handle:
        paths = {row["track_id"]: str((options.corpus / row["path"]).resolve()) for row in csv.DictReader(handle)}
    wanted, found = options.only.split(","), defaultdict[str, list[Question]](list)
    with (options.clips / "queries.csv").open(newline="") as handle:
        for row in csv.DictReader(handle):
            cell = f"{row['condition']}@{row['seconds']}"
            is_here = not row["track_id"] or row["track_id"] in paths
            if cell in wanted and is_here and len(found[cell]) < options.count:
                samples = soxr.resample(load(options.clips / row["path"], rate=RATE)[0], RATE, maker.rate)
                heard = maker.extract(samples, query=True)
                found[cell].append(Question(cell, paths.get(row["track_id"], ""), heard))
    return [one for cell in wanted for one in found[cell]]


def is_right(question: Question, answer: Answer) -> bool:
    """Return whether the surest match is the recording that the clip is from."""
    return answer.best is not None and str(Path(answer.best.track.path).resolve()) == question.path


def ask(path: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Return the figures of one catalog."""
    began = time.perf_counter()
    with earmark.open(path, create=False, read_only=True) as catalog:
        opened, information = time.perf_counter() - began, catalog.info()
        asked = questions(options, catalog._fingerprinter)
        began = time.process_time()
        catalog.identify(asked[0].fingerprint)
        first = time.process_time() - began
        cells = {}
        for cell in dict.fromkeys(one.cell for one in asked):
            own = [one for one in asked if one.cell == cell]
            with watched(catalog) as clock:
                began = time.process_time()
                answers = [catalog.identify(one.fingerprint, threshold=0) for one in own]
                whole = time.process_time() - began
            figures = {part: 1000 * clock.seconds[part] / len(own) for part in PARTS}
            figures["comparing"] = 1000 * whole / len(own) - sum(figures.values())
            sure = sum(bool(one.matches) and one.matches[0].confidence >= catalog.threshold for one in answers)
            rank_1 = sum(map(is_right, own, answers)) / len(own) if own[0].path else None
            cells[cell] = {"clips": len(own), "rank_1": rank_1, "accepted": sure / len(own), "milliseconds": figures}
    return {
        "catalog": path.name,
        "tracks": information["tracks"],
        "hours": information["seconds"] / 3600,
        "vectors": information["index_stats"].get("vectors", 0),
        "bytes": information["index_bytes"] + information["database_bytes"],
        "open_seconds": opened,
        "first_question_seconds": first,
        "peak_megabytes": memory("VmHWM") / 1e6,
        "own_megabytes": memory("RssAnon") / 1e6,
        "cells": cells,
    }


def memory(kind: str) -> int:
    """Return bytes of memory of this process: RssAnon, its own; VmHWM, the most so far, with pages of files."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(f"{kind}:"))


def say(figures: dict[str, Any]) -> None:
    """Print the figures of one catalog."""
    print(
        "{catalog}: {tracks} tracks, {hours:.0f} h, {bytes:.3g} bytes; opened in {open_seconds:.2f} s, the first "
        "question {first_question_seconds:.2f} s; {peak_megabytes:.0f} MB at most, {own_megabytes:.0f} of them "
        "its own".format(**figures)
    )
    print(f"  {'':12}" + "".join(f"{part:>11}" for part in (*PARTS, "comparing", "all ms", "rank-1", "accepted")))
    for cell, own in figures["cells"].items():
        each = [f"{value:11.1f}" for value in own["milliseconds"].values()]
        first = "          -" if own["rank_1"] is None else f"{own['rank_1']:11.3f}"
        print(f"  {cell:12}{''.join(each)}{sum(own['milliseconds'].values()):11.1f}{first}{own['accepted']:11.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("catalogs", type=Path, nargs="+")
    parser.add_argument("--clips", type=Path, required=True)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--only", default="noise0@5,neg@5")
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--json", type=Path, help="file that a line for each catalog is added to")
    options = parser.parse_args()
    if len(options.catalogs) > 1:
        rest = sys.argv[1:]
        for catalog in options.catalogs:
            others = [one for one in rest if Path(one) not in options.catalogs]
            subprocess.run([sys.executable, __file__, str(catalog), *others], check=True)
        return
    figures = ask(options.catalogs[0], options)
    say(figures)
    if options.json:
        with options.json.open("a") as out:
            out.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main()
