"""Sound at any speed, beside its windows, which try some speeds and are too short to tell them apart.

Parts of ten seconds are looked up by keys that no speed changes; what they tell corrects the windows' passages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from earmark.match.heard import CloserLook
from earmark.match.matcher import Matcher
from earmark.match.passages import Passage, joined
from earmark.match.protocol import SAME_FACTOR, Options, Search
from earmark.match.timeline import BEYOND_DOUBT_Z
from earmark.match.windows import pieces_of
from earmark.types import Fingerprint

PART_SECONDS = 10.0  # the longest sound that the calibration of other speeds was fitted to
EXPLAINED_SHARE = 0.5  # of a part that passages explain beyond doubt: no other speed is looked for there


def passages_at_other_speeds(
    matcher: Matcher,
    search: Search,
    options: Options,
    sound: Fingerprint,
    known: Sequence[Passage],
    *,
    since: float,
    closer: CloserLook | None,
) -> tuple[list[Passage], int]:
    """Return (passages of a sound from second `since` on at any speed, in how many parts they were looked for).

    What is `known` beyond doubt, with its speed, is left out; passages of parts that go on in each other are one.
    There are none where plan or index have no channel for any speed.
    """
    rule = matcher.plan.warp
    if rule is None or rule.channel not in search.channels:
        return [], 0
    frame_seconds = sound.layers[matcher.plan.compare[0].layer].frame_seconds
    certain = [one for one in known if one.is_measured and one.evidence.get("z", 0.0) >= BEYOND_DOUBT_Z]
    spans = [
        (start, end)
        for start, end in pieces_of(since, since + sound.seconds, PART_SECONDS, frame_seconds)
        if _explained_seconds(certain, start, end) < EXPLAINED_SHARE * (end - start)
    ]
    if closer is None or not spans:
        parts = [sound.between(start - since, end - since) for start, end in spans]
    else:
        parts = list(closer(spans))  # all at once: the sound is decoded once
    asked, found = replace(options, speed="only", limit=1), list[Passage]()
    for (start, _), part in zip(spans, parts, strict=True):
        found += matcher.match(part, search, asked, begin=start)
    return joined(found), len(spans)


def _explained_seconds(passages: Sequence[Passage], start: float, end: float) -> float:
    """Return how long passages are heard between two moments, each counted by itself."""
    return sum(max(min(one.query_end, end) - max(one.query_start, start), 0.0) for one in passages)


def unbent(found: Sequence[Passage], whole: Sequence[Passage]) -> list[Passage]:
    """Return passages of windows, and of longer sound in place of those that follow its speed or pitch less well.

    A window is bent to the speeds that it tries, and agrees for a second or two with what plays at others.
    """
    passages = list(found)
    for one in whole:
        bent = [other for other in passages if _is_bent(other, one)]
        if bent:
            passages = [other for other in passages if other not in bent]
            passages.append(replace(one, log_odds=max(other.log_odds for other in (one, *bent))))
    return passages


def _is_bent(window: Passage, whole: Passage) -> bool:
    """Return whether longer sound agrees better at a speed and pitch that the passage of a window does not tell."""
    if window.track != whole.track or not whole.overlaps(window) or not whole.is_measured:
        return False
    if whole.evidence.get("z", 0.0) <= window.evidence.get("z", 0.0):
        return False
    factors = (window.speed / whole.speed, window.pitch / whole.pitch)
    is_other = any(abs(factor - 1) > SAME_FACTOR for factor in factors)
    return is_other or (not window.is_measured and window.lies_on(whole))
