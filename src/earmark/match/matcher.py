"""What a window of a clip comes from: candidates are proposed, compared and ranked until one is decisive.

The one matcher of all kinds of fingerprint: which channels propose, which layers are compared and what counts how much
is the fingerprinter's plan.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice

from earmark.match.calibration import Calibration
from earmark.match.compare import make_comparison
from earmark.match.passages import Passage
from earmark.match.placement import combine, passage_of
from earmark.match.protocol import (
    Candidate,
    Comparison,
    Options,
    Others,
    Placement,
    References,
    Registrable,
    Search,
    Sweepable,
)
from earmark.match.rivals import (
    CLEAR_Z,
    DECISIVE_Z,
    behind_duplicates,
    best_of_each_track,
    duplicates_of,
    is_decisive,
)
from earmark.match.votes import Guess, tracks_by_votes, vote
from earmark.match.warped import WarpedKeys, WarpedLook, merged
from earmark.plan import Channel, CompareRule, Plan
from earmark.types import Fingerprint, Hits, Keys, Layer

APART_SECONDS = 0.125  # distance from a candidate within which a new proposal is the same
READ_AT_ONCE = 16  # references that a sweep reads in one batch: it may stop after any of them

QueryKeys = Callable[[Fingerprint], Mapping[str, Keys]]


class Matcher:
    """Matches windows of clips; safe to use from several threads."""

    def __init__(
        self,
        plan: Plan,
        calibration: Calibration,
        *,
        keys: QueryKeys,
        references: References,
        warped_keys: WarpedKeys | None = None,
    ) -> None:
        """`keys` returns what each channel looks up for a window, `warped_keys` what that of the plan's `warp` does."""
        self.plan, self.calibration = plan, calibration
        self.keys, self.references, self.warped_keys = keys, references, warped_keys

    def match(self, window: Fingerprint, search: Search, options: Options, *, begin: float = 0.0) -> list[Passage]:
        """Return up to `options.limit` passages of a window that begins at second `begin` of the clip, likeliest first.

        A window whose first layer holds too little has none.
        """
        rule = self.plan.warp
        wide = bool(options.speed) and (rule is None or rule.channel not in search.channels)
        look = _Look(self, window, search, wide=wide)
        if not look.can_compare(self.plan.compare[0]):
            return []
        warped = self._warped_look(look, search) if options.speed else None
        if options.speed == "only":
            return [] if warped is None else self._warped_passages(look, warped, warped.search(search), options, begin)
        is_clear = look.settle(look.by_channels())
        if warped is not None and not is_decisive(look.ranked, look.same, least=CLEAR_Z):
            is_clear = is_decisive(warped.search(search), look.same) or is_clear
        if not is_clear:
            look.settle(look.by_sweep())
        look.choose_repetition()
        if warped is not None and look.ranked:
            look.ranked[0] = warped.registered(look.ranked[0])
        passages = _passages(look, look.ranked, options.limit, partial(self._passage, look, begin=begin))
        if warped is not None:
            passages = merged(passages, self._warped_passages(look, warped, warped.ranked, options, begin))
        return passages[: options.limit]

    def _warped_look(self, look: _Look, search: Search) -> WarpedLook | None:
        """Return what looks for the window at any speed; None where plan, index or window lack what it takes."""
        rule, keys = self.plan.warp, self.warped_keys
        comparison = look.comparisons.get(rule.layer) if rule else None
        if rule is None or keys is None or rule.channel not in search.channels:
            return None
        if not isinstance(comparison, Registrable):
            return None
        return WarpedLook(self.plan, rule, look.window, comparison, keys=keys, references=self.references)

    def _warped_passages(
        self, look: _Look, warped: WarpedLook, ranked: Sequence[Candidate], options: Options, begin: float
    ) -> list[Passage]:
        make = partial(warped.passage, calibration=self.calibration, begin=begin)
        return _passages(look, ranked, options.limit, make)

    def _passage(self, look: _Look, found: Candidate, others: Others, *, begin: float) -> Passage:
        reference = look.reference(found.track)
        evidence = {figure: 0.0 for rule in self.plan.compare for figure in rule.figures}
        alignments = []
        for layer, comparison in look.comparisons.items():
            alignments.append(comparison.fit(reference.layers[layer], found.placements[layer]))
            evidence |= comparison.evidence(found, alignments[-1], others)
        evidence["seconds"] = round(look.window.seconds, 3)
        return passage_of(
            found.track,
            combine(alignments),
            log_odds=self.calibration.log_odds(evidence, look.comparisons),
            evidence=evidence,
            begin=begin,
            seconds=look.window.seconds,
            length=reference.seconds,
        )


def _passages(
    look: _Look, ranked: Sequence[Candidate], limit: int, make: Callable[[Candidate, Others], Passage]
) -> list[Passage]:
    """Return the passages of the first candidates, each with what else the window might be."""
    passages: list[Passage] = []
    for found in ranked[:limit]:
        duplicates = duplicates_of(found, ranked, look.same)
        others = [one for one in ranked if one is not found and one.track not in duplicates]
        passage = make(found, Others(others, duplicates))
        passages.append(behind_duplicates(passage, [one for one in passages if one.track in duplicates]))
    return passages


