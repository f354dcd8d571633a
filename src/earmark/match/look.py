"""One window of a sound while it is matched: its comparisons, and the candidates so far."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from earmark.match.compare import brief, make_comparison
from earmark.match.protocol import Candidate, Comparison, Placement, References, Search, Separable, Sweepable
from earmark.match.rivals import DECISIVE_Z, PLAIN_Z, best_of_each_track, is_decisive
from earmark.match.sweep import looked_through, repetitions, repetitions_at_speed
from earmark.match.votes import Guess, vote
from earmark.plan import Channel, CompareRule, Plan
from earmark.types import Fingerprint, Hits, Keys

APART_SECONDS = 0.125  # distance from a candidate within which a new proposal is the same
CHECKED = 32  # candidates of the first layer's own, the best by it, that later layers check
REPEATED_SHARE = 0.6  # of the largest z that a sweep finds, which a place needs to be compared: it finds 0.75 of any
APART_SHARE = 0.6  # of z without what the other explains: 0.9 and more of two that sound at once, 0.2 of likenesses
ONE_PLACE_SECONDS = 1.0  # distance within which two places are one
NEARLY_SHARE = 0.7  # share of the best place's z from which a closer look may prefer another of its track
PLACE_SHARE = 0.6  # share of the best place's z that another must have to be told too
MARGIN_SECONDS = 0.25  # silence that stays before and after what sounds
SILENCE_SECONDS = 1.0  # least length without features that is silence, not a pause of music

Effort = Literal["full", "known places", "places"]
QueryKeys = Callable[[Fingerprint], Mapping[str, Keys]]


class Look:
    """What is known of one window: candidates are proposed, compared and ranked."""

    def __init__(
        self,
        plan: Plan,
        window: Fingerprint,
        search: Search,
        *,
        keys: QueryKeys,
        references: References,
        wide: bool,
        hits: Mapping[str, Hits] | None = None,
        effort: Effort = "full",
    ) -> None:
        """`keys` returns what each channel looks up; `wide` also tries larger changes of speed.

        `hits` are what channels have found already. With the effort of `places` a window is laid, not weighed; with
        that of `known places` it is weighed by what can be told without the nearest neighbours of its segments.
        """
        self.window, self.ranked = window, list[Candidate]()  # the best candidate of each track, best first
        self.comparisons: dict[str, Comparison] = {}  # by layer, in the plan's order
        self.plan, self._make_keys, self._references = plan, keys, references
        self._search, self._wide, self._effort = search, wide, effort
        self._hits: dict[str, Hits] = dict(hits or {})  # by channel
        self._tried: list[Candidate] = []
        for rule in filter(self.can_compare, self.plan.compare):
            self.comparisons[rule.layer] = self._comparison(rule)
        self._first = next(iter(self.comparisons), "")

    @property
    def sounding_seconds(self) -> float:
        """How much of the window is not silence of a second and more."""
        return _sounding(self.window, self.plan)

    @property
    def best_z(self) -> float:
        """The largest z of any place that was compared."""
        return max((one.figure("z") for one in self._tried), default=0.0)

    def can_compare(self, rule: CompareRule) -> bool:
        """Return whether the window has enough of a layer."""
        layer = self.window.layers.get(rule.layer)
        return layer is not None and len(layer.frames) >= rule.min_features

    def settle(
        self, proposals: Iterable[tuple[list[Guess], str]], *, least: float = DECISIVE_Z, most: int | None = None
    ) -> bool:
        """Add what is proposed, or the `most` first of each, until one is decisive by a z of `least`; say if one is."""
        for guesses, layer in proposals:
            self.add(guesses[:most], layer)
            if is_decisive(self.ranked, self.same, least=least):
                return True
        return False

    def by_channels(self) -> Iterator[tuple[list[Guess], str]]:
        """Yield (places, layer they were found by), channel by channel."""
        for channel in self.plan.usual_channels:
            if channel.name in self._search.channels and channel.layer in self.comparisons:
                yield vote(self._hits_of(channel), channel), channel.layer

    def by_sweep(self) -> Iterator[tuple[list[Guess], str]]:
        """Yield the places that are found by looking through the likeliest tracks, of no layer's own."""
        rule, sweepable = self.plan.sweep, self._sweepable
        if rule is None or sweepable is None:
            return
        name, hits = next(iter(self._hits.items()))
        frame_seconds = next(one.frame_seconds for one in self.plan.channels if one.name == name)
        yield looked_through(rule, sweepable, self.ranked, hits, self._references, frame_seconds=frame_seconds), ""

    def add(self, guesses: Sequence[Guess], layer: str) -> None:
        """Compare the places that are not known yet, and rank them."""
        laid = self._lay(self._new(guesses, self._tried), layer, list(self.comparisons))
        self._tried += laid
        self.ranked = best_of_each_track([*self.ranked, *laid])

    def likeliest(self, count: int) -> list[Candidate]:
        """Return the best places, whichever tracks they are of."""
        return sorted(self._tried, key=lambda one: -one.score)[:count]

    def put_first(self, found: Candidate) -> None:
        """Rank a candidate before all others, and no other place of its track."""
        self.ranked = [found, *(one for one in self.ranked if one.track != found.track)]

    def nearest_to(self, guess: Guess, *, within: float) -> Candidate | None:
        """Return the best candidate of a guess's track within so many seconds of it."""
        own = (one for one in self._tried if one.track == guess.track and abs(one.start - guess.start) <= within)
        return max(own, key=lambda one: one.score, default=None)

    def choose_repetition(self) -> None:
        """Put a better place of the first track in its stead: music repeats itself, and a repetition may be named."""
        rule = self.plan.sweep
        if self._sweepable is None or rule is None or not self.ranked:
            return
        first = self.ranked[0]
        own = [one for one in self._tried if one.track == first.track]
        before = [name for name in self.comparisons if name != rule.layer]
        added = self._lay(self._new(self.repetitions(first.track, share=REPEATED_SHARE), own), "", before)
        again = self._compare([*own, *added], rule.layer, own=False)
        self.ranked[0] = max([first, *again], key=lambda one: one.score)

    def of_track(self, track: int) -> list[Candidate]:
        """Return all places of a track that were compared, the clearest first."""
        return sorted((one for one in self._tried if one.track == track), key=lambda one: -one.figure("z"))

    def repetitions(self, track: int, *, most: int = 0, share: float = 0.0) -> list[Guess]:
        """Return the places of a track at which the window lies best, by a sweep, as `sweep.repetitions` does."""
        sweepable, rule = self._sweepable, self.plan.sweep
        if sweepable is None or rule is None:
            return []
        layer = self.reference(track).layers[rule.layer].unpacked()
        return [Guess(track, start) for start in repetitions(rule, sweepable, layer, most=most, share=share)]

    def repetitions_at(self, claim: Guess) -> list[Guess]:
        """Return the places at which the window lies best of a track that it lies on at another speed, or none."""
        rule, comparison = self.plan.sweep, self._sweepable
        self.add([claim], "")
        found = self.nearest_to(claim, within=ONE_PLACE_SECONDS)
        if rule is None or found is None or comparison is None:
            return []
        layer, placement = self.reference(claim.track).layers[rule.layer].unpacked(), found.placements[rule.layer]
        starts = repetitions_at_speed(rule, comparison, layer, placement, seconds=self.window.seconds)
        return [Guess(claim.track, start, speed=placement.speed) for start in starts]

    def reference(self, track: int) -> Fingerprint:
        """Return a track's stored fingerprint."""
        return self._references([track])[track]

    def same(self, one: Candidate, other: Candidate) -> bool:
        """Return whether two candidates hold the same sound under the window, by any layer."""
        references = self._references([one.track, other.track])
        return any(
            comparison.same(
                (references[one.track].layers[layer], one.placements[layer]),
                (references[other.track].layers[layer], other.placements[layer]),
            )
            for layer, comparison in self.comparisons.items()
            if layer in one.placements and layer in other.placements
        )

    @cached_property
    def _keys(self) -> Mapping[str, Keys]:
        return self._make_keys(self.window)

    @property
    def _sweepable(self) -> Sweepable | None:
        """The comparison that sweeps, where the plan has one and the window enough of its layer."""
        found = self.comparisons.get(self.plan.sweep.layer) if self.plan.sweep else None
        return found if isinstance(found, Sweepable) else None

    def _comparison(self, rule: CompareRule) -> Comparison:
        channels = [one for one in self.plan.channels if one.layer == rule.layer and one.metric == "inner"]
        hits = next((partial(self._hits_of, one) for one in channels if one.name in self._search.channels), None)
        if self._effort == "places":
            rule, hits = brief(rule), None
        elif self._effort == "known places" and sum(map(self.can_compare, self.plan.compare)) > 1:
            hits = None
        return make_comparison(rule, self.window.layers[rule.layer], hits=hits, wide=self._wide)

    def _hits_of(self, channel: Channel) -> Hits:
        if channel.name not in self._hits:
            asked = channel.looked_up(self._keys[channel.name])
            self._hits[channel.name] = self._search.search(channel.name, asked, nearest=channel.nearest)
        return self._hits[channel.name]

    def _new(self, guesses: Sequence[Guess], known: Sequence[Candidate]) -> list[Candidate]:
        """Return the places that are not near a candidate of their track already."""
        starts: dict[int, list[float]] = {}
        for one in known:
            starts.setdefault(one.track, []).append(one.start)
        return [
            Candidate(guess.track, guess.start)
            for guess in guesses
            if all(abs(start - guess.start) >= APART_SECONDS for start in starts.get(guess.track, ()))
        ]

    def _lay(self, candidates: list[Candidate], layer: str, names: Sequence[str]) -> list[Candidate]:
        """Return the candidates as these layers place them, each layer in the order that those before it rank."""
        for number, name in enumerate(names):
            if number:
                candidates.sort(key=lambda one: (-one.score, one.track))
                candidates = candidates[:CHECKED] if layer == names[0] else candidates
            candidates = self._compare(candidates, name, own=name == layer)
        return candidates

    def _compare(self, candidates: Sequence[Candidate], name: str, *, own: bool) -> list[Candidate]:
        references = self._references([one.track for one in candidates])
        layers = [references[one.track].layers[name] for one in candidates]
        placements = self.comparisons[name].near(layers, candidates, own=own)
        return [
            self._placed(one, name, placement)
            for one, placement in zip(candidates, placements, strict=True)
            if placement is not None
        ]

    def _placed(self, candidate: Candidate, name: str, placement: Placement) -> Candidate:
        """Return a candidate with one more placement; the first layer tells the later ones place and speed."""
        placements = {**candidate.placements, name: placement}
        teller = placement if name == self._first else candidate
        return Candidate(candidate.track, teller.start, teller.speed, placements, _score(self.plan, placements))


