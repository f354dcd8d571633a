"""How much sound damage took away, so that silence can take its place and what follows keeps its time."""

from __future__ import annotations

from av.audio.frame import AudioFrame

LONGEST_GAP_SECONDS = 60.0  # of damage that is filled; a larger jump of the clock is the file's own doing
LARGEST_MP3_FRAME = 1_441  # bytes: 320 kbit/s at 32 kHz, and one of padding


class Clock:
    """How much sound damage took away: by the file's own times or, where it has none, by its bytes."""

    def __init__(self, *, has_times: bool) -> None:
        self._has_times = has_times
        self._is_damaged = False
        self._lost_bytes = 0
        self._bytes = self._packets = 0  # that were good
        self._end: tuple[int | None, int] | None = None  # of the last frame: time stamp, samples

    def lost(self, count: int) -> None:
        """Note that something was damaged, `count` bytes of it."""
        self._is_damaged = True
        self._lost_bytes += count

    def seconds_missing_before(self, frame: AudioFrame) -> float:
        """Return how much is missing before a frame: 0 unless damage was seen and sound came before it."""
        if not self._is_damaged:
            return 0.0
        lost, self._lost_bytes, self._is_damaged = self._lost_bytes, 0, False
        if self._end is None:
            return 0.0
        frame_seconds = frame.samples / frame.sample_rate
        if not self._has_times:
            return min(round(lost * self._packets / self._bytes) * frame_seconds, LONGEST_GAP_SECONDS)
        stamp, samples = self._end
        if stamp is None or frame.pts is None or frame.time_base is None:
            return 0.0
        missing = float((frame.pts - stamp) * frame.time_base) - samples / frame.sample_rate
        return min(max(missing, 0.0), LONGEST_GAP_SECONDS)

    def passed(self, size: int, last: AudioFrame, codec: str) -> int:
        """Note a packet that was decoded, and its last frame; return 1 when the packet holds garbage besides."""
        self._end = last.pts, last.samples
        if codec.startswith("mp3") and size > LARGEST_MP3_FRAME and self._packets:
            self.lost(size - self._bytes // self._packets)
            return 1
        self._bytes += max(size, 1)
        self._packets += 1
        return 0
