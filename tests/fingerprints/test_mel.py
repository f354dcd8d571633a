"""The front end of learned fingerprints: golden numbers, and a spectrogram that nothing but the sound decides."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earmark.fingerprints.mel import (
    QUIETEST,
    LogMel,
    banded,
    filter_bank,
    log_mel_segments,
    normalised,
    silent,
)
from tests.audio.spectra import power_chunks

SHAPE = LogMel()
TALK = LogMel(rate=16_000, window=512, hop=160, low_hertz=0.0, high_hertz=8_000.0, segment_frames=96)

# 2595 log10(1 + f / 700) from 218.81 mel (150 Hz) to 2146.06 mel (4 kHz) in 65 equal steps, worked out apart from the
# code: band 0 peaks at the second edge, band 63 at the last but one.
GOLDEN_CENTRES = {0: 172.659, 1: 195.923, 31: 1_272.629, 32: 1_325.216, 62: 3_759.090, 63: 3_877.960}


def spectrogram(blocks: Sequence[np.ndarray], *, frames: int = 512, shape: LogMel = SHAPE) -> np.ndarray:
    """Of whole sound, (frames, bands)."""
    silence = np.zeros(shape.margin, np.float32)
    chunks = power_chunks([silence, *blocks, silence], shape.front_end, frames=frames)
    return np.concatenate([banded(spectra, shape) for spectra in chunks])


def sine(hertz: float, seconds: float = 1.0, *, rate: int = SHAPE.rate) -> np.ndarray:
    return np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate).astype(np.float32)


def noise(samples: int, seed: int = 1) -> np.ndarray:
    return (np.random.default_rng(seed).normal(size=samples) * 0.1).astype(np.float32)


def segments(count: int, seed: int = 1) -> np.ndarray:
    """Spectrograms of noise that swells, each of its own loudness."""
    rng = np.random.default_rng(seed)
    sounds = rng.normal(size=(count, SHAPE.segment_samples)) * np.linspace(0.01, 1, SHAPE.segment_samples)
    return log_mel_segments((sounds * rng.uniform(0.01, 1, (count, 1))).astype(np.float32), SHAPE)


def test_golden_centres_of_the_bands() -> None:
    bank = filter_bank(LogMel(window=1 << 17))  # bins of 0.06 Hz: the highest one is the triangle's tip
    tips = bank.argmax(axis=0) * SHAPE.rate / (1 << 17)
    for band, hertz in GOLDEN_CENTRES.items():
        assert tips[band] == pytest.approx(hertz, abs=0.07)


def test_golden_sums_of_the_filter_bank() -> None:
    bank = filter_bank(SHAPE)
    assert bank.shape == (513, 64)
    assert bank.dtype == np.float32
    assert float(bank.sum(dtype=np.float64)) == pytest.approx(483.54, abs=0.02)
    assert (bank >= 0).all()
    assert (bank <= 1).all()
    # A triangle of height 1 that reaches from edge to edge covers half of that many hertz; bins are 7.8 Hz wide.
    assert bank[:, [0, 31, 63]].sum(axis=0) == pytest.approx([2.939, 6.644, 15.418], abs=0.03)


def test_between_the_first_and_the_last_tip_each_frequency_counts_once() -> None:
    hertz = np.fft.rfftfreq(SHAPE.window, 1 / SHAPE.rate)
    inside = (hertz > GOLDEN_CENTRES[0]) & (hertz < GOLDEN_CENTRES[63])
    assert filter_bank(SHAPE)[inside].sum(axis=1) == pytest.approx(1.0, abs=1e-5)


def test_nothing_outside_the_band_counts() -> None:
    hertz = np.fft.rfftfreq(SHAPE.window, 1 / SHAPE.rate)
    assert not filter_bank(SHAPE)[(hertz <= SHAPE.low_hertz) | (hertz >= SHAPE.high_hertz)].any()


@pytest.mark.parametrize("band", GOLDEN_CENTRES)
def test_a_sine_is_loudest_in_its_band_and_as_high_as_the_window_makes_it(band: int) -> None:
    spectra = spectrogram([sine(GOLDEN_CENTRES[band])])[4:-4]  # frames that hold nothing but the sine
    assert set(spectra.argmax(axis=1)) == {band}
    # 20 log10(N / 4) = 48.2 dB is a full-scale sine's peak under a Hann window; the bank sums the lobe's other bins,
    # which hold half as much again (1.8 dB).
    heights = 10 * spectra[:, band]
    assert (heights > 48.2 - 0.6).all()
    assert (heights < 48.2 + 1.8).all()


def test_half_the_amplitude_is_six_decibels_less() -> None:
    loud, quiet = (spectrogram([sine(1_000.0) * np.float32(factor)])[4:-4] for factor in (1.0, 0.5))
    assert loud[:, 25:30] - quiet[:, 25:30] == pytest.approx(np.log10(4), abs=1e-3)


def test_silence_is_as_quiet_as_can_be_said() -> None:
    assert spectrogram([np.zeros(8_000, np.float32)]) == pytest.approx(np.log10(QUIETEST), abs=1e-5)


@pytest.mark.parametrize("frame", [0, 1, 17, 31])
def test_a_frame_is_centred_half_a_hop_after_its_beginning(frame: int) -> None:
    samples = np.zeros(8_000, np.float32)
    samples[SHAPE.hop * frame + SHAPE.hop // 2] = 1.0
    loudness = spectrogram([samples]).max(axis=1)
    assert loudness.argmax() == frame
    # The window is symmetric, so the neighbours to both sides hear a click in the middle alike.
    if 0 < frame < 31:
        assert loudness[frame - 1] == pytest.approx(loudness[frame + 1], abs=0.01)


@pytest.mark.parametrize("samples", [250, 251, 499, 500, 2_400, 8_000, 8_249, 8_250])
def test_sound_has_a_frame_for_each_whole_hop(samples: int) -> None:
    assert len(spectrogram([noise(samples)])) == samples // SHAPE.hop


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 12_000), max_size=12), st.sampled_from([1, 7, 64, 512]))
def test_neither_blocks_nor_chunks_change_a_frame(cuts: list[int], frames: int) -> None:
    sound = noise(12_000)
    whole = spectrogram([sound], frames=512)
    assert np.array_equal(spectrogram(np.split(sound, sorted(cuts)), frames=512), whole)
    assert spectrogram(np.split(sound, sorted(cuts)), frames=frames) == pytest.approx(whole, abs=1e-4)


def test_a_segment_does_not_depend_on_how_many_there_are() -> None:
    sounds = np.stack([noise(SHAPE.segment_samples, seed) for seed in range(41)])
    together = log_mel_segments(sounds, SHAPE)
    assert together.shape == (41, 64, 32)
    for number in (0, 17, 40):
        assert log_mel_segments(sounds[number, None], SHAPE)[0] == pytest.approx(together[number], abs=1e-4)


def test_a_segment_with_its_margins_is_what_the_whole_sound_has_there() -> None:
    sound = noise(16_000)
    whole = spectrogram([sound])
    frame = 12
    begin = frame * SHAPE.hop - SHAPE.margin
    segment = log_mel_segments(sound[None, begin : begin + SHAPE.segment_samples], SHAPE)[0].swapaxes(0, 1)
    assert segment == pytest.approx(whole[frame : frame + SHAPE.segment_frames], abs=1e-4)


def test_a_segment_lasts_a_second_and_is_heard_with_margins() -> None:
    assert (SHAPE.segment_seconds, SHAPE.frame_seconds) == (1.0, 0.03125)
    assert SHAPE.segment_samples == 8_000 + 2 * SHAPE.margin == 8_774
    assert (TALK.segment_seconds, TALK.segment_samples) == (0.96, 15_712)


@pytest.mark.parametrize("shape", [SHAPE, TALK])
def test_bands_are_as_many_as_were_asked_for(shape: LogMel) -> None:
    sound = noise(2 * shape.rate)
    spectra = spectrogram([sound], shape=shape)
    assert spectra.shape == (len(sound) // shape.hop, shape.bands)
    assert np.isfinite(spectra).all()


def test_normalised_segments_have_mean_nought_and_deviation_one() -> None:
    for segment in normalised(segments(20), SHAPE):
        assert segment.mean() == pytest.approx(0.0, abs=1e-4)
        assert segment.std() == pytest.approx(1.0, abs=5e-3)
        assert segment.dtype == np.float32


def test_what_is_sixty_decibels_under_the_loudest_place_is_all_alike() -> None:
    segment = np.linspace(-9.0, 3.0, 64 * 32, dtype=np.float32).reshape(1, 64, 32)  # 120 dB
    [floored] = normalised(segment, SHAPE)
    lowest = floored == floored.min()
    assert np.array_equal(lowest, segment[0] <= 3.0 - 6.0)
    rising = floored[~lowest]
    assert (np.diff(rising) > 0).all()


@settings(deadline=None, max_examples=30)
@given(st.floats(-40.0, 40.0), st.integers(0, 100))
def test_gain_does_not_matter(decibels: float, seed: int) -> None:
    raw = segments(2, seed)
    assert normalised(raw + np.float32(decibels / 10), SHAPE) == pytest.approx(normalised(raw, SHAPE), abs=1e-3)


def test_what_else_is_there_does_not_matter() -> None:
    raw = segments(8)
    together = normalised(raw, SHAPE)
    for number, segment in enumerate(raw):
        assert np.array_equal(normalised(segment[None], SHAPE)[0], together[number])


def test_normalising_leaves_the_segments_as_they_were() -> None:
    raw = segments(3)
    before = raw.copy()
    normalised(raw, SHAPE)
    assert np.array_equal(raw, before)


def test_a_segment_without_any_contrast_stays_finite() -> None:
    assert (normalised(np.full((1, 64, 32), -3.0, np.float32), SHAPE) == 0).all()


@pytest.mark.parametrize(("decibels", "nothing"), [(0.0, False), (-40.0, False), (-67.0, False), (-75.0, True)])
def test_a_sine_seventy_decibels_under_full_scale_is_where_silence_begins(decibels: float, nothing: bool) -> None:
    amplitude = np.float32(10 ** (decibels / 20))
    [segment] = log_mel_segments(sine(GOLDEN_CENTRES[31], 2.0)[None, : SHAPE.segment_samples] * amplitude, SHAPE)
    assert silent(segment[None], SHAPE).tolist() == [nothing]


def test_one_loud_place_keeps_a_segment_from_being_silent() -> None:
    quiet = np.full((3, 64, 32), np.log10(QUIETEST), np.float32)
    quiet[1, 40, 31] = 2.0
    assert silent(quiet, SHAPE).tolist() == [True, False, True]
