#!/usr/bin/env python3
"""Follow a simulated station for hours, faster than real time: memory, handles, threads and times must stay.

    python benchmarks/monitor_day.py CATALOG BROADCAST [--hours 24] [--stop-after 1200]

BROADCAST is a file that is on air again and again, each time from another second on. Its clock differs from the
machine's by 50 millionths, and its blocks come up to 2 s late. Each hour is a line; it ends after `--stop-after`
seconds of the clock at the latest.
"""

from __future__ import annotations

import argparse
import gc
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import earmark
from earmark.audio.decode import load
from earmark.streams.items import Item, Sound
from earmark.types import Samples

RATE = 16_000  # Hz
BLOCK_SECONDS = 0.5
CLOCK_ERROR = 50e-6  # seconds by which the station's clock gains in one of the machine's
LATEST_SECONDS = 2.0  # of a block's delay
BEGAN = 1.7e9  # UTC of the first sample
STEP_SECONDS = 137.0  # by which the broadcast begins later each time it is on air


class Simulated:
    """A station whose sound comes as fast as it is taken; implements `Source`."""

    is_live, rate, name = False, RATE, "simulated"

    def __init__(self, sound: Samples, seconds: float) -> None:
        self._sound, self._seconds, self._is_closed = sound, seconds, False

    def items(self) -> Iterator[Item]:
        draw, block, at, turn, sent = np.random.default_rng(1), round(BLOCK_SECONDS * RATE), 0, 0, 0
        while sent < self._seconds * RATE and not self._is_closed:
            part = self._sound[at : at + block]
            at += block
            if at >= len(self._sound):
                turn += 1
                at = round(turn * STEP_SECONDS * RATE) % (len(self._sound) // 2)
            sent += len(part)
            yield Sound(part, on_air(sent / RATE) + float(draw.uniform(0, LATEST_SECONDS)))

    def close(self) -> None:
        self._is_closed = True


def on_air(second: float) -> float:
    """Return the UTC at which a second of the station was on air."""
    return BEGAN + second * (1 + CLOCK_ERROR)


def usage() -> tuple[float, int, int]:
    """Return (MB of memory in use, open handles, threads) of this process."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return (
        pages * os.sysconf("SC_PAGE_SIZE") / 1e6,
        len(list(Path("/proc/self/fd").glob("*"))),
        threading.active_count(),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("catalog", type=Path)
    parser.add_argument("broadcast", type=Path)
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--stop-after", type=float, default=float("inf"))
    parser.add_argument("--every", type=float, default=1.0, help="hours from one line to the next")
    options = parser.parse_args()
    sound = load(options.broadcast, rate=RATE)[0]
    began, spent, told, plays = time.monotonic(), time.process_time(), 0, dict[int, float]()
    settings = earmark.MonitorOptions(look_seconds=15.0)
    with earmark.open(options.catalog, read_only=True) as catalog:
        station = earmark.Station(f"simulated-{time.time_ns()}", Simulated(sound, 3600 * options.hours))
        with earmark.Monitor(catalog, [station], options=settings) as monitor:
            for event in monitor.events():
                (status,) = monitor.status()
                if event.play is not None and event.kind == "closed":
                    play = event.play
                    plays[play.number] = play.start - on_air(play.source_start)
                if status.seconds >= 3600 * options.every * (told + 1):
                    told += 1
                    memory, handles, threads = usage()
                    off = max(map(abs, plays.values()), default=0.0)
                    print(
                        f"{status.seconds / 3600:.2f} h: {memory:.0f} MB, {handles} handles, {threads} threads, "
                        f"{len(plays)} plays, at most {1000 * off:.0f} ms off; "
                        f"{status.seconds / (time.process_time() - spent):.0f} x real time",
                        flush=True,
                    )
                if time.monotonic() - began > options.stop_after:
                    break


if __name__ == "__main__":
    main()
