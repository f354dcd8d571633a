"""`earmark listen`: from sound that arrives to what plays now, with its place running on. Time comes with the sound."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from earmark.streams.items import Gap, Item, Sound
from earmark.types import Match, Samples

if TYPE_CHECKING:
    from earmark.catalog.catalog import Catalog
    from earmark.catalog.listen import Listener

MOST_MATCHES = 100  # of all that is heard
LOOK_SECONDS = 1.0  # of sound from one look to the next, as of `Catalog.listen`
LISTENED_AGAIN_SECONDS = 600.0  # of sound after which nothing older is kept; what plays is found again in seconds
LOST_SECONDS = 6.0  # without a sure match, after which a recording counts as over
CURRENT_SECONDS = 2.5  # before the end of what was heard, at which a match may end and play on: half a window
MOVED_SECONDS = 0.5  # by which a place must differ from where it runs on to for it to have jumped
SILENT_DECIBELS = -70.0  # re full scale, below which nothing but a device's noise is heard
SILENT_SECONDS = 5.0  # of that after which it is said
SILENCE = -120.0  # decibels that stand for no sound at all
CLIPPED = 0.999  # of full scale, which only sound that is cut off reaches again and again
CLIPPED_SHARE = 0.001  # of samples that high from which on sound counts as cut off

Kind = Literal["listening", "found", "moved", "lost", "ended"]


@dataclass(frozen=True, slots=True)
class ListenEvent:
    """What is known after a look, or at the end."""

    kind: Kind
    at: float  # UTC of the end of what was heard
    seconds: float  # heard so far
    level: float  # decibels re full scale, of what was new
    is_clipped: bool = False  # the device is overdriven: turn it down
    is_silent: bool = False  # nothing was heard for a while
    match: Match | None = None  # found, moved: what plays; lost: what played
    position: float = 0.0  # second of the recording at `at`


class Listening:
    """What plays now, of sound that is taken block by block."""

    def __init__(self, catalog: Catalog, *, rate: int, threshold: float | None = None) -> None:
        self._catalog, self._rate, self._threshold = catalog, rate, threshold
        self._listener = _listener(catalog, rate, threshold)
        self._before = 0.0  # seconds that were heard before the listener began
        self._waiting, self._count = list[Samples](), 0
        self._found: Match | None = None
        self._sure_at = 0.0  # second at which what plays was sure last
        self._silent_since: float | None = None
        self._arrived = 0.0

    def take(self, item: Item) -> Iterator[ListenEvent]:
        """Take what a source yielded, and yield what is known after each look."""
        if isinstance(item, Gap):
            yield from self._begin_again(item.at)
        elif isinstance(item, Sound):
            self._waiting.append(item.samples)
            self._count += len(item.samples)
            self._arrived = item.arrived
            while self._count >= LOOK_SECONDS * self._rate:
                samples = np.concatenate(self._waiting)
                chunk, rest = np.split(samples, [round(LOOK_SECONDS * self._rate)])
                self._waiting, self._count = [rest], len(rest)
                yield from self._look(chunk, item.arrived - len(rest) / self._rate)

    def end(self) -> ListenEvent:
        """Look at all that was heard once more, and return what it was."""
        if self._count:
            self._listener.push(np.concatenate(self._waiting))
        answer = self._listener.finish()
        seconds, last = self._before + answer.seconds, self._found
        if answer.matches:
            last = _later(max(answer.matches, key=lambda one: one.query_end), self._before)
        position = last.reference_at(seconds) if last is not None else 0.0
        return ListenEvent("ended", self._arrived, seconds, SILENCE, match=last, position=position)

    def _look(self, samples: Samples, at: float) -> Iterator[ListenEvent]:
        answer = self._listener.push(samples)
        now = self._before + self._listener.seconds
        level, is_clipped = _level_of(samples), _is_clipped(samples)
        self._silent_since = (
            None if level > SILENT_DECIBELS else now if self._silent_since is None else self._silent_since
        )
        is_silent = self._silent_since is not None and now - self._silent_since >= SILENT_SECONDS
        playing = _playing(answer.matches if answer is not None else (), self._listener.seconds)
        if playing is not None:
            playing = _later(playing, self._before)
        if self._listener.seconds >= LISTENED_AGAIN_SECONDS:
            self._before, self._listener = now, _listener(self._catalog, self._rate, self._threshold)

        def event(kind: Kind, match: Match | None = None) -> ListenEvent:
            position = match.reference_at(now) if match is not None else 0.0
            return ListenEvent(kind, at, now, level, is_clipped, is_silent, match, position)

        before = self._found
        if playing is None:
            if before is not None and now - self._sure_at >= LOST_SECONDS:
                self._found = None
                yield event("lost", before)
                return
            yield event("listening") if before is None else event("found", before)
            return
        self._found, self._sure_at = playing, now
        has_jumped = before is not None and before.track.id == playing.track.id and _is_apart(before, playing, now)
        yield event("moved" if has_jumped else "found", playing)

    def _begin_again(self, at: float) -> Iterator[ListenEvent]:
        """Lose what played, after a gap; what was heard before does not count."""
        if self._found is not None:
            heard = self._before + self._listener.seconds
            yield ListenEvent("lost", at, heard, SILENCE, match=self._found)
        self._before += self._listener.seconds
        self._listener = _listener(self._catalog, self._rate, self._threshold)
        self._waiting, self._count, self._found, self._silent_since = [], 0, None, None


def _listener(catalog: Catalog, rate: int, threshold: float | None) -> Listener:
    """Return what hears; it tells several places, or a jump in a recording would wait for the old place to be over."""
    return catalog.listen(rate=rate, threshold=threshold, limit=MOST_MATCHES, several=True)


def _playing(matches: tuple[Match, ...], now: float) -> Match | None:
    """Return the match that reaches the end of what was heard, the surest of those that do."""
    current = [one for one in matches if one.query_end >= now - CURRENT_SECONDS]
    return max(current, key=lambda one: (round(one.query_end - now), one.confidence), default=None)


def _later(match: Match, seconds: float) -> Match:
    """Return a match of sound that began so many seconds later."""
    return replace(match, query_start=match.query_start + seconds, query_end=match.query_end + seconds)


def _is_apart(before: Match, match: Match, now: float) -> bool:
    return abs(before.reference_at(now) - match.reference_at(now)) > MOVED_SECONDS


def _level_of(samples: Samples) -> float:
    power = float(np.mean(np.square(samples))) if len(samples) else 0.0
    return max(10 * float(np.log10(power)), SILENCE) if power > 0 else SILENCE


def _is_clipped(samples: Samples) -> bool:
    return bool(np.mean(np.abs(samples) >= CLIPPED) > CLIPPED_SHARE) if len(samples) else False
