"""Opening audio files: regular files in listed formats, opened by content, so that FFmpeg follows no names."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from earmark.errors import MediaError
from earmark.text import printable

if TYPE_CHECKING:
    from av.container import InputContainer

Media = BinaryIO | bytes | str | os.PathLike[str]

# FFmpeg's names of formats that hold one recording: no images, no playlists or others that name files to open.
FORMATS = "wav,w64,aiff,flac,mp3,ogg,aac,mov,mp4,m4a,3gp,matroska,webm,mpegts,avi,asf,caf"
OPTIONS = {
    "protocol_whitelist": "file,crypto,data",
    "format_whitelist": FORMATS,
    "max_probe_packets": "8",  # packets; FFmpeg's default of 2,500 costs 3 ms for a clip in a WAV file
}

# Without limits, FFmpeg would hold back the first seconds of a stream to learn what is in it.
LIVE_OPTIONS = {**OPTIONS, "probesize": "65536", "analyzeduration": "1000000"}  # bytes, microseconds

LOWEST_RATE, HIGHEST_RATE = 4_000, 384_000  # Hz, telephones to studio converters
MOST_CHANNELS = 64
LARGEST_READ_BYTES = 1 << 20  # bytes; FFmpeg reads sound files in pieces of 32 kB


def open_regular(path: str | os.PathLike[str]) -> BinaryIO:
    """Open a regular file for reading; raises MediaError for anything else that has a path.

    It never waits for a FIFO or a device.
    """
    given = Path(path)
    try:
        descriptor = os.open(given.resolve(), os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except (OSError, ValueError, RuntimeError) as error:  # a NUL in the name; a loop of links
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise MediaError("unreadable", f"{printable(given)}: {reason}") from error
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        kind = "a folder" if stat.S_ISDIR(mode) else "no regular file (a pipe, socket or device)"
        raise MediaError("unreadable", f"{printable(given)} is {kind}; give an audio file")
    return os.fdopen(descriptor, "rb")


@contextmanager
def open_container(source: Media) -> Iterator[tuple[InputContainer, BinaryIO]]:
    """Yield (container, file) of a source that FFmpeg opens by its content, not its name; raises MediaError."""
    import av  # here: the parent of a sandbox opens files and never decodes

    owned = not hasattr(source, "read")
    if isinstance(source, bytes | bytearray | memoryview):
        file: Any = io.BytesIO(source)
    else:
        file = open_regular(source) if owned else source  # type: ignore[arg-type]
    try:
        if _size(file) == 0:
            raise MediaError("too_short", "the file is empty")
        try:
            container = av.open(_Nameless(file), mode="r", options=OPTIONS, metadata_errors="replace")
        except Exception as error:  # PyAV raises FFmpegError, and IndexError or ValueError on some damaged files
            raise MediaError("unreadable", f"this is no audio or video that can be read ({_text(error)})") from error
        with container:
            yield container, file
    finally:
        if owned:
            file.close()


@contextmanager
def open_live_container(stream: BinaryIO) -> Iterator[tuple[InputContainer, BinaryIO]]:
    """Yield (container, stream) of sound that arrives, which can be read once from front to back; raises MediaError."""
    import av

    try:
        container = av.open(_Arriving(stream), mode="r", options=LIVE_OPTIONS, metadata_errors="replace")
    except Exception as error:  # as of `open_container`
        raise MediaError("unreadable", f"this is no audio or video that can be read ({_text(error)})") from error
    with container:
        yield container, stream


class _Arriving:
    """A stream that gives what has arrived, be it less than FFmpeg asks for."""

    def __init__(self, stream: BinaryIO) -> None:
        self._descriptor = stream.fileno()

    def read(self, count: int) -> bytes:
        return os.read(self._descriptor, min(count, LARGEST_READ_BYTES))


class _Nameless:
    """A file without its name, from which FFmpeg would guess a format.

    A read returns at most `LARGEST_READ_BYTES`: FFmpeg asks for as much as a header declares, and Python would
    allocate all of it.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file, self.seek, self.tell = file, file.seek, file.tell

    def read(self, count: int) -> bytes:
        return self._file.read(min(count, LARGEST_READ_BYTES))


def _size(file: BinaryIO) -> int:
    try:
        here = file.tell()
        end = file.seek(0, os.SEEK_END)
        file.seek(here)
    except (OSError, io.UnsupportedOperation) as error:
        raise MediaError("unreadable", "the stream cannot be read from any place; read it into bytes first") from error
    return end - here


def _text(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:200]
