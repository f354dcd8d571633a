"""How much sound damage took away, so that silence can take its place and what follows keeps its time."""

from __future__ import annotations

from fractions import Fraction

from av.audio.frame import AudioFrame

LONGEST_GAP_SECONDS = 60.0  # of damage that is filled; a larger jump of the clock is the file's own doing
TOLERANCE_SECONDS = 0.02  # by which time stamps may jump that are rounded to milliseconds, as in Matroska
TOLERANCE_SAMPLES = 600  # FFmpeg places Vorbis blocks up to (2048 - 256) / 4 samples off where their size changes
LARGEST_MP3_FRAME = 1_441  # bytes: 320 kbit/s at 32 kHz, and one of padding


class GapClock:
    """How much sound is missing: by the file's own times or, where it has none, by the bytes that were damaged.

    FFmpeg passes over much damage without a word: pages of Ogg whose checksum is wrong, clusters of Matroska. Where
    the file has times, any jump forward counts, whether or not damage was seen.
    """

    def __init__(self, *, has_times: bool, time_base: Fraction | None) -> None:
        self._tick_seconds = float(time_base) if has_times and time_base else None
        self._lost_bytes = 0
        self._bytes = self._packets = 0  # that were good
        self._end_seconds: float | None = None

    def lost(self, count: int) -> None:
        """Note that `count` bytes were damaged."""
        self._lost_bytes += count

    def seconds_missing_before(self, frame: AudioFrame) -> float:
        """Return how much is missing between the sound so far and a frame."""
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
        """Note a packet of `size` bytes and its frames; return 1 when the packet holds garbage besides."""
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
