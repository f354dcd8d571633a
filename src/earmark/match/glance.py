"""A first look at a clip by the features that take least: what it leaves in doubt has to be looked at closely."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from earmark.match.look import Look, has_one_place, without_silence
from earmark.match.matcher import Matcher, weighed_passages
from earmark.match.passages import Passage
from earmark.match.protocol import Options, Search
from earmark.match.rivals import SETTLED_Z, near_the_first
from earmark.types import Fingerprint


def glanced(matcher: Matcher, clip: Fingerprint, search: Search, options: Options) -> list[Passage]:
    """Return the passages of a clip that was glanced at, if the first one is beyond doubt; else none.

    Silence at its ends leaves doubt, and so do another speed and a track that has another such place. The evidence has
    no figures of what was not looked at.
    """
    plan, rule = matcher.plan, matcher.plan.glance
    if rule is None or without_silence(clip, plan)[0].seconds < clip.seconds:
        return []
    look = Look(plan, clip, search, keys=matcher.stored_keys, references=matcher.references, wide=False)
    if not look.settle(look.by_channels(), least=SETTLED_Z, most=rule.places):
        return []
    look.choose_repetition()
    if look.ranked[0].speed != 1 or not has_one_place(look):
        return []
    make, told_from = partial(matcher.passage, look, begin=0.0), matcher.told_from(options)
    weighed = 1 + len(near_the_first(look.ranked))
    passages = weighed_passages(look, look.ranked, options.most, make, told_from=told_from, weighed=weighed)
    if passages[0].confidence < told_from:
        return []
    unseen = {figure for one in plan.compare if one.layer not in look.comparisons for figure in one.figures}
    return [
        replace(passage, evidence={name: value for name, value in passage.evidence.items() if name not in unseen})
        for passage in passages
    ]
