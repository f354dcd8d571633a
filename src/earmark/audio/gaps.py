"""Gaps: how much sound is lost to damage, so that silence replaces it and later sound keeps its time."""

from __future__ import annotations

from fractions import Fraction

from av.audio.frame import AudioFrame

LONGEST_GAP_SECONDS = 60.0  # seconds; a file's times that jump farther are intended
TOLERANCE_SECONDS = 0.02  # seconds; time stamps rounded to milliseconds (Matroska) jump less
TOLERANCE_SAMPLES = 600  # samples; FFmpeg misplaces Vorbis blocks by (2048 - 256) / 4 where their size changes
LARGEST_MP3_FRAME = 1_441  # bytes: 320 kbit/s at 32 kHz, and one byte of padding


class GapClock:
    """A count of missing sound, by the file's time stamps or, where it has none, by the damaged bytes.

    FFmpeg skips some damage silently: Ogg pages with a wrong checksum, clusters of Matroska. Where the file has time
    stamps, every jump forward counts, whether or not damage was seen.
    """

    def __init__(self, *, has_times: bool, time_base: Fraction | None) -> None:
        self._tick_seconds = float(time_base) if has_times and time_base else None
        self._lost_bytes = 0
        self._bytes = self._packets = 0  # undamaged ones
        self._end_seconds: float | None = None

    def lost(self, count: int) -> None:
        """Count `count` damaged bytes."""
        self._lost_bytes += count

    def seconds_missing_before(self, frame: AudioFrame) -> float:
        """Return the seconds that are missing between the sound so far and a frame."""
        if self._tick_seconds is None:
            lost, self._lost_bytes = self._lost_bytes, 0
            if not (lost and self._packets):
                return 0.0
            frames = round(lost * self._packets / self._bytes)
            return min(frames * frame.samples / frame.sample_rate, LONGEST_GAP_SECONDS)
        stamp, end = frame.pts, self._end_seconds
        if stamp is None or end is None:
            return 0.0
        missing = stamp * self._tick_seconds - end
        tolerated = max(TOLERANCE_SECONDS, TOLERANCE_SAMPLES / frame.sample_rate)
        return missing if tolerated < missing <= LONGEST_GAP_SECONDS else 0.0

    def note_packet(self, size: int, frames: list[AudioFrame], codec: str) -> int:
        """Count a packet of `size` bytes and its frames; return 1 when it contains garbage too, else 0."""
        if self._tick_seconds is not None:
            for frame in frames:
                begin = self._end_seconds if frame.pts is None else frame.pts * self._tick_seconds
                self._end_seconds = None if begin is None else begin + frame.samples / frame.sample_rate
            return 0
        if codec.startswith("mp3") and size > LARGEST_MP3_FRAME and self._packets:
            self.lost(size - self._bytes // self._packets)
            return 1
        self._bytes += max(size, 1)
        self._packets += 1
        return 0
