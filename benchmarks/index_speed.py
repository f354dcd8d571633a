"""CPU seconds of indexing a folder, against decoding the same files alone; size on disk.

    python benchmarks/index_speed.py FOLDER [--workers 1] [--fingerprinter neural]

Both include child processes. Decoding is whole files in a child, to mono at the fingerprinter's rate.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

import earmark
from earmark.audio.container import open_regular
from earmark.audio.decode import decode
from earmark.catalog.scan import scan
from earmark.errors import MediaError
from earmark.fingerprints import DEFAULT, make


def cpu_seconds() -> float:
    """Return the CPU time of this process and of its children that have ended."""
    return sum(usage.ru_utime + usage.ru_stime for usage in map(resource.getrusage, (0, resource.RUSAGE_CHILDREN)))


def decoding(files: tuple[str, ...], rate: int) -> tuple[float, float]:
    """Return (CPU seconds that decoding takes, seconds of audio)."""
    before, seconds = cpu_seconds(), 0.0
    for path in files:
        try:
            with open_regular(Path(path)) as file, decode(file, rate=rate) as audio:
                seconds += sum(len(block) for block in audio) / rate
        except MediaError:
            continue
    return cpu_seconds() - before, seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--fingerprinter", default=DEFAULT)
    options = parser.parse_args()
    files = scan(options.folder).files
    alone, audio_seconds = decoding(files, make(options.fingerprinter).rate)
    with tempfile.TemporaryDirectory() as folder:
        before, began = cpu_seconds(), time.perf_counter()
        with earmark.open(Path(folder) / "speed.earmark", fingerprinter=options.fingerprinter) as catalog:
            report = catalog.add([options.folder], workers=options.workers)
        whole, elapsed = cpu_seconds() - before, time.perf_counter() - began
        size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
    hours = audio_seconds / 3600
    print(f"{len(report.added)} tracks, {hours:.2f} h, {len(report.failed)} failed; {options.workers} worker(s)")
    print(f"decoding alone  {audio_seconds / alone:6.0f} x real time a core")
    print(
        f"indexing        {audio_seconds / whole:6.0f} x real time a core, {audio_seconds / elapsed:.0f} x by the clock"
    )
    print(f"indexing takes  {whole / alone:6.2f} x the CPU time of decoding alone")
    print(f"catalog         {size / 1e6 / hours:6.2f} MB an hour")


if __name__ == "__main__":
    main()
