"""What a catalog of learned fingerprints gets unless it asks for another index: exact while small, lists when large.

Segments below half a million vectors (70 hours of sound, half a second apart) are searched exactly, larger ones by
product-quantised lists (`pq.py`). That is where comparing a clip of 5 s with everything comes to about 75 ms of one
core, as long as its fingerprint takes, and from where on it would be the search that is waited for. A catalog grows
from the one into the other when it is published, by a merge of its segments and without its sound or its fingerprints.

Cost: that of `linear.py` up to 500,000 vectors, and of `pq.py` beyond, with up to as many vectors again in segments
that are still small.
"""

from __future__ import annotations

from earmark.index.pq import Pq

LARGEST_EXACT = 500_000  # vectors


class Auto(Pq):
    """Exact search of small segments, product-quantised lists for large ones; see the module's docstring."""

    def __init__(self, *, smallest: int = LARGEST_EXACT, bytes_per_vector: int = 40) -> None:
        super().__init__(smallest=smallest, bytes_per_vector=bytes_per_vector)
