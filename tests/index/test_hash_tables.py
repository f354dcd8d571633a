"""Which buckets are looked into, and how full they are."""

from __future__ import annotations

from itertools import combinations
from statistics import NormalDist

import numpy as np

from earmark.index import hash_tables
from earmark.index.int8 import quantised


def test_the_cheapest_sets_of_bits_come_first_and_each_once() -> None:
    bits = 5
    costs = np.array([NormalDist().inv_cdf(0.5 + (place + 0.5) / (2 * bits)) ** 2 for place in range(bits)])
    every = [list(places) for size in range(bits + 1) for places in combinations(range(bits), size)]
    expected = sorted(float(costs[places].sum()) for places in every)
    sets = hash_tables.cheap_sets(bits, 1 << bits)
    np.testing.assert_allclose(sets @ costs, expected, rtol=1e-6)
    assert len(np.unique(sets, axis=0)) == 1 << bits


def test_a_vector_is_in_its_own_bucket_and_in_the_nearest_of_the_others() -> None:
    rng = np.random.default_rng(0)
    vectors = quantised(rng.normal(0, 0.09, (500, 32)))
    planes = rng.standard_normal((3, 6, 32)).astype(np.float32)
    tables = hash_tables.build(vectors, planes, np.zeros((3, 6), np.float32), probes=3)
    codes = ((vectors.astype(np.float32) @ planes[1].T) > 0) @ (1 << np.arange(6))
    for bucket in range(64):
        rows = tables.members[1, tables.ends[1, bucket] : tables.ends[1, bucket + 1]]
        assert rows.tolist() == np.flatnonzero(codes == bucket).tolist()
    found = tables.search(vectors[:50], vectors, None, 1)
    assert found.rows[np.argsort(found.queries, kind="stable")].tolist() == list(range(50))


def test_probes_differ_in_the_bits_whose_hyperplanes_are_near() -> None:
    planes = np.eye(4, dtype=np.float32)[None]
    vectors = np.array([[100, -10, 50, 30]], np.int8)
    tables = hash_tables.build(vectors, planes, np.zeros((1, 4), np.float32), probes=5)
    _, _, codes = tables._probed(vectors)
    assert sorted(codes) == sorted([0b1101, 0b1111, 0b0101, 0b0111, 0b1001])


def test_stats_tell_even_buckets_from_uneven_ones() -> None:
    even = np.array([[x, y] for x in (-50, 50) for y in (-50, 50)] * 10, np.int8)
    planes, offsets = np.eye(2, dtype=np.float32)[None], np.zeros((1, 2), np.float32)
    assert hash_tables.build(even, planes, offsets, 1).stats()["imbalance"] == 1
    uneven = hash_tables.build(np.abs(even), planes, offsets, 1).stats()
    assert (uneven["imbalance"], uneven["largest_bucket"]) == (4, 40)
