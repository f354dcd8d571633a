"""Quads are four peaks told by ratios, so that neither tempo nor pitch changes them."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earmark.fingerprints.quads import (
    QUAD_BITS,
    QuadQuery,
    QuadShape,
    Targets,
    quad_keys,
    quad_query_keys,
)
from earmark.types import Layer

SHAPE, QUERY = QuadShape(), QuadQuery()


def peaks(*places: tuple[int, int]) -> Layer:
    """Peaks at (frame, bin)."""
    frames, bins = np.array(sorted(places), np.int32).reshape(-1, 2).T
    return Layer(frames, bins, 0.015625)


def music(seed: int, count: int = 200, frames: int = 400) -> list[tuple[int, int]]:
    rng = np.random.default_rng(seed)
    return list(zip(rng.integers(0, frames, count).tolist(), rng.integers(60, 380, count).tolist(), strict=True))


def code_of(a: tuple[int, int], c: tuple[int, int], d: tuple[int, int], b: tuple[int, int]) -> int:
    """A quad's code as the module describes it, number by number."""
    whole = b[0] - a[0]
    cells = [
        math.floor((c[0] - a[0]) / whole / 0.06) + 1,
        math.floor((d[0] - a[0]) / whole / 0.06) + 1,
        *(math.floor((math.log(one[1]) - math.log(a[1]) + 0.7) / 0.03) + 1 for one in (c, d, b)),
        math.floor((math.log(a[1]) - math.log(24)) / 0.6) + 1,
    ]
    code = 0
    for cell, bits in zip(cells, (5, 5, 6, 6, 6, 3), strict=True):
        assert 0 <= cell < 1 << bits
        code = code << bits | cell
    return code


def quads_by_loop(places: list[tuple[int, int]], shape: QuadShape) -> list[tuple[int, int]]:
    """Return (frame, code) of every quad, peak after peak."""
    found = []
    heard = [place for place in sorted(places) if place[1] >= shape.low_bin]
    for a in heard:

        def targets(zone: Targets, a: tuple[int, int] = a) -> list[tuple[int, int]]:
            first, last = a[0] + zone.first_frames, a[0] + zone.first_frames + zone.span_frames
            near = [
                one for one in heard
                if first <= one[0] < last and abs(math.log(one[1]) - math.log(a[1])) <= shape.reach
            ]  # fmt: skip
            return near[: zone.most]

        for c, d in combinations(targets(shape.near), 2):
            found += [(a[0], code_of(a, c, d, b)) for b in targets(shape.far) if d[0] < b[0]]
    return sorted(found)


def test_a_quad_holds_two_times_and_three_pitches_from_its_anchor() -> None:
    keys = quad_keys(peaks((10, 100), (16, 150), (20, 80), (50, 120)), SHAPE)
    # times 6/40 and 10/40 of the whole are cells 2 and 4, counted from 0; pitches ln 1.5, ln 0.8 and ln 1.2 from
    # -0.7 on are 36, 15 and 29; the anchor ln(100/24) is 2.
    assert keys.frames.tolist() == [10]
    assert keys.values.tolist() == [3 << 26 | 5 << 21 | 37 << 15 | 16 << 9 | 30 << 3 | 3]
    assert keys.values.max() < 1 << QUAD_BITS


@settings(deadline=None)  # the machine may be busy
@given(st.sets(st.tuples(st.integers(0, 150), st.integers(4, 749)), max_size=50))
def test_quads_are_those_of_a_plain_loop(places: set[tuple[int, int]]) -> None:
    keys = quad_keys(peaks(*places), SHAPE)
    assert sorted(zip(keys.frames.tolist(), keys.values.tolist(), strict=True)) == quads_by_loop(list(places), SHAPE)


@settings(deadline=None)  # the machine may be busy
@given(st.sets(st.tuples(st.integers(0, 300), st.integers(0, 749)), max_size=30))
def test_what_a_query_looks_up_are_codes_and_has_the_quads_of_the_recording(places: set[tuple[int, int]]) -> None:
    layer = peaks(*places)
    stored, asked = quad_keys(layer, SHAPE), quad_query_keys(layer, SHAPE, replace(QUERY, near=9, far=12))
    assert asked.values.dtype == np.uint32
    assert all(0 <= code < 1 << QUAD_BITS for code in asked.values.tolist())
    assert set(stored.values.tolist()) <= set(asked.values.tolist())


@pytest.mark.parametrize(
    ("tempo", "pitch"), [(1.0, 1.0), (1.25, 1.25), (0.75, 0.75), (0.8, 1.0), (1.0, 1.12), (1.2, 0.88)]
)
def test_a_clip_at_another_tempo_and_pitch_has_the_quads_of_the_recording(tempo: float, pitch: float) -> None:
    places = music(1)
    warped = [(round(frame / tempo), round(one * pitch)) for frame, one in places]
    stored = quad_keys(peaks(*places), SHAPE)
    asked = quad_query_keys(peaks(*warped), SHAPE, QUERY)
    of_code: dict[int, set[int]] = {}
    for frame, code in zip(asked.frames.tolist(), asked.values.tolist(), strict=True):
        of_code.setdefault(code, set()).add(frame)
    met = [
        any(abs(there * tempo - frame) <= tempo for there in of_code.get(code, ()))
        for frame, code in zip(stored.frames.tolist(), stored.values.tolist(), strict=True)
    ]
    assert np.mean(met) > 0.4  # what is rounded twice may move over a border or change places


def test_other_music_has_other_quads() -> None:
    stored, asked = quad_keys(peaks(*music(1)), SHAPE), quad_query_keys(peaks(*music(2)), SHAPE, QUERY)
    assert np.isin(stored.values, asked.values).mean() < 0.05


def test_each_second_peak_can_be_an_anchor() -> None:
    layer = peaks(*music(3))
    all_of_them, half = quad_keys(layer, SHAPE), quad_keys(layer, replace(SHAPE, anchor_step=2))
    assert set(half.values.tolist()) < set(all_of_them.values.tolist())
    assert 0.4 < len(half.frames) / len(all_of_them.frames) < 0.6


def test_of_silence_there_are_none() -> None:
    silence = peaks()
    assert len(quad_keys(silence, SHAPE).frames) == 0
    assert len(quad_query_keys(silence, SHAPE, QUERY).frames) == 0
