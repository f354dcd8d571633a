from __future__ import annotations

import numpy as np
import pytest
import soundfile
from msgspec.structs import replace

from earmark.errors import OptionError
from earmark.fingerprints.mel import log_mel_segments, normalised
from earmark.learn.pairs import PairBatches, TrainingSet
from earmark.learn.pcm import prepare
from earmark.learn.recipe import Noises, Playing

RATE = 8_000
NOTHING = {
    "offset_seconds": 0.0,
    "room_share": 0.0,
    "microphone_share": 0.0,
    "equaliser_decibels": 0.0,
    "high_pass_hertz": [1.0, 2.0],
    "low_pass_hertz": [30_000.0, 40_000.0],
    "noise_share": 0.0,
    "gain_decibels": [0.0, 0.0],
}


@pytest.fixture
def made(training_set, recipe):
    """made(ranges..., playing=...) returns batches of a recipe that does nothing but that."""

    def make(*, playing: Playing = Playing(), noises: Noises = Noises(), **ranges: object) -> PairBatches:  # noqa: B008
        return PairBatches(training_set, replace(recipe, ranges=NOTHING | ranges, playing=playing, noises=noises))

    return make


def test_a_batch_is_the_same_whoever_makes_it_and_whenever(training_set, recipe):
    first, second = PairBatches(training_set, recipe), PairBatches(training_set, recipe)
    first.pairs(0)
    one, other, next_one = first.pairs(7), second.pairs(7), second.pairs(8)
    for field in ("tracks", "places", "anchors", "positives"):
        assert np.array_equal(getattr(one, field), getattr(other, field))
    assert not np.array_equal(one.positives, next_one.positives)
    assert not np.array_equal(one.places, PairBatches(training_set, recipe, seed=9).pairs(7).places)


def test_a_batch_has_each_track_once(training_set, recipe):
    batches = PairBatches(training_set, recipe)
    drawn = [batches.raw(number).tracks for number in range(40)]
    assert all(len(set(tracks)) == recipe.batch for tracks in drawn)
    assert set(np.concatenate(drawn)) == set(range(len(training_set.music)))


def test_anchors_are_segments_of_their_tracks_at_their_places(training_set, recipe):
    pairs = PairBatches(training_set, recipe).pairs(1)
    shape = recipe.log_mel
    pieces = [
        training_set.music.excerpt(int(track), int(place), shape.segment_samples)
        for track, place in zip(pairs.tracks, pairs.places, strict=True)
    ]
    assert np.array_equal(pairs.anchors, normalised(log_mel_segments(np.stack(pieces), shape), shape))


def test_a_pair_to_which_nothing_happens_is_twice_the_same(made):
    pairs = made().pairs(2)
    assert np.abs(pairs.anchors - pairs.positives).max() < 0.05


def test_an_offset_moves_a_positive_and_only_that(made):
    batches = made(offset_seconds=0.2)
    raw = batches.raw(3)
    reach = round(0.2 * RATE)
    assert len(set(raw.draws.offsets)) > 1
    begin = batches.channel.history + reach
    middle = raw.music[:, begin : begin + raw.anchors.shape[1]]
    assert np.array_equal(middle, raw.anchors)


def test_noise_comes_at_ratios_in_range(made):
    batches = made(noise_share=0.75, snr_decibels=[3.0, 9.0])
    ratios = np.concatenate([batches.raw(number).draws.snr_decibels for number in range(12)])
    noisy = np.isfinite(ratios)
    assert 0.6 < noisy.mean() < 0.9
    assert ratios[noisy].min() >= 3
    assert ratios[noisy].max() <= 9


@pytest.mark.parametrize(
    ("noises", "power"),
    [(Noises(1.0, 0.0, 0.0), (1, 1)), (Noises(0.0, 0.0, 1.0), (1, 1)), (Noises(0.0, 1.0, 0.0), (0.5, 8))],
    ids=["ambience", "coloured", "voices"],
)
def test_noise_has_power_1_and_voices_add_up(made, noises, power):
    raw = made(noise_share=1.0, noises=noises).raw(0)
    powers = np.mean(raw.noise**2, axis=1)
    assert power[0] - 1e-3 < powers.min()
    assert powers.max() < power[1] + 1e-3


def test_noise_that_is_not_given_is_made(training_set, recipe):
    bare = TrainingSet(training_set.music, None, None, (), ())
    pairs = PairBatches(bare, recipe).pairs(0)
    assert np.isfinite(pairs.positives).all()


