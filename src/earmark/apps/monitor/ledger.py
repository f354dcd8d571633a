"""From passages that are heard, look by look, to plays: each airing once, whatever gaps, repeats and restarts part it.

Every look tells all recent passages anew, with other borders perhaps, so a play's parts of the present stretch of sound
are replaced each time. Plays are found again in the store, so a monitor that was killed goes on with what it had begun.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from earmark.apps.monitor.events import Kind, MonitorEvent
from earmark.apps.monitor.prominence import prominence_of
from earmark.catalog.plays import Play, PlayedTrack, PlayStore, State
from earmark.errors import PlayNotFound


@dataclass(frozen=True, slots=True)
class Rules:
    """When two parts of a recording are one play, in seconds."""

    repeat_gap: float = 5.0  # between two rounds of a loop, or a drop-out; two airings are further apart
    line_gap: float = 30.0  # of sound without the recording, which then goes on as if it had played: somebody spoke
    line_error: float = 1.5  # by which it may miss its place after such a gap
    burst: float = 20.0  # the same after a reconnect: servers repeat what they have buffered, or skip as much
    end_error: float = 5.0  # before the end of a recording at which it has ended: fades are not heard
    settled: float = 15.0  # after the end of a play, when passages do not change any more: two windows and a look
    recent: float = 120.0  # how far back passages are looked at
    saved: float = 10.0  # of a play that goes on, from one writing to the next


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Confidences from which on a play is accepted, and kept for review."""

    accepted: float
    review: float

    def state_of(self, confidence: float) -> State:
        """Return the state of a play."""
        if confidence >= self.accepted:
            return "accepted"
        return "review" if confidence >= self.review else "rejected"


@dataclass(frozen=True, slots=True)
class Part:
    """A passage of a station's sound; times are UTC, in seconds since 1970."""

    track: PlayedTrack
    start: float
    end: float
    source_start: float
    reference_start: float
    reference_end: float
    confidence: float
    copies: frozenset[str] = frozenset()  # ids of other tracks that hold the same sound
    evidence: Mapping[str, float] = field(default_factory=dict)

    def reference_at(self, moment: float) -> float:
        """Return the second of the recording at a moment before, after or in the part."""
        if moment >= self.end:
            return self.reference_end + moment - self.end
        return self.reference_start + moment - self.start

    def is_same_recording(self, other: Part) -> bool:
        """Return whether both are of one recording, or of two that sound the same."""
        return self.track.id == other.track.id or self.track.id in other.copies or other.track.id in self.copies


@dataclass
class _Entry:
    """A play with the parts that it is made of."""

    settled: list[Part] = field(default_factory=list)  # of sound before the present stretch, which stay
    current: list[Part] = field(default_factory=list)  # as of the last look
    fresh: list[Part] = field(default_factory=list)  # of this look
    play: Play | None = None  # as it was written last

    @property
    def parts(self) -> list[Part]:
        return [*self.settled, *self.fresh, *self.current]

    @property
    def end(self) -> float:
        return max(part.end for part in (self.settled + self.current) or self.fresh)