def without_silence(window: Fingerprint, plan: Plan) -> tuple[Fingerprint, float]:
    """Return (a window without the silence at its ends, the second at which that begins), where it is long."""
    begins, ends = _features(window, plan)
    if not len(begins):
        return window, 0.0
    first, last = float(begins[0]), float(ends[-1])
    begin = first - MARGIN_SECONDS if first >= SILENCE_SECONDS else 0.0
    end = last + MARGIN_SECONDS if window.seconds - last >= SILENCE_SECONDS else window.seconds
    if end - begin >= window.seconds:
        return window, 0.0
    grid = max(layer.frame_seconds for layer in window.layers.values())
    begin = int(begin / grid) * grid
    return window.between(begin, end), begin


def sounding_span(window: Fingerprint, plan: Plan) -> float:
    """Return the seconds from the first feature of a window to the end of the last one."""
    begins, ends = _features(window, plan)
    return float(ends[-1] - begins[0]) if len(begins) else 0.0


def _sounding(window: Fingerprint, plan: Plan) -> float:
    """Return how many seconds of a window are not in gaps of a second and more."""
    begins, ends = _features(window, plan)
    gaps = np.append(begins, window.seconds) - np.insert(ends, 0, 0.0)
    return float(window.seconds - gaps[gaps >= SILENCE_SECONDS].sum())


