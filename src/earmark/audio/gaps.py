"""Gaps: how much sound is lost to damage, so that silence replaces it and later sound keeps its time."""

from __future__ import annotations

from fractions import Fraction

from av.audio.frame import AudioFrame

LONGEST_GAP_SECONDS = 60.0  # seconds; times that jump farther count where the file's length says so too
TOLERANCE_SECONDS = 0.02  # seconds; time stamps rounded to milliseconds (Matroska) jump less
TOLERANCE_SAMPLES = 1_024  # samples; FFmpeg misplaces Vorbis blocks by (2048 - 256) / 4 either way, as sizes change
LARGEST_MP3_FRAME = 1_441  # bytes: 320 kbit/s at 32 kHz, and one byte of padding


class GapClock:
    """A count of missing sound, by the file's time stamps or, where it has none, by the damaged bytes.

    FFmpeg skips some damage silently: Ogg pages with a wrong checksum, clusters of Matroska. Where the file has time
    stamps, every jump forward counts, whether or not damage was seen, and so does sound that begins after the picture.
    """

    def __init__(
        self,
        *,
        has_times: bool,
        time_base: Fraction | None,
        start_seconds: float | None = None,
        end_seconds: float | None = None,
    ) -> None:
        """`start_seconds`: the time stamp at which a player's clock begins; `end_seconds`: at which it ends."""
        self._tick_seconds = float(time_base) if has_times and time_base else None
        self._start_seconds, self._last_seconds = start_seconds, end_seconds
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
        end = self._start_seconds if self._end_seconds is None else self._end_seconds
        if frame.pts is None or end is None:
            return 0.0
        now = frame.pts * self._tick_seconds
        tolerated = max(TOLERANCE_SECONDS, TOLERANCE_SAMPLES / frame.sample_rate)
        is_meant = self._last_seconds is not None and now <= self._last_seconds + TOLERANCE_SECONDS
        return now - end if now - end > tolerated and (now - end <= LONGEST_GAP_SECONDS or is_meant) else 0.0

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
