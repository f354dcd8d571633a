"""How long an index will take is about right, and more for more."""

from __future__ import annotations

import pytest

from earmark.index import NAMES
from earmark.index.build_time import build_seconds


def test_as_measured() -> None:
    assert build_seconds("pq", 230_000) == pytest.approx(2.4, rel=0.1)
    assert build_seconds("hnsw", 230_000) == pytest.approx(16.4, rel=0.1)


@pytest.mark.parametrize("name", NAMES)
def test_more_vectors_never_take_less(name: str) -> None:
    seconds = [build_seconds(name, vectors) for vectors in (0, 1_000, 100_000, 1_000_000, 50_000_000)]
    assert seconds == sorted(seconds)
    assert seconds[0] == 0.0


def test_what_is_searched_exactly_is_not_built_and_auto_builds_lists_once_it_is_large() -> None:
    assert build_seconds("linear", 10**7) == build_seconds("both", 200_000) == 0.0
    assert build_seconds("auto", 400_000) == 0.0
    assert build_seconds("both", 3_104_000) == pytest.approx(16, rel=0.1)
    assert build_seconds("auto", 600_000) == build_seconds("pq", 600_000) > 0
