"""Questions on a machine that is busy: 64 at once beside programs that take every core, and one of three hours.

    python benchmarks/busy_machine.py CATALOG CLIPS --corpus FOLDER [--threads 64] [--hours 3]

CATALOG, CLIPS and FOLDER are as for benchmarks/concurrency.py. Bars: every clip has the answer that it has alone, in at
most 600 MB for this process and its children together (PSS); the long question costs this process at most 300 MB.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from concurrency import memory, rows, write_long

import earmark
from earmark.extract.pool import usable_cores

MOST_TOGETHER, MOST_FOR_LONG = 600.0, 300.0  # MB


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("catalog", type=Path)
    parser.add_argument("clips", type=Path)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=64)
    parser.add_argument("--hours", type=float, default=3.0)
    options = parser.parse_args()
    queries = [row for row in rows(options.clips / "queries.csv") if row["seconds"] == "5" and row["track_id"]]
    clips = [options.clips / row["path"] for row in queries[:: max(len(queries) // options.threads, 1)]]
    with earmark.open(options.catalog, create=False, read_only=True) as catalog:
        passed = beside_busy_programs(catalog, clips[: options.threads])
        if options.hours:
            recordings = [options.corpus / row["path"] for row in rows(options.corpus / "music.csv")]
            passed &= long_question(catalog, recordings, options.hours)
    sys.exit(0 if passed else 1)


def beside_busy_programs(catalog: earmark.Catalog, clips: Sequence[Path]) -> bool:
    alone = [best(catalog.identify(clip)) for clip in clips]
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(usable_cores())]
    try:
        began = time.perf_counter()
        answers, most = watched(lambda: at_once(catalog, clips), lambda: memory() - busy_memory(busy))
        took = time.perf_counter() - began
    finally:
        for process in busy:
            process.kill()
            process.wait()
    right = sum(one == other for one, other in zip(alone, answers, strict=True))
    print(f"{right} of {len(clips)} as alone ({sum(map(bool, alone))} found), {took:.0f} s, at most {most:.0f} MB")
    return right == len(clips) and most <= MOST_TOGETHER


def at_once(catalog: earmark.Catalog, clips: Sequence[Path]) -> list[str]:
    with ThreadPoolExecutor(len(clips)) as pool:
        return list(pool.map(lambda clip: best(catalog.identify(clip)), clips))


def best(answer: earmark.Answer) -> str:
    return answer.best.track.id if answer.best else ""


def long_question(catalog: earmark.Catalog, recordings: Sequence[Path], hours: float) -> bool:
    with tempfile.TemporaryDirectory() as name:
        long = write_long(Path(name) / "long.wav", recordings, hours)
        before, began = own_memory(), time.perf_counter()
        answer, most = watched(lambda: catalog.identify(long, several=True, limit=500), own_memory)
    took = time.perf_counter() - began
    cost = f"{most - before:.0f} MB more here, {most:.0f} in all"
    print(f"{hours:g} h: {len(answer.matches)} matches in {took:.0f} s, {cost}")
    return most - before <= MOST_FOR_LONG


def watched(work: Callable[[], Any], measure: Callable[[], float]) -> tuple[Any, float]:
    """Return what a piece of work returns, and the most that a measure gave meanwhile."""
    most, done = 0.0, threading.Event()

    def watch() -> None:
        nonlocal most
        while not done.wait(0.1):
            most = max(most, measure())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        result = work()
    finally:
        done.set()
        watcher.join()
    return result, most


def own_memory() -> float:
    return proportional("self")


def busy_memory(processes: Sequence[subprocess.Popen[bytes]]) -> float:
    return sum(proportional(str(process.pid)) for process in processes)


def proportional(process: str) -> float:
    """Return the memory of a process, MB; what it shares with others counts in part (PSS)."""
    return int(Path(f"/proc/{process}/smaps_rollup").read_text().partition("Pss:")[2].split()[0]) / 1e3


if __name__ == "__main__":
    main()
