"""What a window of a clip comes from: candidates are proposed, compared and ranked until one is decisive.

The one matcher of all kinds of fingerprint: which channels propose, which layers are compared and what counts how much
is the fingerprinter's plan.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from earmark.match.calibration import Calibration
from earmark.match.lines import Strand
from earmark.match.look import (
    MARGIN_SECONDS,
    ONE_PLACE_SECONDS,
    Effort,
    Look,
    QueryKeys,
    places_on,
    separable_of,
    sounding_span,
    together_with,
    without_silence,
)
from earmark.match.named import named_by
from earmark.match.passages import Passage
from earmark.match.placement import combine, passage_of
from earmark.match.protocol import Candidate, Options, Others, References, Registrable, Search
from earmark.match.rivals import CLEAR_Z, PLAIN_Z, behind_duplicates, duplicates_of, is_decisive
from earmark.match.stretches import Stretch
from earmark.match.votes import Guess
from earmark.match.warped import WarpedKeys, WarpedLook, merged
from earmark.plan import Plan
from earmark.types import Fingerprint, Hits

MOST_GUESSES = 12  # places that a channel names in a window of a long sound
SAME_PLACE_SECONDS = 0.05  # distance of two places of a window that are one: both were moved to where it agrees
MOST_STRANDS = 8  # places of a window that are looked at moment by moment
FEWEST_PASSAGES = 5  # of a window that are weighed, however few are wanted: the answer must not depend on that
SHORTEST_SECONDS = 1.0  # of sound amid silence: a door, a word, a click are no recording
MOST_PLACES = 100  # of one track


class Matcher:
    """Matches windows of clips; safe to use from several threads."""

    def __init__(
        self,
        plan: Plan,
        calibration: Calibration,
        *,
        keys: QueryKeys,
        references: References,
        stored_keys: QueryKeys | None = None,
        warped_keys: WarpedKeys | None = None,
    ) -> None:
        """`keys` returns what each channel looks up for a window, `warped_keys` what that of the plan's `warp` does.

        `stored_keys` are those of a recording, by which the plan's `glance` finds clips.
        """
        self.plan, self.calibration = plan, calibration
        self.keys, self.references = keys, references
        self.stored_keys, self.warped_keys = stored_keys or keys, warped_keys

    def match(self, window: Fingerprint, search: Search, options: Options, *, begin: float = 0.0) -> list[Passage]:
        """Return up to `options.most` passages of a window that begins at second `begin` of the clip, likeliest first.

        A window whose first layer holds too little has none.
        """
        whole, (window, silent) = window.seconds, without_silence(window, self.plan)
        begin += silent
        if window.seconds < min(whole, SHORTEST_SECONDS + 2 * MARGIN_SECONDS):
            return []
        if window.seconds < whole and sounding_span(window, self.plan) < SHORTEST_SECONDS:
            return []
        look = self._look(window, search, options)
        if not look.can_compare(self.plan.compare[0]):
            return []
        warped = _warped_look(self, look, search) if options.speed else None
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
        make = partial(self.passage, look, begin=begin)
        passages = weighed_passages(look, look.ranked, options.most, make, told_from=self.told_from(options))
        if warped is not None:
            passages = merged(passages, self._warped_passages(look, warped, warped.ranked, options, begin))
        return passages[: options.most]

    def strands(
        self,
        window: Fingerprint,
        search: Search,
        options: Options,
        *,
        begin: float,
        known: Sequence[Guess],
        hits: Mapping[str, Hits] | None = None,
        only_clear: bool = False,
    ) -> list[Strand]:
        """Return the likeliest places of a window by the index, and those that are `known` already, likeliest first.

        Without `hits` only the known ones; `only_clear` leaves out what does not stand out at once.
        """
        look = self._look(window, search, options, hits=hits, effort="places")
        if not look.can_compare(self.plan.compare[0]):
            return []
        look.add(known, "")
        named = named_by(self.plan, hits or {})
        for one in named:
            look.add(one.standing_out, one.layer)
        for one in [] if only_clear else named:
            look.add(one.guesses[:MOST_GUESSES], one.layer)
        found = look.likeliest(max(MOST_STRANDS, len(known)))
        if only_clear and look.best_z >= CLEAR_Z:
            found = [one for one in found if one.figure("z") >= PLAIN_Z]
        return _apart([_strand(look, one, begin) for one in found])

    def unexplained(
        self, window: Fingerprint, search: Search, options: Options, stretches: Sequence[Stretch], *, begin: float
    ) -> tuple[Fingerprint, str]:
        """Return (a window without what stretches explain, the layer that tells); no layer where none can."""
        look = self._look(window, search, options, effort="places")
        return _unexplained(look, stretches, begin)

    def repetitions(self, part: Fingerprint, search: Search, options: Options, claim: Guess) -> list[Guess]:
        """Return other places than `claim` of its track at which a part of a sound may lie, the likeliest first."""
        look = self._look(part, search, options, effort="places")
        if not look.can_compare(self.plan.compare[0]):
            return []
        return look.repetitions(claim.track) if claim.speed == 1 else look.repetitions_at(claim)

    def agreement(
        self, part: Fingerprint, search: Search, options: Options, places: Sequence[Guess], *, is_close: bool
    ) -> list[float]:
        """Return how well a part of a sound agrees with each of some places: its ranking score.

        Of a part that is no closer than a recording it is z: segments half a second apart meet none of a place's.
        """
        look = self._look(part, search, options, effort="known places")
        if not look.can_compare(self.plan.compare[0]):
            return [0.0] * len(places)
        for group in [places] if all(place.speed == 1 for place in places) else [[place] for place in places]:
            look.add(group, "")  # of places that are compared at once, only the best one's speed is sought
        found = [look.nearest_to(place, within=ONE_PLACE_SECONDS / 2) for place in places]
        return [0.0 if one is None else one.score if is_close else one.figure("z") or one.score for one in found]

    def judge(
        self,
        part: Fingerprint,
        search: Search,
        options: Options,
        *,
        begin: float,
        claim: Guess,
        claims: Sequence[Guess],
        beside: frozenset[int] = frozenset(),
        rest: Fingerprint | None = None,
    ) -> Passage | None:
        """Return the passage of a part of a sound that is said to be a place of a track; other tracks claim it too.

        There is none unless it sounds at the same time as the tracks `beside` it. Then it is judged by the `rest` of
        the part, which they leave unexplained.
        """
        look = self._look(part, search, options, effort="known places")
        found = _at_claim(look, claim, claims)
        if found is None:
            return None
        together = together_with(found, look)
        if beside - together:
            return None
        if rest is not None:
            look = self._look(rest, search, options, effort="known places")
            found = _at_claim(look, claim, claims)
            if found is None:
                return None
        copies = duplicates_of(found, look.ranked, look.same)
        apart = copies | together
        others = [one for one in look.ranked[1:] if one.track not in apart]
        passage = self.passage(look, found, Others(others, apart), begin=begin)
        return replace(passage, copies=copies)

    def places(self, part: Fingerprint, search: Search, options: Options, passage: Passage) -> list[Passage]:
        """Return a passage of which `part` is the sound, and where else on its track the same sound is, in order."""
        look = self._look(part, search, options)
        if not look.comparisons:
            return [passage]
        make = partial(self.passage, look, others=Others([], frozenset()), begin=passage.query_start, measuring=False)
        return _all_places(look, passage, make)

    def _look(
        self,
        window: Fingerprint,
        search: Search,
        options: Options,
        *,
        hits: Mapping[str, Hits] | None = None,
        effort: Effort = "full",
    ) -> Look:
        rule = self.plan.warp
        wide = bool(options.speed) and (rule is None or rule.channel not in search.channels)
        keys, references = self.keys, self.references
        return Look(self.plan, window, search, keys=keys, references=references, wide=wide, hits=hits, effort=effort)

    def _warped_passages(
        self, look: Look, warped: WarpedLook, ranked: Sequence[Candidate], options: Options, begin: float
    ) -> list[Passage]:
        make = partial(warped.passage, calibration=self.calibration, begin=begin)
        return weighed_passages(look, ranked, options.most, make, told_from=self.told_from(options))

    def told_from(self, options: Options) -> float:
        """Return the confidence from which a passage may be told."""
        return self.calibration.threshold if options.threshold is None else options.threshold

    def passage(self, look: Look, found: Candidate, others: Others, *, begin: float, measuring: bool = True) -> Passage:
        """Return the passage of a candidate; the window begins at second `begin` of the clip."""
        reference = look.reference(found.track)
        missing = (rule for rule in self.plan.compare if rule.layer not in look.comparisons)
        evidence = {figure: 0.0 for rule in missing for figure in rule.figures}
        alignments = []
        for layer, comparison in look.comparisons.items():
            placement = found.placements[layer]
            alignments.append(comparison.fit(reference.layers[layer], placement, measuring=measuring))
            evidence |= comparison.evidence(found, alignments[-1], others)
        evidence["seconds"] = round(look.sounding_seconds, 3)
        return passage_of(
            found.track,
            combine(alignments),
            log_odds=self.calibration.log_odds(evidence, look.comparisons),
            evidence=evidence,
            begin=begin,
            seconds=look.window.seconds,
            length=reference.seconds,
        )


def _warped_look(matcher: Matcher, look: Look, search: Search) -> WarpedLook | None:
    """Return what looks for a window at any speed; None where plan, index or window lack what it takes."""
    rule, keys = matcher.plan.warp, matcher.warped_keys
    if rule is None or keys is None or rule.channel not in search.channels:
        return None
    comparison = look.comparisons.get(rule.layer)
    if not isinstance(comparison, Registrable):
        return None
    return WarpedLook(matcher.plan, rule, look.window, comparison, keys=keys, references=matcher.references)


def weighed_passages(
    look: Look,
    ranked: Sequence[Candidate],
    limit: int,
    make: Callable[..., Passage],
    *,
    told_from: float,
    weighed: int | None = None,
) -> list[Passage]:
    """Return the passages of the first candidates, each with what else the window might be, the surest first.

    As many are weighed however few are wanted, until one is not to be told; more are no surer than these, so that the
    first are always the same.
    `weighed`: how many, where it is known that the others are far from likely.
    Whether speed and pitch are surely what they are said to be takes long to tell, and is told from a confidence on.
    """
    passages, least = list[tuple[Passage, Candidate, Others]](), math.inf
    for number, found in enumerate(ranked[: max(limit, FEWEST_PASSAGES) if weighed is None else weighed]):
        duplicates = duplicates_of(found, ranked, look.same)
        others = Others([one for one in ranked if one is not found and one.track not in duplicates], duplicates)
        passage = make(found, others, measuring=False)
        passage = behind_duplicates(passage, [one for one, _, _ in passages if one.track in duplicates])
        if number >= FEWEST_PASSAGES:
            passage = replace(passage, log_odds=min(passage.log_odds, least))
        least = min(least, passage.log_odds)
        passages.append((replace(passage, copies=duplicates), found, others))
        if number and passage.confidence < told_from:
            break  # those after it are no likelier
    passages.sort(key=lambda one: -one[0].log_odds)
    return [
        replace(passage, is_measured=passage.confidence >= told_from and make(found, others).is_measured)
        for passage, found, others in passages[:limit]
    ]


def _at_claim(look: Look, claim: Guess, claims: Sequence[Guess]) -> Candidate | None:
    """Return the candidate at a claim, ranked first before what others claim; None where the window has too little."""
    if not look.can_compare(look.plan.compare[0]):
        return None
    look.add([claim, *claims], "")
    found = look.nearest_to(claim, within=ONE_PLACE_SECONDS)
    if found is not None:
        look.put_first(found)
    return found


def _apart(strands: Sequence[Strand]) -> list[Strand]:
    """Return strands, likeliest first, without those that lie where a likelier one of the track does."""
    kept = list[Strand]()
    for one in strands:
        if all(
            other.track != one.track or abs(other.alignment.start - one.alignment.start) >= SAME_PLACE_SECONDS
            for other in kept
        ):
            kept.append(one)
    return kept


def _strand(look: Look, one: Candidate, begin: float) -> Strand:
    reference = look.reference(one.track)
    layers = reference.layers
    fitted = [
        comparison.fit(layers[name], one.placements[name], measuring=False)
        for name, comparison in look.comparisons.items()
    ]
    alignment, scores = combine(fitted), {}
    for name, comparison in look.comparisons.items():
        here = comparison.over_time(layers[name], alignment)
        scores[name] = replace(here, seconds=here.seconds + begin)
    return Strand(one.track, begin, begin + look.window.seconds, reference.seconds, alignment, scores)


def _unexplained(look: Look, stretches: Sequence[Stretch], begin: float) -> tuple[Fingerprint, str]:
    name, comparison = separable_of(look)
    if comparison is None:
        return look.window, name
    laid = []
    for stretch in stretches:
        reference = look.reference(stretch.track).layers[name]
        for strand, low, high in stretch.line.parts(stretch.start, stretch.end):
            if low < begin + look.window.seconds and high > begin:
                moved = strand.alignment.start + strand.alignment.speed * (begin - strand.begin)
                laid.append((reference, replace(strand.alignment, start=moved), low - begin, high - begin))
    return replace(look.window, layers={**look.window.layers, name: comparison.unexplained(laid)}), name


def _all_places(look: Look, passage: Passage, make: Callable[[Candidate], Passage]) -> list[Passage]:
    length, found = look.reference(passage.track).seconds, [passage]
    for here in map(make, places_on(passage.track, look, most=MOST_PLACES)):
        start, end = here.reference_at(passage.query_start), here.reference_at(passage.query_end)
        if any(min(end, one.reference_end) - max(start, one.reference_start) > (end - start) / 2 for one in found):
            continue  # music that repeats itself lies on itself
        found.append(
            replace(
                passage,
                log_odds=min(here.log_odds, passage.log_odds),
                reference_start=max(start, 0.0),
                reference_end=min(end, length),
                position_error=here.position_error,
                evidence=here.evidence,
            )
        )
    return sorted(found, key=lambda one: one.reference_start)
