"""Clips at any speed and pitch: candidates by keys that neither changes, registered and compared by one layer."""

from __future__ import annotations

from collections.abc import Callable

from earmark.match.calibration import Calibration
from earmark.match.passages import Passage
from earmark.match.placement import passage_of
from earmark.match.protocol import Candidate, Others, References, Registrable, Search
from earmark.match.rivals import best_of_each_track
from earmark.match.votes import vote_along
from earmark.plan import Plan, WarpRule
from earmark.types import Fingerprint, Keys

WarpedKeys = Callable[[Fingerprint], Keys]


def finds_any_speed(plan: Plan, search: Search) -> bool:
    """Return whether clips at any speed can be found: the plan has a rule for it, and the index its channel."""
    return plan.warp is not None and plan.warp.channel in search.channels


class WarpedLook:
    """One window while it is looked for at any speed and pitch."""

    def __init__(
        self, plan: Plan, window: Fingerprint, search: Search, keys: WarpedKeys, references: References
    ) -> None:
        assert plan.warp is not None
        self._rule: WarpRule = plan.warp
        self._channel = next(one for one in plan.channels if one.name == self._rule.channel)
        self._window, self._search, self._keys, self._references = window, search, keys, references

    def ranked(self, comparison: Registrable) -> list[Candidate]:
        """Return the best candidate of each track by a comparison of the rule's layer, best first."""
        asked = self._channel.looked_up(self._keys(self._window))
        hits = self._search.search(self._channel.name, asked, nearest=self._channel.nearest)
        guesses = vote_along(hits, self._channel, self._rule.speeds)
        named = [Candidate(guess.track, guess.start, guess.speed) for guess in guesses]
        references = self._references([one.track for one in named])
        layers = [references[one.track].layers[self._rule.layer] for one in named]
        placements = comparison.register(layers, named, widest=self._rule.widest)
        return best_of_each_track([
            Candidate(one.track, place.start, place.speed, {self._rule.layer: place}, place.figures["z"])
            for one, place in zip(named, placements, strict=True)
            if place is not None
        ])

    def passage(
        self, found: Candidate, others: Others, comparison: Registrable, calibration: Calibration, *, begin: float
    ) -> Passage:
        """Return the passage of a candidate; the window begins at second `begin` of the clip."""
        reference = self._references([found.track])[found.track]
        alignment = comparison.fit(reference.layers[self._rule.layer], found.placements[self._rule.layer])
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