class Ledger:
    """The plays of one station."""

    def __init__(
        self,
        store: PlayStore,
        station: str,
        thresholds: Thresholds,
        *,
        rules: Rules | None = None,
        utc_offset: Callable[[float], float] = lambda moment: 0.0,
        resumes: bool = True,
    ) -> None:
        """Go on with the plays of the station that are open, unless another process does: then nothing `resumes`.

        `utc_offset` tells local time less UTC at a moment.
        """
        self._store, self._station, self._thresholds = store, station, thresholds
        self._rules, self._utc_offset = rules or Rules(), utc_offset
        self._resumes = resumes
        self._open = [_restored(play) for play in store.find(station=station, is_open=True)] if resumes else []
        self._closed = list[_Entry]()  # lately
        self._heard = list[tuple[float, float]]()  # stretches of sound, the present one last
        self._is_new = True  # whether the next look is of a new stretch
        self.note = ""  # what the stream says is playing

    def update(self, parts: Sequence[Part], *, since: float, until: float) -> list[MonitorEvent]:
        """Take what a look found in the present stretch of sound, which reaches from `since` to `until`."""
        self._note_heard(since, until)
        for part in sorted(parts, key=lambda one: one.start):
            if part.end >= until - self._rules.recent:
                self._owner_of(part).fresh.append(part)
        events = list[MonitorEvent]()
        for entry in list(self._open):
            entry.settled += [part for part in entry.current if part.end < until - self._rules.recent]
            entry.current, entry.fresh = entry.fresh, []
            events += self._written(entry)
        self._closed = [one for one in self._closed if one.end >= until - self._rules.recent]
        for one in self._closed:
            one.fresh.clear()
        return [*events, *self._ended(until)]

    def settle(self) -> None:
        """Say that the stretch of sound has ended: what was found in it does not change any more."""
        self._is_new = True
        for entry in (*self._open, *self._closed):
            entry.settled, entry.current = entry.settled + entry.current, []

    def close(self, until: float) -> list[MonitorEvent]:
        """Close all plays, as at the end of a file."""
        return self._ended(until, patience=float("-inf"))

    @property
    def open_plays(self) -> list[Play]:
        """The plays that go on."""
        return [entry.play for entry in self._open if entry.play is not None]

    def _owner_of(self, part: Part) -> _Entry:
        """Return the entry that a part belongs to, a new one where there is none."""
        for entry in self._open:
            if self._goes_on(entry, part):
                return entry
        for entry in self._closed:
            if self._goes_on(entry, part):
                if part.end > entry.end + 1.0 and not (entry.play and entry.play.is_open):  # it goes on after all
                    self._closed.remove(entry)
                    self._open.append(entry)
                return entry
        reach = part.track.seconds + self._rules.line_gap
        for play in self._store.find(station=self._station, since=part.start - reach, until=part.end + reach):
            entry = _restored(play)
            if all(play.number != one.play.number for one in self._open if one.play) and self._goes_on(entry, part):
                is_anothers = play.is_open and not self._resumes
                (self._closed if is_anothers else self._open).append(entry)
                return entry
        self._open.append(_Entry())
        return self._open[-1]

    def _goes_on(self, entry: _Entry, part: Part) -> bool:
        """Return whether a part and one of an entry are of one airing."""
        return any(one.is_same_recording(part) and self._are_one(one, part) for one in entry.parts)

    def _are_one(self, one: Part, other: Part) -> bool:
        first, second = (one, other) if one.start <= other.start else (other, one)
        gap = second.start - first.end
        if gap <= self._rules.repeat_gap:
            return True
        unheard = gap - self._heard_between(first.end, second.start)
        error = self._rules.line_error if unheard < 0.1 else self._rules.burst
        is_on_line = abs(first.reference_at(second.start) - second.reference_start) <= error
        return is_on_line and gap - unheard <= self._rules.line_gap

    def _heard_between(self, start: float, end: float) -> float:
        return sum(max(min(last, end) - max(first, start), 0.0) for first, last in self._heard)

    def _note_heard(self, since: float, until: float) -> None:
        if self._is_new:
            self._heard.append((since, until))
            self._is_new = False
        self._heard[-1] = since, until  # of one stretch, the beginning becomes surer
        del self._heard[: -int(self._rules.recent)]  # reconnects; more in a play are taken for unheard sound

    def _written(self, entry: _Entry) -> Iterator[MonitorEvent]:
        """Write an entry's play where it has changed enough, and tell what happened."""
        parts = entry.settled + entry.current
        if not parts:
            return
        before, play = entry.play, self._play_of(parts, entry.play)
        if before is None:
            entry.play = self._store.save(play)
            yield self._event("first_heard", entry.play)
        elif before.state != "accepted" and play.state == "accepted":
            entry.play = self._saved(before, play)
            if entry.play.state == "accepted":
                yield self._event("confirmed", entry.play)
        elif _has_changed(before, play, self._rules.saved):
            entry.play = self._saved(before, play)

    def _saved(self, before: Play, play: Play) -> Play:
        """Write a play as it is now, in the state that somebody gave it since it was written `before`."""
        with self._store.transaction():
            try:
                state = self._store.get(before.number).state
            except PlayNotFound:  # somebody removed it
                state = before.state
            return self._store.save(play if state == before.state else replace(play, state=state))

    def _ended(self, until: float, patience: float | None = None) -> list[MonitorEvent]:
        """Close the plays after whose end enough was heard."""
        events = list[MonitorEvent]()
        for entry in list(self._open):
            if entry.play is None:
                self._open.remove(entry)
                continue
            parts = entry.settled + entry.current
            end = max((part.end for part in parts), default=entry.play.end)
            waits = self._patience(entry.play) if patience is None else patience
            if until - end <= waits:
                continue
            self._open.remove(entry)
            self._closed.append(entry)
            was_open = entry.play.is_open
            if parts:
                entry.play = self._saved(entry.play, replace(self._play_of(parts, entry.play), is_open=False))
                events.append(self._event("closed" if was_open else "known", entry.play))
            else:
                self._closed.remove(entry)
                events += self._withdrawn(entry.play)
        return events

    def _withdrawn(self, play: Play) -> list[MonitorEvent]:
        """Take back a play of which later looks found nothing; one that lies in another play was a part of that."""
        if any(one.play is not None and _is_within(play, one.play) for one in (*self._open, *self._closed)):
            self._store.remove(play.number)
        else:
            play = self._store.save(replace(play, state="rejected", is_open=False))
        return [self._event("withdrawn", play)]

    def _patience(self, play: Play) -> float:
        """Return how much is to be heard after a play's end before it is closed."""
        has_ended = play.reference_end >= play.track.seconds - self._rules.end_error
        return self._rules.settled + (self._rules.repeat_gap if has_ended else self._rules.line_gap)

    def _play_of(self, parts: Sequence[Part], before: Play | None) -> Play:
        first, last = min(parts, key=lambda one: one.start), max(parts, key=lambda one: one.end)
        surest = max(parts, key=lambda one: one.confidence)
        track = before.track if before is not None else surest.track
        named = {one.track.id for one in parts} | {id for one in parts for id in one.copies}
        confidence = max(surest.confidence, before.confidence if before is not None and before.number else 0.0)
        return Play(
            station=self._station,
            track=track,
            start=first.start,
            end=last.end,
            source_start=first.source_start,
            reference_start=first.reference_start,
            reference_end=last.reference_end,
            share=_share_of(parts, track.seconds),
            confidence=confidence,
            state=_kept_state(before, self._thresholds.state_of(confidence)),
            prominence=prominence_of(parts),
            is_open=True,
            utc_offset=self._utc_offset(first.start),
            copies=tuple(sorted(named - {track.id})),
            evidence=surest.evidence,
            note=self.note or (before.note if before is not None else ""),
            number=0 if before is None else before.number,
        )

    def _event(self, kind: Kind, play: Play) -> MonitorEvent:
        at = play.end if kind in ("closed", "known") else play.start
        return MonitorEvent(kind, self._station, at, play)


