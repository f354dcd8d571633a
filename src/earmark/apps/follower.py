"""What plays now, look by look: found, at another place, over; of `earmark listen` and of a stream that is served."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from earmark.types import Match

AGREEMENT_SECONDS = 0.3  # seconds by which two looks at one place may differ
DRIFT_SECONDS = 0.02  # seconds of drift that is told
LOST_SECONDS = 6.0  # seconds without a sign of a recording after which it is lost; a quiet passage lasts less
CURRENT_SECONDS = 2.5  # seconds before the end of what was heard, at which a match may end and play on: half a window
LOCKING_LOOKS = 2  # looks that agree
SURE_CONFIDENCE = 0.999  # confidence from which a look is believed by itself: an hour has 3,600 looks
FRESH_SECONDS = 0.5  # seconds of new sound that a second look needs to confirm a doubtful first one

Change = Literal["found", "moved", "corrected", "lost"]  # corrected: where it was, and known better


@dataclass(frozen=True, slots=True)
class Playing:
    """What is heard, and where: at second `at` of the sound, second `position` of the track."""

    match: Match  # as the last look told it
    at: float
    position: float
    speed: float  # seconds of the track in one of the sound
    heard_until: float  # second of the sound until which the track was heard for sure, at whatever place
    line_until: float  # the same of this place
    looks: int = 1  # that agree
    elsewhere: int = 0  # looks in a row that said another place

    @property
    def is_locked(self) -> bool:
        """Whether two looks have agreed."""
        return self.looks >= LOCKING_LOOKS

    def position_at(self, seconds: float) -> float:
        """Return the second of the track at a second of the sound."""
        return self.position + self.speed * (seconds - self.at)


class Follower:
    """Makes changes of what looks find."""

    def __init__(self) -> None:
        self.playing: Playing | None = None
        self._doubtful: Match | None = None  # what an earlier look found and was not sure enough of

    def look(self, matches: Sequence[Match], seconds: float) -> list[tuple[Change, Playing]]:
        """Return what a look at second `seconds` of the sound has changed; its matches are of what is heard now."""
        now = self.playing
        if now is None:
            first = _latest(matches)
            if first is None or first.query_end < seconds - CURRENT_SECONDS or not self._is_believed(first, seconds):
                return []
            return [self._find(first, seconds)]
        own = _latest(one for one in matches if one.track.id == now.match.track.id)
        other = _latest(one for one in matches if one.track.id != now.match.track.id)
        if own is not None:
            now = self.playing = replace(now, match=own, heard_until=max(now.heard_until, own.query_end))
        is_beyond = other is not None and other.query_end > now.heard_until + CURRENT_SECONDS
        if other is not None and is_beyond and self._is_believed(other, seconds):
            return [self._lose(now), self._find(other, seconds)]
        if seconds - now.heard_until > LOST_SECONDS:
            return [self._lose(now)]
        return [] if own is None else self._confirm(now, own, seconds)

    def lose(self) -> list[tuple[Change, Playing]]:
        """Say that the sound broke off."""
        self._doubtful = None
        return [] if self.playing is None else [self._lose(self.playing)]

    def _is_believed(self, match: Match, seconds: float) -> bool:
        """Return whether a match is beyond doubt, or more sound has made it no less sure than an earlier look was."""
        before, self._doubtful = self._doubtful, match
        if match.confidence >= SURE_CONFIDENCE:
            return True
        if before is None or before.track.id != match.track.id or match.confidence < before.confidence:
            return False
        is_there = abs(match.reference_at(seconds) - before.reference_at(seconds)) <= AGREEMENT_SECONDS
        return is_there and match.query_end >= before.query_end + FRESH_SECONDS

    def _find(self, match: Match, seconds: float) -> tuple[Change, Playing]:
        place = match.reference_at(seconds)
        self.playing = Playing(match, seconds, place, match.rate, match.query_end, match.query_end)
        return "found", self.playing

    def _lose(self, now: Playing) -> tuple[Change, Playing]:
        self.playing = None
        return "lost", now

    def _confirm(self, now: Playing, match: Match, seconds: float) -> list[tuple[Change, Playing]]:
        """Follow a look that says the same recording.

        Drift is corrected. A place that begins where the one before ends is a jump; one in the stead of the one before
        is believed at the second look: music repeats itself.
        """
        place = match.reference_at(seconds)
        away = place - now.position_at(seconds)
        here = replace(now, at=seconds, position=place, speed=match.rate, line_until=match.query_end, elsewhere=0)
        if abs(away) > AGREEMENT_SECONDS:
            follows = match.query_start >= now.line_until - CURRENT_SECONDS
            if now.is_locked and not follows and now.elsewhere + 1 < LOCKING_LOOKS:
                self.playing = replace(now, elsewhere=now.elsewhere + 1)
                return []
            self.playing = replace(here, looks=LOCKING_LOOKS if now.is_locked else 1)
            return [("moved", self.playing)]
        agreed = replace(now, looks=now.looks + 1, elsewhere=0, line_until=max(now.line_until, match.query_end))
        if abs(away) <= DRIFT_SECONDS and agreed.is_locked == now.is_locked:
            self.playing = agreed
            return []
        self.playing = replace(here, looks=agreed.looks)
        return [("corrected", self.playing)]


def _latest(matches: Iterable[Match]) -> Match | None:
    """Return the match that reaches farthest, of those that reach as far the surest."""
    return max(matches, key=lambda one: (round(one.query_end), one.confidence), default=None)
