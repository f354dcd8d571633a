"""Runner-ups and duplicates: whether the best candidate is decisive, and which tracks hold the same sound."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from earmark.match.passages import Passage
from earmark.match.protocol import Candidate

DECISIVE_Z = 12.0  # 12.8 is the largest z of 22,400 unknown clips, the next is 11.4 (decision 10)
SETTLED_Z = 16.0  # z of a glance that a close look only confirms: of 450 clips 449 were the same track to both
CLEAR_Z = 24.0  # z that music out of step with itself, at a wrong speed, does not reach: 13 on what was tried
RUNNER_UP_SHARE = 0.7  # runner-up z / best z below which the best is decisive (decision 7)
SIMILAR_SHARE = 0.5  # ratio of two z beyond which two tracks are compared for being duplicates
PLAIN_Z = 6.0  # z from which duplicates are looked for
MOST_DUPLICATES = 10  # tracks with the largest z that are compared
BEHIND_A_DUPLICATE = 1e-6  # log odds: enough to keep an order

Same = Callable[[Candidate, Candidate], bool]


def best_of_each_track(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return the candidate with the largest ranking score of each track, best first."""
    best: dict[int, Candidate] = {}
    for one in sorted(candidates, key=lambda one: -one.score):
        best.setdefault(one.track, one)
    return list(best.values())


def duplicates_of(found: Candidate, ranked: Sequence[Candidate], same: Same) -> frozenset[int]:
    """Return the tracks that hold the same sound under the window."""
    z = found.figure("z")
    if z < PLAIN_Z:
        return frozenset()
    similar = sorted((one for one in ranked if one.figure("z") > SIMILAR_SHARE * z), key=lambda one: -one.figure("z"))
    return frozenset(one.track for one in similar[:MOST_DUPLICATES] if one is not found and same(found, one))


def is_decisive(ranked: Sequence[Candidate], same: Same, *, least: float = DECISIVE_Z) -> bool:
    """Return whether none but duplicates of the first candidate comes near it in z, which is `least` and more."""
    best = ranked[0].figure("z") if ranked else 0.0
    if best < least:
        return False
    near = {one.track for one in near_the_first(ranked)}
    return not near or near <= duplicates_of(ranked[0], ranked, same)


def near_the_first(ranked: Sequence[Candidate]) -> list[Candidate]:
    """Return the candidates that come near the first one in z."""
    return [one for one in ranked[1:] if one.figure("z") >= RUNNER_UP_SHARE * ranked[0].figure("z")]


def behind_duplicates(passage: Passage, better: Sequence[Passage]) -> Passage:
    """Return a passage less sure, by next to nothing, than its duplicates that rank before it.

    The odds count what duplicates have in common: none of them is a runner-up of the others.
    """
    odds = [passage.log_odds, *(one.log_odds - BEHIND_A_DUPLICATE for one in better)]
    return replace(passage, log_odds=min(odds))
