"""Start of `earmark --help`, as a multiple of a bare Python that does nothing.

    python benchmarks/startup_time.py [--runs 40]

They are started in turn, so that other load falls on both; medians are compared.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

LIMIT = 3.0  # starts of a bare Python; the bar for `earmark --help`
EARMARK = str(Path(sys.executable).with_name("earmark"))
COMMANDS: dict[str, Sequence[str]] = {
    "python -c pass": (sys.executable, "-c", "pass"),
    "import earmark": (sys.executable, "-c", "import earmark"),
    "earmark --help": (EARMARK, "--help"),
    "earmark identify --help": (EARMARK, "identify", "--help"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=40)
    runs = parser.parse_args().runs
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(runs):
        for name, command in COMMANDS.items():
            began = time.perf_counter()
            subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
            seconds[name].append(time.perf_counter() - began)
    bare = statistics.median(seconds["python -c pass"])
    for name, times in seconds.items():
        median = statistics.median(times)
        print(f"{name:24} {1000 * median:6.1f} ms  {median / bare:5.2f} x  (best {1000 * min(times):.1f})")
    ratio = statistics.median(seconds["earmark --help"]) / bare
    print(f"earmark --help takes {ratio:.2f} bare starts; at most {LIMIT:g} are allowed")
    sys.exit(ratio > LIMIT)


if __name__ == "__main__":
    main()
