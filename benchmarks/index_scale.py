"""Indexes of many vectors: closeness to exact search, time and memory.

    python benchmarks/index_scale.py pq|hnsw|lsh CATALOG --clips CLIPS --corpus MUSIC [--vectors 10M] [--keep FOLDER]
    python benchmarks/index_scale.py large CATALOG --clips CLIPS --corpus MUSIC --vectors 100M --keep FOLDER

--vectors adds disturbed copies of the catalog's vectors, --keep has what was built for the next run. Times are of the
processor on one thread, but by the clock for `large`, which asks memory-mapped lists in another process.
"""

from __future__ import annotations

import argparse
import csv
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from earmark.apps.cli.commands.evaluate_indexes import amount
from earmark.evaluation.indexes.clips import Clip, of_queries
from earmark.evaluation.indexes.grid import Kind
from earmark.evaluation.indexes.measure import Ranking, asked, built, recalls
from earmark.evaluation.indexes.vector_set import VectorSet, of_catalog
from earmark.evaluation.queries import ClipMaker, from_clips
from earmark.index import load
from earmark.index.protocol import Index
from earmark.types import Hits

LISTS = "pq:probes=48,rerank=200"
GRAPH = "hnsw:breadth=256"
PLAIN = "lsh:tables=45,bits=12,probes=45"  # one bucket per table; as many comparisons as with probes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=BARS)
    parser.add_argument("catalog", type=Path)
    parser.add_argument("--clips", type=Path, required=True)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--vectors", type=amount, default=0)
    parser.add_argument("--count", type=int, default=200, help="clips")
    parser.add_argument(
        "--index",
        action="append",
        help=f"instead of {LISTS}, {GRAPH} or lsh; several for pq, of the same lists",
    )
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    BARS[options.what](options)


def pq(options: argparse.Namespace) -> None:
    """Inverted lists against exact search."""
    material = of_catalog(options.catalog, vectors=options.vectors)
    clips = clips_of(material, options, "noise0", 5)
    exact, _ = built(Kind("linear"), material, lambda *_: None)
    wanted, exact_seconds = asked(exact, clips)
    say("linear", material, clips, wanted, exact_seconds)
    for kind in map(Kind.parse, options.index or [LISTS]):
        lists = kept(kind, material, options.keep)
        found, seconds = asked(lists, clips)
        say(str(kind), material, clips, found, seconds)
        stats = lists.stats()
        ratio = rank_1(material, clips, found) / rank_1(material, clips, wanted)
        print(
            f"    {ratio:.1%} of exact search's rank-1, recall@1 {recalls(found, wanted)[0]:.3f}, "
            f"{exact_seconds / seconds:.0f} times as fast, {stats['memory_bytes_per_vector']:.1f} bytes a vector in "
            f"memory, {stats['compared_share']:.2%} compared",
            flush=True,
        )


def hnsw(options: argparse.Namespace) -> None:
    """The graph on clean clips."""
    material = of_catalog(options.catalog, vectors=options.vectors)
    clips = clips_of(material, options, "clean", 5)
    kind = Kind.parse((options.index or [GRAPH])[0])
    wanted, exact_seconds = asked(built(Kind("linear"), material, lambda *_: None)[0], clips)
    found, seconds = asked(kept(kind, material, options.keep), clips)
    say("linear", material, clips, wanted, exact_seconds)
    say(str(kind), material, clips, found, seconds)
    print(f"{kind}: recall@1 {recalls(found, wanted)[0]:.4f}, @10 {recalls(found, wanted)[1]:.4f}")


def lsh(options: argparse.Namespace) -> None:
    """Hash tables on short clips in noise."""
    material = of_catalog(options.catalog, vectors=options.vectors)
    clips = clips_of(material, options, "noise0", 1)
    wanted, seconds = asked(built(Kind("linear"), material, lambda *_: None)[0], clips)
    say("linear", material, clips, wanted, seconds)
    exact = rank_1(material, clips, wanted)
    probed = Kind.parse((options.index or ["lsh"])[0])
    for kind in (probed, Kind.parse(PLAIN), replace(probed, options={**probed.options, "components": 0})):
        index, _ = built(kind, material, lambda *_: None)
        found, seconds = asked(index, clips)
        say(str(kind), material, clips, found, seconds)
        print(
            f"    {rank_1(material, clips, found) / exact:.1%} of exact search's rank-1, recall@1 "
            f"{recalls(found, wanted)[0]:.3f}, {index.stats()['compared_share']:.2%} compared"
        )


