"""One array of an index as a file: .npy 1.0, with size, type, shape and SHA-256 kept beside it."""

from __future__ import annotations

import hashlib
import io
import math
import mmap
import os
import re
from collections.abc import Iterator
from io import BufferedReader
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from earmark.catalog.local.directory import Directory
from earmark.errors import CatalogDamaged

CHUNK_BYTES = 1 << 20  # bytes read or written together
SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_SUFFIX = ".npy"
_TYPE = re.compile(r"[|<][buif][1248]")  # numpy's names of the numbers that indexes hold
_MOST_AXES = 4
_MOST_BYTES = 1 << 50


class ArrayFile(msgspec.Struct, frozen=True):
    """One array of an index, as it is on disk."""

    name: str
    bytes: int
    sha256: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def file(self) -> str:
        """Name of the file."""
        return self.name + _SUFFIX

    @property
    def is_sound(self) -> bool:
        """Whether this can be said of a file that an index wrote."""
        known = SAFE_NAME.fullmatch(self.name) and _TYPE.fullmatch(self.dtype) and len(self.shape) <= _MOST_AXES
        return bool(known) and all(0 <= size <= _MOST_BYTES for size in (self.bytes, *self.shape))


def is_array_name(file: str) -> bool:
    """Return whether a file in a generation has the name of an array."""
    return file.endswith(_SUFFIX) and bool(SAFE_NAME.fullmatch(file.removesuffix(_SUFFIX)))


def npy_parts(array: NDArray[Any]) -> Iterator[bytes | memoryview]:
    """Yield an array in the .npy format 1.0, without a copy of it as a whole."""
    array = np.ascontiguousarray(array)
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, np.lib.format.header_data_from_array_1_0(array))
    yield header.getvalue()
    whole = array.reshape(-1).view(np.uint8).data
    for start in range(0, len(whole), CHUNK_BYTES):
        yield whole[start : start + CHUNK_BYTES]


def load_array(folder: Directory, entry: ArrayFile, *, read_up_to: float) -> NDArray[Any]:
    """Return an array, memory-mapped; raises CatalogDamaged, ValueError or OSError when it is not as it was written."""
    if problem := check_array(folder, entry, read_up_to=read_up_to):
        raise CatalogDamaged(problem)
    with folder.file(entry.file) as file:
        shape, in_columns, dtype = _header(file, entry)
        start, size = file.tell(), math.prod(entry.shape)
        if (dtype.str, shape, in_columns) != (entry.dtype, entry.shape, False):
            raise CatalogDamaged(f"{folder.path / entry.file} is damaged: its header says {dtype} {shape}")
        if start + size * dtype.itemsize != os.fstat(file.fileno()).st_size:
            raise CatalogDamaged(f"{folder.path / entry.file} is damaged: it has another size than its header says")
        if not size:
            return np.zeros(entry.shape, dtype)  # an empty part of a file cannot be mapped
        content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    array: NDArray[Any] = np.frombuffer(content, dtype, size, start).reshape(entry.shape)
    return array


def _header(file: BufferedReader, entry: ArrayFile) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Return (shape, whether columns come first, type) that a file begins with; raises ValueError, OSError."""
    try:
        if np.lib.format.read_magic(file) == (1, 0):
            return np.lib.format.read_array_header_1_0(file)
    except OSError:
        raise
    except Exception as error:  # numpy has the header parsed as Python, which fails in many ways
        raise ValueError(f"{entry.file} has no header of an array ({type(error).__name__})") from error
    raise ValueError(f"{entry.file} is of another format")


def check_array(folder: Directory, entry: ArrayFile, *, read_up_to: float) -> str:
    """Return what is wrong with a file, or ''; up to so many bytes are read.

    The size comes first, because mapping a short file ends in SIGBUS.
    """
    path = folder.path / entry.file
    with folder.file(entry.file) as file:
        size = os.fstat(file.fileno()).st_size
        if size != entry.bytes:
            return f"{path} is damaged: {size} bytes, not {entry.bytes}; `earmark rebuild` makes the index again"
        if size <= read_up_to and hashlib.file_digest(file, "sha256").hexdigest() != entry.sha256:
            return f"{path} is damaged: its checksum does not hold; `earmark rebuild` makes the index again"
    return ""
