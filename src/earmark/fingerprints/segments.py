"""Segments of a spectrogram that arrives in chunks, encoded as soon as a batch is full."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import copy

import numpy as np
from numpy.typing import NDArray

from earmark.fingerprints.mel import QUIETEST, LogMel, Spectrogram
from earmark.types import Frames

BATCH = 4  # segments at a time, as 16 are no faster; always as many: a vector depends neither on others nor on blocks

# Returns which of at most `BATCH` segments, (n, bands, frames), have a vector, and those, (m, dimensions).
Encode = Callable[[Spectrogram], tuple[NDArray[np.bool_], NDArray[np.int8]]]


class SegmentEncoding:
    """Vectors of segments that begin every `hop` frames, from `margin` before the first frame on.

    Silence is put around the sound, as much as it takes for every frame to be in a segment, and `margin` behind it.
    """

    def __init__(self, encode: Encode, log_mel: LogMel, *, dimensions: int, hop: int, margin: int) -> None:
        self._network, self._hop, self._margin = encode, hop, margin
        self._bands, self._segment = log_mel.bands, log_mel.segment_frames
        self._held = self._silence(margin)  # frames that later segments need
        self._first, self._heard = -margin, 0
        self._done: list[tuple[Frames, NDArray[np.int8]]] = []
        self._nothing = np.zeros(0, np.int32), np.zeros((0, dimensions), np.int8)

    def push(self, chunk: Spectrogram) -> None:
        """Take more frames, (n, bands)."""
        self._held, self._heard = np.concatenate([self._held, chunk]), self._heard + len(chunk)
        while len(self._held) >= (BATCH - 1) * self._hop + self._segment:
            self._encode(BATCH)

    def take(self, rest: Iterable[Spectrogram]) -> tuple[Frames, NDArray[np.int8]]:
        """Return (first frames, vectors) of all segments if the sound ends with `rest`; nothing is taken away."""
        ended = copy(self)
        ended._done = list(self._done)
        for chunk in rest:
            ended.push(chunk)
        ended._end()
        frames, vectors = zip(self._nothing, *ended._done, strict=True)
        return np.concatenate(frames), np.concatenate(vectors)

    def forget(self, before: int) -> None:
        """Let go of the segments that begin before a frame, batch by batch."""
        while self._done and (not len(self._done[0][0]) or self._done[0][0][-1] < before):
            del self._done[0]

    def _end(self) -> None:
        if not self._heard:
            return
        left = self._heard + self._margin - self._first - self._segment  # frames that reach beyond one more segment
        at_least = 0 if self._first > -self._margin else 1  # sound shorter than a segment has one
        count = max(-(-left // self._hop) + 1, at_least)
        short = (count - 1) * self._hop + self._segment - len(self._held)
        self._held = np.concatenate([self._held, self._silence(max(short, 0))])
        for done in range(0, count, BATCH):
            self._encode(min(BATCH, count - done))

    def _encode(self, count: int) -> None:
        starts = np.arange(count, dtype=np.int32) * self._hop
        windows = np.lib.stride_tricks.sliding_window_view(self._held, self._segment, axis=0)
        heard, vectors = self._network(windows[starts])
        self._done.append((starts[heard] + np.int32(self._first), vectors))
        self._held, self._first = self._held[count * self._hop :], self._first + count * self._hop

    def _silence(self, frames: int) -> Spectrogram:
        return np.full((frames, self._bands), np.log10(QUIETEST), np.float32)
