"""Cue sheets: the parts of a sound file as the tracks of a compact disc."""

from __future__ import annotations

CUE_FRAMES = 75  # frames of a second; the format counts time in sectors of a compact disc
CUE_TRACKS = 99  # most tracks that a cue sheet can number


def quoted(text: str) -> str:
    """Return text in quotation marks; the format has no way to write these inside."""
    return '"' + " ".join(text.split()).replace('"', "'") + '"'


def cue_track(number: int, title: str, performer: str, frames: int) -> list[str]:
    """Return the lines of a track that begins so many frames after its file."""
    minutes, rest = divmod(frames, 60 * CUE_FRAMES)
    lines = [f"  TRACK {number:02d} AUDIO", f"    TITLE {quoted(title)}"]
    lines += [f"    PERFORMER {quoted(performer)}"] if performer else []
    return [*lines, f"    INDEX 01 {minutes:02d}:{rest // CUE_FRAMES:02d}:{rest % CUE_FRAMES:02d}"]
