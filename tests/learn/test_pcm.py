from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from multiprocessing.reduction import ForkingPickler

import numpy as np
import pytest
import soundfile

from earmark.audio.decode import load
from earmark.errors import OptionError
from earmark.learn.pcm import FULL_SCALE, Sounds, prepare

RATE = 8_000


@pytest.fixture
def tones(tmp_path):
    """Two recordings of 1.5 and 2 s."""
    for number, seconds in enumerate((1.5, 2.0)):
        wave = 0.5 * np.sin(np.arange(round(seconds * RATE)) * (0.1 + number / 10))
        soundfile.write(tmp_path / f"tone-{number}.wav", wave, RATE)
    return [tmp_path / "tone-0.wav", tmp_path / "tone-1.wav"]


def test_recordings_are_what_the_decoder_gives_in_16_bits(sounds, music):
    assert sounds.names == tuple(map(str, music))
    samples, _ = load(music[5], rate=RATE)
    assert sounds.lengths[5] == len(samples)
    found = sounds.excerpt(5, 1_000, 20_000)
    assert found.dtype == np.float32
    assert np.abs(found - samples[1_000:21_000]).max() <= 0.51 / FULL_SCALE
    assert sounds.hours == pytest.approx(sum(sounds.lengths) / RATE / 3_600)


def test_outside_of_a_recording_is_silence_and_never_its_neighbour(sounds):
    length = int(sounds.lengths[0])
    assert not sounds.excerpt(0, -500, 500).any()
    assert not sounds.excerpt(0, length, 500).any()
    across = sounds.excerpt(0, length - 200, 500)
    assert across[:200].any()
    assert not across[200:].any()
    assert np.array_equal(sounds.excerpt(0, -100, 300)[100:], sounds.excerpt(0, 0, 200))


def test_a_short_recording_is_looped(sounds):
    length = int(sounds.lengths[1])
    looped = sounds.looped(1, length - 10, length)
    assert np.allclose(looped[:10], sounds.excerpt(1, length - 10, 10))
    assert np.allclose(looped[10:], sounds.excerpt(1, 0, length - 10))


def test_some_can_be_chosen_by_path(sounds, music):
    some = sounds.only([str(music[9]), str(music[2])])
    assert some.names == (str(music[2]), str(music[9]))
    assert np.array_equal(some.excerpt(1, 50, 100), sounds.excerpt(9, 50, 100))


def test_files_that_cannot_be_learned_from_are_listed_with_reasons(tones, tmp_path):
    broken, short = tmp_path / "broken.mp3", tmp_path / "short.wav"
    broken.write_text("no music")
    soundfile.write(short, np.ones(100) / 2, RATE)
    sounds = prepare([tones[0], broken, short, tones[1]], rate=RATE, folder=tmp_path / "kept")
    assert sounds.names == (str(tones[0]), str(tones[1]))
    assert [path for path, _ in sounds.failed] == [str(broken), str(short)]
    assert sounds.failed[1][1] == "0.01 s: too short"
    assert sounds.excerpt(1, 0, 100).any()


def test_without_any_there_is_nothing_to_learn_from(tmp_path):
    broken = tmp_path / "broken.mp3"
    broken.write_text("no music")
    with pytest.raises(
        OptionError, match=r"none of the files can be learned from \(.*broken.mp3: unreadable: .*\); give others"
    ):
        prepare([broken], rate=RATE, folder=tmp_path / "kept")
    with pytest.raises(OptionError, match="give files that exist"):
        prepare([tmp_path / "absent.wav"], rate=RATE, folder=tmp_path / "kept")


def test_a_second_time_nothing_is_decoded_unless_a_file_changed(tones, tmp_path):
    told = []

    def again() -> Sounds:
        told.clear()
        return prepare(tones, rate=RATE, folder=tmp_path / "kept", progress=lambda done, total: told.append(done))

    first = again()
    assert told == [1, 2]
    second = again()
    assert told == []
    assert np.array_equal(first.samples, second.samples)
    soundfile.write(tones[0], np.full(3 * RATE, 0.25), RATE)
    os.utime(tones[0], ns=(1, 1))
    assert again().lengths[0] == 3 * RATE
    assert told == [1, 2]


def test_names_that_are_no_utf_8_are_kept(tones, tmp_path):
    odd = tmp_path / os.fsdecode(b"caf\xe9.wav")
    tones[0].rename(odd)
    for _ in range(2):  # decoded, and read back
        sounds = prepare([odd, tones[1]], rate=RATE, folder=tmp_path / "cache")
        assert sounds.names == (str(odd), str(tones[1]))


def test_an_interrupted_preparation_begins_again(tones, tmp_path):
    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(tones, rate=RATE, folder=tmp_path / "kept", progress=interrupt)
    assert len(prepare(tones, rate=RATE, folder=tmp_path / "kept")) == 2


def test_another_process_maps_the_samples_and_gets_no_copy(sounds):
    assert len(ForkingPickler.dumps(sounds)) < 10_000
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        there = pool.submit(Sounds.excerpt, sounds, 3, 2_000, 400).result()
    assert np.array_equal(there, sounds.excerpt(3, 2_000, 400))
