"""Sound that comes in blocks, as segments and power spectra."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from earmark.audio.framing import SegmentStream
from earmark.audio.stft import FrontEnd, PowerStream


def segment_chunks(blocks: Iterable[np.ndarray], *, length: int, hop: int, count: int) -> Iterator[np.ndarray]:
    """Yield all segments of sound, `count` at a time."""
    stream = SegmentStream(length=length, hop=hop, count=count)
    for block in blocks:
        yield from stream.push(block)
    yield from stream.rest()


def power_chunks(blocks: Iterable[np.ndarray], front_end: FrontEnd, *, frames: int) -> Iterator[np.ndarray]:
    """Yield the whole power spectrogram of sound, `frames` frames at a time."""
    stream = PowerStream(front_end, frames=frames)
    for block in blocks:
        yield from stream.push(block)
    yield from stream.rest()
