"""Unknown clips are drawn alike each time, are of the length that was asked for, and of the level of their kind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from earmark.errors import OptionError
from earmark.evaluation.recordings import Recordings
from earmark.evaluation.unknown import KINDS, TONES, Kind, UnknownClips, root_mean_square

RATE = 16_000


@pytest.fixture(scope="module")
def sounds() -> Iterator[Recordings]:
    with Recordings(RATE) as recordings:
        yield recordings


@pytest.fixture(scope="module")
def clips(sounds: Recordings, music: Sequence[Path]) -> UnknownClips:
    return UnknownClips(sounds.mapped, rate=RATE, music=music[:2], speech=music[2:3], noise=music[3:4], seed=5)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_clips_of_16_bits_and_of_the_length_that_is_asked_for(clips: UnknownClips, kind: Kind) -> None:
    for seconds, number in ((1.0, 0), (2.5, 1), (2.5, 2), (2.5, 3)):
        samples = clips.make(kind, seconds, number).samples
        assert (samples.shape, samples.dtype) == ((round(seconds * RATE),), np.float32)
        assert np.array_equal(samples, np.round(samples * 32_768) / 32_768)
        assert np.abs(samples).max() <= 10 ** (-1 / 20) + 1e-3
        if kind != "near silence":
            assert np.abs(samples).max() >= 10 ** (-12 / 20) - 1e-3


@pytest.mark.parametrize("kind", KINDS)
def test_a_clip_depends_on_its_seed_and_number_alone(
    sounds: Recordings, music: Sequence[Path], clips: UnknownClips, kind: Kind
) -> None:
    first = clips.make(kind, 1.0, 3).samples
    clips.make(kind, 1.0, 4)
    assert np.array_equal(clips.make(kind, 1.0, 3).samples, first)
    assert not np.array_equal(clips.make(kind, 1.0, 4).samples, first)
    other = UnknownClips(sounds.mapped, rate=RATE, music=music[:2], speech=music[2:3], noise=music[3:4], seed=6)
    assert not np.array_equal(other.make(kind, 1.0, 3).samples, first)


def test_a_clip_of_music_is_the_recording_at_its_place(sounds: Recordings, clips: UnknownClips) -> None:
    clip = clips.make("music", 2.0, 0)
    assert clip.path is not None
    there = sounds.piece(clip.path, clip.start, 2.0)
    assert np.corrcoef(there, clip.samples)[0, 1] > 0.999


def test_what_is_nearly_silent_is_soft_or_over_in_a_moment(clips: UnknownClips) -> None:
    for number in range(20):
        samples = clips.make("near silence", 5.0, number).samples
        assert root_mean_square(samples) < 10 ** (-48 / 20) or np.count_nonzero(samples) <= 0.8 * RATE


@pytest.mark.parametrize("make", TONES)
def test_tones_are_sound_of_any_length(make: object) -> None:
    for seconds in (1.0, 5.0):
        made = make(np.arange(round(seconds * RATE)) / RATE, np.random.default_rng(2))  # type: ignore[operator]
        assert len(made) == round(seconds * RATE)
        assert np.isfinite(made).all()
        assert np.abs(made).max() > 0


def test_without_recordings_there_is_what_can_be_made(sounds: Recordings) -> None:
    made = UnknownClips(sounds.mapped, rate=RATE, music=(), speech=(), noise=(), seed=1)
    assert made.kinds == ("noise", "tones", "near silence")
    for kind in made.kinds:
        assert len(made.make(kind, 1.0, 0).samples) == RATE
    with pytest.raises(OptionError, match="no recordings for clips of speech"):
        made.make("speech", 1.0, 0)


def test_music_that_is_silent_or_too_short_is_said_to_be_so(sounds: Recordings, music: Sequence[Path]) -> None:
    short = UnknownClips(sounds.mapped, rate=RATE, music=music[:1], speech=(), noise=(), seed=1)
    with pytest.raises(OptionError, match="give longer music"):
        short.make("music", 4_000.0, 0)


def test_recordings_of_noise_and_speech_that_cannot_be_read_are_passed_over(
    sounds: Recordings, music: Sequence[Path], tmp_path: Path
) -> None:
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"RIFF no sound")
    clips = UnknownClips(sounds.mapped, rate=RATE, speech=[broken, music[2]], noise=[broken, music[3]], seed=5)
    for number in range(6):
        assert len(clips.make("speech", 1.0, number).samples) == RATE
        assert len(clips.make("noise", 1.0, number).samples) == RATE
    nothing = UnknownClips(sounds.mapped, rate=RATE, speech=[broken], seed=5)
    with pytest.raises(OptionError, match=r"none of 1 recordings can be read, as .*broken\.wav"):
        nothing.make("speech", 1.0, 0)
