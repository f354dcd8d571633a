"""Questions beside a long one and an `add`: how long short ones take, how many children start, how much memory.

    python benchmarks/concurrency.py CATALOG CLIPS --corpus FOLDER [--short 1000] [--hours 3] [--add 50]

CATALOG is copied first. CLIPS and FOLDER are as for `earmark evaluate --clips`; the long question is the corpus, one
recording after another. Short ones are asked one at a time: alone, then beside the long question and the `add`.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import soundfile

import earmark
from earmark.audio.decode import load

RATE = 16_000  # Hz of the long question and of the files that are added
ADDED_SECONDS = 60  # seconds of each file that is added
AT_ONCE = 50  # questions that are asked at the same time


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("catalog", type=Path)
    parser.add_argument("clips", type=Path)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--short", type=int, default=1_000)
    parser.add_argument("--hours", type=float, default=3.0)
    parser.add_argument("--add", type=int, default=50)
    options = parser.parse_args()
    clips = [options.clips / row["path"] for row in rows(options.clips / "queries.csv") if row["seconds"] == "5"]
    step = max(len(clips) // options.short, 1)
    short = (clips[::step] * (options.short // len(clips[::step]) + 1))[: options.short]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree(options.catalog, folder / "copy.earmark")
        recordings = [options.corpus / row["path"] for row in rows(options.corpus / "music.csv")]
        long = write_long(folder / "long.wav", recordings, options.hours)
        added = write_added(folder / "added", recordings, options.add)
        with earmark.open(folder / "copy.earmark") as catalog:
            catalog.identify(short[0])
            at_once(catalog, short)
            alone = ask(catalog, short)
            beside_others(catalog, short, long, added, alone)


def at_once(catalog: earmark.Catalog, clips: Sequence[Path]) -> None:
    """Ask many questions at the same time, and print how many children there were at most."""
    before, most, largest, done = children(), 0, 0.0, threading.Event()

    def watch() -> None:
        nonlocal most, largest
        while not done.wait(0.05):
            most, largest = max(most, children()), max(largest, memory())

    watcher = threading.Thread(target=watch)
    watcher.start()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(catalog.identify, clips[:AT_ONCE]))
    done.set()
    watcher.join()
    print(
        f"{len(answers)} questions at once: at most {most} children ({before} before); "
        f"memory of this process and its children at most {largest:.0f} MB"
    )


def beside_others(
    catalog: earmark.Catalog, clips: Sequence[Path], long: Path, added: Sequence[Path], alone: Sequence[float]
) -> None:
    """Print how long short questions take, in seconds, while a long one and an `add` go on in this process."""
    running = [
        threading.Thread(target=lambda: report("long", catalog.identify(long, several=True, limit=500).matches)),
        threading.Thread(target=lambda: report("add", catalog.add(added, workers=1).added)),
    ]
    for thread in running:
        thread.start()
    times = []
    for clip in clips:
        times += ask(catalog, [clip])
        if not any(thread.is_alive() for thread in running):
            break
    print(f"{len(times)} short questions were asked beside; memory {memory():.0f} MB")
    ratio = np.percentile(times, 95) / np.percentile(alone, 95)
    print(f"p95 of short questions: alone {np.percentile(alone, 95):.3f} s, beside {np.percentile(times, 95):.3f} s")
    print(f"ratio {ratio:.2f}; medians {np.median(alone):.3f} and {np.median(times):.3f} s", flush=True)
    for thread in running:
        thread.join()


def report(name: str, found: Sequence[object]) -> None:
    print(f"{name}: {len(found)} at {time.strftime('%H:%M:%S')}")


def ask(catalog: earmark.Catalog, clips: Sequence[Path]) -> list[float]:
    times = []
    for clip in clips:
        began = time.perf_counter()
        catalog.identify(clip)
        times.append(time.perf_counter() - began)
    return times


def write_long(path: Path, recordings: Sequence[Path], hours: float) -> Path:
    left = int(hours * 3600 * RATE)
    with soundfile.SoundFile(path, "w", RATE, 1) as file:
        for recording in recordings:
            samples = load(recording, rate=RATE)[0][:left]
            file.write(samples)
            left -= len(samples)
            if not left:
                break
    return path


def write_added(folder: Path, recordings: Sequence[Path], count: int) -> list[Path]:
    """Write files that the catalog does not hold: recordings backwards."""
    folder.mkdir()
    paths = []
    for number in range(count):
        samples = load(recordings[number % len(recordings)], rate=RATE)[0][::-1][: ADDED_SECONDS * RATE]
        paths.append(folder / f"{number}.flac")
        soundfile.write(paths[-1], samples, RATE)
    return paths


def children() -> int:
    """Return how many child processes there are."""
    return len(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()) + sum(
        len((task / "children").read_text().split())
        for task in Path("/proc/self/task").iterdir()
        if task.name != str(os.getpid()) and (task / "children").exists()
    )


def memory() -> float:
    """Return the memory of this process and its children now, MB; pages that several share count once (PSS)."""
    tasks = Path("/proc/self/task").iterdir()
    numbers = {number for task in tasks for number in (task / "children").read_text().split()}
    total = 0
    for number in ("self", *numbers):
        with contextlib.suppress(OSError):  # a child that has just ended
            total += int(Path(f"/proc/{number}/smaps_rollup").read_text().partition("Pss:")[2].split()[0])
    return total / 1e3


def rows(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


if __name__ == "__main__":
    main()
