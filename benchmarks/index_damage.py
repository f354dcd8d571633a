"""A thousand damaged vector indexes: refused, harmless, or a crash without checksums.

    python benchmarks/index_damage.py [--mutations 1000] [--index two_bit]

One array of an index of 4,000 vectors at a time has bits flipped, is cut or zeroed in part; a child loads and searches
it. A second pass forges the checksums and counts what Faiss and numpy do then.
"""

from __future__ import annotations

import argparse
import os
import resource
import signal
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.errors import EarmarkError
from earmark.index import VECTOR_NAMES, load, make
from earmark.index.cells import PREFIX, Cells
from earmark.index.int8 import quantised
from earmark.index.segment import VectorSegment, checksum

TRACKS, TRACK_VECTORS, DIMENSIONS = 40, 100, 128
SMALLEST = 500  # vectors from which on an index gets its structure
MEMORY_BYTES = 4 << 30  # limit of a child
CPU_SECONDS = 10  # limit of a child
OUTCOMES = ("refused", "harmless", "wrong track", "other error")

Arrays = Mapping[str, NDArray[Any]]


def vectors_of(track: int) -> NDArray[np.int8]:
    rng = np.random.default_rng(track)
    drawn = rng.standard_normal((TRACK_VECTORS, DIMENSIONS)) + 0.5 * rng.standard_normal(DIMENSIONS)
    return quantised(drawn / np.linalg.norm(drawn, axis=1, keepdims=True))


def index_arrays(name: str) -> Arrays:
    options = {"linear": {}, "two_bit": {"scanned": SMALLEST, "smallest": SMALLEST}}
    index = make(name, **options.get(name, {"smallest": SMALLEST}))
    for track in range(TRACKS):
        index.add(track, np.arange(TRACK_VECTORS, dtype=np.int32), vectors_of(track))
    index.arrays()
    index.remove([TRACKS - 1])
    return index.arrays()


def damaged(arrays: Arrays, rng: np.random.Generator) -> dict[str, NDArray[Any]]:
    key = str(rng.choice([name for name, array in arrays.items() if array.size]))
    array, changed = arrays[key], dict(arrays)
    kind = rng.integers(0, 3)
    if kind == 0:
        changed[key] = array[: int(rng.integers(0, len(array)))]
        return changed
    flat = array.reshape(-1).view(np.uint8).copy()
    if kind == 1:
        places = rng.integers(0, min(len(flat), int(rng.choice([200, len(flat)]))), int(rng.integers(1, 9)))
        flat[places] ^= (1 << rng.integers(0, 8, len(places))).astype(np.uint8)
    else:
        start = int(rng.integers(0, len(flat)))
        flat[start : start + int(rng.integers(1, 1_000))] = 0
    changed[key] = flat.view(array.dtype).reshape(array.shape)
    return changed


def forged(arrays: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Make the checksums hold again, and the names that stand for a content."""
    for former in {key.partition(".")[0] for key in arrays if key.startswith(PREFIX)}:
        own = {key.partition(".")[2]: arrays.pop(key) for key in list(arrays) if key.startswith(f"{former}.")}
        name = Cells(own["tops"], own["centres"], own["ends"]).name
        arrays |= {f"{name}.{key}": array for key, array in own.items()}
        for key, array in arrays.items():
            if key.endswith(".cells") and array.tobytes() == former.encode():
                arrays[key] = np.frombuffer(name.encode(), np.uint8)
    for name in {key.partition(".")[0] for key in arrays}:
        own = {key.partition(".")[2]: array for key, array in arrays.items() if key.startswith(f"{name}.")}
        parts = {key: array for key, array in own.items() if not key.startswith(("removed-", "digest"))}
        if set(VectorSegment.ARRAYS) <= set(parts):
            arrays[f"{name}.digest"] = np.frombuffer(checksum(parts), np.uint8)
    return arrays


def outcome(name: str, arrays: Arrays) -> str:
    """Load and search in a child."""
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
        os._exit(_in_child(name, arrays))
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return signal.Signals(os.WTERMSIG(status)).name
    return OUTCOMES[os.waitstatus_to_exitcode(status)]


def _in_child(name: str, arrays: Arrays) -> int:
    np.seterr(all="ignore")
    try:
        hits = load(name, arrays).snapshot().search(np.arange(20, dtype=np.int32), vectors_of(3)[:20])
    except EarmarkError:
        return 0
    except Exception:
        return 3
    return 1 if set(hits.tracks.tolist()) <= set(range(TRACKS - 1)) else 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mutations", type=int, default=1_000)
    parser.add_argument("--index", action="append", choices=VECTOR_NAMES, help="some of all")
    options = parser.parse_args()
    for title, change in (("as they are", lambda arrays: arrays), ("with checksums made to hold", forged)):
        print(f"{options.mutations} damaged indexes of each kind, {title}")
        for name in options.index or VECTOR_NAMES:
            arrays, rng = index_arrays(name), np.random.default_rng(1)
            found = Counter(outcome(name, change(damaged(arrays, rng))) for _ in range(options.mutations))
            print(f"  {name:10}" + ", ".join(f"{count} {what}" for what, count in found.most_common()), flush=True)


if __name__ == "__main__":
    main()