class _Look:
    """One window while it is matched: its comparisons, and the candidates so far."""

    def __init__(self, matcher: Matcher, window: Fingerprint, search: Search, *, wide: bool) -> None:
        self.window, self.ranked = window, list[Candidate]()  # the best candidate of each track, best first
        self.comparisons: dict[str, Comparison] = {}  # by layer, in the plan's order
        self._plan, self._references = matcher.plan, matcher.references
        self._search, self._wide = search, wide
        self._hits: dict[str, Hits] = {}  # by channel
        self._tried: list[Candidate] = []
        self._first = self._plan.compare[0].layer
        if self.can_compare(self._plan.compare[0]):
            self._keys = matcher.keys(window)
            for rule in filter(self.can_compare, self._plan.compare):
                self.comparisons[rule.layer] = self._comparison(rule)

    def can_compare(self, rule: CompareRule) -> bool:
        """Return whether the window has enough of a layer."""
        layer = self.window.layers.get(rule.layer)
        return layer is not None and len(layer.frames) >= rule.min_features

    def settle(self, proposals: Iterable[tuple[list[Guess], str]]) -> bool:
        """Add what is proposed until the best candidate is decisive, and return whether one is."""
        for guesses, layer in proposals:
            self.add(guesses, layer)
            if is_decisive(self.ranked, self.same):
                return True
        return False

    def by_channels(self) -> Iterator[tuple[list[Guess], str]]:
        """Yield (places, layer they were found by), channel by channel."""
        for channel in self._plan.usual_channels:
            if channel.name in self._search.channels and channel.layer in self.comparisons:
                features = len(self.window.layers[channel.layer].frames)
                yield vote(self._hits_of(channel), channel, features=features), channel.layer

    def by_sweep(self) -> Iterator[tuple[list[Guess], str]]:
        """Yield the places that a sweep of the likeliest tracks finds, of no layer's own."""
        if self._sweepable is not None:
            yield self._swept(self._sweepable), ""

    def add(self, guesses: Sequence[Guess], layer: str) -> None:
        """Compare the places that are not known yet, and rank them."""
        laid = self._lay(self._new(guesses, self._tried), layer, list(self.comparisons))
        self._tried += laid
        self.ranked = best_of_each_track([*self.ranked, *laid])

    def choose_repetition(self) -> None:
        """Put a better place of the first track in its stead: music repeats itself, and a repetition may be named."""
        sweepable, rule = self._sweepable, self._plan.sweep
        if sweepable is None or rule is None or not self.ranked:
            return
        first, layer = self.ranked[0], self.reference(self.ranked[0].track).layers[rule.layer]
        guesses: list[Guess] = []
        if sweepable.sweep_cost(layer) <= rule.repetition_budget:
            guesses = [Guess(first.track, place.start) for place in sweepable.sweep(layer, limit=rule.repetitions)]
        own = [one for one in self._tried if one.track == first.track]
        before = [name for name in self.comparisons if name != rule.layer]
        added = self._lay(self._new(guesses, own), "", before)
        again = self._compare([*own, *added], rule.layer, own=False)
        self.ranked[0] = max([first, *again], key=lambda one: one.score)

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

    @property
    def _sweepable(self) -> Sweepable | None:
        """The comparison that sweeps, where the plan has one and the window enough of its layer."""
        found = self.comparisons.get(self._plan.sweep.layer) if self._plan.sweep else None
        return found if isinstance(found, Sweepable) else None

    def _comparison(self, rule: CompareRule) -> Comparison:
        channels = [one for one in self._plan.channels if one.layer == rule.layer and one.metric == "inner"]
        hits = next((self._hits_of(one) for one in channels if one.name in self._search.channels), None)
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
        return Candidate(candidate.track, teller.start, teller.speed, placements, self._score(placements))

    def _score(self, placements: Mapping[str, Placement]) -> float:
        """Return the ranking score: the figures of the first layer; those of later ones can only add to it."""
        score = 0.0
        for rule in self._plan.compare:
            placement = placements.get(rule.layer)
            if placement is None:
                continue
            for figure, weight in rule.ranking.items():
                value = placement.figures.get(figure, 0.0)
                score += weight * (value if rule.layer == self._first or value > 0 else 0.0)
        return score

    def _swept(self, sweepable: Sweepable) -> list[Guess]:
        """Return the best place of tracks that are searched from end to end, the best ones of all.

        The tracks ranked so far come first, then those that were hit; until one is beyond doubt, or enough is done.
        """
        rule = self._plan.sweep
        assert rule is not None
        layer = rule.layer if sweepable.seconds < rule.short_seconds else rule.strongest
        left, found = rule.budget, list[tuple[float, int, float]]()
        beyond_doubt = max(DECISIVE_Z, self.ranked[0].figure("z") if self.ranked else 0.0)
        for track, reference in self._in_batches(rule.most_tracks, layer):
            if left < rule.budget // 100:  # less than a usual track takes
                break
            cost = sweepable.sweep_cost(reference)
            if cost > left:
                continue
            left -= cost
            found += [(place.figures["z"], track, place.start) for place in sweepable.sweep(reference)]
            if found and found[-1][0] > beyond_doubt:
                break
        return [Guess(track, start) for _, track, start in heapq.nlargest(rule.places, found)]

    def _in_batches(self, most: int, layer: str) -> Iterator[tuple[int, Layer]]:
        hits = next(iter(self._hits.values()))
        tracks = iter(dict.fromkeys([*(one.track for one in self.ranked), *tracks_by_votes(hits)]))
        remaining = islice(tracks, most)
        while batch := list(islice(remaining, READ_AT_ONCE)):
            references = self._references(batch)
            yield from ((track, references[track].layers[layer]) for track in batch)
