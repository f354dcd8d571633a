from __future__ import annotations

import numpy as np
import pytest
import torch
from msgspec.structs import replace

from earmark import distort as arrays
from earmark.distort import active_power
from earmark.distort.levels import noise_gain
from earmark.fingerprints import mel as logmel
from earmark.learn import on_device as tensors
from earmark.learn.pairs import PairBatches

RELATIVE = 1e-4
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def batches(training_set, recipe):
    busy = recipe.ranges | {"room_share": 0.7, "microphone_share": 0.7, "noise_share": 0.8}
    return PairBatches(training_set, replace(recipe, ranges=busy, batch=12))


@pytest.fixture(scope="module")
def raw(batches):
    return batches.raw(3)


@pytest.fixture(scope="module")
def channel(batches):
    return tensors.ChannelTensors.of(batches.channel, CPU)


def difference(found: torch.Tensor, wanted: np.ndarray) -> float:
    """Return the largest difference over the largest value, of each clip."""
    axes = tuple(range(1, wanted.ndim))
    away = np.abs(found.numpy() - wanted).max(axis=axes) if axes else np.abs(found.numpy() - wanted)
    return float((away / np.abs(wanted).max(axis=axes)).max() if axes else (away / np.abs(wanted)).max())


def test_the_batch_has_all_kinds_of_distortion(raw):
    draws = raw.draws
    assert len(set(draws.offsets)) > 6
    assert {-1} < set(draws.rooms)
    assert {-1} < set(draws.microphones)
    assert len(set(np.isinf(draws.snr_decibels))) == 2
    assert len(set(raw.spec_mask.ravel())) == len(set(raw.clip_mask.ravel())) == 2


def test_a_clip_arrives_as_the_arrays_say(raw, batches, channel):
    found = tensors.distort(torch.from_numpy(raw.music), torch.from_numpy(raw.noise), raw.draws, channel)
    wanted = arrays.distort(raw.music, raw.noise, raw.draws, batches.channel)
    assert difference(found, wanted) < RELATIVE


def test_levels_are_those_of_the_arrays(raw, recipe):
    rate, music, noise = recipe.log_mel.rate, raw.anchors, raw.noise
    snr = np.linspace(-5, 20, len(music))
    assert difference(tensors.active_power(torch.from_numpy(music), rate=rate), active_power(music, rate=rate)) < 1e-5
    found = tensors.noise_gain(
        torch.from_numpy(music), torch.from_numpy(noise), torch.from_numpy(snr.astype(np.float32)), rate=rate
    )
    assert difference(found, noise_gain(music, noise, snr, rate=rate)) < 1e-5


def test_silence_gets_no_noise_and_silent_noise_adds_nothing():
    silence, sound = torch.zeros(1, 800), torch.ones(1, 800)
    none = torch.zeros(1)
    assert tensors.noise_gain(sound, silence, none, rate=8_000) == 0
    assert tensors.noise_gain(silence, sound, none, rate=8_000) == 0
    assert tensors.noise_gain(sound, sound, torch.tensor([torch.inf]), rate=8_000) == 0


def test_the_front_end_is_that_of_the_arrays(raw, recipe):
    shape = recipe.log_mel
    wanted = logmel.log_mel_segments(raw.anchors, shape)
    found = tensors.log_mel_segments(torch.from_numpy(raw.anchors), shape)
    assert difference(found, wanted) < RELATIVE
    assert difference(tensors.normalised(found, shape), logmel.normalised(wanted, shape)) < RELATIVE


def test_a_silent_segment_is_normalised_to_zeros(recipe):
    shape = recipe.log_mel
    segments = tensors.log_mel_segments(torch.zeros(1, shape.segment_samples), shape)
    assert not tensors.normalised(segments, shape).any()


def test_a_whole_batch_is_what_the_cpu_makes_of_it(batches, raw, channel, recipe):
    pairs = batches.pairs(3)
    found = tensors.segments_of(raw, channel, recipe.log_mel)
    assert found.shape == (2 * len(pairs.anchors), 1, recipe.log_mel.bands, recipe.log_mel.segment_frames)
    assert difference(found[:, 0], np.concatenate([pairs.anchors, pairs.positives])) < 1e-3
