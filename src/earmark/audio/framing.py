"""Framing: sound cut into overlapping segments of one length, (n,) to (segments, length)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from earmark.errors import OptionError
from earmark.types import Samples


def segments(samples: Samples, *, length: int, hop: int) -> NDArray[np.float32]:
    """Return the complete segments of `length` samples, one every `hop`, shape (n, length), as a view.

    A shorter rest is dropped; sound shorter than one segment is padded with zeros to one.
    """
    if 0 < len(samples) < length:
        samples = np.pad(samples, (0, length - len(samples)))
    if len(samples) < length:
        return np.zeros((0, length), np.float32)
    return np.lib.stride_tricks.sliding_window_view(samples, length)[::hop]


def segment_chunks(blocks: Iterable[Samples], *, length: int, hop: int, count: int) -> Iterator[NDArray[np.float32]]:
    """Yield the segments of sound that comes in blocks, `count` at a time (fewer the last time).

    The grid of chunks does not depend on the blocks, so computations on chunks are the same to the last bit however
    the sound is cut. Raises OptionError when the segments would leave gaps (`hop` above `length`).
    """
    if not 1 <= hop <= length:
        raise OptionError(f"hop={hop}; give 1 to length={length} samples")
    pending: list[Samples] = []
    held, any_yet = 0, False
    need = (count - 1) * hop + length
    for block in blocks:
        pending.append(block)
        held += len(block)
        while held >= need:
            samples = np.concatenate(pending) if len(pending) > 1 else pending[0]
            yield segments(samples[:need], length=length, hop=hop)
            any_yet = True
            pending = [samples[count * hop :]]
            held = len(pending[0])
    rest = np.concatenate(pending) if pending else np.zeros(0, np.float32)
    if len(rest) >= length or (len(rest) and not any_yet):
        yield segments(rest, length=length, hop=hop)
