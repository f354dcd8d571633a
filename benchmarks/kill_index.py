"""Kill an indexing run again and again, or let its system calls fail; print what was lost (nothing).

    python benchmarks/kill_index.py [--kills 100] [--faults 0] [FOLDER OF MUSIC]

After each SIGKILL every track that `add` reported must be listed and identified; a last run must finish. --faults N
runs under strace, where the n-th of all writes, renames and so on returns EIO or ENOSPC. Exit status 1: a loss.
"""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import earmark

MUSIC = Path(__file__).parent.parent / "src" / "earmark" / "apps" / "demo" / "music"
CALLS = "write,pwrite64,fsync,fdatasync,rename,renameat,ftruncate,unlink,unlinkat,link,linkat,mkdir,mkdirat"
INDEX = """
import sys, earmark
try:
    with earmark.open(sys.argv[1]) as catalog:
        catalog.add(sys.argv[2:], workers=2, progress=lambda step: step.track and print(step.path, flush=True))
except earmark.CatalogError as error:
    sys.exit(f"refused: {error}")
"""


@dataclass
class Tally:
    """What happened so far."""

    rounds: int = 0
    acknowledged: set[str] = field(default_factory=set)  # in the present catalog
    checked: int = 0
    lost: list[str] = field(default_factory=list)
    refused: int = 0


def main() -> int:
    """Run the rounds and print what was lost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=MUSIC)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--faults", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    paths = sorted(str(path) for path in options.folder.rglob("*") if path.suffix in (".opus", ".ogg", ".wav", ".mp3"))
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="earmark-kill-") as scratch:
        catalog = Path(scratch) / "music.earmark"
        began = time.perf_counter()
        unharmed(catalog, paths, tally)
        seconds = time.perf_counter() - began
        shutil.rmtree(catalog)
        tally.acknowledged.clear()
        kill_often(
            catalog, paths, tally, kills=options.kills, longest=1.1 * seconds, chance=random.Random(options.seed)
        )
        if options.faults:
            fail_often(catalog, paths, tally, faults=options.faults)
    print(
        f"{tally.rounds} rounds, {tally.checked} look-ups of acknowledged tracks, "
        f"{tally.refused} runs ended with an error of ours, {len(tally.lost)} lost"
    )
    for line in tally.lost:
        print(line)
    return bool(tally.lost)


def kill_often(
    catalog: Path, paths: Sequence[str], tally: Tally, *, kills: int, longest: float, chance: random.Random
) -> None:
    """Kill runs at random moments; begin anew when everything is known."""
    for _ in range(kills):
        after = chance.uniform(0.0, longest)
        run(catalog, paths, tally, kill_after=after)
        check(catalog, tally, f"killed after {after:.2f} s")
        if len(tally.acknowledged) == len(paths):
            unharmed(catalog, paths, tally)
            shutil.rmtree(catalog)
            tally.acknowledged.clear()
    unharmed(catalog, paths, tally)


def fail_often(catalog: Path, paths: Sequence[str], tally: Tally, *, faults: int) -> None:
    """Make one system call of each run fail; every run starts without a catalog."""
    few = paths[:4]
    shutil.rmtree(catalog, ignore_errors=True)
    log = catalog.with_name("calls.txt")
    run(catalog, few, tally, prefix=["strace", "-f", "-o", str(log), "-e", f"trace={CALLS}"])
    calls = {name: sum(f" {name}(" in line for line in log.read_text().splitlines()) for name in CALLS.split(",")}
    print("calls of an unharmed run:", {name: count for name, count in calls.items() if count})
    places = [(name, when) for name, count in calls.items() for when in range(1, count + 1)]
    step = max(1, len(places) // faults)
    for number, (name, when) in enumerate(places[::step]):
        shutil.rmtree(catalog, ignore_errors=True)
        tally.acknowledged.clear()
        error = ("EIO", "ENOSPC")[number % 2]
        fault = ["-e", f"trace={name}", "-e", f"inject={name}:error={error}:when={when}"]
        run(catalog, few, tally, prefix=["strace", "-f", "-o", str(log), *fault])
        check(catalog, tally, f"{name} number {when} failed with {error}")
        unharmed(catalog, few, tally)


def run(
    catalog: Path, paths: Sequence[str], tally: Tally, *, kill_after: float | None = None, prefix: Sequence[str] = ()
) -> None:
    """Index in another process, and note what it acknowledged."""
    command = [*prefix, sys.executable, "-c", INDEX, str(catalog), *paths]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        if kill_after is not None:
            time.sleep(kill_after)
            process.send_signal(signal.SIGKILL)
        output, errors = process.communicate()
    tally.acknowledged.update(output.split("\n")[:-1])
    if process.returncode > 0:
        if "refused:" in errors:
            tally.refused += 1
        else:
            print(errors[-2000:])


def check(catalog: Path, tally: Tally, what: str) -> None:
    """Look up every acknowledged track, by name and by sound."""
    tally.rounds += 1
    try:
        with earmark.open(catalog, create=False, read_only=True) as reader:
            titles = {track.path: track.id for track in reader.tracks()}
            for path in sorted(tally.acknowledged):
                tally.checked += 1
                best = reader.identify(path).best
                if path not in titles or best is None or best.track.id != titles[path]:
                    tally.lost.append(f"{what}: {path}")
    except earmark.CatalogNotFound:
        tally.lost.extend(f"{what}: {path}" for path in tally.acknowledged)
    except earmark.EarmarkError as error:
        tally.lost.append(f"{what}: the catalog does not open: {error}")
    print(f"{tally.rounds}: {what}; {len(tally.acknowledged)} acknowledged, {len(tally.lost)} lost", flush=True)


def unharmed(catalog: Path, paths: Sequence[str], tally: Tally) -> None:
    """Run to the end: everything has to be known then, and sound."""
    run(catalog, paths, tally)
    with earmark.open(catalog, create=False, read_only=True) as reader:
        found = {track.path for track in reader.tracks()}
        tally.lost.extend(f"after a whole run: {path}" for path in paths if path not in found)
        tally.lost.extend(reader.verify().problems)


if __name__ == "__main__":
    sys.exit(main())
