"""Trained networks as ONNX Runtime opens them: from bytes, in one thread, without reporting to anybody.

Metadata is read from the file itself, so that a list of tracks need not wait for a network.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from earmark.errors import OptionError

METADATA_FIELD = 14  # number of `metadata_props` in ONNX's ModelProto
FIXED_BYTES = {1: 8, 5: 4}  # bytes of a protocol buffer's fields of fixed width, by kind


def open_network(path: Path, remedy: str, content: bytes | None = None) -> Any:
    """Return a session for a network; `content` is the file's where it has been read already.

    One thread, since several files are read at the same time. Raises OptionError, which ends with `remedy`.
    """
    import onnxruntime  # which sends nothing: earmark/__init__.py

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        read = path.read_bytes() if content is None else content
        return onnxruntime.InferenceSession(read, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's own kinds have no common ancestor
        raise OptionError(f"{path} is no network ({error}); {remedy}") from error


def read_metadata(content: bytes) -> dict[str, str]:
    """Return the metadata of an ONNX file: field 14 of its ModelProto, pairs of key (1) and value (2).

    Raises ValueError when the bytes are no such message.
    """
    found = {}
    for number, value in _fields(content):
        if number == METADATA_FIELD:
            pair = dict(_fields(value))
            found[pair.get(1, b"").decode()] = pair.get(2, b"").decode()
    return found


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
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


def _varint(message: bytes, place: int) -> tuple[int, int]:
    """Return (number, place behind it)."""
    number = shift = 0
    while place < len(message) and shift < 64:
        byte = message[place]
        number |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return number, place
    raise ValueError("a number without an end")
