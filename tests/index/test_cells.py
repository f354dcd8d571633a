"""Cells: vectors are in the one that is nearest, or nearly so, and a query asks the nearest."""

from __future__ import annotations

import numpy as np
import pytest

from earmark.errors import CatalogDamaged
from earmark.index.cells import Cells, cell_count


def crowds(seed: int, *, vectors: int = 3_000, crowds: int = 40) -> np.ndarray:
    rng = np.random.default_rng(seed)
    middles = rng.normal(size=(crowds, 32))
    return (middles[rng.integers(0, crowds, vectors)] + 0.4 * rng.normal(size=(vectors, 32))).astype(np.float32)


@pytest.fixture(scope="module")
def cells() -> Cells:
    return Cells.trained(crowds(1), 3_000)


def distances(vectors: np.ndarray, cells: Cells) -> np.ndarray:
    return ((vectors[:, None] - cells.centres[None]) ** 2).sum(axis=2)


def test_there_are_about_twice_as_many_as_the_root_of_the_vectors(cells: Cells) -> None:
    assert cell_count(3_000) == 109
    assert len(cells) == pytest.approx(109, abs=10)
    assert cell_count(10) == 16
    assert cell_count(10**12) == 1 << 14


def test_a_vector_lies_in_the_nearest_cell_but_for_a_few(cells: Cells) -> None:
    vectors = crowds(2)
    nearest = distances(vectors, cells).argmin(axis=1)
    assert (cells.of(vectors) == nearest).mean() > 0.9


def test_a_query_asks_the_nearest_cells(cells: Cells) -> None:
    queries = crowds(3, vectors=20)
    asked = cells.nearest(queries, 10)
    wanted = np.argsort(distances(queries, cells), axis=1)[:, :10]
    assert [set(row) for row in asked.tolist()] == [set(row) for row in wanted.tolist()]


def test_a_query_is_looked_for_again_when_its_array_was_changed(cells: Cells) -> None:
    queries = crowds(3, vectors=5)
    before = cells.nearest(queries, 3)
    queries[:] = crowds(4, vectors=5)
    assert np.array_equal(np.sort(cells.nearest(queries, 3)), np.sort(cells.nearest(crowds(4, vectors=5), 3)))
    assert not np.array_equal(np.sort(cells.nearest(queries, 3)), np.sort(before))


def test_a_query_that_asks_for_more_cells_than_there_are_gets_all(cells: Cells) -> None:
    asked = cells.nearest(crowds(3, vectors=2), 10**6)
    assert [sorted(row) for row in asked.tolist()] == [list(range(len(cells)))] * 2


def test_the_same_vectors_make_the_same_cells_under_the_same_name(cells: Cells) -> None:
    assert Cells.trained(crowds(1), 3_000).name == cells.name
    assert Cells.trained(crowds(2), 3_000).name != cells.name


def test_vectors_that_are_all_alike_share_a_cell() -> None:
    cells = Cells.trained(np.ones((50, 8), np.float32), 5_000)
    assert len(set(cells.of(np.ones((3, 8), np.float32)).tolist())) == 1


def test_cells_come_back_from_their_arrays(cells: Cells) -> None:
    again = Cells.from_arrays(cells.name, cells.arrays())
    assert np.array_equal(again.of(crowds(2)), cells.of(crowds(2)))


@pytest.mark.parametrize(
    "forged",
    [
        {"ends": np.array([0, 5], np.int64)},
        {"ends": np.array([0, 1 << 40], np.int64)},
        {"centres": np.full((3, 32), np.nan, np.float32)},
        {"centres": np.zeros((0, 32), np.float32)},
        {"centres": np.zeros((100, 31), np.float32)},
        {"tops": np.zeros((4, 32), np.float64)},
    ],
)
def test_forged_arrays_are_refused_whatever_they_are_named(cells: Cells, forged: dict[str, np.ndarray]) -> None:
    arrays = cells.arrays() | forged
    named = Cells(arrays["tops"], arrays["centres"], arrays["ends"]).name
    with pytest.raises(CatalogDamaged):
        Cells.from_arrays(named, arrays)


def test_a_group_without_a_cell_is_refused(cells: Cells) -> None:
    ends = cells.ends.copy()
    ends[1] = 0
    with pytest.raises(CatalogDamaged, match="without a cell"):
        Cells.from_arrays(cells.name, cells.arrays() | {"ends": ends})


def test_content_that_is_not_its_name_is_refused(cells: Cells) -> None:
    with pytest.raises(CatalogDamaged, match="checksum"):
        Cells.from_arrays(cells.name, cells.arrays() | {"centres": cells.centres + np.float32(1)})
