"""Kill the building of vector indexes again and again; print what was lost (nothing).

    python benchmarks/kill_rebuild.py CATALOG [--kills 60] [--tracks 60]

After each SIGKILL a copy of the catalog must have every track, an intact index of the old or new kind with all vectors,
and after the next opening no remains. Indexes have structure from 10,000 vectors on. Exit status 1: a loss.
"""

from __future__ import annotations

import argparse
import itertools
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import earmark
from earmark.evaluation.indexes.vector_set import VectorSet, of_catalog
from earmark.index import VECTOR_NAMES
from earmark.types import Keys

REBUILD = """
import sys, earmark
with earmark.open(sys.argv[1], create=False) as catalog:
    print("begun", flush=True)
    catalog.rebuild(sys.argv[2])
"""
ASKED = 5  # vectors per track that are looked up after a kill


def main() -> int:
    """Kill, look, and say what was lost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("catalog", type=Path)
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--tracks", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    chance, lost, ended = random.Random(options.seed), [], Counter[str]()
    with tempfile.TemporaryDirectory(prefix="earmark-kill-") as scratch:
        path = Path(scratch) / "music.earmark"
        ids = copied(options.catalog, path, options.tracks)
        material = of_catalog(path)
        print(f"{len(ids)} tracks, {len(material.vectors):,} vectors")
        took = {name: rebuilt(path, name)[0] for name in VECTOR_NAMES}
        print("seconds of a rebuild:", {name: round(seconds, 1) for name, seconds in took.items()}, flush=True)
        before = VECTOR_NAMES[-1]
        names = itertools.cycle(VECTOR_NAMES)
        while ended.total() < options.kills:
            name = next(names)
            after = chance.uniform(0, took[name])
            seconds, killed = rebuilt(path, name, kill_after=after)
            if not killed:
                took[name] = seconds  # the machine has become faster
            found, problems = looked_at(path, ids, material, {before, name} if killed else {name})
            ended["as it was" if found == before else "as it was to be"] += killed
            lost += [f"{name}, killed after {after:.2f} s: {problem}" for problem in problems]
            print(
                f"{ended.total()}: {name}, {'killed after' if killed else 'done in'} {seconds:.2f} s: {found}",
                flush=True,
            )
            before = found
    print(f"{ended.total()} kills while it was building; the index was {dict(ended)}; {len(lost)} problems")
    for line in lost:
        print(line)
    return bool(lost)


def copied(catalog: Path, path: Path, tracks: int) -> list[str]:
    """Copy the first tracks of a catalog, and return their ids."""
    with earmark.open(catalog, create=False, read_only=True) as whole:
        whole.export(path)
    with earmark.open(path, create=False) as copy:
        copy.remove([track.id for track in copy.tracks()[tracks:]])
        return [track.id for track in copy.tracks()]


def rebuilt(path: Path, name: str, *, kill_after: float | None = None) -> tuple[float, bool]:
    """Rebuild a catalog in another process, killed so long after it has begun; return (seconds, whether it was)."""
    with subprocess.Popen([sys.executable, "-c", REBUILD, str(path), name], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        began = time.perf_counter()
        try:
            process.wait(kill_after)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
    if process.returncode not in (0, -signal.SIGKILL):
        raise RuntimeError(f"rebuilding {path} as {name} failed")
    return time.perf_counter() - began, process.returncode != 0


def looked_at(path: Path, ids: list[str], material: VectorSet, kinds: set[str]) -> tuple[str, list[str]]:
    """Return (the kind of index that is there, what is wrong)."""
    problems = []
    with earmark.open(path, create=False, read_only=True) as reader:
        info = reader.info()
        problems += [*info["problems"], *reader.verify().problems]
        if [track.id for track in reader.tracks()] != ids:
            problems.append("tracks are missing")
        if info["index"] not in kinds or info["index_stats"]["vectors"] != len(material.vectors):
            problems.append(f"the index is {info['index']} with {info['index_stats']['vectors']} vectors")
        problems += unfound(reader, material)
    earmark.open(path, create=False).close()
    generations = [entry.name for entry in (path / "generations").iterdir()]
    if len(generations) != 1 or (path / "quarantine").exists():
        problems.append(f"left behind: {generations}")
    return str(info["index"]), problems


def unfound(reader: earmark.Catalog, material: VectorSet) -> list[str]:
    """Return which tracks' stored vectors do not find themselves."""
    search, missing = reader._index.snapshot(), []
    for number, frames, vectors in material.tracks():
        every = max(1, len(frames) // ASKED)
        hits = search.search("vectors", Keys(frames[::every], vectors[::every]), nearest=1)
        if len(hits) < len(frames[::every]) or hits.scores.min() < 0.8:
            missing.append(f"vectors of track {number} are not found")
    return missing


if __name__ == "__main__":
    sys.exit(main())
