from __future__ import annotations

import numpy as np

from earmark.distort import clip_peaks, compress, saturate
from tests.distort.conftest import RATE


def test_clipping_cuts_at_a_level_below_each_clips_peak(recordings):
    clips = recordings[:2, :RATE]
    clipped = clip_peaks(clips, 6.0206)
    peaks = np.abs(clips).max(axis=-1)
    np.testing.assert_allclose(np.abs(clipped).max(axis=-1), peaks / 2, rtol=1e-5)
    untouched = np.abs(clips) <= peaks[:, None] / 2 * 0.999
    np.testing.assert_array_equal(clipped[untouched], clips[untouched])


def test_saturation_keeps_the_peak_and_bends_the_rest(recordings):
    clip = recordings[0, :RATE]
    saturated = saturate(clip, 12.0)
    np.testing.assert_allclose(np.abs(saturated).max(), np.abs(clip).max(), rtol=1e-5)
    assert np.mean(saturated**2) > np.mean(clip**2)


def test_compression_divides_level_differences():
    tone = np.sin(np.arange(2 * RATE) * 0.9).astype(np.float32)
    tone[:RATE] *= 0.1  # 20 dB below the rest
    compressed = compress(tone, 4.0, rate=RATE)
    quiet, loud = compressed[RATE // 2 : RATE - 800], compressed[RATE + 800 :]
    difference = 10 * np.log10(np.mean(loud**2) / np.mean(quiet**2))
    np.testing.assert_allclose(difference, 5.0, atol=0.1)
    np.testing.assert_allclose(compress(tone, 1.0, rate=RATE), tone, atol=1e-6)


def test_silence_stays_silent():
    silence = np.zeros((2, 1000), np.float32)
    for out in (clip_peaks(silence, 6), saturate(silence, 6), compress(silence, 4, rate=RATE)):
        np.testing.assert_array_equal(out, silence)


def test_a_clip_alone_is_as_in_a_batch(recordings):
    clips, amounts = recordings[:3, :RATE], np.array([3.0, 6.0, 9.0])
    for change in (clip_peaks, saturate, lambda samples, ratio: compress(samples, ratio, rate=RATE)):
        together = change(clips, amounts)
        assert together.dtype == np.float32
        for row in range(3):
            np.testing.assert_allclose(together[row], change(clips[row], amounts[row]), atol=1e-6)