def _restored(play: Play) -> _Entry:
    """Return the entry of a play that an earlier run has written."""
    part = Part(
        play.track,
        play.start,
        play.end,
        play.source_start,
        play.reference_start,
        play.reference_end,
        play.confidence,
        frozenset(play.copies),
        play.evidence,
    )
    return _Entry(settled=[part], play=play)


def _kept_state(before: Play | None, state: State) -> State:
    """Return the state of a play, which is not taken back by later looks, nor what somebody has decided on."""
    if before is not None and (before.state == "accepted" or (before.state == "rejected" and before.number)):
        return before.state
    return state


def _has_changed(before: Play, now: Play, saved: float) -> bool:
    """Return whether so much has changed that it is worth writing."""
    is_longer = now.end - before.end >= saved or before.start - now.start >= 1.0 or now.start - before.start >= 1.0
    return is_longer or before.end - now.end >= 1.0 or before.state != now.state


def _is_within(play: Play, other: Play) -> bool:
    """Return whether a play lies in another one of the same recording."""
    is_same = play.track.id == other.track.id or play.track.id in other.copies
    return play.number != other.number and is_same and other.start - 1 <= play.start and play.end <= other.end + 1


def _share_of(parts: Sequence[Part], seconds: float) -> float:
    """Return the share of a recording that parts hold together."""
    covered, reached = 0.0, 0.0
    for part in sorted(parts, key=lambda one: one.reference_start):
        start, end = max(part.reference_start, reached), min(part.reference_end, seconds)
        covered += max(end - start, 0.0)
        reached = max(reached, end)
    return min(covered / seconds, 1.0) if seconds > 0 else 0.0
