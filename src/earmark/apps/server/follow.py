"""What a stream plays, look by look: found, moved, lost, as events from which a client knows the place at any time."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

from earmark.apps.records import track_record
from earmark.types import Answer, Match, Track

AGREEMENT_SECONDS = 0.3  # seconds by which two looks at one place may differ
DRIFT_SECONDS = 0.02  # seconds of drift that a client is told of
LOST_SECONDS = 6.0  # seconds without a sign of a recording after which it is lost; a quiet passage lasts less
STALE_SECONDS = 2.5  # seconds by which another recording has to be heard later to take its place
LOCKING_LOOKS = 2  # looks that agree
CLOCK_SECONDS = 5.0  # seconds over which the quickest delivery tells when sound was recorded


class StreamClock:
    """Which second of a stream is heard at a moment of the monotonic clock.

    Sound comes late, by pieces: the quickest piece of the last seconds is taken as on time.
    """

    def __init__(self) -> None:
        self._begins: deque[tuple[float, float]] = deque()  # (moment, moment at which the stream would have begun)

    def note(self, seconds: float, now: float) -> None:
        """Say that the stream reached a second at a moment."""
        begin = now - seconds
        while self._begins and self._begins[-1][1] >= begin:
            self._begins.pop()
        self._begins.append((now, begin))
        while self._begins[0][0] < now - CLOCK_SECONDS:
            self._begins.popleft()

    def moment(self, seconds: float) -> float:
        """Return the moment of a second of the stream."""
        return self._begins[0][1] + seconds

    def seconds(self, now: float) -> float:
        """Return the second of the stream at a moment."""
        return now - self._begins[0][1]


@dataclass(slots=True)
class Playing:
    """What is heard, and where: at second `at` of the stream, second `position` of the track."""

    track: Track
    at: float
    position: float
    speed: float
    confidence: float
    looks: int = 1
    heard_until: float = 0.0
    elsewhere: int = 0  # looks in a row that said another place

    @property
    def is_locked(self) -> bool:
        """Whether two looks have agreed."""
        return self.looks >= LOCKING_LOOKS

    def position_at(self, seconds: float) -> float:
        """Return the second of the track at a second of the stream."""
        return self.position + self.speed * (seconds - self.at)


class Follower:
    """Makes events of answers."""

    def __init__(self) -> None:
        self.playing: Playing | None = None

    def look(self, answer: Answer | None, seconds: float) -> list[dict[str, Any]]:
        """Return the events of a look at second `seconds` of the stream; without any, nothing has changed."""
        matches = () if answer is None else answer.matches
        now = self.playing
        if now is None:
            return [self._find(matches[0], seconds)] if matches else [{"type": "listening", "at": seconds}]
        own = next((one for one in matches if one.track.id == now.track.id), None)
        other = next((one for one in matches if one.track.id != now.track.id), None)
        if own is not None:
            now.heard_until = max(now.heard_until, own.query_end)
        if other is not None and other.query_end > now.heard_until + STALE_SECONDS:
            return [self._lose(seconds), self._find(other, seconds)]
        if seconds - now.heard_until > LOST_SECONDS:
            return [self._lose(seconds)]
        return [] if own is None else self._confirm(now, own, seconds)

    def _find(self, match: Match, seconds: float) -> dict[str, Any]:
        self.playing = Playing(
            match.track, seconds, match.reference_at(seconds), match.rate, match.confidence, heard_until=match.query_end
        )
        return {**self._event("found"), "track": track_record(match.track)}

    def _lose(self, seconds: float) -> dict[str, Any]:
        now, self.playing = self.playing, None
        assert now is not None
        position = now.position_at(seconds)
        return {"type": "lost", "at": seconds, "position": position, "speed": now.speed, "id": now.track.id}

    def _confirm(self, now: Playing, match: Match, seconds: float) -> list[dict[str, Any]]:
        """Follow a look that says the same recording: drift is corrected, another place believed at the second look."""
        place, was_locked = match.reference_at(seconds), now.is_locked
        away = place - now.position_at(seconds)
        if abs(away) > AGREEMENT_SECONDS:
            now.elsewhere += 1
            if was_locked and now.elsewhere < LOCKING_LOOKS:
                return []
            now.looks, now.elsewhere = (1 if not was_locked else LOCKING_LOOKS), 0
        else:
            now.looks, now.elsewhere = now.looks + 1, 0
        now.confidence = match.confidence
        if abs(away) <= DRIFT_SECONDS and was_locked == now.is_locked:
            return []
        now.at, now.position, now.speed = seconds, place, match.rate
        return [self._event("moved")]

    def _event(self, kind: str) -> dict[str, Any]:
        now = self.playing
        assert now is not None
        return {
            "type": kind,
            "at": now.at,
            "position": now.position,
            "speed": now.speed,
            "id": now.track.id,
            "confidence": now.confidence,
            "locked": now.is_locked,
        }
