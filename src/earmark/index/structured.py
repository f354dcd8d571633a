"""Indexes of vectors whose large segments get a structure that shortens their search; small ones are scanned."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.index.flat import Flat
from earmark.index.segment import Structure, VectorSegment, new_name

SMALLEST = 10_000  # vectors of a segment that gets a structure; exact search of fewer takes a millisecond


class Structured(Flat):
    """An exact index while it is small."""

    def __init__(self, *, smallest: int = SMALLEST) -> None:
        """Give structures to segments of at least `smallest` vectors."""
        super().__init__()
        self._smallest = max(smallest, 1)

    @abstractmethod
    def _build(self, vectors: NDArray[np.int8]) -> Structure:
        """Return the structure of a segment."""

    @abstractmethod
    def _load(self, arrays: Mapping[str, NDArray[Any]], vectors: NDArray[np.int8]) -> Structure:
        """Return the structure that its `arrays` described; raises CatalogDamaged when they do not fit."""

    def _restructured(self, segments: list[VectorSegment]) -> list[VectorSegment]:
        return [self._structured(segment) for segment in segments]

    def _structured(self, segment: VectorSegment) -> VectorSegment:
        if segment.structure.is_scan and len(segment.vectors) >= self._smallest:
            return replace(segment, name=new_name(), structure=self._build(segment.vectors))
        return segment
