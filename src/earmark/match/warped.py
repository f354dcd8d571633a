"""Clips at any speed and pitch: candidates by keys that neither changes, registered and compared by one layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from earmark.match.calibration import Calibration
from earmark.match.passages import Passage
from earmark.match.placement import passage_of
from earmark.match.protocol import Candidate, Others, Placement, References, Registrable, Search
from earmark.match.rivals import DECISIVE_Z, best_of_each_track
from earmark.match.votes import vote_along
from earmark.plan import Plan, WarpRule
from earmark.types import Fingerprint, Keys

WARP_COST = 1.0  # z that a warp gains by chance when it is fitted to what is there
MOST_STEPS = 3  # registrations from one place, each of which reaches a tenth faster or slower
AT_OTHER_SPEEDS = 5  # best tracks that are registered from other speeds too
OTHER_SPEEDS = (0.93, 1.07)  # of the one found: noise can lead a registration astray by as much
FAR_SPEEDS = (0.78, 0.88, 1.12, 1.26)  # from which what the usual search found is registered: it knows its own speed
AGREED_Z = 8.0  # z that chance seldom reaches: 7.1 among 668 tracks
REPETITIONS = 12  # of them

WarpedKeys = Callable[[Fingerprint], Keys]


class WarpedLook:
    """One window while it is looked for at any speed."""

    def __init__(
        self,
        plan: Plan,
        rule: WarpRule,
        window: Fingerprint,
        comparison: Registrable,
        *,
        keys: WarpedKeys,
        references: References,
    ) -> None:
        """`comparison` is that of the rule's layer; `keys` returns what the rule's channel looks up for a window."""
        self.ranked = list[Candidate]()  # the best candidate of each track, best first
        self._rule, self._window, self._comparison = rule, window, comparison
        self._channel = next(one for one in plan.channels if one.name == rule.channel)
        self._keys, self._references = keys, references

    def search(self, search: Search) -> list[Candidate]:
        """Rank the candidates that the rule's channel names, and return them."""
        asked = self._channel.looked_up(self._keys(self._window))
        hits = search.search(self._channel.name, asked, nearest=self._channel.nearest)
        guesses = vote_along(hits, self._channel, self._rule.speeds)
        found = self._placed([Candidate(guess.track, guess.start, guess.speed) for guess in guesses])
        best = best_of_each_track(found)[:AT_OTHER_SPEEDS]
        found += self._placed([self._at_speed(one, factor * one.speed) for one in best for factor in OTHER_SPEEDS])
        if found:
            found += self._placed(self._repetitions(best_of_each_track(found)[0]))
        self.ranked = best_of_each_track(found)
        return self.ranked

    def registered(self, found: Candidate) -> Candidate:
        """Return a candidate of another search at the place, speed and pitch that fit better, if any do."""
        layer, best = self._rule.layer, found.placements[self._rule.layer]
        for _ in range(MOST_STEPS):
            here = Candidate(found.track, best.start, best.speed)
            starts = [here]
            if best.figures["z"] < DECISIVE_Z:
                starts += [self._at_speed(here, factor * here.speed) for factor in FAR_SPEEDS]
            places = [place for place in self._register(starts) if place is not None]
            better = max(places, key=lambda place: place.figures["z"], default=best)
            if better.figures["z"] <= max(best.figures["z"] + WARP_COST, DECISIVE_Z):
                break  # what fits by chance is no better than what was given
            best = better
        if best is found.placements[layer]:
            return found
        here = Candidate(found.track, best.start, best.speed, {layer: best}, best.figures["z"])
        best = max([here, *self._placed(self._repetitions(here))], key=lambda one: one.score).placements[layer]
        return replace(found, placements={**found.placements, layer: best})

    def passage(
        self, found: Candidate, others: Others, *, calibration: Calibration, begin: float, measuring: bool = True
    ) -> Passage:
        """Return the passage of a candidate; the window begins at second `begin` of the clip."""
        reference = self._references([found.track])[found.track]
        alignment = self._comparison.fit(
            reference.layers[self._rule.layer], found.placements[self._rule.layer], measuring=measuring
        )
        evidence = {
            **alignment.figures,
            "rival_z": round(others.largest("z"), 3),
            "seconds": round(self._window.seconds, 3),
        }
        return passage_of(
            found.track,
            alignment,
            log_odds=calibration.warped_log_odds(evidence),
            evidence=evidence,
            begin=begin,
            seconds=self._window.seconds,
            length=reference.seconds,
        )

    def _placed(self, candidates: list[Candidate]) -> list[Candidate]:
        """Return the candidates where they lie best."""
        return [
            Candidate(one.track, place.start, place.speed, {self._rule.layer: place}, place.figures["z"])
            for one, place in zip(candidates, self._register(candidates), strict=True)
            if place is not None
        ]

    def _at_speed(self, one: Candidate, speed: float) -> Candidate:
        """Return a candidate turned about the window's middle."""
        return Candidate(one.track, one.start + (one.speed - speed) * self._window.seconds / 2, speed)

    def _repetitions(self, first: Candidate) -> list[Candidate]:
        """Return where else on its track a candidate may lie: music repeats itself, and a repetition may be named."""
        reference, placement = self._references([first.track])[first.track], first.placements[self._rule.layer]
        if first.score < AGREED_Z:
            return []
        layer = reference.layers[self._rule.layer]
        starts = self._comparison.repetitions(layer, placement, limit=REPETITIONS)
        return [Candidate(first.track, start, first.speed) for start in starts]

    def _register(self, candidates: list[Candidate]) -> list[Placement | None]:
        references = self._references([one.track for one in candidates])
        layers = [references[one.track].layers[self._rule.layer] for one in candidates]
        return list(self._comparison.register(layers, candidates, widest=self._rule.widest))


def merged(usual: Sequence[Passage], warped: Sequence[Passage]) -> list[Passage]:
    """Return the passages of both searches, the surest first, one a track: that on which more peaks agree.

    A passage at another speed has to be likely by itself to stand in for one that is sure by other layers. That a clip
    plays as the recording does is not taken for granted here: it counts as measured only where peaks agree.
    """
    by_track = {
        one.track: replace(one, is_measured=one.is_measured and one.evidence.get("z", 0.0) >= AGREED_Z) for one in usual
    }
    for passage in warped:
        known = by_track.get(passage.track)
        if known is None:
            by_track[passage.track] = passage
        elif passage.log_odds > 0 and passage.evidence["z"] > known.evidence.get("z", 0.0) + WARP_COST:
            by_track[passage.track] = replace(passage, log_odds=max(passage.log_odds, known.log_odds))
    return sorted(by_track.values(), key=lambda passage: -passage.log_odds)
