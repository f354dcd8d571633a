"""One station's sound, block by block, from samples to events; without threads, and time comes with the sound."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from earmark.apps.monitor.events import MonitorEvent
from earmark.apps.monitor.ledger import Ledger, Part, Thresholds
from earmark.catalog.plays import PlayedTrack
from earmark.streams.items import Gap, Item, Sound, Title
from earmark.streams.timestamps import Timestamps
from earmark.types import Samples

if TYPE_CHECKING:
    from earmark.catalog.catalog import Catalog
    from earmark.catalog.listen import Listener
    from earmark.types import Match, Track

RENEWED_SECONDS = (
    3_600.0  # seconds of sound after which a station is listened to anew: what was found is not kept for ever
)
MOST_MATCHES = 1_000  # matches of that much sound
CERTAIN = 0.9999  # confidence from which on what plays is beyond doubt
CURRENT_SECONDS = 5.0  # seconds before the end of what was heard, at which a match may end and play on: a window
LEAST_LEVEL = -120.0  # decibels that stand for silence


@dataclass(frozen=True, slots=True)
class Listening:
    """How a station is listened to."""

    thresholds: Thresholds
    look_seconds: float = 5.0  # of sound from one look to the next
    calm_seconds: float = 5.0  # the same while one recording plays beyond doubt, and has as long to go
    candidates: float | None = None  # confidence from which on what is not sure is told too


class StationSound:
    """What a station's sound holds, in the order in which it arrives."""

    def __init__(self, catalog: Catalog, ledger: Ledger, station: str, *, rate: int, listening: Listening) -> None:
        self._catalog, self._ledger, self._station = catalog, ledger, station
        self._rate, self._listening = rate, listening
        self._chunk = round(listening.look_seconds * rate)  # samples to the next look
        self._waiting, self._count = list[Samples](), 0  # samples that have not been listened to
        self._listener: Listener | None = None
        self._timestamps = Timestamps()
        self._began = 0  # sample of the present stretch of sound at which the listener began
        self._arrived = 0  # samples of the present stretch
        self._source_samples = 0  # of the source, before the present stretch
        self.level = LEAST_LEVEL  # decibels re full scale, of the last look
        self.samples_heard: Callable[[Samples, float], object] | None = None  # called with sound and its beginning, UTC

    @property
    def seconds(self) -> float:
        """How much sound arrived."""
        return (self._source_samples + self._arrived) / self._rate

    @property
    def drift_seconds(self) -> float:
        """How far the station's clock has gone from this machine's since the last gap."""
        return self._timestamps.drift_seconds

    def take(self, item: Item) -> list[MonitorEvent]:
        """Listen to what a source yielded, and return what happened."""
        if isinstance(item, Title):
            if item.text == self._ledger.note:  # servers repeat it
                return []
            self._ledger.note = item.text
            return [MonitorEvent("title", self._station, item.at, detail={"title": item.text})]
        if isinstance(item, Gap):
            detail = {"reason": item.reason, "dropped_seconds": round(item.dropped_seconds, 3)}
            return [*self.finish(), MonitorEvent("gap", self._station, item.at, detail=detail)]
        return self._heard(item)

    def finish(self) -> list[MonitorEvent]:
        """End the present stretch of sound; what plays may go on in the next."""
        events = self._listened(final=True)
        self._ledger.settle()
        self._source_samples += self._arrived
        self._timestamps, self._arrived = Timestamps(), 0
        return events

    def close(self) -> list[MonitorEvent]:
        """End the sound, and close all plays."""
        return [*self.finish(), *self._ledger.close(0.0)]

    def _heard(self, sound: Sound) -> list[MonitorEvent]:
        self._arrived += len(sound.samples)
        self._timestamps.note(self._arrived / self._rate, sound.arrived)
        self._waiting.append(sound.samples)
        self._count += len(sound.samples)
        events = list[MonitorEvent]()
        while self._count >= self._chunk:
            events += self._listened(final=False)
        return events

    def _listened(self, *, final: bool) -> list[MonitorEvent]:
        """Listen to the next chunk, or to all that is left where the stretch ends."""
        samples = np.concatenate(self._waiting) if self._waiting else np.zeros(0, np.float32)
        chunk, rest = (samples, samples[:0]) if final else (samples[: self._chunk], samples[self._chunk :])
        self._waiting, self._count = [rest] if len(rest) else [], len(rest)
        if self._listener is None and not len(chunk):
            return []
        if self._listener is None:
            self._listener = self._new_listener()
            self._began = self._arrived - len(rest) - len(chunk)
        self.level = level_of(chunk)
        listener, start = self._listener, self._arrived - len(rest) - len(chunk)
        if self.samples_heard is not None and len(chunk):
            self.samples_heard(chunk, self._timestamps.utc_at(start / self._rate))
        listener.push(chunk)
        is_long = listener.seconds >= RENEWED_SECONDS
        found = listener.finish() if final or is_long else listener.found()
        since, until = self._utc_at(0.0), self._utc_at(listener.seconds)
        sure = [one for one in found.matches if one.confidence >= self._listening.thresholds.review]
        events = self._ledger.update([self._part_of(one) for one in sure], since=since, until=until)
        events += self._candidates(found.matches, listener.seconds, until)
        self._chunk = round(self._seconds_to_next(found.matches, listener.seconds) * self._rate)
        if final or is_long:
            self._listener = None
            self._ledger.settle()
        return events

    def _seconds_to_next(self, matches: Sequence[Match], now: float) -> float:
        """Return how much sound to wait for: more while nothing new is to be expected, since every look costs."""
        calm = self._listening.calm_seconds
        playing = [one for one in matches if one.query_end >= now - CURRENT_SECONDS]
        is_calm = len(playing) == 1 and all(
            one.confidence >= CERTAIN and one.reference_at(now) + calm < one.track.seconds for one in playing
        )
        return calm if is_calm else self._listening.look_seconds

    def _candidates(self, matches: Sequence[Match], now: float, at: float) -> list[MonitorEvent]:
        """Tell what is heard now and not sure enough, with what it would take."""
        if self._listening.candidates is None:
            return []
        unsure = [
            one
            for one in matches
            if one.confidence < self._listening.thresholds.accepted
            and one.query_end > now - 2 * self._listening.look_seconds
        ]
        return [
            MonitorEvent(
                "candidate",
                self._station,
                at,
                detail={
                    "track": one.track.id,
                    "title": one.track.title,
                    "artist": one.track.artist,
                    "confidence": one.confidence,
                    "seconds": round(one.query_end - one.query_start, 3),
                    "reference_start": round(one.reference_start, 3),
                    "level": round(self.level, 1),
                    "evidence": dict(one.evidence),
                },
            )
            for one in unsure
        ]

    def _new_listener(self) -> Listener:
        thresholds, candidates = self._listening.thresholds, self._listening.candidates
        floor = min(thresholds.review, thresholds.accepted, 1.0 if candidates is None else candidates)
        return self._catalog.listen(rate=self._rate, threshold=floor, limit=MOST_MATCHES, several=True, is_close=False)

    def _utc_at(self, second: float) -> float:
        """Return when a second of the listener's sound was heard."""
        return self._timestamps.utc_at(self._began / self._rate + second)

    def _part_of(self, match: Match) -> Part:
        return Part(
            track=_played(match.track),
            start=self._utc_at(match.query_start),
            end=self._utc_at(match.query_end),
            source_start=(self._source_samples + self._began) / self._rate + match.query_start,
            reference_start=match.reference_start,
            reference_end=match.reference_end,
            confidence=match.confidence,
            copies=frozenset(track.id for track in match.copies),
            evidence=match.evidence,
        )


def _played(track: Track) -> PlayedTrack:
    return PlayedTrack(track.id, track.title, track.artist, track.album, track.path, track.seconds)


def level_of(samples: Samples) -> float:
    """Return the level of samples, decibels re full scale."""
    power = float(np.mean(np.square(samples))) if len(samples) else 0.0
    return max(10 * float(np.log10(power)), LEAST_LEVEL) if power > 0 else LEAST_LEVEL
