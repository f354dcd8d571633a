"""Exact search: every vector of the query is compared with every vector of the catalog (`exact.py`).

Cost, for N vectors of D dimensions and Q of the query: Q N D multiplications and N D bytes read for each search,
whatever is asked; D + 4 bytes a vector, memory-mapped where they were published, of which none need be in memory.
Building: nothing but copying. It is the judge of every other index.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from earmark.errors import CatalogDamaged
from earmark.index.segment import Structure
from earmark.index.segmented import Segmented

SEGMENT_VECTORS = 1 << 17  # 17 MB of 128 dimensions: what a removal writes anew, and what opening checks whole


class Linear(Segmented):
    """The exact index; see the module's docstring."""

    most_vectors: ClassVar = SEGMENT_VECTORS

    def _build(self, vectors: NDArray[np.int8]) -> Structure:
        raise AssertionError("unreachable: no segment is too large to be searched exactly")

    def _read(self, arrays: Mapping[str, NDArray[Any]], vectors: NDArray[np.int8]) -> Structure:
        raise CatalogDamaged(f"{sorted(arrays)} belong to another kind of index; earmark rebuild makes it again")
