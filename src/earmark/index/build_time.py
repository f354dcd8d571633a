"""How long it takes to make an index of so many vectors: what is said before somebody waits for it.

Measured on one core of a laptop's kind, with vectors of 128 dimensions, at 230,000 vectors and at 10 million
(benchmarks/index_scale.py); another machine takes some times as long or as short.
"""

from __future__ import annotations

from math import sqrt

from earmark.index import EVERY_CHANNEL, LARGEST_EXACT
from earmark.index.pq import LISTS, MOST_LISTS, ROUNDS, SAMPLE_PER_LIST
from earmark.index.two_bit import SCANNED_VECTORS

DIRECTIONS, DIMENSIONS = 64, 128  # directions that the shipped network's vectors lie in, and their dimensions
SECONDS_PER_PRODUCT = 4.4e-11  # seconds of k-means: 2.4 s for 230,000 vectors, 61 s for 10 million
SECONDS_PER_LISTED = 5.2e-6  # seconds to find the cell of a vector among 3,500: 16 s for 3.1 million
SECONDS_PER_VECTOR = {"hnsw": 71e-6, "lsh": 1.7e-6, "hashcode": 0.9e-6}  # seconds: 16.4, 0.4 and 0.2 for 230,000


def build_seconds(name: str, vectors: int) -> float:
    """Return about how many seconds an index of this kind works on its vectors, once it has them."""
    if name == "pq" or (name == "auto" and vectors >= LARGEST_EXACT):
        lists = min(MOST_LISTS, int(LISTS * sqrt(vectors)))
        training = ROUNDS * SAMPLE_PER_LIST * lists**2 * DIRECTIONS
        return SECONDS_PER_PRODUCT * (training + (DIMENSIONS + lists) * DIRECTIONS * vectors)
    if name in (EVERY_CHANNEL, "two_bit") and vectors > SCANNED_VECTORS:
        return SECONDS_PER_LISTED * vectors
    return SECONDS_PER_VECTOR.get(name, 0.0) * vectors