def large(options: argparse.Namespace) -> None:
    """Lists of very many vectors: built here, asked in another process."""
    kind = Kind.parse((options.index or [LISTS])[0])
    if not any(options.keep.glob("*.npy")):
        material = of_catalog(options.catalog, vectors=options.vectors)
        began, processor, meter = time.perf_counter(), time.process_time(), Meter()
        meter.start()
        kept(kind, material, options.keep)
        print(
            f"built and written {material.wanted:,} vectors in {time.perf_counter() - began:.0f} s, of the processor "
            f"{time.process_time() - processor:.0f} s; {meter.most / 1e9:.2f} GB of memory at most, of its own",
            flush=True,
        )
    forget_files(options.keep)
    command = [sys.executable, __file__, "asking", *sys.argv[2:]]
    subprocess.run(command, check=True)


def asking(options: argparse.Namespace) -> None:
    """Ask what lies in a folder, mapped; no other index has been in this process."""
    material = of_catalog(options.catalog, vectors=options.vectors)
    clips = clips_of(material, options, "noise0", 5)
    began = time.perf_counter()
    index = kept(Kind.parse((options.index or [LISTS])[0]), material, options.keep)
    stats = index.stats()
    print(f"opened {stats['vectors']:,.0f} vectors in {time.perf_counter() - began:.1f} s")
    for turn in ("not read before", "read before"):
        times, hits = [], []
        for clip in clips:
            began = time.perf_counter()
            hits.append(index.snapshot().search(*clip.asked))
            times.append(time.perf_counter() - began)
        print(
            f"{turn}: a clip took {np.median(times):.3f} s, the slowest of {len(clips)} {max(times):.3f} s; "
            f"{memory('VmHWM') / 1e9:.2f} GB of memory at most, {memory('RssAnon') / 1e9:.2f} GB of them its own"
        )
    print(f"{stats['memory_bytes_per_vector']:.1f} bytes a vector, rank-1 {rank_1(material, clips, hits):.3f}")


def forget_files(folder: Path) -> None:
    """Let the system forget what it has read of the files in a folder, so that the first search finds a cold disk."""
    for path in folder.glob("*.npy"):
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def kept(kind: Kind, material: VectorSet, folder: Path | None) -> Index:
    """Return an index, from the folder that holds its arrays, or built and put there."""
    if folder is not None and any(folder.glob("*.npy")):
        arrays = {path.stem: np.load(path, mmap_mode="r").view(np.ndarray) for path in sorted(folder.glob("*.npy"))}
        return load(kind.name, arrays, **kind.options)
    index, seconds = built(kind, material, lambda *_: None)
    print(f"{kind} was built in {seconds:.0f} s of the processor")
    if folder is None:
        return index
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in index.arrays().items():
        np.save(folder / f"{name}.npy", array)
    return kept(kind, material, folder)


def clips_of(material: VectorSet, options: argparse.Namespace, condition: str, seconds: float) -> list[Clip]:
    """Return the first clips of a condition."""
    with (options.corpus / "music.csv").open(newline="") as handle:
        paths = {row["track_id"]: str((options.corpus / row["path"]).resolve()) for row in csv.DictReader(handle)}
    numbers = {str(Path(path).resolve()): number for path, number in material.paths.items()}
    queries = [one for one in from_clips(options.clips) if (one.condition, one.seconds) == (condition, seconds)]
    queries = [one for one in queries if paths.get(one.track or "") in numbers][: options.count]
    tracks = [numbers[paths[one.track or ""]] for one in queries]
    return of_queries(material, queries, tracks, ClipMaker(), lambda *_: None)


def say(name: str, material: VectorSet, clips: Sequence[Clip], hits: Sequence[Hits], seconds: float) -> None:
    """Print what one index came to."""
    print(
        f"{name}: {material.wanted:,} vectors, {len(clips)} clips of {clips[0].condition}, rank-1 "
        f"{rank_1(material, clips, hits):.3f}, {1e3 * seconds / len(clips):.1f} ms a clip",
        flush=True,
    )


def rank_1(material: VectorSet, clips: Sequence[Clip], hits: Sequence[Hits]) -> float:
    """Return the share of clips that are found first."""
    ranking = Ranking(material)
    return float(np.mean([ranking.found(clip, own) for clip, own in zip(clips, hits, strict=True)]))


class Meter(threading.Thread):
    """Keeps the most memory of its own that this process has: without pages of files, which the system may take."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.most = 0

    def run(self) -> None:
        """Look once a second."""
        while True:
            self.most = max(self.most, memory("RssAnon"))
            time.sleep(1.0)


def memory(kind: str) -> int:
    """Return bytes of memory of this process: RssAnon, its own; VmHWM, the most so far, with pages of files."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(f"{kind}:"))


BARS = {"pq": pq, "hnsw": hnsw, "lsh": lsh, "large": large, "asking": asking}

if __name__ == "__main__":
    main()
