"""What is no music is known to say nothing, by every fingerprinter, and music is known to say something."""

from __future__ import annotations

import numpy as np
import pytest

from earmark.audio.arrays import to_mono
from earmark.audio.decode import load
from earmark.extract.fingerprinter import make_fingerprinter
from earmark.fingerprints import NAMES
from tests.audio import not_music

KINDS = [(name, {}) for name in NAMES]
# What a kind cannot tell from music: docs/philips.md and docs/waveprint.md say so.
TAKEN_FOR_MUSIC = {"philips": {"tone 261.6", "saw 100", "tremolo", "siren"}}
SHORTEST_SECONDS = {"waveprint": 3}  # of a recording: two images of 1.9 s, one a third of a second after the other
TELLS_TONES = [name for name in NAMES if name != "waveprint"]


@pytest.mark.parametrize("name", TELLS_TONES)
@pytest.mark.parametrize("seconds", [5, 20])
def test_no_tone_beep_or_click_is_a_recording(name, seconds):
    maker = make_fingerprinter(name, {})
    accepted = []
    for kind, samples in not_music.sounds(seconds, seed=1).items():
        sound = to_mono(samples, not_music.RATE, to_rate=maker.rate)
        if maker.is_informative(maker.extract(sound)):
            accepted.append(kind)
    assert set(accepted) <= TAKEN_FOR_MUSIC.get(name, set())


@pytest.mark.parametrize(("name", "preset"), KINDS)
def test_music_is_a_recording_and_so_is_a_piece_of_it_under_noise(name, preset, music):
    maker = make_fingerprinter(name, preset)
    random = np.random.default_rng(0)
    for path in music:
        samples, _ = load(path, rate=maker.rate)
        assert maker.is_informative(maker.extract(samples))
        for seconds in (max(1, SHORTEST_SECONDS.get(name, 0)), 3):
            piece = samples[5 * maker.rate : (5 + seconds) * maker.rate]
            noisy = piece + random.normal(0, float(piece.std()), len(piece)).astype(np.float32)
            assert maker.is_informative(maker.extract(piece))
            assert maker.is_informative(maker.extract(piece, query=True), query=True)
            assert maker.is_informative(maker.extract(noisy, query=True), query=True)


@pytest.mark.parametrize("name", TELLS_TONES)
def test_a_tone_is_no_clip_of_a_recording(name):
    maker = make_fingerprinter(name, {})
    tone = (0.3 * np.sin(2 * np.pi * 1_000 / maker.rate * np.arange(5 * maker.rate))).astype(np.float32)
    assert not maker.is_informative(maker.extract(tone, query=True), query=True)


@pytest.mark.parametrize("name", ["neural", "shazam"])
@pytest.mark.parametrize(("first", "last", "seconds"), [(200, 3_000, 30), (100, 3_000, 90), (1_500, 300, 60)])
def test_a_tone_that_glides_slowly_is_no_recording(name, first, last, seconds):
    maker = make_fingerprinter(name, {})
    hertz = first * (last / first) ** np.linspace(0, 1, seconds * maker.rate)
    tone = (0.3 * np.sin(2 * np.pi * np.cumsum(hertz) / maker.rate)).astype(np.float32)
    assert not maker.is_informative(maker.extract(tone))
