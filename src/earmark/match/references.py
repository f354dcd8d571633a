"""Stored fingerprints of tracks, unpacked and kept for the next question as long as there is room."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from threading import Lock

from earmark.types import Fingerprint

CACHE_BYTES = 64_000_000  # bytes of layers of fingerprints: some 55 hours of vectors with their peaks

Read = Callable[[Sequence[int]], Mapping[int, Fingerprint]]


class CachedReferences:
    """What a store holds of tracks, read in batches; the least recently used goes first. Implements `References`."""

    def __init__(self, read: Read, *, most_bytes: int = CACHE_BYTES) -> None:
        """`read` returns the fingerprints of tracks; what it raises passes through."""
        self._read, self._most = read, most_bytes
        self._kept: OrderedDict[int, Fingerprint] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()

    def __call__(self, tracks: Sequence[int]) -> Mapping[int, Fingerprint]:
        """Return the fingerprint of each track."""
        with self._lock:
            found = {track: self._kept[track] for track in tracks if track in self._kept}
            for track in found:
                self._kept.move_to_end(track)
        missing = [track for track in dict.fromkeys(tracks) if track not in found]
        if missing:
            read = self._read(missing)
            self._keep(read)
            found |= read
        return found

    def _keep(self, read: Mapping[int, Fingerprint]) -> None:
        with self._lock:
            for track, fingerprint in read.items():
                if self._kept.setdefault(track, fingerprint) is fingerprint:
                    self._bytes += _size_of(fingerprint)
            while self._bytes > self._most and len(self._kept) > 1:
                self._bytes -= _size_of(self._kept.popitem(last=False)[1])


def _size_of(fingerprint: Fingerprint) -> int:
    return sum(layer.nbytes for layer in fingerprint.layers.values())