def test_a_clip_that_begins_or_ends_in_a_segment_is_silent_beyond(made, recipe):
    margin, length = recipe.log_mel.margin, recipe.log_mel.segment_samples
    clip_mask = made(playing=Playing(cut_share=1.0, cut=0.3)).raw(4).clip_mask
    missing = (~clip_mask).sum(axis=1)
    assert missing.min() >= margin
    assert missing.max() <= margin + 0.3 * (length - 2 * margin)
    assert all(row[0] != row[-1] for row in clip_mask)
    assert all(np.count_nonzero(np.diff(row.astype(int))) == 1 for row in clip_mask)


def test_a_clip_of_a_segments_length_has_silent_margins(made, recipe):
    margin = recipe.log_mel.margin
    clip_mask = made(playing=Playing(alone_share=1.0)).raw(4).clip_mask
    assert not clip_mask[:, :margin].any()
    assert not clip_mask[:, -margin:].any()
    assert clip_mask[:, margin:-margin].all()


def test_music_that_plays_faster_still_meets_its_anchor_in_the_middle(made):
    batches = made(playing=Playing(speed_share=1.0, speed=0.03))
    lags = []
    for number in range(3):
        raw = batches.raw(number)
        centre = raw.anchors.shape[1] // 2
        for anchor, music in zip(raw.anchors, raw.music, strict=True):
            wanted = anchor[centre - 200 : centre + 200]
            begin = batches.channel.history + centre - 200
            likeness = [float(wanted @ music[begin + lag : begin + lag + 400]) for lag in range(-20, 21)]
            lags.append(int(np.argmax(likeness)) - 20)
        assert not np.allclose(raw.music[:, -1_000:], 0)
    assert np.abs(lags).max() <= 4  # a deep note is alike to itself a few samples on


def test_overdriven_music_is_no_longer_the_same(made):
    plain, driven = made().raw(5), made(playing=Playing(overdriven_share=1.0)).raw(5)
    assert np.array_equal(plain.places, driven.places)
    assert np.array_equal(plain.anchors, driven.anchors)
    assert (np.abs(plain.music - driven.music).max(axis=1) > 1e-3).all()
    assert np.isfinite(driven.music).all()


def test_a_hole_is_as_quiet_as_the_quietest_place(made):
    batches = made(playing=Playing(masked_share=0.5))
    raw, pairs = batches.raw(6), batches.pairs(6)
    hidden = raw.spec_mask.any(axis=(1, 2))
    assert len(set(hidden)) == 2
    for row in np.flatnonzero(hidden):
        assert set(pairs.positives[row][raw.spec_mask[row]]) == {pairs.positives[row].min()}
        assert raw.spec_mask[row].all(axis=1).any(), "a stripe of bands"


def test_places_that_are_silent_are_passed_over(music, tmp_path, recipe):
    rng = np.random.default_rng(0)
    half = np.concatenate([np.zeros(15 * RATE), 0.1 * rng.standard_normal(15 * RATE)])
    for number in range(8):
        soundfile.write(tmp_path / f"half-{number}.wav", half, RATE)
    sounds = prepare(sorted(tmp_path.glob("half-*.wav")), rate=RATE, folder=tmp_path / "kept")
    batches = PairBatches(TrainingSet(sounds, None, None, (), ()), recipe)
    loud = [np.sqrt(np.mean(batches.raw(number).anchors ** 2, axis=1)) > 1e-3 for number in range(6)]
    assert np.mean(loud) > 0.95


def test_music_of_nothing_but_silence_gives_numbers_nonetheless(tmp_path, recipe):
    for number in range(8):
        soundfile.write(tmp_path / f"silent-{number}.wav", np.zeros(2 * RATE), RATE)
    sounds = prepare(sorted(tmp_path.glob("*.wav")), rate=RATE, folder=tmp_path / "kept")
    pairs = PairBatches(TrainingSet(sounds, None, None, (), ()), recipe).pairs(0)
    assert np.isfinite(pairs.anchors).all()
    assert np.isfinite(pairs.positives).all()


def test_a_batch_needs_as_many_tracks(training_set, recipe):
    with pytest.raises(OptionError, match="a batch of 14 pairs, each of another track, and 13 tracks"):
        PairBatches(training_set, replace(recipe, batch=14))
