"""What a source yields, between the thread that reads it and the one that listens: bounded, the oldest goes first."""

from __future__ import annotations

from collections import deque
from threading import Condition

from earmark.streams.items import Gap, Item, Sound

LONGEST_SECONDS = 30.0  # of sound that waits


class Buffer:
    """A queue of items. A live source's oldest sound is dropped and counted where it is full; another source waits."""

    def __init__(self, *, rate: int, drops: bool, longest_seconds: float = LONGEST_SECONDS) -> None:
        self.dropped_seconds = 0.0
        self._rate, self._drops, self._most = rate, drops, round(longest_seconds * rate)
        self._items, self._samples = deque[Item](), 0
        self._changed, self._is_ended = Condition(), False

    def put(self, item: Item) -> None:
        """Add an item; nothing is added once it is ended."""
        with self._changed:
            while not self._drops and self._samples > self._most and not self._is_ended:
                self._changed.wait()
            if self._is_ended:
                return
            self._items.append(item)
            self._samples += _length(item)
            if self._samples > self._most and self._drops:
                self._drop()
            self._changed.notify_all()

    def end(self) -> None:
        """Say that nothing follows."""
        with self._changed:
            self._is_ended = True
            self._changed.notify_all()

    def get(self, *, wait_seconds: float | None = None) -> Item | None:
        """Return the next item, waiting for it; None at the end, or where none comes in time."""
        with self._changed:
            self._changed.wait_for(lambda: self._items or self._is_ended, timeout=wait_seconds)
            if not self._items:
                return None
            item = self._items.popleft()
            self._samples -= _length(item)
            self._changed.notify_all()
            return item

    @property
    def is_ended(self) -> bool:
        """Whether nothing is left and nothing follows."""
        with self._changed:
            return self._is_ended and not self._items

    def _drop(self) -> None:
        """Drop the older half, in one piece, so that one gap stands for it."""
        kept, dropped, seconds = deque[Item](), 0, 0.0
        others = list[Item]()
        while self._items and self._samples > self._most // 2:
            item = self._items.popleft()
            if isinstance(item, Sound):
                dropped += len(item.samples)
                self._samples -= len(item.samples)
            elif isinstance(item, Gap):
                seconds += item.dropped_seconds
            else:
                others.append(item)
        self.dropped_seconds += dropped / self._rate
        first = next((one for one in self._items if isinstance(one, Sound)), None)
        at = first.arrived if first is not None else 0.0
        kept.append(Gap("the machine is too slow", at, dropped / self._rate + seconds))
        self._items = deque([*others, *kept, *self._items])


def _length(item: Item) -> int:
    return len(item.samples) if isinstance(item, Sound) else 0
