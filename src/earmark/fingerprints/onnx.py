"""Trained networks as ONNX Runtime opens them: from bytes, in one thread, without reporting to anybody.

What is read is what is hashed and loaded: a regular file of bounded size that holds all its weights itself. Metadata is
read from the bytes, so that a list of tracks need not wait for a network.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from earmark.audio.container import open_regular
from earmark.errors import MediaError, OptionError

LARGEST_BYTES = 256_000_000  # bytes of a network, a hundred times ours
DEEPEST = 32  # graphs within graphs; ours have one
METADATA_FIELD = 14  # number of `metadata_props` in ONNX's ModelProto
FIXED_BYTES = {1: 8, 5: 4}  # bytes of a protocol buffer's fields of fixed width, by kind
# Where ONNX's messages (onnx.proto) hold tensors: kind of message -> number of a field -> kind of message in it.
PARTS: Mapping[str, Mapping[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: "tensor", 15: "sparse tensor"},
    "function": {7: "node"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse tensor", 23: "sparse tensor"},
    "sparse tensor": {1: "tensor", 2: "tensor"},
}
EXTERNAL_FIELD = 13  # number of `external_data` in TensorProto: the name of another file that holds its values


def read_network(path: Path, remedy: str) -> bytes:
    """Return the bytes of a network; raises OptionError, which ends with `remedy`, for what is no file of one."""
    try:
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            if size > LARGEST_BYTES:
                raise OptionError(f"{path} has {size:,} bytes, and {LARGEST_BYTES:,} are allowed; {remedy}")
            content = file.read(LARGEST_BYTES + 1)
    except (MediaError, OSError) as error:
        reason = error.detail if isinstance(error, MediaError) else error.strerror
        raise OptionError(f"model {str(path)!r} cannot be read ({reason}): {remedy}") from error
    try:
        if _names_other_files(content, "model", DEEPEST):
            raise OptionError(f"{path} keeps weights in another file; {remedy}")
    except ValueError as error:
        raise OptionError(f"{path} is no network ({error}); {remedy}") from error
    return content


def open_network(content: bytes, path: Path, remedy: str) -> Any:
    """Return a session for a network that `read_network` has read from `path`.

    One thread, since several files are read at the same time. Raises OptionError, which ends with `remedy`.
    """
    import onnxruntime  # which sends nothing: earmark/__init__.py

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's own kinds have no common ancestor
        raise OptionError(f"{path} is no network ({error}); {remedy}") from error


def _names_other_files(message: bytes | memoryview, kind: str, deepest: int) -> bool:
    """Return whether a tensor in a message lies in another file; raises ValueError for what is no such message."""
    if deepest < 0:
        raise ValueError("graphs within graphs without end")
    parts = PARTS.get(kind, {})
    for number, value in _fields(memoryview(message)):
        if kind == "tensor" and number == EXTERNAL_FIELD:
            return True
        inner = parts.get(number)
        if inner and _names_other_files(value, inner, deepest - (inner == "graph")):
            return True
    return False


def read_metadata(content: bytes) -> dict[str, str]:
    """Return the metadata of an ONNX file: field 14 of its ModelProto, pairs of key (1) and value (2).

    Raises ValueError when the bytes are no such message.
    """
    found = {}
    for number, value in _fields(memoryview(content)):
        if number == METADATA_FIELD:
            pair = dict(_fields(value))
            found[bytes(pair.get(1, b"")).decode()] = bytes(pair.get(2, b"")).decode()
    return found


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Yield (number, content) of the length-delimited fields of a protocol buffer; others are passed over."""
    place = 0
    while place < len(message):
        key, place = _varint(message, place)
        number, kind = key >> 3, key & 7
        if kind == 0:
            _, place = _varint(message, place)
        elif kind in FIXED_BYTES:
            place += FIXED_BYTES[kind]
        elif kind == 2:
            length, place = _varint(message, place)
            if place + length > len(message):
                raise ValueError("a field that reaches beyond the end")
            yield number, message[place : place + length]
            place += length
        else:
            raise ValueError(f"a field of kind {kind}")


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    """Return (number, place behind it)."""
    number = shift = 0
    while place < len(message) and shift < 64:
        byte = message[place]
        number |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return number, place
    raise ValueError("a number without an end")
