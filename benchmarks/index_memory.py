"""Peak memory of all processes while a folder is indexed, and while it is indexed again.

    python benchmarks/index_memory.py CATALOG FOLDER... [--workers N]

Ten times a second the PSS (/proc/PID/smaps_rollup) and RSS of the process and its children are summed. The second run
finds all files known, and must not need more than the first.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

INDEX = """
import sys, earmark
with earmark.open(sys.argv[1]) as catalog:
    report = catalog.add(sys.argv[3:], workers=int(sys.argv[2]) or None)
    hours = sum(track.seconds for track in report.added) / 3600
    print(f"{len(report.added)} added ({hours:.1f} h), {len(report.unchanged)} unchanged, {len(report.failed)} failed")
"""


class Meter(threading.Thread):
    """Sums the memory of a process and all below it, and keeps the peaks."""

    def __init__(self, process: int) -> None:
        super().__init__(daemon=True)
        self.process = process
        self.resident = self.proportional = 0  # kB
        self.ended = threading.Event()

    def run(self) -> None:
        """Measure until the end."""
        while not self.ended.wait(0.1):
            sizes = [memory(process) for process in family(self.process)]
            self.resident = max(self.resident, sum(resident for resident, _ in sizes))
            self.proportional = max(self.proportional, sum(proportional for _, proportional in sizes))


def family(process: int) -> Iterator[int]:
    """Yield a process and all its descendants that live."""
    yield process
    try:
        for task in Path(f"/proc/{process}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from family(int(child))
    except OSError:
        return  # it has ended meanwhile


def memory(process: int) -> tuple[int, int]:
    """Return (RSS, PSS) of a process in kB; zeros when it has ended."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0, 0
    sizes = {line.split(":")[0]: int(line.split()[1]) for line in lines[1:] if line.endswith("kB")}
    return sizes.get("Rss", 0), sizes.get("Pss", 0)


def main() -> None:
    """Index twice and print what each took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("catalog", type=Path)
    parser.add_argument("folders", nargs="+")
    parser.add_argument("--workers", type=int, default=0)
    options = parser.parse_args()
    for run in ("first run", "second run"):
        began = time.perf_counter()
        command = [sys.executable, "-c", INDEX, str(options.catalog), str(options.workers), *options.folders]
        with subprocess.Popen(command) as process:
            meter = Meter(process.pid)
            meter.start()
            process.wait()
            meter.ended.set()
            meter.join()
        seconds = time.perf_counter() - began
        print(
            f"{run}: {seconds:.0f} s, peak of all processes together {meter.resident / 1e3:.0f} MB RSS, "
            f"{meter.proportional / 1e3:.0f} MB PSS",
            flush=True,
        )


if __name__ == "__main__":
    main()
