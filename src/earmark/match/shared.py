"""What two recordings share, by their stored fingerprints alone: votes name lines, evidence along them tells the ends.

A recording is its own question: the keys of its windows are looked up as they are, and those of a few windows as they
would be at other speeds, so that a catalog is asked by its postings and never read from end to end.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from earmark.match.lines import ONE_LINE_SECONDS, Line, Strand
from earmark.match.matcher import Matcher
from earmark.match.protocol import Options, Scores, Search
from earmark.match.stretches import Stretch, evidence_of, stretches_of
from earmark.match.votes import Guess, vote
from earmark.match.windows import WINDOW_SECONDS, pieces_of
from earmark.plan import Channel
from earmark.types import Fingerprint, Hits, Keys

ASKED_SECONDS = 10.0  # of a window whose keys vote together
ASKED_AT_ONCE = 24  # windows: the index reads so many places at once, rarest keys first
SPEEDS = tuple(1 + step / 200 for step in range(-8, 9) if step)  # half a step moves the ends of 8 s by 10 ms
SPEED_WINDOWS, SPEED_SECONDS = 3, 8.0  # windows that are looked up at other speeds, and their length
SHIFT = 1 << 24  # frames from one window's keys to the next one's, whose votes must not meet: three days
LEAST_VOTES = 8  # of a place that is looked at; music without relation seldom has more
MOST_PLACES = 40  # that votes name of windows that are looked up at once, when two tracks share a recording
MOST_OF_A_TRACK = 6  # of these of one track
RECURRING_PLACES = 12  # that votes name of one window, when each may hold something else that recurs
RECURRING_OF_A_TRACK = 3  # of these of one track
AGREEING_Z = 6.0  # of a window that lies on the track
MOST_MISSES = 3  # windows without agreement through which a line is followed

EDGE_SECONDS = 0.5  # from an end within which what agrees is taken to reach it
GAP_SECONDS = 5.0  # between two ranges of a line that are one, of recordings that are the same for the most part
SHORT_GAP_SECONDS = 1.0  # the same of any recordings: a jingle may follow another as it does elsewhere
HALF = 0.5  # of a range, by which it may overlap a likelier one

KeysAtSpeed = Callable[[Fingerprint, float], Mapping[str, Keys]]
StoredKeys = Callable[[Fingerprint], Mapping[str, Keys]]


@dataclass(frozen=True, slots=True)
class Place:
    """A window of a recording on a track, as votes name it."""

    track: int
    begin: float  # second of the recording
    end: float
    start: float  # second of the track at which the window begins
    speed: float  # of the recording against the track
    votes: float


@dataclass(frozen=True, slots=True)
class SureRule:
    """From when on a range is sure, by 3,000 tracks of training music.

    Copies agree by 1.98 and more there (300 pairs; MP3 at 32 kbit/s, 3 % faster), with a support of 390 and more in
    20 s. Of ten seconds and more, other masterings and mixes agree by 1.5 to 3.4, all else by 1.14 and less; pieces of
    a few seconds that are made from the same samples by up to 2.8, with a support of 98 and less.
    """

    agreement: float = 1.5
    support: float = 60.0

    def allows(self, one: Range) -> bool:
        """Return whether a range is the same recording, and neither chance nor music that is alike."""
        return one.agreement >= self.agreement and one.support >= self.support


SURE = SureRule()


@dataclass(frozen=True, slots=True)
class Range:
    """A part of a recording and the part of a track that holds the same sound, in seconds of each."""

    track: int
    start: float
    end: float
    track_start: float
    track_end: float
    speed: float  # seconds of the track in one of the recording
    agreement: float  # mean score of what was compared, in standard deviations of chance
    support: float  # natural logarithm of the odds against chance, of agreement alone

    @property
    def seconds(self) -> float:
        """Its length in the recording."""
        return self.end - self.start

    @property
    def is_sure(self) -> bool:
        """Whether it is the same recording, and neither chance nor music that is alike."""
        return SURE.allows(self)

    def goes_on_in(self, later: Range, *, gap: float) -> bool:
        """Return whether a later range is of the same line, after no more than a gap."""
        there = self.track_end + self.speed * (later.start - self.end)
        return later.start - self.end <= gap and abs(there - later.track_start) < ONE_LINE_SECONDS

    def joined_with(self, later: Range) -> Range:
        """Return both as one."""
        seconds = self.seconds + later.seconds
        return replace(
            self,
            end=later.end,
            track_end=later.track_end,
            speed=(later.track_end - self.track_start) / (later.end - self.start),
            agreement=(self.agreement * self.seconds + later.agreement * later.seconds) / seconds,
            support=self.support + later.support,
        )

    def overlaps(self, other: Range) -> bool:
        """Return whether half of the shorter one lies in the other, in the recording or in the track."""
        own = min(self.end, other.end) - max(self.start, other.start)
        there = min(self.track_end, other.track_end) - max(self.track_start, other.track_start)
        return max(own, there) > HALF * min(self.seconds, other.seconds)


class SharedSound:
    """Asks a recording by its stored fingerprint."""

    def __init__(self, matcher: Matcher, *, keys: StoredKeys, keys_at_speed: KeysAtSpeed) -> None:
        """`matcher` compares one layer; `keys` are those that the index stores.

        `keys_at_speed` returns those of the same sound played by a factor faster, none where a kind cannot tell.
        """
        self._matcher, self._keys, self._keys_at_speed = matcher, keys, keys_at_speed
        self._channels = [one for one in matcher.plan.usual_channels if one.metric == "equal"]

    def can_ask(self, search: Search) -> bool:
        """Return whether an index holds keys that can be looked up; nearest neighbours are looked for in all of it."""
        return any(channel.name in search.channels for channel in self._channels)

    def places(self, number: int, sound: Fingerprint, search: Search, *, within: bool = False) -> list[Place]:
        """Return where a recording of a number may lie on others, and `within` itself, most votes first."""
        found = list[Place]()
        for channel in self._channels:
            if channel.name in search.channels:
                for asked in self._asked(sound, channel):
                    found += self._voted(number, channel, asked, search, within=within)
        return sorted(found, key=lambda one: (-one.votes, one.track, one.begin))

    def ranges(self, sound: Fingerprint, places: Sequence[Place], search: Search) -> list[Range]:
        """Return what a recording shares with the tracks that places name, the likeliest first.

        Of ranges that hold the same seconds of both, the likelier one is told.
        """
        lines, found = list[Line](), list[Range]()
        for place in places:
            middle = (place.begin + place.end) / 2
            at = place.start + place.speed * (middle - place.begin)
            if any(_goes_through(line, place.track, middle, at) for line in lines):
                continue
            line = self._followed(sound, place, search)
            if line is not None:
                lines.append(line)
                parts = [_range(one, sound.seconds) for one in stretches_of(evidence_of(line))]
                found += _joined(parts, gap=SHORT_GAP_SECONDS)
        return sorted(found, key=lambda one: -one.support)

    def _asked(self, sound: Fingerprint, channel: Channel) -> Iterator[list[_Asked]]:
        """Yield windows with their keys, those that are looked up together."""
        keys = self._keys(sound).get(channel.name)
        if keys is None:
            return
        frame = channel.frame_seconds
        windows = pieces_of(0.0, sound.seconds, ASKED_SECONDS, frame)
        usual = [_Asked(begin, end, 1.0, _between(keys, begin / frame, end / frame)) for begin, end in windows]
        for first in range(0, len(usual), ASKED_AT_ONCE):
            yield usual[first : first + ASKED_AT_ONCE]
        turned = list[_Asked]()
        for begin, end in _spread(sound.seconds):
            part = sound.between(begin, end)
            for speed in SPEEDS:
                other = self._keys_at_speed(part, 1 / speed).get(channel.name)
                if other is not None:
                    turned.append(_Asked(begin, end, speed, other))
        if turned:
            yield turned

    def _voted(
        self, number: int, channel: Channel, asked: Sequence[_Asked], search: Search, *, within: bool
    ) -> Iterator[Place]:
        frames = [one.keys.frames + np.int32(place * SHIFT) for place, one in enumerate(asked)]
        keys = Keys(np.concatenate(frames), np.concatenate([one.keys.values for one in asked]))
        hits = search.search(channel.name, keys, nearest=channel.nearest)
        window, frame = hits.query_frames // SHIFT, channel.frame_seconds
        own = hits.tracks == number
        if within:
            begins = np.array([round(one.begin / frame) for one in asked], np.int32)
            apart = hits.reference_frames - hits.query_frames % SHIFT - begins[window]
            own &= np.abs(apart) < ASKED_SECONDS / frame
        limit, per_track = MOST_PLACES, MOST_OF_A_TRACK
        if within:
            limit, per_track = RECURRING_PLACES * len(asked), RECURRING_OF_A_TRACK * len(asked)
        rule = replace(channel.votes, limit=limit, per_track=per_track, shortlist=2, min_votes=3)
        kept = Hits(hits.query_frames[~own], hits.tracks[~own], hits.reference_frames[~own], hits.scores[~own])
        for guess in vote(kept, replace(channel, votes=rule)):
            if guess.votes >= LEAST_VOTES:
                offset = round(guess.start / frame)
                which = -(offset // SHIFT) if offset % SHIFT < SHIFT // 2 else -(offset // SHIFT) - 1
                if 0 <= which < len(asked):
                    one = asked[which]
                    start = (offset + which * SHIFT) * frame
                    yield Place(guess.track, one.begin, one.end, start, one.speed, guess.votes)

    def _followed(self, sound: Fingerprint, place: Place, search: Search) -> Line | None:
        """Return the line through a place as far as windows agree; None where none does."""
        frame = self._channels[0].frame_seconds
        windows = pieces_of(0.0, sound.seconds, WINDOW_SECONDS, frame)
        middle = (place.begin + place.end) / 2
        own = [number for number, (begin, end) in enumerate(windows) if begin < place.end and end > place.begin]
        own.sort(key=lambda number: abs(sum(windows[number]) / 2 - middle))
        for number in own:
            first = self._laid(sound, windows[number], _Straight(place), search)
            if first is not None and agreement_z(first) >= AGREEING_Z:
                break
        else:
            return None
        strands = {number: first}
        for way in (range(number + 1, len(windows)), range(number - 1, -1, -1)):
            known, misses = first, 0
            for other in way:
                laid = self._laid(sound, windows[other], known, search)
                if laid is None:
                    misses += 1
                else:
                    strands[other] = laid
                    misses = 0 if agreement_z(laid) >= AGREEING_Z else misses + 1
                    known = laid if not misses else known
                if misses > MOST_MISSES:
                    break
        return Line(0, tuple(strands[key] for key in sorted(strands)))

    def _laid(
        self, sound: Fingerprint, window: tuple[float, float], known: _Straight | Strand, search: Search
    ) -> Strand | None:
        begin, end = window
        middle = (begin + end) / 2
        start = known.reference_at(middle) - (end - begin) / 2
        found = self._matcher.strands(
            sound.between(begin, end), search, Options(), begin=begin, known=[Guess(known.track, start)]
        )
        return found[0] if found else None


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    """A window that is looked up as if it played at a speed."""

    begin: float
    end: float
    speed: float
    keys: Keys  # their frames count from its beginning


class _Straight:
    """The straight line through a place."""

    def __init__(self, place: Place) -> None:
        self._place, self.track = place, place.track

    def reference_at(self, second: float) -> float:
        """Return the second of the track at a second of the recording."""
        return self._place.start + self._place.speed * (second - self._place.begin)


def apart(ranges: Sequence[Range]) -> list[Range]:
    """Return ranges of one track that do not hold the same seconds, longest first; the likelier ones stay.

    Those that go on after a few seconds, as encodings differ in quiet passages, are one.
    """
    kept = list[Range]()
    for one in sorted(ranges, key=lambda one: -one.support):
        if not any(one.overlaps(other) for other in kept):
            kept.append(one)
    return sorted(_joined(kept, gap=GAP_SECONDS), key=lambda one: -one.seconds)


def _joined(ranges: Sequence[Range], *, gap: float) -> list[Range]:
    """Return ranges in order of time, those that go on after a gap as one."""
    joined = list[Range]()
    for one in sorted(ranges, key=lambda one: one.start):
        goes_on = bool(joined) and joined[-1].goes_on_in(one, gap=gap)
        joined.append(joined.pop().joined_with(one) if goes_on else one)
    return joined


def agreement_z(strand: Strand) -> float:
    """Return by how many standard deviations a window agrees with its track beyond chance, by all its layers."""
    return sum(_z(scores) for scores in strand.scores.values())


def _z(scores: Scores) -> float:
    return float(scores.values.sum()) / math.sqrt(max(len(scores.values), 1) * scores.correlation)


def _spread(seconds: float) -> list[tuple[float, float]]:
    """Return a few windows, evenly over a recording."""
    if seconds <= SPEED_SECONDS:
        return [(0.0, seconds)]
    count = min(SPEED_WINDOWS, int(seconds // SPEED_SECONDS))
    room = seconds / count
    return [(begin := number * room + (room - SPEED_SECONDS) / 2, begin + SPEED_SECONDS) for number in range(count)]


def _between(keys: Keys, first: float, last: float) -> Keys:
    rows = slice(*np.searchsorted(keys.frames, [round(first), round(last)]))
    return Keys(keys.frames[rows] - np.int32(round(first)), keys.values[rows])


def _goes_through(line: Line, track: int, middle: float, at: float) -> bool:
    inside = line.begin <= middle <= line.end
    return inside and line.track == track and abs(line.reference_at(middle) - at) < ONE_LINE_SECONDS


def _range(stretch: Stretch, seconds: float) -> Range:
    """Return a stretch as a range, which reaches the ends of the recording, of so many seconds, and of the track."""
    line, total, count = stretch.line, 0.0, 0
    for strand, low, high in line.parts(stretch.start, stretch.end):
        for scores in strand.scores.values():
            kept = slice(*np.searchsorted(scores.seconds, [low, high]))
            total, count = total + float(scores.values[kept].sum()), count + len(scores.values[kept])
    place, length = line.straight(stretch.start, stretch.end) or line, line.strands[0].length
    start, end = float(stretch.start), float(stretch.end)
    first, last = float(place.reference_at(start)), float(place.reference_at(end))
    speed = (last - first) / max(end - start, 1e-9)
    before, after = min(start, first / speed), min(seconds - end, (length - last) / speed)
    if before < EDGE_SECONDS:
        start, first = start - before, first - before * speed
    if after < EDGE_SECONDS:
        end, last = end + after, last + after * speed
    return Range(stretch.track, start, end, first, last, speed, total / max(count, 1), stretch.support)
