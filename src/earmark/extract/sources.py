"""What a fingerprint can be asked of: a path, bytes, a binary file, (samples, rate), or a fingerprint."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from earmark.audio.container import open_regular
from earmark.errors import MediaError, OptionError
from earmark.extract.protocol import ExtractLimits
from earmark.text import printable
from earmark.types import Fingerprint

Source = str | os.PathLike[str] | bytes | BinaryIO | tuple[Any, int] | Fingerprint

COPIED_BYTES = 1 << 20  # bytes of a stream that are in memory at once


@contextmanager
def opened(source: Source, limits: ExtractLimits) -> Iterator[BinaryIO]:
    """Open a path, bytes or a binary file as a file with a descriptor, which a child can be given.

    Raises MediaError for what cannot be read or is too large, OptionError for what is no file at all.
    """
    if isinstance(source, str | os.PathLike):
        with open_regular(Path(source)) as file:
            yield file
        return
    if hasattr(source, "__array__"):
        raise OptionError("samples without their rate; give (samples, rate)")
    stream = io.BytesIO(source) if isinstance(source, bytes | bytearray | memoryview) else source
    if isinstance(stream, tuple | Fingerprint) or not hasattr(stream, "read"):
        kind = type(source).__name__
        raise OptionError(f"{kind} is no file; give a path, bytes, a file that is open for reading, or (samples, rate)")
    with tempfile.TemporaryFile() as file:
        _copy(stream, file, limits.largest_upload_bytes)
        yield file


def samples_of(source: tuple[Any, ...]) -> tuple[Any, int]:
    """Return (samples, rate) of a source that is a tuple; raises OptionError for another one."""
    if len(source) != 2:
        raise OptionError(f"a tuple of {len(source)}; give (samples, rate)")
    return source


def name_of(source: Source) -> str:
    """Return what stands for a source in an answer, safe to print."""
    if isinstance(source, str | os.PathLike):
        return printable(source)
    if isinstance(source, tuple):
        return "samples"
    if isinstance(source, Fingerprint):
        return "fingerprint"
    if isinstance(source, bytes | bytearray | memoryview):
        return f"{len(source)} bytes"
    name = getattr(source, "name", "stream")
    return printable(name) if isinstance(name, str) else "stream"


def _copy(stream: BinaryIO, file: BinaryIO, most: int) -> None:
    copied = 0
    while part := _read(stream):
        copied += len(part)
        if copied > most:
            raise MediaError("too_large", f"more than {most:,} bytes; pass a file by its path, or raise the limit")
        try:
            file.write(part)
            file.flush()
        except OSError as error:
            folder = tempfile.gettempdir()
            detail = f"a copy in {folder} failed ({error.strerror}); make room there, or set TMPDIR"
            raise MediaError("too_large", detail) from error
    file.seek(0)


def _read(stream: BinaryIO) -> bytes:
    try:
        part = stream.read(COPIED_BYTES)
    except OSError as error:
        raise MediaError("unreadable", f"the stream cannot be read ({error.strerror or error})") from error
    except ValueError as error:  # it is closed
        raise OptionError(f"the stream cannot be read ({error}); open it again") from error
    if isinstance(part, str):
        raise OptionError("the file is open as text; open it as bytes (mode 'rb')")
    if part is not None and not isinstance(part, bytes | bytearray | memoryview):
        raise OptionError(f"the file's read() returns {type(part).__name__}; it has to return bytes")
    return part or b""
