#!/usr/bin/env python3
"""Kill a monitor with SIGKILL at random moments, start it again, and compare its plays with those of one left in peace.

    python benchmarks/kill_monitor.py CATALOG BROADCAST [--kills 50] [--seed 1]

BROADCAST is a file that holds recordings of CATALOG; at the end, each play must be there once.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import earmark

PROGRAM = """
import sys
import earmark
with earmark.open(sys.argv[1], read_only=True) as catalog:
    options = earmark.MonitorOptions(look_seconds=5.0)
    with earmark.Monitor(catalog, [earmark.Station(sys.argv[2], sys.argv[3], start=1.7e9)], options=options) as monitor:
        print("ready", flush=True)
        for event in monitor.events():
            pass
"""
LONGEST_SECONDS = 8.0  # before a kill, counted from when the monitor is ready


def spans(catalog: earmark.Catalog, station: str) -> list[tuple[str, float, float]]:
    found = catalog.plays.find(station=station)
    return [(one.track.id, one.start, one.end) for one in found if one.state != "rejected"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("catalog", type=Path)
    parser.add_argument("broadcast", type=Path)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    chance, run = Random(options.seed), time.time_ns()

    def start(station: str) -> subprocess.Popen[bytes]:
        arguments = [sys.executable, "-c", PROGRAM, str(options.catalog), station, str(options.broadcast)]
        running = subprocess.Popen(arguments, stdout=subprocess.PIPE)
        assert running.stdout is not None
        running.stdout.readline()
        return running

    start(f"peace-{run}").wait()
    ended = 0
    for _ in range(options.kills):
        with start(f"killed-{run}") as running:
            try:
                running.wait(timeout=chance.uniform(0, LONGEST_SECONDS))
                ended += 1
            except subprocess.TimeoutExpired:
                running.send_signal(signal.SIGKILL)
    start(f"killed-{run}").wait()
    with earmark.open(options.catalog, read_only=True) as catalog:
        wanted, found = spans(catalog, f"peace-{run}"), spans(catalog, f"killed-{run}")
        problems = catalog.plays.problems()
    same = [one[0] for one in wanted] == [one[0] for one in found]
    off = max(
        (
            abs(a - b)
            for one, other in zip(wanted, found, strict=False)
            for a, b in zip(one[1:], other[1:], strict=True)
        ),
        default=0.0,
    )
    print(f"{options.kills - ended} kills: {len(wanted)} plays in peace, {len(found)} with kills, same: {same}")
    print(f"borders differ by {off:.2f} s at most; {len(problems)} problems of the store")


if __name__ == "__main__":
    main()
