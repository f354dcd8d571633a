"""Truncation: whether a file is shorter than it declares, as after a broken download or on a full disk."""

from __future__ import annotations

import os
from typing import BinaryIO

from av.audio.stream import AudioStream
from av.container import InputContainer

TOLERANCE_SECONDS = 0.25  # seconds; encoders' delay and padding, which headers may or may not include
_LARGEST_OGG_PAGE = 65_307  # bytes (RFC 3533, section 6)
_UNKNOWN_WAV_BYTES = 2**31 - 2**17  # bytes; programs that write into a pipe declare this length or more
_MOST_WAV_CHUNKS = 1_000  # chunks that are searched for the samples
_HEAD_BYTES = 512  # bytes of an MP3's first frame, where a Xing, Info or VBRI header counts the frames


def is_truncated(
    file: BinaryIO, container: InputContainer, stream: AudioStream, seconds: float, *, last_is_partial: bool
) -> bool:
    """Return whether a file, read to its end with `seconds` of sound, is shorter than it declares.

    A file that declares no length is truncated if its last packet is incomplete.
    """
    name = container.format.name
    if name == "ogg":
        return not _has_whole_last_page(file)
    if name == "wav":
        return _is_wav_truncated(file)
    declared = declared_seconds(file, container, stream)
    return last_is_partial or (declared is not None and seconds < declared - TOLERANCE_SECONDS)


def declared_seconds(file: BinaryIO, container: InputContainer, stream: AudioStream) -> float | None:
    """Return how long a file says that it is, None where it does not, or nobody can rely on it."""
    name = container.format.name
    if name in ("wav", "aac", "mpegts") or (name == "mp3" and not _counts_its_frames(file)):
        return None  # programs that write into a pipe declare hours; FFmpeg guesses by the file's size
    if stream.duration is not None and stream.time_base is not None and len(container.streams) == 1:
        return float(stream.duration * stream.time_base)
    if container.duration is None or len(container.streams) > 1:  # pictures may go on after the sound
        return None
    return container.duration / 1e6


def _is_wav_truncated(file: BinaryIO) -> bool:
    """Return whether samples are missing; files written into a pipe declare far too many, or none."""
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
        return False  # a missing flag of the last page says nothing: many writers leave it out
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
