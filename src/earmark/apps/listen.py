"""`earmark listen`: from sound that arrives to what plays now, with its place running on. Time comes with the sound."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from earmark.apps.follower import Change, Follower, Playing
from earmark.streams.items import Gap, Item, Sound
from earmark.types import Answer, Match, Samples

if TYPE_CHECKING:
    from earmark.catalog.catalog import Catalog
    from earmark.catalog.listen import Listener

MOST_MATCHES = 100  # matches of all that is heard
LOOK_SECONDS = 1.0  # seconds of sound from one look to the next, as of `Catalog.listen`
LISTENED_AGAIN_SECONDS = 600.0  # seconds of sound after which nothing older is kept; what plays is found again
SILENT_DECIBELS = -70.0  # decibels re full scale, below which nothing but a device's noise is heard
SILENT_SECONDS = 5.0  # seconds of that after which it is said
SILENCE = -120.0  # decibels that stand for no sound at all
CLIPPED = 0.999  # share of full scale, which only sound that is cut off reaches again and again
CLIPPED_SHARE = 0.001  # share of samples that high from which on sound counts as cut off

Kind = Literal["listening", "playing", "ended"] | Change


@dataclass(frozen=True, slots=True)
class ListenEvent:
    """What is known after a look, or at the end."""

    kind: Kind  # playing: what was found goes on, and nothing has changed
    at: float  # UTC of the end of what was heard
    seconds: float  # heard so far
    level: float  # decibels re full scale, of what was new
    is_clipped: bool = False  # the device is overdriven: turn it down
    is_silent: bool = False  # nothing was heard for a while
    match: Match | None = None  # what plays; lost: what played
    position: float = 0.0  # second of the recording at `at`
    speed: float = 1.0  # seconds of the recording in one of the sound
    is_locked: bool = False  # two looks have agreed on the place


class Listening:
    """What plays now, of sound that is taken block by block."""

    def __init__(self, catalog: Catalog, *, rate: int, threshold: float | None = None) -> None:
        self._catalog, self._rate, self._threshold = catalog, rate, threshold
        self._listener = _listener(catalog, rate, threshold)
        self._before = 0.0  # seconds that were heard before the listener began
        self._waiting, self._count = list[Samples](), 0
        self._follower = Follower()
        self._silent_since: float | None = None
        self._arrived = 0.0

    @property
    def seconds(self) -> float:
        """How much sound was taken."""
        return self._before + self._listener.seconds + self._count / self._rate

    @property
    def playing(self) -> Playing | None:
        """What plays, as of the last look."""
        return self._follower.playing

    def is_due(self, samples: int) -> bool:
        """Return whether so many more samples lead to a look, which takes a while."""
        return self._count + samples >= LOOK_SECONDS * self._rate

    def take(self, item: Item) -> Iterator[ListenEvent]:
        """Take what a source yielded, and yield what is known after each look."""
        if isinstance(item, Gap):
            yield from self._begin_again(item.at)
        elif isinstance(item, Sound):
            self._waiting.append(item.samples)
            self._count += len(item.samples)
            self._arrived = item.arrived
            while self.is_due(0):
                samples = np.concatenate(self._waiting)
                chunk, rest = np.split(samples, [round(LOOK_SECONDS * self._rate)])
                self._waiting, self._count = [rest], len(rest)
                yield from self._look(chunk, item.arrived - len(rest) / self._rate)

    def finish(self) -> Answer:
        """Look at all that was heard lately once more, and return what it was."""
        if self._count:
            self._listener.push(np.concatenate(self._waiting))
            self._waiting, self._count = [], 0
        return self._listener.finish()

    def end(self) -> ListenEvent:
        """Finish, and return the last event."""
        answer, last = self.finish(), None
        seconds = self._before + answer.seconds
        if answer.matches:
            last = _later(max(answer.matches, key=lambda one: one.query_end), self._before)
        elif self.playing is not None:
            last = self.playing.match
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
        matches = [_later(one, self._before) for one in (answer.matches if answer is not None else ())]
        if self._listener.seconds >= LISTENED_AGAIN_SECONDS:
            self._before, self._listener = now, _listener(self._catalog, self._rate, self._threshold)
        heard = ListenEvent("listening", at, now, level, is_clipped, is_silent)
        changes = self._follower.look(matches, now)
        for change, playing in changes:
            yield _about(playing, replace(heard, kind=change))
        if not changes:
            yield heard if self.playing is None else _about(self.playing, replace(heard, kind="playing"))

    def _begin_again(self, at: float) -> Iterator[ListenEvent]:
        """Lose what played, after a gap; what was heard before does not count."""
        self._before += self._listener.seconds
        for change, playing in self._follower.lose():
            yield _about(playing, ListenEvent(change, at, self._before, SILENCE))
        self._listener = _listener(self._catalog, self._rate, self._threshold)
        self._waiting, self._count, self._silent_since = [], 0, None


def _about(playing: Playing, event: ListenEvent) -> ListenEvent:
    """Return an event with what plays, or played, at its second."""
    position = playing.position_at(event.seconds)
    return replace(event, match=playing.match, position=position, speed=playing.speed, is_locked=playing.is_locked)


def _listener(catalog: Catalog, rate: int, threshold: float | None) -> Listener:
    """Return what hears; it tells several places, or a jump in a recording would wait for the old place to be over."""
    return catalog.listen(rate=rate, threshold=threshold, limit=MOST_MATCHES, several=True)


def _later(match: Match, seconds: float) -> Match:
    """Return a match of sound that began so many seconds later."""
    return replace(match, query_start=match.query_start + seconds, query_end=match.query_end + seconds)


def _level_of(samples: Samples) -> float:
    power = float(np.mean(np.square(samples))) if len(samples) else 0.0
    return max(10 * float(np.log10(power)), SILENCE) if power > 0 else SILENCE


def _is_clipped(samples: Samples) -> bool:
    return bool(np.mean(np.abs(samples) >= CLIPPED) > CLIPPED_SHARE) if len(samples) else False
