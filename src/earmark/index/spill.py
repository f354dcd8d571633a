"""Arrays that are too large to be kept in memory while an index is built: in a file that ends with this process.

The file is written, not mapped for writing: a full disk is then an error and no crash. It has no name, so nothing is
left behind by a kill. It lies in $TMPDIR, else in /var/tmp, since /tmp is memory on many machines.
"""

from __future__ import annotations

import mmap
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

SPILLED_BYTES = 1 << 28  # bytes of an array that goes to disk: two million vectors, 290 hours of audio
BLOCK_BYTES = 1 << 24  # bytes written together
ON_DISK = Path("/var/tmp")  # folder that is a disk where /tmp is memory


def joined(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Return arrays of one type, one after another along the first axis: in memory, or on disk when they are large.

    What is on disk cannot be written to. Raises OSError when the disk is full.
    """
    if sum(part.nbytes for part in parts) < SPILLED_BYTES:
        return np.concatenate(parts)
    with temporary_file() as file:
        for part in parts:
            flat = np.ascontiguousarray(part).reshape(-1).view(np.uint8)
            for start in range(0, len(flat), BLOCK_BYTES):
                file.write(flat[start : start + BLOCK_BYTES].data)
        rows = sum(len(part) for part in parts)
        return mapped(file).view(parts[0].dtype).reshape(rows, *parts[0].shape[1:])


def temporary_file() -> IO[bytes]:
    """Return a file without a name, to be written."""
    return tempfile.TemporaryFile(prefix="earmark-", dir=folder())


def mapped(file: IO[bytes]) -> NDArray[np.uint8]:
    """Return what was written to a file, memory-mapped; the file may be closed then."""
    file.flush()
    return np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), np.uint8)


def release(array: NDArray[Any]) -> None:
    """Let the system take back the memory of a mapped file that was read, and will not be soon."""
    base: Any = array
    while isinstance(base, np.ndarray):
        base = base.base
    if isinstance(base, memoryview):
        base = base.obj
    if isinstance(base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        base.madvise(mmap.MADV_DONTNEED)


def folder() -> str:
    """Return where temporary files go that may be larger than memory."""
    if "TMPDIR" not in os.environ and os.access(ON_DISK, os.W_OK):
        return str(ON_DISK)
    return tempfile.gettempdir()
