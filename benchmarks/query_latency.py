"""Time to identify a clip in an open catalog, against decoding the clip alone.

    python benchmarks/query_latency.py CATALOG CLIP... [--rounds 3]

Clips are given as samples and as files (with the child that decodes them). It prints median and 95th percentile by the
clock, CPU seconds per clip, and the peak memory of this process.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

import earmark
from earmark.audio.container import open_regular
from earmark.audio.decode import decode
from earmark.types import Samples

RATE = 16_000  # Hz of the clips that are given as samples


def samples_of(path: Path) -> Samples:
    """Return a clip as mono samples at RATE."""
    with open_regular(path) as file, decode(file, rate=RATE) as audio:
        return np.concatenate(list(audio))


def measure(name: str, work: Callable[[Path], object], clips: Sequence[Path], rounds: int) -> float:
    """Print what `work` takes for a clip and return the median."""
    seconds, before = [], time.process_time()
    for _ in range(rounds):
        for clip in clips:
            began = time.perf_counter()
            work(clip)
            seconds.append(time.perf_counter() - began)
    median, slow = statistics.median(seconds), sorted(seconds)[int(0.95 * (len(seconds) - 1))]
    cpu = (time.process_time() - before) / len(seconds)
    print(
        f"{name:24} median {1000 * median:6.1f} ms, 95 % within {1000 * slow:6.1f} ms, {1000 * cpu:6.1f} ms of CPU here"
    )
    return median


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("catalog", type=Path)
    parser.add_argument("clips", type=Path, nargs="+")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    held = {clip: samples_of(clip) for clip in options.clips}
    with earmark.open(options.catalog, create=False, read_only=True) as catalog:
        catalog.identify((held[options.clips[0]], RATE))  # the index is mapped and warm from here on
        alone = measure("decoding alone", samples_of, options.clips, options.rounds)
        search = measure(
            "identify, samples", lambda clip: catalog.identify((held[clip], RATE)), options.clips, options.rounds
        )
        whole = measure("identify, file", catalog.identify, options.clips, options.rounds)
    print(f"identify takes {search / alone:.2f} (samples) and {whole / alone:.2f} (file) x decoding the clip alone")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3:.0f} MB")


if __name__ == "__main__":
    main()
