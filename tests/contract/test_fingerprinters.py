"""What every fingerprinter does, whichever it is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from earmark.audio.decode import load
from earmark.fingerprint import NAMES, make
from earmark.types import Spec


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def sound(name: str, music: Sequence[Path]) -> np.ndarray:
    return load(music[1], rate=make(name).rate)[0][: 12 * make(name).rate]


def test_it_says_what_shaped_it_and_the_same_settings_say_the_same(name: str) -> None:
    assert make(name).spec == make(name).spec == Spec.parse(str(make(name).spec))
    assert make(name, density="lean").spec != make(name).spec
    assert make(name).spec.name == name


def test_frames_do_not_decrease_and_lie_within_the_sound(name: str, sound: np.ndarray) -> None:
    fingerprint = make(name).extract(sound)
    assert (np.diff(fingerprint.frames) >= 0).all()
    assert 0 <= fingerprint.frames[0] <= fingerprint.frames[-1] * make(name).frame_seconds <= fingerprint.seconds
    assert len(fingerprint.frames) == len(fingerprint.features) > 100
    assert fingerprint.frames.dtype == np.int32


@pytest.mark.parametrize("query", [False, True])
def test_blocks_do_not_matter(name: str, sound: np.ndarray, query: bool) -> None:
    whole = make(name).extract(sound, query=query)
    blocks = make(name).extract(np.array_split(sound, 37), query=query)
    assert np.array_equal(whole.features, blocks.features)
    assert np.array_equal(whole.frames, blocks.frames)


@pytest.mark.parametrize("query", [False, True])
def test_what_is_packed_comes_back(name: str, sound: np.ndarray, query: bool) -> None:
    maker = make(name)
    fingerprint = maker.extract(sound, query=query)
    again = maker.unpack(maker.pack(fingerprint))
    assert np.array_equal(again.features, fingerprint.features)
    assert np.array_equal(again.frames, fingerprint.frames)
    assert (again.seconds, again.spec) == (fingerprint.seconds, fingerprint.spec)


def test_terms_belong_to_frames_and_are_the_same_after_packing(name: str, sound: np.ndarray) -> None:
    maker = make(name)
    fingerprint = maker.extract(sound)
    frames, keys = maker.terms(fingerprint)
    again_frames, again_keys = maker.terms(maker.unpack(maker.pack(fingerprint)))
    assert np.array_equal(frames, again_frames)
    assert np.array_equal(keys, again_keys)
    assert len(frames) == len(keys) > 0
    assert np.isin(frames, fingerprint.frames).all()


def test_a_noisy_clip_shares_many_terms_with_its_recording(name: str, sound: np.ndarray) -> None:
    maker = make(name)
    noise = np.random.default_rng(3).normal(size=len(sound)).astype(np.float32)
    noisy = sound + noise * np.float32(np.sqrt(np.mean(sound**2)) / 10 ** (10 / 20))
    _, known = maker.terms(maker.extract(sound))
    _, asked = maker.terms(maker.extract(noisy, query=True), query=True)
    _, other = maker.terms(maker.extract(noise, query=True), query=True)
    assert np.isin(known, asked).mean() > 3 * np.isin(known, other).mean()
