"""Whether a file ends where it says that it does, or broke off: a download that stopped, a disk that was full."""

from __future__ import annotations

import os
from typing import BinaryIO

from av.audio.stream import AudioStream
from av.container import InputContainer

TOLERANCE_SECONDS = 0.25  # encoders' delay and padding, of which headers do and do not tell
_LARGEST_OGG_PAGE = 65_307  # bytes (RFC 3533, section 6)
_UNKNOWN_WAV_BYTES = 2**31 - 2**17  # what writes into a pipe declares this much or more
_MOST_WAV_CHUNKS = 1_000
_HEAD_BYTES = 512  # of an mp3's first frame, in which a Xing, Info or VBRI header says how many follow


def is_truncated(
    file: BinaryIO, container: InputContainer, stream: AudioStream, seconds: float, *, last_is_partial: bool
) -> bool:
    """Return whether a file that was read to its end, giving `seconds` of sound, is shorter than it says of itself.

    Where nothing is said, only a last packet that is not all there tells.
    """
    name = container.format.name
    if name == "ogg":
        return not _has_whole_last_page(file)
    declared = _declared_seconds(container, stream)
    if name == "wav":
        return _is_wav_truncated(file)
    if name in ("aac", "mpegts") or (name == "mp3" and not _counts_its_frames(file)):
        declared = None  # FFmpeg has guessed it from the size of the file
    return last_is_partial or (declared is not None and seconds < declared - TOLERANCE_SECONDS)


def _declared_seconds(container: InputContainer, stream: AudioStream) -> float | None:
    if stream.duration is not None and stream.time_base is not None and len(container.streams) == 1:
        return float(stream.duration * stream.time_base)
    if container.duration is None or len(container.streams) > 1:  # pictures may go on after the sound
        return None
    return container.duration / 1e6


def _is_wav_truncated(file: BinaryIO) -> bool:
    """Return whether samples are missing; what is written into a pipe declares far too many, or none."""
    size = file.seek(0, os.SEEK_END)
    file.seek(12)  # behind the heads of file and format
    for _ in range(_MOST_WAV_CHUNKS):
        head = file.read(8)
        if len(head) < 8:
            break
        declared = int.from_bytes(head[4:], "little")
        if head[:4] == b"data":
            return declared < _UNKNOWN_WAV_BYTES and file.tell() + declared > size
        file.seek(declared + declared % 2, os.SEEK_CUR)
    return False


def _has_whole_last_page(file: BinaryIO) -> bool:
    size = file.seek(0, os.SEEK_END)
    file.seek(max(size - _LARGEST_OGG_PAGE, 0))
    end = file.read(_LARGEST_OGG_PAGE)
    page = end.rfind(b"OggS")
    if page < 0 or page + 27 > len(end):
        return False  # many writers leave out the flag of the last page, so that it says nothing
    lacing = end[page + 27 : page + 27 + end[page + 26]]  # the lengths of the parts that follow
    return page + 27 + len(lacing) + sum(lacing) <= len(end)


def _counts_its_frames(file: BinaryIO) -> bool:
    file.seek(0)
    head = file.read(10)
    tag = 0
    if head[:3] == b"ID3" and len(head) == 10:
        tag = 10 + sum(byte << 7 * place for place, byte in enumerate(reversed(head[6:10])))
    file.seek(tag)
    frame = file.read(_HEAD_BYTES)
    return any(mark in frame for mark in (b"Xing", b"Info", b"VBRI"))
