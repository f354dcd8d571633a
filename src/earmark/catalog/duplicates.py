"""Recordings that a catalog holds more than once: each stored fingerprint is its own question, and no audio is read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain

from earmark.arguments import items_of
from earmark.catalog.backend import LiveIndex, Store
from earmark.catalog.unpack import unpacked
from earmark.errors import CatalogDamaged, OptionError, TrackNotFound
from earmark.fingerprints.protocol import Fingerprinter
from earmark.match.calibration import Calibration
from earmark.match.matcher import Matcher
from earmark.match.references import CachedReferences
from earmark.match.shared import Range, SharedSound, apart
from earmark.types import Duplicate, DuplicateGroup, Fingerprint, SharedRange, Track

SHORTEST_SECONDS = 10.0  # least seconds that two tracks share; sound libraries and jingles make tracks share less
WHOLE_SHARE = 0.9  # share of a track from which all of it counts as shared: fades and silence at the ends are not
MOSTLY_SHARE = 0.5  # share of the longer track from which two hold mostly the same recording

Progress = Callable[[int, int], object]  # (tracks done, tracks in all)


class StoredSound:
    """What stored fingerprints of a catalog share, at one moment of its index.

    Raises OptionError for an index without keys to look up.
    """

    def __init__(self, store: Store, index: LiveIndex, maker: Fingerprinter) -> None:
        index.refresh(wait=False)
        self._store, self._maker, self._search = store, maker, index.snapshot()
        plan = replace(maker.plan, compare=maker.plan.compare[-1:], sweep=None)  # the finest layer tells ends
        calibration = Calibration(str(maker.spec), plan.digest, index.name, (), "nothing")
        matcher = Matcher(plan, calibration, keys=maker.keys, references=CachedReferences(self._fingerprints))
        self._shared = SharedSound(matcher, keys=maker.keys, keys_at_speed=maker.keys_at_speed)
        if not self._shared.can_ask(self._search):
            raise OptionError(
                f"index {index.name} of {maker.spec} holds vectors alone, which take too long to compare one with all: "
                "index the audio again with peaks and the index 'both', or with a fingerprinter whose keys are codes"
            )

    def __iter__(self) -> Iterator[tuple[int, Fingerprint]]:
        """Yield (number, fingerprint) of every track that can be read."""
        for number, packed in self._store.fingerprints_after(0):
            try:
                yield number, unpacked(self._maker, number, packed)
            except CatalogDamaged:  # `verify` says what is damaged
                continue

    def ranges(
        self, number: int, sound: Fingerprint, *, known: Callable[[int], bool] | None = None, within: bool = False
    ) -> list[Range]:
        """Return what a track surely shares with others that are not `known`, and `within` itself, longest first."""
        places = self._shared.places(number, sound, self._search, within=within)
        by_track: dict[int, list[Range]] = {}
        for track in dict.fromkeys(one.track for one in places):
            if known is None or not known(track):
                own = [one for one in places if one.track == track]
                try:
                    by_track[track] = self._shared.ranges(sound, own, self._search)
                except (TrackNotFound, CatalogDamaged):  # removed meanwhile, or damaged
                    continue
        sure = (one for one in chain.from_iterable(by_track.values()) if one.is_sure)
        return sorted(sure, key=lambda one: -one.seconds)

    def track(self, number: int) -> Track:
        """Return a track by its number; raises TrackNotFound, CatalogDamaged."""
        return self._store.recording(number).track

    def _fingerprints(self, numbers: Sequence[int]) -> Mapping[int, Fingerprint]:
        stored, found = self._store.fingerprints(numbers), dict[int, Fingerprint]()
        for number in numbers:
            if number not in stored:
                raise TrackNotFound(f"track number {number} was removed meanwhile")
            found[number] = unpacked(self._maker, number, stored[number])
        return found


def duplicates(sounds: StoredSound, *, total: int, shortest: float, progress: Progress | None) -> Iterator[Duplicate]:
    """Yield each pair of tracks that share a recording, as it is found."""
    found = set[tuple[int, int]]()
    for done, (number, sound) in enumerate(sounds, start=1):
        by_track: dict[int, list[Range]] = {}
        ranges = sounds.ranges(number, sound, known=lambda other: (other, number) in found)  # noqa: B023 - called here
        for one in ranges:
            by_track.setdefault(one.track, []).append(one)
        for track, own in by_track.items():
            try:
                pair = _pair(sounds.track(number), sounds.track(track), apart(own), shortest=shortest)
            except (TrackNotFound, CatalogDamaged):
                continue
            if pair is not None:
                found.add((number, track))
                yield pair
        if progress is not None:
            progress(done, total)


def duplicate_groups(pairs: Iterable[Duplicate]) -> list[DuplicateGroup]:
    """Return groups of tracks that hold mostly the same recording, each with its excerpts and overlaps, largest first.

    A pair that shares less than half of its longer track joins no groups: it stands in the group of that track.
    """
    pairs = list(items_of(pairs, "what catalog.duplicates() yields"))
    tracks = {track.id: track for pair in pairs for track in (pair.first, pair.second)}
    group_of = {id: id for id in tracks}

    def root(id: str) -> str:
        while group_of[id] != id:
            group_of[id] = id = group_of[group_of[id]]
        return id

    for pair in pairs:
        if pair.share >= MOSTLY_SHARE:
            group_of[root(pair.first.id)] = root(pair.second.id)
    members: dict[str, list[Track]] = {}
    for track in tracks.values():
        members.setdefault(root(track.id), []).append(track)
    held: dict[str, list[Duplicate]] = {}
    for pair in pairs:
        longer = max(pair.second, pair.first, key=lambda track: track.seconds)
        held.setdefault(root(longer.id), []).append(pair)
    groups = [_group(members[key], own) for key, own in held.items()]
    return sorted(groups, key=lambda group: -len(group.tracks) - len(group.parts))


def _group(members: Sequence[Track], pairs: Sequence[Duplicate]) -> DuplicateGroup:
    ids = {track.id for track in members}
    others = {track.id: track for pair in pairs for track in (pair.first, pair.second) if track.id not in ids}
    longest_first = sorted(members, key=lambda track: -track.seconds)
    return DuplicateGroup(tuple(longest_first), tuple(others.values()), tuple(pairs))


def _pair(first: Track, second: Track, ranges: Sequence[Range], *, shortest: float) -> Duplicate | None:
    """Return what two tracks are to each other; None where they share too little."""
    shared = sum(one.seconds for one in ranges), sum(one.track_end - one.track_start for one in ranges)
    shares = shared[0] / max(first.seconds, 1e-9), shared[1] / max(second.seconds, 1e-9)
    if max(one.seconds for one in ranges) < shortest and max(shares) < WHOLE_SHARE:
        return None
    is_whole = [share >= WHOLE_SHARE for share in shares]
    parts = [SharedRange(one.start, one.end, one.track_start, one.track_end) for one in ranges]
    if shares[1] > shares[0]:  # the first one is that of which more is shared
        parts = [SharedRange(one.second_start, one.second_end, one.first_start, one.first_end) for one in parts]
        first, second = second, first
    relation = "same" if all(is_whole) else "part" if any(is_whole) else "overlap"
    return Duplicate(first, second, relation, tuple(parts), share=min(*shares, 1.0))
