"""Faiss as the indexes use it: its structures as arrays, read with limits, searched in one thread."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.errors import CatalogDamaged
from earmark.index.spill import BLOCK_BYTES, SPILLED_BYTES, mapped, temporary_file

MANY = 100_000  # vectors, indexed within a second, which more threads would spend waiting for each other
HARMLESS_BYTES = 1 << 27  # bytes that any index may claim; tables of 32,768 lists take half of it
MOST_LOOPS = 10**6  # lists or levels that a structure may claim; Faiss has no limit of its own

_limits = Lock()  # held while Faiss's limits of reading, which are the whole process's, are changed


def library() -> Any:
    """Return the module, which takes a quarter of a second to load."""
    import faiss

    return faiss


def to_array(index: Any, size: int) -> NDArray[np.uint8]:
    """Return a Faiss index as bytes, of which there are about `size`: many lie on disk, not twice in memory."""
    faiss = library()
    if size < SPILLED_BYTES:
        packed: NDArray[np.uint8] = faiss.serialize_index(index)
        return packed
    with temporary_file() as file:
        faiss.write_index(index, faiss.PyCallbackIOWriter(file.write, BLOCK_BYTES))
        return mapped(file)


def from_array(packed: NDArray[np.uint8], kind: str, shape: tuple[int, ...]) -> Any:
    """Return the Faiss index of class `kind` over vectors of this shape that `to_array` gave; `packed` must outlive it.

    The bytes are not copied: where they are memory-mapped, only what a search touches is read. Sizes in them are not
    believed beyond twice their number. Raises CatalogDamaged when they make no such index; bytes that were changed on
    purpose may still crash Faiss, so whoever calls has checked their sum.
    """
    faiss = library()
    if packed.dtype != np.uint8 or packed.ndim != 1 or not packed.flags.c_contiguous:
        raise CatalogDamaged(
            f"an array of {packed.dtype} {packed.shape} is no Faiss index; `earmark rebuild` makes it again"
        )
    with _limits:
        bytes_before = faiss.get_deserialization_vector_byte_limit()
        loops_before = faiss.get_deserialization_loop_limit()
        try:
            faiss.set_deserialization_vector_byte_limit(max(HARMLESS_BYTES, 2 * packed.nbytes))
            faiss.set_deserialization_loop_limit(MOST_LOOPS)
            index = faiss.read_index(
                faiss.ZeroCopyIOReader(faiss.swig_ptr(packed), packed.nbytes), faiss.IO_FLAG_MMAP_IFC
            )
        except (RuntimeError, MemoryError) as error:
            raise CatalogDamaged(f"Faiss cannot read its index ({error}); `earmark rebuild` makes it again") from error
        finally:
            faiss.set_deserialization_vector_byte_limit(bytes_before)
            faiss.set_deserialization_loop_limit(loops_before)
    if type(index).__name__ != kind or (index.ntotal, index.d) != shape:
        raise CatalogDamaged(
            f"Faiss's index is a {type(index).__name__} of {index.ntotal} vectors, not a {kind} of {shape[0]}; "
            "`earmark rebuild` makes it again"
        )
    return index


def search_lists(
    index: Any,
    vectors: NDArray[np.float32],
    lists: NDArray[np.int64],
    nearest: int,
    deleted: NDArray[np.bool_] | None,
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return (scores, rows) of each vector's `nearest` in the lists named for it, (n, p), -1 where there are fewer.

    What has a number below 0 in its list only fills it, and is not found.
    """
    faiss, probes = library(), lists.shape[1]
    scores, rows = np.empty((len(vectors), nearest), np.float32), np.empty((len(vectors), nearest), np.int64)
    told = np.zeros(lists.shape, np.float32)  # distances to the cells, which make no difference
    wanted = faiss.IDSelectorRange(0, index.ntotal) if deleted is None else selector(deleted)
    parameters = faiss.SearchParametersIVF(nprobe=probes, sel=wanted)
    pointers = [faiss.swig_ptr(array) for array in (lists, told, scores, rows)]
    with one_thread():
        index.search_preassigned_c(len(vectors), faiss.swig_ptr(vectors), nearest, *pointers, False, parameters)
    return scores, rows


@contextmanager
def one_thread() -> Iterator[None]:
    """Let Faiss use this thread alone: threads of one search wait for each other longer than they save."""
    faiss = library()
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


def threads_for(vectors: int) -> AbstractContextManager[None]:
    """Let Faiss use all processors to build an index of many vectors, and one for a few."""
    return nullcontext() if vectors >= MANY else one_thread()


def selector(deleted: NDArray[np.bool_] | None) -> Any:
    """Return what lets a search find all rows but those that are deleted, or None when it may find all."""
    faiss = library()
    return None if deleted is None else faiss.IDSelectorBitmap(np.packbits(~deleted, bitorder="little"))