def _features(window: Fingerprint, plan: Plan) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the seconds at which the features of the densest layer begin and end, in order."""
    finest = max(window.layers.values(), key=lambda layer: len(layer.frames))
    begins = finest.frames.astype(np.float64) * finest.frame_seconds
    return begins, begins + max(rule.feature_seconds for rule in plan.compare)


def separable_of(look: Look) -> tuple[str, Separable | None]:
    """Return the layer that tells apart what sounds at once, and its comparison; None where there is none."""
    found = ((name, one) for name, one in look.comparisons.items() if isinstance(one, Separable))
    return next(found, ("", None))


def has_one_place(look: Look) -> bool:
    """Return whether the first track has no other place that the window fits nearly as well."""
    first = look.ranked[0]
    others = (one for one in look.of_track(first.track) if abs(one.start - first.start) >= ONE_PLACE_SECONDS)
    return all(one.figure("z") < NEARLY_SHARE * first.figure("z") for one in others)


def together_with(found: Candidate, look: Look) -> frozenset[int]:
    """Return the tracks that sound at the same time: peaks of the clip meet each that do not meet the other."""
    name, comparison = separable_of(look)
    if comparison is None:
        return frozenset()
    own, tracks = (look.reference(found.track).layers[name], found.placements[name]), set[int]()
    for one in look.ranked:
        if one.track != found.track and one.figure("z") >= PLAIN_Z:
            other = look.reference(one.track).layers[name], one.placements[name]
            if min(comparison.apart(own, other)) > APART_SHARE:
                tracks.add(one.track)
    return frozenset(tracks)


def places_on(track: int, look: Look, *, most: int) -> list[Candidate]:
    """Return all places of a track that a window fits nearly as well as the best, best first."""
    by_votes = [one for guesses, _ in look.by_channels() for one in guesses if one.track == track]
    look.add([*look.repetitions(track, most=most), *by_votes], "")
    found, kept = look.of_track(track), list[Candidate]()
    for one in found:
        is_good = one.figure("z") >= max(PLACE_SHARE * found[0].figure("z"), DECISIVE_Z)
        if is_good and all(abs(one.start - other.start) >= ONE_PLACE_SECONDS for other in kept):
            kept.append(one)
    return kept[:most]


def _score(plan: Plan, placements: Mapping[str, Placement]) -> float:
    """Return the ranking score: the figures of the first layer; those of later ones can only add to it."""
    score = 0.0
    for rule in plan.compare:
        placement = placements.get(rule.layer)
        if placement is None:
            continue
        for figure, weight in rule.ranking.items():
            value = placement.figures.get(figure, 0.0)
            score += weight * (value if rule is plan.compare[0] or value > 0 else 0.0)
    return score
