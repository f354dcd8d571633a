"""Between reader and listener: bounded, and honest about what it drops."""

from __future__ import annotations

from threading import Thread

import numpy as np

from earmark.streams.buffer import Buffer
from earmark.streams.items import Gap, Sound, Title

RATE = 1_000


def sound(second: int) -> Sound:
    return Sound(np.full(RATE, second, np.float32), float(second))


def drained(buffer: Buffer) -> list[object]:
    buffer.end()
    return list(iter(buffer.get, None))


def test_items_come_out_in_order() -> None:
    buffer = Buffer(rate=RATE, drops=True)
    items = [sound(1), Title("a", 1.0), Gap("b", 2.0), sound(3)]
    for item in items:
        buffer.put(item)
    assert drained(buffer) == items


def test_a_slow_listener_loses_the_oldest_and_is_told() -> None:
    buffer = Buffer(rate=RATE, drops=True, longest_seconds=10)
    for second in range(100):
        buffer.put(sound(second))
    items = drained(buffer)
    heard = [int(item.samples[0]) for item in items if isinstance(item, Sound)]
    gaps = [item for item in items if isinstance(item, Gap)]
    assert heard == list(range(heard[0], 100))
    assert len(heard) <= 11
    assert len(gaps) == 1
    assert gaps[0].dropped_seconds == buffer.dropped_seconds == 100 - len(heard)


def test_a_file_waits_for_its_listener_and_loses_nothing() -> None:
    buffer, heard = Buffer(rate=RATE, drops=False, longest_seconds=3), list[int]()

    def write() -> None:
        for second in range(50):
            buffer.put(sound(second))
        buffer.end()

    writer = Thread(target=write)
    writer.start()
    while (item := buffer.get()) is not None:
        assert isinstance(item, Sound)
        heard.append(int(item.samples[0]))
    writer.join()
    assert heard == list(range(50))
    assert buffer.dropped_seconds == 0


def test_ending_lets_a_writer_go_that_waits() -> None:
    buffer = Buffer(rate=RATE, drops=False, longest_seconds=1)
    writer = Thread(target=lambda: [buffer.put(sound(second)) for second in range(10)])
    writer.start()
    buffer.end()
    writer.join(timeout=10)
    assert not writer.is_alive()
