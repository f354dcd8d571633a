"""Opening audio files: regular files in listed formats, opened by content, so that FFmpeg follows no names."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from earmark.audio.chain import links_of
from earmark.audio.ogg import without_repeated_headers
from earmark.errors import MediaError
from earmark.regular import why_unopened
from earmark.text import printable

if TYPE_CHECKING:
    from av.container import InputContainer

Media = BinaryIO | bytes | str | os.PathLike[str]

# FFmpeg's names of what holds no recording, or names other files to open: playlists and manifests, networks, devices,
# pictures, subtitles and other texts, and headerless sound that it would take any bytes for.
_PLAYLISTS = "concat hls dash imf webm_dash_manifest applehttp vobsub rtp rtsp sap sdp ffmetadata lavfi sbg mpjpeg"
_DEVICES = "alsa fbdev kmsgrab oss pulse jack openal sndio video4linux2 v4l2 x11grab xcbgrab iec61883 decklink"
_PICTURES = """image2 image2pipe gif ico fits apng alias_pix brender_pix jpegxl_anim svg xbin bin adf idf tty txd
    filmstrip cdg"""
_TEXTS = """aqtitle ass jacosub lrc mcc microdvd mpl2 mpsub pjs rcwt realtext sami scc srt stl subviewer subviewer1 sup
    tedcaptions vplayer webvtt dvbsub dvbtxt"""
_HEADERLESS = """alaw mulaw data bitpacked rawvideo codec2raw f32be f32le f64be f64le s8 s16be s16le s24be s24le s32be
    s32le u8 u16be u16le u24be u24le u32be u32le sln vidc v210 v210x"""
REFUSED = frozenset(f"{_PLAYLISTS} {_DEVICES} {_PICTURES} {_TEXTS} {_HEADERLESS}".split())
# Headerless sound, which only the ending of a file's name tells: FFmpeg's name of the format.
NAMED = {".g722": "g722", ".sbc": "sbc", ".aptx": "aptx", ".aptxhd": "aptx_hd"}

_MP4_BOXES = (b"ftyp", b"mdat", b"moov", b"wide", b"free")  # names of what such a file may begin with
_INVALID_ARGUMENT = 22  # EINVAL: what FFmpeg says of a format that is not in its list of allowed ones


@cache
def allowed_formats() -> str:
    """Return FFmpeg's names of the formats that are read, with commas: all that it has but `REFUSED`."""
    import av  # here: the parent of a sandbox opens files and never decodes

    def is_read(name: str) -> bool:
        return not name.endswith("_pipe") and REFUSED.isdisjoint(name.split(","))

    return ",".join(sorted(name for name in av.formats_available if is_read(name)))


def options() -> dict[str, str]:
    """Return what FFmpeg is told before it opens a file."""
    return {
        "protocol_whitelist": "file,crypto,data",
        "format_whitelist": allowed_formats(),
        "max_probe_packets": "8",  # packets; FFmpeg's default of 2,500 costs 3 ms for a clip in a WAV file
    }


LOWEST_RATE, HIGHEST_RATE = 4_000, 384_000  # Hz, telephones to studio converters
MOST_CHANNELS = 64
LARGEST_READ_BYTES = 1 << 20  # bytes; FFmpeg reads sound files in pieces of 32 kB


def live_options() -> dict[str, str]:
    """Return the same for a stream, whose first seconds it would hold back to learn what is in it."""
    return {**options(), "probesize": "65536", "analyzeduration": "1000000"}  # bytes, microseconds


def open_regular(path: str | os.PathLike[str]) -> BinaryIO:
    """Open a regular file for reading; raises MediaError for anything else that has a path.

    It never waits for a FIFO or a device.
    """
    given = Path(path)
    try:
        descriptor = os.open(given.resolve(), os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except (OSError, ValueError, RuntimeError) as error:  # a NUL in the name; a loop of links
        raise MediaError("unreadable", why_unopened(error, str(path)), source=printable(given)) from error
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        kind = "a folder" if stat.S_ISDIR(mode) else "no regular file, but a pipe, socket or device"
        raise MediaError("unreadable", f"it is {kind}; give an audio file", source=printable(given))
    return open(given, "rb", opener=lambda *_: descriptor)


class Opened(NamedTuple):
    """An open file as FFmpeg reads it."""

    container: InputContainer  # of a chained Ogg file, its first link
    file: BinaryIO
    later_links: tuple[BinaryIO, ...] = ()  # the rest of a chained Ogg file


@contextmanager
def open_container(source: Media, *, suffix: str = "") -> Iterator[Opened]:
    """Yield a source that FFmpeg opens by its content; raises MediaError.

    The name's `suffix` counts where the content says nothing: for the headerless formats of `NAMED`.
    """
    if isinstance(source, str | os.PathLike):
        suffix = Path(source).suffix
    owned = not hasattr(source, "read")
    if isinstance(source, bytes | bytearray | memoryview):
        file: Any = io.BytesIO(source)
    else:
        file = open_regular(source) if owned else source  # type: ignore[arg-type]
    try:
        if _size(file) == 0:
            raise MediaError("too_short", "the file is empty")
        first, *later = links_of(file) or [file]
        try:
            container = _open(first, None)
        except Exception as error:  # PyAV raises FFmpegError, and IndexError or ValueError on some damaged files
            container = _opened_otherwise(first, suffix.lower(), error)
        with container:
            yield Opened(container, file, tuple(later))
    finally:
        if owned:
            file.close()


def _opened_otherwise(file: BinaryIO, suffix: str, error: Exception) -> InputContainer:
    """Return the container of a file that FFmpeg does not open by its content alone; raises MediaError."""
    mended = without_repeated_headers(file)
    if suffix not in NAMED and mended is None:
        raise _refusal(error, beginning=_beginning(file)) from error
    file.seek(0)
    try:
        return _open(file if mended is None else mended, NAMED.get(suffix) if mended is None else None)
    except Exception as again:
        raise _refusal(again) from again


def _open(file: BinaryIO, name: str | None) -> InputContainer:
    import av

    return av.open(_Nameless(file), mode="r", format=name, options=options(), metadata_errors="surrogateescape")


@contextmanager
def open_live_container(stream: BinaryIO) -> Iterator[Opened]:
    """Yield sound that arrives, which can be read once from front to back; raises MediaError."""
    import av

    try:
        container = av.open(_Arriving(stream), mode="r", options=live_options(), metadata_errors="replace")
    except Exception as error:  # as of `open_container`
        raise _refusal(error) from error
    with container:
        yield Opened(container, stream)


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


def _beginning(file: BinaryIO) -> bytes:
    file.seek(0)
    return file.read(8)


def _refusal(error: Exception, *, beginning: bytes = b"") -> MediaError:
    """Return what a person is told of a file that FFmpeg does not open."""
    if getattr(error, "errno", None) == _INVALID_ARGUMENT:
        return MediaError("unsupported", "it is a playlist, a picture or a text; give the audio file itself")
    if isinstance(error, MemoryError):
        return MediaError("too_large", "its beginning asks for more memory than a file may take; it is damaged")
    if beginning[4:] in _MP4_BOXES:
        return MediaError("unreadable", "the end of an MP4 file is missing, and with it the list of what is where")
    return MediaError("unreadable", "it is no audio or video that FFmpeg knows, or its beginning is damaged")
