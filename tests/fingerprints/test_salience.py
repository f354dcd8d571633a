"""A clip's salience map: what stands out, and what the network takes for the recording's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark.apps.demo import excerpts
from earmark.audio.decode import load
from earmark.audio.stft import FrontEnd
from earmark.errors import OptionError
from earmark.fingerprints.neural import Neural
from earmark.fingerprints.peaks import CONTEXT_FRAMES, PeakShape, PeakStream
from earmark.fingerprints.salience import (
    FLOOR,
    HIGHEST,
    LARGEST_CONTRAST,
    STEPS,
    STRIDE,
    SalienceNet,
    contrast_features,
    local_contrast,
    pack_nibbles,
    quantise,
)
from earmark.match.compare.query_map import QueryMap, Warp
from earmark.types import Layer, SalienceMap
from tests.audio.spectra import power_chunks

FLAT = np.full((100, 64), FLOOR + 2, np.float32)
LEARNED = SalienceNet()
CHUNK_FRAMES = PeakShape().chunk_frames
FRONT_END = FrontEnd(rate=8_000, window=1_024, hop=125, low_bin=4, high_bin=500)


def spectrogram(samples: np.ndarray) -> np.ndarray:
    """In nepers, of samples at 8,000 Hz."""
    return np.log(np.concatenate(list(power_chunks([samples], FRONT_END, frames=64))) + 1e-10)


def melody(seed: int, seconds: float) -> np.ndarray:
    """Notes of a quarter of a second, each of four partials."""
    rng = np.random.default_rng(seed)
    time = np.arange(2_000) / 8_000
    notes = [
        sum(np.sin(2 * np.pi * partial * hertz * time) / partial for partial in range(1, 5)) * np.exp(-6 * time)
        for hertz in rng.uniform(200, 900, round(4 * seconds))
    ]
    return (0.1 * np.concatenate(notes)).astype(np.float32)


def test_flat_ground_is_nought_and_a_hill_stands_out_by_its_height() -> None:
    ground = FLAT.copy()
    ground[40, 20], ground[70, 20] = FLOOR + 6, FLOOR + 20
    salience = local_contrast(ground)
    mean = 4.0 / (9 * 17)  # of the lower hill, over the surroundings
    assert salience[40, 20] == round(STEPS * (4.0 - mean - 1.0))
    assert salience[70, 20] == HIGHEST
    salience[[40, 70], 20] = 0
    assert not salience.any()


def test_contrasts_know_neither_loudness_nor_a_slow_slope() -> None:
    ground = FLAT + np.linspace(0, 0.5, 64, dtype=np.float32)
    assert np.abs(contrast_features(ground)).max() < 0.2
    ground[50, 30] += 3
    seen = contrast_features(ground)
    assert seen.shape == (2, 100, 64)
    assert seen[0, 50, 30] == pytest.approx(3 * (1 - 1 / (9 * 17)), abs=0.05)
    assert seen[1, 50, 30] == pytest.approx(1.5, abs=0.15)
    assert np.allclose(contrast_features(ground + 5), seen, atol=1e-4)
    assert np.abs(contrast_features(ground + 40 * (ground > ground.mean()))).max() <= LARGEST_CONTRAST


def test_contrasts_of_many_are_those_of_each() -> None:
    several = np.random.default_rng(1).normal(-5, 2, (3, 40, 64)).astype(np.float32)
    assert np.array_equal(contrast_features(several)[1], contrast_features(several[1]))


@given(seed=st.integers(0, 99), frames=st.integers(0, 40))
def test_two_places_a_byte_are_both_there_again(seed: int, frames: int) -> None:
    salience = np.random.default_rng(seed).integers(0, HIGHEST + 1, (frames, 32)).astype(np.uint8)
    assert pack_nibbles(salience).nbytes * 2 == salience.nbytes
    assert np.array_equal(SalienceMap(pack_nibbles(salience), 0).unpacked(), salience)


def test_steps_are_whole_and_bounded() -> None:
    assert quantise(np.array([-3.0, 0.2, 0.3, 100.0], np.float32)).tolist() == [0, 0, 1, HIGHEST]


def test_the_network_says_which_spectrograms_it_is_for() -> None:
    assert LEARNED.front_end == FRONT_END


def test_the_network_makes_a_clip_under_other_music_fit_its_recording_better() -> None:
    def z(salience: np.ndarray, reference: Layer) -> float:
        weights = SalienceMap(pack_nibbles(salience), 16)
        layer = Layer(np.array([62], np.int32), np.array([16], np.int32), 1.0, weights)
        query = QueryMap(layer, bins=512, hypotheses=(Warp(),))
        return query.at_offsets([reference], [0])[0].z

    learned, by_hand = [], []
    music = [load(path, rate=8_000)[0] for path in excerpts()[:8]]
    for number, (sound, other) in enumerate(zip(music, music[1:] + music[:1], strict=True)):
        clean, noise = sound[24_000:32_774], other[40_000:48_774]
        noise = noise * np.sqrt(np.mean(clean**2) / np.mean(noise**2))
        spoilt = noise + np.random.default_rng(number).normal(size=len(clean)) * np.sqrt(np.mean(clean**2))
        peaks = PeakStream(PeakShape(), keep=40).take([np.exp(spectrogram(clean))])
        reference = Layer(peaks.frames, peaks.bins + 16, 1.0)
        heard = spectrogram((clean + spoilt).astype(np.float32))
        learned.append(z(LEARNED(heard), reference))
        by_hand.append(z(local_contrast(heard), reference))
    assert np.mean(learned) > 1.1 * np.mean(by_hand)


def test_what_is_far_away_changes_nothing_so_chunks_do_not_show() -> None:
    power = spectrogram(melody(4, 16.0))
    salience = LEARNED(power)
    assert salience.shape == power.shape
    first = CHUNK_FRAMES
    part = LEARNED(power[first - CONTEXT_FRAMES : first + 200 + CONTEXT_FRAMES])
    assert np.array_equal(part[CONTEXT_FRAMES:-CONTEXT_FRAMES], salience[first : first + 200])


@pytest.mark.parametrize("frames", [1, STRIDE - 1, STRIDE, STRIDE + 1, 63])
def test_any_number_of_frames_will_do(frames: int) -> None:
    salience = LEARNED(spectrogram(melody(6, 2.0))[:frames])
    assert salience.shape == (frames, 496)
    assert salience.dtype == np.uint8
    assert int(salience.max()) <= HIGHEST


def test_what_is_no_network_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "salience.onnx"
    path.write_bytes(b"no network")
    with pytest.raises(OptionError, match=r"salience\.onnx is no network"):
        SalienceNet(path)(FLAT)
    with pytest.raises(OptionError, match="absent"):
        SalienceNet(tmp_path / "absent.onnx")(FLAT)


def test_a_clip_of_the_default_fingerprinter_has_the_networks_salience() -> None:
    maker = Neural()
    sound = melody(7, 3.0)
    clip = maker.extract(sound, query=True)
    weights = clip.layers["peaks"].weights
    assert isinstance(weights, SalienceMap)
    assert (weights.first_bin, weights.first_frame) == (FRONT_END.low_bin, 0)
    padded = np.pad(sound, 387)
    assert np.array_equal(weights.unpacked()[:, weights.first_bin :], LEARNED(spectrogram(padded)))
    assert maker.companion is not None
    assert maker.companion.front_end == LEARNED.front_end
