from __future__ import annotations

import math

import numpy as np
import pytest
import soundfile

from earmark.audio.decode import load
from earmark.distort.codecs import transcode
from earmark.evaluation.truth import SHARED_CORRELATION, Given, Sameness, judge

RATE = 16_000


@pytest.mark.parametrize(
    ("start", "near", "exact"), [(10.0, True, True), (10.04, True, True), (10.2, True, False), (12.0, False, False)]
)
def test_the_right_track_is_right_and_its_place_is_counted_apart(query, start, near, exact):
    verdict = judge(query("a", 10.0), Given("a", start, 0.9), lambda *_: None)
    assert verdict.right
    assert (verdict.near, verdict.exact) == (near, exact)
    assert verdict.error == pytest.approx(start - 10)


def test_another_track_is_wrong_and_nothing_is_right_for_what_is_not_known(query):
    for asked, candidate in [("a", Given("b", 10.0, 0.9)), (None, Given("a", 0.0, 0.9)), ("a", None)]:
        verdict = judge(query(asked, 10.0), candidate, lambda *_: None)
        assert not verdict.right
        assert verdict.error == math.inf


@pytest.fixture
def loops(tmp_path):
    """Track a repeats 4 s of noise bursts three times, b has two from its second 2 on, c has none."""
    draw = np.random.default_rng(1)
    loop = (draw.standard_normal(4 * RATE) * np.repeat(draw.uniform(0, 0.3, 40), RATE // 10)).astype(np.float32)
    other = (draw.standard_normal(12 * RATE) * np.repeat(draw.uniform(0, 0.3, 120), RATE // 10)).astype(np.float32)
    sounds = {"a": np.tile(loop, 3), "b": np.concatenate([other[: 2 * RATE], loop, loop]), "c": other}
    for name, samples in sounds.items():
        soundfile.write(tmp_path / f"{name}.wav", samples, RATE, subtype="FLOAT")
    with Sameness({name: tmp_path / f"{name}.wav" for name in sounds}) as same_place:
        yield same_place


def test_another_round_of_a_loop_is_in_place(query, loops):
    verdict = judge(query("a", 1.0, speed=0.4), Given("a", 5.0, 0.9), loops)
    assert verdict.exact


def test_a_twin_in_another_track_is_right(query, loops):
    assert judge(query("a", 1.0, speed=0.4), Given("b", 3.02, 0.9), loops).error == pytest.approx(0.02)
    assert not judge(query("a", 1.0, speed=0.4), Given("c", 3.0, 0.9), loops).right


def test_a_place_that_sounds_otherwise_is_not_in_place(query, loops):
    verdict = judge(query("a", 1.0, speed=0.4), Given("a", 2.5, 0.9), loops)
    assert verdict.right
    assert not verdict.near


def test_a_copy_by_another_coder_is_the_same_recording_and_another_song_is_not(music, tmp_path):
    sounds = {"song": load(music[0], rate=RATE)[0], "other": load(music[1], rate=RATE)[0]}
    sounds["copy"] = transcode(sounds["song"], "mp3", rate=RATE, bit_rate=16_000)
    for name, samples in sounds.items():
        soundfile.write(tmp_path / f"{name}.wav", samples, RATE)
    files = {name: tmp_path / f"{name}.wav" for name in sounds}
    with Sameness(files, least=SHARED_CORRELATION) as shared, Sameness(files) as same:
        assert shared("song", 6.0, "copy", 6.02, 3.0) == 0.02
        assert same("song", 6.0, "copy", 6.02, 3.0) is None  # it would be another bar of a loop
        assert shared("song", 6.0, "other", 6.0, 3.0) is None
