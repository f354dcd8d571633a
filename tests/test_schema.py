"""A type is prepared once, and read by any number of threads at a time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import msgspec

from earmark.schema import prepared

THREADS, ROUNDS = 4, 20


class Part(msgspec.Struct):
    number: int | None


def test_threads_that_read_a_new_type_at_once_all_get_its_values():
    for _ in range(ROUNDS):
        kind = msgspec.defstruct("Whole", [("parts", list[Part]), ("name", str | None)])
        barrier = Barrier(THREADS)

        def read(kind: type = kind, barrier: Barrier = barrier) -> object:
            barrier.wait()
            return msgspec.json.decode(b'{"parts": [{"number": 1}], "name": "x"}', type=prepared(kind))

        with ThreadPoolExecutor(THREADS) as threads:
            read_values = [future.result() for future in [threads.submit(read) for _ in range(THREADS)]]
        assert all(value.parts == [Part(1)] and value.name == "x" for value in read_values)


def test_a_prepared_type_is_the_type():
    assert prepared(Part) is Part
    assert prepared(list[Part]) == list[Part]
