#!/usr/bin/env python3
"""Kill a monitor with SIGKILL at random moments, start it again, and compare its plays with those of one left in peace.

    python benchmarks/kill_monitor.py CATALOG BROADCAST [--kills 50] [--seed 1]

BROADCAST is a file that holds recordings of CATALOG; at the end, each play must be there once. The moments are seconds
of its sound, so that a slow machine is killed in the middle of its work too.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import soundfile

import earmark

LONGEST_SECONDS = 0.5  # of the clock from a look to the kill, so that it may come in the middle of the next one
PROGRAM = """
import sys, threading, time
import earmark
with earmark.open(sys.argv[1], read_only=True) as catalog:
    options = earmark.MonitorOptions(look_seconds=5.0)
    with earmark.Monitor(catalog, [earmark.Station(sys.argv[2], sys.argv[3], start=1.7e9)], options=options) as monitor:
        def tell():
            while True:
                for one in monitor.status():
                    print(one.seconds, flush=True)
                time.sleep(0.02)
        threading.Thread(target=tell, daemon=True).start()
        for event in monitor.events():
            pass
"""


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
    chance, run_number = Random(options.seed), time.time_ns()

    def run(station: str, until: float = float("inf")) -> bool:
        """Follow the broadcast to a second of its sound, then kill; return whether it ended before."""
        arguments = [sys.executable, "-c", PROGRAM, str(options.catalog), station, str(options.broadcast)]
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as running:
            assert running.stdout is not None
            for line in running.stdout:
                if float(line) >= until:
                    time.sleep(chance.uniform(0, LONGEST_SECONDS))
                    running.send_signal(signal.SIGKILL)
                    return False
        return True

    length, ended = soundfile.info(options.broadcast).duration, 0
    run(f"peace-{run_number}")
    for number in range(options.kills):
        ended += run(f"killed-{run_number}", chance.uniform(0, length))
        print(f"{number + 1 - ended} kills", end="\r", flush=True)
    run(f"killed-{run_number}")
    with earmark.open(options.catalog, read_only=True) as catalog:
        wanted, found = spans(catalog, f"peace-{run_number}"), spans(catalog, f"killed-{run_number}")
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
