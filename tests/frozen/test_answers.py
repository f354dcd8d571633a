"""Answers stay what they were frozen as: every match, every figure of the evidence.

They were frozen at 7ec08f1, before matching moved, and again when long clips came to be explained by lines and the
first match no longer depended on how many were asked for. Left out are the figures of peaks in a catalog that has none,
tones, which say too little to be looked up, and speeds and pitches that were not measured.
"""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from tests.frozen.freeze import ANSWERS, CATALOGS, answers, environment

EXACT = 1e-6  # relative or absolute, where libraries and processor are those that the answers were frozen on
ELSEWHERE = 0.05  # other libraries round otherwise, and what counts peaks or bits then jumps by one
DIFFERENT_ELSEWHERE = 6  # answers of 150 that may differ by more than that on another machine


@pytest.mark.parametrize("name", CATALOGS)
def test_answers_are_those_that_were_frozen(name: str) -> None:
    frozen = json.loads((ANSWERS / f"{name}.json").read_text())
    is_same_machine = frozen.pop("environment") == environment()
    tolerance = EXACT if is_same_machine else ELSEWHERE
    half = slice(list(CATALOGS).index(name) % 2, None, 2)  # the other half is asked of the next catalog: it takes long
    now = dict(answers(CATALOGS[name], half))
    assert len(now) == 150
    assert list(now) == list(frozen)[half]
    tones = [clip for clip, answer in now.items() if " tone " in clip and answer["reason"] == "low_information"]
    assert [clip for clip in tones if now.pop(clip)["matches"]] == []
    different = [difference for clip in now for difference in _differences(frozen[clip], now[clip], tolerance, clip)]
    clips = {difference.partition(":")[0] for difference in different}
    allowed = 0 if is_same_machine else DIFFERENT_ELSEWHERE
    assert len(clips) <= allowed, f"{len(clips)} answers differ:\n" + "\n".join(different[:40])


def _differences(before: Any, now: Any, tolerance: float, where: str) -> list[str]:
    """Return where two values differ, as `path: before, now`."""
    if isinstance(before, dict) and isinstance(now, dict):
        missing = [f"{where}: lacks {key}" for key in before.keys() - now.keys()]
        shared = before.keys() & now.keys()
        return missing + [
            one for key in shared for one in _differences(before[key], now[key], tolerance, f"{where}: {key}")
        ]
    if isinstance(before, list) and isinstance(now, list):
        if len(before) != len(now):
            return [f"{where}: {len(before)}, {len(now)}"]
        pairs = enumerate(zip(before, now, strict=True))
        return [one for place, pair in pairs for one in _differences(*pair, tolerance, f"{where}: {place}")]
    if isinstance(before, float | int) and isinstance(now, float | int):
        same = math.isclose(before, now, rel_tol=tolerance, abs_tol=tolerance)
    else:
        same = before == now
    return [] if same else [f"{where}: {before!r}, {now!r}"]
